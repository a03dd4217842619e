-- +goose Up
-- What is known of a delivery for as long as it is kept. No index covers a column that changes, so that PostgreSQL can
-- write a new state beside the old one and leave the indexes alone (HOT).
CREATE TABLE deliveries (
	id TEXT PRIMARY KEY,
	tenant TEXT NOT NULL,
	kind TEXT NOT NULL,
	destination TEXT NOT NULL,
	dedupe_key TEXT,
	subject TEXT NOT NULL,
	event_id TEXT NOT NULL,
	order_key TEXT NOT NULL,
	payload TEXT NOT NULL, -- not jsonb: a signature may cover its bytes
	state TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'dead', 'suppressed', 'cancelled', 'forgotten')),
	attempts INTEGER NOT NULL, -- while pending: see delivery_queue
	max_attempts INTEGER NOT NULL,
	last_error TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	finished_at INTEGER,
	resend_of TEXT NOT NULL,
	resent_by TEXT NOT NULL,
	-- The attempt that finished it; those before it are in delivery_attempts.
	attempt_started_at INTEGER,
	attempt_us INTEGER,
	attempt_status INTEGER,
	attempt_response TEXT,
	CHECK ((finished_at IS NULL) = (state = 'pending'))
);
CREATE UNIQUE INDEX deliveries_key ON deliveries (tenant, kind, dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX deliveries_event ON deliveries (tenant, kind, event_id) WHERE event_id <> '';
CREATE INDEX deliveries_list ON deliveries (tenant, created_at, id);

-- What still has to be done: one narrow row for each delivery that is pending or leased. A claim changes no indexed
-- column; a completion deletes the row.
CREATE TABLE delivery_queue (
	seq INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	lane TEXT NOT NULL, -- tenant and destination
	kind TEXT NOT NULL,
	order_key TEXT NOT NULL,
	next_attempt_at INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	lease_token TEXT,
	leased_until INTEGER,
	CHECK ((lease_token IS NULL) = (leased_until IS NULL))
);
CREATE INDEX delivery_queue_due ON delivery_queue (lane, next_attempt_at, seq);
CREATE INDEX delivery_queue_order ON delivery_queue (lane, order_key, seq) WHERE order_key <> '';

-- Dead letters, to be listed and recovered.
CREATE TABLE delivery_dead (
	id TEXT PRIMARY KEY,
	lane TEXT NOT NULL,
	tenant TEXT NOT NULL,
	finished_at INTEGER NOT NULL,
	resent INTEGER NOT NULL
);
CREATE INDEX delivery_dead_lane ON delivery_dead (lane, finished_at, id);
CREATE INDEX delivery_dead_tenant ON delivery_dead (tenant);

CREATE TABLE delivery_attempts (
	delivery_id TEXT NOT NULL,
	number INTEGER NOT NULL,
	started_at INTEGER NOT NULL,
	duration_us INTEGER NOT NULL,
	state TEXT NOT NULL,
	status INTEGER NOT NULL,
	response TEXT NOT NULL,
	error TEXT NOT NULL,
	PRIMARY KEY (delivery_id, number)
);

-- How destinations are, for those that fail, are held or have a limit.
CREATE TABLE delivery_destinations (
	lane TEXT PRIMARY KEY,
	tenant TEXT NOT NULL,
	destination TEXT NOT NULL,
	failures INTEGER NOT NULL,
	failing_since INTEGER,
	last_error TEXT NOT NULL,
	warned INTEGER NOT NULL,
	trips INTEGER NOT NULL,
	held_until INTEGER,
	disabled_at INTEGER,
	disabled_reason TEXT NOT NULL,
	limit_per_second REAL NOT NULL,
	limit_burst INTEGER NOT NULL,
	limit_at INTEGER,
	updated_at INTEGER NOT NULL
);
CREATE INDEX delivery_destinations_tenant ON delivery_destinations (tenant, destination);
-- +goose Down
DROP TABLE delivery_destinations;
DROP TABLE delivery_attempts;
DROP TABLE delivery_dead;
DROP TABLE delivery_queue;
DROP TABLE deliveries;
