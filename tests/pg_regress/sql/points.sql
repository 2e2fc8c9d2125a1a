-- timedb.points: text and binary forms, and the pieces that make, open and merge the packed vector.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set refused :folder /include/refused.sql
\set topic points
\i :two_tenants

-- A regular grid is a start and a step; its text is complete and comes back as it was.
SELECT timedb.make_points('{2025-01-01 00:00Z, 2025-01-01 01:00Z, 2025-01-01 02:00Z}', '{20, 20.5, 21}');
-- Irregular times are listed; the arrays come in any order.
SELECT timedb.make_points('{2025-01-01 02:00Z, 2025-01-01 00:00Z, 2025-01-01 00:07Z}', '{3, 1, 2}');
-- Intervals: of one length, or each with its own end or none.
SELECT timedb.make_points('{2025-01-01, 2025-01-02}', '{1, 2}', '{2025-01-02, 2025-01-03}');
SELECT timedb.make_points('{2025-01-01, 2025-01-01, 2025-01-01}', '{1, 2, 3}', '{2025-01-03, NULL, 2025-01-02}');
-- One value, and none.
SELECT timedb.make_points('{2025-01-01 12:34:56.789012}', '{1}');
SELECT timedb.make_points('{}', '{}');
-- A null is no NaN, and every float comes back bit for bit.
SELECT timedb.make_points(
  '{2025-01-01, 2025-01-02, 2025-01-03, 2025-01-04, 2025-01-05, 2025-01-06, 2025-01-07}',
  '{NaN, NULL, -0, Infinity, -Infinity, 5e-324, 0.1}') AS points \gset
SELECT :'points'::timedb.points AS points;
SELECT valid_time::date AS day, value, encode(float8send(value), 'hex') AS bits
FROM timedb.unnest_points(:'points');
SELECT encode(float8send(value), 'hex') AS bits
FROM timedb.unnest_points('{"start": "2025-01-01", "step": "PT1H", "values": ["NaN", "NaN:7ff8000000000001", -0.0, 1e23]}');

-- Opened, counted, bounded.
SELECT * FROM timedb.unnest_points('{"times": ["2025-01-01", "2025-01-01", "2025-01-02T12:00:00Z"], "ends": [null, "2025-01-02", null], "values": [1, null, 3]}');
SELECT timedb.count_points(:'points'), timedb.count_points('{"values": []}') AS none;
SELECT * FROM timedb.bound_points(:'points');
SELECT * FROM timedb.bound_points('{"values": []}');
SELECT timedb.count_points(NULL), timedb.bound_points(NULL), (SELECT count(*) FROM timedb.unnest_points(NULL));

-- Merged: per time and end, the value of the latest known_time, then run, then change_time; a null is a value too.
CREATE TEMP TABLE version (points timedb.points, known timestamptz, change timestamptz, run uuid);
INSERT INTO version VALUES
  ('{"start": "2025-01-01T00:00:00Z", "step": "PT1H", "values": [10, 11, 12]}', '2025-01-01', '2025-01-01', '00000000-0000-0000-0000-000000000001'),
  ('{"start": "2025-01-01T01:00:00Z", "step": "PT1H", "values": [21, null, 23]}', '2025-01-02', '2025-01-02', '00000000-0000-0000-0000-000000000002'),
  ('{"start": "2025-01-01T00:00:00Z", "values": [30]}', '2025-01-01', '2025-01-03', '00000000-0000-0000-0000-000000000001'),
  ('{"start": "2025-01-01T03:00:00Z", "values": [43]}', '2025-01-02', '2025-01-02', '00000000-0000-0000-0000-000000000003'),
  ('{"start": "2025-01-01T03:00:00Z", "values": [53]}', '2025-01-02', '2025-01-04', '00000000-0000-0000-0000-000000000002'),
  ('{"start": "2025-01-01T00:00:00Z", "length": "PT1H", "values": [50]}', '2025-01-01', '2025-01-01', '00000000-0000-0000-0000-000000000001'),
  (NULL, NULL, NULL, NULL);
SELECT u.* FROM (SELECT timedb.merge_points(points, known, change, run) AS merged FROM version) m, timedb.unnest_points(m.merged) u;
SELECT timedb.merge_points(points, known, change, run ORDER BY known DESC, change DESC)::text
       = timedb.merge_points(points, known, change, run)::text AS any_order FROM version;
SELECT timedb.merge_points(points, known, change, run) FROM version WHERE points IS NULL;
SELECT timedb.merge_points(points, known, change, run) FROM version WHERE false;
SELECT timedb.merge_points('{"values": []}', '2025-01-01', '2025-01-01', '00000000-0000-0000-0000-000000000001');

-- The binary form: what is sent is received again, bit for bit.
\getenv output PG_ABS_BUILDDIR
\set file :output /results/points.bin
\setenv FILE :file
CREATE TEMP TABLE sent (points timedb.points);
CREATE TEMP TABLE received (points timedb.points);
INSERT INTO sent VALUES (:'points'), (NULL), ('{"values": []}'), ('{"times": ["2025-01-01", "2025-01-01"], "ends": [null, "2025-01-02"], "values": [1, null]}');
\copy sent TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
SELECT points FROM received;

