-- Alerts of which another one tells: many of a kind at once are told as one.
ALTER TABLE episodes ADD COLUMN gathered BIGINT NOT NULL DEFAULT 0;
CREATE INDEX episodes_closed ON episodes (closed) WHERE closed > 0;
