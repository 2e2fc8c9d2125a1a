-- compact: many rows of values become few packs, and nobody who reads or updates can tell.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set refused :folder /include/refused.sql
\set topic compact
\i :two_tenants
\i :refused

-- Every read there is, a line for each row of its answer: both modes, with and without earlier versions, all of it and by
-- windows of valid time, of known time and of both, now and as of each moment in between; then both views.
CREATE TEMP TABLE moments (as_of timestamptz);
CREATE FUNCTION pg_temp.later() RETURNS void LANGUAGE sql AS 'INSERT INTO moments VALUES (clock_timestamp())';
CREATE FUNCTION pg_temp.reads(OUT question text, OUT place bigint, OUT line text) RETURNS SETOF record LANGUAGE sql AS $$
  SELECT concat_ws(' ', m.mode, a.all_versions, w.number, k.number, t.as_of), r.ordinality, (r.*)::text
  FROM unnest(ARRAY['flat', 'overlapping']) m(mode), unnest(ARRAY[false, true]) a(all_versions),
    (VALUES (1, NULL::timestamptz, NULL::timestamptz), (2, '2025-01-01 02:00', '2025-01-01 04:00'),
            (3, '2025-01-02', NULL), (4, NULL, '2025-01-01 03:00'), (5, '2020-06-01', '2020-06-03'),
            (6, '2025-01-01 03:00', '2025-01-01 03:00')) w(number, start_valid, end_valid),
    (VALUES (1, NULL::timestamptz, NULL::timestamptz), (2, '2025-01-01 02:00', '2025-01-01 05:00'),
            (3, '2025-01-01 04:00', NULL), (4, NULL, '2024-12-31')) k(number, start_known, end_known),
    (SELECT as_of FROM moments UNION ALL SELECT NULL) t,
    timedb.read(w.start_valid, w.end_valid, k.start_known, k.end_known, m.mode, a.all_versions, as_of => t.as_of)
      WITH ORDINALITY r
  UNION ALL
  SELECT 'current_values', 0, v::text FROM timedb.current_values v
  UNION ALL
  SELECT 'versions', 0, concat_ws('|', series_id, run_id, known_time, change_time, changed_by, annotation, tags, points)
  FROM timedb.versions
$$;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.reads() LIMIT 0;
CREATE FUNCTION pg_temp.differences(OUT lost bigint, OUT new bigint) LANGUAGE sql AS $$
  WITH now AS MATERIALIZED (SELECT * FROM pg_temp.reads())
  SELECT (SELECT count(*) FROM (TABLE before EXCEPT ALL TABLE now) lost),
         (SELECT count(*) FROM (TABLE now EXCEPT ALL TABLE before) new)
$$;
-- An update of a run's value of a series at an hour, with some fields.
CREATE FUNCTION pg_temp.of(run text, series text, hour text, fields text) RETURNS json LANGUAGE sql AS $$
  SELECT format('[{"run_id": "%s", "series_id": "%s", "valid_time": "2025-01-01 %s"%s}]', run, series, hour, fields)::json
$$;

-- Theirs has company, so that it could be packed.
SELECT email FROM timedb.authenticate(:'bob_key');
SELECT message FROM timedb.upload('2025-01-01', '[{"value_key": "theirs", "valid_time": "2025-01-01", "value": 98}]');
SELECT count(*) AS their_rows FROM timedb.values;

SELECT email FROM timedb.authenticate(:'alice_key');
-- Eight forecasts an hour apart, every fourth of which has a null; of two series, at the same times.
SELECT count(message) AS forecasts FROM generate_series(0, 7) run, timedb.upload_points(
  '2025-01-01', known_time => '2025-01-01'::timestamptz + run * interval '1 hour',
  series_keys => array_fill('wind'::text, ARRAY[6]) || array_fill('price'::text, ARRAY[6]),
  valid_times => (SELECT array_agg('2025-01-01'::timestamptz + (run + hour % 6) * interval '1 hour' ORDER BY hour) FROM generate_series(0, 11) hour),
  point_values => (SELECT array_agg(CASE WHEN (run + hour) % 4 > 0 THEN run + hour / 10.0 END ORDER BY hour) FROM generate_series(0, 11) hour));
