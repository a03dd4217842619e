// Package chaostest holds a test and nothing else: webhooks through the whole path (commit with outbox row, relay, router,
// fan-out, delivery, HTTP) on two node processes and one PostgreSQL, while nodes are killed, the database is restarted and
// crashed, and the receiver fails. Nothing that committed is lost, what comes twice has the same webhook-id, and the
// history explains each arrival.
//
// How an arrival is explained: by a line of the history with the same answer, or by a number that is missing there, which
// is an attempt whose node died or whose result could not be written. A crash of the database adds a third: claims do not
// wait for the disk (see package delivery), so one from just before it may be forgotten and its number given again.
package chaostest
