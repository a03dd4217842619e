-- +goose Up
CREATE TABLE notices (
	id TEXT PRIMARY KEY,
	tenant TEXT NOT NULL,
	template TEXT NOT NULL,
	recipient TEXT NOT NULL,
	subject TEXT NOT NULL,
	subject_id TEXT NOT NULL,
	data TEXT NOT NULL,
	critical INTEGER NOT NULL,
	informational INTEGER NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'suppressed', 'obsolete', 'dead')),
	channels TEXT NOT NULL,
	channel TEXT NOT NULL,
	suppressed_by TEXT NOT NULL,
	digest_id TEXT, -- the notice in whose message it goes
	last_error TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	sent_at INTEGER,
	resend_of TEXT,
	resent_by TEXT NOT NULL,
	resend_key TEXT
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
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	channels TEXT NOT NULL,
	quiet_start TEXT,
	quiet_end TEXT,
	quiet_zone TEXT NOT NULL,
	digest TEXT NOT NULL CHECK (digest IN ('off', 'hourly', 'daily')),
	updated_at INTEGER NOT NULL,
	PRIMARY KEY (tenant, person)
);

-- The suppression ledger: it must outlive its window, so nothing deletes from it but PruneLedger.
CREATE TABLE notice_ledger (
	tenant TEXT NOT NULL,
	subject TEXT NOT NULL,
	template TEXT NOT NULL,
	recipient TEXT NOT NULL,
	notice_id TEXT NOT NULL,
	accepted_at INTEGER, -- NULL while the notice is on its way
	PRIMARY KEY (tenant, subject, template, recipient)
);
CREATE INDEX notice_ledger_accepted ON notice_ledger (accepted_at) WHERE accepted_at IS NOT NULL;
-- +goose Down
DROP TABLE notice_ledger;
DROP TABLE notice_settings;
DROP TABLE notices;
