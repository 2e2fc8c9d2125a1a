-- What series there are, by what they are called, and what may be said of them afterwards.

CREATE FUNCTION timedb.list_series(
  OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text, OUT labels jsonb,
  OUT inserted_at timestamptz
) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET debug_print_plan = off SET plan_cache_mode = auto AS $$
  SELECT s.series_id, s.series_key, s.unit, s.description, s.labels, s.inserted_at
  FROM timedb.series s
  WHERE s.tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._require_login()) IS NOT NULL
  ORDER BY s.series_key COLLATE "C", s.series_id
$$;
COMMENT ON FUNCTION timedb.list_series() IS 'The tenant''s series, ordered by key.';
