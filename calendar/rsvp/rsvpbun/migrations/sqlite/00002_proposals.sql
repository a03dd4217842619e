-- +goose Up
ALTER TABLE rsvp_replies ADD COLUMN proposed_start INTEGER;
ALTER TABLE rsvp_replies ADD COLUMN proposed_end INTEGER;
ALTER TABLE rsvp_replies ADD COLUMN settled TEXT NOT NULL DEFAULT '';
ALTER TABLE rsvp_replies ADD COLUMN settled_by TEXT NOT NULL DEFAULT '';
ALTER TABLE rsvp_replies ADD COLUMN settled_at INTEGER;
