-- +goose Up
CREATE TABLE approval_requests (
    tenant       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    subject_kind TEXT    NOT NULL,
    subject_id   TEXT    NOT NULL,
    flow         TEXT    NOT NULL,
    requester    TEXT    NOT NULL,
    acted_by     TEXT    NOT NULL,
    summary      TEXT    NOT NULL,
    steps        TEXT    NOT NULL,
    policy       INTEGER NOT NULL,
    reasons      TEXT    NOT NULL,
    explanation  TEXT    NOT NULL,
    content_hash TEXT    NOT NULL,
    shown        TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    remind_at    INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    reminded_at  INTEGER,
    due_at       INTEGER NOT NULL,
    ended_by     TEXT    NOT NULL,
    ended_action TEXT    NOT NULL,
    ended_reason TEXT    NOT NULL,
    ended_at     INTEGER,
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
    tenant     TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    part       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, request_id, user_id),
    FOREIGN KEY (tenant, request_id) REFERENCES approval_requests (tenant, id) ON DELETE CASCADE
);
CREATE INDEX approval_parties_part ON approval_parties (tenant, user_id, part, created_at, request_id);
CREATE INDEX approval_parties_user ON approval_parties (tenant, user_id, created_at, request_id);

CREATE TABLE approval_substitutes (
    tenant        TEXT NOT NULL,
    id            TEXT NOT NULL,
    approver_id   TEXT NOT NULL,
    substitute_id TEXT NOT NULL,
    valid_from    INTEGER NOT NULL,
    valid_until   INTEGER,
    created_by    TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    PRIMARY KEY (tenant, id),
    CHECK (approver_id <> substitute_id),
    CHECK (valid_until > valid_from)
);
CREATE INDEX approval_substitutes_of ON approval_substitutes (tenant, approver_id) WHERE ended_at IS NULL;
CREATE INDEX approval_substitutes_by ON approval_substitutes (tenant, substitute_id) WHERE ended_at IS NULL;
CREATE INDEX approval_substitutes_named ON approval_substitutes (tenant, approver_id, id);
CREATE INDEX approval_substitutes_received ON approval_substitutes (tenant, substitute_id, id);

CREATE TABLE approval_policies (
    tenant        TEXT NOT NULL,
    flow          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    rules         TEXT NOT NULL,
    steps         TEXT NOT NULL,
    timeout       INTEGER NOT NULL, -- nanoseconds; 0: the default
    remind_before INTEGER NOT NULL,
    comment       TEXT NOT NULL,
    changed_by    TEXT NOT NULL,
    changed_at    INTEGER,
    PRIMARY KEY (tenant, flow, version)
);

-- Links in mails. The token is in the mail only.
CREATE TABLE approval_links (
    hash         TEXT NOT NULL PRIMARY KEY,
    tenant       TEXT NOT NULL,
    request_id   TEXT NOT NULL,
    person       TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER,
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
