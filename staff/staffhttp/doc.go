// Package staffhttp serves the staff hub over HTTP.
//
// The routes that existing clients of the service behind seed 001 know keep its forms, errors included:
//
//	GET  /api/staff-data.php        ?id= | search= page= limit= include_inactive= organisational_unit_id=
//	POST /api/webhooks.php          action subscribe, unsubscribe, list; JSON or form
//	POST /api/recruitment/import   with Idempotency-Key, too
//
// The others follow the house rules (lists with cursors, problem details):
//
//	GET, POST             /api/staff/people
//	GET, PATCH            /api/staff/people/{id}                PATCH with If-Match
//	GET, POST             /api/staff/people/{id}/units
//	DELETE                /api/staff/people/{id}/units/{assignment_id}
//	GET                   /api/staff/people/{id}/export         a zip with all that is kept about them
//	POST                  /api/staff/people/{id}/erase
//	GET, POST             /api/staff/units
//	GET, PATCH, DELETE    /api/staff/units/{id}
//	GET                   /api/staff/changes                    ?cursor=
//	POST                  /api/recruitment/import/bulk          ?dry_run=true; JSON or CSV
//	GET                   /api/exports/{system}                 ?format= mapping= include_inactive= bom= charset=
//	GET                   /api/exports/mappings
//	GET, PUT              /api/exports/mappings/{name}
//	POST                  /api/exports/mappings/preview
//	GET                   /api/external-systems
//	GET, POST             /api/api-keys
//	POST                  /api/api-keys/{id}/rotate
//	POST                  /api/api-keys/{id}/deactivations      lets a key deactivate more people than staff.Deactivations does
//	DELETE                /api/api-keys/{id}
//	…                     /api/webhooks                         those of package webhookhttp; {id} may be the webhook_id
//
// [Keys] is the authenticator for API keys. They open the routes under /api/ and /scim/ only.
package staffhttp
