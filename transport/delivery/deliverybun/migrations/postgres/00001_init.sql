-- +goose Up
-- What is known of a delivery for as long as it is kept. No index covers a column that changes, so that PostgreSQL can
-- write a new state beside the old one and leave the indexes alone (HOT).
CREATE TABLE deliveries (
	id text PRIMARY KEY,
	tenant text NOT NULL,
	kind text NOT NULL,
	destination text NOT NULL,
	dedupe_key text,
	subject text NOT NULL,
	event_id text NOT NULL,
	order_key text NOT NULL,
	payload text NOT NULL, -- not jsonb: a signature may cover its bytes
	state text NOT NULL CHECK (state IN ('pending', 'succeeded', 'dead', 'suppressed', 'cancelled', 'forgotten')),
	attempts integer NOT NULL, -- while pending: see delivery_queue
	max_attempts integer NOT NULL,
	last_error text NOT NULL,
	created_at timestamptz NOT NULL,
	finished_at timestamptz,
	resend_of text NOT NULL,
	resent_by text NOT NULL,
	-- The attempt that finished it; those before it are in delivery_attempts.
	attempt_started_at timestamptz,
	attempt_us bigint,
	attempt_status integer,
	attempt_response text,
	CHECK ((finished_at IS NULL) = (state = 'pending'))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX deliveries_key ON deliveries (tenant, kind, dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX deliveries_event ON deliveries (tenant, kind, event_id) WHERE event_id <> '';
CREATE INDEX deliveries_list ON deliveries (tenant, created_at, id);

-- What still has to be done: one narrow row for each delivery that is pending or leased. A claim changes no indexed
-- column; a completion deletes the row.
CREATE TABLE delivery_queue (
	id text PRIMARY KEY,
	seq bigint GENERATED ALWAYS AS IDENTITY,
	lane text NOT NULL, -- tenant and destination
	kind text NOT NULL,
	order_key text NOT NULL,
	next_attempt_at timestamptz NOT NULL,
	attempts integer NOT NULL,
	lease_token text,
	leased_until timestamptz,
	CHECK ((lease_token IS NULL) = (leased_until IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX delivery_queue_due ON delivery_queue (lane, next_attempt_at, seq);
CREATE INDEX delivery_queue_order ON delivery_queue (lane, order_key, seq) WHERE order_key <> '';

-- Dead letters, to be listed and recovered.
CREATE TABLE delivery_dead (
	id text PRIMARY KEY,
	lane text NOT NULL,
	tenant text NOT NULL,
	finished_at timestamptz NOT NULL,
	resent integer NOT NULL
);
CREATE INDEX delivery_dead_lane ON delivery_dead (lane, finished_at, id);
CREATE INDEX delivery_dead_tenant ON delivery_dead (tenant);

CREATE TABLE delivery_attempts (
	delivery_id text NOT NULL,
	number integer NOT NULL,
	started_at timestamptz NOT NULL,
	duration_us bigint NOT NULL,
	state text NOT NULL,
	status integer NOT NULL,
	response text NOT NULL,
	error text NOT NULL,
	PRIMARY KEY (delivery_id, number)
);

-- How destinations are, for those that fail, are held or have a limit.
CREATE TABLE delivery_destinations (
	lane text PRIMARY KEY,
	tenant text NOT NULL,
	destination text NOT NULL,
	failures integer NOT NULL,
	failing_since timestamptz,
	last_error text NOT NULL,
	warned integer NOT NULL,
	trips integer NOT NULL,
	held_until timestamptz,
	disabled_at timestamptz,
	disabled_reason text NOT NULL,
	limit_per_second double precision NOT NULL,
	limit_burst integer NOT NULL,
	limit_at timestamptz,
	updated_at timestamptz NOT NULL
);
CREATE INDEX delivery_destinations_tenant ON delivery_destinations (tenant, destination);
-- +goose Down
DROP TABLE delivery_destinations;
DROP TABLE delivery_attempts;
DROP TABLE delivery_dead;
DROP TABLE delivery_queue;
DROP TABLE deliveries;
