-- From 0.1.0 to 0.2.0: afterwards the catalog is the one that the install script makes, down to the order of columns.
-- Every statement is harmless where it has run before: what 0.1.0 has is altered IF [NOT] EXISTS, functions are made by
-- CREATE OR REPLACE, which Postgres refuses for what is not the extension's, and what else is new in a DO block that looks
-- for it first, among what is. Owners come before grants, as in the install script.

-- No name below may be captured by an object of the database that is updated.
SET LOCAL search_path = pg_catalog, pg_temp;

-- A session goes on with the library that it has loaded. That of 0.1.0 knows of no key_ends, and would take an ended key for a
-- good one: by names that it does not have, whatever asks who somebody is fails there (42883), and the names say what to do. First,
-- so that this update fails so where it is run in such a session, or before the new library is installed. (Not authenticate: its
-- own statement, with the key in it, would stand in the log.)
CREATE OR REPLACE FUNCTION timedb.current_tenant() RETURNS uuid
  AS 'MODULE_PATHNAME', 'reconnect_current_tenant_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
CREATE OR REPLACE FUNCTION timedb._manages_as() RETURNS text
  AS 'MODULE_PATHNAME', 'reconnect_manages_as_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;

-- What the functions are that are declared otherwise by now. Whatever of the database's own depends on one of them is named, all
-- of it, before anything is changed: Postgres would name the first, half-way. A body that is a text depends on nothing that
-- Postgres knew of; its calls go on, with further columns at the end of the answer, and it is named in a NOTICE.
SET LOCAL client_min_messages = notice;
DO $dependents$
DECLARE
  gone regprocedure[];
  held text;
  calling record;
