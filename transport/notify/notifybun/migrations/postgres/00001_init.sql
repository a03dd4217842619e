-- +goose Up
CREATE TABLE notices (
	id text PRIMARY KEY,
	tenant text NOT NULL,
	template text NOT NULL,
	recipient text NOT NULL,
	subject text NOT NULL,
	subject_id text NOT NULL,
	data text NOT NULL,
	critical boolean NOT NULL,
	informational boolean NOT NULL,
	state text NOT NULL CHECK (state IN ('pending', 'sent', 'suppressed', 'obsolete', 'dead')),
	channels text NOT NULL,
	channel text NOT NULL,
	suppressed_by text NOT NULL,
	digest_id text, -- the notice in whose message it goes
	last_error text NOT NULL,
	created_at timestamptz NOT NULL,
	sent_at timestamptz,
	resend_of text,
	resent_by text NOT NULL,
	resend_key text
);
CREATE INDEX notices_list ON notices (tenant, created_at, id);
CREATE INDEX notices_recipient ON notices (tenant, recipient, created_at, id);
CREATE INDEX notices_subject ON notices (tenant, subject_id);
CREATE UNIQUE INDEX notices_resend ON notices (tenant, resend_of, resend_key) WHERE resend_key IS NOT NULL;
CREATE INDEX notices_digest ON notices (tenant, digest_id) WHERE digest_id IS NOT NULL;
CREATE INDEX notices_waiting ON notices (tenant, recipient, channel, created_at) WHERE state = 'pending' AND digest_id IS NULL;
CREATE INDEX notices_finished ON notices (created_at) WHERE state <> 'pending';

-- How people want to be told.
CREATE TABLE notice_settings (
	tenant text NOT NULL,
	person text NOT NULL,
	channels text NOT NULL,
	quiet_start text,
	quiet_end text,
	quiet_zone text NOT NULL,
	digest text NOT NULL CHECK (digest IN ('off', 'hourly', 'daily')),
	updated_at timestamptz NOT NULL,
	PRIMARY KEY (tenant, person)
);

-- The suppression ledger: it must outlive its window, so nothing deletes from it but PruneLedger.
CREATE TABLE notice_ledger (
	tenant text NOT NULL,
	subject text NOT NULL,
	template text NOT NULL,
	recipient text NOT NULL,
	notice_id text NOT NULL,
	accepted_at timestamptz, -- NULL while the notice is on its way
	PRIMARY KEY (tenant, subject, template, recipient)
);
CREATE INDEX notice_ledger_accepted ON notice_ledger (accepted_at) WHERE accepted_at IS NOT NULL;
-- +goose Down
DROP TABLE notice_ledger;
DROP TABLE notice_settings;
DROP TABLE notices;
