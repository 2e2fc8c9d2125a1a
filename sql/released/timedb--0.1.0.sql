-- The roles, made if absent, and the schema. Everything later is created inside it, owned by these roles.

-- No name below may be captured by an object of the database we are installed into.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $roles$
DECLARE
  role_name text;
  owners CONSTANT text[] := ARRAY['timedb_owner', 'timedb_api', 'timedb_auth', 'timedb_operator', 'timedb_compactor'];
  groups CONSTANT text[] := ARRAY['timedb_admin', 'timedb_user'];
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
                     'timedb_owner, timedb_api, timedb_auth, timedb_operator and timedb_compactor have no members.',
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
-- timedb.points: the packed vector of values, and the small pieces that make, open and merge it; timedb.pack: many of
-- them, of one series, with what is stored beside each.

CREATE TYPE timedb.points;

CREATE FUNCTION timedb.points_in(cstring) RETURNS timedb.points
  AS 'MODULE_PATHNAME', 'points_in_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.points_out(timedb.points) RETURNS cstring
  AS 'MODULE_PATHNAME', 'points_out_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.points_recv(internal) RETURNS timedb.points
  AS 'MODULE_PATHNAME', 'points_recv_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.points_send(timedb.points) RETURNS bytea
  AS 'MODULE_PATHNAME', 'points_send_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE timedb.points (
  INPUT = timedb.points_in,
  OUTPUT = timedb.points_out,
  RECEIVE = timedb.points_recv,
  SEND = timedb.points_send,
  INTERNALLENGTH = VARIABLE,
  ALIGNMENT = int4,
  -- Packed already: another compression would cost time and save nothing.
  STORAGE = external
);
COMMENT ON TYPE timedb.points IS
  'A packed vector of (valid_time, valid_time_end?, value?), one per key and in valid_time order; its text form is JSON and complete.';
COMMENT ON FUNCTION timedb.points_in(cstring) IS 'Reads the text form of points; 22P02 where it is malformed.';
COMMENT ON FUNCTION timedb.points_out(timedb.points) IS 'Writes the text form of points: every value, readable and bit for bit.';
COMMENT ON FUNCTION timedb.points_recv(internal) IS 'Reads the binary form of points; 22P03 where it is malformed.';
COMMENT ON FUNCTION timedb.points_send(timedb.points) IS 'Writes the binary form of points, which starts with its version.';

CREATE FUNCTION timedb.make_points(
  valid_times timestamptz[], point_values float8[], valid_time_ends timestamptz[] DEFAULT NULL
) RETURNS timedb.points
  AS 'MODULE_PATHNAME', 'make_points_wrapper' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION timedb.make_points(timestamptz[], float8[], timestamptz[]) IS
  'Packs parallel arrays, in any order, one element a value; a null value or end is allowed, a null time is 22004, a key given twice or unequal lengths 22023.';

CREATE FUNCTION timedb.unnest_points(
  points timedb.points, OUT valid_time timestamptz, OUT valid_time_end timestamptz, OUT value float8
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'unnest_points_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 50;
COMMENT ON FUNCTION timedb.unnest_points(timedb.points) IS
  'Opens points to rows, ordered by valid_time, a moment before the intervals that start at it.';

CREATE FUNCTION timedb.count_points(points timedb.points) RETURNS integer
  AS 'MODULE_PATHNAME', 'count_points_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION timedb.count_points(timedb.points) IS 'How many values points hold, nulls included.';

CREATE FUNCTION timedb.bound_points(
  points timedb.points, OUT valid_from timestamptz, OUT valid_to timestamptz
) RETURNS record
  AS 'MODULE_PATHNAME', 'bound_points_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION timedb.bound_points(timedb.points) IS
  'The first and the last valid_time of points, both included; null where there is no value.';

CREATE FUNCTION timedb._merge_points_step(
  state internal, points timedb.points, known_time timestamptz, change_time timestamptz, run_id uuid
) RETURNS internal
  AS 'MODULE_PATHNAME', '_merge_points_step_wrapper' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION timedb._merge_points_step(internal, timedb.points, timestamptz, timestamptz, uuid) IS
  'Transition function of merge_points.';
CREATE FUNCTION timedb._merge_points_final(state internal) RETURNS timedb.points
  AS 'MODULE_PATHNAME', '_merge_points_final_wrapper' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION timedb._merge_points_final(internal) IS 'Final function of merge_points.';

CREATE AGGREGATE timedb.merge_points(
  points timedb.points, known_time timestamptz, change_time timestamptz, run_id uuid
) (SFUNC = timedb._merge_points_step, STYPE = internal, FINALFUNC = timedb._merge_points_final, PARALLEL = SAFE);
COMMENT ON AGGREGATE timedb.merge_points(timedb.points, timestamptz, timestamptz, uuid) IS
  'Merges the points of one series: per valid_time and end the value of the latest (known_time, change_time, run_id), as a flat read does. Null points are skipped.';

CREATE TYPE timedb.pack;

CREATE FUNCTION timedb.pack_in(cstring) RETURNS timedb.pack
  AS 'MODULE_PATHNAME', 'pack_in_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.pack_out(timedb.pack) RETURNS cstring
  AS 'MODULE_PATHNAME', 'pack_out_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.pack_recv(internal) RETURNS timedb.pack
  AS 'MODULE_PATHNAME', 'pack_recv_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.pack_send(timedb.pack) RETURNS bytea
  AS 'MODULE_PATHNAME', 'pack_send_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE timedb.pack (
  INPUT = timedb.pack_in,
  OUTPUT = timedb.pack_out,
  RECEIVE = timedb.pack_recv,
  SEND = timedb.pack_send,
  INTERNALLENGTH = VARIABLE,
  ALIGNMENT = int4,
  STORAGE = external
);
COMMENT ON TYPE timedb.pack IS
  'Many versions of one series in one value: of each its run, times, author, annotation, tags and points; its text form is JSON and complete.';
COMMENT ON FUNCTION timedb.pack_in(cstring) IS 'Reads the text form of a pack; 22P02 where it is malformed.';
COMMENT ON FUNCTION timedb.pack_out(timedb.pack) IS 'Writes the text form of a pack: every version, readable and bit for bit.';
COMMENT ON FUNCTION timedb.pack_recv(internal) IS 'Reads the binary form of a pack, its text in UTF-8; 22P02 where it is malformed.';
COMMENT ON FUNCTION timedb.pack_send(timedb.pack) IS 'Writes the binary form of a pack: its text in UTF-8.';

