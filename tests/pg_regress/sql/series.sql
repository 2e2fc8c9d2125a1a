-- Series: a key and its labels name one within its tenant; unit and description are filled in once.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set topic series
\i :two_tenants
SELECT email FROM timedb.authenticate(:'alice_key');

-- The same identity again is the same series, whatever the order of its labels.
SELECT timedb.create_series('wind') AS wind \gset
SELECT timedb.create_series('wind', NULL, NULL, NULL) = :'wind' AS same;
SELECT timedb.create_series(name => 'wind', labels => '{}') = :'wind' AS same;
SELECT timedb.create_series('wind', labels => '{"site": "north", "height": 80}') AS wind_north \gset
SELECT :'wind_north' = :'wind' AS same;
SELECT timedb.create_series('wind', labels => '{"height": 80, "site": "north"}') = :'wind_north' AS same;
SELECT timedb.create_series('Wind') = :'wind' AS same;

-- A unit may be set while it is dimensionless, then stays.
SELECT timedb.create_series('wind', 'm/s') = :'wind' AS same;
SELECT timedb.create_series('wind', 'm/s') = :'wind' AS same;
SELECT timedb.create_series('wind', 'knots');
\echo :SQLSTATE
SELECT timedb.create_series('wind', 'dimensionless');
\echo :SQLSTATE
SELECT series_key, labels, unit FROM timedb.list_series() WHERE series_key = 'wind' AND labels = '{}';

-- The first description that is not null stays.
SELECT timedb.create_series('wind', 'm/s', 'Wind speed at 10 m') = :'wind' AS same;
SELECT timedb.create_series('wind', 'm/s', 'something else') = :'wind' AS same;
SELECT description FROM timedb.list_series() WHERE series_id = :'wind';

-- What is not taken.
SELECT timedb.create_series(NULL);
\echo :SQLSTATE
SELECT timedb.create_series('');
\echo :SQLSTATE
SELECT timedb.create_series(E' \t');
\echo :SQLSTATE
SELECT timedb.create_series(repeat('ä', 250)) IS NOT NULL AS "500 bytes are taken";
SELECT timedb.create_series(repeat('ä', 250) || 'x');
\echo :SQLSTATE
SELECT timedb.create_series('wind', labels => '[]');
\echo :SQLSTATE
SELECT timedb.create_series(' wind');
\echo :SQLSTATE
SELECT timedb.create_series(E'wi\nd');
\echo :SQLSTATE
-- What is blank, or a JSON null, is as good as left out.
SELECT timedb.create_series('wind') = :'wind' AND timedb.create_series('wind', ' ', '') = :'wind'
       AND timedb.create_series('wind', labels => 'null') = :'wind' AS same;
SELECT timedb.create_series('labelled', labels => jsonb_build_object('x', repeat('a', 1900))) IS NOT NULL AS made;
SELECT timedb.create_series('labelled', labels => jsonb_build_object('x', repeat('a', 2000)));
\echo :SQLSTATE

-- The list: by key, as bytes compare, then by id. It shows a series before it has a value.
SELECT left(series_key, 8) AS series_key, unit, left(description, 8) AS description, left(labels::text, 32) AS labels,
       inserted_at <= clock_timestamp() AS inserted
FROM timedb.list_series();
SELECT count(*) = count(DISTINCT series_id) AS distinct_ids FROM timedb.list_series();
BEGIN READ ONLY;
SELECT count(*) FROM timedb.list_series();
COMMIT;
-- The table shows the same.
SELECT count(*) FROM timedb.series;

-- Another tenant's series of the same name is another series, and neither shows.
SELECT email FROM timedb.authenticate(:'bob_key');
SELECT timedb.create_series('wind', 'knots') = :'wind' AS same;
SELECT series_key, unit FROM timedb.list_series();

-- A series is made with scope write.
SELECT email FROM timedb.authenticate(:'reader_key');
SELECT timedb.create_series('wind', 'm/s');
\echo :SQLSTATE
SELECT count(*) FROM timedb.list_series();
INSERT INTO timedb.series (tenant_id, series_id, series_key) VALUES (:'ours', :'absent', 'x');
\echo :SQLSTATE
UPDATE timedb.series SET unit = 'x';
\echo :SQLSTATE
