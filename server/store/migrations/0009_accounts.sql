-- People who sign in: with a password, or by a provider; then issuer and subject are who they are, and
-- the name is only what they are called here. password is a PHC string, '' while there is none.
CREATE TABLE accounts (
	name       TEXT   NOT NULL PRIMARY KEY,
	role       TEXT   NOT NULL,
	issuer     TEXT   NOT NULL,
	subject    TEXT   NOT NULL,
	password   TEXT   NOT NULL,
	created    BIGINT NOT NULL,
	created_by TEXT   NOT NULL,
	changed    BIGINT NOT NULL,
	signed_in  BIGINT NOT NULL,
	disabled   BIGINT NOT NULL
);
CREATE UNIQUE INDEX accounts_subject ON accounts (issuer, subject) WHERE issuer <> '';

-- Links by which a person sets the password of an account: each works once.
CREATE TABLE account_links (
	hash    TEXT   NOT NULL PRIMARY KEY,
	account TEXT   NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
	expires BIGINT NOT NULL
);
CREATE INDEX account_links_account ON account_links (account);

-- A session without an account was opened by a link of the administrator's.
ALTER TABLE sessions ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN created BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN browser TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_account ON sessions (account, name);
