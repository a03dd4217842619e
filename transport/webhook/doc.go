// Package webhook sends events to subscribers over HTTP, signed, and verifies them on the other side.
//
// A [Service] keeps subscriptions, makes one delivery per event and subscription in the caller's transaction, and is the
// sender of that kind for a delivery.Engine, which gives it retries, isolation of receivers from each other, dead letters
// and history:
//
//	hooks, err := webhook.New(webhook.Config{Deliveries: queue, Store: webhookbun.New(db), Sealer: sealer})
//	engine, err := delivery.New(delivery.Config{Queue: queue, Kinds: map[string]delivery.Kind{webhook.Kind: hooks.DeliveryKind()}})
//
//	sub, err := hooks.Subscribe(ctx, by, webhook.Subscription{URL: "https://example.com/h", Events: []string{"person.*"}})
//	err = hooks.Publish(ctx, transport.Event{Tenant: by.Tenant, Type: "person.updated", Data: p}) // joins the transaction in ctx
//	router.HandleBatch("webhooks", "*", hooks.Handle)                                             // or: what the outbox relays
//
// # On the wire
//
// The body is that of seed 001: {"event", "timestamp", "organisation_id", "data"}, in this order. It is signed twice:
// by Standard Webhooks 1.0 (webhook-id, webhook-timestamp, webhook-signature) and by the seed's X-Webhook-Signature, the
// bare hex HMAC-SHA256 of the raw body, beside X-Webhook-Event. A receiver uses [Verify], any library of Standard
// Webhooks, or the seed's one line of code. webhook-id is the event's id and stays the same over all attempts and
// resends: a receiver that remembers ids handles each event once.
//
// A secret that begins with "whsec_" announces the key of Standard Webhooks in base64. Any other text is its own bytes.
// X-Webhook-Signature is under the text as shown, prefix included, because that is what a receiver of the seed has.
//
// # Promises
//
// An event that committed is delivered at least once or ends as a dead letter that says why; see package delivery. The
// secrets are sealed at rest and shown once. Only addresses that its Guard allows are connected to; redirects are not
// followed. A subscription that is paused, or was disabled because its
// receiver answered 410 or failed for days, holds what comes for it: Resume sends it, Recover sends again what was given
// up, ReplayMissing sends what it never got.
//
// # Whom it talks to
//
// A [Guard] keeps requests to addresses that others chose away from one's own network (server-side request forgery,
// CWE-918). It judges a URL by its text when it is entered, and, which is what protects, every address at the moment of
// the connection, after DNS: a name that resolves to something else the second time (DNS rebinding) is judged by what is
// dialled. It serves any other client too, by Guard.Client or Guard.Transport.
//
// By default only https to public unicast addresses passes. Refused are loopback, private, link-local, CGNAT,
// multicast, documentation, benchmarking and reserved ranges (IANA special-purpose registries, RFC 6890), the forms
// that carry an IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4, Teredo, ISATAP), and the addresses of
// cloud metadata services. IP addresses in odd notations (0x7f.1, 2130706433, 127.1) are refused before anybody
// interprets them. Proxies from the environment are ignored, because a proxy would resolve the name again.
// GuardConfig.AllowPrivate opens CIDR blocks, and only those; plain http is spoken only to them.
//
// # Several nodes
//
// A change to a subscription holds in its process at once and on other nodes within Config.Refresh.
package webhook
