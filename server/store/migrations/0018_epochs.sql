-- How far the newest epoch of a host has come is told by the row of the host alone. epochs tells it of those that were left.
-- Programs before this one would count reports of such an epoch again: the number of this step keeps them out.
-- Intervals that last still are in no index of when they ended: each begins as one of these.
DROP INDEX intervals_ended;
CREATE INDEX intervals_ended ON intervals (status, until) WHERE until <> 0;