BEGIN
  SELECT array_agg(p.oid) INTO gone
  FROM unnest(ARRAY[
    'timedb.upload(timestamptz,json,text,timestamptz,timestamptz,jsonb,jsonb)',
    'timedb.upload_points(timestamptz,text[],timestamptz[],float8[],timestamptz[],text,timestamptz,timestamptz,jsonb,jsonb)',
    'timedb.upload_arrow(timestamptz,bytea,text,timestamptz,timestamptz,jsonb,jsonb)',
    'timedb.regenerate_key(text,uuid,uuid,interval)',
    'timedb._regenerate_key_tenant(text,uuid,uuid,interval)',
    'timedb._regenerate_key_operator(text,uuid,uuid,interval)',
    'timedb.whoami()',
    'timedb.list_series()',
    'timedb.read(timestamptz,timestamptz,timestamptz,timestamptz,text,boolean,text[],uuid[],timestamptz)',
    'timedb.read_arrow(timestamptz,timestamptz,timestamptz,timestamptz,text,boolean,text[],uuid[],timestamptz)'
  ]) AS declared(signature) JOIN pg_proc p ON p.oid = to_regprocedure(declared.signature)
  -- Its arguments are the same, its answer is not.
  WHERE p.proname <> 'whoami' OR cardinality(p.proargnames) < 7;

  WITH RECURSIVE dependent AS (
    SELECT s.classid, s.objid, s.objsubid, g.oid::regprocedure::text AS of, 1 AS depth
    FROM unnest(gone) AS g(oid)
    JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = g.oid AND d.deptype IN ('n', 'a')
    -- A view hangs by its rule.
    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
    CROSS JOIN LATERAL (
      SELECT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS classid,
             coalesce(w.ev_class, d.objid) AS objid, CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END AS objsubid) AS s
    UNION
    SELECT s.classid, s.objid, s.objsubid, pg_describe_object(h.classid, h.objid, h.objsubid), h.depth + 1
    FROM dependent h
    -- On a view, on its rows, on a function.
    LEFT JOIN pg_type t ON h.classid = 'pg_class'::regclass AND t.typrelid = h.objid
    JOIN pg_depend d ON d.deptype = 'n'
      AND (d.refclassid = h.classid AND d.refobjid = h.objid
           OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray))
    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
    CROSS JOIN LATERAL (
      SELECT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS classid,
             coalesce(w.ev_class, d.objid) AS objid, CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END AS objsubid) AS s
    WHERE h.depth < 50 AND (s.classid, s.objid) <> (h.classid, h.objid)
  )
  SELECT string_agg(format('%s depends on %s', pg_describe_object(l.classid, l.objid, l.objsubid), l.of), E'\n'
                    ORDER BY l.depth, pg_describe_object(l.classid, l.objid, l.objsubid), l.of)
  INTO held
  FROM (SELECT d.classid, d.objid, d.objsubid, d.of, min(d.depth) AS depth
        FROM dependent d GROUP BY d.classid, d.objid, d.objsubid, d.of) AS l;
  IF held IS NOT NULL THEN
    RAISE EXCEPTION 'objects of this database depend on functions that the update of timedb makes anew'
      USING ERRCODE = 'dependent_objects_still_exist', DETAIL = held,
            HINT = 'Nothing has been changed. Keep their definitions (pg_get_viewdef, pg_get_functiondef, \d), drop them, the last ones first, update, and make them again.';
  END IF;

  FOR calling IN
    SELECT p.oid::regprocedure AS routine, told.name
    FROM pg_proc p
    CROSS JOIN LATERAL (
      SELECT DISTINCT lower(m.words[1])
      FROM regexp_matches(
        p.prosrc, '\mtimedb\s*\.\s*"?(read|read_arrow|upload|upload_points|upload_arrow|whoami|current_values)\M', 'gi') AS m(words)
    ) AS told(name)
    WHERE p.prolang IN (SELECT l.oid FROM pg_language l WHERE l.lanname NOT IN ('internal', 'c')) AND p.prosqlbody IS NULL
      AND gone IS NOT NULL
      AND p.pronamespace NOT IN ('timedb'::regnamespace, 'pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    ORDER BY 1, 2
  LOOP
    RAISE NOTICE 'function % mentions timedb.%, whose answer has further columns at its end from now on', calling.routine, calling.name
      USING HINT = 'Calls go on as they are. See that it names the columns it takes: SELECT * takes the further ones too.';
  END LOOP;
END
$dependents$;
SET LOCAL client_min_messages = warning;

-- All of it, before anything is changed: whoever writes has then done so, or waits until the update is there. Nothing is held
-- while it waits: first for a table, until that is free, then for the others to be free at the same time, and if they are
-- not, from the start, for the one that was not. So nobody meets it in a deadlock; with lock_timeout it gives up in time (55P03).
DO $lock$
DECLARE
  began CONSTANT timestamptz := clock_timestamp();
  patience CONSTANT interval := (SELECT s.setting::integer * interval '1 ms' FROM pg_settings s WHERE s.name = 'lock_timeout');
  locked CONSTANT text[] := '{series,runs,values,packs,current_values,versions,users,api_keys,role_bindings,audit}';
  awaited text := 'series';
  has_waited boolean;
  until timestamptz;
BEGIN
  LOOP
    has_waited := false;
    BEGIN
      EXECUTE format('LOCK TABLE timedb.%I IN ACCESS EXCLUSIVE MODE', awaited);
      has_waited := true;
      -- Those who began before have so long to end; nobody waits longer for a lock that is not given in the end.
      until := clock_timestamp() + interval '200 ms';
      LOOP
        BEGIN
          FOREACH awaited IN ARRAY locked LOOP
            EXECUTE format('LOCK TABLE timedb.%I IN ACCESS EXCLUSIVE MODE NOWAIT', awaited);
          END LOOP;
          RETURN;
        EXCEPTION WHEN lock_not_available THEN
          IF clock_timestamp() > until THEN
            RAISE;
          END IF;
        END;
        PERFORM pg_sleep(0.002);
      END LOOP;
    EXCEPTION WHEN lock_not_available THEN
      IF NOT has_waited OR patience > interval '0' AND clock_timestamp() > began + patience THEN
        RAISE EXCEPTION 'timedb is in use: "%" could not be locked in time', awaited
          USING ERRCODE = 'lock_not_available',
                HINT = 'Nothing has been changed. Update again at a quieter moment, or with a longer lock_timeout.';
      END IF;
    END;
  END LOOP;
END
$lock$;

-- Made beforehand (docs/operations.md), and broken off.
DO $indexes$
DECLARE
  broken text;
BEGIN
  SELECT c.relname INTO broken
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE i.indrelid = 'timedb.values'::regclass AND NOT i.indisvalid
  LIMIT 1;
  IF broken IS NOT NULL THEN
    RAISE EXCEPTION 'index "%" of timedb.values is not valid', broken
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Drop it, and make it again or leave that to the update.';
  END IF;
END
$indexes$;

-- What has been granted, and what has been taken away, since the install: undone for as long as this runs, so that what is
-- granted below is the extension's own, and done again at the end, on the functions that are made anew too. What somebody has
-- granted by a grant option, not the owner, goes with that, and is granted by him again: so it ends with it later, too.
DO $keep$
DECLARE
  changed record;
  -- GRANT: given since. REVOKE: taken away.
  changes CONSTANT text := $changes$
    WITH objects AS (
      SELECT 'pg_proc'::regclass AS classid, p.oid AS objid, 0 AS objsubid, p.proowner AS owner,
             'ROUTINE ' || p.oid::regprocedure AS object, p.proname AS name, '' AS columns_, p.proacl AS acl,
             acldefault('f', p.proowner) AS by_default
      FROM pg_proc p
      WHERE p.pronamespace = 'timedb'::regnamespace
      UNION ALL
      SELECT 'pg_class'::regclass, c.oid, 0, c.relowner, 'TABLE ' || c.oid::regclass, c.relname, '', c.relacl,
             acldefault('r', c.relowner)
      FROM pg_class c
      WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v')
      UNION ALL
      SELECT 'pg_class'::regclass, c.oid, a.attnum, c.relowner, 'TABLE ' || c.oid::regclass, c.relname,
             format('(%I)', a.attname), a.attacl, NULL
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT 'pg_namespace'::regclass, n.oid, 0, n.nspowner, 'SCHEMA ' || n.oid::regnamespace, n.nspname, '', n.nspacl,
             acldefault('n', n.nspowner)
      FROM pg_namespace n
      WHERE n.nspname = 'timedb'
    ),
    own AS (
      SELECT o.object, o.name, o.columns_, o.owner, coalesce(o.acl, o.by_default) AS is_now,
             coalesce(i.initprivs, o.by_default) AS at_first
      FROM objects o
      LEFT JOIN pg_init_privs i ON i.classoid = o.classid AND i.objoid = o.objid AND i.objsubid = o.objsubid
      WHERE EXISTS (
        SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = o.classid AND d.objid = o.objid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
          AND e.extname = 'timedb')
    ),
    now_given AS (
      SELECT o.object, o.name, o.columns_, nullif(g.grantor, o.owner) AS grantor, g.grantee, g.privilege_type AS privilege,
             g.is_grantable
      FROM own o, LATERAL aclexplode(o.is_now) g
      WHERE g.grantee <> o.owner
    ),
    first_given AS (
      SELECT o.object, o.name, o.columns_, NULL::oid, g.grantee, g.privilege_type AS privilege, g.is_grantable
      FROM own o, LATERAL aclexplode(o.at_first) g
      WHERE g.grantee IN (SELECT r.oid FROM pg_roles r WHERE r.oid <> o.owner)
    )
    SELECT 'GRANT' AS verb, n.* FROM (TABLE now_given EXCEPT TABLE first_given) n
    UNION ALL
    SELECT 'REVOKE', f.* FROM (TABLE first_given EXCEPT TABLE now_given) f
  $changes$;
  kept jsonb := '[]';
BEGIN
  FOR changed IN EXECUTE changes LOOP
    kept := kept || to_jsonb(changed);
    IF changed.verb = 'GRANT' AND changed.grantor IS NULL THEN
      EXECUTE format('REVOKE %s %s ON %s FROM %s CASCADE', changed.privilege, changed.columns_, changed.object,
                     CASE changed.grantee WHEN 0 THEN 'PUBLIC' ELSE changed.grantee::regrole::text END);
    END IF;
  END LOOP;
  -- Looked for again: who has lost a whole table has lost its columns with it.
  FOR changed IN EXECUTE changes LOOP
    IF changed.verb = 'REVOKE' THEN
      EXECUTE format('GRANT %s %s ON %s TO %s%s', changed.privilege, changed.columns_, changed.object,
                     changed.grantee::regrole, CASE WHEN changed.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END IF;
  END LOOP;
  PERFORM set_config('timedb_update.changed_grants', kept::text, true);
END
$keep$;

-- Its plans are kept, and may have been made on empty tables: as the other functions that write, without scans of whole ones.
ALTER FUNCTION timedb.compact(uuid[], interval) SET enable_seqscan = off;

-- Plans within are not shown to whoever calls; those in the library it hides itself.
ALTER FUNCTION timedb.list_bindings() SET debug_print_plan = off SET plan_cache_mode = auto;

-- Between tables of an extension pg_restore -j knows no order: what the foreign key promised, the functions do, and
-- self_check counts.
ALTER TABLE timedb.api_keys DROP CONSTRAINT IF EXISTS api_keys_user_fkey;
COMMENT ON COLUMN timedb.api_keys.user_id IS
  'No foreign key: whatever makes a key holds its user locked, no function deletes one, and self_check counts keys without one.';

CREATE OR REPLACE FUNCTION timedb._keys_without_user() RETURNS bigint LANGUAGE sql STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET debug_print_plan = off SET plan_cache_mode = auto AS $$
  SELECT count(*)
  FROM timedb.api_keys k
  WHERE NOT EXISTS (SELECT FROM timedb.users u WHERE u.tenant_id = k.tenant_id AND u.user_id = k.user_id)
$$;
COMMENT ON FUNCTION timedb._keys_without_user() IS
  'How many keys, of all tenants, are of a user that is not there: for self_check. They are refused like unknown ones.';
ALTER FUNCTION timedb._keys_without_user() OWNER TO timedb_operator;

CREATE OR REPLACE FUNCTION timedb._run_scan() RETURNS boolean
  AS 'MODULE_PATHNAME', '_run_scan_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._run_scan() IS
  'What a scan of timedb''s in a plan fetches, it fetches as the owner of this function, with its settings.';
ALTER FUNCTION timedb._run_scan() OWNER TO timedb_api;
REVOKE ALL ON FUNCTION timedb._run_scan() FROM PUBLIC;

-- Ends of keys are rows of their own, so that no transaction left open holds up a revocation.
DO $ends$
DECLARE
  granted record;
BEGIN
  -- One of that name that is not the extension's makes this fail.
  IF NOT EXISTS (
    SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = to_regclass('timedb.key_ends')
      AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'timedb'
  ) THEN
CREATE TABLE timedb.key_ends (
  tenant_id uuid NOT NULL,
  key_id    uuid NOT NULL,
  ended_at  timestamptz NOT NULL
);
CREATE INDEX key_ends_key_idx ON timedb.key_ends (tenant_id, key_id);
ALTER TABLE timedb.key_ends OWNER TO timedb_owner;
    FOR granted IN
      SELECT g.grantee
      FROM pg_class c, LATERAL aclexplode(c.relacl) g
      WHERE c.oid = 'timedb.key_ends'::regclass AND g.grantee <> c.relowner
    LOOP
      EXECUTE format('REVOKE ALL ON timedb.key_ends FROM %s',
                     CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
    END LOOP;
  END IF;
END
$ends$;
-- Without a unique key, a subscriber could not be told which of its rows goes.
ALTER TABLE timedb.key_ends REPLICA IDENTITY FULL;
COMMENT ON TABLE timedb.key_ends IS
  'When keys end, where somebody has ended them; of several ends the earliest counts. Append-only and without a unique key: whoever ends a key waits for no transaction that has done so too, its holder''s least of all.';
COMMENT ON COLUMN timedb.key_ends.ended_at IS 'From this moment the key is refused; in the future where a rotation left it a grace.';
COMMENT ON COLUMN timedb.api_keys.revoked_at IS 'Where 0.1.0 has ended the key: an end as in key_ends, where they have been since. Never changed any more.';
SELECT pg_extension_config_dump('timedb.key_ends', '');
ALTER TABLE timedb.key_ends ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE UPDATE (revoked_at) ON timedb.api_keys FROM timedb_api, timedb_operator;
GRANT SELECT, INSERT ON timedb.key_ends TO timedb_api, timedb_operator;

-- The planner knows of columns nothing, and forgets what it knew: it is of all tenants, and plans tell it.
DO $statistics$
DECLARE
  planned record;
BEGIN
  FOR planned IN
    SELECT c.oid::regclass AS table_,
           string_agg(format('ALTER COLUMN %I SET STATISTICS 0', a.attname), ', ' ORDER BY a.attnum) AS changes
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    GROUP BY c.oid
  LOOP
    EXECUTE format('ALTER TABLE %s %s', planned.table_, planned.changes);
  END LOOP;
END
$statistics$;
DELETE FROM pg_statistic s
USING pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.oid = s.starelid AND coalesce(i.indrelid, c.oid) IN (
  SELECT t.oid FROM pg_class t WHERE t.relnamespace = 'timedb'::regnamespace AND t.relkind = 'r');
DELETE FROM pg_statistic_ext_data d
USING pg_statistic_ext s, pg_class t
WHERE s.oid = d.stxoid AND t.oid = s.stxrelid AND t.relnamespace = 'timedb'::regnamespace;
CREATE OR REPLACE FUNCTION timedb._has_statistics(relation regclass, attribute smallint) RETURNS boolean
  AS 'MODULE_PATHNAME', '_has_statistics_wrapper' LANGUAGE c STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._has_statistics(regclass, smallint) IS
  'Whether the planner has statistics of a column, whoever may see them: for self_check.';
ALTER FUNCTION timedb._has_statistics(regclass, smallint) OWNER TO timedb_api;

CREATE OR REPLACE FUNCTION timedb.create_series(
  name text, unit text DEFAULT NULL, description text DEFAULT NULL, labels jsonb DEFAULT '{}'
) RETURNS uuid
  AS 'MODULE_PATHNAME', 'create_series_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.create_series(text, text, text, jsonb) IS
  'The id of the series with this name (its series_key) and labels, made if unknown: "dimensionless" without a unit. Of a series that is there, no unit means whichever it has; one may be set while it is "dimensionless", another one is 22023. The first description that is not blank stays. A name is looked for as it is and then in Unicode''s normal form C; a new one is stored in that, and is 22023 with control characters or with blanks at its ends.';

-- Keys that a new series could not have any more stay as they are, and are found as they are.
SET LOCAL client_min_messages = notice;
DO $keys$
DECLARE
  odd record;
  -- As the library knows them.
  blanks CONSTANT text := '[ ' || chr(160) || chr(5760) || chr(8192) || '-' || chr(8203) || chr(8232) || chr(8233)
    || chr(8239) || chr(8287) || chr(8288) || chr(12288) || chr(65279) || ']';
BEGIN
  FOR odd IN
    SELECT s.tenant_id, s.series_id, c.series_key
    FROM timedb.series s
    -- What is odd about a key may not show: it is told in ASCII.
    CROSS JOIN LATERAL (
      SELECT string_agg(CASE WHEN ascii(c.char) BETWEEN 32 AND 126 THEN c.char
                             WHEN ascii(c.char) < 65536 THEN '\u' || lpad(to_hex(ascii(c.char)), 4, '0')
                             ELSE '\U' || lpad(to_hex(ascii(c.char)), 8, '0') END, '' ORDER BY c.place) AS series_key
      FROM unnest(string_to_array(to_json(s.series_key)::text, NULL)) WITH ORDINALITY AS c(char, place)) AS c
    WHERE s.series_key IS NOT NFC NORMALIZED
       OR s.series_key COLLATE "C" ~ (
            '[' || chr(1) || '-' || chr(31) || chr(127) || '-' || chr(159) || ']')
       OR s.series_key COLLATE "C" ~ ('^' || blanks || '|' || blanks || '$')
    ORDER BY s.tenant_id, s.series_key
  LOOP
    RAISE NOTICE 'tenant "%" has the series %, %, whose key a new series could not have',
      odd.tenant_id, odd.series_id, odd.series_key;
  END LOOP;
END
$keys$;
SET LOCAL client_min_messages = warning;

-- A window of known time looks at what was known in it, not at the whole history.
DO $known$
BEGIN
  -- Anything else of that name makes this fail.
  IF NOT EXISTS (
    SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'timedb.values'::regclass AND c.relname = 'values_known_idx'
  ) THEN
CREATE INDEX values_known_idx ON timedb.values (tenant_id, series_id, known_time)
  WHERE valid_from - known_time NOT BETWEEN interval '-2 days' AND interval '2 days';
  END IF;
END
$known$;
COMMENT ON INDEX timedb.values_known_idx IS
  'Of rows that begin more than two days before or after they were known, those known in a window; all others are found by valid_from.';

-- Of two runs known at one moment the one uploaded later wins.
COMMENT ON COLUMN timedb.runs.run_id IS
  'Version 7: ids are in the order in which runs were uploaded, which decides between runs of one known_time.';
COMMENT ON AGGREGATE timedb.merge_points(timedb.points, timestamptz, timestamptz, uuid) IS
  'Merges the points of one series: per valid_time and end the value of the latest (known_time, run_id, change_time), as a flat read does. Null points are skipped.';

-- Several elements of one value are one change of it.
CREATE OR REPLACE FUNCTION timedb.update(
  updates json, OUT status text, OUT run_id uuid, OUT series_id uuid, OUT valid_time timestamptz,
  OUT valid_time_end timestamptz, OUT change_time timestamptz
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'reconnect_update_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.update(json) IS
  'Writes new versions of values. updates is an array of {"run_id"?, "series_id" (or "value_key" and perhaps "labels"), "valid_time", "valid_time_end"?} and any of "value", "annotation", "tags": absent leaves it, null clears it. Without run_id it is the run whose value a flat read shows, 42704 where none does; an upload that commits later may hide the correction; 0A000 under REPEATABLE READ and SERIALIZABLE, which may not see what is shown by then. A "tenant_id" is one''s own. Elements that name one value are applied in order, field by field, into one version. Answers each element, in input order, with what became of its value: updated, created or skipped (nothing would change). 42704 for a tenant, run or series that is not there, and for a value that is not there and that no element gives.';

-- By default a run is known when it is stored, not when its transaction began.
-- Uploads have further arguments and say more, and are so other functions; those of several runs are new.
DROP FUNCTION IF EXISTS timedb.upload(timestamptz, json, text, timestamptz, timestamptz, jsonb, jsonb);
DROP FUNCTION IF EXISTS timedb.upload_points(
  timestamptz, text[], timestamptz[], float8[], timestamptz[], text, timestamptz, timestamptz, jsonb, jsonb);
DROP FUNCTION IF EXISTS timedb.upload_arrow(timestamptz, bytea, text, timestamptz, timestamptz, jsonb, jsonb);
CREATE OR REPLACE FUNCTION timedb.upload(
  run_start_time timestamptz, value_rows json, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT NULL, run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, tenant_id uuid DEFAULT NULL, skip_unchanged boolean DEFAULT false,
  OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint
) RETURNS record
  AS 'MODULE_PATHNAME', 'reconnect_upload_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload(timestamptz, json, text, timestamptz, timestamptz, jsonb, jsonb, uuid, boolean) IS
  'Stores one run, all of it or nothing. value_rows is an array of {"valid_time", "value_key" (or "series_key") and/or "series_id", "value", "valid_time_end"?, "labels"?, "unit"?, "annotation"?, "tags"?}; a value_key unknown so far becomes a series, and with labels, an object, so does the series of exactly this key and these labels. A value with a unit is converted to that of its series; a new series has the first that is said of it. known_time is when all of it was known, by default the change_time it gets; a forecast in several calls gives one known_time to all of them. More than an hour ahead of the clock it is taken with a WARNING. With skip_unchanged, values are left out that equal what a flat read of what was known up to then shows: they are affirmed by no run of their own, and a run without any other is not made (run_id null, message Nothing changed). Answers the run''s id, the series'' ids by key, or by id where they have labels, and how many values were written and skipped. An error names the first bad row, counted from 0, and the field, and says how many more are bad. A tenant_id is one''s own; any other is 42704.';
ALTER FUNCTION timedb.upload(timestamptz, json, text, timestamptz, timestamptz, jsonb, jsonb, uuid, boolean) OWNER TO timedb_api;
CREATE OR REPLACE FUNCTION timedb.upload_points(
  run_start_time timestamptz, series_keys text[], valid_times timestamptz[], point_values float8[],
  valid_time_ends timestamptz[] DEFAULT NULL, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT NULL, run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, labels jsonb[] DEFAULT NULL, skip_unchanged boolean DEFAULT false,
  OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint
) RETURNS record
  AS 'MODULE_PATHNAME', 'reconnect_upload_points_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload_points(
  timestamptz, text[], timestamptz[], float8[], timestamptz[], text, timestamptz, timestamptz, jsonb, jsonb, jsonb[],
  boolean) IS
  'As upload, from parallel arrays with one element a value, for drivers that have arrays; labels may have one for all. Unequal lengths are 22023, a null key or time 22004.';
ALTER FUNCTION timedb.upload_points(
  timestamptz, text[], timestamptz[], float8[], timestamptz[], text, timestamptz, timestamptz, jsonb, jsonb, jsonb[],
  boolean) OWNER TO timedb_api;
CREATE OR REPLACE FUNCTION timedb.upload_arrow(
  run_start_time timestamptz, stream bytea, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT NULL, run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, skip_unchanged boolean DEFAULT false,
  OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint
) RETURNS record
  AS 'MODULE_PATHNAME', 'reconnect_upload_arrow_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload_arrow(timestamptz, bytea, text, timestamptz, timestamptz, jsonb, jsonb, boolean) IS
  'As upload, from an Arrow IPC stream with the columns valid_time, value_key (or series_key) and/or series_id, value, and perhaps valid_time_end, labels (JSON texts, or maps of texts), unit, annotation and tags (lists of texts): what pandas, polars and DuckDB write. 22023 where it is malformed; an error names the row, counted from 0, and the column.';
ALTER FUNCTION timedb.upload_arrow(timestamptz, bytea, text, timestamptz, timestamptz, jsonb, jsonb, boolean) OWNER TO timedb_api;
CREATE OR REPLACE FUNCTION timedb.upload_runs(
  value_rows json, run_start_time timestamptz DEFAULT NULL, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT NULL, run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, skip_unchanged boolean DEFAULT false, OUT run_id uuid,
  OUT known_time timestamptz, OUT workflow_id text, OUT value_count bigint, OUT skipped bigint
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'upload_runs_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload_runs(json, timestamptz, text, timestamptz, timestamptz, jsonb, jsonb, boolean) IS
  'As upload, of many runs in one call, all of them or none. Rows have known_time, and workflow_id where they are of several; a row without has the call''s. There is one run for each distinct pair, at most 100000, with ids in the order of their first rows; run_start_time is by default the run''s known_time. Answers each run, in the order of known_time, with how many values it has got. With skip_unchanged, values are left out as if the runs were uploaded one after the other in that order; a run without any other is not made, and its run_id is null.';
ALTER FUNCTION timedb.upload_runs(json, timestamptz, text, timestamptz, timestamptz, jsonb, jsonb, boolean) OWNER TO timedb_api;
CREATE OR REPLACE FUNCTION timedb.upload_runs_arrow(
  stream bytea, run_start_time timestamptz DEFAULT NULL, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT NULL, run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, skip_unchanged boolean DEFAULT false, OUT run_id uuid,
  OUT known_time timestamptz, OUT workflow_id text, OUT value_count bigint, OUT skipped bigint
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'upload_runs_arrow_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload_runs_arrow(bytea, timestamptz, text, timestamptz, timestamptz, jsonb, jsonb, boolean) IS
  'As upload_runs, from an Arrow IPC stream with the columns that upload_arrow takes, and known_time and workflow_id.';
ALTER FUNCTION timedb.upload_runs_arrow(bytea, timestamptz, text, timestamptz, timestamptz, jsonb, jsonb, boolean) OWNER TO timedb_api;

-- The group of those who may call and not select, and the role of what erases. As in the install script: made if absent,
-- refused with powers or in another role, for that would open every door, and an owner with members.
DO $roles$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['timedb_caller', 'timedb_eraser'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
    IF EXISTS (
      SELECT FROM pg_roles r
      WHERE r.rolname = role_name
        AND (r.rolcanlogin OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
             OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
             OR role_name = 'timedb_eraser' AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid))
    ) THEN
      RAISE EXCEPTION 'role "%" exists and is not as timedb needs it', role_name
        USING ERRCODE = 'invalid_object_definition',
              DETAIL = 'The roles of timedb cannot log in, have no privileges of their own and belong to no role; '
                       'timedb_eraser has no members.',
              HINT = 'Find out who made it and why, then drop it or take its privileges and memberships away.';
    END IF;
  END LOOP;
END
$roles$;
GRANT USAGE ON SCHEMA timedb TO timedb_caller, timedb_eraser;

-- regenerate_key says which key, and until when. Functions whose arguments or answers change are made anew.
DROP FUNCTION IF EXISTS timedb.regenerate_key(text, uuid, uuid, interval);
DROP FUNCTION IF EXISTS timedb._regenerate_key_tenant(text, uuid, uuid, interval);
DROP FUNCTION IF EXISTS timedb._regenerate_key_operator(text, uuid, uuid, interval);
CREATE OR REPLACE FUNCTION timedb._regenerate_key_tenant(
  email text, user_id uuid, tenant_id uuid, grace interval, key_id uuid, expires_at timestamptz,
  OUT api_key text
) RETURNS text
  AS 'MODULE_PATHNAME', '_replace_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._regenerate_key_tenant(text, uuid, uuid, interval, uuid, timestamptz) IS
  'regenerate_key for a key of scope admin.';
CREATE OR REPLACE FUNCTION timedb._regenerate_key_operator(
  email text, user_id uuid, tenant_id uuid, grace interval, key_id uuid, expires_at timestamptz,
  OUT api_key text
) RETURNS text
  AS 'MODULE_PATHNAME', '_replace_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._regenerate_key_operator(text, uuid, uuid, interval, uuid, timestamptz) IS
  'regenerate_key for an operator.';
CREATE OR REPLACE FUNCTION timedb.regenerate_key(
  email text DEFAULT NULL, user_id uuid DEFAULT NULL, tenant_id uuid DEFAULT NULL, grace interval DEFAULT '0',
  key_id uuid DEFAULT NULL, expires_at timestamptz DEFAULT NULL, OUT api_key text
) RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    api_key := timedb._regenerate_key_operator(email, user_id, tenant_id, grace, key_id, expires_at);
  ELSE
    api_key := timedb._regenerate_key_tenant(email, user_id, tenant_id, grace, key_id, expires_at);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.regenerate_key(text, uuid, uuid, interval, uuid, timestamptz) IS
  'Replaces a key of the user by one of the same name and scope, shown here and never again; the old one ends at once, or after grace. A user with several active keys must say which, by key_id, which names the user too; 22023 if not, or if the end of that key is set. A limited lifetime starts anew with the same length, unless expires_at says otherwise. 42704 if there is no such user or key, or none that is active; 55000 if the user is deactivated; 22023 if expires_at is in the past.';

ALTER FUNCTION timedb.regenerate_key(text, uuid, uuid, interval, uuid, timestamptz) OWNER TO timedb_api;
ALTER FUNCTION timedb._regenerate_key_tenant(text, uuid, uuid, interval, uuid, timestamptz) OWNER TO timedb_api;
ALTER FUNCTION timedb._regenerate_key_operator(text, uuid, uuid, interval, uuid, timestamptz) OWNER TO timedb_operator;

-- whoami tells the key, and any key may end itself.
DO $whoami$
BEGIN
  IF (SELECT cardinality(p.proargnames) FROM pg_proc p WHERE p.oid = 'timedb.whoami()'::regprocedure) < 7 THEN
    DROP FUNCTION timedb.whoami();
  END IF;
END
$whoami$;
CREATE OR REPLACE FUNCTION timedb.whoami(
  OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text, OUT expires_at timestamptz, OUT via text,
  OUT key_id uuid
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'reconnect_whoami_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1;
COMMENT ON FUNCTION timedb.whoami() IS
  'Who this session acts as: one row, or none if nobody; via is "key", with its key_id, or "role" (a role binding, which has no user and no key).';
CREATE OR REPLACE FUNCTION timedb._own_key() RETURNS uuid
  AS 'MODULE_PATHNAME', 'reconnect_own_key_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._own_key() IS 'The key this session acts with, or null.';
CREATE OR REPLACE FUNCTION timedb.revoke_key(key_id uuid, OUT revoked_at timestamptz) RETURNS timestamptz
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF key_id = timedb._own_key() THEN
    revoked_at := timedb._revoke_key_tenant(key_id);
  ELSIF timedb._manages_as() = 'operator' THEN
    revoked_at := timedb._revoke_key_operator(key_id);
  ELSE
    revoked_at := timedb._revoke_key_tenant(key_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.revoke_key(uuid) IS
  'Ends a key: it is refused from the next statement of every open session on. A key revoked before keeps its time. Any key may end itself: whoami() tells its key_id. 42704 if there is no such key.';
COMMENT ON FUNCTION timedb._revoke_key_tenant(uuid) IS 'revoke_key for a key of scope admin, and for any that ends itself.';
ALTER FUNCTION timedb.whoami() OWNER TO timedb_api;
ALTER FUNCTION timedb._own_key() OWNER TO timedb_api;
DO $own$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'timedb' AND p.policyname = 'api_keys_own') THEN
    CREATE POLICY api_keys_own ON timedb.api_keys FOR SELECT TO timedb_api
      USING (tenant_id = (SELECT timedb.current_tenant()) AND key_id = (SELECT timedb._own_key()));
  END IF;
  IF NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'timedb' AND p.policyname = 'key_ends_tenant') THEN
    CREATE POLICY key_ends_tenant ON timedb.key_ends FOR SELECT TO timedb_api
      USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
  END IF;
  IF NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'timedb' AND p.policyname = 'key_ends_write') THEN
    CREATE POLICY key_ends_write ON timedb.key_ends FOR INSERT TO timedb_api
      WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
  END IF;
  IF NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'timedb' AND p.policyname = 'key_ends_own') THEN
    CREATE POLICY key_ends_own ON timedb.key_ends FOR SELECT TO timedb_api
      USING (tenant_id = (SELECT timedb.current_tenant()) AND key_id = (SELECT timedb._own_key()));
  END IF;
  IF NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'timedb' AND p.policyname = 'key_ends_end') THEN
    CREATE POLICY key_ends_end ON timedb.key_ends FOR INSERT TO timedb_api
      WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND key_id = (SELECT timedb._own_key()));
  END IF;
  IF NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'timedb' AND p.policyname = 'key_ends_operator') THEN
    CREATE POLICY key_ends_operator ON timedb.key_ends FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'timedb' AND p.policyname = 'audit_own') THEN
    CREATE POLICY audit_own ON timedb.audit FOR INSERT TO timedb_api
      WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND action = 'revoke_key'
                  AND key_id = (SELECT timedb._own_key()));
  END IF;
