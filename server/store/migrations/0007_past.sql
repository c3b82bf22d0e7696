-- What figures leave out of the past is told by the index alone.
DROP INDEX events_host;
CREATE INDEX events_host ON events (host, id, at, kind);
DROP INDEX intervals_host;
CREATE INDEX intervals_host ON intervals (host, since, id, until);