CREATE FUNCTION timedb.unnest_pack(
  pack timedb.pack, OUT run_id uuid, OUT known_time timestamptz, OUT change_time timestamptz, OUT changed_by text,
  OUT annotation text, OUT tags text[], OUT points timedb.points
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'unnest_pack_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 500;
COMMENT ON FUNCTION timedb.unnest_pack(timedb.pack) IS 'Opens a pack to rows, one a version, as they stood in timedb.values.';
-- Who is asking: keys presented, the session's tenant, and what policies and functions ask of it.

CREATE FUNCTION timedb.current_tenant() RETURNS uuid
  AS 'MODULE_PATHNAME', 'current_tenant_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb.current_tenant() IS
  'The tenant this session acts for, or null; the key, its user or the role binding is checked anew at every call.';

CREATE FUNCTION timedb.authenticate(
  api_key text, is_local boolean DEFAULT false,
  OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text, OUT expires_at timestamptz
) RETURNS record
  AS 'MODULE_PATHNAME', 'authenticate_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb.authenticate(text, boolean) IS
  'Binds the session, or with is_local the transaction, to the key''s tenant; 28000 for every key that is not valid, and then nobody is logged in. Bind the key as a parameter, in a statement of its own.';

CREATE FUNCTION timedb.logout() RETURNS void
  AS 'MODULE_PATHNAME', 'logout_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb.logout() IS
  'Leaves the tenant a key had bound; a login role bound by an operator falls back to its binding.';

CREATE FUNCTION timedb.whoami(
  OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text, OUT expires_at timestamptz, OUT via text
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'whoami_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1;
COMMENT ON FUNCTION timedb.whoami() IS
  'Who this session acts as: one row, or none if nobody; via is "key" or "role" (a role binding, which has no user).';

CREATE FUNCTION timedb.pre_request() RETURNS void
  AS 'MODULE_PATHNAME', 'pre_request_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb.pre_request() IS
  'For PostgREST''s db-pre-request: logs out, sets UTC, and binds the transaction to the key in the X-API-Key header; without a valid one the answer is 401.';

CREATE FUNCTION timedb._presented_key_hash() RETURNS bytea
  AS 'MODULE_PATHNAME', '_presented_key_hash_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._presented_key_hash() IS
  'The hash of the key that authenticate is looking up at this moment, else null.';

CREATE FUNCTION timedb._may(scope text) RETURNS boolean
  AS 'MODULE_PATHNAME', '_may_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._may(text) IS 'Whether the session''s scope is at least the one named.';

CREATE FUNCTION timedb._require_login() RETURNS uuid
  AS 'MODULE_PATHNAME', '_require_login_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._require_login() IS 'The tenant this session acts for; 28000 if there is none.';

CREATE FUNCTION timedb._manages_as() RETURNS text
  AS 'MODULE_PATHNAME', '_manages_as_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._manages_as() IS
  'As what the caller may manage users and keys: "tenant" (a key of scope admin) or "operator" (a member of timedb_admin); 28000 or 42501 if as neither.';
-- The tables. Every key starts with tenant_id (role_bindings excepted), so that no constraint can tell one tenant of
-- another. The library reads users, api_keys and role_bindings by column number: add columns at their end only.

CREATE TABLE timedb.users (
  tenant_id  uuid NOT NULL,
  user_id    uuid NOT NULL,
  email      text NOT NULL,
  is_active  boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT users_pkey PRIMARY KEY (tenant_id, user_id),
  CONSTRAINT users_email_key UNIQUE (tenant_id, email)
);
COMMENT ON TABLE timedb.users IS 'The people and services of a tenant; each acts by its keys.';
COMMENT ON COLUMN timedb.users.email IS 'Stored in lower case, unique within its tenant; it is what changed_by says.';
COMMENT ON COLUMN timedb.users.is_active IS 'False: all keys of the user are refused, also in sessions already open.';

CREATE TABLE timedb.api_keys (
  tenant_id  uuid NOT NULL,
  key_id     uuid NOT NULL,
  user_id    uuid NOT NULL,
  name       text,
  hint       text NOT NULL,
  key_hash   bytea NOT NULL,
  scope      text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz,
  CONSTRAINT api_keys_pkey PRIMARY KEY (tenant_id, key_id),
  CONSTRAINT api_keys_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES timedb.users (tenant_id, user_id),
  CONSTRAINT api_keys_key_hash_key UNIQUE (tenant_id, key_hash),
  CONSTRAINT api_keys_key_hash_check CHECK (octet_length(key_hash) = 32),
  CONSTRAINT api_keys_scope_check CHECK (scope IN ('read', 'write', 'admin'))
);
CREATE INDEX api_keys_key_hash_idx ON timedb.api_keys (key_hash);
CREATE INDEX api_keys_user_idx ON timedb.api_keys (tenant_id, user_id);
COMMENT ON TABLE timedb.api_keys IS 'The keys of users: never the key, only its SHA-256.';
COMMENT ON COLUMN timedb.api_keys.hint IS 'The last four characters of the key, to tell keys apart.';
COMMENT ON COLUMN timedb.api_keys.key_hash IS 'SHA-256 of the whole text of the key.';
COMMENT ON COLUMN timedb.api_keys.scope IS 'read; write (read, upload, update, create_series); admin (write, and users and keys of its own tenant).';
COMMENT ON COLUMN timedb.api_keys.revoked_at IS 'From this moment the key is refused; in the future where a rotation left it a grace.';

CREATE TABLE timedb.role_bindings (
  role_name  name NOT NULL,
  tenant_id  uuid NOT NULL,
  scope      text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT role_bindings_pkey PRIMARY KEY (role_name),
  CONSTRAINT role_bindings_scope_check CHECK (scope IN ('read', 'write', 'admin'))
);
COMMENT ON TABLE timedb.role_bindings IS
  'Login roles that act for a tenant without a key; asked by session_user where no key has logged in.';

CREATE TABLE timedb.audit (
  tenant_id   uuid NOT NULL,
  audit_id    uuid NOT NULL,
  occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor       text NOT NULL,
  via         text NOT NULL,
  action      text NOT NULL,
  user_id     uuid,
  key_id      uuid,
  role_name   name,
  detail      jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT audit_pkey PRIMARY KEY (tenant_id, audit_id),
  CONSTRAINT audit_via_check CHECK (via IN ('key', 'role', 'operator'))
);
COMMENT ON TABLE timedb.audit IS
  'Who changed who may do what: one row for each user, key or binding made, changed or ended. Append-only; written in the transaction of what it tells.';
COMMENT ON COLUMN timedb.audit.actor IS 'The user''s email, the bound role or the operator''s role.';
COMMENT ON COLUMN timedb.audit.via IS 'As what the actor acted: key, role (a role binding) or operator.';

CREATE TABLE timedb.series (
  tenant_id   uuid NOT NULL,
  series_id   uuid NOT NULL,
  series_key  text NOT NULL,
  labels      jsonb NOT NULL DEFAULT '{}',
  unit        text NOT NULL DEFAULT 'dimensionless',
  description text,
  inserted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT series_pkey PRIMARY KEY (tenant_id, series_id),
  CONSTRAINT series_series_key_labels_key UNIQUE (tenant_id, series_key, labels),
  CONSTRAINT series_series_key_check CHECK (series_key <> '' AND octet_length(series_key) <= 500),
  CONSTRAINT series_labels_check CHECK (jsonb_typeof(labels) = 'object' AND pg_column_size(labels) <= 2100)
);
COMMENT ON TABLE timedb.series IS 'What is measured or forecast: a key and its labels name a series within its tenant.';
COMMENT ON COLUMN timedb.series.unit IS 'May be set while it is "dimensionless", then stays.';

CREATE TABLE timedb.runs (
  tenant_id        uuid NOT NULL,
  run_id           uuid NOT NULL,
  workflow_id      text NOT NULL DEFAULT 'api-workflow',
  run_start_time   timestamptz NOT NULL,
  run_finish_time  timestamptz,
  known_time       timestamptz NOT NULL,
  run_params       jsonb,
  changed_by       text NOT NULL,
  inserted_at      timestamptz NOT NULL,
  last_change_time timestamptz NOT NULL,
  -- No checks: an upload looks at its arguments itself, and Postgres would read a check's expression anew at each call.
  CONSTRAINT runs_pkey PRIMARY KEY (tenant_id, run_id)
);
COMMENT ON TABLE timedb.runs IS 'One upload: values of some series, all known at one moment.';
COMMENT ON COLUMN timedb.runs.known_time IS 'When the values were known; earlier than inserted_at for a backfill.';
COMMENT ON COLUMN timedb.runs.last_change_time IS 'The change_time of the latest change to the run; its row is what serialises updates.';

-- The order of the columns is the one that wastes no byte on alignment.
CREATE TABLE timedb.values (
  tenant_id   uuid NOT NULL,
  series_id   uuid NOT NULL,
  run_id      uuid NOT NULL,
  change_time timestamptz NOT NULL,
  known_time  timestamptz NOT NULL,
  valid_from  timestamptz NOT NULL,
  valid_to    timestamptz NOT NULL,
  part        smallint NOT NULL,
  span        smallint NOT NULL,
  points      timedb.points NOT NULL,
  changed_by  text NOT NULL,
  annotation  text,
  tags        text[],
  -- Its order is that of reads: the rows of a series that can reach into a window lie together, whatever its history.
  CONSTRAINT values_pkey PRIMARY KEY (tenant_id, series_id, span, valid_from, run_id, change_time, part)
);
COMMENT ON TABLE timedb.values IS
  'Packed values: what one change to one run wrote of one series, in one or more parts. Append-only. No foreign keys: upload and update check ids under the tenant, in one statement.';
COMMENT ON COLUMN timedb.values.change_time IS 'When this version was written, by the server''s clock; strictly increasing within a run.';
COMMENT ON COLUMN timedb.values.part IS 'Numbers the rows of one change, series and run: a long vector is cut, and an update has one for each annotation and tags.';
COMMENT ON COLUMN timedb.values.span IS 'The class of how long the row reaches, from valid_from to valid_to; bounds how far before a window a read must look.';
COMMENT ON COLUMN timedb.values.known_time IS 'The run''s known_time, kept here so that a read need not join.';
COMMENT ON COLUMN timedb.values.valid_from IS 'The first valid_time in points.';
COMMENT ON COLUMN timedb.values.valid_to IS 'The last valid_time in points.';

CREATE TABLE timedb.packs (
  tenant_id    uuid NOT NULL,
  series_id    uuid NOT NULL,
  pack_id      uuid NOT NULL,
  span         smallint NOT NULL,
  valid_from   timestamptz NOT NULL,
  valid_to     timestamptz NOT NULL,
  first_known  timestamptz NOT NULL,
  last_known   timestamptz NOT NULL,
  first_change timestamptz NOT NULL,
  point_count  integer NOT NULL,
  versions     timedb.pack NOT NULL,
  CONSTRAINT packs_pkey PRIMARY KEY (tenant_id, series_id, span, valid_from, pack_id)
);
COMMENT ON TABLE timedb.packs IS
  'What compact made of rows of values: many versions of one series in one row. Read together with values; nothing else is told by it.';
COMMENT ON COLUMN timedb.packs.span IS 'As in values, of the whole pack.';
COMMENT ON COLUMN timedb.packs.valid_from IS 'The first valid_time of any version in it.';
COMMENT ON COLUMN timedb.packs.valid_to IS 'The last valid_time of any version in it.';
COMMENT ON COLUMN timedb.packs.first_known IS 'The earliest known_time of any version in it.';
COMMENT ON COLUMN timedb.packs.last_known IS 'The latest known_time of any version in it.';
COMMENT ON COLUMN timedb.packs.first_change IS 'The earliest change_time of any version in it.';
COMMENT ON COLUMN timedb.packs.point_count IS 'How many values it holds, nulls included.';

SELECT pg_extension_config_dump('timedb.users', '');
SELECT pg_extension_config_dump('timedb.api_keys', '');
SELECT pg_extension_config_dump('timedb.role_bindings', '');
SELECT pg_extension_config_dump('timedb.audit', '');
SELECT pg_extension_config_dump('timedb.series', '');
SELECT pg_extension_config_dump('timedb.runs', '');
SELECT pg_extension_config_dump('timedb.values', '');
SELECT pg_extension_config_dump('timedb.packs', '');
-- Row-level security: every table has it, forced, so that even its owner sees nothing. This is the one place where
-- policies are made. Each names its roles (one without TO would also bind the role that answers current_tenant(), and
-- recurse), and each asks for the tenant in a sub-select, which runs once a query and keeps plans alike for all tenants.

ALTER TABLE timedb.users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.role_bindings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.audit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.series ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.runs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.values ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.packs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- A tenant's data: read by whoever acts for the tenant, written with scope write and through the API alone.
CREATE POLICY series_tenant ON timedb.series FOR SELECT TO timedb_user, timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()));
CREATE POLICY series_write ON timedb.series FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
CREATE POLICY series_change ON timedb.series FOR UPDATE TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));

