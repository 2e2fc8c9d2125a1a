-- Where tenants are. A tenant is of the logical shard that its route names, the first two bytes of SHA-256 of its id: the last bits
-- of them, as many as there are shards to tell apart. Any number of shards may be of one server.

-- Whoever the router connects as is decided by what it calls: a login of its own for tenants, and another for operators.
CREATE FUNCTION timedb_router._names_a_database(conninfo text) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT conninfo ~ '(^|\s)dbname\s*=' AND conninfo !~* '(user|password|passfile|service|options)\s*='
    AND conninfo !~ '^postgres(ql)?:';
END;
COMMENT ON FUNCTION timedb_router._names_a_database(text) IS
  'Whether this is a dbname, and a server, in libpq''s key=value words, and says nothing of who connects.';

CREATE TABLE timedb_router.shards (
  shard integer PRIMARY KEY CHECK (shard BETWEEN 0 AND 65535),
  conninfo text NOT NULL CHECK (timedb_router._names_a_database(conninfo))
);
COMMENT ON TABLE timedb_router.shards IS
  'The logical shards, as many as a power of two, numbered from 0, and the database that each is in: libpq''s key=value words with a dbname, and without user and password, which are the router''s.';
COMMENT ON COLUMN timedb_router.shards.shard IS 'The last bits of a tenant''s route.';
COMMENT ON COLUMN timedb_router.shards.conninfo IS
  'Such as host=db1.example dbname=timedb sslmode=verify-full. The router logs in there as timedb_router_caller and timedb_router_admin, by certificates, or by passwords that its server''s account has in its ~/.pgpass.';

CREATE TABLE timedb_router.moved (
  tenant_id uuid PRIMARY KEY,
  route integer NOT NULL CHECK (route BETWEEN 0 AND 65535),
  conninfo text NOT NULL CHECK (timedb_router._names_a_database(conninfo)),
  is_moving boolean NOT NULL DEFAULT false,
  also_in text CHECK (timedb_router._names_a_database(also_in)),
  changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX moved_route_idx ON timedb_router.moved (route);
COMMENT ON TABLE timedb_router.moved IS
  'The tenants that are not where their route says, and those that are being moved: timedb move-tenant writes it.';
COMMENT ON COLUMN timedb_router.moved.route IS 'The route of the tenant''s keys.';
COMMENT ON COLUMN timedb_router.moved.conninfo IS 'The database that the tenant is in.';
COMMENT ON COLUMN timedb_router.moved.is_moving IS 'While this is true, what would write is refused, with 55P03.';
COMMENT ON COLUMN timedb_router.moved.also_in IS
  'Another database with rows of the tenant, which nobody is sent to: while it is being moved, where to; once it has moved, where from, until it is erased there.';

CREATE FUNCTION timedb_router._check_shards() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  shards bigint := count(*) FROM timedb_router.shards s;
  last integer := max(s.shard) FROM timedb_router.shards s;
BEGIN
  IF shards > 0 AND (shards <> last + 1 OR shards & (shards - 1) <> 0) THEN
    RAISE EXCEPTION 'the shards are no power of two, numbered from 0: there are %, the last is %', shards, last
      USING ERRCODE = 'check_violation', HINT = 'Write all of them in one transaction.';
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION timedb_router._check_shards() IS 'That the shards are a power of two, numbered from 0.';
CREATE CONSTRAINT TRIGGER shards_are_whole AFTER INSERT OR UPDATE OR DELETE ON timedb_router.shards
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION timedb_router._check_shards();

CREATE FUNCTION timedb_router._shard_of_route(route integer) RETURNS text
  AS 'MODULE_PATHNAME', '_router_shard_of_route_wrapper' LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._shard_of_route(integer) IS
  'The database of a route''s shard by now, whatever the transaction sees; null where there are no shards.';
CREATE FUNCTION timedb_router._moved_to(tenant_id uuid) RETURNS text
  AS 'MODULE_PATHNAME', '_router_moved_to_wrapper' LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._moved_to(uuid) IS
  'The database of a tenant who is not where his route says, by now, whatever the transaction sees.';
CREATE FUNCTION timedb_router._moved_of_route(route integer) RETURNS text[]
  AS 'MODULE_PATHNAME', '_router_moved_of_route_wrapper' LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._moved_of_route(integer) IS
  'The databases of such tenants of a route, each once, by now.';

CREATE FUNCTION timedb_router._of_route(route integer) RETURNS text
  LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  its CONSTANT text := timedb_router._shard_of_route(route);
BEGIN
  IF its IS NULL THEN
    RAISE EXCEPTION 'the router has no shards'
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Have an operator fill timedb_router.shards.';
  END IF;
  RETURN its;
END
$$;
COMMENT ON FUNCTION timedb_router._of_route(integer) IS 'The database of a route''s shard.';

CREATE FUNCTION timedb_router._of_tenant(tenant_id uuid) RETURNS text
  LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN coalesce(timedb_router._moved_to(tenant_id), timedb_router._of_route(timedb_router._route_of_tenant(tenant_id)));
END
$$;
COMMENT ON FUNCTION timedb_router._of_tenant(uuid) IS 'The database that a tenant is in.';

CREATE FUNCTION timedb_router._all() RETURNS SETOF text
  LANGUAGE sql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.conninfo FROM timedb_router.shards s
  UNION
  SELECT m.conninfo FROM timedb_router.moved m
  ORDER BY 1
$$;
COMMENT ON FUNCTION timedb_router._all() IS 'The databases that tenants are in, each once.';

-- By what names the router logs in there. They are none of the roles that own the functions here: whoever can log in as an owner
-- could change them.

CREATE FUNCTION timedb_router._for_tenants(conninfo text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT conninfo || ' user=timedb_router_caller';
END;
COMMENT ON FUNCTION timedb_router._for_tenants(text) IS 'How the router connects to a database to show a key.';

CREATE FUNCTION timedb_router._for_operators(conninfo text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT conninfo || ' user=timedb_router_admin';
END;
COMMENT ON FUNCTION timedb_router._for_operators(text) IS 'How the router connects to a database to act for an operator.';