END
$own$;

-- From nothing, as in the install script: what is made anew has what Postgres and this database give by default.
DO $revoke$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT p.oid::regprocedure AS routine, g.grantee
    FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    WHERE p.pronamespace = 'timedb'::regnamespace AND g.grantee <> p.proowner
      AND p.proname IN ('regenerate_key', '_regenerate_key_tenant', '_regenerate_key_operator', 'whoami', '_own_key',
                        'upload', 'upload_points', 'upload_arrow', 'upload_runs', 'upload_runs_arrow',
                        '_keys_without_user', '_has_statistics')
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', granted.routine,
                   CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
  END LOOP;
END
$revoke$;
GRANT EXECUTE ON FUNCTION
  timedb.regenerate_key(text, uuid, uuid, interval, uuid, timestamptz),
  timedb._regenerate_key_tenant(text, uuid, uuid, interval, uuid, timestamptz)
  TO timedb_user, timedb_admin;
GRANT EXECUTE ON FUNCTION timedb.whoami(), timedb._own_key() TO timedb_user, timedb_admin;
GRANT EXECUTE ON FUNCTION timedb._own_key() TO timedb_api;
GRANT EXECUTE ON FUNCTION timedb._keys_without_user(), timedb._has_statistics(regclass, smallint) TO timedb_admin;
GRANT EXECUTE ON FUNCTION
  timedb.upload(timestamptz, json, text, timestamptz, timestamptz, jsonb, jsonb, uuid, boolean),
  timedb.upload_points(
    timestamptz, text[], timestamptz[], float8[], timestamptz[], text, timestamptz, timestamptz, jsonb, jsonb, jsonb[],
    boolean),
  timedb.upload_arrow(timestamptz, bytea, text, timestamptz, timestamptz, jsonb, jsonb, boolean),
  timedb.upload_runs(json, timestamptz, text, timestamptz, timestamptz, jsonb, jsonb, boolean),
  timedb.upload_runs_arrow(bytea, timestamptz, text, timestamptz, timestamptz, jsonb, jsonb, boolean)
  TO timedb_user;
GRANT EXECUTE ON FUNCTION timedb._regenerate_key_operator(text, uuid, uuid, interval, uuid, timestamptz)
  TO timedb_admin;

-- No key is refused from birth.
COMMENT ON FUNCTION timedb.create_key(text, uuid, uuid, text, text, timestamptz) IS
  'Another key for a user, beside those it has, with scope read, write or admin. The key is shown here and never again. 42704 if there is no such user; 55000 if the user is deactivated; 22023 if expires_at is in the past.';

-- What can appear no more, and so what has changed since.
CREATE OR REPLACE FUNCTION timedb.settled_time() RETURNS timestamptz
  AS 'MODULE_PATHNAME', 'settled_time_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.settled_time() IS
  'A moment up to which nothing of the tenant can appear any more: whatever has a change_time up to it is to be seen by now, or has been rolled back. So what as_of shows of moments up to it, it shows for ever. As a rule a microsecond ago; while a transaction of the tenant that writes is open, prepared ones too, before its first write. Others'' transactions do not count. 0A000 on a standby, which cannot know.';
ALTER FUNCTION timedb.settled_time() OWNER TO timedb_api;
REVOKE ALL ON FUNCTION timedb.settled_time() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION timedb.settled_time() TO timedb_user;
DO $changes$
BEGIN
  -- Anything else of that name makes this fail.
  IF NOT EXISTS (
    SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'timedb.values'::regclass AND c.relname = 'values_change_idx'
  ) THEN
CREATE INDEX values_change_idx ON timedb.values (tenant_id, change_time) WHERE part >= 0;
  END IF;
  IF NOT EXISTS (
    SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'timedb.packs'::regclass AND c.relname = 'packs_change_idx'
  ) THEN
ALTER TABLE timedb.packs ADD COLUMN IF NOT EXISTS last_change timestamptz NOT NULL DEFAULT 'infinity';
ALTER TABLE timedb.packs ALTER COLUMN last_change SET STATISTICS 0;
CREATE INDEX packs_change_idx ON timedb.packs (tenant_id, last_change) WHERE last_change > '-infinity';
  END IF;
END
$changes$;
COMMENT ON INDEX timedb.values_change_idx IS 'What was written since a moment, but for what the runs list. Only for a statement that says its condition: planned while the table is empty, any other would take it for as good as the key.';
COMMENT ON COLUMN timedb.values.part IS
  'Numbers the rows of one change, series and run: a long vector is cut, and an update has one for each annotation and tags. From -1 downwards where the run lists them.';
COMMENT ON COLUMN timedb.packs.last_change IS
  'The latest change_time of any version in it; infinite where 0.1.0 has made it, which did not say.';
