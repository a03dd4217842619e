// Package redis is the broker over Redis Streams, from Redis 7; also servers that speak the same commands.
//
//	redis://user:password@host:6379/0     rediss:// for TLS
//
// A topic has a stream per partition, "renkei.events.{0}" to ".{15}", trimmed to Options.Keep; a handler has a consumer
// group of the same name in each. One script hands out the next batch of a partition only when the group has nothing of
// it in hand anywhere, or when what it has in hand has lain for Options.Lease: so the order of a subject holds over any
// number of nodes, these share the work, and the messages of a crashed node come again, first.
//
// Redis answers XADD when the message is in its memory. A crash of the server loses what it has not written: set
// appendonly yes, and appendfsync always for the promise that the other brokers give. Failing over to a replica may
// lose what was not copied yet. It is one server or a proxy to one; Redis Cluster is not supported.
package redis
