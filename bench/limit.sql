-- limit: the floor for timedb's own writes. Its table with the same columns, checks and indexes, and nothing else.

CREATE SCHEMA bare;
CREATE TABLE bare.values (LIKE timedb.values INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES);
