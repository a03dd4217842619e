-- +goose Up
-- The W3C traceparent of what made an event happen; empty when nothing was traced.
ALTER TABLE transport_outbox ADD COLUMN trace text NOT NULL DEFAULT '';
ALTER TABLE transport_poison ADD COLUMN trace text NOT NULL DEFAULT '';
-- +goose Down
ALTER TABLE transport_poison DROP COLUMN trace;
ALTER TABLE transport_outbox DROP COLUMN trace;
