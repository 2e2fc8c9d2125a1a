-- Writes the pages that are not written by hand, from the catalog of a timedb: psql -v is_router=1 -v is_operator=0 -v is_shard=0 -v is_comments=0, and so on. One function of
-- timedb's becomes, here, a function of PL/Proxy's, a shell around it that raises the shard's errors as they were, and, where that is not the shell,
-- the one that clients call; on the shard, one that takes the key first.

\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset pager off

CREATE TEMPORARY VIEW arguments AS
SELECT p.oid, a.n, a.type, a.mode, a.name, dense_rank() OVER (PARTITION BY p.oid, a.mode IN ('i') ORDER BY a.n) AS nth
FROM pg_proc p,
     LATERAL unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]),
                    coalesce(p.proargmodes, array_fill('i'::"char", ARRAY[p.pronargs])), p.proargnames)
       WITH ORDINALITY a(type, mode, name, n);

-- Those that a key or an operator can call, but for what is of the session itself, and for the types of values, which no router
-- has.
CREATE TEMPORARY VIEW functions AS
SELECT p.oid, p.proname AS name, quote_ident(p.proname) AS quoted, p.proretset AS many,
       -- These wait for nobody and write nothing: they are volatile to see what was committed since their statement began.
       p.provolatile = 'v' AND p.proname NOT IN ('settled_time', 'read_changes', 'read_changes_arrow') AS writes,
       -- What a call that may write depends on, where it does: a dry run is for whoever may only read, too.
       CASE p.proname WHEN 'apply_retention' THEN 'a1 IS FALSE' END AS writes_if,
       p.prorows AS rows,
       CASE p.provolatile WHEN 'v' THEN 'VOLATILE' ELSE 'STABLE' END AS volatility,
       pg_get_function_arguments(p.oid) AS declared,
       pg_get_function_identity_arguments(p.oid) AS identified,
       pg_get_function_result(p.oid) AS result,
       p.prorettype, nullif((SELECT t.typrelid FROM pg_type t WHERE t.oid = p.prorettype), 0) AS composite,
       may.admin AS managed,
       coalesce((SELECT string_agg(format('$%s', g.nth), ', ' ORDER BY g.nth)
                 FROM arguments g WHERE g.oid = p.oid AND g.mode = 'i'), '') AS passed,
       coalesce((SELECT string_agg(format('$%s', g.nth + 1), ', ' ORDER BY g.nth)
                 FROM arguments g WHERE g.oid = p.oid AND g.mode = 'i'), '') AS passed_after,
       -- Not before the server knows for whom.
       coalesce((SELECT string_agg(format(CASE g.nth WHEN 1 THEN 'CASE WHEN o.is_known THEN a%s::%s END' ELSE 'a%s' END,
                                          g.nth, format_type(g.type, NULL)), ', ' ORDER BY g.nth)
                 FROM arguments g WHERE g.oid = p.oid AND g.mode = 'i'), '') AS passed_acting,
       coalesce((SELECT string_agg(format('a%s %s', g.nth, format_type(g.type, NULL)), ', ' ORDER BY g.nth)
                 FROM arguments g WHERE g.oid = p.oid AND g.mode = 'i'), '') AS numbered,
       coalesce((SELECT string_agg(format_type(g.type, NULL), ', ' ORDER BY g.nth)
                 FROM arguments g WHERE g.oid = p.oid AND g.mode = 'i'), '') AS types,
       coalesce((SELECT string_agg(format('OUT %I %s', g.name, format_type(g.type, NULL)), ', ' ORDER BY g.nth)
                 FROM arguments g WHERE g.oid = p.oid AND g.mode = 'o'), '') AS outputs,
       coalesce((SELECT string_agg(quote_ident(g.name), ', ' ORDER BY g.nth)
                 FROM arguments g WHERE g.oid = p.oid AND g.mode = 'o'), '') AS output_names,
       -- The columns of an answer.
       coalesce((SELECT string_agg(format('%I %s', g.name, format_type(g.type, NULL)), ', ' ORDER BY g.nth)
                 FROM arguments g WHERE g.oid = p.oid AND g.mode = 'o'),
                (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, NULL)), ', ' ORDER BY a.attnum)
                 FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
                 WHERE t.oid = p.prorettype AND a.attnum > 0 AND NOT a.attisdropped),
                format('answer %s', format_type(p.prorettype, NULL))) AS columns,
       may.caller AS is_for_keys
