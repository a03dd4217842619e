-- +goose Up
CREATE TABLE staff_people (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant     TEXT        NOT NULL,
    user_id    TEXT        NOT NULL,
    email      TEXT        NOT NULL,
    name       TEXT        NOT NULL,
    manager_id TEXT        NOT NULL,
    roles      TEXT        NOT NULL,
    member_of  TEXT        NOT NULL,
    channels   TEXT        NOT NULL,
    time_zone  TEXT        NOT NULL,
    locale     TEXT        NOT NULL,
    active     INTEGER     NOT NULL,
    on_leave   INTEGER     NOT NULL,
    created_at INTEGER     NOT NULL,
    updated_at INTEGER     NOT NULL,
    UNIQUE (tenant, user_id)
);
CREATE INDEX staff_people_email ON staff_people (tenant, email);

CREATE TABLE staff_holders (
    tenant  TEXT NOT NULL,
    name    TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (tenant, name, user_id),
    FOREIGN KEY (tenant, user_id) REFERENCES staff_people (tenant, user_id) ON DELETE CASCADE
);
CREATE INDEX staff_holders_person ON staff_holders (tenant, user_id);

CREATE TABLE staff_domains (
    tenant TEXT NOT NULL,
    domain TEXT NOT NULL,
    PRIMARY KEY (tenant, domain)
);