CREATE POLICY runs_tenant ON timedb.runs FOR SELECT TO timedb_user, timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()));
CREATE POLICY runs_write ON timedb.runs FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
CREATE POLICY runs_change ON timedb.runs FOR UPDATE TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));

CREATE POLICY values_tenant ON timedb.values FOR SELECT TO timedb_user, timedb_api, timedb_compactor
  USING (tenant_id = (SELECT timedb.current_tenant()));
CREATE POLICY values_write ON timedb.values FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));

CREATE POLICY packs_tenant ON timedb.packs FOR SELECT TO timedb_user, timedb_api, timedb_compactor
  USING (tenant_id = (SELECT timedb.current_tenant()));

-- compact moves versions from values into packs, and from small packs into larger ones; nothing else deletes them.
CREATE POLICY values_compact ON timedb.values FOR DELETE TO timedb_compactor
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
CREATE POLICY packs_write ON timedb.packs FOR INSERT TO timedb_compactor
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
CREATE POLICY packs_compact ON timedb.packs FOR DELETE TO timedb_compactor
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));

-- A tenant's users and keys: for scope admin, and through the API alone.
CREATE POLICY users_tenant ON timedb.users FOR SELECT TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY users_write ON timedb.users FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY users_change ON timedb.users FOR UPDATE TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));

CREATE POLICY api_keys_tenant ON timedb.api_keys FOR SELECT TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY api_keys_write ON timedb.api_keys FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY api_keys_change ON timedb.api_keys FOR UPDATE TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));

CREATE POLICY audit_tenant ON timedb.audit FOR SELECT TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY audit_write ON timedb.audit FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));

-- authenticate sees the one row whose key is being presented, while it is being presented.
CREATE POLICY api_keys_login ON timedb.api_keys FOR SELECT TO timedb_auth
  USING (key_hash = (SELECT timedb._presented_key_hash()));

-- Operators manage the users and keys of every tenant; their data they do not see.
CREATE POLICY users_operator ON timedb.users FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
CREATE POLICY api_keys_operator ON timedb.api_keys FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
CREATE POLICY audit_operator ON timedb.audit FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
CREATE POLICY role_bindings_operator ON timedb.role_bindings FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
-- Users and keys. Each function exists once for callers and asks timedb._manages_as(); its body exists once in the
-- library and is declared twice: _…_tenant runs as timedb_api under the tenant's policies, _…_operator as
-- timedb_operator on every tenant, which timedb_admin alone may execute.

-- Where a name is both an argument and a column, the columns are a type of their own: PostgREST reads a function's
-- arguments by position, and would misread it if one of them were declared after a column.

CREATE TYPE timedb.new_user AS (user_id uuid, tenant_id uuid, email text, api_key text);
COMMENT ON TYPE timedb.new_user IS 'What create_user answers: the only place where its key is ever shown.';

CREATE TYPE timedb.key_entry AS (
  key_id uuid, user_id uuid, email text, name text, hint text, scope text, created_at timestamptz,
  expires_at timestamptz, revoked_at timestamptz
);
COMMENT ON TYPE timedb.key_entry IS 'A key as list_keys shows it: never the key, never its hash.';

CREATE TYPE timedb.user_account AS (
  user_id uuid, tenant_id uuid, email text, is_active boolean, created_at timestamptz, updated_at timestamptz
);
COMMENT ON TYPE timedb.user_account IS 'A user as list_users shows it.';

