// Package notify tells people things: by the channel that each prefers, again when that fails, and not twice (seed 003
// §6.3).
//
// A [Service] implements transport.Notifier. Notify writes the intent in the caller's transaction, so a notice exists if
// and only if the change that it tells of does; it stays in the list of the person's notices even if every channel
// fails. Sending is a delivery of kind [Kind]: give [Service.DeliveryKind] to the delivery.Engine.
//
//	service, err := notify.New(notify.Config{Store: notifybun.New(db), Deliveries: queue, Directory: people,
//		Channels: map[string]notify.Channel{"mail": notify.Mail(smtp, "example.com")}, Templates: templates})
//	engine, err := delivery.New(delivery.Config{Queue: queue, Kinds: map[string]delivery.Kind{notify.Kind: service.DeliveryKind()}})
//
// # Suppression
//
// A notice is not sent when another one of the same tenant, subject, template and recipient was accepted by a channel
// less than 7 days before ([Config].Window): it becomes Suppressed and points to that one. The window is [accepted,
// accepted + 7 days), to the microsecond, by the database's clock. It starts when the channel accepted, so a failed
// attempt suppresses nothing, and a dead notice frees the key at once.
//
// The decision is made when the notice is about to be sent. While one of several notices with the same key is on its
// way (being sent, or waiting for another try), the others wait: if it is accepted they are suppressed, if it dies the
// next one is sent. A notice without a Subject is never suppressed. What suppresses is kept in a ledger of its own, which
// no pruning of notices or deliveries touches.
//
// # Channels and retries
//
// The person's channels are tried in their order: those of their [Settings], else those of the directory, else mail;
// unknown ones are skipped. Each gets a first try and three more after about 1, 4 and 16 minutes; a permanent failure
// skips those. After the last channel the notice is Dead: visible, and sent again by [Service.Resend], which suppression
// does not stop. [Mail] and [Chat] make channels of senders.
//
// # Quiet hours and digests
//
// A notice is informational when its template is and it is neither Critical nor sent again by hand. Informational
// notices wait for the end of the recipient's quiet hours, and with a digest for its time: the next full hour, or
// [Config].DigestHour, by the person's clocks. Those that wait for the same digest and channel go in one message, up to
// [Config].DigestMost, and are Sent, tried again and handed to the next channel together (Notice.DigestID). A digest that
// falls into quiet hours waits for their end. All else goes at once.
//
// Quiet hours are by the clock on the wall, [start, end), so they may be an hour longer or shorter in the night in which
// clocks change. Settings that change while a notice waits apply to it within [Config].Look; the channels too, unless
// one has been tried.
//
// # Retention
//
// [Service.Sweep] deletes finished notices after [Config].Keep (400 days), and rows of the suppression ledger once they
// suppress nothing. Settings stay until they are replaced.
package notify
