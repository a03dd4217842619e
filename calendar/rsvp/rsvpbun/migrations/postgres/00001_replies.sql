-- +goose Up
CREATE TABLE rsvp_replies (
    tenant       text        NOT NULL,
    id           text        NOT NULL,
    event_id     text        NOT NULL,
    uid          text        NOT NULL,
    received_at  timestamptz NOT NULL,
    attendee     text        NOT NULL,
    sender       text        NOT NULL,
    partstat     text        NOT NULL,
    comment      text        NOT NULL,
    delegated_to text        NOT NULL,
    counter      boolean     NOT NULL,
    decision     text        NOT NULL,
    trust        text        NOT NULL,
    via          text        NOT NULL,
    sequence     bigint      NOT NULL,
    dtstamp      timestamptz,
    reply_time   timestamptz,
    message_id   text        NOT NULL,
    content_hash text        NOT NULL,
    detail       text        NOT NULL,
    admits       text        NOT NULL,
    admitted_by  text        NOT NULL,
    admitted_at  timestamptz,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX rsvp_replies_event ON rsvp_replies (tenant, event_id, received_at, id);
CREATE INDEX rsvp_replies_newest ON rsvp_replies (tenant, received_at, id);
CREATE INDEX rsvp_replies_content ON rsvp_replies (tenant, content_hash) WHERE content_hash <> '';

CREATE TABLE rsvp_mails (
    tenant      text        NOT NULL,
    reply_id    text        NOT NULL,
    received_at timestamptz NOT NULL,
    raw         bytea       NOT NULL,
    PRIMARY KEY (tenant, reply_id)
);
CREATE INDEX rsvp_mails_age ON rsvp_mails (received_at);

CREATE TABLE rsvp_tokens (
    hash       text        NOT NULL PRIMARY KEY,
    purpose    text        NOT NULL,
    tenant     text        NOT NULL,
    event_id   text        NOT NULL,
    guest      text        NOT NULL,
    generation bigint      NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX rsvp_tokens_guest ON rsvp_tokens (tenant, event_id, guest, purpose, generation);
CREATE INDEX rsvp_tokens_age ON rsvp_tokens (expires_at);
