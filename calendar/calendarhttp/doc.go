// Package calendarhttp serves package calendar over HTTP, on any router that huma has an adapter for. Call web.Use before
// Register.
//
//	POST   /events                        201 with Location and ETag; 409 resource_conflict with alternatives
//	GET    /events?owner=&resource=&status=&from=&to=&limit=&cursor=
//	GET    /events/{id}                   404 for what the caller may not see in full
//	PATCH  /events/{id}                   If-Match
//	DELETE /events/{id}                   If-Match; cancels
//	GET    /events/{id}/event.ics
//	POST   /events/{id}/rsvp              {"partstat":"ACCEPTED","comment":"…"}
//	GET    /freebusy?users=alice,bob&from=&to=
//	POST   /resources                     role admin, as PATCH
//	GET    /resources?kind=&limit=&cursor=
//	GET    /resources/{id}
//	PATCH  /resources/{id}                If-Match
//	GET    /resources/{id}/availability?from=&to=
//
// An event that the caller does not see in full has the members start_at, end_at and title only. Times are RFC 3339, in
// answers in UTC. Delegations and replies have packages of their own.
package calendarhttp
