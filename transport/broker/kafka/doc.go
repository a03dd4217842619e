// Package kafka is the broker over Apache Kafka, from 2.4, and what speaks its protocol.
//
//	kafka://user:password@host:9092,host2:9092?sasl=scram-sha-512&tls=true&replicas=3
//
// A topic "renkei.events" is the topic of that name with [broker.Partitions] partitions, kept for Options.Keep; an
// existing one is left as it is, so an operator may make it otherwise, with at least as many partitions. The handler's
// group is the consumer group "renkei.events.<handler>", whose members share the partitions out by cooperative
// rebalancing: so the order of a subject holds over any number of nodes, and who joins or leaves holds up only what
// changes hands. A handler at work on that has five seconds to end; what takes longer may be at work at the next node,
// too, and the inbox lets one of them win. Kafka forgets the place of a group that had no member for
// offsets.retention.minutes, by default 7 days.
//
// Publishing returns when all in-sync replicas have the messages (acks=all). How many these must be, and whether they
// have written it to their disks, is the topic's configuration: min.insync.replicas, flush.messages.
//
// The partitions of a crashed node go to the others after Options.Lease, though not before 6 seconds: it is the group's
// session timeout, and Kafka takes no shorter one by default.
//
// The metadata of a message are the record's headers, its id is the header "renkei-id", the key is that of the order.
//
// The suite runs against kfake, the Kafka server in Go of the client library's authors: it speaks the real protocol, with
// consumer groups and data on disk. No test here has run against Apache Kafka itself.
package kafka
