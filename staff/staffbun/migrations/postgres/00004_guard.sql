-- +goose Up
ALTER TABLE staff_api_keys ADD COLUMN allowance bigint NOT NULL DEFAULT 0;
ALTER TABLE staff_api_keys ADD COLUMN allowed_until timestamptz;

CREATE TABLE staff_deactivations (
    tenant    text        NOT NULL,
    key_id    bigint      NOT NULL,
    person_id bigint      NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant, key_id, person_id)
);
