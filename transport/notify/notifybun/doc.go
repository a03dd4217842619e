// Package notifybun keeps notices and their suppression ledger in PostgreSQL or SQLite.
package notifybun
