-- self_check: the promises of the security model, asked of the catalogs of the database it runs in; and what foreign keys
-- would promise, asked of the tables.

CREATE FUNCTION timedb._keys_without_user() RETURNS bigint LANGUAGE sql STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET debug_print_plan = off SET plan_cache_mode = auto AS $$
  SELECT count(*)
  FROM timedb.api_keys k
  WHERE NOT EXISTS (SELECT FROM timedb.users u WHERE u.tenant_id = k.tenant_id AND u.user_id = k.user_id)
$$;
COMMENT ON FUNCTION timedb._keys_without_user() IS
  'How many keys, of all tenants, are of a user that is not there: for self_check. They are refused like unknown ones.';

CREATE FUNCTION timedb._has_statistics(relation regclass, attribute smallint) RETURNS boolean
  AS 'MODULE_PATHNAME', '_has_statistics_wrapper' LANGUAGE c STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._has_statistics(regclass, smallint) IS
  'Whether the planner has statistics of a column, whoever may see them: for self_check.';

CREATE FUNCTION timedb.self_check(OUT promise text, OUT object text, OUT found text)
  RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $check$
WITH
  tables AS (
    SELECT c.oid, c.oid::regclass::text AS name, c.relname, c.relrowsecurity, c.relforcerowsecurity
    FROM pg_class c
    WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'p')
  ),
  routines AS (
    SELECT p.oid, p.oid::regprocedure::text AS name, p.proname, p.proowner, p.prosecdef, p.proconfig, p.proleakproof,
           p.provolatile, p.proparallel, p.proacl, p.prokind, p.prolang
    FROM pg_proc p
    WHERE p.pronamespace = 'timedb'::regnamespace
  ),
  -- The keys of tables, by the name of their first column.
  keys AS (
    SELECT i.indexrelid::regclass::text AS name, i.indrelid, a.attname AS first_column
    FROM pg_index i
    JOIN tables t ON t.oid = i.indrelid
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indisunique OR i.indisexclusion
  ),
  -- What statistics can be of: the columns of tables, and the expressions of indexes.
  planned AS (
    SELECT format('%s.%s', a.attrelid::regclass, a.attname) AS name, coalesce(a.attstattarget, -1) AS target,
           timedb._has_statistics(a.attrelid, a.attnum) AS is_known
    FROM pg_attribute a
    LEFT JOIN tables t ON t.oid = a.attrelid
    LEFT JOIN pg_index i ON i.indexrelid = a.attrelid
    LEFT JOIN tables indexed ON indexed.oid = i.indrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
      AND (t.oid IS NOT NULL OR indexed.oid IS NOT NULL AND i.indkey[a.attnum - 1] = 0)
  ),
  standard_policies (table_name, policy, command, roles, using_, with_check) AS (
    VALUES
      ('series', 'series_tenant', 'SELECT', '{timedb_api,timedb_compactor,timedb_eraser,timedb_user}', 'tenant', NULL),
      ('series', 'series_write', 'INSERT', '{timedb_api}', NULL, 'write'),
      ('series', 'series_change', 'UPDATE', '{timedb_api}', 'write', 'write'),
      ('series_labels', 'series_labels_tenant', 'SELECT', '{timedb_api,timedb_eraser}', 'tenant', NULL),
      ('series_labels', 'series_labels_write', 'INSERT', '{timedb_api}', NULL, 'write'),
      ('runs', 'runs_tenant', 'SELECT', '{timedb_api,timedb_compactor,timedb_eraser,timedb_user}', 'tenant', NULL),
      ('runs', 'runs_write', 'INSERT', '{timedb_api}', NULL, 'write'),
      ('runs', 'runs_change', 'UPDATE', '{timedb_api}', 'write', 'write'),
      ('withdrawals', 'withdrawals_tenant', 'SELECT', '{timedb_api,timedb_eraser,timedb_user}', 'tenant', NULL),
      ('withdrawals', 'withdrawals_write', 'INSERT', '{timedb_api}', NULL, 'write'),
      ('withdrawals', 'withdrawals_change', 'UPDATE', '{timedb_api}', 'write', 'write'),
      ('values', 'values_tenant', 'SELECT', '{timedb_api,timedb_compactor,timedb_eraser,timedb_user}', 'tenant', NULL),
      ('values', 'values_write', 'INSERT', '{timedb_api}', NULL, 'write'),
      ('values', 'values_compact', 'DELETE', '{timedb_compactor}', 'write', NULL),
      ('packs', 'packs_tenant', 'SELECT', '{timedb_api,timedb_compactor,timedb_eraser,timedb_user}', 'tenant', NULL),
      ('packs', 'packs_write', 'INSERT', '{timedb_compactor}', NULL, 'write'),
      ('packs', 'packs_compact', 'DELETE', '{timedb_compactor}', 'write', NULL),
      ('values', 'values_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('values', 'values_cut', 'INSERT', '{timedb_eraser}', NULL, 'admin'),
      ('packs', 'packs_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('packs', 'packs_cut', 'INSERT', '{timedb_eraser}', NULL, 'admin'),
      ('runs', 'runs_cut', 'UPDATE', '{timedb_eraser}', 'admin', 'admin'),
      ('retention', 'retention_tenant', 'SELECT', '{timedb_eraser}', 'admin', NULL),
      ('retention', 'retention_write', 'INSERT', '{timedb_eraser}', NULL, 'admin'),
      ('retention', 'retention_change', 'UPDATE', '{timedb_eraser}', 'admin', 'admin'),
      ('retention', 'retention_end', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('series', 'series_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('series_labels', 'series_labels_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('runs', 'runs_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('users', 'users_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('api_keys', 'api_keys_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('key_ends', 'key_ends_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('role_bindings', 'role_bindings_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('audit', 'audit_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('maintenance_log', 'maintenance_log_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('withdrawals', 'withdrawals_erase', 'DELETE', '{timedb_eraser}', 'admin', NULL),
      ('role_bindings', 'role_bindings_tenant', 'SELECT', '{timedb_eraser}', 'admin', NULL),
      ('maintenance_log', 'maintenance_log_tenant', 'SELECT', '{timedb_eraser}', 'admin', NULL),
      ('series', 'series_hold', 'UPDATE', '{timedb_eraser}', 'admin', 'none'),
      ('users', 'users_hold', 'UPDATE', '{timedb_eraser}', 'admin', 'none'),
      ('withdrawals', 'withdrawals_hold', 'UPDATE', '{timedb_eraser}', 'admin', 'none'),
      ('users', 'users_tenant', 'SELECT', '{timedb_api,timedb_eraser}', 'admin', NULL),
      ('users', 'users_write', 'INSERT', '{timedb_api}', NULL, 'admin'),
      ('users', 'users_change', 'UPDATE', '{timedb_api}', 'admin', 'admin'),
      ('users', 'users_operator', 'ALL', '{timedb_operator}', 'all', 'all'),
      ('api_keys', 'api_keys_tenant', 'SELECT', '{timedb_api,timedb_eraser}', 'admin', NULL),
      ('api_keys', 'api_keys_write', 'INSERT', '{timedb_api}', NULL, 'admin'),
      ('api_keys', 'api_keys_change', 'UPDATE', '{timedb_api}', 'admin', 'admin'),
      ('api_keys', 'api_keys_own', 'SELECT', '{timedb_api}', 'own', NULL),
      ('key_ends', 'key_ends_tenant', 'SELECT', '{timedb_api,timedb_eraser}', 'admin', NULL),
      ('key_ends', 'key_ends_write', 'INSERT', '{timedb_api}', NULL, 'admin'),
      ('key_ends', 'key_ends_own', 'SELECT', '{timedb_api}', 'own', NULL),
      ('key_ends', 'key_ends_end', 'INSERT', '{timedb_api}', NULL, 'own'),
      ('key_ends', 'key_ends_operator', 'ALL', '{timedb_operator}', 'all', 'all'),
      ('audit', 'audit_own', 'INSERT', '{timedb_api}', NULL, 'ending own'),
      ('audit', 'audit_tenant', 'SELECT', '{timedb_api,timedb_eraser}', 'admin', NULL),
      ('audit', 'audit_write', 'INSERT', '{timedb_api,timedb_eraser}', NULL, 'admin'),
      ('audit', 'audit_operator', 'ALL', '{timedb_operator}', 'all', 'all'),
      ('api_keys', 'api_keys_login', 'SELECT', '{timedb_auth}', 'presented', NULL),
      ('api_keys', 'api_keys_operator', 'ALL', '{timedb_operator}', 'all', 'all'),
      ('role_bindings', 'role_bindings_operator', 'ALL', '{timedb_operator}', 'all', 'all'),
      ('maintenance_log', 'maintenance_log_maintain', 'ALL', '{timedb_compactor}', 'admin', 'admin'),
      ('maintenance_log', 'maintenance_log_operator', 'ALL', '{timedb_operator}', 'all', 'all')
  ),
  expressions (kind, expression) AS (
    VALUES
      ('tenant', '(tenant_id = ( SELECT timedb.current_tenant() AS current_tenant))'),
      ('write', '((tenant_id = ( SELECT timedb.current_tenant() AS current_tenant)) AND '
                '( SELECT timedb._may(''write''::text) AS _may))'),
      ('admin', '((tenant_id = ( SELECT timedb.current_tenant() AS current_tenant)) AND '
                '( SELECT timedb._may(''admin''::text) AS _may))'),
      ('own', '((tenant_id = ( SELECT timedb.current_tenant() AS current_tenant)) AND '
              '(key_id = ( SELECT timedb._own_key() AS _own_key)))'),
      ('ending own', '((tenant_id = ( SELECT timedb.current_tenant() AS current_tenant)) AND '
                     '(action = ''revoke_key''::text) AND (key_id = ( SELECT timedb._own_key() AS _own_key)))'),
      ('presented', '(key_hash = ( SELECT timedb._presented_key_hash() AS _presented_key_hash))'),
      ('all', 'true'),
      ('none', 'false')
  ),
  expected_policies AS (
    SELECT s.table_name, s.policy, s.command, s.roles, u.expression AS using_, w.expression AS with_check
    FROM standard_policies s
    LEFT JOIN expressions u ON u.kind = s.using_
    LEFT JOIN expressions w ON w.kind = s.with_check
  ),
  actual_policies AS (
    SELECT p.tablename::text AS table_name, p.policyname::text AS policy, p.cmd AS command,
           (SELECT array_agg(role ORDER BY role) FROM unnest(p.roles) role)::text AS roles,
           -- The catalog breaks long expressions over lines.
           regexp_replace(p.qual, '\s+', ' ', 'g') AS using_, regexp_replace(p.with_check, '\s+', ' ', 'g') AS with_check
    FROM pg_policies p
    WHERE p.schemaname = 'timedb' AND p.permissive = 'PERMISSIVE'
  ),
  -- What may be granted on tables; columns are named where not all are.
  allowed_grants (table_name, grantee, privilege, columns_) AS (
    VALUES
      ('series', 'timedb_user', 'SELECT', NULL), ('runs', 'timedb_user', 'SELECT', NULL),
      ('values', 'timedb_user', 'SELECT', NULL), ('current_values', 'timedb_user', 'SELECT', NULL),
      ('packs', 'timedb_user', 'SELECT', NULL), ('versions', 'timedb_user', 'SELECT', NULL),
      ('series', 'timedb_api', 'SELECT', NULL), ('series', 'timedb_api', 'INSERT', NULL),
      ('series', 'timedb_api', 'UPDATE', '{series_key,labels,labels_entered,unit,description}'),
      ('series_labels', 'timedb_api', 'SELECT', NULL), ('series_labels', 'timedb_api', 'INSERT', NULL),
      ('runs', 'timedb_api', 'SELECT', NULL), ('runs', 'timedb_api', 'INSERT', NULL),
      ('runs', 'timedb_api', 'UPDATE', '{last_change_time,value_count}'),
      ('withdrawals', 'timedb_user', 'SELECT', NULL),
      ('withdrawals', 'timedb_api', 'SELECT', NULL), ('withdrawals', 'timedb_api', 'INSERT', NULL),
      ('withdrawals', 'timedb_api', 'UPDATE', '{restored_at,restored_by,restore_reason}'),
      ('values', 'timedb_api', 'SELECT', NULL), ('values', 'timedb_api', 'INSERT', NULL),
      ('packs', 'timedb_api', 'SELECT', NULL),
      ('values', 'timedb_compactor', 'SELECT', NULL), ('values', 'timedb_compactor', 'DELETE', NULL),
      ('packs', 'timedb_compactor', 'SELECT', NULL), ('packs', 'timedb_compactor', 'INSERT', NULL),
      ('packs', 'timedb_compactor', 'DELETE', NULL),
      ('runs', 'timedb_compactor', 'SELECT', '{tenant_id,run_id}'),
      ('series', 'timedb_compactor', 'SELECT', '{tenant_id,series_id}'),
      ('maintenance_log', 'timedb_compactor', 'SELECT', NULL), ('maintenance_log', 'timedb_compactor', 'INSERT', NULL),
      ('maintenance_log', 'timedb_compactor', 'UPDATE', NULL), ('maintenance_log', 'timedb_compactor', 'DELETE', NULL),
      ('maintenance_log', 'timedb_operator', 'SELECT', NULL), ('maintenance', 'timedb_admin', 'SELECT', NULL),
      ('series', 'timedb_eraser', 'SELECT', NULL),
      ('runs', 'timedb_eraser', 'SELECT', NULL), ('runs', 'timedb_eraser', 'UPDATE', '{value_count,listed}'),
      ('values', 'timedb_eraser', 'SELECT', NULL), ('values', 'timedb_eraser', 'INSERT', NULL),
      ('values', 'timedb_eraser', 'DELETE', NULL),
      ('packs', 'timedb_eraser', 'SELECT', NULL), ('packs', 'timedb_eraser', 'INSERT', NULL),
      ('packs', 'timedb_eraser', 'DELETE', NULL),
      ('retention', 'timedb_eraser', 'SELECT', NULL), ('retention', 'timedb_eraser', 'INSERT', NULL),
      ('retention', 'timedb_eraser', 'UPDATE', '{keep,basis,keep_revisions,changed_at,changed_by}'),
      ('retention', 'timedb_eraser', 'DELETE', NULL),
      ('series', 'timedb_eraser', 'DELETE', NULL), ('series', 'timedb_eraser', 'UPDATE', '{description}'),
      ('series_labels', 'timedb_eraser', 'SELECT', NULL), ('series_labels', 'timedb_eraser', 'DELETE', NULL),
      ('runs', 'timedb_eraser', 'DELETE', NULL),
      ('users', 'timedb_eraser', 'SELECT', NULL), ('users', 'timedb_eraser', 'DELETE', NULL),
      ('users', 'timedb_eraser', 'UPDATE', '{updated_at}'),
      ('api_keys', 'timedb_eraser', 'SELECT', '{tenant_id,key_id}'), ('api_keys', 'timedb_eraser', 'DELETE', NULL),
      ('key_ends', 'timedb_eraser', 'SELECT', NULL), ('key_ends', 'timedb_eraser', 'DELETE', NULL),
      ('role_bindings', 'timedb_eraser', 'SELECT', NULL), ('role_bindings', 'timedb_eraser', 'DELETE', NULL),
      ('audit', 'timedb_eraser', 'SELECT', NULL), ('audit', 'timedb_eraser', 'INSERT', NULL),
      ('audit', 'timedb_eraser', 'DELETE', NULL),
      ('maintenance_log', 'timedb_eraser', 'SELECT', NULL), ('maintenance_log', 'timedb_eraser', 'DELETE', NULL),
      ('withdrawals', 'timedb_eraser', 'SELECT', NULL), ('withdrawals', 'timedb_eraser', 'DELETE', NULL),
      ('withdrawals', 'timedb_eraser', 'UPDATE', '{reason}'),
      ('users', 'timedb_api', 'SELECT', NULL), ('users', 'timedb_api', 'INSERT', NULL),
      ('users', 'timedb_api', 'UPDATE', '{is_active,updated_at}'),
      ('api_keys', 'timedb_api', 'SELECT',
        '{tenant_id,key_id,user_id,name,hint,scope,created_at,expires_at,revoked_at}'),
      ('api_keys', 'timedb_api', 'INSERT', NULL),
      ('key_ends', 'timedb_api', 'SELECT', NULL), ('key_ends', 'timedb_api', 'INSERT', NULL),
      ('api_keys', 'timedb_auth', 'SELECT', '{tenant_id,key_id,key_hash,scope}'),
      ('users', 'timedb_operator', 'SELECT', NULL), ('users', 'timedb_operator', 'INSERT', NULL),
      ('users', 'timedb_operator', 'UPDATE', '{is_active,updated_at}'),
      ('api_keys', 'timedb_operator', 'SELECT',
        '{tenant_id,key_id,user_id,name,hint,scope,created_at,expires_at,revoked_at}'),
      ('api_keys', 'timedb_operator', 'INSERT', NULL),
      ('key_ends', 'timedb_operator', 'SELECT', NULL), ('key_ends', 'timedb_operator', 'INSERT', NULL),
      ('audit', 'timedb_api', 'SELECT', NULL), ('audit', 'timedb_api', 'INSERT', NULL),
      ('audit', 'timedb_operator', 'SELECT', NULL), ('audit', 'timedb_operator', 'INSERT', NULL),
      ('role_bindings', 'timedb_operator', 'SELECT', NULL), ('role_bindings', 'timedb_operator', 'INSERT', NULL),
      ('role_bindings', 'timedb_operator', 'DELETE', NULL)
  ),
  table_grants AS (
    SELECT c.oid::regclass::text AS name, c.relname, NULL::name AS column_, g.grantee, g.privilege_type, g.is_grantable
    FROM pg_class c, LATERAL aclexplode(c.relacl) g
    WHERE c.relnamespace = 'timedb'::regnamespace AND g.grantee <> c.relowner
    UNION ALL
    SELECT c.oid::regclass::text, c.relname, a.attname, g.grantee, g.privilege_type, g.is_grantable
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, LATERAL aclexplode(a.attacl) g
    WHERE c.relnamespace = 'timedb'::regnamespace AND g.grantee <> c.relowner
  ),
  -- Who may execute a function: the internal ones one role each, the others whoever may sign in.
  allowed_callers AS (
    SELECT r.oid,
           CASE
             WHEN r.proname ~ '_operator$' OR r.proname IN ('self_check', '_keys_without_user', '_has_statistics',
                                                              'bind_role', 'unbind_role', 'list_bindings', 'maintain', 'erase_tenant',
                                                              'tenant_stats')
               THEN '{timedb_admin}'
             WHEN r.proname = '_own_key' THEN '{timedb_api,timedb_caller,timedb_user,timedb_admin}'
             WHEN r.proname = '_presented_key_hash' THEN '{timedb_auth}'
             WHEN r.proname = '_may' THEN '{timedb_api,timedb_compactor,timedb_eraser}'
             WHEN r.proname = '_require_login' THEN '{timedb_api}'
             WHEN r.proname = '_points_of_bytes' THEN '{timedb_api,timedb_eraser}'
             WHEN r.proname = '_pack_of_bytes' THEN '{timedb_compactor,timedb_eraser}'
             WHEN r.proname LIKE '\_merge\_points\_%' OR r.proname = '_run_scan' THEN '{}'
             WHEN r.proname = 'current_tenant'
               THEN '{timedb_api,timedb_compactor,timedb_eraser,timedb_caller,timedb_user,timedb_admin}'
             WHEN r.proname IN ('authenticate', 'logout', 'whoami', 'pre_request', 'create_user', 'list_users',
                                'deactivate_user', 'activate_user', 'regenerate_key', 'create_key', 'list_keys',
                                'revoke_key', 'list_audit', 'erase_run', 'erase_series', '_manages_as',
                                'set_retention', 'list_retention', 'apply_retention')
               OR r.proname ~ '_tenant$' THEN '{timedb_caller,timedb_user,timedb_admin}'
             -- The body of a view, which a caller may not select.
             WHEN r.proname = '_series_values' THEN '{timedb_user}'
             ELSE '{timedb_caller,timedb_user}'
           END::text[] AS callers
    FROM routines r
  ),
  roles AS (
    SELECT r.oid, r.rolname, r.rolname NOT IN ('timedb_admin', 'timedb_caller', 'timedb_user') AS is_owner
    FROM pg_roles r
    WHERE r.rolname IN ('timedb_owner', 'timedb_api', 'timedb_auth', 'timedb_operator', 'timedb_compactor',
                        'timedb_eraser', 'timedb_admin', 'timedb_caller', 'timedb_user')
  )
SELECT 'row-level security is enabled and forced', t.name,
       CASE WHEN t.relrowsecurity THEN 'not forced' ELSE 'not enabled' END
FROM tables t WHERE NOT (t.relrowsecurity AND t.relforcerowsecurity)
UNION ALL
SELECT 'policies are the standard ones', e.table_name || ': ' || e.policy, 'missing or changed'
FROM (TABLE expected_policies EXCEPT TABLE actual_policies) e
UNION ALL
SELECT 'policies are the standard ones', p.schemaname || '.' || p.tablename || ': ' || p.policyname, 'not one of them'
FROM pg_policies p
WHERE p.schemaname = 'timedb'
  AND (p.tablename, p.policyname) NOT IN (SELECT s.table_name::name, s.policy::name FROM standard_policies s)
UNION ALL
SELECT 'tables and views belong to timedb_owner', c.oid::regclass::text, format('owned by %s', c.relowner::regrole)
FROM pg_class c
WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND c.relowner <> 'timedb_owner'::regrole
UNION ALL
SELECT 'keys start with tenant_id', k.name, coalesce('starts with ' || k.first_column, 'starts with an expression')
FROM keys k
WHERE k.first_column IS DISTINCT FROM 'tenant_id' AND k.name <> 'timedb.role_bindings_pkey'
UNION ALL
SELECT 'tables have no foreign keys', t.name, c.conname || ' references ' || c.confrelid::regclass
FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid
WHERE c.contype = 'f'
UNION ALL
SELECT 'every key is that of a user', 'timedb.api_keys', format('%s without one', k.count)
FROM timedb._keys_without_user() AS k(count)
WHERE k.count > 0
UNION ALL
SELECT 'views are security_invoker', c.oid::regclass::text, 'it is not'
FROM pg_class c
WHERE c.relnamespace = 'timedb'::regnamespace
  AND (c.relkind = 'm'
       OR c.relkind = 'v' AND NOT coalesce(c.reloptions, '{}') @> ARRAY['security_invoker=true'])
UNION ALL
SELECT 'tables have no triggers, rules or children', t.name, 'trigger ' || g.tgname
FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
UNION ALL
SELECT 'tables have no triggers, rules or children', t.name, 'rule ' || w.rulename
FROM tables t JOIN pg_rewrite w ON w.ev_class = t.oid
UNION ALL
SELECT 'tables have no triggers, rules or children', t.name, format('child %s', h.inhrelid::regclass)
FROM tables t JOIN pg_inherits h ON h.inhparent = t.oid
UNION ALL
SELECT 'tables are dumped', t.name, 'not registered with pg_extension_config_dump'
FROM tables t
WHERE NOT EXISTS (
  SELECT FROM pg_extension e WHERE e.extname = 'timedb' AND t.oid = ANY (e.extconfig))
UNION ALL
SELECT 'the planner keeps no statistics', p.name,
       concat_ws(', ', CASE WHEN p.target > 0 THEN format('its target is %s', p.target)
                            WHEN p.target < 0 THEN 'its target is the default' END,
                 CASE WHEN p.is_known THEN 'has some' END)
FROM planned p WHERE p.target <> 0 OR p.is_known
UNION ALL
SELECT 'the planner keeps no statistics', t.name, format('extended: %I.%I', n.nspname, s.stxname)
FROM tables t JOIN pg_statistic_ext s ON s.stxrelid = t.oid JOIN pg_namespace n ON n.oid = s.stxnamespace
UNION ALL
SELECT 'everything in the schema belongs to the extension', pg_describe_object(o.classid, o.oid, 0), 'it does not'
FROM (
  SELECT 'pg_class'::regclass AS classid, c.oid FROM pg_class c
  WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL SELECT 'pg_proc'::regclass, r.oid FROM routines r
  UNION ALL SELECT 'pg_operator'::regclass, p.oid FROM pg_operator p WHERE p.oprnamespace = 'timedb'::regnamespace) o
WHERE NOT EXISTS (
  SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
  WHERE d.classid = o.classid AND d.objid = o.oid AND d.refclassid = 'pg_extension'::regclass
    AND d.deptype = 'e' AND e.extname = 'timedb')
UNION ALL
SELECT 'functions belong to roles that own no table', r.name, format('owned by %s', r.proowner::regrole)
FROM routines r
WHERE r.proowner NOT IN (
  'timedb_api'::regrole, 'timedb_auth'::regrole, 'timedb_operator'::regrole, 'timedb_compactor'::regrole,
  'timedb_eraser'::regrole)
UNION ALL
SELECT 'what may delete runs as a role of its own', r.name, format('owned by %s', r.proowner::regrole)
FROM routines r
WHERE (r.proowner = 'timedb_compactor'::regrole)
      <> (r.proname IN ('compact', '_begin_maintenance_operator', '_maintain_share_operator', '_end_maintenance_operator'))
   OR (r.proowner = 'timedb_eraser'::regrole)
      <> (r.proname ~ '^_(erase_run|erase_series|set_retention|list_retention|apply_retention)_(tenant|operator)$'
          OR r.proname IN ('erase_tenant', '_retain_share_operator'))
UNION ALL
SELECT 'security definer functions pin their search_path', r.name, coalesce(array_to_string(r.proconfig, ', '), 'not set')
FROM routines r
WHERE r.prosecdef AND NOT coalesce(r.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']
UNION ALL
SELECT 'security definer functions in SQL hide their plans', r.name, coalesce(array_to_string(r.proconfig, ', '), 'not set')
FROM routines r
WHERE r.prosecdef AND r.prolang IN (SELECT l.oid FROM pg_language l WHERE l.lanname IN ('sql', 'plpgsql'))
  AND NOT coalesce(r.proconfig, '{}') @> ARRAY['debug_print_plan=off', 'plan_cache_mode=auto']
UNION ALL
SELECT 'current_tenant is stable and parallel restricted', r.name, format('volatility %s, parallel %s', r.provolatile, r.proparallel)
FROM routines r
WHERE r.proname = 'current_tenant' AND NOT (r.provolatile = 's' AND r.proparallel = 'r')
UNION ALL
SELECT 'no function is leakproof', r.name, 'it is' FROM routines r WHERE r.proleakproof
UNION ALL
SELECT 'nothing more is granted on tables', g.name || coalesce('.' || g.column_, ''),
       g.privilege_type || ' to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END
FROM table_grants g
WHERE g.is_grantable OR NOT EXISTS (
  SELECT FROM allowed_grants a
  WHERE a.table_name = g.relname AND g.grantee <> 0 AND a.grantee = g.grantee::regrole::text
    AND a.privilege = g.privilege_type
    AND (a.columns_ IS NULL AND g.column_ IS NULL OR g.column_ = ANY (a.columns_::name[])))
UNION ALL
SELECT 'nothing more is granted on functions', r.name,
       g.privilege_type || ' to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END
FROM routines r, LATERAL aclexplode(coalesce(r.proacl, acldefault('f', r.proowner))) g
WHERE g.grantee <> r.proowner
  AND (g.is_grantable
       OR NOT EXISTS (
         SELECT FROM allowed_callers a
         WHERE a.oid = r.oid AND g.grantee <> 0 AND g.grantee::regrole::text = ANY (a.callers)))
UNION ALL
SELECT 'nothing more is granted on the schema', 'timedb',
       g.privilege_type || ' to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END
FROM pg_namespace n, LATERAL aclexplode(n.nspacl) g
WHERE n.nspname = 'timedb' AND g.grantee <> n.nspowner
  AND (g.is_grantable
       OR g.grantee NOT IN (SELECT r.oid FROM roles r)
       OR g.privilege_type = 'CREATE' AND g.grantee <> 'timedb_owner'::regrole)
UNION ALL
SELECT 'the schema belongs to a superuser', 'timedb', format('owned by %s', n.nspowner::regrole)
FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
WHERE n.nspname = 'timedb' AND NOT r.rolsuper
UNION ALL
SELECT 'roles have no powers of their own', r.rolname, 'login, superuser, bypassrls, createrole, createdb or replication'
FROM roles o JOIN pg_roles r ON r.oid = o.oid
WHERE r.rolcanlogin OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
UNION ALL
SELECT 'roles belong to no role', r.rolname, format('a member of %s', m.roleid::regrole)
FROM roles r JOIN pg_auth_members m ON m.member = r.oid
UNION ALL
SELECT 'owning roles have no members', r.rolname, format('%s is a member', m.member::regrole)
FROM roles r JOIN pg_auth_members m ON m.roleid = r.oid
WHERE r.is_owner
UNION ALL
-- What a role has by itself: one that may become several, and inherits none, is a front's.
SELECT 'callers select nothing', c.rolname, format('inherits timedb_caller and %s', s.rolname)
FROM pg_roles c JOIN pg_roles s ON s.rolname IN ('timedb_user', 'pg_read_all_data')
WHERE c.rolcanlogin AND NOT c.rolsuper AND pg_has_role(c.oid, 'timedb_caller', 'USAGE') AND pg_has_role(c.oid, s.oid, 'USAGE')
ORDER BY 1, 2, 3
$check$;
COMMENT ON FUNCTION timedb.self_check() IS
  'One row for each promise of the security model that the catalogs of this database, or its keys, break; none is the pass. For operators.';
