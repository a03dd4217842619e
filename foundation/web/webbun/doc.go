// Package webbun keeps idempotency keys and the answers to them in PostgreSQL or SQLite, for package web.
package webbun
