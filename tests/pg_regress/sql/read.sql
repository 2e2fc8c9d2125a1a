-- read: what is known now, what was known then, and every version of it.
--
-- An uploaded value says where it is from: the first digit is the run, the second the hour it is about.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set topic read
\i :two_tenants
SELECT email FROM timedb.authenticate(:'alice_key');

-- Three forecasts of one series, an hour apart and overlapping, and a series in another unit.
SELECT run_id AS run1, series_ids->>'wind' AS wind FROM timedb.upload('2025-01-01 00:00', known_time => '2025-01-01 00:00', value_rows => '[
  {"value_key": "wind", "valid_time": "2025-01-01 01:00", "value": 11},
  {"value_key": "wind", "valid_time": "2025-01-01 02:00", "value": 12},
  {"value_key": "wind", "valid_time": "2025-01-01 03:00", "value": 13}]') \gset
SELECT run_id AS run2 FROM timedb.upload('2025-01-01 01:00', known_time => '2025-01-01 01:00', value_rows => '[
  {"value_key": "wind", "valid_time": "2025-01-01 02:00", "value": 22},
  {"value_key": "wind", "valid_time": "2025-01-01 03:00", "value": null},
  {"value_key": "wind", "valid_time": "2025-01-01 04:00", "value": 24}]') \gset
SELECT run_id AS run3 FROM timedb.upload('2025-01-01 02:00', known_time => '2025-01-01 02:00', value_rows => '[
  {"value_key": "wind", "valid_time": "2025-01-01 04:00", "value": 34},
  {"value_key": "price", "valid_time": "2025-01-01 04:00", "value": 34}]') \gset
SELECT timedb.create_series('price', 'EUR/MWh') AS price \gset

-- Flat: for each valid time the value of the run known last, a null too.
SELECT series_key, unit, valid_time, value, known_time FROM timedb.read();
-- Overlapping: the value of every run.
SELECT series_key, valid_time, value, known_time FROM timedb.read(mode => 'overlapping');

-- Windows are [start, end), of valid and of known time; NULL is open.
SELECT valid_time, value FROM timedb.read('2025-01-01 02:00', '2025-01-01 04:00');
SELECT valid_time, value FROM timedb.read(start_valid => '2025-01-01 04:00', series_keys => '{wind}');
SELECT valid_time, value FROM timedb.read(end_valid => '2025-01-01 02:00');
SELECT valid_time, value FROM timedb.read(start_valid => '2025-01-01 03:00', end_valid => '2025-01-01 03:00');
SELECT valid_time, value FROM timedb.read(start_valid => '2025-01-01 03:00', end_valid => '2025-01-01 02:00');
-- What was known before 02:00.
SELECT valid_time, value FROM timedb.read(end_known => '2025-01-01 02:00');
SELECT valid_time, value FROM timedb.read(start_known => '2025-01-01 01:00', end_known => '2025-01-01 02:00');
SELECT valid_time, value FROM timedb.read('2025-01-01 02:00', '2025-01-01 03:00', '2025-01-01 00:00', '2025-01-01 02:00', 'overlapping');
-- An argument without a zone is in the session's time zone.
SET timezone = 'Europe/Oslo';
SELECT valid_time, value FROM timedb.read('2025-01-01 02:00', '2025-01-01 03:00', mode => 'overlapping');
RESET timezone;

-- A backfill is known when it says, not when it was written.
SELECT run_id AS run4 FROM timedb.upload('2025-01-01 00:30', known_time => '2025-01-01 00:30', value_rows => '[
  {"value_key": "wind", "valid_time": "2025-01-01 01:00", "value": 41},
  {"value_key": "wind", "valid_time": "2025-01-01 02:00", "value": 42}]') \gset
SELECT valid_time, value FROM timedb.read(series_keys => '{wind}');
SELECT valid_time, value FROM timedb.read(end_known => '2025-01-01 01:00');
-- Of two runs known at the same time the one uploaded last wins.
SELECT run_id AS run5 FROM timedb.upload('2025-01-01 00:30', known_time => '2025-01-01 00:30', value_rows => '[
  {"value_key": "wind", "valid_time": "2025-01-01 01:00", "value": 51}]') \gset
