-- Events of one report that follow each other and differ in nothing but the resource and what changed about it are
-- one row: resources tells how many, address lists them, a line each, and changes is a list of lists.
ALTER TABLE events ADD COLUMN resources BIGINT NOT NULL DEFAULT 1;
-- Where such rows may be found: those of a block have an ID that is the block's number times 256 or up to 255 more. key is
-- an address, or the beginning of those of one policy.
CREATE TABLE event_blocks (
	key   TEXT   NOT NULL,
	block BIGINT NOT NULL,
	PRIMARY KEY (key, block)
){{keyed}};
DROP INDEX events_address;
CREATE INDEX events_address ON events (address, id) WHERE resources = 1;
-- Most events are repairs of what drifted. Questions about all other ones need not step over them.
DROP INDEX events_kind;
CREATE INDEX events_kind ON events (kind, id) WHERE kind <> 'repaired';
DROP INDEX events_release;
CREATE INDEX events_release ON events (release, kind, cause, host) WHERE cause <> 'corrective';
CREATE INDEX events_repaired ON events (release, cause, resources) WHERE kind = 'repaired';
-- Rows of hosts are never deleted, so nothing is gained by looking each of them up. SQLite cannot drop that.
{{postgres}}ALTER TABLE events DROP CONSTRAINT events_host_fkey;
{{postgres}}ALTER TABLE intervals DROP CONSTRAINT intervals_host_fkey;
{{postgres}}ALTER TABLE epochs DROP CONSTRAINT epochs_host_fkey;
