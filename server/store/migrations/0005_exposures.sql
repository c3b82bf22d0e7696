-- For how long hosts lacked the answer to an advisory that was on offer to them; ended is 0 while
-- they still do.
CREATE TABLE exposures (
	host     TEXT   NOT NULL REFERENCES hosts (id),
	advisory TEXT   NOT NULL,
	since    BIGINT NOT NULL,
	ended    BIGINT NOT NULL,
	PRIMARY KEY (host, advisory, since)
);
CREATE INDEX exposures_ended ON exposures (ended);

-- Which advisories each package of a patch set answered on some host when the set was made.
CREATE TABLE set_answers (
	patch_set TEXT NOT NULL,
	package   TEXT NOT NULL,
	advisory  TEXT NOT NULL,
	PRIMARY KEY (patch_set, package, advisory)
);
