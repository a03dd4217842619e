// Package outboxbun keeps the outbox, the inbox and the poisoned events of package transport in PostgreSQL or SQLite.
//
// # How order and commit go together
//
// Publish adds to one small row per subject (its counter) and inserts the events, in one statement on PostgreSQL. The
// counter's row lock makes transactions that publish for the same subject follow each other, so their sequence, their
// positions and their commits agree; different subjects do not meet. Positions of different subjects may commit in any
// order: relays look for rows that are not marked as sent, never for positions after the last one, so a slow transaction
// delays nobody and nothing is skipped. On PostgreSQL they begin at a floor, so as not to walk over all that was sent since
// the last vacuum. It lies behind everything that an open transaction may still commit, except one that stays open for more
// than half a minute after it published: its events are found by a look at the whole, and may come behind later ones of
// their subject.
//
// Relays lease lanes (32 shares of the subjects) rather than rows: see transport.OutboxStore. Leases are judged by the
// database's clock. Claiming and marking do not wait for the disk on PostgreSQL (synchronous_commit off): a mark lost in
// a power cut means one more publication, which the inbox absorbs.
//
// Sent events are deleted after the relay's Keep (24 hours by default), inbox rows after the router's (7 days). Counters
// stay, as sequences must not start over.
package outboxbun
