-- When the resource of an event was last seen as it should be; 0 is not known, as for all before this.
ALTER TABLE events ADD COLUMN checked BIGINT NOT NULL DEFAULT 0;
