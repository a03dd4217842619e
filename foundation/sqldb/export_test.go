package sqldb

// Waited says whether a unit of work waits for SQLite's writer.
func (db *DB) Waited() bool { return db.groups.waiting.Load() > 0 }
