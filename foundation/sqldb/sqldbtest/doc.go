// Package sqldbtest gives a test databases of its own: SQLite in a temporary file and PostgreSQL in a schema that is
// dropped afterwards. Conformance suites run on both through [Each].
package sqldbtest
