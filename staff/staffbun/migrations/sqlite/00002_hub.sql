-- +goose Up
-- SQLite cannot drop a constraint: the tables are made anew.
CREATE TABLE staff_people_2 (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant                TEXT    NOT NULL,
    user_id               TEXT    NOT NULL,
    email                 TEXT    NOT NULL,
    name                  TEXT    NOT NULL,
    manager_id            TEXT    NOT NULL,
    roles                 TEXT    NOT NULL,
    member_of             TEXT    NOT NULL,
    channels              TEXT    NOT NULL,
    time_zone             TEXT    NOT NULL,
    locale                TEXT    NOT NULL,
    active                INTEGER NOT NULL,
    on_leave              INTEGER NOT NULL,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL,
    person_type           TEXT    NOT NULL DEFAULT 'staff',
    first_name            TEXT    NOT NULL DEFAULT '',
    last_name             TEXT    NOT NULL DEFAULT '',
    sort_key              TEXT    NOT NULL DEFAULT '',
    phone                 TEXT    NOT NULL DEFAULT '',
    date_of_birth         TEXT    NOT NULL DEFAULT '',
    employee_reference    TEXT    NOT NULL DEFAULT '',
    job_title             TEXT    NOT NULL DEFAULT '',
    employment_start_date TEXT    NOT NULL DEFAULT '',
    employment_end_date   TEXT    NOT NULL DEFAULT '',
    line_manager_id       INTEGER NOT NULL DEFAULT 0,
    photo                 TEXT    NOT NULL DEFAULT '',
    cost_centre           TEXT    NOT NULL DEFAULT '',
    salary_grade          TEXT    NOT NULL DEFAULT '',
    version               INTEGER NOT NULL DEFAULT 1,
    erased_at             INTEGER
);
INSERT INTO staff_people_2 (id, tenant, user_id, email, name, manager_id, roles, member_of, channels, time_zone, locale, active, on_leave, created_at, updated_at)
    SELECT id, tenant, user_id, email, name, manager_id, roles, member_of, channels, time_zone, locale, active, on_leave, created_at, updated_at FROM staff_people;
CREATE TABLE staff_holders_2 (
    tenant  TEXT NOT NULL,
    name    TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (tenant, name, user_id)
);
INSERT INTO staff_holders_2 SELECT tenant, name, user_id FROM staff_holders;
DROP TABLE staff_holders;
DROP TABLE staff_people;
ALTER TABLE staff_people_2 RENAME TO staff_people;
ALTER TABLE staff_holders_2 RENAME TO staff_holders;
CREATE INDEX staff_holders_person ON staff_holders (tenant, user_id);
CREATE INDEX staff_people_email ON staff_people (tenant, email);
UPDATE staff_people SET last_name = substr(name, 1, 100), sort_key = lower(substr(name, 1, 100)) || char(9);
UPDATE staff_people SET line_manager_id = coalesce((SELECT m.id FROM staff_people m WHERE m.tenant = staff_people.tenant AND m.user_id = staff_people.manager_id), 0) WHERE manager_id <> '';
CREATE UNIQUE INDEX staff_people_user ON staff_people (tenant, user_id) WHERE user_id <> '';
CREATE UNIQUE INDEX staff_people_reference ON staff_people (tenant, employee_reference) WHERE employee_reference <> '';
CREATE INDEX staff_people_order ON staff_people (tenant, sort_key, id) WHERE erased_at IS NULL;
CREATE INDEX staff_people_active ON staff_people (tenant, sort_key, id) WHERE erased_at IS NULL AND active;
CREATE INDEX staff_people_manager ON staff_people (tenant, line_manager_id) WHERE line_manager_id <> 0;
CREATE INDEX staff_people_managed ON staff_people (tenant, manager_id) WHERE manager_id <> '';
CREATE INDEX staff_people_id ON staff_people (tenant, id);

CREATE TABLE staff_heads (
    tenant     TEXT   PRIMARY KEY,
    last_seq   INTEGER NOT NULL,
    pruned_seq INTEGER NOT NULL,
    people     INTEGER NOT NULL,
    active     INTEGER NOT NULL
);
INSERT INTO staff_heads SELECT tenant, 0, 0, count(*), sum(active) FROM staff_people GROUP BY tenant;

