-- +goose Up
CREATE TABLE transport_subjects (
	tenant   TEXT NOT NULL,
	subject  TEXT NOT NULL,
	sequence INTEGER NOT NULL,
	PRIMARY KEY (tenant, subject)
) WITHOUT ROWID;

CREATE TABLE transport_outbox (
	position INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT NOT NULL UNIQUE,
	lane     INTEGER NOT NULL,
	tenant   TEXT NOT NULL,
	subject  TEXT NOT NULL,
	sequence INTEGER NOT NULL,
	type     TEXT NOT NULL,
	time     INTEGER NOT NULL,
	data     TEXT NOT NULL,
	sent_at  INTEGER
);
CREATE INDEX transport_outbox_unsent ON transport_outbox (position) WHERE sent_at IS NULL;
CREATE INDEX transport_outbox_sent ON transport_outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE TABLE transport_lanes (
	lane         INTEGER PRIMARY KEY,
	token        TEXT,
	leased_until INTEGER
);
INSERT INTO transport_lanes (lane)
WITH RECURSIVE n (lane) AS (SELECT 0 UNION ALL SELECT lane + 1 FROM n WHERE lane < 31) SELECT lane FROM n;

CREATE TABLE transport_inbox (
	handler    TEXT NOT NULL,
	event_id   TEXT NOT NULL,
	handled_at INTEGER NOT NULL,
	PRIMARY KEY (handler, event_id)
) WITHOUT ROWID;
CREATE INDEX transport_inbox_handled ON transport_inbox (handled_at);

CREATE TABLE transport_poison (
	id        TEXT PRIMARY KEY,
	tenant    TEXT NOT NULL,
	handler   TEXT NOT NULL,
	reason    TEXT NOT NULL,
	tries     INTEGER NOT NULL,
	failed_at INTEGER NOT NULL,
	event_id  TEXT NOT NULL,
	type      TEXT NOT NULL,
	subject   TEXT NOT NULL,
	sequence  INTEGER NOT NULL,
	time      INTEGER,
	data      TEXT NOT NULL
);
CREATE INDEX transport_poison_list ON transport_poison (tenant, failed_at, id);
-- +goose Down
DROP TABLE transport_poison;
DROP TABLE transport_inbox;
DROP TABLE transport_lanes;
DROP TABLE transport_outbox;
DROP TABLE transport_subjects;
