// Package nats is the broker over NATS JetStream, from server 2.9.
//
//	nats://user:password@host:4222,host2:4222?replicas=3&tls=true
//
// A topic "renkei.events" is the stream "renkei_events" in file storage, with the subjects "renkei.events.0" to ".15";
// a group has a durable consumer per partition that is given one message at a time (MaxAckPending 1). So the order of a
// subject holds over any number of nodes, these share the work evenly, and a crashed one holds up what it had in hand
// for Options.Lease.
//
// A PubAck means that the server has written the message to its file. Whether it survives a power cut is the server's
// matter: set sync_interval, or replicas=3 on a cluster. An existing stream is left as it is, so an operator may make it
// with other limits.
//
// Metadata travels as one JSON header, because NATS header values do not keep all text.
package nats
