// Package staffbun keeps the directory in PostgreSQL or SQLite.
package staffbun
