-- What series there are, by what they are called, and what may be said of them afterwards.

CREATE FUNCTION timedb.list_series(
  labels jsonb DEFAULT NULL, search text DEFAULT NULL, max_rows integer DEFAULT NULL, after_key text DEFAULT NULL,
  after_id uuid DEFAULT NULL, OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text,
  OUT labels jsonb, OUT inserted_at timestamptz
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'reconnect_list_series_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.list_series(jsonb, text, integer, text, uuid) IS
  'The tenant''s series, ordered by key, byte by byte, and id: those whose labels contain these (@>), and whose key or description contains the text, whatever its case. At most max_rows of them; the next page are those after the last row''s series_key and series_id.';

CREATE FUNCTION timedb.label_values(label text, OUT value text, OUT series_count bigint) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'label_values_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.label_values(text) IS
  'Which values a label has, and how many series have each: a text as it is, a null of JSON as null, anything else as JSON. Ordered by value.';

CREATE FUNCTION timedb.update_series(
  series_id uuid, new_key text DEFAULT NULL, unit text DEFAULT NULL, description text DEFAULT NULL,
  labels jsonb DEFAULT NULL, OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text,
  OUT labels jsonb, OUT inserted_at timestamptz
) RETURNS record
  AS 'MODULE_PATHNAME', 'update_series_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.update_series(uuid, text, text, text, jsonb) IS
  'Renames and describes a series, and answers it as list_series does. What is left out or null stays; a blank description takes away the one there is; labels take the place of all that it has. A unit may be set while it is "dimensionless", another one is 22023. A key with labels that another series has is 23505. Whoever names the series by its former key makes a new one.';
