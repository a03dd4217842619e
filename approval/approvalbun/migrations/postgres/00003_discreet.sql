-- +goose Up
-- What the summary says once its subject is hidden. Requests from before have nothing: they show the subject's id then.
ALTER TABLE approval_requests ADD COLUMN discreet text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE approval_requests DROP COLUMN discreet;
