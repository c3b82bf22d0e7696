-- Who changed a resource, as far as the host's kernel told; and what two managers fight for.
ALTER TABLE events ADD COLUMN writer TEXT NOT NULL DEFAULT '';
ALTER TABLE findings ADD COLUMN flapping BIGINT NOT NULL DEFAULT 0;
CREATE INDEX findings_flapping ON findings (host) WHERE flapping = 1;
