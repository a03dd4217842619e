-- +goose Up
CREATE TABLE delegations (
    tenant       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    delegator_id TEXT    NOT NULL,
    delegatee_id TEXT    NOT NULL,
    permissions  TEXT    NOT NULL,
    valid_from   INTEGER,
    valid_until  INTEGER,
    revoked_at   INTEGER,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    CHECK (delegator_id <> delegatee_id),
    CHECK (valid_until > valid_from)
);
CREATE INDEX delegations_effective ON delegations (tenant, delegatee_id, delegator_id) WHERE revoked_at IS NULL;
CREATE INDEX delegations_given ON delegations (tenant, delegator_id, id);
CREATE INDEX delegations_received ON delegations (tenant, delegatee_id, id);
