-- All that the extension puts into a database, so that a change of it is a difference here.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set topic surface
\i :two_tenants
\pset format unaligned
\pset tuples_only on

-- Functions: what one passes and gets, how they run and as whom, and who may execute them beside the owner.
SELECT format(E'%s(%s) -> %s\n    %s%s, %s, parallel %s%s, %s %s%s\n    execute: %s',
         p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
         CASE p.prokind WHEN 'a' THEN 'aggregate, ' WHEN 'p' THEN 'procedure, ' WHEN 'w' THEN 'window function, ' END,
         l.lanname,
         CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
         CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END,
         CASE WHEN p.proisstrict THEN ', strict' END,
         CASE WHEN p.prosecdef THEN 'security definer' ELSE 'owner' END, p.proowner::regrole,
         E'\n    set ' || array_to_string(p.proconfig, ', '),
         coalesce((SELECT string_agg(CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, ', ' ORDER BY g.grantee::regrole::text)
                   FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g WHERE g.grantee <> p.proowner), '-'))
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'timedb'::regnamespace
ORDER BY p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid);

-- Tables and views: owner, row-level security, columns.
SELECT format(E'%s %s, owner %s%s%s\n%s',
         CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' ELSE c.relkind::text END, c.relname, c.relowner::regrole,
         CASE WHEN c.relrowsecurity THEN ', row security' || CASE WHEN c.relforcerowsecurity THEN ' forced' ELSE ' not forced' END END,
         ', ' || array_to_string(c.reloptions, ', '),
         (SELECT string_agg(format('    %s %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' not null' END,
                                   ' default ' || pg_get_expr(d.adbin, d.adrelid)), E'\n' ORDER BY a.attnum)
          FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM pg_class c
WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind NOT IN ('i', 'c', 't')
ORDER BY c.relkind, c.relname;

-- What the views show, each of them, by their names. From 18 on Postgres leaves out the name of a source that stands alone.
SELECT regexp_replace(pg_get_viewdef(c.oid), '\mm\.', '', 'g') FROM pg_class c
WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('v', 'm') ORDER BY c.relname;

-- Constraints (not null is said above).
SELECT format('%s: %s %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
FROM pg_constraint c
WHERE c.connamespace = 'timedb'::regnamespace AND c.contype <> 'n'
ORDER BY c.conrelid::regclass::text, c.conname;

-- Indexes.
SELECT pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'timedb'::regnamespace
ORDER BY i.indexrelid::regclass::text;

-- Triggers, and rules other than the view's own.
SELECT format('%s: trigger %s', t.tgrelid::regclass, t.tgname)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'timedb'::regnamespace AND NOT t.tgisinternal;
SELECT format('%s: rule %s', w.ev_class::regclass, w.rulename)
FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class
WHERE c.relnamespace = 'timedb'::regnamespace AND w.rulename <> '_RETURN';

-- Policies.
SELECT format(E'%s: %s, %s for %s to %s%s%s', p.tablename, p.policyname, lower(p.permissive), lower(p.cmd),
         (SELECT string_agg(role, ', ' ORDER BY role) FROM unnest(p.roles) role),
         E'\n    using ' || regexp_replace(p.qual, '\s+', ' ', 'g'),
         E'\n    with check ' || regexp_replace(p.with_check, '\s+', ' ', 'g'))
FROM pg_policies p WHERE p.schemaname = 'timedb' ORDER BY p.tablename, p.policyname;

-- Grants on the schema, on tables and views, on their columns.
SELECT format('schema %s: %s to %s', n.nspname, string_agg(lower(g.privilege_type), ', ' ORDER BY g.privilege_type),
         CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END)
FROM pg_namespace n, aclexplode(n.nspacl) g
WHERE n.nspname = 'timedb' AND g.grantee <> n.nspowner
GROUP BY n.nspname, g.grantee ORDER BY g.grantee::regrole::text;
SELECT format('%s: %s to %s', c.relname, string_agg(lower(g.privilege_type), ', ' ORDER BY g.privilege_type),
         CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END)
FROM pg_class c, aclexplode(c.relacl) g
WHERE c.relnamespace = 'timedb'::regnamespace AND g.grantee <> c.relowner
GROUP BY c.relname, g.grantee ORDER BY c.relname, g.grantee::regrole::text;
SELECT format('%s: %s (%s) to %s', c.relname, lower(g.privilege_type), string_agg(a.attname, ', ' ORDER BY a.attnum),
         CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) g
WHERE c.relnamespace = 'timedb'::regnamespace AND g.grantee <> c.relowner
GROUP BY c.relname, g.privilege_type, g.grantee ORDER BY c.relname, g.grantee::regrole::text, g.privilege_type;

-- Roles, and what they belong to.
SELECT format('%s:%s%s%s%s%s%s%s%s', r.rolname, CASE WHEN r.rolcanlogin THEN ' login' END, CASE WHEN r.rolsuper THEN ' superuser' END,
         CASE WHEN r.rolbypassrls THEN ' bypassrls' END, CASE WHEN r.rolcreaterole THEN ' createrole' END,
         CASE WHEN r.rolcreatedb THEN ' createdb' END, CASE WHEN r.rolreplication THEN ' replication' END,
         ' inherit ' || r.rolinherit, ' settings ' || array_to_string(r.rolconfig, ', '))
FROM pg_roles r WHERE r.rolname LIKE 'timedb\_%' ORDER BY r.rolname;
SELECT format('%s is a member of %s', m.member::regrole, m.roleid::regrole)
FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
WHERE r.rolname LIKE 'timedb\_%' OR m.member::regrole::text LIKE 'timedb\_%'
ORDER BY m.member::regrole::text, m.roleid::regrole::text;

-- Types: those one can name, but for arrays and the rows of tables.
SELECT format('%s, owner %s, %s%s', t.typname, t.typowner::regrole,
         CASE t.typtype WHEN 'b' THEN format('base: %s, %s, %s, %s, length %s, align %s, storage %s', t.typinput, t.typoutput, t.typreceive, t.typsend, t.typlen, t.typalign, t.typstorage)
                        WHEN 'c' THEN 'composite: ' || (SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.typrelid)
                        ELSE t.typtype::text END,
         ', usage to ' || (SELECT string_agg(CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, ', ') FROM aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) g WHERE g.grantee <> t.typowner))
FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = 'timedb'::regnamespace AND t.typcategory <> 'A' AND (c.oid IS NULL OR c.relkind = 'c')
ORDER BY t.typname;

-- Settings: hidden from SHOW ALL, and empty without a login. (The session topic shows who may not set them.)
SELECT timedb.current_tenant() IS NULL;
SELECT format('%s = %s: %s', s.name, quote_literal(current_setting(s.name)),
         (SELECT string_agg(flag, ', ' ORDER BY flag) FROM unnest(pg_settings_get_flags(s.name)) flag))
FROM (VALUES ('timedb.api_key'), ('timedb.login'), ('timedb.tenant')) s(name);
SELECT format('%s = %s%s, set by %s', name, setting, ', from ' || min_val || ' to ' || max_val || coalesce(' ' || unit, ''), context)
FROM pg_settings WHERE name LIKE 'timedb.%' ORDER BY name;

-- The extension: where it is, and the tables whose rows a dump holds.
SELECT format('schema %s, %s, tables dumped: %s', e.extnamespace::regnamespace, CASE WHEN e.extrelocatable THEN 'relocatable' ELSE 'not relocatable' END,
         (SELECT string_agg(t.oid::regclass::text || coalesce(nullif(format(' %s', t.condition), ' '), ''), ', ' ORDER BY t.oid::regclass::text)
          FROM unnest(e.extconfig, e.extcondition) t(oid, condition)))
FROM pg_extension e WHERE e.extname = 'timedb';
-- What else belongs to it, and what is in its schema and does not.
SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'timedb' AND d.deptype = 'e' AND d.classid NOT IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_type'::regclass)
ORDER BY 1;
SELECT p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace = 'timedb'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e');

-- Everything says what it is for: nothing here is without a comment.
SELECT o.object FROM (
  SELECT format('function %s', p.oid::regprocedure), obj_description(p.oid, 'pg_proc') FROM pg_proc p WHERE p.pronamespace = 'timedb'::regnamespace
  UNION ALL SELECT format('relation %s', c.oid::regclass), obj_description(c.oid, 'pg_class') FROM pg_class c WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'f', 'S', 'p')
  UNION ALL SELECT format('type %s', t.oid::regtype), obj_description(t.oid, 'pg_type') FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
            WHERE t.typnamespace = 'timedb'::regnamespace AND t.typcategory <> 'A' AND (c.oid IS NULL OR c.relkind = 'c')
  UNION ALL SELECT 'schema', obj_description(n.oid, 'pg_namespace') FROM pg_namespace n WHERE n.nspname = 'timedb'
  UNION ALL SELECT 'extension', obj_description(e.oid, 'pg_extension') FROM pg_extension e WHERE e.extname = 'timedb'
) o(object, comment)
WHERE coalesce(o.comment, '') = '' ORDER BY 1;
-- A security label, a publication, an event trigger would be out of place.
SELECT count(*) FROM pg_publication_tables WHERE schemaname = 'timedb';
SELECT count(*) FROM pg_event_trigger;
