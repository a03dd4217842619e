-- +goose Up
CREATE TABLE webhook_subscriptions (
	id TEXT PRIMARY KEY,
	tenant TEXT NOT NULL,
	kind TEXT NOT NULL,
	number INTEGER NOT NULL,
	url TEXT NOT NULL,
	events TEXT NOT NULL, -- separated by spaces
	description TEXT NOT NULL,
	owner TEXT NOT NULL,
	sealed TEXT NOT NULL, -- secrets and headers
	secret_until INTEGER,
	last_success_at INTEGER,
	last_failure_at INTEGER,
	created_by TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	UNIQUE (tenant, kind, number)
);

-- The last number given, so that none is given twice.
CREATE TABLE webhook_numbers (
	tenant TEXT NOT NULL,
	kind TEXT NOT NULL,
	last INTEGER NOT NULL,
	PRIMARY KEY (tenant, kind)
);

CREATE TABLE webhook_events (
	id TEXT NOT NULL,
	tenant TEXT NOT NULL,
	type TEXT NOT NULL,
	subject TEXT NOT NULL,
	occurred_at INTEGER NOT NULL,
	data TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE INDEX webhook_events_since ON webhook_events (tenant, occurred_at, id);
CREATE INDEX webhook_events_old ON webhook_events (occurred_at);
-- +goose Down
DROP TABLE webhook_events;
DROP TABLE webhook_numbers;
DROP TABLE webhook_subscriptions;
