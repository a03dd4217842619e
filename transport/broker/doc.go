// Package broker carries events between the nodes of an installation over NATS JetStream, Kafka, AMQP (RabbitMQ) or
// Redis Streams, chosen by URL. A [Broker] is a Watermill publisher for a transport.Relay and gives a
// transport.Router one subscriber per handler.
//
// The adapters lie in the folders below: each opens one kind of URL and implements [Driver]. [Open] chooses among those
// that the caller gives it, so that a program links only what it uses.
//
// # What holds
//
//   - Publish returns when the broker has taken responsibility for the messages: JetStream's PubAck, the word
//     of Kafka's in-sync replicas, RabbitMQ's publisher confirm of a persistent message in durable queues, Redis's answer to XADD. How hard that is
//     (fsync, replicas) is the broker's configuration; the adapters say what to set.
//   - Each handler has a durable group. Every group is given every message at least once, over any number of nodes.
//     With the router's inbox the effect happens once.
//   - A group begins when it is first declared, not with the past. The publisher refuses (ErrNotReady) while a
//     subscription of the same Broker is not declared yet, so no event slips in before. When a broker comes back without
//     its memory, what it had not handed out is lost; the groups begin with what it takes from then on.
//   - The messages of a subject reach a group in the order of their publication, one after the other, whichever node
//     they go to. For this the subjects are divided into [Partitions] shares, and each share of a group is in the hands
//     of one node at a time. A node that is cut off from the broker, or that stands still for longer than Options.Lease,
//     may still be at work when another takes over: then a message may be handled by both at the same time, and the
//     inbox lets one of them win.
//   - A message that is refused (nacked) is handed out again after a pause, before those of its subject behind it. What
//     fails for good is the router's to put aside; nothing is ever dropped here.
//   - Options.Keep bounds how long a broker stores messages, and so how long a group may be away without a loss.
//   - The broker need not be there: opening checks the URL only, publishing fails with ErrUnavailable and the outbox
//     keeps the events, subscriptions try until they succeed.
package broker