CREATE FUNCTION timedb._create_user_tenant(tenant_id uuid, email text, scope text) RETURNS timedb.new_user
  AS 'MODULE_PATHNAME', '_create_user_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._create_user_tenant(uuid, text, text) IS 'create_user for a key of scope admin.';
CREATE FUNCTION timedb._create_user_operator(tenant_id uuid, email text, scope text) RETURNS timedb.new_user
  AS 'MODULE_PATHNAME', '_create_user_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._create_user_operator(uuid, text, text) IS 'create_user for an operator.';
CREATE FUNCTION timedb.create_user(tenant_id uuid, email text, scope text DEFAULT 'write') RETURNS timedb.new_user
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN timedb._create_user_operator(tenant_id, email, scope);
  ELSE
    RETURN timedb._create_user_tenant(tenant_id, email, scope);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.create_user(uuid, text, text) IS
  'Makes a user of a tenant and its first key, with scope read, write or admin. The key is shown here and never again. 23505 if the tenant has the email already; 42501 for another tenant than an admin key''s own.';

CREATE FUNCTION timedb._list_users_tenant(tenant_id uuid, include_inactive boolean)
  RETURNS SETOF timedb.user_account
  AS 'MODULE_PATHNAME', '_list_users_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_users_tenant(uuid, boolean) IS 'list_users for a key of scope admin.';
CREATE FUNCTION timedb._list_users_operator(tenant_id uuid, include_inactive boolean)
  RETURNS SETOF timedb.user_account
  AS 'MODULE_PATHNAME', '_list_users_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_users_operator(uuid, boolean) IS 'list_users for an operator.';
CREATE FUNCTION timedb.list_users(tenant_id uuid DEFAULT NULL, include_inactive boolean DEFAULT false)
  RETURNS SETOF timedb.user_account
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb._list_users_operator(tenant_id, include_inactive);
  ELSE
    RETURN QUERY SELECT * FROM timedb._list_users_tenant(tenant_id, include_inactive);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.list_users(uuid, boolean) IS
  'The users of a tenant, or of all an operator may see, newest first; deactivated ones only if asked for. 42704 for another tenant than an admin key''s own.';

CREATE FUNCTION timedb._set_user_active_tenant(email text, user_id uuid, tenant_id uuid, is_active boolean)
  RETURNS timedb.user_account
  AS 'MODULE_PATHNAME', '_set_user_active_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._set_user_active_tenant(text, uuid, uuid, boolean) IS
  'deactivate_user and activate_user for a key of scope admin.';
CREATE FUNCTION timedb._set_user_active_operator(email text, user_id uuid, tenant_id uuid, is_active boolean)
  RETURNS timedb.user_account
  AS 'MODULE_PATHNAME', '_set_user_active_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._set_user_active_operator(text, uuid, uuid, boolean) IS
  'deactivate_user and activate_user for an operator.';
CREATE FUNCTION timedb.deactivate_user(
  email text DEFAULT NULL, user_id uuid DEFAULT NULL, tenant_id uuid DEFAULT NULL
) RETURNS timedb.user_account
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN timedb._set_user_active_operator(email, user_id, tenant_id, false);
  ELSE
    RETURN timedb._set_user_active_tenant(email, user_id, tenant_id, false);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.deactivate_user(text, uuid, uuid) IS
  'Deactivates the user named by email or user_id: all its keys are refused, from the next statement of every open session on. 42704 if there is no such user; 22023 if several tenants have the email and tenant_id is not given.';
CREATE FUNCTION timedb.activate_user(
  email text DEFAULT NULL, user_id uuid DEFAULT NULL, tenant_id uuid DEFAULT NULL
) RETURNS timedb.user_account
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN timedb._set_user_active_operator(email, user_id, tenant_id, true);
  ELSE
    RETURN timedb._set_user_active_tenant(email, user_id, tenant_id, true);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.activate_user(text, uuid, uuid) IS
  'Activates a deactivated user: its keys that are neither revoked nor expired work again. 42704 if there is no such user; 22023 if several tenants have the email and tenant_id is not given.';

CREATE FUNCTION timedb._regenerate_key_tenant(
  email text, user_id uuid, tenant_id uuid, grace interval, OUT api_key text
) RETURNS text
  AS 'MODULE_PATHNAME', '_regenerate_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._regenerate_key_tenant(text, uuid, uuid, interval) IS
  'regenerate_key for a key of scope admin.';
CREATE FUNCTION timedb._regenerate_key_operator(
  email text, user_id uuid, tenant_id uuid, grace interval, OUT api_key text
) RETURNS text
  AS 'MODULE_PATHNAME', '_regenerate_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._regenerate_key_operator(text, uuid, uuid, interval) IS 'regenerate_key for an operator.';
CREATE FUNCTION timedb.regenerate_key(
  email text DEFAULT NULL, user_id uuid DEFAULT NULL, tenant_id uuid DEFAULT NULL, grace interval DEFAULT '0',
  OUT api_key text
) RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    api_key := timedb._regenerate_key_operator(email, user_id, tenant_id, grace);
  ELSE
    api_key := timedb._regenerate_key_tenant(email, user_id, tenant_id, grace);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.regenerate_key(text, uuid, uuid, interval) IS
  'One new key with the name, scope and expiry of the user''s newest active key; all other active keys of the user end at once, or after grace. The key is shown here and never again. 42704 if there is no such user or it has no active key.';

CREATE FUNCTION timedb._create_key_tenant(
  email text, user_id uuid, tenant_id uuid, name text, scope text, expires_at timestamptz,
  OUT key_id uuid, OUT api_key text
) RETURNS record
  AS 'MODULE_PATHNAME', '_create_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._create_key_tenant(text, uuid, uuid, text, text, timestamptz) IS
  'create_key for a key of scope admin.';
CREATE FUNCTION timedb._create_key_operator(
  email text, user_id uuid, tenant_id uuid, name text, scope text, expires_at timestamptz,
  OUT key_id uuid, OUT api_key text
) RETURNS record
  AS 'MODULE_PATHNAME', '_create_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._create_key_operator(text, uuid, uuid, text, text, timestamptz) IS
  'create_key for an operator.';
