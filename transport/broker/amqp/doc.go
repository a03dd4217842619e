// Package amqp is the broker over RabbitMQ by AMQP 0-9-1, from RabbitMQ 3.10; tested with 3.10.
//
//	amqp://user:password@host:5672,host2:5672/vhost?queues=classic     amqps:// for TLS
//
// Without a user it is guest, without a path the virtual host is "/". Of several hosts the first that answers is taken.
//
// A topic "renkei.events" is a durable direct exchange of that name; a group has a queue for each partition,
// "renkei.events/group/0" to "/15", bound by the partition's number. The queues are quorum queues, which a cluster
// replicates; queues=classic makes them durable classic queues, each on one node of the cluster. A message that lies for
// Options.Keep is deleted. Exchanges and queues that exist are left as they are, so an operator may make them otherwise.
//
// A server that comes back without its disk has no queues until the nodes have declared them again, which they do at
// once; what is published before that finds no queue and is lost.
//
// Publishing returns with the publisher confirm of a persistent message: a quorum queue has it on the disks of the
// majority, a classic one on its own.
//
// Each queue has a single active consumer, so the order of a subject holds over any number of nodes. RabbitMQ alone would
// leave all queues to the first node; here a node that is at work on more than its share of the partitions hands the
// surplus over, once a second. The messages of a crashed node come again as soon as its connection is closed, and those
// of one that is cut off when it has missed the heartbeats for Options.Lease. RabbitMQ closes the channel of a handler
// that is at work on a message for longer than its consumer_timeout, by default half an hour; then the message comes again.
//
// RabbitMQ 4 would drop a message that was in the hands of twenty crashed nodes: new quorum queues are declared without
// that limit.
package amqp
