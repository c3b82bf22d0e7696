-- Patch cycles: how far each is on its way through the rings of its rollout. Cycles count from 1
-- for each rollout; state is JSON that package rollout reads, patch_set the digest of an object.
CREATE TABLE cycles (
	rollout   TEXT   NOT NULL,
	number    BIGINT NOT NULL,
	patch_set TEXT   NOT NULL,
	made      BIGINT NOT NULL,
	state     TEXT   NOT NULL,
	updated   BIGINT NOT NULL,
	PRIMARY KEY (rollout, number)
);

-- How each host stands with each rollout that carries patches, as of its newest report: detail is
-- policies.Patched as JSON.
CREATE TABLE patch_hosts (
	host      TEXT   NOT NULL REFERENCES hosts (id),
	rollout   TEXT   NOT NULL,
	ring      TEXT   NOT NULL,
	cycle     BIGINT NOT NULL,
	patch_set TEXT   NOT NULL,
	status    TEXT   NOT NULL,
	phase     TEXT   NOT NULL,
	reboot    BIGINT NOT NULL,
	message   TEXT   NOT NULL,
	detail    TEXT   NOT NULL,
	since     BIGINT NOT NULL,
	PRIMARY KEY (host, rollout)
);
CREATE INDEX patch_hosts_rollout ON patch_hosts (rollout, cycle, status);
CREATE INDEX patch_hosts_reboot ON patch_hosts (host) WHERE reboot = 1;