FROM pg_proc p,
     LATERAL (SELECT bool_or(g.grantee::regrole::text = 'timedb_caller') AS caller,
                     bool_or(g.grantee::regrole::text = 'timedb_admin') AS admin
              FROM aclexplode(p.proacl) g WHERE g.privilege_type = 'EXECUTE') may
WHERE p.pronamespace = 'timedb'::regnamespace AND p.prokind = 'f' AND (may.caller OR may.admin)
  AND p.proname !~ '^_' AND p.proname NOT IN ('authenticate', 'logout', 'whoami', 'pre_request', 'current_tenant')
  AND NOT EXISTS (SELECT FROM unnest(p.prorettype || p.proargtypes::oid[]) t(oid) JOIN pg_type USING (oid)
                  WHERE oid IN ('cstring'::regtype, 'internal'::regtype)
                     OR typnamespace = 'timedb'::regnamespace AND typtype = 'b');

-- How a call of this one is written where its answer is the answer.
CREATE TEMPORARY VIEW calls AS
SELECT f.*,
       -- Clients call the shell itself, unless it would have two variables of one name, which PL/pgSQL does not know, or operators call
       -- the function too; or it is a stable one that answers a set: a function in SQL around it becomes part of the query. Around any
       -- other it would be planned at every call.
       NOT f.managed AND NOT (f.many AND f.volatility = 'STABLE')
       AND NOT EXISTS (SELECT FROM arguments i JOIN arguments o USING (oid, name) WHERE i.oid = f.oid AND i.mode = 'i' AND o.mode = 'o')
         AS is_direct,
       CASE WHEN f.outputs <> '' THEN concat_ws(', ', nullif(f.numbered, ''), f.outputs) ELSE f.numbered END AS inner_declared,
       CASE WHEN f.many THEN 'many' WHEN f.outputs LIKE '%, OUT %' THEN 'record'
            WHEN f.outputs <> '' THEN 'one' WHEN f.prorettype = 'void'::regtype THEN 'void' ELSE 'scalar' END AS shape
FROM functions f;

-- As pg_temp.answer, of an answer that comes as packed rows of these columns.
CREATE FUNCTION pg_temp.opened(shape text, output_names text, columns text, call text) RETURNS text LANGUAGE sql AS $$
  SELECT format(CASE shape
    WHEN 'many' THEN 'RETURN QUERY SELECT r.* FROM %1$s'
    WHEN 'void' THEN 'PERFORM FROM %1$s'
    WHEN 'scalar' THEN 'SELECT r.* INTO answer FROM %1$s'
    ELSE 'SELECT r.* INTO %2$s FROM %1$s' END
    || CASE shape WHEN 'void' THEN ' p;' ELSE ' p(packed), LATERAL timedb_router._opened(p.packed) r(%3$s);' END,
    call, output_names, columns)
$$;

-- For a shape: the statement that answers what an expression's function answers.
CREATE FUNCTION pg_temp.answer(shape text, output_names text, call text) RETURNS text LANGUAGE sql AS $$
  SELECT CASE shape
    WHEN 'many' THEN format('RETURN QUERY SELECT * FROM %s;', call)
    WHEN 'record' THEN format('SELECT * INTO %s FROM %s;', output_names, call)
    WHEN 'one' THEN format('%s := %s;', output_names, call)
    WHEN 'void' THEN format('PERFORM %s;', call)
    ELSE format('answer := %s;', call) END
$$;

-- A statement of a call that may write.
CREATE FUNCTION pg_temp.where_it_writes(writes boolean, writes_if text, statement text) RETURNS text LANGUAGE sql AS $$
  SELECT CASE WHEN NOT writes THEN NULL
              WHEN writes_if IS NULL THEN format(E'      %s;\n', statement)
              ELSE format(E'      IF %s THEN\n        %s;\n      END IF;\n', writes_if, statement) END
$$;

\if :is_router
SELECT '-- Generated from the functions of timedb by generate.sql: not to be edited. What a key can call.' || E'\n';

-- Types that functions answer.
SELECT format(E'CREATE TYPE timedb.%I AS (\n  %s\n);\nCOMMENT ON TYPE timedb.%I IS %L;\n',
              t.typname, string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum),
              t.typname, obj_description(t.oid, 'pg_type'))
FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
WHERE t.oid IN (SELECT f.prorettype FROM functions f) AND t.typnamespace = 'timedb'::regnamespace
GROUP BY t.oid, t.typname ORDER BY t.typname;

