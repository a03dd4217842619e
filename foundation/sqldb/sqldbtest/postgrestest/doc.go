// Package postgrestest finds or starts the PostgreSQL server that tests and benchmarks use, so that `go test ./...` needs
// no set-up and never skips.
//
// [URL] takes the first of these that works:
//
//   - the server named by the environment variable TEST_POSTGRES_URL;
//   - a server on 127.0.0.1:5432 that lets the role root or postgres in without a password;
//   - a private server, started from the PostgreSQL programs in PATH or in the usual folders of a distribution;
//   - the same after installing the Debian package postgresql, when the process is root and has apt-get.
//
// The private server listens on a free port of 127.0.0.1 with a random password and the settings of a fresh
// installation: fsync and synchronous_commit are on, so a benchmark measures what a user would get; only max_connections
// is raised, to 200. Its data live in renkei-postgres-<uid> under the folder for temporary files. All test processes of
// a user share it; it outlives them, so that the next run starts at once, until [Stop] (`make clean`).
//
// The command testpg does the same from a shell: `testpg up` prints the URL, `testpg down` stops.
package postgrestest
