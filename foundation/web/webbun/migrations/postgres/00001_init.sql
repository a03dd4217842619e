-- +goose Up
CREATE TABLE web_idempotency (
    tenant      text        NOT NULL,
    actor       text        NOT NULL,
    subject     text        NOT NULL,
    operation   text        NOT NULL,
    key         text        NOT NULL,
    fingerprint text        NOT NULL,
    token       text        NOT NULL,
    leased_until timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    status      integer     NOT NULL DEFAULT 0,
    answer      text        NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, actor, subject, operation, key)
);
CREATE INDEX web_idempotency_expires ON web_idempotency (expires_at);

-- +goose Down
DROP TABLE web_idempotency;