-- Its bytes: version, flags, count, start, value. Whatever packing never writes is refused.
CREATE TEMP TABLE bytes (bytes bytea);
INSERT INTO bytes VALUES ('\x01000100000000000000f03f');
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
SELECT points FROM received OFFSET 4;
-- Truncated.
UPDATE bytes SET bytes = substr(bytes, 1, 10);
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
-- From here on the SQLSTATE instead of the message.
\set VERBOSITY sqlstate
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
-- Nothing at all.
UPDATE bytes SET bytes = '\x';
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
-- Another version.
UPDATE bytes SET bytes = '\x0200010000000000000000000000000000f03f';
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
-- An encoding of values that is not known.
UPDATE bytes SET bytes = '\x01300100000000000000f03f';
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
-- A kind of ends that is not known.
UPDATE bytes SET bytes = '\x01060100000000000000f03f';
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
-- A byte too many.
UPDATE bytes SET bytes = '\x01000100000000000000f03f00';
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
-- A null that is announced and not marked.
UPDATE bytes SET bytes = '\x0108010000000000000000f03f';
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
-- Times that do not ascend.
UPDATE bytes SET bytes = '\x0100020000000000000000f03f000000000000f03f';
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
-- A count of 2^40, which the bytes do not hold.
UPDATE bytes SET bytes = '\x01008080808080200001000000000000f03f';
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
-- A start beyond the year 9999.
UPDATE bytes SET bytes = '\x0100018080d194b574000000000000f03f';
\copy bytes TO PROGRAM 'cat > "$FILE"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'cat "$FILE"' WITH (FORMAT binary)
\set VERBOSITY default
\! rm "$FILE"
SELECT count(*) FROM received;

-- Text that does not fit together is refused, so that no typing error becomes data.
\i :refused
SELECT t.text, r.* FROM (VALUES
  (1, ''),
  (2, '[]'),
  (3, 'null'),
  (4, '{}'),
  (5, '{"values": [1]}'),
  (6, '{"values": [1], "step": "PT1H"}'),
  (7, '{"start": "2025-01-01", "values": [1, 2]}'),
  (8, '{"start": "2025-01-01", "times": ["2025-01-01"], "values": [1]}'),
  (9, '{"times": ["2025-01-01"], "step": "PT1H", "values": [1]}'),
  (10, '{"times": ["2025-01-01"], "values": [1, 2]}'),
  (11, '{"times": ["2025-01-01"], "ends": [], "values": [1]}'),
  (12, '{"times": ["2025-01-01"], "ends": [null], "length": "PT1H", "values": [1]}'),
  (13, '{"times": ["2025-01-02", "2025-01-01"], "values": [1, 2]}'),
  (14, '{"times": ["2025-01-01", "2025-01-01"], "values": [1, 2]}'),
  (15, '{"times": ["2025-01-02"], "ends": ["2025-01-02"], "values": [1]}'),
  (16, '{"start": "2025-01-01", "step": "PT0S", "values": [1, 2]}'),
  (17, '{"start": "9999-12-31", "step": "PT24H", "values": [1, 2]}')
) t(number, text), pg_temp.refused(format('SELECT %L::timedb.points', t.text)) r ORDER BY t.number;
-- Here the words are partly those of the JSON reader.
SELECT t.text, r.code FROM (VALUES
  (1, '{"start": "2025-01-01", "values": [1]'),
  (2, '{"start": "2025-01-01", "values": [1]} x'),
  (3, '{"start": "2025-01-01", "values": [1], "unit": "m"}'),
  (4, '{"start": "2025-01-01", "values": [1], "values": [1]}'),
  (5, '{"start": "2025-01-01", "values": ["1"]}'),
  (6, '{"start": "2025-01-01", "values": [true]}'),
  (7, '{"start": "2025-01-01", "values": [1e400]}'),
  (8, '{"start": "now", "values": [1]}'),
  (9, '{"start": "infinity", "values": [1]}'),
  (10, '{"start": "2025-01-01T00:00:00.0000001Z", "values": [1]}'),
  (11, '{"start": "2025-01-01", "step": "1 hour", "values": [1, 2]}')
) t(number, text), pg_temp.refused(format('SELECT %L::timedb.points', t.text)) r ORDER BY t.number;

-- Arrays that make no points.
SELECT t.call, r.* FROM (VALUES
  (1, $$timedb.make_points(NULL, '{}')$$),
  (2, $$timedb.make_points('{}', NULL)$$),
  (3, $$timedb.make_points('{2025-01-01}', '{}')$$),
  (4, $$timedb.make_points('{2025-01-01}', '{1}', '{}')$$),
  (5, $$timedb.make_points('{2025-01-01, NULL}', '{1, 2}')$$),
  (6, $$timedb.make_points('{2025-01-01, infinity}', '{1, 2}')$$),
  (7, $$timedb.make_points('{2025-01-01}', '{1}', '{infinity}')$$),
  (8, $$timedb.make_points('{10000-01-01}', '{1}')$$)
) t(number, call), pg_temp.refused('SELECT ' || t.call) r ORDER BY t.number;
SELECT t.call, r.code FROM (VALUES
  (1, $$timedb.make_points('{2025-01-01, 2025-01-02, 2025-01-01}', '{1, 2, 3}')$$),
  (2, $$timedb.make_points('{2025-01-01}', '{1}', '{2025-01-01}')$$)
) t(number, call), pg_temp.refused('SELECT ' || t.call) r ORDER BY t.number;

-- Merging asks for all three: when it was known, when it was written, and by which run.
SELECT r.* FROM (VALUES
  (1, 'NULL, now(), gen_random_uuid()'), (2, 'now(), NULL, gen_random_uuid()'), (3, 'now(), now(), NULL')
) t(number, rank), pg_temp.refused(format('SELECT timedb.merge_points(%L, %s)', '{"values": []}', t.rank)) r ORDER BY t.number;
