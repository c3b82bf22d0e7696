-- What hosts say with every call has rows of its own, which are small: rows of hosts then change only with what
-- reports and people say, so that heartbeats cost less, and PostgreSQL can count hosts by indexes alone.
CREATE TABLE beats (
	host      TEXT   NOT NULL PRIMARY KEY REFERENCES hosts (id),
	last_seen BIGINT NOT NULL,
	agent     TEXT   NOT NULL DEFAULT '',
	counter   BIGINT NOT NULL DEFAULT 0,
	floor     BIGINT NOT NULL DEFAULT 0,
	paused    TEXT   NOT NULL DEFAULT '',
	-- 1 while the host is marked silent, and once it is revoked: a heartbeat alone does not change that.
	silent    BIGINT NOT NULL DEFAULT 0
);
-- Room for the next heartbeat beside the last one.
{{postgres}}ALTER TABLE beats SET (fillfactor = 50);
INSERT INTO beats (host, last_seen, agent, counter, floor, paused, silent)
	SELECT id, last_seen, agent, counter, floor, paused, CASE WHEN status = 'stale' OR revoked <> 0 THEN 1 ELSE 0 END FROM hosts ORDER BY id;
ALTER TABLE hosts DROP COLUMN last_seen;
ALTER TABLE hosts DROP COLUMN agent;
ALTER TABLE hosts DROP COLUMN counter;
ALTER TABLE hosts DROP COLUMN floor;
ALTER TABLE hosts DROP COLUMN paused;
