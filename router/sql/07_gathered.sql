-- What each server does by itself, gathered; and whether the servers are as the router needs them.

CREATE FUNCTION timedb_router._maintenance_at(
  conninfo text, OUT tenant_id uuid, OUT started_at timestamptz, OUT finished_at timestamptz, OUT rows_before bigint,
  OUT rows_after bigint, OUT bytes_before bigint, OUT bytes_after bigint, OUT versions_removed bigint, OUT orphans bigint,
  OUT error text
) RETURNS SETOF record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT m.tenant_id, m.started_at, m.finished_at, m.rows_before, m.rows_after, m.bytes_before, m.bytes_after,
         m.versions_removed, m.orphans, m.error
  FROM timedb.maintenance m;
$$;
COMMENT ON FUNCTION timedb_router._maintenance_at(text) IS 'The view maintenance of one server.';

CREATE FUNCTION timedb_router._list_maintenance(
  OUT tenant_id uuid, OUT started_at timestamptz, OUT finished_at timestamptz, OUT rows_before bigint,
  OUT rows_after bigint, OUT bytes_before bigint, OUT bytes_after bigint, OUT versions_removed bigint, OUT orphans bigint,
  OUT error text
) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  RETURN QUERY SELECT m.* FROM timedb_router._all() c(conninfo), LATERAL timedb_router._maintenance_at(c.conninfo) m
               ORDER BY m.started_at DESC;
EXCEPTION WHEN OTHERS OR query_canceled THEN
  GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
  PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, false);
END
$$;
COMMENT ON FUNCTION timedb_router._list_maintenance() IS 'The view maintenance of all servers.';

CREATE VIEW timedb.maintenance WITH (security_invoker = true) AS
  SELECT m.tenant_id, m.started_at, m.finished_at, m.rows_before, m.rows_after, m.bytes_before, m.bytes_after,
         m.versions_removed, m.orphans, m.error
  FROM timedb_router._list_maintenance() m;
COMMENT ON VIEW timedb.maintenance IS
  'What maintain has done on all servers, newest first: a row for each tenant that had something to do, without finished_at while it goes on; errors too. For operators; of the last 90 days.';

CREATE PROCEDURE timedb.maintain(budget interval DEFAULT '1 hour', older_than interval DEFAULT '1 day')
  LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'maintenance is each server''s own'
    USING ERRCODE = 'feature_not_supported',
          HINT = 'CALL timedb.maintain() on each of them, by its own schedule; the view timedb.maintenance shows all of it here.';
END
$$;

CREATE FUNCTION timedb_router._identity_at(
  conninfo text, OUT timedb_version text, OUT server bigint, OUT database oid, OUT is_standby boolean,
  OUT logs_parameters boolean
) RETURNS record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT i.timedb_version, i.server, i.database, i.is_standby, i.logs_parameters FROM timedb_shard.identity() i;
$$;
COMMENT ON FUNCTION timedb_router._identity_at(text) IS 'Which database that is, and whether it is fit for a router.';

CREATE FUNCTION timedb_router._self_check_quietly(conninfo text, OUT promise text, OUT object text, OUT found text)
  RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  own CONSTANT text := e.extversion FROM pg_extension e WHERE e.extname = 'timedb_router';
  identity record;
BEGIN
  SELECT * INTO identity FROM timedb_router._identity_at(conninfo);
  object := conninfo;
  IF identity.timedb_version IS DISTINCT FROM own THEN
    promise := 'every server runs the router''s version of timedb';
    found := format('timedb %s, and the router is of %s', identity.timedb_version, own);
    RETURN NEXT;
  END IF;
  IF identity.logs_parameters THEN
    promise := 'no server logs the parameters of the router''s statements, which are keys';
    found := 'log_parameter_max_length or log_parameter_max_length_on_error is not 0 for the router''s login';
    RETURN NEXT;
  END IF;
  RETURN QUERY SELECT s.promise, format('%s: %s', conninfo, s.object), s.found
               FROM timedb_router._self_check_at(conninfo) s;
EXCEPTION WHEN OTHERS THEN
  promise := 'every server can be reached by the router''s logins';
  object := conninfo;
  found := SQLERRM;
  RETURN NEXT;
END
$$;
COMMENT ON FUNCTION timedb_router._self_check_quietly(text) IS 'What is not as it should be on one server.';

CREATE FUNCTION timedb_router._servers(OUT conninfo text, OUT server bigint, OUT database oid)
  RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  FOR conninfo IN SELECT c.conninfo FROM timedb_router._all() c(conninfo) LOOP
    BEGIN
      SELECT i.server, i.database INTO server, database FROM timedb_router._identity_at(conninfo) i;
      RETURN NEXT;
    EXCEPTION WHEN OTHERS THEN
      -- That it cannot be reached is told elsewhere.
      NULL;
    END;
  END LOOP;
END
$$;
COMMENT ON FUNCTION timedb_router._servers() IS 'Which database each of the router''s is, of those that can be reached.';

CREATE FUNCTION timedb.self_check(OUT promise text, OUT object text, OUT found text)
  RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM timedb_router.shards s) THEN
    RETURN QUERY SELECT 'the router has shards', 'timedb_router.shards', 'none';
  END IF;
  RETURN QUERY
    SELECT 'no two of the router''s servers are one database', string_agg(s.conninfo, '; ' ORDER BY s.conninfo),
           'tenants of the one are listed for the other too'
    FROM timedb_router._servers() s GROUP BY s.server, s.database HAVING count(*) > 1;
  RETURN QUERY
    SELECT 'functions that act as others take no name from the caller''s search_path', p.oid::regprocedure::text,
           'SECURITY DEFINER without search_path'
    FROM pg_proc p
    WHERE p.pronamespace IN ('timedb'::regnamespace, 'timedb_router'::regnamespace) AND p.prosecdef
      AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false);
  RETURN QUERY
    SELECT 'what asks the servers is for the router''s own roles', p.oid::regprocedure::text,
           'may be executed by ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END
    FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    WHERE p.pronamespace = 'timedb_router'::regnamespace AND p.proname ~ '^_' AND p.proname !~ '_operator$'
      AND g.grantee NOT IN (p.proowner, 'timedb_router_tenants'::regrole, 'timedb_router_operators'::regrole)
      AND p.proname NOT IN ('_manages_as', '_list_maintenance');
  RETURN QUERY SELECT q.* FROM timedb_router._all() c(conninfo), LATERAL timedb_router._self_check_quietly(c.conninfo) q;
END
$$;
