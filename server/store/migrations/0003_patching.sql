-- What a host is offered, and what its policy says about patching: digests of objects.
ALTER TABLE hosts ADD COLUMN offers TEXT NOT NULL DEFAULT '';
ALTER TABLE hosts ADD COLUMN terms TEXT NOT NULL DEFAULT '';
-- The terms of hosts that are there already come with the next verification.
UPDATE hosts SET verified = 0 WHERE revoked = 0 AND catalog <> '';

-- When each version was first on offer to any host; ages are counted from it.
CREATE TABLE versions (
	manager    TEXT   NOT NULL,
	repository TEXT   NOT NULL,
	package    TEXT   NOT NULL,
	version    TEXT   NOT NULL,
	first_seen BIGINT NOT NULL,
	security   BIGINT NOT NULL,
	PRIMARY KEY (manager, repository, package, version)
);

-- content is the advisory as JSON; first_seen stays when it is imported again.
CREATE TABLE advisories (
	id         TEXT   NOT NULL PRIMARY KEY,
	feed       TEXT   NOT NULL,
	severity   TEXT   NOT NULL,
	exploited  BIGINT NOT NULL,
	published  BIGINT NOT NULL,
	first_seen BIGINT NOT NULL,
	content    TEXT   NOT NULL
);
CREATE INDEX advisories_published ON advisories (published, id);

CREATE TABLE advisory_packages (
	package  TEXT NOT NULL,
	advisory TEXT NOT NULL REFERENCES advisories (id) ON DELETE CASCADE,
	PRIMARY KEY (package, advisory)
);
CREATE INDEX advisory_packages_advisory ON advisory_packages (advisory);
