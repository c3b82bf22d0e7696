-- Between which commits policy came to want what it wants: from_commit and this one.
ALTER TABLE events ADD COLUMN to_commit TEXT NOT NULL DEFAULT '';
-- What else was true of a host while an interval lasted; not known of intervals before this.
ALTER TABLE intervals ADD COLUMN problem TEXT NOT NULL DEFAULT '';
ALTER TABLE intervals ADD COLUMN audit BIGINT NOT NULL DEFAULT 0;
ALTER TABLE intervals ADD COLUMN expired BIGINT NOT NULL DEFAULT 0;
