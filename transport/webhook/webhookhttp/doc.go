// Package webhookhttp serves webhook subscriptions over HTTP, under a prefix of the caller's such as "/webhooks":
//
//	POST   {prefix}                                        subscribe; the answer has the secret, once
//	GET    {prefix}?url=&owner=&limit=&cursor=
//	GET    {prefix}/{id}
//	PATCH  {prefix}/{id}
//	DELETE {prefix}/{id}
//	POST   {prefix}/{id}/pause
//	POST   {prefix}/{id}/resume                            {"replay":true}
//	POST   {prefix}/{id}/rotate-secret                     {"secret":"…","overlap_seconds":3600}; the answer has the secret, once
//	POST   {prefix}/{id}/test                              send a test event
//	GET    {prefix}/{id}/deliveries?state=&limit=&cursor=
//	POST   {prefix}/{id}/deliveries/{delivery_id}/resend
//	POST   {prefix}/{id}/recover                           {"since":"…","dry_run":true}
//	POST   {prefix}/{id}/replay                            {"since":"…","dry_run":true}
//
// The role admin and the scope webhooks:manage may use it, unless Allow says otherwise; others are refused.
package webhookhttp
