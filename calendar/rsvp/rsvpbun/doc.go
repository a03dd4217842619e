// Package rsvpbun keeps the ledger of replies and the hashes of tokens in PostgreSQL or SQLite.
//
// Mails lie in a table of their own (rsvp_mails): they are large, and go before their entries do.
package rsvpbun
