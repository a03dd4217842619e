-- +goose Up
CREATE TABLE chat_messages (
    tenant     text        NOT NULL,
    id         text        NOT NULL,
    room       text        NOT NULL,
    author     text        NOT NULL,
    body       text        NOT NULL,
    revision   bigint      NOT NULL,
    url        text        NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant, id)
);

-- There is no foreign key to the message: it may be purged, and its request then is never complete again.
CREATE TABLE chat_ack_requests (
    tenant          text        NOT NULL,
    id              text        NOT NULL,
    message_id      text        NOT NULL,
    room            text        NOT NULL,
    named           jsonb       NOT NULL,
    due_at          timestamptz,
    remind_hours    integer     NOT NULL,
    escalation      jsonb       NOT NULL,
    template_id     text        NOT NULL,
    created_at      timestamptz NOT NULL,
    created_by      text        NOT NULL,
    canceled_at     timestamptz,
    canceled_by     text        NOT NULL,
    cancel_reason   text        NOT NULL,
    revision        bigint      NOT NULL,
    message_deleted boolean     NOT NULL,
    required        integer     NOT NULL,
    missing         integer     NOT NULL,
    completed_at    timestamptz,
    reminders       integer     NOT NULL,
    reminded_at     timestamptz,
    remind_at       timestamptz,
    escalate_at     timestamptz,
    next_at         timestamptz,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, message_id),
    CHECK (missing BETWEEN 0 AND required)
);
CREATE INDEX chat_ack_requests_next ON chat_ack_requests (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX chat_ack_requests_creator ON chat_ack_requests (tenant, created_by, created_at, id);

-- Who is asked, and their acknowledgement. created_at is the request's, for the lists of a person.
CREATE TABLE chat_acks (
    tenant     text        NOT NULL,
    request_id text        NOT NULL,
    user_id    text        NOT NULL,
    position   integer     NOT NULL,
    created_at timestamptz NOT NULL,
    acked_at   timestamptz,
    acked_by   text        NOT NULL,
    revision   bigint      NOT NULL,
    PRIMARY KEY (tenant, request_id, user_id),
    FOREIGN KEY (tenant, request_id) REFERENCES chat_ack_requests (tenant, id) ON DELETE CASCADE
);
CREATE INDEX chat_acks_user ON chat_acks (tenant, user_id, created_at, request_id);
CREATE INDEX chat_acks_missing ON chat_acks (tenant, request_id, position) WHERE acked_at IS NULL;

CREATE TABLE chat_ack_links (
    tenant       text        NOT NULL,
    id           text        NOT NULL,
    request_id   text        NOT NULL,
    message_id   text        NOT NULL,
    target_table text        NOT NULL,
    target_id    text        NOT NULL,
    flow_type    text        NOT NULL,
    action_key   text        NOT NULL,
    template_id  text        NOT NULL,
    created_by   text        NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, request_id, target_table, target_id),
    FOREIGN KEY (tenant, request_id) REFERENCES chat_ack_requests (tenant, id) ON DELETE CASCADE
);
CREATE INDEX chat_ack_links_target ON chat_ack_links (tenant, target_table, target_id, created_at, id);
CREATE INDEX chat_ack_links_message ON chat_ack_links (tenant, message_id, created_at, id);

CREATE TABLE chat_ack_templates (
    tenant       text        NOT NULL,
    id           text        NOT NULL,
    flow_type    text        NOT NULL,
    action_key   text        NOT NULL,
    body         text        NOT NULL,
    required     jsonb       NOT NULL,
    due_in_hours integer,
    remind_hours integer     NOT NULL,
    escalation   jsonb       NOT NULL,
    enabled      boolean     NOT NULL,
    created_at   timestamptz NOT NULL,
    created_by   text        NOT NULL,
    updated_at   timestamptz NOT NULL,
    updated_by   text        NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX chat_ack_templates_action ON chat_ack_templates (tenant, flow_type, action_key, created_at, id);
CREATE INDEX chat_ack_templates_newest ON chat_ack_templates (tenant, created_at, id);

CREATE TABLE chat_ack_template_uses (
    tenant       text        NOT NULL,
    target_table text        NOT NULL,
    target_id    text        NOT NULL,
    flow_type    text        NOT NULL,
    action_key   text        NOT NULL,
    template_id  text        NOT NULL,
    request_id   text        NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant, target_table, target_id, flow_type, action_key, template_id)
);

CREATE TABLE chat_ack_escalations (
    tenant     text        NOT NULL,
    request_id text        NOT NULL,
    user_id    text        NOT NULL,
    created_at timestamptz NOT NULL,
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