CREATE FUNCTION timedb.create_key(
  email text DEFAULT NULL, user_id uuid DEFAULT NULL, tenant_id uuid DEFAULT NULL, name text DEFAULT NULL,
  scope text DEFAULT 'write', expires_at timestamptz DEFAULT NULL, OUT key_id uuid, OUT api_key text
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    SELECT * INTO key_id, api_key
    FROM timedb._create_key_operator(email, user_id, tenant_id, name, scope, expires_at);
  ELSE
    SELECT * INTO key_id, api_key
    FROM timedb._create_key_tenant(email, user_id, tenant_id, name, scope, expires_at);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.create_key(text, uuid, uuid, text, text, timestamptz) IS
  'Another key for a user, beside those it has, with scope read, write or admin. The key is shown here and never again. 42704 if there is no such user.';

CREATE FUNCTION timedb._list_keys_tenant(tenant_id uuid, user_id uuid) RETURNS SETOF timedb.key_entry
  AS 'MODULE_PATHNAME', '_list_keys_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_keys_tenant(uuid, uuid) IS 'list_keys for a key of scope admin.';
CREATE FUNCTION timedb._list_keys_operator(tenant_id uuid, user_id uuid) RETURNS SETOF timedb.key_entry
  AS 'MODULE_PATHNAME', '_list_keys_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_keys_operator(uuid, uuid) IS 'list_keys for an operator.';
CREATE FUNCTION timedb.list_keys(tenant_id uuid DEFAULT NULL, user_id uuid DEFAULT NULL)
  RETURNS SETOF timedb.key_entry
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb._list_keys_operator(tenant_id, user_id);
  ELSE
    RETURN QUERY SELECT * FROM timedb._list_keys_tenant(tenant_id, user_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.list_keys(uuid, uuid) IS
  'The keys of a tenant or user, newest first, by name and last four characters; never a key or its hash. 42704 for another tenant than an admin key''s own.';

CREATE FUNCTION timedb._revoke_key_tenant(key_id uuid, OUT revoked_at timestamptz) RETURNS timestamptz
  AS 'MODULE_PATHNAME', '_revoke_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._revoke_key_tenant(uuid) IS 'revoke_key for a key of scope admin.';
CREATE FUNCTION timedb._revoke_key_operator(key_id uuid, OUT revoked_at timestamptz) RETURNS timestamptz
  AS 'MODULE_PATHNAME', '_revoke_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._revoke_key_operator(uuid) IS 'revoke_key for an operator.';
CREATE FUNCTION timedb.revoke_key(key_id uuid, OUT revoked_at timestamptz) RETURNS timestamptz
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    revoked_at := timedb._revoke_key_operator(key_id);
  ELSE
    revoked_at := timedb._revoke_key_tenant(key_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.revoke_key(uuid) IS
  'Ends a key: it is refused from the next statement of every open session on. A key revoked before keeps its time. 42704 if there is no such key.';

CREATE TYPE timedb.audit_entry AS (
  occurred_at timestamptz, tenant_id uuid, actor text, via text, action text, user_id uuid, email text, key_id uuid,
  role_name name, detail jsonb
);
COMMENT ON TYPE timedb.audit_entry IS 'An entry of the audit as list_audit shows it.';

CREATE FUNCTION timedb._list_audit_tenant(tenant_id uuid, since timestamptz) RETURNS SETOF timedb.audit_entry
  AS 'MODULE_PATHNAME', '_list_audit_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_audit_tenant(uuid, timestamptz) IS 'list_audit for a key of scope admin.';
CREATE FUNCTION timedb._list_audit_operator(tenant_id uuid, since timestamptz) RETURNS SETOF timedb.audit_entry
  AS 'MODULE_PATHNAME', '_list_audit_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_audit_operator(uuid, timestamptz) IS 'list_audit for an operator.';
CREATE FUNCTION timedb.list_audit(tenant_id uuid DEFAULT NULL, since timestamptz DEFAULT NULL)
  RETURNS SETOF timedb.audit_entry
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb._list_audit_operator(tenant_id, since);
  ELSE
    RETURN QUERY SELECT * FROM timedb._list_audit_tenant(tenant_id, since);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.list_audit(uuid, timestamptz) IS
  'Who made, changed or ended users, keys and role bindings of a tenant, or of all an operator may see, newest first. 42704 for another tenant than an admin key''s own.';

CREATE FUNCTION timedb.bind_role(role name, tenant_id uuid, scope text DEFAULT 'read') RETURNS void
  AS 'MODULE_PATHNAME', 'bind_role_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb.bind_role(name, uuid, text) IS
  'Binds a login role to a tenant: its sessions act for the tenant without a key, until a key logs in. For BI tools and trusted applications; operators only. 42704 if there is no such role, 42710 if it is bound already, 22023 if policies do not bind it.';

CREATE FUNCTION timedb.unbind_role(role name) RETURNS void
  AS 'MODULE_PATHNAME', 'unbind_role_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb.unbind_role(name) IS
  'Ends a role''s binding, from the next statement of every open session on; operators only. 42704 if it has none.';

CREATE FUNCTION timedb.list_bindings(
  OUT role_name name, OUT tenant_id uuid, OUT scope text, OUT created_at timestamptz, OUT role_exists boolean
) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT b.role_name, b.tenant_id, b.scope, b.created_at, r.oid IS NOT NULL
  FROM timedb.role_bindings b LEFT JOIN pg_roles r ON r.rolname = b.role_name
  ORDER BY b.role_name
$$;
COMMENT ON FUNCTION timedb.list_bindings() IS
  'The login roles that act for a tenant without a key; operators only. Unbind a role that no longer exists, before somebody makes one of its name.';
-- A tenant's data: series, upload, update. They run as timedb_api, always under the tenant's policies. Their statements are
-- planned once a session, perhaps while a table is empty: without a scan of whole tables, which would stay in the plan.

CREATE FUNCTION timedb.create_series(
  name text, unit text DEFAULT 'dimensionless', description text DEFAULT NULL, labels jsonb DEFAULT '{}'
) RETURNS uuid
  AS 'MODULE_PATHNAME', 'create_series_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb.create_series(text, text, text, jsonb) IS
  'The id of the series with this name (its series_key) and labels, made if unknown. A unit may be set while it is "dimensionless"; another one is 22023. The first description that is not null stays.';

CREATE FUNCTION timedb.list_series(
  OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text, OUT labels jsonb,
  OUT inserted_at timestamptz
) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.series_id, s.series_key, s.unit, s.description, s.labels, s.inserted_at
  FROM timedb.series s
  WHERE s.tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._require_login()) IS NOT NULL
  ORDER BY s.series_key COLLATE "C", s.series_id
$$;
COMMENT ON FUNCTION timedb.list_series() IS 'The tenant''s series, ordered by key.';

CREATE FUNCTION timedb._points_of_bytes(bytes bytea) RETURNS timedb.points
  AS 'MODULE_PATHNAME', '_points_of_bytes_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION timedb._points_of_bytes(bytea) IS 'Points from the bytes that upload and update have packed.';

CREATE FUNCTION timedb._pack_of_bytes(bytes bytea) RETURNS timedb.pack
  AS 'MODULE_PATHNAME', '_pack_of_bytes_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION timedb._pack_of_bytes(bytea) IS 'A pack from the bytes that compact has made.';

CREATE FUNCTION timedb.upload(
  run_start_time timestamptz, value_rows json, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT now(), run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, OUT run_id uuid, OUT message text, OUT series_ids json
) RETURNS record
  AS 'MODULE_PATHNAME', 'upload_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload(timestamptz, json, text, timestamptz, timestamptz, jsonb, jsonb) IS
  'Stores one run, all of it or nothing. value_rows is an array of {"valid_time", "value_key" and/or "series_id", "value", "valid_time_end"?}; a value_key unknown so far becomes a series. Answers the run''s id and the series'' ids by key. An error names the row, counted from 0, and the field.';

CREATE FUNCTION timedb.upload_points(
  run_start_time timestamptz, series_keys text[], valid_times timestamptz[], point_values float8[],
  valid_time_ends timestamptz[] DEFAULT NULL, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT now(), run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, OUT run_id uuid, OUT message text, OUT series_ids json
) RETURNS record
  AS 'MODULE_PATHNAME', 'upload_points_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload_points(
  timestamptz, text[], timestamptz[], float8[], timestamptz[], text, timestamptz, timestamptz, jsonb, jsonb) IS
  'As upload, from parallel arrays with one element a value, for drivers that have arrays. Unequal lengths are 22023, a null key or time 22004.';

CREATE FUNCTION timedb.update(
  updates json, OUT status text, OUT run_id uuid, OUT series_id uuid, OUT valid_time timestamptz,
  OUT valid_time_end timestamptz, OUT change_time timestamptz
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'update_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.update(json) IS
  'Writes new versions of values. updates is an array of {"run_id", "series_id", "valid_time", "valid_time_end"?} and any of "value", "annotation", "tags": absent leaves it, null clears it. Answers, in input order, updated, created or skipped (nothing would change). 42704 for a run, a series or a value without "value" that is not there.';

CREATE FUNCTION timedb.upload_arrow(
  run_start_time timestamptz, stream bytea, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT now(), run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, OUT run_id uuid, OUT message text, OUT series_ids json
) RETURNS record
  AS 'MODULE_PATHNAME', 'upload_arrow_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload_arrow(timestamptz, bytea, text, timestamptz, timestamptz, jsonb, jsonb) IS
  'As upload, from an Arrow IPC stream with the columns valid_time, value_key (or series_key) and/or series_id, value, and valid_time_end if there are intervals: what pandas, polars and DuckDB write. 22023 where it is malformed; an error names the row, counted from 0, and the column.';

CREATE FUNCTION timedb.compact(
  series_ids uuid[] DEFAULT NULL, older_than interval DEFAULT '1 day', OUT series integer, OUT versions bigint,
  OUT rows_before bigint, OUT rows_after bigint, OUT bytes_before bigint, OUT bytes_after bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', 'compact_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb.compact(uuid[], interval) IS
  'Packs what was written longer ago than older_than, many small rows of a series into few; reads answer the same before and after. A call does a bounded share of the work in its transaction and says how much it packed and saved; call it until remaining, the rows still to be packed, is 0.';
-- Reading: what is known now, what was known then, and every version of it.

CREATE FUNCTION timedb.read(
  start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  mode text DEFAULT 'flat', all_versions boolean DEFAULT false,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, as_of timestamptz DEFAULT NULL,
  OUT known_time timestamptz, OUT valid_time timestamptz, OUT valid_time_end timestamptz, OUT series_id uuid,
  OUT series_key text, OUT unit text, OUT value float8, OUT run_id uuid, OUT change_time timestamptz,
  OUT changed_by text, OUT annotation text, OUT tags text[]
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'read_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz) IS
  'Values in windows [start, end) of valid and known time. Mode "flat": per value the latest known; "overlapping": the current one of every run; all_versions adds their earlier versions; as_of shows what the database held at that moment. Ordered by series, valid time, known time and change time.';

CREATE FUNCTION timedb.read_arrow(
  start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  mode text DEFAULT 'flat', all_versions boolean DEFAULT false,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, as_of timestamptz DEFAULT NULL
) RETURNS bytea
  AS 'MODULE_PATHNAME', 'read_arrow_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_arrow(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz) IS
  'As read, with the same columns in the same order, as one Arrow IPC stream: what pandas, polars and DuckDB load without parsing. 54000 where it would be larger than 1 GB.';

CREATE FUNCTION timedb._series_values(
  series_id uuid, OUT known_time timestamptz, OUT valid_time timestamptz, OUT valid_time_end timestamptz,
  OUT value float8, OUT run_id uuid, OUT change_time timestamptz, OUT changed_by text, OUT annotation text,
  OUT tags text[]
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', '_series_values_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._series_values(uuid) IS
  'The current values of every run of one series; no row without a login. For the view current_values.';

-- A row a value, but built on the packed rows: a filter on the series still opens only that series.
CREATE VIEW timedb.current_values WITH (security_invoker = true) AS
  SELECT v.known_time, v.valid_time, v.valid_time_end, s.series_id, s.series_key, s.unit, v.value, v.run_id,
         v.change_time, v.changed_by, v.annotation, v.tags
  FROM timedb.series s, LATERAL timedb._series_values(s.series_id) v
  WHERE s.tenant_id = (SELECT timedb.current_tenant());
COMMENT ON VIEW timedb.current_values IS
  'A row a value: the latest version of each run, with series_key and unit, for people and BI tools; empty without a login.';

-- For queries of one's own: what merge_points and unnest_points work on, and the planner sees through.
CREATE VIEW timedb.versions WITH (security_invoker = true) AS
  SELECT v.series_id, v.run_id, v.known_time, v.change_time, v.valid_from, v.valid_to, v.changed_by, v.annotation, v.tags,
         v.points
  FROM timedb.values v
  WHERE v.tenant_id = (SELECT timedb.current_tenant())
  UNION ALL
  SELECT p.series_id, u.run_id, u.known_time, u.change_time, p.valid_from, p.valid_to, u.changed_by, u.annotation, u.tags,
         u.points
  FROM timedb.packs p, LATERAL timedb.unnest_pack(p.versions) u
  WHERE p.tenant_id = (SELECT timedb.current_tenant());
COMMENT ON VIEW timedb.versions IS
  'A row for each version of a run''s values of a series, packed as points, whether compact has been there or not; empty without a login. All valid times lie between valid_from and valid_to.';
-- self_check: the promises of the security model, asked of the catalogs of the database it runs in.

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
           p.provolatile, p.proparallel, p.proacl, p.prokind
    FROM pg_proc p
    WHERE p.pronamespace = 'timedb'::regnamespace
  ),
  -- The keys and foreign keys of tables, by the name of the first column on each side.
  keys AS (
    SELECT i.indexrelid::regclass::text AS name, i.indrelid, a.attname AS first_column
    FROM pg_index i
    JOIN tables t ON t.oid = i.indrelid
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indisunique OR i.indisexclusion
  ),
  references_ AS (
    SELECT c.conname AS name, here.attname AS first_column, there.attname AS first_referenced
    FROM pg_constraint c
    JOIN tables t ON t.oid = c.conrelid
    JOIN pg_attribute here ON here.attrelid = c.conrelid AND here.attnum = c.conkey[1]
    JOIN pg_attribute there ON there.attrelid = c.confrelid AND there.attnum = c.confkey[1]
    WHERE c.contype = 'f'
  ),
  standard_policies (table_name, policy, command, roles, using_, with_check) AS (
    VALUES
      ('series', 'series_tenant', 'SELECT', '{timedb_api,timedb_user}', 'tenant', NULL),
      ('series', 'series_write', 'INSERT', '{timedb_api}', NULL, 'write'),
      ('series', 'series_change', 'UPDATE', '{timedb_api}', 'write', 'write'),
      ('runs', 'runs_tenant', 'SELECT', '{timedb_api,timedb_user}', 'tenant', NULL),
      ('runs', 'runs_write', 'INSERT', '{timedb_api}', NULL, 'write'),
      ('runs', 'runs_change', 'UPDATE', '{timedb_api}', 'write', 'write'),
      ('values', 'values_tenant', 'SELECT', '{timedb_api,timedb_compactor,timedb_user}', 'tenant', NULL),
      ('values', 'values_write', 'INSERT', '{timedb_api}', NULL, 'write'),
      ('values', 'values_compact', 'DELETE', '{timedb_compactor}', 'write', NULL),
      ('packs', 'packs_tenant', 'SELECT', '{timedb_api,timedb_compactor,timedb_user}', 'tenant', NULL),
      ('packs', 'packs_write', 'INSERT', '{timedb_compactor}', NULL, 'write'),
      ('packs', 'packs_compact', 'DELETE', '{timedb_compactor}', 'write', NULL),
      ('users', 'users_tenant', 'SELECT', '{timedb_api}', 'admin', NULL),
      ('users', 'users_write', 'INSERT', '{timedb_api}', NULL, 'admin'),
      ('users', 'users_change', 'UPDATE', '{timedb_api}', 'admin', 'admin'),
      ('users', 'users_operator', 'ALL', '{timedb_operator}', 'all', 'all'),
      ('api_keys', 'api_keys_tenant', 'SELECT', '{timedb_api}', 'admin', NULL),
      ('api_keys', 'api_keys_write', 'INSERT', '{timedb_api}', NULL, 'admin'),
      ('api_keys', 'api_keys_change', 'UPDATE', '{timedb_api}', 'admin', 'admin'),
      ('audit', 'audit_tenant', 'SELECT', '{timedb_api}', 'admin', NULL),
      ('audit', 'audit_write', 'INSERT', '{timedb_api}', NULL, 'admin'),
      ('audit', 'audit_operator', 'ALL', '{timedb_operator}', 'all', 'all'),
      ('api_keys', 'api_keys_login', 'SELECT', '{timedb_auth}', 'presented', NULL),
      ('api_keys', 'api_keys_operator', 'ALL', '{timedb_operator}', 'all', 'all'),
      ('role_bindings', 'role_bindings_operator', 'ALL', '{timedb_operator}', 'all', 'all')
  ),
  expressions (kind, expression) AS (
    VALUES
      ('tenant', '(tenant_id = ( SELECT timedb.current_tenant() AS current_tenant))'),
      ('write', '((tenant_id = ( SELECT timedb.current_tenant() AS current_tenant)) AND '
                '( SELECT timedb._may(''write''::text) AS _may))'),
      ('admin', '((tenant_id = ( SELECT timedb.current_tenant() AS current_tenant)) AND '
                '( SELECT timedb._may(''admin''::text) AS _may))'),
      ('presented', '(key_hash = ( SELECT timedb._presented_key_hash() AS _presented_key_hash))'),
      ('all', 'true')
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
      ('series', 'timedb_api', 'UPDATE', '{unit,description}'),
      ('runs', 'timedb_api', 'SELECT', NULL), ('runs', 'timedb_api', 'INSERT', NULL),
      ('runs', 'timedb_api', 'UPDATE', '{last_change_time}'),
      ('values', 'timedb_api', 'SELECT', NULL), ('values', 'timedb_api', 'INSERT', NULL),
      ('packs', 'timedb_api', 'SELECT', NULL),
      ('values', 'timedb_compactor', 'SELECT', NULL), ('values', 'timedb_compactor', 'DELETE', NULL),
      ('packs', 'timedb_compactor', 'SELECT', NULL), ('packs', 'timedb_compactor', 'INSERT', NULL),
      ('packs', 'timedb_compactor', 'DELETE', NULL),
      ('users', 'timedb_api', 'SELECT', NULL), ('users', 'timedb_api', 'INSERT', NULL),
      ('users', 'timedb_api', 'UPDATE', '{is_active,updated_at}'),
      ('api_keys', 'timedb_api', 'SELECT',
        '{tenant_id,key_id,user_id,name,hint,scope,created_at,expires_at,revoked_at}'),
      ('api_keys', 'timedb_api', 'INSERT', NULL), ('api_keys', 'timedb_api', 'UPDATE', '{revoked_at}'),
      ('api_keys', 'timedb_auth', 'SELECT', '{tenant_id,key_id,key_hash,scope}'),
      ('users', 'timedb_operator', 'SELECT', NULL), ('users', 'timedb_operator', 'INSERT', NULL),
      ('users', 'timedb_operator', 'UPDATE', '{is_active,updated_at}'),
      ('api_keys', 'timedb_operator', 'SELECT',
        '{tenant_id,key_id,user_id,name,hint,scope,created_at,expires_at,revoked_at}'),
      ('api_keys', 'timedb_operator', 'INSERT', NULL), ('api_keys', 'timedb_operator', 'UPDATE', '{revoked_at}'),
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
             WHEN r.proname ~ '_operator$' OR r.proname IN ('self_check', 'bind_role', 'unbind_role', 'list_bindings')
               THEN '{timedb_admin}'
             WHEN r.proname = '_presented_key_hash' THEN '{timedb_auth}'
             WHEN r.proname = '_may' THEN '{timedb_api,timedb_compactor}'
             WHEN r.proname IN ('_require_login', '_points_of_bytes') THEN '{timedb_api}'
             WHEN r.proname = '_pack_of_bytes' THEN '{timedb_compactor}'
             WHEN r.proname LIKE '\_merge\_points\_%' THEN '{}'
             WHEN r.proname = 'current_tenant' THEN '{timedb_api,timedb_compactor,timedb_user,timedb_admin}'
             WHEN r.proname IN ('authenticate', 'logout', 'whoami', 'pre_request', 'create_user', 'list_users',
                                'deactivate_user', 'activate_user', 'regenerate_key', 'create_key', 'list_keys',
                                'revoke_key', 'list_audit', '_manages_as')
               OR r.proname ~ '_tenant$' THEN '{timedb_user,timedb_admin}'
             ELSE '{timedb_user}'
           END::text[] AS callers
    FROM routines r
  ),
  roles AS (
    SELECT r.oid, r.rolname, r.rolname NOT IN ('timedb_admin', 'timedb_user') AS is_owner
    FROM pg_roles r
    WHERE r.rolname IN ('timedb_owner', 'timedb_api', 'timedb_auth', 'timedb_operator', 'timedb_compactor',
                        'timedb_admin', 'timedb_user')
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
SELECT 'foreign keys start with tenant_id', r.name, r.first_column || ' references ' || r.first_referenced
FROM references_ r
WHERE (r.first_column, r.first_referenced) IS DISTINCT FROM ('tenant_id'::name, 'tenant_id'::name)
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
  'timedb_api'::regrole, 'timedb_auth'::regrole, 'timedb_operator'::regrole, 'timedb_compactor'::regrole)
UNION ALL
SELECT 'compact alone runs as the role that may delete', r.name, format('owned by %s', r.proowner::regrole)
FROM routines r
WHERE (r.proowner = 'timedb_compactor'::regrole) <> (r.proname = 'compact')
UNION ALL
SELECT 'security definer functions pin their search_path', r.name, coalesce(array_to_string(r.proconfig, ', '), 'not set')
FROM routines r
WHERE r.prosecdef AND NOT coalesce(r.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']
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
ORDER BY 1, 2, 3
$check$;
COMMENT ON FUNCTION timedb.self_check() IS
  'One row for each promise of the security model that the catalogs of this database break; none is the pass. For operators.';
-- Owners, before any grant (granting first would leave odd REVOKE and GRANT lines in every dump). No function belongs
-- to the tables' owner: one careless function of his could switch row-level security off.

GRANT USAGE ON SCHEMA timedb TO timedb_owner;
GRANT CREATE ON SCHEMA timedb TO timedb_owner;

DO $owners$
DECLARE
  relation regclass;
  routine regprocedure;
BEGIN
  FOR relation IN
    SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v')
  LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO timedb_owner', relation);
  END LOOP;
  -- Everything a caller may reach runs, or could be made to run, as timedb_api; what follows is the exceptions.
  FOR routine IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'timedb'::regnamespace LOOP
    EXECUTE format('ALTER ROUTINE %s OWNER TO timedb_api', routine);
  END LOOP;
END
$owners$;

ALTER FUNCTION timedb.authenticate(text, boolean) OWNER TO timedb_auth;
ALTER FUNCTION timedb.pre_request() OWNER TO timedb_auth;
ALTER FUNCTION timedb.logout() OWNER TO timedb_auth;
ALTER FUNCTION timedb.current_tenant() OWNER TO timedb_auth;
ALTER FUNCTION timedb._presented_key_hash() OWNER TO timedb_auth;

ALTER FUNCTION timedb.compact(uuid[], interval) OWNER TO timedb_compactor;

ALTER FUNCTION timedb._create_user_operator(uuid, text, text) OWNER TO timedb_operator;
ALTER FUNCTION timedb._list_users_operator(uuid, boolean) OWNER TO timedb_operator;
ALTER FUNCTION timedb._set_user_active_operator(text, uuid, uuid, boolean) OWNER TO timedb_operator;
ALTER FUNCTION timedb._regenerate_key_operator(text, uuid, uuid, interval) OWNER TO timedb_operator;
ALTER FUNCTION timedb._create_key_operator(text, uuid, uuid, text, text, timestamptz) OWNER TO timedb_operator;
ALTER FUNCTION timedb._list_keys_operator(uuid, uuid) OWNER TO timedb_operator;
ALTER FUNCTION timedb._revoke_key_operator(uuid) OWNER TO timedb_operator;
ALTER FUNCTION timedb._list_audit_operator(uuid, timestamptz) OWNER TO timedb_operator;
ALTER FUNCTION timedb.bind_role(name, uuid, text) OWNER TO timedb_operator;
ALTER FUNCTION timedb.unbind_role(name) OWNER TO timedb_operator;
ALTER FUNCTION timedb.list_bindings() OWNER TO timedb_operator;
-- Grants, from nothing: first everybody loses what Postgres gives to PUBLIC and what the default privileges of this
-- database give to anybody, then each role gets what it needs and no more.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA timedb FROM PUBLIC;

DO $revoke$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT 'TABLE' AS kind, c.oid::regclass::text AS name, g.grantee
    FROM pg_class c, LATERAL aclexplode(c.relacl) g
    WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v') AND g.grantee <> c.relowner
    UNION
    SELECT 'ROUTINE', p.oid::regprocedure::text, g.grantee
    FROM pg_proc p, LATERAL aclexplode(p.proacl) g
    WHERE p.pronamespace = 'timedb'::regnamespace AND g.grantee <> p.proowner
    UNION
    SELECT 'SCHEMA', 'timedb', g.grantee
    FROM pg_namespace n, LATERAL aclexplode(n.nspacl) g
    WHERE n.nspname = 'timedb' AND g.grantee <> n.nspowner AND g.grantee <> 'timedb_owner'::regrole
  LOOP
    EXECUTE format('REVOKE ALL ON %s %s FROM %s', granted.kind, granted.name,
                   CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
  END LOOP;
END
$revoke$;

GRANT USAGE ON SCHEMA timedb
  TO timedb_api, timedb_auth, timedb_operator, timedb_compactor, timedb_admin, timedb_user;

-- timedb_api: a tenant's tables, under their policies. Nothing is deleted, and of a row only what is named here changes.
GRANT SELECT, INSERT, UPDATE (unit, description) ON timedb.series TO timedb_api;
GRANT SELECT, INSERT, UPDATE (last_change_time) ON timedb.runs TO timedb_api;
GRANT SELECT, INSERT ON timedb.values TO timedb_api;
GRANT SELECT ON timedb.packs TO timedb_api;
GRANT SELECT, INSERT, UPDATE (is_active, updated_at) ON timedb.users TO timedb_api;
GRANT SELECT (tenant_id, key_id, user_id, name, hint, scope, created_at, expires_at, revoked_at), INSERT,
  UPDATE (revoked_at) ON timedb.api_keys TO timedb_api;

GRANT SELECT, INSERT ON timedb.audit TO timedb_api;

-- timedb_auth: the key row being presented, and of it only what names it.
GRANT SELECT (tenant_id, key_id, key_hash, scope) ON timedb.api_keys TO timedb_auth;

-- timedb_compactor: moves a tenant's versions from values into packs, under their policies.
GRANT SELECT, DELETE ON timedb.values TO timedb_compactor;
GRANT SELECT, INSERT, DELETE ON timedb.packs TO timedb_compactor;

-- timedb_operator: users, keys and bindings of every tenant, never a key's hash.
GRANT SELECT, INSERT, UPDATE (is_active, updated_at) ON timedb.users TO timedb_operator;
GRANT SELECT (tenant_id, key_id, user_id, name, hint, scope, created_at, expires_at, revoked_at), INSERT,
  UPDATE (revoked_at) ON timedb.api_keys TO timedb_operator;
GRANT SELECT, INSERT, DELETE ON timedb.role_bindings TO timedb_operator;
GRANT SELECT, INSERT ON timedb.audit TO timedb_operator;

-- What policies and function bodies call.
GRANT EXECUTE ON FUNCTION timedb.current_tenant() TO timedb_api, timedb_compactor, timedb_user, timedb_admin;
GRANT EXECUTE ON FUNCTION timedb._presented_key_hash() TO timedb_auth;
GRANT EXECUTE ON FUNCTION timedb._may(text) TO timedb_api, timedb_compactor;
GRANT EXECUTE ON FUNCTION timedb._require_login(), timedb._points_of_bytes(bytea) TO timedb_api;
GRANT EXECUTE ON FUNCTION timedb._pack_of_bytes(bytea) TO timedb_compactor;

-- timedb_user: sign in, read the tenant's data, call the API. timedb_admin: sign in, call the API's management.
GRANT EXECUTE ON FUNCTION timedb.authenticate(text, boolean), timedb.logout(), timedb.whoami(), timedb.pre_request()
  TO timedb_user, timedb_admin;

GRANT SELECT ON timedb.series, timedb.runs, timedb.values, timedb.packs, timedb.current_values, timedb.versions
  TO timedb_user;
GRANT EXECUTE ON FUNCTION
  timedb.points_in(cstring), timedb.points_out(timedb.points), timedb.points_recv(internal),
  timedb.points_send(timedb.points),
  timedb.make_points(timestamptz[], float8[], timestamptz[]), timedb.unnest_points(timedb.points),
  timedb.count_points(timedb.points), timedb.bound_points(timedb.points),
  timedb.merge_points(timedb.points, timestamptz, timestamptz, uuid),
  timedb.pack_in(cstring), timedb.pack_out(timedb.pack), timedb.pack_recv(internal), timedb.pack_send(timedb.pack),
  timedb.unnest_pack(timedb.pack)
  TO timedb_user;
GRANT EXECUTE ON FUNCTION
  timedb.create_series(text, text, text, jsonb), timedb.list_series(),
  timedb.upload(timestamptz, json, text, timestamptz, timestamptz, jsonb, jsonb),
  timedb.upload_points(
    timestamptz, text[], timestamptz[], float8[], timestamptz[], text, timestamptz, timestamptz, jsonb, jsonb),
  timedb.upload_arrow(timestamptz, bytea, text, timestamptz, timestamptz, jsonb, jsonb),
  timedb.update(json), timedb.compact(uuid[], interval),
  timedb.read(timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz),
  timedb.read_arrow(timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz),
  timedb._series_values(uuid)
  TO timedb_user;

GRANT EXECUTE ON FUNCTION
  timedb._manages_as(),
  timedb.create_user(uuid, text, text), timedb.list_users(uuid, boolean), timedb.deactivate_user(text, uuid, uuid),
  timedb.activate_user(text, uuid, uuid), timedb.regenerate_key(text, uuid, uuid, interval),
  timedb.create_key(text, uuid, uuid, text, text, timestamptz), timedb.list_keys(uuid, uuid),
  timedb.revoke_key(uuid), timedb.list_audit(uuid, timestamptz),
  timedb._create_user_tenant(uuid, text, text), timedb._list_users_tenant(uuid, boolean),
  timedb._set_user_active_tenant(text, uuid, uuid, boolean),
  timedb._regenerate_key_tenant(text, uuid, uuid, interval),
  timedb._create_key_tenant(text, uuid, uuid, text, text, timestamptz), timedb._list_keys_tenant(uuid, uuid),
  timedb._revoke_key_tenant(uuid), timedb._list_audit_tenant(uuid, timestamptz)
  TO timedb_user, timedb_admin;

GRANT EXECUTE ON FUNCTION
  timedb._create_user_operator(uuid, text, text), timedb._list_users_operator(uuid, boolean),
  timedb._set_user_active_operator(text, uuid, uuid, boolean),
  timedb._regenerate_key_operator(text, uuid, uuid, interval),
  timedb._create_key_operator(text, uuid, uuid, text, text, timestamptz), timedb._list_keys_operator(uuid, uuid),
  timedb._revoke_key_operator(uuid), timedb._list_audit_operator(uuid, timestamptz),
  timedb.bind_role(name, uuid, text), timedb.unbind_role(name), timedb.list_bindings(), timedb.self_check()
  TO timedb_admin;
