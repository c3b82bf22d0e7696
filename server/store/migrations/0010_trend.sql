-- How hosts stood at past instants is counted by when intervals of a status began and ended.
CREATE INDEX intervals_began ON intervals (status, since);
CREATE INDEX intervals_ended ON intervals (status, until);
-- Hosts that stand alike are counted at once. None of these columns moves with a heartbeat.
CREATE INDEX hosts_standing ON hosts (catalog, result, status, id) WHERE revoked = 0;