SELECT
  -- To the shard.
  format(E'CREATE FUNCTION timedb_router._%s(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$\n'
         '  CONNECT timedb_router._shard();\n  TARGET timedb_shard.%s;\n$$;\n', f.name, f.quoted)
  ||
  -- The shell.
  format(E'CREATE FUNCTION %s.%s(%s) RETURNS %s LANGUAGE plpgsql %s PARALLEL UNSAFE%s\n'
         '  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$\n'
         'DECLARE\n  told_detail text;\n  told_hint text;\n%s%sBEGIN\n  FOR tried IN 1..%s LOOP\n    BEGIN\n'
         '%s      %s\n%s      RETURN%s;\n    EXCEPTION WHEN OTHERS OR query_canceled THEN\n'
         '      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;\n'
         '      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, %s, %s);\n    END;\n  END LOOP;\nEND\n$$;\n',
         CASE WHEN f.is_direct THEN 'timedb' ELSE 'timedb_router' END, f.quoted,
         CASE WHEN f.is_direct THEN f.declared ELSE f.inner_declared END,
         f.result, f.volatility, CASE WHEN f.many THEN format(' ROWS %s', f.rows) END,
         CASE f.shape WHEN 'scalar' THEN format(E'  answer %s;\n', f.result) END,
         CASE WHEN f.writes THEN E'  is_free boolean;\n  has_written boolean;\n' END,
         CASE WHEN f.writes THEN 1 ELSE 2 END,
         pg_temp.where_it_writes(f.writes, f.writes_if, 'is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), ''' || f.name || '()'')'),
         pg_temp.opened(f.shape, f.output_names, f.columns,
           format('timedb_router._%s(timedb_router._key(), %s)', f.name,
                  CASE f.passed WHEN '' THEN '''\x00''' ELSE format('timedb_router._packed(%s)', f.passed) END)),
         pg_temp.where_it_writes(f.writes, f.writes_if, 'has_written := timedb_router._wrote()'),
         CASE f.shape WHEN 'scalar' THEN ' answer' END,
         CASE WHEN f.writes THEN 'true' ELSE 'false' END, CASE WHEN f.writes THEN 'false' ELSE 'tried = 1' END)
  ||
  -- What clients call.
  CASE
    WHEN f.is_direct THEN ''
    WHEN f.managed THEN
      format(E'CREATE FUNCTION timedb.%s(%s) RETURNS %s LANGUAGE plpgsql %s PARALLEL UNSAFE%s\n'
             '  SET search_path = pg_catalog, pg_temp AS $$\n%sBEGIN\n  IF timedb_router._manages_as() = ''operator'' THEN\n    %s\n  ELSE\n    %s\n  END IF;\n%sEND\n$$;\n',
             f.quoted, f.declared, f.result, f.volatility, CASE WHEN f.many THEN format(' ROWS %s', f.rows) END,
             CASE f.shape WHEN 'scalar' THEN format(E'DECLARE\n  answer %s;\n', f.result) END,
             pg_temp.answer(f.shape, f.output_names, format('timedb_router._%s_operator(%s)', f.name, f.passed)),
             pg_temp.answer(f.shape, f.output_names, format('timedb_router.%s(%s)', f.quoted, f.passed)),
             CASE f.shape WHEN 'scalar' THEN E'  RETURN answer;\n' END)
    ELSE
      format(E'CREATE FUNCTION timedb.%s(%s) RETURNS %s LANGUAGE sql %s PARALLEL UNSAFE%s\n'
             'BEGIN ATOMIC\n  SELECT * FROM timedb_router.%s(%s);\nEND;\n',
             f.quoted, f.declared, f.result, f.volatility, CASE WHEN f.many THEN format(' ROWS %s', f.rows) END,
             f.quoted, f.passed)
  END
FROM calls f WHERE f.is_for_keys ORDER BY f.name COLLATE "C", f.identified;
\endif

\if :is_operator
SELECT '-- Generated from the functions of timedb by generate.sql: not to be edited. What an operator can call, on one server.' || E'\n';

