-- What people look for in facts, which are large and packed: one row for each facts object.
CREATE TABLE briefs (
	facts TEXT NOT NULL PRIMARY KEY,
	os    TEXT NOT NULL,
	words TEXT NOT NULL
);
