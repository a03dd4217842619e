-- +goose Up
CREATE TABLE audit_entries (
	id          TEXT PRIMARY KEY,
	tenant      TEXT NOT NULL,
	time        INTEGER NOT NULL,
	actor_id    TEXT NOT NULL,
	subject_id  TEXT NOT NULL,
	action      TEXT NOT NULL,
	target_kind TEXT NOT NULL,
	target_id   TEXT NOT NULL,
	reason      TEXT NOT NULL,
	metadata    TEXT NOT NULL,
	request_id  TEXT NOT NULL,
	seq         INTEGER,
	key_id      TEXT,
	digest      TEXT,
	mac         TEXT
);
CREATE INDEX audit_entries_time ON audit_entries (tenant, time, id);
CREATE INDEX audit_entries_actor ON audit_entries (tenant, actor_id, time, id);
CREATE INDEX audit_entries_subject ON audit_entries (tenant, subject_id, time, id);
CREATE INDEX audit_entries_target ON audit_entries (tenant, target_id, time, id);
CREATE UNIQUE INDEX audit_entries_seq ON audit_entries (tenant, seq) WHERE seq IS NOT NULL;
CREATE INDEX audit_entries_unsealed ON audit_entries (tenant, time, id) WHERE seq IS NULL;

CREATE TABLE audit_chains (
	tenant TEXT PRIMARY KEY,
	seq    INTEGER NOT NULL,
	key_id TEXT NOT NULL,
	digest TEXT NOT NULL,
	mac    TEXT NOT NULL
);
-- +goose Down
DROP TABLE audit_chains;
DROP TABLE audit_entries;
