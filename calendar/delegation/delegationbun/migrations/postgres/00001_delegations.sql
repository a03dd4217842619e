-- +goose Up
CREATE TABLE delegations (
    tenant       text        NOT NULL,
    id           text COLLATE "C" NOT NULL,
    delegator_id text        NOT NULL,
    delegatee_id text        NOT NULL,
    permissions  jsonb       NOT NULL,
    valid_from   timestamptz,
    valid_until  timestamptz,
    revoked_at   timestamptz,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant, id),
    CHECK (delegator_id <> delegatee_id),
    CHECK (valid_until > valid_from)
);
CREATE INDEX delegations_effective ON delegations (tenant, delegatee_id, delegator_id) WHERE revoked_at IS NULL;
CREATE INDEX delegations_given ON delegations (tenant, delegator_id, id);
CREATE INDEX delegations_received ON delegations (tenant, delegatee_id, id);
