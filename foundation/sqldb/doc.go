// Package sqldb is bun on PostgreSQL or SQLite with one unit of work.
//
//	db, err := sqldb.Open(ctx, "sqlite:app.db")            // or "postgres://…", or Wrap(yourBunDB)
//	err = sqldb.Migrate(ctx, db, calendarbun.Migrations)   // one migration line per package
//	err = db.Do(ctx, func(ctx context.Context) error {     // opens a transaction into ctx, or joins the one there
//		_, err := db.IDB(ctx).NewInsert().Model(&row).Exec(ctx)
//		return err
//	})
//
// Stores, outbox and audit all use [DB.IDB], so that state, audit, event and notice commit together or not at all. An
// embedder with a bun.Tx of their own joins by [WithTx]. Never make a network call inside Do.
//
// # The two engines
//
// PostgreSQL goes through pgx's stdlib driver in the simple protocol: bun writes arguments into the text, so a
// statement takes one round trip. A transaction's BEGIN goes along with the first statement that it executes, and what
// [DB.Later] put off with its COMMIT. SQLite is modernc.org/sqlite (pure Go): one writer connection (BEGIN IMMEDIATE, WAL,
// synchronous=FULL) and a pool of read-only ones. One process owns the file; a second is refused. With one writer a query
// that forgets IDB(ctx) inside Do waits for itself: give tests short deadlines.
//
// Reading and planning a text often costs more than executing it. The few statements that run thousands of times a second
// are [Statement]s, which each connection keeps planned: see [DB.Query], [DB.Exec] and [Script.Call].
//
// Units of work that wait for SQLite's writer share a transaction, each in a savepoint, so that they wait for the disk
// once. [DB.Do] returns when all are committed: never wait inside it for what another unit does.
//
// [Time] is timestamptz on PostgreSQL and INTEGER microseconds on SQLite, where times as text compare wrongly.
// JSON columns are jsonb and TEXT (a jsonb column on SQLite would have NUMERIC affinity).
package sqldb
