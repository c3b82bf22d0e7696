-- PostgreSQL puts a row beside its old version, and touches no index, when no column that an index names changes and the
-- page has room. The result is another with each report of a change.
{{postgres}}DROP INDEX hosts_standing;
{{postgres}}ALTER TABLE hosts SET (fillfactor = 60);
-- Results come compressed: up to a page they stay where their row is, not in pieces in a table of its own.
{{postgres}}ALTER TABLE objects ALTER COLUMN content SET STORAGE EXTERNAL;
{{postgres}}ALTER TABLE objects SET (toast_tuple_target = 8160);
