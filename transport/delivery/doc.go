// Package delivery brings things to the outside: a durable row for each, leased, sent, retried and kept as history. It
// is the engine under notices, mail invitations, webhooks and connectors.
//
// A [Queue] takes [Job]s in the caller's transaction; an [Engine] claims the due ones in batches, hands each to the
// [Sender] of its kind, and writes the results down in batches. No transaction is open while a Sender runs.
//
//	queue, err := delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db)})
//	engine, err := delivery.New(delivery.Config{Queue: queue, Kinds: map[string]delivery.Kind{"greeting": {Sender: greeter}}})
//	err = db.Do(ctx, func(ctx context.Context) error {
//		// … the business change, then:
//		return queue.Enqueue(ctx, delivery.Job{Tenant: "acme", Kind: "greeting", Destination: "mail", Payload: hello})
//	})
//	err = engine.Run(ctx) // or engine.Step(ctx) from a scheduler of yours
//
// # What is promised
//
// A committed job is sent at least once or ends in a state that says why not; nothing disappears silently. Two engines,
// in one process or on several nodes, never hold the same delivery at the same time: a claim is a lease with a token,
// and only who holds the token can complete it. The attempt is counted before the call, so a delivery that kills its
// process does not do so for ever.
//
// Exactly once is impossible over HTTP or SMTP: when a process dies after the bytes have left, nobody knows. The lease
// then runs out and the delivery is sent again under the same [Delivery.ID], which a Sender must therefore use as
// Idempotency-Key, Message-ID or webhook-id, so that the receiver can tell.
//
// Results are written with a commit that reaches the disk; a result that is lost all the same is sent again under its id.
// Claims are written without waiting for the disk: one that a power cut forgets is a lease that nobody holds.
//
// # Isolation
//
// Claims go round the tenants and destinations, and at most PerDestination sends to one destination run at once, so one
// that hangs delays nobody else. How much is claimed ahead for one grows while it answers well and shrinks when it does
// not; at most four batches are in memory however many wait. [Throttled] lowers how many run at once; [Queue.SetLimit]
// sets a rate for all nodes together; [Kind.Ordered] keeps the order of each OrderKey.
//
// A queue in PostgreSQL suffers when the server cannot vacuum it: a backup, like any transaction that stays open, keeps
// what has been sent in the indexes, and searches walk over all of it. Package deliverybun notices searches that become slow
// and then looks for what is due from where it was before, and over the whole only now and then.
//
// # Destinations that fail
//
// With [Kind.Health] the engine keeps a [Destination] for each that fails: a circuit breaker that all nodes share, the
// time that Retry-After asked for, warnings in stages, and in the end its disabling, at once when it answers 410. What
// waits is held meanwhile and loses no attempt. [Queue.Enable] lets it go and replays what died; [Queue.Recover],
// [Queue.ReplayMissing] and [Queue.Resend] bring back what was lost, with a count beforehand.
//
// # Seen from outside
//
// With [Config.Tracer] each attempt is a span in the trace of what enqueued the delivery, however much later; with
// [Config.Meter] there are its duration by outcome, the latency until success, what runs, and warnings by stage.
//
// # States
//
//	pending ──claim──▶ leased ──▶ succeeded | dead | suppressed | cancelled
//	   ▲                 │
//	   └──── retry ◀─────┘
package delivery
