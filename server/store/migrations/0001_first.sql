-- Times are milliseconds since 1970 in UTC, 0 for never. Booleans are 0 and 1. JSON is TEXT.
-- TEXT sorts by its bytes. Words in {{}} differ between SQLite and PostgreSQL.

CREATE TABLE hosts (
	id         TEXT   NOT NULL PRIMARY KEY,
	name       TEXT   NOT NULL,
	labels     TEXT   NOT NULL,
	key        TEXT   NOT NULL UNIQUE,
	enrolled   BIGINT NOT NULL,
	revoked    BIGINT NOT NULL DEFAULT 0,
	revoked_by TEXT   NOT NULL DEFAULT '',
	last_seen  BIGINT NOT NULL,
	agent      TEXT   NOT NULL DEFAULT '',
	counter    BIGINT NOT NULL DEFAULT 0,
	floor      BIGINT NOT NULL DEFAULT 0,
	paused     TEXT   NOT NULL DEFAULT '',
	epoch      TEXT   NOT NULL DEFAULT '',
	seq        BIGINT NOT NULL DEFAULT 0,
	release    BIGINT NOT NULL DEFAULT 0,
	commit_id  TEXT   NOT NULL DEFAULT '',
	facts      TEXT   NOT NULL DEFAULT '',
	catalog    TEXT   NOT NULL DEFAULT '',
	result     TEXT   NOT NULL DEFAULT '',
	expected   TEXT   NOT NULL DEFAULT '',
	mismatch   BIGINT NOT NULL DEFAULT 0,
	verified   BIGINT NOT NULL DEFAULT 1,
	since      BIGINT NOT NULL,
	ran        BIGINT NOT NULL DEFAULT 0,
	status     TEXT   NOT NULL,
	found      TEXT   NOT NULL,
	counts     TEXT   NOT NULL DEFAULT '{}',
	audit      BIGINT NOT NULL DEFAULT 0,
	stale      BIGINT NOT NULL DEFAULT 0,
	problem    TEXT   NOT NULL DEFAULT '',
	boot_id    TEXT   NOT NULL DEFAULT ''
);
-- A revoked host gives its name free. None of these columns moves with a heartbeat.
CREATE UNIQUE INDEX hosts_name ON hosts (name) WHERE revoked = 0;
CREATE INDEX hosts_status ON hosts (status, name) WHERE revoked = 0;
CREATE INDEX hosts_release ON hosts (release) WHERE revoked = 0;
CREATE INDEX hosts_revoked ON hosts (id) WHERE revoked <> 0;
CREATE INDEX hosts_mismatch ON hosts (name) WHERE mismatch = 1;
CREATE INDEX hosts_problem ON hosts (name) WHERE problem <> '';
CREATE INDEX hosts_unverified ON hosts (id) WHERE verified = 0;

CREATE TABLE host_labels (
	label TEXT NOT NULL,
	value TEXT NOT NULL,
	host  TEXT NOT NULL REFERENCES hosts (id),
	PRIMARY KEY (label, value, host)
);

-- How far each epoch of a host is stored: what makes a report count once.
CREATE TABLE epochs (
	host  TEXT   NOT NULL REFERENCES hosts (id),
	epoch TEXT   NOT NULL,
	seq   BIGINT NOT NULL,
	PRIMARY KEY (host, epoch)
);

CREATE TABLE intervals (
	id           {{id}},
	host         TEXT   NOT NULL REFERENCES hosts (id),
	since        BIGINT NOT NULL,
	until        BIGINT NOT NULL DEFAULT 0,
	last_checkin BIGINT NOT NULL,
	release      BIGINT NOT NULL,
	commit_id    TEXT   NOT NULL,
	catalog      TEXT   NOT NULL,
	facts        TEXT   NOT NULL,
	result       TEXT   NOT NULL,
	status       TEXT   NOT NULL,
	counts       TEXT   NOT NULL
);
CREATE INDEX intervals_host ON intervals (host, since, id);