COMMENT ON INDEX timedb.packs_change_idx IS 'Packs with what was written since a moment; as values_change_idx.';
CREATE OR REPLACE FUNCTION timedb.read_changes(
  after timestamptz, until timestamptz DEFAULT NULL,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, labels jsonb DEFAULT NULL,
  max_rows integer DEFAULT NULL,
  OUT known_time timestamptz, OUT valid_time timestamptz, OUT valid_time_end timestamptz, OUT series_id uuid,
  OUT series_key text, OUT unit text, OUT value float8, OUT run_id uuid, OUT change_time timestamptz,
  OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'read_changes_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_changes(timestamptz, timestamptz, text[], uuid[], jsonb, integer) IS
  'Every version of every value that was written after a moment and up to another, uploads and updates alike, as read shows rows; ordered by change_time, series, valid time, known time and run. Without until, up to what is settled by now: whoever goes on after the last change_time that he got loses nothing and gets nothing twice. At most max_rows rows (1 to 10,000,000) and all that have the last one''s change_time; without it 54000 past 20,000,000. until is asked for, 0A000, under REPEATABLE READ, SERIALIZABLE and on a standby, which do not see what is settled by now.';

CREATE OR REPLACE FUNCTION timedb.read_changes_arrow(
  after timestamptz, until timestamptz DEFAULT NULL,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, labels jsonb DEFAULT NULL,
  max_rows integer DEFAULT NULL
) RETURNS bytea
  AS 'MODULE_PATHNAME', 'read_changes_arrow_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_changes_arrow(timestamptz, timestamptz, text[], uuid[], jsonb, integer) IS
  'As read_changes, as one Arrow IPC stream with the columns of read_arrow. 54000 where it would be larger than 1 GB.';
ALTER FUNCTION timedb.read_changes(timestamptz, timestamptz, text[], uuid[], jsonb, integer) OWNER TO timedb_api;
ALTER FUNCTION timedb.read_changes_arrow(timestamptz, timestamptz, text[], uuid[], jsonb, integer) OWNER TO timedb_api;
REVOKE ALL ON FUNCTION
  timedb.read_changes(timestamptz, timestamptz, text[], uuid[], jsonb, integer),
  timedb.read_changes_arrow(timestamptz, timestamptz, text[], uuid[], jsonb, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  timedb.read_changes(timestamptz, timestamptz, text[], uuid[], jsonb, integer),
  timedb.read_changes_arrow(timestamptz, timestamptz, text[], uuid[], jsonb, integer) TO timedb_user;

-- Labels are an address: what they are found by is a table of its own, and of the series that are there it is filled.
DO $labels$
DECLARE
  granted record;
BEGIN
  -- One of that name that is not the extension's makes this fail.
  IF NOT EXISTS (
    SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = to_regclass('timedb.series_labels')
      AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'timedb'
  ) THEN
CREATE TABLE timedb.series_labels (
  tenant_id uuid NOT NULL,
  label     text COLLATE "C" NOT NULL,
  value     text COLLATE "C" NOT NULL,
  series_id uuid NOT NULL,
  CONSTRAINT series_labels_pkey PRIMARY KEY (tenant_id, label, value, series_id)
);
ALTER TABLE timedb.series_labels OWNER TO timedb_owner;
    FOR granted IN
      SELECT g.grantee
      FROM pg_class c, LATERAL aclexplode(c.relacl) g
      WHERE c.oid = 'timedb.series_labels'::regclass AND g.grantee <> c.relowner
    LOOP
      EXECUTE format('REVOKE ALL ON timedb.series_labels FROM %s',
                     CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
    END LOOP;
CREATE POLICY series_labels_tenant ON timedb.series_labels FOR SELECT TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()));
CREATE POLICY series_labels_write ON timedb.series_labels FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
  END IF;
END
$labels$;
COMMENT ON TABLE timedb.series_labels IS
  'By which labels series are found: those that are no objects and no arrays. Of what is found labels of series decide, so an entry whose series has other labels by now does no harm, and none is deleted.';
COMMENT ON COLUMN timedb.series_labels.value IS 'As JSON; numbers without zeros at their end, so that equal ones are one.';
ALTER TABLE timedb.series_labels
  ALTER COLUMN tenant_id SET STATISTICS 0, ALTER COLUMN label SET STATISTICS 0, ALTER COLUMN value SET STATISTICS 0,
  ALTER COLUMN series_id SET STATISTICS 0;
SELECT pg_extension_config_dump('timedb.series_labels', '');
ALTER TABLE timedb.series_labels ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON timedb.series_labels TO timedb_api;
GRANT UPDATE (series_key, labels) ON timedb.series TO timedb_api;
-- Of a name that is not the extension's this fails, too.
ALTER TABLE timedb.series ADD COLUMN IF NOT EXISTS labels_entered boolean NOT NULL DEFAULT false;
ALTER TABLE timedb.series ALTER COLUMN labels_entered SET STATISTICS 0;
DO $unentered$
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = 'timedb.series'::regclass AND i.indexrelid = to_regclass('timedb.series_unentered_idx')
  ) THEN
CREATE INDEX series_unentered_idx ON timedb.series (tenant_id) WHERE NOT labels_entered AND labels <> '{}';
  END IF;
END
$unentered$;
COMMENT ON INDEX timedb.series_unentered_idx IS
  'Series with labels that series_labels does not have, such as those of a dump of 0.1.0: every filter by labels looks at them.';
COMMENT ON COLUMN timedb.series.labels_entered IS 'Whether series_labels has all entries of its labels.';
GRANT UPDATE (labels_entered) ON timedb.series TO timedb_api;
-- As the library enters them.
INSERT INTO timedb.series_labels (tenant_id, label, value, series_id)
SELECT s.tenant_id, e.label, e.value, s.series_id
FROM timedb.series s
CROSS JOIN LATERAL (
  SELECT j.key AS label, CASE jsonb_typeof(j.value)
           WHEN 'number' THEN trim_scale(j.value::numeric)::text
           WHEN 'object' THEN NULL
           WHEN 'array' THEN NULL
           ELSE j.value::text END AS value
  FROM jsonb_each(s.labels) AS j) AS e
WHERE octet_length(e.label) + octet_length(e.value) <= 2000
ON CONFLICT DO NOTHING;
UPDATE timedb.series SET labels_entered = true WHERE NOT labels_entered AND labels <> '{}';

