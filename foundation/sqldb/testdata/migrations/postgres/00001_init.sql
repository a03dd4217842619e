-- +goose Up
CREATE TABLE things (
	id text PRIMARY KEY,
	parent text REFERENCES things (id),
	at timestamptz,
	amount bigint NOT NULL,
	EXCLUDE (amount WITH =)
);
-- +goose Down
DROP TABLE things;
