// Package deliverybun keeps deliveries in PostgreSQL or SQLite.
package deliverybun
