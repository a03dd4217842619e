-- +goose Up
ALTER TABLE staff_api_keys ADD COLUMN allowance INTEGER NOT NULL DEFAULT 0;
ALTER TABLE staff_api_keys ADD COLUMN allowed_until INTEGER;

CREATE TABLE staff_deactivations (
    tenant    TEXT    NOT NULL,
    key_id    INTEGER NOT NULL,
    person_id INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (tenant, key_id, person_id)
);
