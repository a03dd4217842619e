-- +goose Up
CREATE TABLE staff_scim_links (
    tenant      TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    item_id     BIGINT  NOT NULL,
    user_name   TEXT    NOT NULL,
    name_key    TEXT    NOT NULL,
    external_id TEXT    NOT NULL,
    deleted_at  TIMESTAMPTZ,
    version     BIGINT  NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant, kind, item_id)
);
CREATE INDEX staff_scim_links_name ON staff_scim_links (tenant, kind, name_key) WHERE name_key <> '';
CREATE INDEX staff_scim_links_external ON staff_scim_links (tenant, kind, external_id) WHERE external_id <> '';
CREATE INDEX staff_scim_links_deleted ON staff_scim_links (tenant, kind, item_id) WHERE deleted_at IS NOT NULL;
