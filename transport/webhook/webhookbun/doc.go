// Package webhookbun keeps webhook subscriptions, and the events to replay, in PostgreSQL or SQLite.
package webhookbun
