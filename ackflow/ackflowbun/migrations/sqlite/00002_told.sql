-- +goose Up
-- Not escalated: told, as who stands in for somebody who is missing or leads them, and may see the request for it.
ALTER TABLE chat_ack_escalations ADD COLUMN escalated INTEGER NOT NULL DEFAULT 1;

-- +goose Down
DELETE FROM chat_ack_escalations WHERE NOT escalated;
ALTER TABLE chat_ack_escalations DROP COLUMN escalated;
