-- +goose Up
CREATE TABLE things (
	id TEXT PRIMARY KEY,
	parent TEXT REFERENCES things (id),
	at INTEGER,
	amount INTEGER NOT NULL
);
-- +goose StatementBegin
CREATE TRIGGER things_amount BEFORE INSERT ON things
WHEN EXISTS (SELECT 1 FROM things WHERE amount = NEW.amount AND id <> NEW.id AND NEW.parent IS NULL)
BEGIN
	SELECT RAISE(ABORT, 'amount_taken');
END;
-- +goose StatementEnd
-- +goose Down
DROP TABLE things;