SELECT valid_time, value FROM timedb.read(end_known => '2025-01-01 01:00');
SELECT valid_time, value FROM timedb.read(end_valid => '2025-01-01 02:00', mode => 'overlapping');

-- An update is a new version of a value in its run: it is known when the run was, and what it does not say it carries on.
SELECT valid_time, status FROM timedb.update(format('[
  {"run_id": "%s", "series_id": "%s", "valid_time": "2025-01-01 03:00", "value": 23, "annotation": "was missing"}]', :'run2', :'wind')::json);
SELECT change_time AS tagged FROM timedb.update(format('[
  {"run_id": "%s", "series_id": "%s", "valid_time": "2025-01-01 03:00", "tags": ["late"]},
  {"run_id": "%s", "series_id": "%s", "valid_time": "2025-01-01 04:00", "value": 29}]', :'run2', :'wind', :'run2', :'wind')::json) LIMIT 1 \gset
SELECT valid_time, value, known_time, annotation, tags FROM timedb.read(series_keys => '{wind}');
-- An update of an older run does not hide a run known later: 04:00 is still 34, and 29 the older run's.
SELECT valid_time, value, known_time FROM timedb.read('2025-01-01 04:00', mode => 'overlapping', series_keys => '{wind}');
-- All versions: of the rows that would be shown, the earlier versions of the same run too.
SELECT valid_time, value, annotation, tags, change_time = :'tagged' AS tagged_then
FROM timedb.read('2025-01-01 03:00', all_versions => true, series_keys => '{wind}');
SELECT valid_time, value, annotation, tags FROM timedb.read('2025-01-01 03:00', mode => 'overlapping', all_versions => true, series_keys => '{wind}');
-- One change time a call and run, later than the one before.
SELECT count(DISTINCT change_time) = 3 AS three_changes FROM timedb.read(mode => 'overlapping', all_versions => true) WHERE run_id = :'run2';
SELECT last_change_time = :'tagged' AS last FROM timedb.runs WHERE run_id = :'run2';

-- as_of: what the database held at that moment.
SELECT valid_time, value, annotation, tags FROM timedb.read('2025-01-01 03:00', '2025-01-01 04:00', as_of => :'tagged');
SELECT valid_time, value, annotation, tags
FROM timedb.read('2025-01-01 03:00', '2025-01-01 04:00', as_of => :'tagged'::timestamptz - interval '1 microsecond');
SELECT last_change_time AS written4 FROM timedb.runs WHERE run_id = :'run4' \gset
SELECT valid_time, value FROM timedb.read(as_of => :'written4', series_keys => '{wind}', end_known => '2025-01-01 01:00');
SELECT valid_time, value FROM timedb.read(as_of => :'written4'::timestamptz - interval '1 microsecond', series_keys => '{wind}');
SELECT count(*) FROM timedb.read(as_of => '2025-01-01');
-- A run that says it is known later than that moment was not known then.
SELECT message FROM timedb.upload('2025-01-01', known_time => '2999-01-01', value_rows => '[
  {"value_key": "wind", "valid_time": "2025-01-01 05:00", "value": 65}]');
SELECT valid_time, value FROM timedb.read('2025-01-01 05:00');
SELECT valid_time, value FROM timedb.read('2025-01-01 05:00', as_of => clock_timestamp());

-- By key (every series of the key, whatever its labels), by id, or both together; {} is none, NULL all.
SELECT timedb.create_series('wind', 'm/s', labels => '{"site": "north"}') AS north \gset
SELECT message FROM timedb.upload('2025-01-01', format('[
  {"series_id": "%s", "valid_time": "2025-01-01 02:00", "value": 72},
  {"value_key": "Wind", "valid_time": "2025-01-01 02:00", "value": 72}]', :'north')::json, known_time => '2025-01-01');
SELECT series_key, series_id = :'north' AS north, valid_time, value FROM timedb.read(series_keys => '{wind}', end_valid => '2025-01-01 03:00');
SELECT series_key, unit, valid_time, value FROM timedb.read(series_ids => ARRAY[:'north', :'price']::uuid[]);
SELECT series_key, valid_time, value FROM timedb.read(series_keys => '{Wind, price}', series_ids => ARRAY[:'north']::uuid[]);
SELECT series_key, valid_time, value FROM timedb.read(series_keys => '{}', series_ids => ARRAY[:'north']::uuid[]);
SELECT count(*) FROM timedb.read(series_keys => '{}');
SELECT count(*) FROM timedb.read(series_ids => '{}');
SELECT count(*) FROM timedb.read(series_keys => '{}', series_ids => '{}');
SELECT count(*) = (SELECT count(*) FROM timedb.read()) AS all_of_them FROM timedb.read(series_keys => NULL, series_ids => NULL);
-- Neither what nobody has nor what another tenant has adds a row, and neither is an error.
SELECT count(*) FROM timedb.read(series_keys => '{theirs, nobodys}', series_ids => ARRAY[:'their_series', :'absent']::uuid[]);

-- Order: key (as bytes), series, valid time, end (none first), known time, change time, run.
SELECT message FROM timedb.upload('2025-01-01', known_time => '2025-01-01', value_rows => '[
  {"value_key": "Wind", "valid_time": "2025-01-01 06:00", "valid_time_end": "2025-01-01 08:00", "value": 3},
  {"value_key": "Wind", "valid_time": "2025-01-01 06:00", "valid_time_end": "2025-01-01 07:00", "value": 2},
  {"value_key": "Wind", "valid_time": "2025-01-01 06:00", "value": 1}]');
SELECT series_key, valid_time, valid_time_end, value FROM timedb.read('2025-01-01 06:00');
WITH answer AS (
  SELECT row_number() OVER () AS place, r.* FROM timedb.read(mode => 'overlapping', all_versions => true) r)
SELECT count(*) AS rows, bool_and(place = rank) AS in_order
FROM (SELECT place, row_number() OVER (ORDER BY series_key COLLATE "C", series_id, valid_time, valid_time_end NULLS FIRST,
                                                 known_time, change_time, run_id) AS rank FROM answer) ranked;
-- A window compares the start of an interval.
SELECT valid_time, valid_time_end, value FROM timedb.read('2025-01-01 06:30');

-- The view: the current value of every run, for people and BI tools.
SELECT count(*) = (SELECT count(*) FROM timedb.read(mode => 'overlapping')) AS as_many FROM timedb.current_values;
(SELECT * FROM timedb.current_values) EXCEPT (SELECT known_time, valid_time, valid_time_end, series_id, series_key, unit,
  value, run_id, change_time, changed_by, annotation, tags, labels FROM timedb.read(mode => 'overlapping'));
SELECT valid_time, value, annotation, tags FROM timedb.current_values WHERE run_id = :'run2' ORDER BY valid_time;

-- What is not taken. NULL is the default everywhere.
SELECT timedb.read(mode => 'latest');
\echo :SQLSTATE
SELECT timedb.read(mode => 'FLAT');
\echo :SQLSTATE
\set VERBOSITY sqlstate
SELECT timedb.read(series_keys => '{wind, NULL}');
SELECT timedb.read(series_ids => '{NULL}');
\set VERBOSITY default
SELECT timedb.read(start_valid => '-infinity');
\echo :SQLSTATE
SELECT timedb.read(as_of => 'infinity');
\echo :SQLSTATE
SELECT count(*) = (SELECT count(*) FROM timedb.read()) AS the_same FROM timedb.read(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- A read writes nothing, and a key of scope read is enough.
SELECT scope FROM timedb.authenticate(:'reader_key');
BEGIN READ ONLY;
SELECT count(*) > 0 AS reads, pg_current_xact_id_if_assigned() IS NULL AS writes_nothing FROM timedb.read();
COMMIT;
