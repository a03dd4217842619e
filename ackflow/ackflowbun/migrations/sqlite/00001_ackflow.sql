-- +goose Up
CREATE TABLE chat_messages (
    tenant     TEXT        NOT NULL,
    id         TEXT        NOT NULL,
    room       TEXT        NOT NULL,
    author     TEXT        NOT NULL,
    body       TEXT        NOT NULL,
    revision   INTEGER      NOT NULL,
    url        TEXT        NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    PRIMARY KEY (tenant, id)
);

-- There is no foreign key to the message: it may be purged, and its request then is never complete again.
CREATE TABLE chat_ack_requests (
    tenant          TEXT        NOT NULL,
    id              TEXT        NOT NULL,
    message_id      TEXT        NOT NULL,
    room            TEXT        NOT NULL,
    named           TEXT       NOT NULL,
    due_at          INTEGER,
    remind_hours    INTEGER     NOT NULL,
    escalation      TEXT       NOT NULL,
    template_id     TEXT        NOT NULL,
    created_at      INTEGER NOT NULL,
    created_by      TEXT        NOT NULL,
    canceled_at     INTEGER,
    canceled_by     TEXT        NOT NULL,
    cancel_reason   TEXT        NOT NULL,
    revision        INTEGER      NOT NULL,
    message_deleted INTEGER     NOT NULL,
    required        INTEGER     NOT NULL,
    missing         INTEGER     NOT NULL,
    completed_at    INTEGER,
    reminders       INTEGER     NOT NULL,
    reminded_at     INTEGER,
    remind_at       INTEGER,
    escalate_at     INTEGER,
    next_at         INTEGER,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, message_id),
    CHECK (missing BETWEEN 0 AND required)
);
CREATE INDEX chat_ack_requests_next ON chat_ack_requests (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX chat_ack_requests_creator ON chat_ack_requests (tenant, created_by, created_at, id);

-- Who is asked, and their acknowledgement. created_at is the request's, for the lists of a person.
CREATE TABLE chat_acks (
    tenant     TEXT        NOT NULL,
    request_id TEXT        NOT NULL,
    user_id    TEXT        NOT NULL,
    position   INTEGER     NOT NULL,
    created_at INTEGER NOT NULL,
    acked_at   INTEGER,
    acked_by   TEXT        NOT NULL,
    revision   INTEGER      NOT NULL,
    PRIMARY KEY (tenant, request_id, user_id),
    FOREIGN KEY (tenant, request_id) REFERENCES chat_ack_requests (tenant, id) ON DELETE CASCADE
);
CREATE INDEX chat_acks_user ON chat_acks (tenant, user_id, created_at, request_id);
CREATE INDEX chat_acks_missing ON chat_acks (tenant, request_id, position) WHERE acked_at IS NULL;

CREATE TABLE chat_ack_links (
    tenant       TEXT        NOT NULL,
    id           TEXT        NOT NULL,
    request_id   TEXT        NOT NULL,
    message_id   TEXT        NOT NULL,
    target_table TEXT        NOT NULL,
    target_id    TEXT        NOT NULL,
    flow_type    TEXT        NOT NULL,
    action_key   TEXT        NOT NULL,
    template_id  TEXT        NOT NULL,
    created_by   TEXT        NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, request_id, target_table, target_id),
    FOREIGN KEY (tenant, request_id) REFERENCES chat_ack_requests (tenant, id) ON DELETE CASCADE
);
CREATE INDEX chat_ack_links_target ON chat_ack_links (tenant, target_table, target_id, created_at, id);
CREATE INDEX chat_ack_links_message ON chat_ack_links (tenant, message_id, created_at, id);

CREATE TABLE chat_ack_templates (
    tenant       TEXT        NOT NULL,
    id           TEXT        NOT NULL,
    flow_type    TEXT        NOT NULL,
    action_key   TEXT        NOT NULL,
    body         TEXT        NOT NULL,
    required     TEXT       NOT NULL,
    due_in_hours INTEGER,
    remind_hours INTEGER     NOT NULL,
    escalation   TEXT       NOT NULL,
    enabled      INTEGER     NOT NULL,
    created_at   INTEGER NOT NULL,
    created_by   TEXT        NOT NULL,
    updated_at   INTEGER NOT NULL,
    updated_by   TEXT        NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX chat_ack_templates_action ON chat_ack_templates (tenant, flow_type, action_key, created_at, id);
CREATE INDEX chat_ack_templates_newest ON chat_ack_templates (tenant, created_at, id);

CREATE TABLE chat_ack_template_uses (
    tenant       TEXT        NOT NULL,
    target_table TEXT        NOT NULL,
    target_id    TEXT        NOT NULL,
    flow_type    TEXT        NOT NULL,
    action_key   TEXT        NOT NULL,
    template_id  TEXT        NOT NULL,
    request_id   TEXT        NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, target_table, target_id, flow_type, action_key, template_id)
);

CREATE TABLE chat_ack_escalations (
    tenant     TEXT        NOT NULL,
    request_id TEXT        NOT NULL,
    user_id    TEXT        NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, request_id, user_id),
    FOREIGN KEY (tenant, request_id) REFERENCES chat_ack_requests (tenant, id) ON DELETE CASCADE
);

-- +goose Down
DROP TABLE chat_ack_escalations;
DROP TABLE chat_ack_template_uses;
DROP TABLE chat_ack_templates;
DROP TABLE chat_ack_links;
DROP TABLE chat_acks;
DROP TABLE chat_ack_requests;
DROP TABLE chat_messages;
