-- From 0.1.0 to 0.2.0: afterwards the catalog is the one that the install script makes, down to the order of columns.
-- Every statement is harmless where it has run before: what 0.1.0 has is altered IF [NOT] EXISTS or made by CREATE OR
-- REPLACE, what is new is made in a DO block that looks for it first. Owners come before grants, as in the install script.

-- No name below may be captured by an object of the database that is updated.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Its plans are kept, and may have been made on empty tables: as the other functions that write, without scans of whole ones.
ALTER FUNCTION timedb.compact(uuid[], interval) SET enable_seqscan = off;
