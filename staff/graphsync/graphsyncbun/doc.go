// Package graphsyncbun keeps what package graphsync remembers, in PostgreSQL or SQLite.
package graphsyncbun
