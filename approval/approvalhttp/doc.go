// Package approvalhttp serves package approval over HTTP, on any router that huma has an adapter for. Call web.Use
// before Register.
//
//	GET  /approval-instances?role=approver|requester&status=pending&limit=&cursor=
//	GET  /approval-instances/{id}
//	POST /approval-instances/{id}/act     {"action":"approve|reject","reason":"…","content_hash":"…"}
//	POST /approval-instances/{id}/cancel  {"reason":"…"}
//	POST /approval-instances/act          {"items":[{"id":"…","action":"approve","content_hash":"…"}]}
//	GET  /approval-substitutes?person_id=&limit=&cursor=
//	POST /approval-substitutes            {"substitute_id":"…","valid_from":null,"valid_until":"…"}
//	DELETE /approval-substitutes/{id}
//	GET  /approval-policies
//	GET, PUT /approval-policies/{flow_type}   {"rules":[…],"steps":[{"mode":"quorum","quorum":2,"approvers":[…]}]}
//	GET  /approval-policies/{flow_type}/versions
//	POST /approval-policies/evaluate      {"flow_type":"booking","facts":{"attendees":12}}
//	GET  /action-policies?flow_type=&action_key=&limit=&cursor=
//	POST /action-policies           {"flow_type":"booking","action_key":"approve","guards":[{"type":"chat_ack_completed"}]}
//	GET, PATCH /action-policies/{id}
//	POST /action-policies/evaluate  {"action_key":"approve","target_id":"…"}
//
// and, by RegisterLinks, for whoever holds a link from a mail:
//
//	GET  /approval-links/{token}          a page that shows what is asked and what follows; changes nothing
//	POST /approval-links/{token}          the decision, once
//
// The instances answer with timeline, explanation and, while they are pending, what the guards of deciding say now (in
// lists guards are not asked). An administrator who meets a failed chat_ack_completed gets REASON_REQUIRED; the reason
// that they then give overrides it. Deciding on several answers row by row, each with the status that it would have had
// alone. A PUT makes the next version of an approval policy; a draft can be evaluated first.
package approvalhttp
