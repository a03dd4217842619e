-- +goose Up
CREATE TABLE transport_subjects (
	tenant   text COLLATE "C" NOT NULL,
	subject  text COLLATE "C" NOT NULL,
	sequence bigint NOT NULL,
	PRIMARY KEY (tenant, subject)
) WITH (fillfactor = 80);

-- Data is json, not jsonb: receivers get the text that the domain wrote, keys in their order.
-- No full index begins with position, so that the planner cannot walk over the sent rows to find the unsent ones.
CREATE TABLE transport_outbox (
	position bigint GENERATED ALWAYS AS IDENTITY,
	id       text COLLATE "C" PRIMARY KEY,
	lane     smallint NOT NULL,
	tenant   text NOT NULL,
	subject  text NOT NULL,
	sequence bigint NOT NULL,
	type     text NOT NULL,
	time     timestamptz NOT NULL,
	data     json NOT NULL,
	sent_at  timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX transport_outbox_unsent ON transport_outbox (position) WHERE sent_at IS NULL;
CREATE INDEX transport_outbox_sent ON transport_outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE TABLE transport_lanes (
	lane         smallint PRIMARY KEY,
	token        text,
	leased_until timestamptz
) WITH (fillfactor = 50);
INSERT INTO transport_lanes (lane) SELECT generate_series(0, 31);

CREATE TABLE transport_inbox (
	handler    text COLLATE "C" NOT NULL,
	event_id   text COLLATE "C" NOT NULL,
	handled_at timestamptz NOT NULL,
	PRIMARY KEY (handler, event_id)
);
CREATE INDEX transport_inbox_handled ON transport_inbox (handled_at);

CREATE TABLE transport_poison (
	id        text COLLATE "C" PRIMARY KEY,
	tenant    text NOT NULL,
	handler   text NOT NULL,
	reason    text NOT NULL,
	tries     integer NOT NULL,
	failed_at timestamptz NOT NULL,
	event_id  text NOT NULL,
	type      text NOT NULL,
	subject   text NOT NULL,
	sequence  bigint NOT NULL,
	time      timestamptz,
	data      json NOT NULL
);
CREATE INDEX transport_poison_list ON transport_poison (tenant, failed_at, id);
-- +goose Down
DROP TABLE transport_poison, transport_inbox, transport_lanes, transport_outbox, transport_subjects;
