-- +goose Up
CREATE TABLE calendar_events (
    tenant           TEXT    NOT NULL,
    id               TEXT    NOT NULL,
    uid              TEXT    NOT NULL,
    organizer_id     TEXT    NOT NULL,
    organizer_email  TEXT    NOT NULL,
    organizer_name   TEXT    NOT NULL,
    title            TEXT    NOT NULL,
    location         TEXT    NOT NULL,
    description      TEXT    NOT NULL,
    start_at         INTEGER NOT NULL,
    end_at           INTEGER NOT NULL,
    time_zone        TEXT    NOT NULL,
    all_day          INTEGER NOT NULL,
    recurrence       TEXT    NOT NULL,
    visibility       TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    cause            TEXT    NOT NULL,
    cause_text       TEXT    NOT NULL,
    sequence         INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    approval_id      TEXT    NOT NULL,
    approval_reasons TEXT,
    resource_ids     TEXT,
    created_by       TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    CHECK (start_at < end_at)
);
CREATE UNIQUE INDEX calendar_events_uid ON calendar_events (tenant, uid);

-- There are no foreign keys to events: the store writes these rows together with theirs, and events are never deleted.
CREATE TABLE calendar_attendees (
    tenant         TEXT    NOT NULL,
    event_id       TEXT    NOT NULL,
    email          TEXT    NOT NULL,
    position       INTEGER NOT NULL,
    name           TEXT    NOT NULL,
    user_id        TEXT    NOT NULL,
    external       INTEGER NOT NULL,
    partstat       TEXT    NOT NULL,
    comment        TEXT    NOT NULL,
    reply_sequence INTEGER NOT NULL,
    reply_stamp    INTEGER,
    reply_time     INTEGER,
    undeliverable  INTEGER NOT NULL,
    invited        INTEGER NOT NULL,
    PRIMARY KEY (tenant, event_id, email)
) WITHOUT ROWID;

-- One row per calendar and time. lane keeps what needs a wide search away from the rest: 0 up to a week long, 1 longer,
-- 2 cancelled. So a week's listing is two short ranges of the key.
CREATE TABLE calendar_occurrences (
    tenant   TEXT    NOT NULL,
    owner_id TEXT    NOT NULL,
    lane     INTEGER NOT NULL,
    start_at INTEGER NOT NULL,
    event_id TEXT    NOT NULL,
    end_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, owner_id, lane, start_at, event_id)
) WITHOUT ROWID;

CREATE TABLE calendar_resources (
    tenant            TEXT    NOT NULL,
    id                TEXT    NOT NULL,
    name              TEXT    NOT NULL,
    kind              TEXT    NOT NULL,
    capacity          INTEGER NOT NULL,
    requires_approval INTEGER NOT NULL,
    buffer_seconds    INTEGER NOT NULL,
    active            INTEGER NOT NULL,
    version           INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- What is held now; a row goes when its event is cancelled. The triggers are the proof that nothing is booked twice.
CREATE TABLE calendar_holdings (
    tenant      TEXT    NOT NULL,
    resource_id TEXT    NOT NULL,
    start_at    INTEGER NOT NULL,
    end_at      INTEGER NOT NULL,
    event_id    TEXT    NOT NULL,
    PRIMARY KEY (tenant, resource_id, start_at)
) WITHOUT ROWID;
CREATE INDEX calendar_holdings_event ON calendar_holdings (tenant, event_id);

-- Holdings of a resource never overlap, so the last one to start before the new one's end tells.
-- +goose StatementBegin
CREATE TRIGGER calendar_holdings_insert BEFORE INSERT ON calendar_holdings BEGIN
    SELECT RAISE(ABORT, 'calendar_holdings_overlap') WHERE (
        SELECT end_at FROM calendar_holdings
        WHERE tenant = NEW.tenant AND resource_id = NEW.resource_id AND start_at < NEW.end_at
        ORDER BY start_at DESC LIMIT 1) > NEW.start_at;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER calendar_holdings_update BEFORE UPDATE ON calendar_holdings BEGIN
    SELECT RAISE(ABORT, 'calendar_holdings_overlap') WHERE EXISTS (
        SELECT 1 FROM calendar_holdings
        WHERE tenant = NEW.tenant AND resource_id = NEW.resource_id AND start_at < NEW.end_at AND end_at > NEW.start_at
          AND NOT (tenant = OLD.tenant AND resource_id = OLD.resource_id AND start_at = OLD.start_at));
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE calendar_holdings;
DROP TABLE calendar_resources;
DROP TABLE calendar_occurrences;
DROP TABLE calendar_attendees;
DROP TABLE calendar_events;
