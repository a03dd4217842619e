-- +goose Up
CREATE TABLE approval_action_policies (
    tenant         TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    flow           TEXT    NOT NULL,
    action         TEXT    NOT NULL,
    priority       INTEGER NOT NULL,
    actors         TEXT    NOT NULL,
    states         TEXT    NOT NULL,
    require_reason INTEGER NOT NULL,
    guards         TEXT    NOT NULL,
    disabled       INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    created_by     TEXT    NOT NULL,
    updated_at     INTEGER NOT NULL,
    updated_by     TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX approval_action_policies_on ON approval_action_policies (tenant, flow, action, priority, created_at, id) WHERE NOT disabled;
CREATE INDEX approval_action_policies_newest ON approval_action_policies (tenant, created_at, id);

-- +goose Down
DROP TABLE approval_action_policies;
