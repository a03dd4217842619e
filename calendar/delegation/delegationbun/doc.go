// Package delegationbun keeps delegations in PostgreSQL or SQLite.
package delegationbun
