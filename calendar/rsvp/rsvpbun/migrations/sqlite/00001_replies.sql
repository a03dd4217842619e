-- +goose Up
CREATE TABLE rsvp_replies (
    tenant       TEXT NOT NULL,
    id           TEXT NOT NULL,
    event_id     TEXT NOT NULL,
    uid          TEXT NOT NULL,
    received_at  INTEGER NOT NULL,
    attendee     TEXT NOT NULL,
    sender       TEXT NOT NULL,
    partstat     TEXT NOT NULL,
    comment      TEXT NOT NULL,
    delegated_to TEXT NOT NULL,
    counter      INTEGER NOT NULL,
    decision     TEXT NOT NULL,
    trust        TEXT NOT NULL,
    via          TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    dtstamp      INTEGER,
    reply_time   INTEGER,
    message_id   TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    detail       TEXT NOT NULL,
    admits       TEXT NOT NULL,
    admitted_by  TEXT NOT NULL,
    admitted_at  INTEGER,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX rsvp_replies_event ON rsvp_replies (tenant, event_id, received_at, id);
CREATE INDEX rsvp_replies_newest ON rsvp_replies (tenant, received_at, id);
CREATE INDEX rsvp_replies_content ON rsvp_replies (tenant, content_hash) WHERE content_hash <> '';

CREATE TABLE rsvp_mails (
    tenant      TEXT NOT NULL,
    reply_id    TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    raw         BLOB NOT NULL,
    PRIMARY KEY (tenant, reply_id)
);
CREATE INDEX rsvp_mails_age ON rsvp_mails (received_at);

CREATE TABLE rsvp_tokens (
    hash       TEXT NOT NULL PRIMARY KEY,
    purpose    TEXT NOT NULL,
    tenant     TEXT NOT NULL,
    event_id   TEXT NOT NULL,
    guest      TEXT NOT NULL,
    generation INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
);
CREATE UNIQUE INDEX rsvp_tokens_guest ON rsvp_tokens (tenant, event_id, guest, purpose, generation);
CREATE INDEX rsvp_tokens_age ON rsvp_tokens (expires_at);