SELECT pg_temp.later();
-- A backfill of six years, known before all the forecasts were, one of a month, and single values.
SELECT message FROM timedb.upload_points(
  '2025-01-01', known_time => '2024-12-30', series_keys => array_fill('wind'::text, ARRAY[74]),
  valid_times => (SELECT array_agg('2019-01-01'::timestamptz + day * interval '30 days' ORDER BY day) FROM generate_series(0, 73) day),
  point_values => (SELECT array_agg(day / 8.0 ORDER BY day) FROM generate_series(0, 73) day));
SELECT message FROM timedb.upload_points(
  '2025-01-01', known_time => '2024-12-31', series_keys => array_fill('wind'::text, ARRAY[31]),
  valid_times => (SELECT array_agg('2020-05-20'::timestamptz + day * interval '1 day' ORDER BY day) FROM generate_series(0, 30) day),
  point_values => (SELECT array_agg(day ORDER BY day) FROM generate_series(0, 30) day));
SELECT count(message) AS singles FROM generate_series(1, 5) value, timedb.upload_points(
  '2025-01-01', ARRAY['wind'], ARRAY['2025-01-01 03:00'::timestamptz + value * interval '1 minute'], ARRAY[value], known_time => '2025-01-01 03:00');
SELECT pg_temp.later();
-- Moments and intervals of one start, and what other formats lose.
SELECT run_id AS heat_run, series_ids->>'heat' AS heat FROM timedb.upload('2025-01-01', known_time => '2025-01-01 02:30', value_rows => '[
  {"value_key": "heat", "valid_time": "2025-01-01 01:00", "value": -0.0},
  {"value_key": "heat", "valid_time": "2025-01-01 01:00", "valid_time_end": "2025-01-01 02:00", "value": "NaN"},
  {"value_key": "heat", "valid_time": "2025-01-01 01:00", "valid_time_end": "2025-01-01 05:00", "value": "-Infinity"},
  {"value_key": "heat", "valid_time": "2025-01-01 02:00", "valid_time_end": "2025-01-01 03:00", "value": null},
  {"value_key": "heat", "valid_time": "2025-01-01 04:00", "valid_time_end": "2025-01-01 04:00:00.000001", "value": 0.1}]') \gset
SELECT message FROM timedb.upload('2025-01-01', known_time => '2025-01-01 02:30', value_rows => '[
  {"value_key": "heat", "valid_time": "2025-01-01 01:00", "value": 5e-324},
  {"value_key": "heat", "valid_time": "2025-01-01 04:00", "value": null}]');
-- A series of one row: it has nothing to be packed with, as any row that is the only one of its class.
SELECT series_ids->>'lonely' AS lonely FROM timedb.upload('2025-01-01', '[{"value_key": "lonely", "valid_time": "2025-01-01 02:00", "value": 1}]') \gset
SELECT series_id AS wind FROM timedb.series WHERE series_key = 'wind' \gset
SELECT series_id AS price FROM timedb.series WHERE series_key = 'price' \gset
SELECT run_id AS run3 FROM timedb.runs WHERE known_time = '2025-01-01 03:00' ORDER BY inserted_at LIMIT 1 \gset
-- Updates, of values, annotations and tags, by two people.
SELECT status FROM timedb.update(pg_temp.of(:'run3', :'wind', '05:00', ', "value": 3.33, "annotation": "checked\nby hand", "tags": ["b", "a, {c}"]'));
SELECT status FROM timedb.update(pg_temp.of(:'run3', :'wind', '05:00', ', "tags": null'));
SELECT status FROM timedb.update(pg_temp.of(:'run3', :'price', '06:00', ', "annotation": "checked"'));
SELECT pg_temp.later();
SELECT email FROM timedb.authenticate(:'admin_key');
SELECT status FROM timedb.update(pg_temp.of(:'run3', :'wind', '05:00', ', "value": null, "tags": ["z"]'));
SELECT status FROM timedb.update(pg_temp.of(:'heat_run', :'heat', '01:00', ', "value": 0'));
SELECT pg_temp.later();
SELECT email FROM timedb.authenticate(:'alice_key');

