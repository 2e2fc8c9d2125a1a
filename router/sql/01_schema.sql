-- The roles, made if absent, and the schemas. Clients find the functions of timedb in the schema timedb, as on one server; what
-- these are made of is in timedb_router, and nothing of it is for them.

-- No name below may be captured by an object of the database we are installed into.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $roles$
DECLARE
  role_name text;
  groups CONSTANT text[] := ARRAY['timedb_admin', 'timedb_caller', 'timedb_user'];
  -- They own the functions here. The names by which the router logs in on the servers are others.
  owners CONSTANT text[] := ARRAY['timedb_router_tenants', 'timedb_router_operators'];
BEGIN
  IF current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'timedb_router needs a database in UTF8, not %', current_setting('server_encoding')
      USING ERRCODE = 'feature_not_supported';
  END IF;
  FOREACH role_name IN ARRAY groups || owners LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
  END LOOP;
  -- A role somebody prepared for us, with powers, with a login or with members, would open every door.
  FOR role_name IN
    SELECT r.rolname FROM pg_roles r
    WHERE r.rolname = ANY (groups || owners)
      AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolcanlogin
           OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
           OR r.rolname = ANY (owners) AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid))
  LOOP
    RAISE EXCEPTION 'role "%" exists and is not as timedb_router needs it', role_name
      USING ERRCODE = 'invalid_object_definition',
            HINT = 'Find out who made it and why, then drop it or take its privileges and memberships away.';
  END LOOP;
END
$roles$;

-- Not IF NOT EXISTS: a schema somebody prepared for us, or that of a timedb, must fail loudly.
CREATE SCHEMA timedb;
COMMENT ON SCHEMA timedb IS
  'Revised time series, on several servers: upload, read and update under the tenant that timedb.authenticate(api_key) binds.';
CREATE SCHEMA timedb_router;
COMMENT ON SCHEMA timedb_router IS 'Where tenants are, and what the functions of the schema timedb ask them by.';
