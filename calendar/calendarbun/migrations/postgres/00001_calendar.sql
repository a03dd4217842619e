-- +goose Up
-- For the exclusion constraint. The right to create it may be missing where an administrator has done so already.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE calendar_events (
    tenant           text        NOT NULL,
    id               text        NOT NULL,
    uid              text        NOT NULL,
    organizer_id     text        NOT NULL,
    organizer_email  text        NOT NULL,
    organizer_name   text        NOT NULL,
    title            text        NOT NULL,
    location         text        NOT NULL,
    description      text        NOT NULL,
    start_at         timestamptz NOT NULL,
    end_at           timestamptz NOT NULL,
    time_zone        text        NOT NULL,
    all_day          boolean     NOT NULL,
    recurrence       text        NOT NULL,
    visibility       text        NOT NULL,
    status           text        NOT NULL,
    cause            text        NOT NULL,
    cause_text       text        NOT NULL,
    sequence         bigint      NOT NULL,
    version          bigint      NOT NULL,
    approval_id      text        NOT NULL,
    approval_reasons jsonb,
    resource_ids     jsonb,
    created_by       text        NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant, id),
    CHECK (start_at < end_at)
);
CREATE UNIQUE INDEX calendar_events_uid ON calendar_events (tenant, uid);

-- There are no foreign keys to events: the store writes these rows together with theirs, and events are never deleted.
CREATE TABLE calendar_attendees (
    tenant         text        NOT NULL,
    event_id       text        NOT NULL,
    email          text        NOT NULL,
    position       bigint      NOT NULL,
    name           text        NOT NULL,
    user_id        text        NOT NULL,
    external       boolean     NOT NULL,
    partstat       text        NOT NULL,
    comment        text        NOT NULL,
    reply_sequence bigint      NOT NULL,
    reply_stamp    timestamptz,
    reply_time     timestamptz,
    undeliverable  boolean     NOT NULL,
    invited        boolean     NOT NULL,
    PRIMARY KEY (tenant, event_id, email)
);

-- One row per calendar and time. lane keeps what needs a wide search away from the rest: 0 up to a week long, 1 longer,
-- 2 cancelled. So a week's listing is two short ranges of the key.
CREATE TABLE calendar_occurrences (
    tenant   text        NOT NULL,
    owner_id text        NOT NULL,
    lane     smallint    NOT NULL,
    start_at timestamptz NOT NULL,
    event_id text        NOT NULL,
    end_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant, owner_id, lane, start_at, event_id) INCLUDE (end_at)
);

CREATE TABLE calendar_resources (
    tenant            text    NOT NULL,
    id                text    NOT NULL,
    name              text    NOT NULL,
    kind              text    NOT NULL,
    capacity          bigint  NOT NULL,
    requires_approval boolean NOT NULL,
    buffer_seconds    bigint  NOT NULL,
    active            boolean NOT NULL,
    version           bigint  NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- What is held now; a row goes when its event is cancelled. The constraint is the proof that nothing is booked twice.
CREATE TABLE calendar_holdings (
    tenant      text        NOT NULL,
    resource_id text        NOT NULL,
    start_at    timestamptz NOT NULL,
    end_at      timestamptz NOT NULL,
    event_id    text        NOT NULL,
    PRIMARY KEY (tenant, event_id, resource_id, start_at),
    CONSTRAINT calendar_holdings_overlap EXCLUDE USING gist
        (tenant WITH =, resource_id WITH =, tstzrange(start_at, end_at, '[)') WITH &&)
);
CREATE INDEX calendar_holdings_time ON calendar_holdings (tenant, resource_id, start_at);

-- +goose Down
DROP TABLE calendar_holdings;
DROP TABLE calendar_resources;
DROP TABLE calendar_occurrences;
DROP TABLE calendar_attendees;
DROP TABLE calendar_events;
