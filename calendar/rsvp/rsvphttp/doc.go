// Package rsvphttp serves the roads by which answers come in over HTTP, and the ledger of replies.
//
//	POST /rsvp/inbound                              a mail, from a mail server or an inbound-mail service
//	GET  /rsvp/{token}                              the page behind a button; changes nothing, since mail scanners follow links
//	POST /rsvp/{token}                              the answer given on that page
//	GET  /rsvp/replies                              the whole ledger, for administrators
//	GET  /events/{id}/replies                       what was received for an event; ?decision=counter: the proposals
//	POST /events/{id}/replies/{reply_id}/admit      lets a quarantined reply pass
//	POST /events/{id}/replies/{reply_id}/accept     moves the event to the time that a guest proposed
//	POST /events/{id}/replies/{reply_id}/decline    declines that time, and tells the guest
//
// The pages need no script, load nothing, and speak Japanese or English by Accept-Language. Their credential is the token
// in the path: a browser sends nothing by itself that another site could misuse.
package rsvphttp