CREATE TABLE staff_units (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant      TEXT        NOT NULL,
    name        TEXT        NOT NULL,
    code        TEXT        NOT NULL,
    description TEXT        NOT NULL,
    parent_id   INTEGER      NOT NULL,
    version     INTEGER      NOT NULL,
    created_at  INTEGER     NOT NULL,
    updated_at  INTEGER     NOT NULL,
    UNIQUE (tenant, parent_id, name)
);
CREATE INDEX staff_units_name ON staff_units (tenant, name);

CREATE TABLE staff_assignments (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant     TEXT     NOT NULL,
    person_id  INTEGER   NOT NULL REFERENCES staff_people (id),
    unit_id    INTEGER   NOT NULL REFERENCES staff_units (id),
    role       TEXT     NOT NULL,
    is_primary INTEGER  NOT NULL,
    start_date TEXT     NOT NULL,
    end_date   TEXT     NOT NULL,
    told       INTEGER  NOT NULL
);
CREATE INDEX staff_assignments_person ON staff_assignments (tenant, person_id);
CREATE INDEX staff_assignments_unit ON staff_assignments (tenant, unit_id, person_id);
CREATE INDEX staff_assignments_begin ON staff_assignments (start_date) WHERE told = 0;
CREATE INDEX staff_assignments_end ON staff_assignments (end_date) WHERE told = 1 AND end_date <> '';

CREATE TABLE staff_changes (
    tenant  TEXT        NOT NULL,
    seq     INTEGER      NOT NULL,
    at      INTEGER     NOT NULL,
    event   TEXT        NOT NULL,
    kind    TEXT        NOT NULL,
    item_id INTEGER      NOT NULL,
    unit_id INTEGER      NOT NULL,
    fields  TEXT        NOT NULL,
    deleted INTEGER     NOT NULL,
    PRIMARY KEY (tenant, seq)
);
CREATE INDEX staff_changes_at ON staff_changes (at);

CREATE TABLE staff_api_keys (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant         TEXT        NOT NULL,
    name           TEXT        NOT NULL,
    prefix         TEXT        NOT NULL,
    hash           TEXT        NOT NULL UNIQUE,
    old_hash       TEXT        NOT NULL,
    old_until      INTEGER,
    scopes         TEXT        NOT NULL,
    field_groups   TEXT        NOT NULL,
    system_type    TEXT        NOT NULL,
    cidrs          TEXT        NOT NULL,
    expires_at     INTEGER,
    revoked_at     INTEGER,
    last_used_at   INTEGER,
    last_used_from TEXT        NOT NULL,
    created_by     TEXT        NOT NULL,
    created_at     INTEGER     NOT NULL,
    updated_at     INTEGER     NOT NULL
);
CREATE INDEX staff_api_keys_tenant ON staff_api_keys (tenant, id);
CREATE UNIQUE INDEX staff_api_keys_old ON staff_api_keys (old_hash) WHERE old_hash <> '';

CREATE TABLE staff_imports (
    tenant     TEXT        NOT NULL,
    source     TEXT        NOT NULL,
    key        TEXT        NOT NULL,
    hash       TEXT        NOT NULL,
    person_id  INTEGER      NOT NULL,
    created_at INTEGER     NOT NULL,
    PRIMARY KEY (tenant, source, key)
);
CREATE INDEX staff_imports_person ON staff_imports (tenant, person_id);

CREATE TABLE external_system_sync (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    organisation_id         TEXT        NOT NULL,
    system_name             TEXT        NOT NULL,
    system_type             TEXT        NOT NULL,
    last_sync_at            INTEGER,
    last_successful_sync_at INTEGER,
    sync_status             TEXT        NOT NULL,
    sync_error              TEXT        NOT NULL,
    sync_metadata           TEXT        NOT NULL,
    alerted_at              INTEGER,
    created_at              INTEGER     NOT NULL,
    updated_at              INTEGER     NOT NULL,
    UNIQUE (organisation_id, system_name)
);
CREATE INDEX external_system_sync_type ON external_system_sync (system_type);
CREATE INDEX external_system_sync_status ON external_system_sync (sync_status);

CREATE TABLE staff_mappings (
    tenant     TEXT        NOT NULL,
    name       TEXT        NOT NULL,
    version    INTEGER      NOT NULL,
    columns    TEXT        NOT NULL,
    created_by TEXT        NOT NULL,
    created_at INTEGER     NOT NULL,
    PRIMARY KEY (tenant, name, version)
);
