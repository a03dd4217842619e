-- +goose Up
CREATE TABLE audit_entries (
	id          text COLLATE "C" PRIMARY KEY,
	tenant      text COLLATE "C" NOT NULL,
	time        timestamptz NOT NULL,
	actor_id    text NOT NULL,
	subject_id  text NOT NULL,
	action      text NOT NULL,
	target_kind text NOT NULL,
	target_id   text NOT NULL,
	reason      text NOT NULL,
	metadata    jsonb NOT NULL,
	request_id  text NOT NULL,
	seq         bigint,
	key_id      text,
	digest      text,
	mac         text
);
CREATE INDEX audit_entries_time ON audit_entries (tenant, time, id);
CREATE INDEX audit_entries_actor ON audit_entries (tenant, actor_id, time, id);
CREATE INDEX audit_entries_subject ON audit_entries (tenant, subject_id, time, id);
CREATE INDEX audit_entries_target ON audit_entries (tenant, target_id, time, id);
CREATE UNIQUE INDEX audit_entries_seq ON audit_entries (tenant, seq) WHERE seq IS NOT NULL;
CREATE INDEX audit_entries_unsealed ON audit_entries (tenant, time, id) WHERE seq IS NULL;

CREATE TABLE audit_chains (
	tenant text COLLATE "C" PRIMARY KEY,
	seq    bigint NOT NULL,
	key_id text NOT NULL,
	digest text NOT NULL,
	mac    text NOT NULL
) WITH (fillfactor = 50);
-- +goose Down
DROP TABLE audit_chains, audit_entries;
