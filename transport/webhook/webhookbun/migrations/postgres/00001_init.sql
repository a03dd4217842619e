-- +goose Up
CREATE TABLE webhook_subscriptions (
	id text PRIMARY KEY,
	tenant text NOT NULL,
	kind text NOT NULL,
	number bigint NOT NULL,
	url text NOT NULL,
	events text NOT NULL, -- separated by spaces
	description text NOT NULL,
	owner text NOT NULL,
	sealed text NOT NULL, -- secrets and headers
	secret_until timestamptz,
	last_success_at timestamptz,
	last_failure_at timestamptz,
	created_by text NOT NULL,
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	UNIQUE (tenant, kind, number)
);

-- The last number given, so that none is given twice.
CREATE TABLE webhook_numbers (
	tenant text NOT NULL,
	kind text NOT NULL,
	last bigint NOT NULL,
	PRIMARY KEY (tenant, kind)
);

CREATE TABLE webhook_events (
	id text NOT NULL,
	tenant text NOT NULL,
	type text NOT NULL,
	subject text NOT NULL,
	occurred_at timestamptz NOT NULL,
	data text NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE INDEX webhook_events_since ON webhook_events (tenant, occurred_at, id);
CREATE INDEX webhook_events_old ON webhook_events (occurred_at);
-- +goose Down
DROP TABLE webhook_events;
DROP TABLE webhook_numbers;
DROP TABLE webhook_subscriptions;
