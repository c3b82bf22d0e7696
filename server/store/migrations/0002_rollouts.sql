-- How far each release is on its way through the rings; state is JSON that package rollout reads.
CREATE TABLE rollouts (
	release BIGINT NOT NULL PRIMARY KEY,
	state   TEXT   NOT NULL,
	updated BIGINT NOT NULL
);
