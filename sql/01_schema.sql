-- The roles, made if absent, and the schema. Everything later is created inside it, owned by these roles.

-- No name below may be captured by an object of the database we are installed into.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $roles$
DECLARE
  role_name text;
  owners CONSTANT text[] := ARRAY['timedb_owner', 'timedb_api', 'timedb_auth', 'timedb_operator', 'timedb_compactor',
                                  'timedb_eraser'];
  groups CONSTANT text[] := ARRAY['timedb_admin', 'timedb_caller', 'timedb_user'];
BEGIN
  IF current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'timedb needs a database in UTF8, not %', current_setting('server_encoding')
      USING ERRCODE = 'feature_not_supported';
  END IF;
  FOREACH role_name IN ARRAY owners || groups LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
  END LOOP;
  -- A role somebody prepared for us, with powers or with members, would open every door.
  FOR role_name IN
    SELECT r.rolname FROM pg_roles r
    WHERE r.rolname = ANY (owners || groups)
      AND (r.rolcanlogin OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
           OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
           OR r.rolname = ANY (owners) AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid))
  LOOP
    RAISE EXCEPTION 'role "%" exists and is not as timedb needs it', role_name
      USING ERRCODE = 'invalid_object_definition',
            DETAIL = 'The roles of timedb cannot log in, have no privileges of their own and belong to no role; '
                     'timedb_owner, timedb_api, timedb_auth, timedb_operator, timedb_compactor and timedb_eraser have no members.',
            HINT = 'Find out who made it and why, then drop it or take its privileges and memberships away.';
  END LOOP;
  -- Members of the group of operators may well be there from another database of this cluster; they had better be known.
  FOR role_name IN
    SELECT m.member::regrole::text FROM pg_auth_members m WHERE m.roleid = 'timedb_admin'::regrole
  LOOP
    RAISE NOTICE 'role "%" is a member of timedb_admin, and so manages the users and keys of every tenant', role_name;
  END LOOP;
END
$roles$;

-- Not IF NOT EXISTS: a schema somebody prepared for us must fail loudly.
CREATE SCHEMA timedb;
COMMENT ON SCHEMA timedb IS
  'Revised time series: upload, read and update under the tenant that timedb.authenticate(api_key) binds.';
