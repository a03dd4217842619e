-- +goose Up
CREATE TABLE approval_requests (
    tenant       text        NOT NULL,
    id           text        NOT NULL,
    subject_kind text        NOT NULL,
    subject_id   text        NOT NULL,
    flow         text        NOT NULL,
    requester    text        NOT NULL,
    acted_by     text        NOT NULL,
    summary      text        NOT NULL,
    steps        jsonb       NOT NULL,
    policy       bigint      NOT NULL,
    reasons      jsonb       NOT NULL,
    explanation  jsonb       NOT NULL,
    content_hash text        NOT NULL,
    shown        jsonb       NOT NULL,
    status       text        NOT NULL,
    version      bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    remind_at    timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    reminded_at  timestamptz,
    due_at       timestamptz NOT NULL,
    ended_by     text        NOT NULL,
    ended_action text        NOT NULL,
    ended_reason text        NOT NULL,
    ended_at     timestamptz,
    PRIMARY KEY (tenant, id),
    CHECK ((status = 'pending') = (ended_at IS NULL))
);
CREATE INDEX approval_requests_due ON approval_requests (due_at) WHERE status = 'pending';
CREATE UNIQUE INDEX approval_requests_pending ON approval_requests (tenant, subject_kind, subject_id, flow) WHERE status = 'pending';
CREATE INDEX approval_requests_subject ON approval_requests (tenant, subject_kind, subject_id, created_at);
CREATE INDEX approval_requests_newest ON approval_requests (tenant, created_at, id);

-- Who takes part: a person has one part in a request, because nobody decides on a request of their own. An approver
-- whose word is not missing in the open step, or no longer, has been "asked".
CREATE TABLE approval_parties (
    tenant     text        NOT NULL,
    request_id text        NOT NULL,
    user_id    text        NOT NULL,
    part       text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, request_id, user_id),
    FOREIGN KEY (tenant, request_id) REFERENCES approval_requests (tenant, id) ON DELETE CASCADE
);
CREATE INDEX approval_parties_part ON approval_parties (tenant, user_id, part, created_at, request_id);
CREATE INDEX approval_parties_user ON approval_parties (tenant, user_id, created_at, request_id);

CREATE TABLE approval_substitutes (
    tenant        text NOT NULL,
    id            text COLLATE "C" NOT NULL,
    approver_id   text NOT NULL,
    substitute_id text NOT NULL,
    valid_from    timestamptz NOT NULL,
    valid_until   timestamptz,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    PRIMARY KEY (tenant, id),
    CHECK (approver_id <> substitute_id),
    CHECK (valid_until > valid_from)
);
CREATE INDEX approval_substitutes_of ON approval_substitutes (tenant, approver_id) WHERE ended_at IS NULL;
CREATE INDEX approval_substitutes_by ON approval_substitutes (tenant, substitute_id) WHERE ended_at IS NULL;
CREATE INDEX approval_substitutes_named ON approval_substitutes (tenant, approver_id, id);
CREATE INDEX approval_substitutes_received ON approval_substitutes (tenant, substitute_id, id);

CREATE TABLE approval_policies (
    tenant        text NOT NULL,
    flow          text NOT NULL,
    version       bigint NOT NULL,
    rules         jsonb NOT NULL,
    steps         jsonb NOT NULL,
    timeout       bigint NOT NULL, -- nanoseconds; 0: the default
    remind_before bigint NOT NULL,
    comment       text NOT NULL,
    changed_by    text NOT NULL,
    changed_at    timestamptz,
    PRIMARY KEY (tenant, flow, version)
);

-- Links in mails. The token is in the mail only.
CREATE TABLE approval_links (
    hash         text NOT NULL PRIMARY KEY,
    tenant       text NOT NULL,
    request_id   text NOT NULL,
    person       text NOT NULL,
    content_hash text NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    FOREIGN KEY (tenant, request_id) REFERENCES approval_requests (tenant, id) ON DELETE CASCADE
);
CREATE INDEX approval_links_expired ON approval_links (expires_at);
CREATE INDEX approval_links_request ON approval_links (tenant, request_id);

-- +goose Down
DROP TABLE approval_links;
DROP TABLE approval_policies;
DROP TABLE approval_substitutes;
DROP TABLE approval_parties;
DROP TABLE approval_requests;