SELECT
  format(E'CREATE FUNCTION timedb_router._%s_at(conninfo text%s%s) RETURNS %s LANGUAGE plproxy AS $$\n'
         '  CONNECT timedb_router._for_operators(conninfo);\n  SELECT %s;\n$$;\n',
         f.name, CASE WHEN f.writes THEN ', operator_ text' END,
         CASE WHEN f.inner_declared <> '' THEN ', ' || f.inner_declared END, f.result,
         format(CASE WHEN f.shape IN ('scalar', 'void', 'one') AND f.composite IS NULL
                     THEN CASE WHEN f.writes THEN 'timedb.%s(%s) FROM timedb_shard.act_for(operator_) o(is_known)' ELSE 'timedb.%s(%s)' END
                     WHEN f.writes THEN 'r.* FROM timedb_shard.act_for(operator_) o(is_known), LATERAL timedb.%s(%s) r'
                     ELSE '* FROM timedb.%s(%s) r' END,
                f.quoted, CASE WHEN f.writes THEN f.passed_acting ELSE f.passed_after END))
  ||
  format(E'CREATE FUNCTION timedb_router._%s_on(%s%s) RETURNS %s LANGUAGE plpgsql %s PARALLEL UNSAFE%s\n'
         '  SET search_path = pg_catalog, pg_temp AS $$\n'
         'DECLARE\n  told_detail text;\n  told_hint text;\n%s%sBEGIN\n  FOR tried IN 1..%s LOOP\n    BEGIN\n'
         '%s      %s\n%s      RETURN%s;\n    EXCEPTION WHEN OTHERS OR query_canceled THEN\n'
         '      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;\n'
         '      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, %s, %s);\n    END;\n  END LOOP;\nEND\n$$;\n',
         f.name, CASE WHEN f.writes THEN 'of_tenant uuid' ELSE 'conninfo text' END,
         CASE WHEN f.inner_declared <> '' THEN ', ' || f.inner_declared END, f.result, f.volatility,
         CASE WHEN f.many THEN format(' ROWS %s', f.rows) END,
         CASE f.shape WHEN 'scalar' THEN format(E'  answer %s;\n', f.result) END,
         CASE WHEN f.writes THEN E'  is_free boolean;\n  has_written boolean;\n' END,
         CASE WHEN f.writes THEN 1 ELSE 2 END,
         pg_temp.where_it_writes(f.writes, f.writes_if, 'is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), ''' || f.name || '()'')'),
         pg_temp.answer(f.shape, f.output_names, format('timedb_router._%s_at(%s)', f.name,
           concat_ws(', ', CASE WHEN f.writes THEN 'timedb_router._home($1), timedb_router._operator()' ELSE '$1' END, nullif(f.passed_after, '')))),
         pg_temp.where_it_writes(f.writes, f.writes_if, 'has_written := timedb_router._wrote()'),
         CASE f.shape WHEN 'scalar' THEN ' answer' END,
         CASE WHEN f.writes THEN 'true' ELSE 'false' END, CASE WHEN f.writes THEN 'false' ELSE 'tried = 1' END)
FROM calls f WHERE f.managed ORDER BY f.name COLLATE "C", f.identified;
\endif

\if :is_shard
SELECT '-- Generated from the functions of timedb by generate.sql: not to be edited. What a key can call, with the key first.' || E'\n';

SELECT
  format(E'CREATE FUNCTION timedb_shard.%s(shown_key text, packed bytea) RETURNS SETOF bytea\n'
         '  AS ''MODULE_PATHNAME'', ''_shard_call_wrapper'' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1\n'
         '  SET search_path = pg_catalog, pg_temp;\n'
         'COMMENT ON FUNCTION timedb_shard.%s(text, bytea) IS\n  ''timedb.%s() by the key that comes first, of packed arguments, with packed rows.'';\n',
         f.quoted, f.quoted, f.name)
FROM calls f WHERE f.is_for_keys ORDER BY f.name COLLATE "C", f.identified;
\endif

\if :is_comments
SELECT '-- Generated from the functions of timedb by generate.sql: not to be edited. The words of timedb for what clients call.' || E'\n';

SELECT format(E'COMMENT ON %s timedb.%I(%s) IS\n  %L;',
              CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.proname,
              (SELECT string_agg(format_type(t.oid, NULL), ', ' ORDER BY t.n)
               FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY t(oid, n)),
              obj_description(p.oid, 'pg_proc'))
FROM pg_proc p
WHERE p.pronamespace = 'timedb'::regnamespace AND p.proname !~ '^_'
  AND EXISTS (SELECT FROM aclexplode(p.proacl) g WHERE g.grantee IN ('timedb_caller'::regrole, 'timedb_admin'::regrole))
  AND NOT EXISTS (SELECT FROM unnest(p.prorettype || p.proargtypes::oid[]) t(oid) JOIN pg_type USING (oid)
                  WHERE oid IN ('cstring'::regtype, 'internal'::regtype)
                     OR typnamespace = 'timedb'::regnamespace AND typtype = 'b')
ORDER BY p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid);
\endif
