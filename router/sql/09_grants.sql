-- Owners and grants, from nothing. What acts by a key is timedb_router_tenants', what acts for an operator timedb_router_operators':
-- neither may execute what is the other's.

REVOKE ALL ON ALL ROUTINES IN SCHEMA timedb FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA timedb_router FROM PUBLIC;

DO $owners$
DECLARE
  routine regprocedure;
BEGIN
  FOR routine IN
    SELECT p.oid FROM pg_proc p
    WHERE p.pronamespace IN ('timedb'::regnamespace, 'timedb_router'::regnamespace) AND p.prosecdef
  LOOP
    EXECUTE format('ALTER ROUTINE %s OWNER TO timedb_router_tenants', routine);
    -- Whoever calls it could have its plans printed, which hold where the servers are.
    EXECUTE format('ALTER ROUTINE %s SET debug_print_parse = off', routine);
    EXECUTE format('ALTER ROUTINE %s SET debug_print_rewritten = off', routine);
    EXECUTE format('ALTER ROUTINE %s SET debug_print_plan = off', routine);
    -- And have what it catches, which names servers too, end the session in the words that it came in.
    EXECUTE format('ALTER ROUTINE %s SET exit_on_error = off', routine);
  END LOOP;
  FOR routine IN
    SELECT p.oid FROM pg_proc p
    WHERE p.prosecdef AND (
      p.pronamespace = 'timedb_router'::regnamespace AND (p.proname ~ '_operator$' OR p.proname = '_list_maintenance')
      OR p.pronamespace = 'timedb'::regnamespace
         AND p.proname IN ('erase_tenant', 'bind_role', 'unbind_role', 'list_bindings', 'tenant_stats', 'self_check'))
  LOOP
    EXECUTE format('ALTER ROUTINE %s OWNER TO timedb_router_operators', routine);
  END LOOP;
END
$owners$;

GRANT USAGE ON SCHEMA timedb, timedb_router
  TO timedb_caller, timedb_user, timedb_admin, timedb_router_tenants, timedb_router_operators;
GRANT SELECT ON timedb_router.shards, timedb_router.moved TO timedb_router_tenants, timedb_router_operators;
GRANT EXECUTE ON FUNCTION timedb.whoami() TO timedb_router_tenants;

DO $grants$
DECLARE
  routine record;
BEGIN
  -- What either is made of: that which connects is told from the rest by its language and its name.
  FOR routine IN
    SELECT p.oid::regprocedure AS name,
           p.proname ~ '_(at|on|operator)$'
           OR p.proname IN ('_for_operators', '_tenant_of', '_home', '_all', '_list_maintenance', '_self_check_quietly', '_servers')
             AS is_operators,
           p.prolang = (SELECT l.oid FROM pg_language l WHERE l.lanname = 'plproxy') OR p.proname !~ '^_'
           OR p.proname IN ('_for_tenants', '_shard', '_known_shard', '_acting_tenant', '_whose', '_log_in', '_begin_login', '_bind',
                            '_begin_request', '_key', '_tenant', '_route', '_route_of_key', '_raise_if_other_version')
             AS is_tenants
    FROM pg_proc p WHERE p.pronamespace = 'timedb_router'::regnamespace
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', routine.name, CASE
      WHEN routine.is_operators THEN 'timedb_router_operators'
      WHEN routine.is_tenants THEN 'timedb_router_tenants'
      ELSE 'timedb_router_tenants, timedb_router_operators' END);
  END LOOP;
  FOR routine IN
    SELECT p.oid::regprocedure AS name, n.nspname, p.proname,
           p.proname IN ('erase_tenant', 'bind_role', 'unbind_role', 'list_bindings', 'tenant_stats', 'self_check', 'maintain')
           OR p.proname ~ '_operator$' OR p.proname = '_list_maintenance' AS is_operators,
           EXISTS (SELECT FROM pg_proc o WHERE o.pronamespace = 'timedb_router'::regnamespace
                   AND o.proname = format('_%s_operator', p.proname)) AS is_managed
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('timedb', 'timedb_router')
      AND (n.nspname = 'timedb' OR p.proname !~ '^_' OR p.proname ~ '_operator$'
           OR p.proname IN ('_manages_as', '_list_maintenance'))
  LOOP
    EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %s', routine.name, CASE
      WHEN routine.is_operators THEN 'timedb_admin'
      WHEN routine.is_managed OR routine.proname IN
        ('authenticate', 'logout', 'whoami', 'pre_request', 'current_tenant', '_manages_as')
        THEN 'timedb_caller, timedb_user, timedb_admin'
      ELSE 'timedb_caller, timedb_user' END);
  END LOOP;
END
$grants$;
GRANT SELECT ON timedb.maintenance TO timedb_admin;

-- A dump of the database keeps where the tenants are.
SELECT pg_catalog.pg_extension_config_dump('timedb_router.shards', '');
SELECT pg_catalog.pg_extension_config_dump('timedb_router.moved', '');
