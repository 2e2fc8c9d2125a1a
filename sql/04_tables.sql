-- The tables. Every key starts with tenant_id (role_bindings excepted), so that no constraint can tell one tenant of
-- another. No table refers to another by a foreign key: pg_restore -j knows no order between the tables of an extension, and
-- would lose what it restores too soon; the functions check what such keys would. The library reads users, api_keys,
-- key_ends and role_bindings by column number: add columns at their end only. It changes rows of runs and series by INSERT … ON
-- CONFLICT: a column that is NOT NULL needs a default.

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
  CONSTRAINT api_keys_key_hash_key UNIQUE (tenant_id, key_hash),
  CONSTRAINT api_keys_key_hash_check CHECK (octet_length(key_hash) = 32),
  CONSTRAINT api_keys_scope_check CHECK (scope IN ('read', 'write', 'admin'))
);
CREATE INDEX api_keys_key_hash_idx ON timedb.api_keys (key_hash);
CREATE INDEX api_keys_user_idx ON timedb.api_keys (tenant_id, user_id);
COMMENT ON TABLE timedb.api_keys IS 'The keys of users: never the key, only its SHA-256.';
COMMENT ON COLUMN timedb.api_keys.user_id IS
  'No foreign key: whatever makes a key holds its user locked, no function deletes one, and self_check counts keys without one.';
COMMENT ON COLUMN timedb.api_keys.hint IS 'The last four characters of the key, to tell keys apart.';
COMMENT ON COLUMN timedb.api_keys.key_hash IS 'SHA-256 of the whole text of the key.';
COMMENT ON COLUMN timedb.api_keys.scope IS 'read; write (read, upload, update, create_series); admin (write, and users and keys of its own tenant).';
COMMENT ON COLUMN timedb.api_keys.revoked_at IS 'Where 0.1.0 has ended the key: an end as in key_ends, where they have been since. Never changed any more.';

CREATE TABLE timedb.key_ends (
  tenant_id uuid NOT NULL,
  key_id    uuid NOT NULL,
  ended_at  timestamptz NOT NULL
);
CREATE INDEX key_ends_key_idx ON timedb.key_ends (tenant_id, key_id);
-- Without a unique key, a subscriber could not be told which of its rows goes.
ALTER TABLE timedb.key_ends REPLICA IDENTITY FULL;
COMMENT ON TABLE timedb.key_ends IS
  'When keys end, where somebody has ended them; of several ends the earliest counts. Append-only and without a unique key: whoever ends a key waits for no transaction that has done so too, its holder''s least of all.';
COMMENT ON COLUMN timedb.key_ends.ended_at IS 'From this moment the key is refused; in the future where a rotation left it a grace.';

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
COMMENT ON TABLE timedb.retention IS
  'How long values are kept: a tenant''s default, and what series have of their own instead. Nothing goes by itself: apply_retention takes it out.';
COMMENT ON COLUMN timedb.retention.series_id IS 'All zeros: the tenant''s default.';
COMMENT ON COLUMN timedb.retention.keep IS 'Null: for ever.';
COMMENT ON COLUMN timedb.retention.basis IS 'What counts how old a value is: its valid_time, or the known_time of its run.';
COMMENT ON COLUMN timedb.retention.keep_revisions IS
  'Of values whose valid_time is further back only what a flat read shows is kept; null: all of them.';

CREATE TABLE timedb.series (
  tenant_id   uuid NOT NULL,
  series_id   uuid NOT NULL,
  series_key  text NOT NULL,
  labels      jsonb NOT NULL DEFAULT '{}',
  unit        text NOT NULL DEFAULT 'dimensionless',
  description text,
  inserted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  labels_entered boolean NOT NULL DEFAULT false,
  CONSTRAINT series_pkey PRIMARY KEY (tenant_id, series_id),
  CONSTRAINT series_series_key_labels_key UNIQUE (tenant_id, series_key, labels),
  CONSTRAINT series_series_key_check CHECK (series_key <> '' AND octet_length(series_key) <= 500),
  CONSTRAINT series_labels_check CHECK (jsonb_typeof(labels) = 'object' AND pg_column_size(labels) <= 2100)
);
CREATE INDEX series_unentered_idx ON timedb.series (tenant_id) WHERE NOT labels_entered AND labels <> '{}';
COMMENT ON TABLE timedb.series IS 'What is measured or forecast: a key and its labels name a series within its tenant.';
COMMENT ON COLUMN timedb.series.unit IS 'May be set while it is "dimensionless", then stays.';
COMMENT ON COLUMN timedb.series.labels_entered IS 'Whether series_labels has all entries of its labels.';
COMMENT ON INDEX timedb.series_unentered_idx IS
  'Series with labels that series_labels does not have, such as those of a dump of 0.1.0: every filter by labels looks at them.';

CREATE TABLE timedb.series_labels (
  tenant_id uuid NOT NULL,
  label     text COLLATE "C" NOT NULL,
  value     text COLLATE "C" NOT NULL,
  series_id uuid NOT NULL,
  CONSTRAINT series_labels_pkey PRIMARY KEY (tenant_id, label, value, series_id)
);
COMMENT ON TABLE timedb.series_labels IS
  'By which labels series are found: those that are no objects and no arrays. Of what is found labels of series decide, so an entry whose series has other labels by now does no harm, and none is deleted.';
