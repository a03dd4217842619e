-- +goose Up
CREATE TABLE approval_action_policies (
    tenant         text        NOT NULL,
    id             text        NOT NULL,
    flow           text        NOT NULL,
    action         text        NOT NULL,
    priority       integer     NOT NULL,
    actors         jsonb       NOT NULL,
    states         jsonb       NOT NULL,
    require_reason boolean     NOT NULL,
    guards         jsonb       NOT NULL,
    disabled       boolean     NOT NULL,
    version        bigint      NOT NULL,
    created_at     timestamptz NOT NULL,
    created_by     text        NOT NULL,
    updated_at     timestamptz NOT NULL,
    updated_by     text        NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX approval_action_policies_on ON approval_action_policies (tenant, flow, action, priority, created_at, id) WHERE NOT disabled;
CREATE INDEX approval_action_policies_newest ON approval_action_policies (tenant, created_at, id);

-- +goose Down
DROP TABLE approval_action_policies;