INSERT INTO before SELECT * FROM pg_temp.reads();
SELECT count(*) > 5000 AS much, count(DISTINCT question) > 200 AS of_many_kinds FROM before;
SELECT s.series_key, count(*) AS rows, array_agg(DISTINCT v.span ORDER BY v.span) AS spans
FROM timedb.values v JOIN timedb.series s USING (series_id) GROUP BY 1 ORDER BY 1;

-- What is younger than older_than stays as it is, a day by default, also where it is null.
SELECT * FROM timedb.compact();
SELECT * FROM timedb.compact(NULL, NULL);
SELECT * FROM timedb.compact(older_than => '1 hour');
-- So does what is not asked for: series by their ids, of which unknown ones and another tenant's are no error.
SELECT * FROM timedb.compact('{}', '0');
SELECT * FROM timedb.compact(ARRAY[:'absent', :'their_series', :'lonely']::uuid[], '0');
SELECT code, message FROM pg_temp.refused(format('SELECT timedb.compact(ARRAY[%L, NULL]::uuid[], %L)', :'wind', '0'));
SELECT count(*) AS packs FROM timedb.packs;

-- One series, named twice; then all the others.
SELECT series, versions, rows_before, rows_after, bytes_before > 0 AS bytes, bytes_after < bytes_before AS smaller, remaining
FROM timedb.compact(ARRAY[:'price', :'absent', :'price']::uuid[], '0');
SELECT series_key, packs.* FROM timedb.series s, LATERAL (SELECT count(*) AS packs, sum(point_count) AS points FROM timedb.packs p WHERE p.series_id = s.series_id) packs ORDER BY 1;
SELECT * FROM pg_temp.differences();
SELECT series, versions, rows_before, rows_after, bytes_before > 0 AS bytes, bytes_after < bytes_before AS smaller, remaining
FROM timedb.compact(older_than => '0');
SELECT * FROM pg_temp.differences();
-- What is alone in its class of spans is left, and a second call finds nothing to do.
SELECT series_key, count(*) AS rows FROM timedb.values JOIN timedb.series USING (series_id) GROUP BY 1;
SELECT * FROM timedb.compact(older_than => '0');

-- Long ones and short ones are in packs of their own, so that a window opens no more than it must.
SELECT s.series_key, p.span, p.valid_from, p.valid_to, p.first_known, p.last_known, p.point_count, count(*) AS versions
FROM timedb.packs p JOIN timedb.series s USING (series_id), timedb.unnest_pack(p.versions)
GROUP BY s.series_key, p.span, p.valid_from, p.valid_to, p.first_known, p.last_known, p.point_count ORDER BY 1, 2, 3, 5;
-- What stands beside a pack is what is in it, and its span is the class of how long it is.
CREATE FUNCTION pg_temp.span(valid_from timestamptz, valid_to timestamptz) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM generate_series(0, 6) class
  WHERE extract(epoch FROM valid_to - valid_from) * 1000000 > 2 ^ (32 + 3 * class)
$$;
SELECT count(*) AS packs,
  count(*) FILTER (WHERE p.span = pg_temp.span(p.valid_from, p.valid_to)) AS spans,
  count(*) FILTER (WHERE (p.valid_from, p.valid_to, p.first_known, p.last_known, p.first_change, p.point_count)
                       = (c.valid_from, c.valid_to, c.first_known, c.last_known, c.first_change, c.point_count)) AS contents
FROM timedb.packs p, LATERAL (
  SELECT min(b.valid_from) AS valid_from, max(b.valid_to) AS valid_to, min(u.known_time) AS first_known, max(u.known_time) AS last_known,
         min(u.change_time) AS first_change, sum(timedb.count_points(u.points)) AS point_count
  FROM timedb.unnest_pack(p.versions) u, timedb.bound_points(u.points) b) c;
SELECT count(*) AS versions, bool_and(b.valid_from >= v.valid_from AND b.valid_to <= v.valid_to) AS within_bounds
FROM timedb.versions v, timedb.bound_points(v.points) b;

