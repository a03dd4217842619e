// Package ackflowhttp serves package ackflow over HTTP, on any router that huma has an adapter for. Call web.Use before
// Register.
//
//	POST   /chat-messages                   {"roomId":"…","body":"…"}
//	GET    /chat-messages/{id}
//	PATCH  /chat-messages/{id}              {"body":"…"}              by its author; voids acknowledgements
//	DELETE /chat-messages/{id}
//	GET    /chat-ack-requests?role=required|creator&state=&acked=&limit=&cursor=
//	POST   /chat-ack-requests               {"messageId" or "message":{"roomId","body"},"requiredUserIds":[…],"dueAt":…,…}
//	POST   /chat-ack-requests/preview       the same body: who would be asked
//	GET    /chat-ack-requests/{id}
//	POST   /chat-ack-requests/{id}/ack      {"revision":…}, optional: what was read
//	POST   /chat-ack-requests/{id}/revoke
//	POST   /chat-ack-requests/{id}/cancel   {"reason":"…"}, optional
//	GET    /chat-ack-links?targetTable=&targetId= or ?ackRequestId= or ?messageId=
//	POST   /chat-ack-links                  {"ackRequestId" or "messageId","targetTable","targetId","flowType","actionKey"}
//	DELETE /chat-ack-links/{id}
//	GET    /chat-ack-templates?flowType=&actionKey=
//	POST   /chat-ack-templates
//	PATCH  /chat-ack-templates/{id}
//
// Names are in camelCase and codes in capitals, as the clients of seed 002 have them. An error is a problem (RFC 9457)
// whose reason is the code, and carries the older form beside it: "error":{"code","message","details"}.
package ackflowhttp
