-- +goose Up
CREATE TABLE web_idempotency (
    tenant       TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    operation    TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    fingerprint  TEXT    NOT NULL,
    token        TEXT    NOT NULL,
    leased_until INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    status       INTEGER NOT NULL DEFAULT 0,
    answer       TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, actor, subject, operation, key)
) WITHOUT ROWID;
CREATE INDEX web_idempotency_expires ON web_idempotency (expires_at);

-- +goose Down
DROP TABLE web_idempotency;