-- A pack as text: readable and complete.
SELECT regexp_replace(regexp_replace(p.versions::text, '[0-9a-f]{8}-[-0-9a-f]{27}', 'ID', 'g'), '"change_time":"[^"]*"', '"change_time":"…"', 'g') AS pack
FROM timedb.packs p WHERE p.series_id = :'heat';
SELECT count(*) AS packs, bool_and(p.versions::text::timedb.pack::text = p.versions::text) AS the_same FROM timedb.packs p;

-- Updates build on what is in a pack: each field absent, null or given; nothing is written where nothing changes.
SELECT value, annotation, tags, changed_by FROM timedb.read('2025-01-01 05:00', '2025-01-01 06:00', '2025-01-01 03:00', '2025-01-01 03:00:01', series_ids => ARRAY[:'wind'::uuid], all_versions => true);
SELECT change_time AS standing FROM timedb.read('2025-01-01 05:00', '2025-01-01 06:00', '2025-01-01 03:00', '2025-01-01 03:00:01', series_ids => ARRAY[:'wind'::uuid]) \gset
SELECT status, change_time = :'standing' AS standing FROM timedb.update(pg_temp.of(:'run3', :'wind', '05:00', ''));
SELECT status, change_time = :'standing' AS standing FROM timedb.update(pg_temp.of(:'run3', :'wind', '05:00', ', "value": null, "annotation": "checked\nby hand", "tags": ["Z"]'));
SELECT count(*) AS rows FROM timedb.values WHERE series_id = :'wind';
SELECT status, change_time > :'standing' AS later FROM timedb.update(pg_temp.of(:'run3', :'wind', '05:00', ', "value": 7'));
SELECT status FROM timedb.update(pg_temp.of(:'run3', :'wind', '05:00', ', "annotation": null'));
SELECT status FROM timedb.update(pg_temp.of(:'heat_run', :'heat', '01:00', ', "valid_time_end": "2025-01-01 02:00", "annotation": "no number"'));
SELECT status FROM timedb.update(pg_temp.of(:'heat_run', :'heat', '01:00', ', "valid_time_end": "2025-01-01 02:00", "value": "NaN"'));
-- A key that no version has is created, and refused without a value; what another run has is no version of this one.
SELECT status FROM timedb.update(pg_temp.of(:'heat_run', :'heat', '01:00', ', "valid_time_end": "2025-01-01 03:00", "value": 3'));
SELECT status FROM timedb.update(pg_temp.of(:'heat_run', :'price', '05:00', ', "value": null'));
SELECT code FROM pg_temp.refused(format('SELECT timedb.update(%L)', pg_temp.of(:'heat_run', :'wind', '05:00', ', "annotation": "of nothing"')));
SELECT code FROM pg_temp.refused(format('SELECT timedb.update(%L)', pg_temp.of(:'run3', :'wind', '02:59', ', "annotation": "of nothing"')));
SELECT value, annotation, tags, changed_by FROM timedb.read('2025-01-01 05:00', '2025-01-01 06:00', '2025-01-01 03:00', '2025-01-01 03:00:01', series_ids => ARRAY[:'wind'::uuid], all_versions => true);
SELECT valid_time, valid_time_end, value, annotation, tags FROM timedb.read(series_ids => ARRAY[:'heat'::uuid], mode => 'overlapping', all_versions => true) WHERE run_id = :'heat_run';
SELECT pg_temp.later();

-- Once more: what is new is packed together with what was packed, because that was little.
TRUNCATE before;
INSERT INTO before SELECT * FROM pg_temp.reads();
SELECT series_key, count(*) AS rows FROM timedb.values JOIN timedb.series USING (series_id) GROUP BY 1 ORDER BY 1;
SELECT series, versions, rows_before, rows_after, remaining FROM timedb.compact(older_than => '0');
SELECT * FROM pg_temp.differences();
SELECT s.series_key, p.span, count(DISTINCT p.pack_id) AS packs, count(*) AS versions, sum(timedb.count_points(u.points)) AS points
FROM timedb.packs p JOIN timedb.series s USING (series_id), timedb.unnest_pack(p.versions) u GROUP BY 1, 2 ORDER BY 1, 2;
SELECT status FROM timedb.update(pg_temp.of(:'run3', :'wind', '05:00', ', "value": 7, "tags": ["z"]'));

