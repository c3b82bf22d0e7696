-- Alerts: each row is one episode, from when something needed a person until it no longer did.
-- cleared is since when it is out of sight, 0 while it is in sight; closed is 0 until it was for long enough.
CREATE TABLE episodes (
	id       {{id}},
	key      TEXT   NOT NULL,
	kind     TEXT   NOT NULL,
	subject  TEXT   NOT NULL,
	severity TEXT   NOT NULL,
	detail   TEXT   NOT NULL,
	opened   BIGINT NOT NULL,
	cleared  BIGINT NOT NULL,
	closed   BIGINT NOT NULL,
	returns  BIGINT NOT NULL
);
-- A thing has one open episode at the most, whatever two writers think.
CREATE UNIQUE INDEX episodes_open ON episodes (key) WHERE closed = 0;
CREATE INDEX episodes_kind ON episodes (kind) WHERE closed = 0;

-- What each receiver is to be told, and how that went; episode is 0 for a test. next is when to try again.
CREATE TABLE deliveries (
	id       {{id}},
	sink     TEXT   NOT NULL,
	episode  BIGINT NOT NULL,
	what     TEXT   NOT NULL,
	token    TEXT   NOT NULL UNIQUE,
	state    TEXT   NOT NULL,
	attempts BIGINT NOT NULL,
	made     BIGINT NOT NULL,
	next     BIGINT NOT NULL,
	done     BIGINT NOT NULL,
	answer   TEXT   NOT NULL,
	ref      TEXT   NOT NULL
);
CREATE INDEX deliveries_episode ON deliveries (episode, sink, id);
CREATE INDEX deliveries_pending ON deliveries (sink, id) WHERE state = 'pending';
CREATE INDEX deliveries_done ON deliveries (done) WHERE state <> 'pending';

-- What alerts look for every few seconds.
CREATE INDEX findings_severe ON findings (host) WHERE severity IN ('critical', 'high');
