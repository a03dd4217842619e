// Package ackflowbun keeps acknowledgement requests, links and templates in PostgreSQL or SQLite.
//
// A request carries how many are missing, the revision of its message and the instant at which something is due next
// (next_at, in a partial index): a verdict over many requests reads one row each, and a sweep costs what is due. Who
// changes any of it holds the lock on the request's row.
package ackflowbun