-- Rolled back, it has not been.
CREATE TEMP TABLE packs AS SELECT p.pack_id FROM timedb.packs p;
SELECT count(message) AS singles FROM generate_series(1, 3) value, timedb.upload_points('2025-01-01', ARRAY['lonely'], ARRAY['2025-01-01 02:00'::timestamptz], ARRAY[value]);
TRUNCATE before;
INSERT INTO before SELECT * FROM pg_temp.reads();
BEGIN;
SELECT series, versions, rows_before, rows_after, remaining FROM timedb.compact(older_than => '0');
SELECT * FROM pg_temp.differences();
ROLLBACK;
SELECT * FROM pg_temp.differences();
SELECT count(*) AS rows FROM timedb.values;
SELECT count(*) AS other_packs FROM (TABLE packs EXCEPT SELECT p.pack_id FROM timedb.packs p) other;

-- It takes a key that may write.
SELECT email FROM timedb.authenticate(:'reader_key');
SELECT * FROM pg_temp.refused('SELECT timedb.compact(older_than => ''0'')');
SELECT count(*) > 0 AS still_reads FROM timedb.read();
SELECT timedb.logout();
SELECT * FROM pg_temp.refused('SELECT timedb.compact(older_than => ''0'')');
SELECT count(*) AS packs FROM timedb.packs;
SELECT count(*) AS versions FROM timedb.versions;

-- Nobody packs by hand.
SELECT email FROM timedb.authenticate(:'admin_key');
SELECT t.number, r.code FROM (VALUES
  (1, 'INSERT INTO timedb.packs SELECT * FROM timedb.packs'),
  (2, 'DELETE FROM timedb.packs'),
  (3, 'UPDATE timedb.packs SET span = 0'),
  (4, 'TRUNCATE timedb.packs'),
  (5, 'SELECT timedb._pack_of_bytes(''x'')')) t(number, statement), pg_temp.refused(t.statement) r ORDER BY 1;
-- No text makes a pack that is none.
SELECT t.number, r.code FROM (VALUES
  (1, ''), (2, '{}'), (3, '[{}]'), (4, 'null'), (5, '[null]'), (6, '[1]'), (7, '['),
  (8, '[{"run_id":"7","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"a","points":{"values":[]}}]'),
  (9, '[{"run_id":"00000000-0000-0000-0000-000000000000","known_time":"soon","change_time":"2025-01-01T00:00:00Z","changed_by":"a","points":{"values":[]}}]'),
  (10, '[{"run_id":"00000000-0000-0000-0000-000000000000","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"a","points":{}}]'),
  (11, '[{"run_id":"00000000-0000-0000-0000-000000000000","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"a","points":{"values":[]},"points":{"values":[]}}]'),
  (12, '[{"run_id":"00000000-0000-0000-0000-000000000000","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"a","points":{"values":[]},"tenant_id":"x"}]'),
  (13, '[{"run_id":"00000000-0000-0000-0000-000000000000","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":null,"points":{"values":[]}}]'),
  (14, '[{"run_id":"00000000-0000-0000-0000-000000000000","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"a","tags":"a","points":{"values":[]}}]'),
  (15, '[{"run_id":"00000000-0000-0000-0000-000000000000","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"a","tags":[null],"points":{"values":[]}}]'),
  (16, '[{"run_id":"00000000-0000-0000-0000-000000000000","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"a\u0000b","points":{"values":[]}}]'),
  (17, repeat('[', 100000))) t(number, pack), pg_temp.refused(format('SELECT %L::timedb.pack', t.pack)) r ORDER BY 1;

-- Another tenant's rows are where they were, until it packs them itself.
SELECT email FROM timedb.authenticate(:'bob_key');
SELECT count(*) AS rows FROM timedb.values;
SELECT count(*) AS packs FROM timedb.packs;
SELECT * FROM timedb.compact(ARRAY[:'wind', :'lonely']::uuid[], '0');
SELECT series, versions, rows_before, rows_after, remaining FROM timedb.compact(older_than => '0');
SELECT valid_time, value FROM timedb.read(mode => 'overlapping');
SELECT count(*) AS packs FROM timedb.packs;
\c - ops
SELECT * FROM timedb.self_check();
