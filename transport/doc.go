// Package transport carries what happened in one part of Renkei to the others and to the outside.
//
// A domain writes an [Event] to the [Outbox] in the transaction that changes its state. The [Relay] publishes committed
// events, in order per subject, to a Watermill publisher; the [Router] hands them to handlers whose effects happen once.
// A crash at any point publishes again and never loses. What leaves the house goes through transport/delivery
// (durable, retried) and people are told through a [Notifier] (transport/notify).
//
// # What holds
//
//   - At least once from the outbox to every handler; once in effect, by an inbox row in the handler's transaction.
//   - The first publication of a subject's events keeps their order, with any number of relays. In process
//     ([InProcess]) the next event of a subject follows when every handler has dealt with the one before it.
//   - A handler that fails is tried again for about a second, then its event is poisoned and the subject goes on. A
//     handler that hangs holds up its subject's lane (1 of 32), not the others.
//   - A trace that is in the context of Publish goes on in the handlers and in what they cause (W3C Trace Context, by
//     Event.Trace and the message's metadata).
//   - Start the router first: give the relay Router.Running() as Ready. Stopping in any order loses nothing.
package transport