DROP FUNCTION IF EXISTS timedb.list_series();
CREATE OR REPLACE FUNCTION timedb.list_series(
  labels jsonb DEFAULT NULL, search text DEFAULT NULL, max_rows integer DEFAULT NULL, after_key text DEFAULT NULL,
  after_id uuid DEFAULT NULL, OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text,
  OUT labels jsonb, OUT inserted_at timestamptz
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'reconnect_list_series_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.list_series(jsonb, text, integer, text, uuid) IS
  'The tenant''s series, ordered by key, byte by byte, and id: those whose labels contain these (@>), and whose key or description contains the text, whatever its case. At most max_rows of them; the next page are those after the last row''s series_key and series_id.';
ALTER FUNCTION timedb.list_series(jsonb, text, integer, text, uuid) OWNER TO timedb_api;

CREATE OR REPLACE FUNCTION timedb.label_values(label text, OUT value text, OUT series_count bigint) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'label_values_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.label_values(text) IS
  'Which values a label has, and how many series have each: a text as it is, a null of JSON as null, anything else as JSON. Ordered by value.';
ALTER FUNCTION timedb.label_values(text) OWNER TO timedb_api;

CREATE OR REPLACE FUNCTION timedb.update_series(
  series_id uuid, new_key text DEFAULT NULL, unit text DEFAULT NULL, description text DEFAULT NULL,
  labels jsonb DEFAULT NULL, OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text,
  OUT labels jsonb, OUT inserted_at timestamptz
) RETURNS record
  AS 'MODULE_PATHNAME', 'update_series_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.update_series(uuid, text, text, text, jsonb) IS
  'Renames and describes a series, and answers it as list_series does. What is left out or null stays; a blank description takes away the one there is; labels take the place of all that it has. A unit may be set while it is "dimensionless", another one is 22023. A key with labels that another series has is 23505. Whoever names the series by its former key makes a new one.';
ALTER FUNCTION timedb.update_series(uuid, text, text, text, jsonb) OWNER TO timedb_api;

CREATE OR REPLACE FUNCTION timedb.latest(
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, labels jsonb DEFAULT NULL,
  before timestamptz DEFAULT NULL, OUT known_time timestamptz, OUT valid_time timestamptz,
  OUT valid_time_end timestamptz, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value float8,
  OUT run_id uuid, OUT change_time timestamptz, OUT labels jsonb
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'latest_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.latest(text[], uuid[], jsonb, timestamptz) IS
  'Of each series the value that a flat read shows last, of those with a valid_time before the moment: without reading its history. A null that was uploaded is a value. A series without values has no row. Ordered as read.';
ALTER FUNCTION timedb.latest(text[], uuid[], jsonb, timestamptz) OWNER TO timedb_api;

-- Runs say how many values they have: those that were never updated are counted, the others whenever they are listed.
ALTER TABLE timedb.runs ADD COLUMN IF NOT EXISTS value_count bigint;
ALTER TABLE timedb.runs ALTER COLUMN value_count SET STATISTICS 0;
ALTER TABLE timedb.runs ADD COLUMN IF NOT EXISTS listed bytea;
ALTER TABLE timedb.runs ALTER COLUMN listed SET STORAGE EXTERNAL;
ALTER TABLE timedb.runs ALTER COLUMN listed SET STATISTICS 0;
COMMENT ON COLUMN timedb.runs.listed IS
  'Which rows the upload has written, where values_change_idx does not have them: run_id tells when, so that no further index is written to.';
COMMENT ON COLUMN timedb.runs.value_count IS 'How many values it has, nulls too, as upload and update have counted them; null where an earlier release wrote it.';
GRANT UPDATE (value_count) ON timedb.runs TO timedb_api;
UPDATE timedb.runs r
SET value_count = c.values
FROM (
  SELECT s.tenant_id, s.run_id, sum(s.values) AS values
  FROM (
    SELECT r.tenant_id, r.run_id, 0 AS values FROM timedb.runs r
    UNION ALL
    SELECT v.tenant_id, v.run_id, timedb.count_points(v.points) FROM timedb.values v
    UNION ALL
    SELECT p.tenant_id, u.run_id, timedb.count_points(u.points)
    FROM timedb.packs p, LATERAL timedb.unnest_pack(p.versions) u) AS s
  GROUP BY s.tenant_id, s.run_id) AS c
WHERE c.tenant_id = r.tenant_id AND c.run_id = r.run_id AND r.value_count IS NULL AND r.last_change_time = r.inserted_at;
CREATE OR REPLACE FUNCTION timedb.list_runs(
  workflow_id text DEFAULT NULL, series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL,
  labels jsonb DEFAULT NULL, start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  max_rows integer DEFAULT 100, after uuid DEFAULT NULL, OUT run_id uuid, OUT workflow_id text,
  OUT known_time timestamptz, OUT run_start_time timestamptz, OUT run_finish_time timestamptz,
  OUT inserted_at timestamptz, OUT last_change_time timestamptz, OUT changed_by text, OUT run_params jsonb,
  OUT value_count bigint, OUT withdrawn_at timestamptz
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'list_runs_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.list_runs(text, text[], uuid[], jsonb, timestamptz, timestamptz, integer, uuid) IS
  'The tenant''s runs, the one uploaded last first, at most max_rows of them; the next page are those after the last row''s run_id. Of a workflow, of a window [start, end) of known time, and where series are chosen those with values of them. value_count counts current values, nulls too: of the run, or of the series that are chosen. Of a run that is withdrawn, withdrawn_at tells since when; it is listed and counted like any other.';
ALTER FUNCTION timedb.list_runs(text, text[], uuid[], jsonb, timestamptz, timestamptz, integer, uuid) OWNER TO timedb_api;

CREATE OR REPLACE FUNCTION timedb.read_buckets(
  bucket interval, aggregate text DEFAULT 'mean', time_zone text DEFAULT 'UTC',
  start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, as_of timestamptz DEFAULT NULL,
  labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL, workflow_id text DEFAULT NULL,
  corrections text DEFAULT 'all', OUT series_id uuid, OUT series_key text, OUT unit text,
  OUT bucket_start timestamptz, OUT bucket_end timestamptz, OUT value float8, OUT value_count bigint
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'read_buckets_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_buckets(
  interval, text, text, timestamptz, timestamptz, timestamptz, timestamptz, text[], uuid[], timestamptz, jsonb, uuid[],
  text, text) IS
  'What a flat read shows, summed up by buckets of time: mean, min, max, sum, count, first, last of the values that begin in a bucket, or time_weighted, the mean by how long values hold in it. Buckets follow one another from the midnight of 2001-01-01 on, a Monday; days and months are those of the time zone. An interval holds as long as it is, a moment until the next value begins, and the last one until its bucket ends; of a moment and an interval that begin together, the moment holds for no time, and nothing holds beyond end_valid. Nulls do not count, and a bucket without a value has no row.';
ALTER FUNCTION timedb.read_buckets(
  interval, text, text, timestamptz, timestamptz, timestamptz, timestamptz, text[], uuid[], timestamptz, jsonb, uuid[],
  text, text) OWNER TO timedb_api;

CREATE OR REPLACE FUNCTION timedb.gaps(
  step interval, time_zone text DEFAULT 'UTC', start_valid timestamptz DEFAULT NULL,
  end_valid timestamptz DEFAULT NULL, series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL,
  labels jsonb DEFAULT NULL, OUT series_id uuid, OUT series_key text, OUT from_time timestamptz,
  OUT to_time timestamptz, OUT missing_count bigint
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'gaps_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.gaps(interval, text, timestamptz, timestamptz, text[], uuid[], jsonb) IS
  'Where a flat read has no value, of the times start_valid, one step later, two steps later and so on before end_valid: each gap as [from_time, to_time), with how many values are missing. By default from the first value of a series to its last. A null is no value. Days and months of the step are those of the time zone.';
ALTER FUNCTION timedb.gaps(interval, text, timestamptz, timestamptz, text[], uuid[], jsonb) OWNER TO timedb_api;

CREATE OR REPLACE FUNCTION timedb.coverage(
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, labels jsonb DEFAULT NULL, OUT series_id uuid,
  OUT series_key text, OUT first_valid_time timestamptz, OUT last_valid_time timestamptz, OUT value_count bigint,
  OUT run_count bigint
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'coverage_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.coverage(text[], uuid[], jsonb) IS
  'Of each series the first and the last valid_time, how many values a flat read shows, nulls too, and how many runs have values of it. A series without values has a row, too.';
ALTER FUNCTION timedb.coverage(text[], uuid[], jsonb) OWNER TO timedb_api;

-- From nothing here, too.
DO $revoke$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT p.oid::regprocedure AS routine, g.grantee
    FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    WHERE p.pronamespace = 'timedb'::regnamespace AND g.grantee <> p.proowner
      AND p.proname IN ('list_series', 'label_values', 'update_series', 'latest', 'list_runs',
                        'read_buckets', 'gaps', 'coverage')
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', granted.routine,
                   CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
  END LOOP;
END
$revoke$;
GRANT EXECUTE ON FUNCTION
  timedb.list_series(jsonb, text, integer, text, uuid), timedb.label_values(text),
  timedb.update_series(uuid, text, text, text, jsonb), timedb.latest(text[], uuid[], jsonb, timestamptz),
  timedb.list_runs(text, text[], uuid[], jsonb, timestamptz, timestamptz, integer, uuid),
  timedb.read_buckets(
    interval, text, text, timestamptz, timestamptz, timestamptz, timestamptz, text[], uuid[], timestamptz, jsonb, uuid[],
    text, text),
  timedb.gaps(interval, text, timestamptz, timestamptz, text[], uuid[], jsonb),
  timedb.coverage(text[], uuid[], jsonb)
  TO timedb_user;

-- Runs are taken back: by a table that reads ask, and by functions.
DO $withdrawals$
DECLARE
  granted record;
BEGIN
  -- One of that name that is not the extension's makes this fail.
  IF NOT EXISTS (
    SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = to_regclass('timedb.withdrawals')
      AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'timedb'
  ) THEN
CREATE TABLE timedb.withdrawals (
  tenant_id      uuid NOT NULL,
  run_id         uuid NOT NULL,
  withdrawn_at   timestamptz NOT NULL,
  withdrawn_by   text NOT NULL,
  reason         text,
  restored_at    timestamptz,
  restored_by    text,
  restore_reason text,
  CONSTRAINT withdrawals_pkey PRIMARY KEY (tenant_id, run_id, withdrawn_at),
  CONSTRAINT withdrawals_restored_at_check CHECK (restored_at > withdrawn_at)
);
CREATE UNIQUE INDEX withdrawals_lasting_key ON timedb.withdrawals (tenant_id, run_id) WHERE restored_at IS NULL;
ALTER TABLE timedb.withdrawals OWNER TO timedb_owner;
    FOR granted IN
      SELECT g.grantee
      FROM pg_class c, LATERAL aclexplode(c.relacl) g
      WHERE c.oid = 'timedb.withdrawals'::regclass AND g.grantee <> c.relowner
    LOOP
      EXECUTE format('REVOKE ALL ON timedb.withdrawals FROM %s',
                     CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
    END LOOP;
CREATE POLICY withdrawals_tenant ON timedb.withdrawals FOR SELECT TO timedb_user, timedb_api, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()));
CREATE POLICY withdrawals_write ON timedb.withdrawals FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
CREATE POLICY withdrawals_change ON timedb.withdrawals FOR UPDATE TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
  END IF;
END
$withdrawals$;
COMMENT ON TABLE timedb.withdrawals IS
  'When runs were withdrawn, and until when: a row for each time, whose end is set once. From withdrawn_at on, and until restored_at, no read shows the run. Nothing else records it; rows stay.';
COMMENT ON COLUMN timedb.withdrawals.withdrawn_at IS
  'Later than every change of the run before, and a last_change_time of it, as restored_at is: so as_of tells what was shown.';
COMMENT ON COLUMN timedb.withdrawals.restored_at IS 'Null while it lasts.';
COMMENT ON INDEX timedb.withdrawals_lasting_key IS 'Withdrawals that last, one a run: whether a tenant has any, each read asks of it.';
COMMENT ON COLUMN timedb.runs.last_change_time IS 'The change_time of the latest change to the run, or when it was withdrawn or restored since; its row is what serialises them.';
ALTER TABLE timedb.withdrawals
  ALTER COLUMN tenant_id SET STATISTICS 0, ALTER COLUMN run_id SET STATISTICS 0,
  ALTER COLUMN withdrawn_at SET STATISTICS 0, ALTER COLUMN withdrawn_by SET STATISTICS 0,
  ALTER COLUMN reason SET STATISTICS 0, ALTER COLUMN restored_at SET STATISTICS 0,
  ALTER COLUMN restored_by SET STATISTICS 0, ALTER COLUMN restore_reason SET STATISTICS 0;
SELECT pg_extension_config_dump('timedb.withdrawals', '');
ALTER TABLE timedb.withdrawals ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE (restored_at, restored_by, restore_reason) ON timedb.withdrawals TO timedb_api;
GRANT SELECT ON timedb.withdrawals TO timedb_user;
CREATE OR REPLACE FUNCTION timedb.withdraw_run(
  run_id uuid, reason text DEFAULT NULL,
  OUT run_id uuid, OUT withdrawn_at timestamptz, OUT withdrawn_by text, OUT reason text
) RETURNS record
  AS 'MODULE_PATHNAME', 'withdraw_run_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.withdraw_run(uuid, text) IS
  'Takes a run back: from now on no read shows it, until restore_run. Nothing is deleted: as_of still shows it for moments before. Meanwhile update refuses it (55000). Of a run that is withdrawn nothing changes, and the answer tells since when it is, by whom and why. 42704 if there is no such run.';
ALTER FUNCTION timedb.withdraw_run(uuid, text) OWNER TO timedb_api;
CREATE OR REPLACE FUNCTION timedb.restore_run(
  run_id uuid, reason text DEFAULT NULL,
  OUT run_id uuid, OUT withdrawn_at timestamptz, OUT restored_at timestamptz, OUT restored_by text, OUT reason text
) RETURNS record
  AS 'MODULE_PATHNAME', 'restore_run_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.restore_run(uuid, text) IS
  'Ends a withdrawal: from now on reads show the run again, with all that it had; as_of still leaves it out for moments in between. Of a run that is restored already nothing changes, and the answer tells since when it is, by whom and why. 42704 if there is no such run, 55000 if it was never withdrawn.';
ALTER FUNCTION timedb.restore_run(uuid, text) OWNER TO timedb_api;
REVOKE ALL ON FUNCTION timedb.withdraw_run(uuid, text), timedb.restore_run(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION timedb.withdraw_run(uuid, text), timedb.restore_run(uuid, text) TO timedb_user;
-- By another name in the library: a session that has still loaded that of 0.1.0, which knows no withdrawals, does not find it.
CREATE OR REPLACE FUNCTION timedb._series_values(
  series_id uuid, OUT known_time timestamptz, OUT valid_time timestamptz, OUT valid_time_end timestamptz,
  OUT value float8, OUT run_id uuid, OUT change_time timestamptz, OUT changed_by text, OUT annotation text,
  OUT tags text[]
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', '_values_of_series_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._series_values(uuid) IS
  'The current values of every run of one series that is not withdrawn; no row without a login. For the view current_values.';
CREATE OR REPLACE VIEW timedb.versions WITH (security_invoker = true) AS
  SELECT v.series_id, v.run_id, v.known_time, v.change_time, v.valid_from, v.valid_to, v.changed_by, v.annotation, v.tags,
         v.points
  FROM timedb.values v
  WHERE v.tenant_id = (SELECT timedb.current_tenant()) AND NOT EXISTS (
    SELECT FROM timedb.withdrawals w WHERE w.tenant_id = v.tenant_id AND w.run_id = v.run_id AND w.restored_at IS NULL)
  UNION ALL
  SELECT p.series_id, u.run_id, u.known_time, u.change_time, p.valid_from, p.valid_to, u.changed_by, u.annotation, u.tags,
         u.points
  FROM timedb.packs p, LATERAL timedb.unnest_pack(p.versions) u
  WHERE p.tenant_id = (SELECT timedb.current_tenant()) AND NOT EXISTS (
    SELECT FROM timedb.withdrawals w WHERE w.tenant_id = p.tenant_id AND w.run_id = u.run_id AND w.restored_at IS NULL);
COMMENT ON VIEW timedb.versions IS
  'A row for each version of a run''s values of a series, packed as points, whether compact has been there or not, but of runs that are withdrawn; empty without a login. All valid times lie between valid_from and valid_to.';

-- Reads are of labels, runs and workflows, and of corrections since they were made; their answer tells the labels. They are made
-- anew: an answer of other columns is another function.
DROP FUNCTION IF EXISTS timedb.read(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz);
DROP FUNCTION IF EXISTS timedb.read_arrow(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz);
CREATE OR REPLACE FUNCTION timedb.read(
  start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  mode text DEFAULT 'flat', all_versions boolean DEFAULT false,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, as_of timestamptz DEFAULT NULL,
  labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL, workflow_id text DEFAULT NULL,
  corrections text DEFAULT 'all', unit text DEFAULT NULL,
  OUT known_time timestamptz, OUT valid_time timestamptz, OUT valid_time_end timestamptz, OUT series_id uuid,
  OUT series_key text, OUT unit text, OUT value float8, OUT run_id uuid, OUT change_time timestamptz,
  OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'reconnect_read_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text) IS
  'Values in windows [start, end) of valid and known time. Mode "flat": per value the latest known, of two runs known at one moment that of the one uploaded later; "overlapping": the current one of every run; all_versions adds their earlier versions; as_of shows what the database held at that moment, the same for ever up to settled_time(). labels: of series whose labels contain these, among those that keys and ids name; run_ids, workflow_id: as if there were no other runs. corrections "known": what an update wrote counts since it was written, where that is later than its run''s known_time, so that end_known is what was shown then. unit: values in this unit of UCUM, each series converted from its own; 22023 once a series is reached whose unit measures something else or is not known. Ordered by series, valid time, known time and change time.';
ALTER FUNCTION timedb.read(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text) OWNER TO timedb_api;
REVOKE ALL ON FUNCTION timedb.read(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION timedb.read(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text) TO timedb_user;
CREATE OR REPLACE FUNCTION timedb.read_arrow(
  start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  mode text DEFAULT 'flat', all_versions boolean DEFAULT false,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, as_of timestamptz DEFAULT NULL,
  labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL, workflow_id text DEFAULT NULL,
  corrections text DEFAULT 'all', unit text DEFAULT NULL
) RETURNS bytea
  AS 'MODULE_PATHNAME', 'reconnect_read_arrow_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_arrow(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text) IS
  'As read, with the same columns in the same order, as one Arrow IPC stream: what pandas, polars and DuckDB load without parsing. 54000 where it would be larger than 1 GB.';
ALTER FUNCTION timedb.read_arrow(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text) OWNER TO timedb_api;
REVOKE ALL ON FUNCTION timedb.read_arrow(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION timedb.read_arrow(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text) TO timedb_user;
CREATE OR REPLACE FUNCTION timedb.read_arrow_batches(
  start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  mode text DEFAULT 'flat', all_versions boolean DEFAULT false,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, as_of timestamptz DEFAULT NULL,
  labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL, workflow_id text DEFAULT NULL,
  corrections text DEFAULT 'all', unit text DEFAULT NULL,
  max_rows integer DEFAULT 1000000
) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', 'read_arrow_batches_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_arrow_batches(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text, integer) IS
  'As read_arrow, but the rows in batches, in the order of read: each a whole Arrow IPC stream of at most max_rows rows (1 to 10,000,000) and less than 1 GB, at least one. A series may go on in the next batch.';
ALTER FUNCTION timedb.read_arrow_batches(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text, integer) OWNER TO timedb_api;
REVOKE ALL ON FUNCTION timedb.read_arrow_batches(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION timedb.read_arrow_batches(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text, integer) TO timedb_user;
-- Reads of what was known so long before.
CREATE OR REPLACE FUNCTION timedb.read_relative(
  lead interval DEFAULT NULL, days_ahead integer DEFAULT NULL, time_of_day time DEFAULT NULL,
  window_length interval DEFAULT NULL, cutoff_offset interval DEFAULT NULL, window_origin timestamptz DEFAULT NULL,
  time_zone text DEFAULT 'UTC', start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  all_versions boolean DEFAULT false, series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL,
  as_of timestamptz DEFAULT NULL, labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL,
  workflow_id text DEFAULT NULL, corrections text DEFAULT 'all', unit text DEFAULT NULL,
  OUT known_time timestamptz, OUT valid_time timestamptz, OUT valid_time_end timestamptz, OUT series_id uuid,
  OUT series_key text, OUT unit text, OUT value float8, OUT run_id uuid, OUT change_time timestamptz,
  OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'read_relative_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_relative(
  interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
  timestamptz, jsonb, uuid[], text, text, text) IS
  'Of each value what was known so long before its valid time: only what was known up to a cutoff counts, the cutoff itself included, and of that what a flat read shows. Give one of: lead (the cutoff lies so long before the valid time); days_ahead and time_of_day (at that time of the day that lies so many days before that of the valid time); window_length, cutoff_offset and window_origin (valid times lie in windows of that length, from the origin on; the cutoff lies that far after the start of the window: a negative offset, before it). Months and days are those of time_zone, a name as TimeZone takes it. All else as in read.';
ALTER FUNCTION timedb.read_relative(
  interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
  timestamptz, jsonb, uuid[], text, text, text) OWNER TO timedb_api;
REVOKE ALL ON FUNCTION timedb.read_relative(
  interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
  timestamptz, jsonb, uuid[], text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION timedb.read_relative(
  interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
  timestamptz, jsonb, uuid[], text, text, text) TO timedb_user;
CREATE OR REPLACE FUNCTION timedb.read_relative_arrow(
  lead interval DEFAULT NULL, days_ahead integer DEFAULT NULL, time_of_day time DEFAULT NULL,
  window_length interval DEFAULT NULL, cutoff_offset interval DEFAULT NULL, window_origin timestamptz DEFAULT NULL,
  time_zone text DEFAULT 'UTC', start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  all_versions boolean DEFAULT false, series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL,
  as_of timestamptz DEFAULT NULL, labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL,
  workflow_id text DEFAULT NULL, corrections text DEFAULT 'all', unit text DEFAULT NULL
) RETURNS bytea
  AS 'MODULE_PATHNAME', 'read_relative_arrow_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_relative_arrow(
  interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
  timestamptz, jsonb, uuid[], text, text, text) IS
  'As read_relative, with the same columns in the same order, as one Arrow IPC stream. 54000 where it would be larger than 1 GB.';
ALTER FUNCTION timedb.read_relative_arrow(
  interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
  timestamptz, jsonb, uuid[], text, text, text) OWNER TO timedb_api;
REVOKE ALL ON FUNCTION timedb.read_relative_arrow(
  interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
  timestamptz, jsonb, uuid[], text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION timedb.read_relative_arrow(
  interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
  timestamptz, jsonb, uuid[], text, text, text) TO timedb_user;
CREATE OR REPLACE VIEW timedb.current_values WITH (security_invoker = true) AS
  SELECT v.known_time, v.valid_time, v.valid_time_end, s.series_id, s.series_key, s.unit, v.value, v.run_id,
         v.change_time, v.changed_by, v.annotation, v.tags, s.labels
  FROM timedb.series s, LATERAL timedb._series_values(s.series_id) v
  WHERE s.tenant_id = (SELECT timedb.current_tenant());

-- Retention and erasure have a role that takes out what is to be gone.
ALTER POLICY series_tenant ON timedb.series TO timedb_user, timedb_api, timedb_eraser;
ALTER POLICY runs_tenant ON timedb.runs TO timedb_user, timedb_api, timedb_eraser;
ALTER POLICY values_tenant ON timedb.values TO timedb_user, timedb_api, timedb_compactor, timedb_eraser;
ALTER POLICY packs_tenant ON timedb.packs TO timedb_user, timedb_api, timedb_compactor, timedb_eraser;
DO $eraser$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'timedb' AND p.policyname = 'values_erase') THEN
CREATE POLICY values_erase ON timedb.values FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY values_cut ON timedb.values FOR INSERT TO timedb_eraser
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY packs_erase ON timedb.packs FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY packs_cut ON timedb.packs FOR INSERT TO timedb_eraser
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY runs_cut ON timedb.runs FOR UPDATE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
  END IF;
END
$eraser$;
GRANT SELECT ON timedb.series TO timedb_eraser;
GRANT SELECT, UPDATE (value_count, listed) ON timedb.runs TO timedb_eraser;
GRANT SELECT, INSERT, DELETE ON timedb.values TO timedb_eraser;
GRANT SELECT, INSERT, DELETE ON timedb.packs TO timedb_eraser;
GRANT EXECUTE ON FUNCTION
  timedb.current_tenant(), timedb._may(text), timedb._points_of_bytes(bytea), timedb._pack_of_bytes(bytea)
  TO timedb_eraser;

-- Maintenance of all tenants, for operators.
DO $maintenance$
BEGIN
  -- One of that name that is not the extension's makes this fail.
  IF NOT EXISTS (
    SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = to_regclass('timedb.maintenance_log')
      AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'timedb'
  ) THEN
CREATE TABLE timedb.maintenance_log (
  tenant_id        uuid NOT NULL,
  maintenance_id   uuid NOT NULL,
  started_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at      timestamptz,
  rows_before      bigint NOT NULL DEFAULT 0,
  rows_after       bigint NOT NULL DEFAULT 0,
  bytes_before     bigint NOT NULL DEFAULT 0,
  bytes_after      bigint NOT NULL DEFAULT 0,
  versions_removed bigint NOT NULL DEFAULT 0,
  orphans          bigint,
  error            text,
  CONSTRAINT maintenance_log_pkey PRIMARY KEY (tenant_id, maintenance_id)
);
ALTER TABLE timedb.maintenance_log OWNER TO timedb_owner;
CREATE POLICY maintenance_log_maintain ON timedb.maintenance_log FOR ALL TO timedb_compactor
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY maintenance_log_operator ON timedb.maintenance_log FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
  END IF;
END
$maintenance$;
COMMENT ON TABLE timedb.maintenance_log IS
  'What maintain has done for a tenant, a row each time that there was something to do; of the last 90 days.';
COMMENT ON COLUMN timedb.maintenance_log.finished_at IS 'Null while it goes on, and where it was cancelled or killed, until the next time.';
COMMENT ON COLUMN timedb.maintenance_log.rows_before IS 'Rows of values and packs that were packed; rows_after is what became of them.';
COMMENT ON COLUMN timedb.maintenance_log.versions_removed IS 'By retention.';
COMMENT ON COLUMN timedb.maintenance_log.orphans IS 'Rows that were left without the run or the series that they are of: there should be none.';
COMMENT ON COLUMN timedb.maintenance_log.error IS 'SQLSTATE, and the words where they speak of the system and not of data.';
ALTER TABLE timedb.maintenance_log
  ALTER COLUMN tenant_id SET STATISTICS 0, ALTER COLUMN maintenance_id SET STATISTICS 0,
  ALTER COLUMN started_at SET STATISTICS 0, ALTER COLUMN finished_at SET STATISTICS 0,
  ALTER COLUMN rows_before SET STATISTICS 0, ALTER COLUMN rows_after SET STATISTICS 0,
  ALTER COLUMN bytes_before SET STATISTICS 0, ALTER COLUMN bytes_after SET STATISTICS 0,
  ALTER COLUMN versions_removed SET STATISTICS 0, ALTER COLUMN orphans SET STATISTICS 0,
  ALTER COLUMN error SET STATISTICS 0;
SELECT pg_extension_config_dump('timedb.maintenance_log', '');
ALTER TABLE timedb.maintenance_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER POLICY series_tenant ON timedb.series TO timedb_user, timedb_api, timedb_compactor, timedb_eraser;
ALTER POLICY runs_tenant ON timedb.runs TO timedb_user, timedb_api, timedb_compactor, timedb_eraser;

CREATE OR REPLACE FUNCTION timedb._maintain_until_operator(budget interval, older_than interval) RETURNS timestamptz
  AS 'MODULE_PATHNAME', '_maintain_until_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._maintain_until_operator(interval, interval) IS
  'When a call of maintain with such a budget ends. 25006 where nothing can be written.';

CREATE OR REPLACE FUNCTION timedb._tenants_to_maintain_operator() RETURNS uuid[]
  AS 'MODULE_PATHNAME', '_tenants_to_maintain_operator_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._tenants_to_maintain_operator() IS
  'All tenants that have stored anything, in an order by chance, so that each has its turn however small the budget.';

CREATE OR REPLACE FUNCTION timedb._begin_maintenance_operator(tenant_id uuid, older_than interval, is_removing boolean)
  RETURNS uuid
  AS 'MODULE_PATHNAME', '_begin_maintenance_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._begin_maintenance_operator(uuid, interval, boolean) IS
  'Begins a row of the log of a tenant''s maintenance and answers its id; null where there is nothing to do, and nothing is removed.';

CREATE OR REPLACE FUNCTION timedb._maintain_share_operator(tenant_id uuid, maintenance_id uuid, older_than interval) RETURNS boolean
  AS 'MODULE_PATHNAME', '_maintain_share_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._maintain_share_operator(uuid, uuid, interval) IS
  'A share of the work of a tenant''s maintenance; answers whether some remains. 55P03 while another transaction holds the tenant''s packing.';

CREATE OR REPLACE FUNCTION timedb._end_maintenance_operator(
  tenant_id uuid, maintenance_id uuid, versions_removed bigint, error_code text, error_message text
)  RETURNS void
  AS 'MODULE_PATHNAME', '_end_maintenance_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._end_maintenance_operator(uuid, uuid, bigint, text, text) IS
  'Ends the row of the log of a tenant''s maintenance, or makes one where it could not begin.';

CREATE OR REPLACE FUNCTION timedb._list_maintenance_operator() RETURNS SETOF timedb.maintenance_log
  LANGUAGE sql STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET debug_print_plan = off SET plan_cache_mode = auto AS $$
  SELECT * FROM timedb.maintenance_log m ORDER BY m.started_at DESC, m.tenant_id
$$;
COMMENT ON FUNCTION timedb._list_maintenance_operator() IS 'What the view maintenance shows.';

CREATE OR REPLACE VIEW timedb.maintenance WITH (security_invoker = true) AS
  SELECT m.tenant_id, m.started_at, m.finished_at, m.rows_before, m.rows_after, m.bytes_before, m.bytes_after,
         m.versions_removed, m.orphans, m.error
  FROM timedb._list_maintenance_operator() m;
COMMENT ON VIEW timedb.maintenance IS
  'What maintain has done, newest first: a row for each tenant that had something to do, without finished_at while it goes on; errors too. For operators; of the last 90 days.';

-- Whoever calls it is who runs it, and only so may it commit: every name is qualified, as his search_path is his own.
CREATE OR REPLACE PROCEDURE timedb.maintain(budget interval DEFAULT '1 hour', older_than interval DEFAULT '1 day')
  LANGUAGE plpgsql AS $$
DECLARE
  ends CONSTANT pg_catalog.timestamptz := timedb._maintain_until_operator(budget, older_than);
  tenants CONSTANT pg_catalog.uuid[] := timedb._tenants_to_maintain_operator();
  tenant pg_catalog.uuid;
  maintenance pg_catalog.uuid;
  removed pg_catalog.int8;
  removed_now pg_catalog.int8;
  remaining pg_catalog.int8;
  remained pg_catalog.int8;
  goes_on boolean;
  error_code pg_catalog.text;
  error_message pg_catalog.text;
  reached integer := 0;
  worked integer := 0;
  failed integer := 0;
BEGIN
  FOREACH tenant IN ARRAY tenants LOOP
    EXIT WHEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) ends;
    maintenance := NULL;
    error_code := NULL;
    error_message := NULL;
    removed := 0;
    remained := NULL;
    goes_on := true;
    -- First what retention lets go, then what is left is packed.
    WHILE goes_on LOOP
      BEGIN
        SELECT r.versions, r.remaining INTO removed_now, remaining FROM timedb._retain_share_operator(tenant) r;
        removed := removed OPERATOR(pg_catalog.+) removed_now;
        -- Until nothing more goes: what a transaction of the tenant holds has its turn another night.
        goes_on := remaining OPERATOR(pg_catalog.>) 0
                   AND (removed_now OPERATOR(pg_catalog.>) 0 OR remaining OPERATOR(pg_catalog.<) remained
                        OR remained IS NULL)
                   AND pg_catalog.clock_timestamp() OPERATOR(pg_catalog.<) ends;
        remained := remaining;
      EXCEPTION WHEN OTHERS THEN
        error_code := SQLSTATE;
        error_message := SQLERRM;
        goes_on := false;
      END;
      COMMIT;
      -- What cannot be removed may be packed none the less.
      BEGIN
        IF maintenance IS NULL THEN
          maintenance := timedb._begin_maintenance_operator(tenant, older_than, removed OPERATOR(pg_catalog.>) 0);
        END IF;
      EXCEPTION WHEN OTHERS THEN
        error_code := SQLSTATE;
        error_message := SQLERRM;
        goes_on := false;
      END;
      COMMIT;
    END LOOP;
    goes_on := maintenance IS NOT NULL;
    WHILE goes_on LOOP
      BEGIN
        goes_on := timedb._maintain_share_operator(tenant, maintenance, older_than)
                   AND pg_catalog.clock_timestamp() OPERATOR(pg_catalog.<) ends;
      EXCEPTION WHEN OTHERS THEN
        error_code := SQLSTATE;
        error_message := SQLERRM;
        goes_on := false;
      END;
      COMMIT;
    END LOOP;
    IF maintenance IS NOT NULL OR error_code IS NOT NULL THEN
      PERFORM timedb._end_maintenance_operator(tenant, maintenance, removed, error_code, error_message);
      COMMIT;
      worked := worked OPERATOR(pg_catalog.+) 1;
    END IF;
    IF error_code IS NOT NULL THEN
      failed := failed OPERATOR(pg_catalog.+) 1;
    END IF;
    reached := reached OPERATOR(pg_catalog.+) 1;
  END LOOP;
  RAISE NOTICE 'maintained % of % tenants: % had work, % failed', reached, pg_catalog.cardinality(tenants), worked, failed;
  IF failed OPERATOR(pg_catalog.>) 0 THEN
    RAISE WARNING 'the maintenance of % tenants failed', failed USING HINT = 'SELECT * FROM timedb.maintenance WHERE error IS NOT NULL';
  END IF;
END
$$;
COMMENT ON PROCEDURE timedb.maintain(interval, interval) IS
  'For operators: goes through all tenants, in an order by chance, removes what retention lets go and packs what was written longer ago than older_than, a share in each transaction, until all is done or the budget is used up. An error in one tenant is recorded in the view maintenance, and the next goes on. CALL it outside a transaction, nightly. 25006 on a standby.';
ALTER FUNCTION timedb._maintain_until_operator(interval, interval) OWNER TO timedb_operator;
ALTER FUNCTION timedb._tenants_to_maintain_operator() OWNER TO timedb_operator;
ALTER FUNCTION timedb._list_maintenance_operator() OWNER TO timedb_operator;
ALTER FUNCTION timedb._begin_maintenance_operator(uuid, interval, boolean) OWNER TO timedb_compactor;
ALTER FUNCTION timedb._maintain_share_operator(uuid, uuid, interval) OWNER TO timedb_compactor;
ALTER FUNCTION timedb._end_maintenance_operator(uuid, uuid, bigint, text, text) OWNER TO timedb_compactor;
ALTER PROCEDURE timedb.maintain(interval, interval) OWNER TO timedb_api;
ALTER VIEW timedb.maintenance OWNER TO timedb_owner;
-- From nothing: what is new has what Postgres and this database give by default.
DO $revoke$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT 'ROUTINE' AS kind, p.oid::regprocedure::text AS name, g.grantee
    FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    WHERE p.pronamespace = 'timedb'::regnamespace AND g.grantee <> p.proowner
      AND p.proname ~ 'maintain|maintenance'
    UNION ALL
    SELECT 'TABLE', c.oid::regclass::text, g.grantee
    FROM pg_class c, LATERAL aclexplode(c.relacl) g
    WHERE c.oid IN ('timedb.maintenance_log'::regclass, 'timedb.maintenance'::regclass) AND g.grantee <> c.relowner
  LOOP
    EXECUTE format('REVOKE ALL ON %s %s FROM %s', granted.kind, granted.name,
                   CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
  END LOOP;
END
$revoke$;
GRANT SELECT (tenant_id, run_id) ON timedb.runs TO timedb_compactor;
GRANT SELECT (tenant_id, series_id) ON timedb.series TO timedb_compactor;
GRANT SELECT, INSERT, UPDATE, DELETE ON timedb.maintenance_log TO timedb_compactor;
GRANT SELECT ON timedb.maintenance_log TO timedb_operator;
GRANT EXECUTE ON FUNCTION
  timedb._maintain_until_operator(interval, interval), timedb._tenants_to_maintain_operator(),
  timedb._begin_maintenance_operator(uuid, interval, boolean), timedb._maintain_share_operator(uuid, uuid, interval),
  timedb._end_maintenance_operator(uuid, uuid, bigint, text, text), timedb._list_maintenance_operator()
  TO timedb_admin;
GRANT EXECUTE ON PROCEDURE timedb.maintain(interval, interval) TO timedb_admin;
GRANT SELECT ON timedb.maintenance TO timedb_admin;

-- What is gone for good: runs, series, tenants.
ALTER POLICY series_labels_tenant ON timedb.series_labels TO timedb_api, timedb_eraser;
ALTER POLICY users_tenant ON timedb.users TO timedb_api, timedb_eraser;
ALTER POLICY api_keys_tenant ON timedb.api_keys TO timedb_api, timedb_eraser;
ALTER POLICY key_ends_tenant ON timedb.key_ends TO timedb_api, timedb_eraser;
ALTER POLICY audit_tenant ON timedb.audit TO timedb_api, timedb_eraser;
ALTER POLICY audit_write ON timedb.audit TO timedb_api, timedb_eraser;
DO $eraser$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'timedb' AND p.policyname = 'runs_erase') THEN
CREATE POLICY series_erase ON timedb.series FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY series_labels_erase ON timedb.series_labels FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY runs_erase ON timedb.runs FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY users_erase ON timedb.users FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY api_keys_erase ON timedb.api_keys FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY key_ends_erase ON timedb.key_ends FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY role_bindings_erase ON timedb.role_bindings FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY audit_erase ON timedb.audit FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY role_bindings_tenant ON timedb.role_bindings FOR SELECT TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY maintenance_log_erase ON timedb.maintenance_log FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY withdrawals_erase ON timedb.withdrawals FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY maintenance_log_tenant ON timedb.maintenance_log FOR SELECT TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
-- To hold a row that another transaction may hold, without a change to it.
CREATE POLICY series_hold ON timedb.series FOR UPDATE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin'))) WITH CHECK (false);
CREATE POLICY withdrawals_hold ON timedb.withdrawals FOR UPDATE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin'))) WITH CHECK (false);
CREATE POLICY users_hold ON timedb.users FOR UPDATE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin'))) WITH CHECK (false);
  END IF;
END
$eraser$;
GRANT DELETE, UPDATE (description) ON timedb.series TO timedb_eraser;
GRANT SELECT, DELETE ON timedb.series_labels TO timedb_eraser;
GRANT DELETE ON timedb.runs TO timedb_eraser;
GRANT SELECT, UPDATE (updated_at), DELETE ON timedb.users TO timedb_eraser;
GRANT SELECT (tenant_id, key_id), DELETE ON timedb.api_keys TO timedb_eraser;
GRANT SELECT, DELETE ON timedb.key_ends, timedb.role_bindings, timedb.maintenance_log, timedb.withdrawals TO timedb_eraser;
GRANT SELECT, INSERT, DELETE ON timedb.audit TO timedb_eraser;
GRANT UPDATE (reason) ON timedb.withdrawals TO timedb_eraser;
CREATE OR REPLACE FUNCTION timedb._erase_run_tenant(
  run_id uuid, tenant_id uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_erase_run_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._erase_run_tenant(uuid, uuid) IS 'erase_run for a key of scope admin.';
CREATE OR REPLACE FUNCTION timedb._erase_run_operator(
  run_id uuid, tenant_id uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_erase_run_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._erase_run_operator(uuid, uuid) IS 'erase_run for an operator.';
CREATE OR REPLACE FUNCTION timedb.erase_run(
  run_id uuid, tenant_id uuid DEFAULT NULL, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    SELECT * INTO versions, value_count, remaining FROM timedb._erase_run_operator(run_id, tenant_id);
  ELSE
    SELECT * INTO versions, value_count, remaining FROM timedb._erase_run_tenant(run_id, tenant_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.erase_run(uuid, uuid) IS
  'Erases a run: what its upload and updates have written, in rows and in packs, and then the run itself. Gone for good. For scope admin, and for operators, who give tenant_id. A call takes a bounded share out and answers how many versions, with how many values, that was; call it until remaining, the rows and packs still to be looked at, is 0. It waits for no transaction: what one holds remains. 42704 if there is no such run.';

CREATE OR REPLACE FUNCTION timedb._erase_series_tenant(
  series_id uuid, tenant_id uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_erase_series_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._erase_series_tenant(uuid, uuid) IS 'erase_series for a key of scope admin.';
CREATE OR REPLACE FUNCTION timedb._erase_series_operator(
  series_id uuid, tenant_id uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_erase_series_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._erase_series_operator(uuid, uuid) IS 'erase_series for an operator.';
CREATE OR REPLACE FUNCTION timedb.erase_series(
  series_id uuid, tenant_id uuid DEFAULT NULL, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    SELECT * INTO versions, value_count, remaining FROM timedb._erase_series_operator(series_id, tenant_id);
  ELSE
    SELECT * INTO versions, value_count, remaining FROM timedb._erase_series_tenant(series_id, tenant_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.erase_series(uuid, uuid) IS
  'Erases a series: the series itself with its labels, and so all of it from every read, and then its values of all runs, which stay. Gone for good. For scope admin, and for operators, who give tenant_id. A call takes a bounded share out, as erase_run; call it until remaining is 0, and once more for what an upload has written that began before the first call: it is 42704 once there is neither the series nor anything of it.';

CREATE OR REPLACE FUNCTION timedb.erase_tenant(
  tenant_id uuid, OUT users bigint, OUT keys bigint, OUT bindings bigint, OUT series bigint, OUT runs bigint,
  OUT value_count bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', 'erase_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.erase_tenant(uuid) IS
  'Erases a tenant, for operators: users, keys, role bindings and audit, series, runs and values. Gone for good but for one entry of the audit, which counts what it was. The first call ends all keys and bindings, from the next statement of every open session on, and is never the last; each takes a bounded share out and answers what that was. Call it, and commit, until remaining, the rows that are left, is 0: later calls take out what a transaction of the tenant has committed since. It waits for none: what an open one holds remains, and so does 1 as long as one may still write. 42704 if there is nothing of such a tenant.';
ALTER FUNCTION timedb.erase_run(uuid, uuid) OWNER TO timedb_api;
ALTER FUNCTION timedb.erase_series(uuid, uuid) OWNER TO timedb_api;
ALTER FUNCTION timedb._erase_run_tenant(uuid, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._erase_run_operator(uuid, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._erase_series_tenant(uuid, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._erase_series_operator(uuid, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb.erase_tenant(uuid) OWNER TO timedb_eraser;
DO $erasing$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT p.oid::regprocedure AS routine, g.grantee
    FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    WHERE p.pronamespace = 'timedb'::regnamespace AND g.grantee <> p.proowner
      AND (p.proname ~ '^_erase_(run|series)_(tenant|operator)$' OR p.proname IN ('erase_run', 'erase_series', 'erase_tenant'))
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', granted.routine,
                   CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
  END LOOP;
END
$erasing$;
GRANT EXECUTE ON FUNCTION
  timedb.erase_run(uuid, uuid), timedb.erase_series(uuid, uuid), timedb._erase_run_tenant(uuid, uuid),
  timedb._erase_series_tenant(uuid, uuid)
  TO timedb_caller, timedb_user, timedb_admin;
GRANT EXECUTE ON FUNCTION
  timedb._erase_run_operator(uuid, uuid), timedb._erase_series_operator(uuid, uuid), timedb.erase_tenant(uuid)
  TO timedb_admin;

-- How much is stored.
CREATE OR REPLACE FUNCTION timedb.stats(
  OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT stored_rows bigint, OUT bytes bigint,
  OUT oldest timestamptz, OUT newest timestamptz, OUT last_upload timestamptz
) RETURNS record
  AS 'MODULE_PATHNAME', 'stats_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.stats() IS
  'How much the tenant has stored: series, runs, the values of all runs (of each the current one), the rows and packs they are in and the bytes these take, without indexes; the first and the last valid_time; and when something was last uploaded.';

CREATE OR REPLACE FUNCTION timedb.tenant_stats(
  OUT tenant_id uuid, OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT stored_rows bigint,
  OUT bytes bigint, OUT oldest timestamptz, OUT newest timestamptz, OUT last_upload timestamptz
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'tenant_stats_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.tenant_stats() IS
  'For operators: what stats answers, of each tenant that has stored anything, in the order of their ids.';
ALTER FUNCTION timedb.stats() OWNER TO timedb_api;
ALTER FUNCTION timedb.tenant_stats() OWNER TO timedb_api;
DO $stats$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT p.oid::regprocedure AS routine, g.grantee
    FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    WHERE p.pronamespace = 'timedb'::regnamespace AND g.grantee <> p.proowner AND p.proname IN ('stats', 'tenant_stats')
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', granted.routine,
                   CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
  END LOOP;
END
$stats$;
GRANT EXECUTE ON FUNCTION timedb.stats() TO timedb_caller, timedb_user;
GRANT EXECUTE ON FUNCTION timedb.tenant_stats() TO timedb_admin;

-- How long values are kept, and taking out those that are older.
DO $retention$
DECLARE
  granted record;
BEGIN
  -- One of that name that is not the extension's makes this fail.
  IF NOT EXISTS (
    SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = to_regclass('timedb.retention')
      AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'timedb'
  ) THEN
CREATE TABLE timedb.retention (
  tenant_id      uuid NOT NULL,
  series_id      uuid NOT NULL,
  keep           interval,
  basis          text NOT NULL,
  keep_revisions interval,
  changed_at     timestamptz NOT NULL,
  changed_by     text NOT NULL,
  CONSTRAINT retention_pkey PRIMARY KEY (tenant_id, series_id),
  CONSTRAINT retention_basis_check CHECK (basis IN ('valid_time', 'known_time'))
);
ALTER TABLE timedb.retention OWNER TO timedb_owner;
    FOR granted IN
      SELECT g.grantee
      FROM pg_class c, LATERAL aclexplode(c.relacl) g
      WHERE c.oid = 'timedb.retention'::regclass AND g.grantee <> c.relowner
    LOOP
      EXECUTE format('REVOKE ALL ON timedb.retention FROM %s',
                     CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
    END LOOP;
CREATE POLICY retention_tenant ON timedb.retention FOR SELECT TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY retention_write ON timedb.retention FOR INSERT TO timedb_eraser
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY retention_change ON timedb.retention FOR UPDATE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY retention_end ON timedb.retention FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
  END IF;
END
$retention$;
COMMENT ON TABLE timedb.retention IS
  'How long values are kept: a tenant''s default, and what series have of their own instead. Nothing goes by itself: apply_retention takes it out.';
COMMENT ON COLUMN timedb.retention.series_id IS 'All zeros: the tenant''s default.';
COMMENT ON COLUMN timedb.retention.keep IS 'Null: for ever.';
COMMENT ON COLUMN timedb.retention.basis IS 'What counts how old a value is: its valid_time, or the known_time of its run.';
COMMENT ON COLUMN timedb.retention.keep_revisions IS
  'Of values whose valid_time is further back only what a flat read shows is kept; null: all of them.';
ALTER TABLE timedb.retention
  ALTER COLUMN tenant_id SET STATISTICS 0, ALTER COLUMN series_id SET STATISTICS 0, ALTER COLUMN keep SET STATISTICS 0,
  ALTER COLUMN basis SET STATISTICS 0, ALTER COLUMN keep_revisions SET STATISTICS 0,
  ALTER COLUMN changed_at SET STATISTICS 0, ALTER COLUMN changed_by SET STATISTICS 0;
SELECT pg_extension_config_dump('timedb.retention', '');
ALTER TABLE timedb.retention ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, DELETE, UPDATE (keep, basis, keep_revisions, changed_at, changed_by) ON timedb.retention TO timedb_eraser;
CREATE OR REPLACE FUNCTION timedb._set_retention_tenant(
  keep interval, basis text, keep_revisions interval, series_ids uuid[], tenant_id uuid
) RETURNS void
  AS 'MODULE_PATHNAME', '_set_retention_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._set_retention_tenant(interval, text, interval, uuid[], uuid) IS
  'set_retention for a key of scope admin.';
CREATE OR REPLACE FUNCTION timedb._set_retention_operator(
  keep interval, basis text, keep_revisions interval, series_ids uuid[], tenant_id uuid
) RETURNS void
  AS 'MODULE_PATHNAME', '_set_retention_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._set_retention_operator(interval, text, interval, uuid[], uuid) IS
  'set_retention for an operator.';
CREATE OR REPLACE FUNCTION timedb.set_retention(
  keep interval, basis text DEFAULT 'valid_time', keep_revisions interval DEFAULT NULL, series_ids uuid[] DEFAULT NULL,
  tenant_id uuid DEFAULT NULL
) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    PERFORM timedb._set_retention_operator(keep, basis, keep_revisions, series_ids, tenant_id);
  ELSE
    PERFORM timedb._set_retention_tenant(keep, basis, keep_revisions, series_ids, tenant_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.set_retention(interval, text, interval, uuid[], uuid) IS
  'How long a tenant''s values are kept, or those of some series, which have that instead of the tenant''s: values whose valid_time, or whose run''s known_time, is further back than keep go at the next apply_retention or maintain; null keeps them for ever. Of values whose valid_time is further back than keep_revisions only what a flat read shows stays, and what is of withdrawn runs. Months and days are those of UTC. basis "default", with keep null, ends what the series have of their own. 22023 for an interval that does not go forward; 42704 for a series that is not there. Operators say tenant_id.';

CREATE OR REPLACE FUNCTION timedb._list_retention_tenant(
  tenant_id uuid, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text,
  OUT keep_revisions interval, OUT changed_at timestamptz, OUT changed_by text
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', '_list_retention_tenant_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._list_retention_tenant(uuid) IS 'list_retention for a key of scope admin.';
CREATE OR REPLACE FUNCTION timedb._list_retention_operator(
  tenant_id uuid, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text,
  OUT keep_revisions interval, OUT changed_at timestamptz, OUT changed_by text
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', '_list_retention_operator_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._list_retention_operator(uuid) IS
  'list_retention for an operator, without the keys of series.';
CREATE OR REPLACE FUNCTION timedb.list_retention(
  tenant_id uuid DEFAULT NULL, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text,
  OUT keep_revisions interval, OUT changed_at timestamptz, OUT changed_by text
) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb._list_retention_operator(tenant_id);
  ELSE
    RETURN QUERY SELECT * FROM timedb._list_retention_tenant(tenant_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.list_retention(uuid) IS
  'How long values are kept: the tenant''s default, with no series_id, and what series have of their own. Whoever is in no row keeps everything. Operators say tenant_id, and see no series_key.';

CREATE OR REPLACE FUNCTION timedb._apply_retention_tenant(
  dry_run boolean, tenant_id uuid, OUT series integer, OUT versions bigint, OUT value_count bigint, OUT bytes bigint,
  OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_apply_retention_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._apply_retention_tenant(boolean, uuid) IS 'apply_retention for a key of scope admin.';
CREATE OR REPLACE FUNCTION timedb._apply_retention_operator(
  dry_run boolean, tenant_id uuid, OUT series integer, OUT versions bigint, OUT value_count bigint, OUT bytes bigint,
  OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_apply_retention_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._apply_retention_operator(boolean, uuid) IS 'apply_retention for an operator.';
CREATE OR REPLACE FUNCTION timedb.apply_retention(
  dry_run boolean DEFAULT true, tenant_id uuid DEFAULT NULL, OUT series integer, OUT versions bigint,
  OUT value_count bigint, OUT bytes bigint, OUT remaining bigint
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    SELECT * INTO series, versions, value_count, bytes, remaining FROM timedb._apply_retention_operator(dry_run, tenant_id);
  ELSE
    SELECT * INTO series, versions, value_count, bytes, remaining FROM timedb._apply_retention_tenant(dry_run, tenant_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.apply_retention(boolean, uuid) IS
  'Takes out what set_retention keeps no longer, for good; with dry_run, which is the default, only says what would go. Answers of how many series, how many versions wholly, how many values, each version''s counted, and about how many bytes. A call does a bounded share in its transaction: call it until remaining, the series of which something may still go, is 0. A series with a run that an open transaction updates is passed over, and remains. Operators say tenant_id.';

CREATE OR REPLACE FUNCTION timedb._retain_share_operator(tenant_id uuid, OUT versions bigint, OUT remaining bigint) RETURNS record
  AS 'MODULE_PATHNAME', '_retain_share_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._retain_share_operator(uuid) IS
  'A share of apply_retention for one tenant, for maintenance. Whoever goes on until nothing remains must stop where nothing went. 55P03 where a transaction of the tenant packs or removes values meanwhile.';
ALTER FUNCTION timedb.set_retention(interval, text, interval, uuid[], uuid) OWNER TO timedb_api;
ALTER FUNCTION timedb.list_retention(uuid) OWNER TO timedb_api;
ALTER FUNCTION timedb.apply_retention(boolean, uuid) OWNER TO timedb_api;
ALTER FUNCTION timedb._set_retention_tenant(interval, text, interval, uuid[], uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._set_retention_operator(interval, text, interval, uuid[], uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._list_retention_tenant(uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._list_retention_operator(uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._apply_retention_tenant(boolean, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._apply_retention_operator(boolean, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._retain_share_operator(uuid) OWNER TO timedb_eraser;
DO $revoke$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT p.oid::regprocedure AS routine, g.grantee
    FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    WHERE p.pronamespace = 'timedb'::regnamespace AND g.grantee <> p.proowner AND p.proname ~ '_retention|_retain_share'
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', granted.routine,
                   CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
  END LOOP;
END
$revoke$;
GRANT EXECUTE ON FUNCTION
  timedb.set_retention(interval, text, interval, uuid[], uuid), timedb.list_retention(uuid),
  timedb.apply_retention(boolean, uuid),
  timedb._set_retention_tenant(interval, text, interval, uuid[], uuid), timedb._list_retention_tenant(uuid),
  timedb._apply_retention_tenant(boolean, uuid)
  TO timedb_caller, timedb_user, timedb_admin;
GRANT EXECUTE ON FUNCTION
  timedb._set_retention_operator(interval, text, interval, uuid[], uuid), timedb._list_retention_operator(uuid),
  timedb._apply_retention_operator(boolean, uuid), timedb._retain_share_operator(uuid)
  TO timedb_admin;

-- The self-check, which knows all of it.
CREATE OR REPLACE FUNCTION timedb.self_check(OUT promise text, OUT object text, OUT found text)
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

-- What this database gives by default to whatever is made anew.
DO $revoke$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT p.oid::regprocedure AS routine, g.grantee
    FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
    WHERE p.pronamespace = 'timedb'::regnamespace AND g.grantee NOT IN (p.proowner, 'timedb_user'::regrole)
      AND p.proname IN ('read', 'read_arrow', 'read_arrow_batches', 'read_relative', 'read_relative_arrow',
                        'settled_time', 'read_changes', 'read_changes_arrow', '_run_scan', 'withdraw_run',
                        'restore_run')
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', granted.routine,
                   CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
  END LOOP;
END
$revoke$;

-- Last, when all functions are there: a caller may execute what timedb_user may, but for the body of a view.
DO $grants$
DECLARE
  routine regprocedure;
BEGIN
  FOR routine IN
    SELECT p.oid
    FROM pg_proc p, LATERAL aclexplode(p.proacl) g
    WHERE p.pronamespace = 'timedb'::regnamespace AND p.proname <> '_series_values'
      AND g.grantee = 'timedb_user'::regrole AND g.privilege_type = 'EXECUTE'
      AND EXISTS (
        SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass
          AND d.deptype = 'e' AND e.extname = 'timedb')
  LOOP
    EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO timedb_caller', routine);
  END LOOP;
END
$grants$;

-- What had been granted and taken away is so again, and none of it is taken for the extension's own (pg_init_privs), which a
-- dump leaves out. What members of timedb_user have lost, those of timedb_caller do not get.
DO $again$
DECLARE
  kept record;
  own aclitem[];
  updating CONSTANT text := current_setting('role');
BEGIN
  FOR kept IN
    WITH RECURSIVE changed AS (
      SELECT k.*
      FROM jsonb_to_recordset(current_setting('timedb_update.changed_grants')::jsonb)
        AS k(verb text, object text, name text, columns_ text, grantor oid, grantee oid, privilege text, is_grantable boolean)
    ),
    -- How many stand between the owner and who has granted it.
    granted AS (
      SELECT k.*, 0 AS depth
      FROM changed k
      WHERE k.grantor IS NULL
      UNION
      SELECT k.*, g.depth + 1
      FROM granted g JOIN changed k
        ON k.grantor = g.grantee AND g.is_grantable AND g.verb = 'GRANT' AND k.object = g.object AND k.privilege = g.privilege
           AND g.columns_ IN ('', k.columns_)
    ),
    again AS (
      SELECT g.verb, g.object, g.name, g.columns_, g.grantor, g.grantee, g.privilege, g.is_grantable, max(g.depth) AS depth
      FROM granted g
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
      UNION ALL
      SELECT k.verb, k.object, k.name, k.columns_, NULL, 'timedb_caller'::regrole, k.privilege, k.is_grantable, 0
      FROM changed k
      WHERE k.verb = 'REVOKE' AND k.grantee = 'timedb_user'::regrole AND k.object LIKE 'ROUTINE %'
    )
    SELECT k.verb, k.privilege, k.columns_, k.is_grantable, k.grantor, k.grantee, o.classid, o.objid, o.objsubid, o.object
    FROM again k
    CROSS JOIN LATERAL (
      -- Where it has other arguments by now, by its name.
      SELECT 'pg_proc'::regclass AS classid, p.oid AS objid, 0 AS objsubid, 'ROUTINE ' || p.oid::regprocedure AS object
      FROM pg_proc p
      WHERE k.object LIKE 'ROUTINE %' AND p.pronamespace = 'timedb'::regnamespace AND p.proname = k.name
        AND p.oid = coalesce(to_regprocedure(substr(k.object, 9)), p.oid)
        AND EXISTS (
          SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
          WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass
            AND d.deptype = 'e' AND e.extname = 'timedb')
      UNION ALL
      SELECT 'pg_class'::regclass, c.oid, coalesce(a.attnum, 0), k.object
      FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND k.columns_ = format('(%I)', a.attname)
      WHERE k.object LIKE 'TABLE %' AND c.oid = to_regclass(substr(k.object, 7))
      UNION ALL
      SELECT 'pg_namespace'::regclass, n.oid, 0, k.object
      FROM pg_namespace n
      WHERE k.object LIKE 'SCHEMA %' AND n.nspname = 'timedb') AS o
    -- On the schema first, without which nobody names anything in it; of whole tables before their columns, which they take along.
    ORDER BY k.verb DESC, k.object LIKE 'SCHEMA %' DESC, k.depth, o.objsubid
  LOOP
    SELECT i.initprivs INTO own
    FROM pg_init_privs i WHERE i.classoid = kept.classid AND i.objoid = kept.objid AND i.objsubid = kept.objsubid;
    -- Nobody grants in the name of another: for this statement alone it is he who does.
    PERFORM set_config('role', pg_get_userbyid(kept.grantor), true) WHERE kept.grantor IS NOT NULL;
    EXECUTE format('%s %s %s ON %s %s %s%s', kept.verb, kept.privilege, kept.columns_, kept.object,
                   CASE kept.verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END,
                   CASE kept.grantee WHEN 0 THEN 'PUBLIC' ELSE kept.grantee::regrole::text END,
                   CASE WHEN kept.verb = 'REVOKE' THEN ' CASCADE' WHEN kept.is_grantable THEN ' WITH GRANT OPTION' END);
    PERFORM set_config('role', updating, true);
    UPDATE pg_init_privs i SET initprivs = own
    WHERE i.classoid = kept.classid AND i.objoid = kept.objid AND i.objsubid = kept.objsubid AND own IS NOT NULL;
    DELETE FROM pg_init_privs i
    WHERE i.classoid = kept.classid AND i.objoid = kept.objid AND i.objsubid = kept.objsubid AND own IS NULL;
    -- From Postgres 17 on roles know that they stand there, and could not be dropped.
    DELETE FROM pg_shdepend s
    WHERE s.deptype = 'i' AND s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND s.classid = kept.classid AND s.objid = kept.objid AND s.objsubid = kept.objsubid
      AND s.refclassid = 'pg_authid'::regclass
      AND NOT EXISTS (SELECT FROM aclexplode(own) g WHERE s.refobjid IN (g.grantee, g.grantor));
  END LOOP;
END
$again$;