COMMENT ON COLUMN timedb.series_labels.value IS 'As JSON; numbers without zeros at their end, so that equal ones are one.';

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
  value_count      bigint,
  listed           bytea,
  -- No checks: an upload looks at its arguments itself, and Postgres would read a check's expression anew at each call.
  CONSTRAINT runs_pkey PRIMARY KEY (tenant_id, run_id)
);
COMMENT ON TABLE timedb.runs IS 'One upload: values of some series, all known at one moment.';
COMMENT ON COLUMN timedb.runs.run_id IS
  'Version 7: ids are in the order in which runs were uploaded, which decides between runs of one known_time.';
COMMENT ON COLUMN timedb.runs.known_time IS 'When the values were known; earlier than inserted_at for a backfill.';
COMMENT ON COLUMN timedb.runs.value_count IS 'How many values it has, nulls too, as upload and update have counted them; null where an earlier release wrote it.';
COMMENT ON COLUMN timedb.runs.last_change_time IS 'The change_time of the latest change to the run, or when it was withdrawn or restored since; its row is what serialises them.';

COMMENT ON COLUMN timedb.runs.listed IS
  'Which rows the upload has written, where values_change_idx does not have them: run_id tells when, so that no further index is written to.';
-- Ids, which nothing makes smaller.
ALTER TABLE timedb.runs ALTER COLUMN listed SET STORAGE EXTERNAL;

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
COMMENT ON TABLE timedb.withdrawals IS
  'When runs were withdrawn, and until when: a row for each time, whose end is set once. From withdrawn_at on, and until restored_at, no read shows the run. Nothing else records it; rows stay.';
COMMENT ON COLUMN timedb.withdrawals.withdrawn_at IS
  'Later than every change of the run before, and a last_change_time of it, as restored_at is: so as_of tells what was shown.';
COMMENT ON COLUMN timedb.withdrawals.restored_at IS 'Null while it lasts.';
COMMENT ON INDEX timedb.withdrawals_lasting_key IS 'Withdrawals that last, one a run: whether a tenant has any, each read asks of it.';

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
COMMENT ON COLUMN timedb.values.part IS
  'Numbers the rows of one change, series and run: a long vector is cut, and an update has one for each annotation and tags. From -1 downwards where the run lists them.';
COMMENT ON COLUMN timedb.values.span IS 'The class of how long the row reaches, from valid_from to valid_to; bounds how far before a window a read must look.';
COMMENT ON COLUMN timedb.values.known_time IS 'The run''s known_time, kept here so that a read need not join.';
COMMENT ON COLUMN timedb.values.valid_from IS 'The first valid_time in points.';
COMMENT ON COLUMN timedb.values.valid_to IS 'The last valid_time in points.';
CREATE INDEX values_known_idx ON timedb.values (tenant_id, series_id, known_time)
  WHERE valid_from - known_time NOT BETWEEN interval '-2 days' AND interval '2 days';
COMMENT ON INDEX timedb.values_known_idx IS
  'Of rows that begin more than two days before or after they were known, those known in a window; all others are found by valid_from.';
CREATE INDEX values_change_idx ON timedb.values (tenant_id, change_time) WHERE part >= 0;
COMMENT ON INDEX timedb.values_change_idx IS 'What was written since a moment, but for what the runs list. Only for a statement that says its condition: planned while the table is empty, any other would take it for as good as the key.';

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
  last_change  timestamptz NOT NULL DEFAULT 'infinity',
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
COMMENT ON COLUMN timedb.packs.last_change IS
  'The latest change_time of any version in it; infinite where 0.1.0 has made it, which did not say.';
CREATE INDEX packs_change_idx ON timedb.packs (tenant_id, last_change) WHERE last_change > '-infinity';
COMMENT ON INDEX timedb.packs_change_idx IS 'Packs with what was written since a moment; as values_change_idx.';

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
COMMENT ON TABLE timedb.maintenance_log IS
  'What maintain has done for a tenant, a row each time that there was something to do; of the last 90 days.';
COMMENT ON COLUMN timedb.maintenance_log.finished_at IS 'Null while it goes on, and where it was cancelled or killed, until the next time.';
COMMENT ON COLUMN timedb.maintenance_log.rows_before IS 'Rows of values and packs that were packed; rows_after is what became of them.';
COMMENT ON COLUMN timedb.maintenance_log.versions_removed IS 'By retention.';
COMMENT ON COLUMN timedb.maintenance_log.orphans IS 'Rows that were left without the run or the series that they are of: there should be none.';
COMMENT ON COLUMN timedb.maintenance_log.error IS 'SQLSTATE, and the words where they speak of the system and not of data.';

-- No statistics of any column: a statement is planned before Postgres asks whether its relations may be read, and what the
-- planner knows, of all tenants, can be told by its plan. Only how large a table is remains.
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

SELECT pg_extension_config_dump('timedb.users', '');
SELECT pg_extension_config_dump('timedb.api_keys', '');
SELECT pg_extension_config_dump('timedb.key_ends', '');
SELECT pg_extension_config_dump('timedb.role_bindings', '');
SELECT pg_extension_config_dump('timedb.audit', '');
SELECT pg_extension_config_dump('timedb.retention', '');
SELECT pg_extension_config_dump('timedb.series', '');
SELECT pg_extension_config_dump('timedb.series_labels', '');
SELECT pg_extension_config_dump('timedb.runs', '');
SELECT pg_extension_config_dump('timedb.withdrawals', '');
SELECT pg_extension_config_dump('timedb.values', '');
SELECT pg_extension_config_dump('timedb.packs', '');
SELECT pg_extension_config_dump('timedb.maintenance_log', '');
