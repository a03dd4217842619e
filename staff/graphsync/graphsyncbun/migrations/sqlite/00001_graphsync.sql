-- +goose Up
CREATE TABLE graphsync_desks (
    tenant   TEXT     PRIMARY KEY,
    holder   TEXT     NOT NULL,
    until    INTEGER,
    progress TEXT     NOT NULL,
    paused   INTEGER  NOT NULL
);

CREATE TABLE graphsync_objects (
    tenant     TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    data       TEXT    NOT NULL,
    PRIMARY KEY (tenant, kind, id)
);

CREATE TABLE graphsync_links (
    tenant      TEXT     NOT NULL,
    kind        TEXT     NOT NULL,
    local_id    INTEGER  NOT NULL,
    remote_id   TEXT     NOT NULL,
    rule        TEXT     NOT NULL,
    pending     TEXT     NOT NULL,
    disabled_at INTEGER,
    seen        TEXT     NOT NULL,
    failures    INTEGER  NOT NULL,
    reason      TEXT     NOT NULL,
    next_try    INTEGER,
    PRIMARY KEY (tenant, kind, local_id)
);
CREATE UNIQUE INDEX graphsync_links_remote ON graphsync_links (tenant, kind, remote_id) WHERE remote_id <> '';
CREATE INDEX graphsync_links_waiting ON graphsync_links (tenant, kind, local_id) WHERE next_try IS NOT NULL;

CREATE TABLE graphsync_runs (
    id          INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant      TEXT     NOT NULL,
    state       TEXT     NOT NULL,
    source      TEXT     NOT NULL,
    hold        INTEGER  NOT NULL,
    read_all    INTEGER  NOT NULL,
    rollback_of INTEGER  NOT NULL,
    asked_by    TEXT     NOT NULL,
    hash        TEXT     NOT NULL,
    counts      TEXT     NOT NULL,
    tripped     TEXT     NOT NULL,
    issues      INTEGER  NOT NULL,
    waiting     INTEGER  NOT NULL,
    people      INTEGER  NOT NULL,
    approved_by TEXT     NOT NULL,
    reason      TEXT     NOT NULL,
    created_at  INTEGER  NOT NULL,
    planned_at  INTEGER,
    started_at  INTEGER,
    ended_at    INTEGER,
    result      TEXT     NOT NULL
);
CREATE INDEX graphsync_runs_tenant ON graphsync_runs (tenant, id);
CREATE INDEX graphsync_runs_ended ON graphsync_runs (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE graphsync_steps (
    run_id    INTEGER  NOT NULL REFERENCES graphsync_runs (id) ON DELETE CASCADE,
    n         INTEGER  NOT NULL,
    tenant    TEXT     NOT NULL,
    person_id INTEGER  NOT NULL,
    action    TEXT     NOT NULL,
    state     TEXT     NOT NULL,
    reason    TEXT     NOT NULL,
    at        INTEGER,
    PRIMARY KEY (run_id, n)
);
CREATE INDEX graphsync_steps_open ON graphsync_steps (run_id, state, n);
CREATE INDEX graphsync_steps_person ON graphsync_steps (tenant, person_id) WHERE person_id <> 0;

CREATE TABLE graphsync_issues (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant     TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    object     TEXT    NOT NULL,
    local_id   INTEGER NOT NULL,
    remotes    TEXT    NOT NULL,
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    ignored_by TEXT    NOT NULL,
    UNIQUE (tenant, kind, object, local_id)
);
