-- +goose Up
ALTER TABLE rsvp_replies ADD COLUMN proposed_start timestamptz;
ALTER TABLE rsvp_replies ADD COLUMN proposed_end timestamptz;
ALTER TABLE rsvp_replies ADD COLUMN settled text NOT NULL DEFAULT '';
ALTER TABLE rsvp_replies ADD COLUMN settled_by text NOT NULL DEFAULT '';
ALTER TABLE rsvp_replies ADD COLUMN settled_at timestamptz;
