-- +goose Up
-- The W3C traceparent of what enqueued a delivery; empty when nothing was traced.
ALTER TABLE deliveries ADD COLUMN trace TEXT NOT NULL DEFAULT '';
-- +goose Down
ALTER TABLE deliveries DROP COLUMN trace;