CREATE TABLE events (
	id          {{id}},
	host        TEXT   NOT NULL REFERENCES hosts (id),
	seq         BIGINT NOT NULL,
	at          BIGINT NOT NULL,
	kind        TEXT   NOT NULL,
	address     TEXT   NOT NULL,
	cause       TEXT   NOT NULL,
	status      TEXT   NOT NULL,
	before      TEXT   NOT NULL,
	changes     TEXT   NOT NULL,
	release     BIGINT NOT NULL,
	commit_id   TEXT   NOT NULL,
	from_commit TEXT   NOT NULL,
	message     TEXT   NOT NULL
);
CREATE INDEX events_host ON events (host, id);
CREATE INDEX events_address ON events (address, id);
CREATE INDEX events_kind ON events (kind, id);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_release ON events (release, kind, cause, host);

CREATE TABLE findings (
	host     TEXT   NOT NULL REFERENCES hosts (id),
	address  TEXT   NOT NULL,
	status   TEXT   NOT NULL,
	since    BIGINT NOT NULL,
	severity TEXT   NOT NULL,
	detail   TEXT   NOT NULL,
	PRIMARY KEY (host, address)
);
CREATE INDEX findings_address ON findings (address, host);

CREATE TABLE finding_controls (
	control TEXT NOT NULL,
	host    TEXT NOT NULL,
	address TEXT NOT NULL,
	PRIMARY KEY (control, host, address),
	FOREIGN KEY (host, address) REFERENCES findings (host, address) ON DELETE CASCADE
);
CREATE INDEX finding_controls_finding ON finding_controls (host, address);

CREATE TABLE objects (
	kind    TEXT   NOT NULL,
	digest  TEXT   NOT NULL,
	coding  TEXT   NOT NULL,
	content {{blob}} NOT NULL,
	stored  BIGINT NOT NULL,
	PRIMARY KEY (kind, digest)
);

-- What each host was asked for: it may put nothing else.
CREATE TABLE wants (
	host   TEXT   NOT NULL REFERENCES hosts (id),
	digest TEXT   NOT NULL,
	kind   TEXT   NOT NULL,
	asked  BIGINT NOT NULL,
	PRIMARY KEY (host, digest)
);

CREATE TABLE releases (
	number      BIGINT NOT NULL PRIMARY KEY,
	commit_id   TEXT   NOT NULL,
	subject     TEXT   NOT NULL,
	author      TEXT   NOT NULL,
	committed   BIGINT NOT NULL,
	made        BIGINT NOT NULL,
	tag         TEXT   NOT NULL,
	bundle      TEXT   NOT NULL,
	size        BIGINT NOT NULL,
	rollback_to BIGINT NOT NULL,
	signer      TEXT   NOT NULL,
	key         TEXT   NOT NULL,
	trial       BIGINT NOT NULL,
	signers     TEXT   NOT NULL
);

CREATE TABLE tokens (
	id         TEXT   NOT NULL PRIMARY KEY,
	hash       TEXT   NOT NULL UNIQUE,
	role       TEXT   NOT NULL,
	name       TEXT   NOT NULL,
	labels     TEXT   NOT NULL,
	created    BIGINT NOT NULL,
	expires    BIGINT NOT NULL,
	used       BIGINT NOT NULL,
	used_by    TEXT   NOT NULL,
	created_by TEXT   NOT NULL,
	revoked    BIGINT NOT NULL
);

CREATE TABLE authors (
	name        TEXT   NOT NULL PRIMARY KEY,
	key         TEXT   NOT NULL,
	fingerprint TEXT   NOT NULL UNIQUE,
	added       BIGINT NOT NULL,
	added_by    TEXT   NOT NULL
);

CREATE TABLE sign_ins (
	hash    TEXT   NOT NULL PRIMARY KEY,
	role    TEXT   NOT NULL,
	name    TEXT   NOT NULL,
	expires BIGINT NOT NULL
);

CREATE TABLE sessions (
	hash    TEXT   NOT NULL PRIMARY KEY,
	role    TEXT   NOT NULL,
	name    TEXT   NOT NULL,
	expires BIGINT NOT NULL
);

CREATE TABLE settings (
	key   TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
);

CREATE TABLE acts (
	id     {{id}},
	at     BIGINT NOT NULL,
	who    TEXT   NOT NULL,
	what   TEXT   NOT NULL,
	detail TEXT   NOT NULL
);
