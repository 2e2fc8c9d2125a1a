-- Generated from the functions of timedb by generate.sql: not to be edited. What a key can call.

CREATE TYPE timedb.audit_entry AS (
  occurred_at timestamp with time zone, tenant_id uuid, actor text, via text, action text, user_id uuid, email text, key_id uuid, role_name name, detail jsonb
);
COMMENT ON TYPE timedb.audit_entry IS 'An entry of the audit as list_audit shows it.';

CREATE TYPE timedb.key_entry AS (
  key_id uuid, user_id uuid, email text, name text, hint text, scope text, created_at timestamp with time zone, expires_at timestamp with time zone, revoked_at timestamp with time zone
);
COMMENT ON TYPE timedb.key_entry IS 'A key as list_keys shows it: never the key, never its hash.';

CREATE TYPE timedb.new_user AS (
  user_id uuid, tenant_id uuid, email text, api_key text
);
COMMENT ON TYPE timedb.new_user IS 'What create_user answers: the only place where its key is ever shown.';

CREATE TYPE timedb.user_account AS (
  user_id uuid, tenant_id uuid, email text, is_active boolean, created_at timestamp with time zone, updated_at timestamp with time zone
);
COMMENT ON TYPE timedb.user_account IS 'A user as list_users shows it.';

CREATE FUNCTION timedb_router._activate_user(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.activate_user;
$$;
CREATE FUNCTION timedb_router.activate_user(a1 text, a2 uuid, a3 uuid) RETURNS timedb.user_account LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer timedb.user_account;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'activate_user()');
      SELECT r.* INTO answer FROM timedb_router._activate_user(timedb_router._key(), timedb_router._packed($1, $2, $3)) p(packed), LATERAL timedb_router._opened(p.packed) r(user_id uuid, tenant_id uuid, email text, is_active boolean, created_at timestamp with time zone, updated_at timestamp with time zone);
      has_written := timedb_router._wrote();
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.activate_user(email text DEFAULT NULL::text, user_id uuid DEFAULT NULL::uuid, tenant_id uuid DEFAULT NULL::uuid) RETURNS timedb.user_account LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  answer timedb.user_account;
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    answer := timedb_router._activate_user_operator($1, $2, $3);
  ELSE
    answer := timedb_router.activate_user($1, $2, $3);
  END IF;
  RETURN answer;
END
$$;

CREATE FUNCTION timedb_router._apply_retention(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.apply_retention;
$$;
CREATE FUNCTION timedb_router.apply_retention(a1 boolean, a2 uuid, OUT series integer, OUT versions bigint, OUT value_count bigint, OUT bytes bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      IF a1 IS FALSE THEN
        is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'apply_retention()');
      END IF;
      SELECT r.* INTO series, versions, value_count, bytes, remaining FROM timedb_router._apply_retention(timedb_router._key(), timedb_router._packed($1, $2)) p(packed), LATERAL timedb_router._opened(p.packed) r(series integer, versions bigint, value_count bigint, bytes bigint, remaining bigint);
      IF a1 IS FALSE THEN
        has_written := timedb_router._wrote();
      END IF;
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.apply_retention(dry_run boolean DEFAULT true, tenant_id uuid DEFAULT NULL::uuid, OUT series integer, OUT versions bigint, OUT value_count bigint, OUT bytes bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    SELECT * INTO series, versions, value_count, bytes, remaining FROM timedb_router._apply_retention_operator($1, $2);
  ELSE
    SELECT * INTO series, versions, value_count, bytes, remaining FROM timedb_router.apply_retention($1, $2);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._compact(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.compact;
$$;
CREATE FUNCTION timedb.compact(series_ids uuid[] DEFAULT NULL::uuid[], older_than interval DEFAULT '1 day'::interval, OUT series integer, OUT versions bigint, OUT rows_before bigint, OUT rows_after bigint, OUT bytes_before bigint, OUT bytes_after bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'compact()');
      SELECT r.* INTO series, versions, rows_before, rows_after, bytes_before, bytes_after, remaining FROM timedb_router._compact(timedb_router._key(), timedb_router._packed($1, $2)) p(packed), LATERAL timedb_router._opened(p.packed) r(series integer, versions bigint, rows_before bigint, rows_after bigint, bytes_before bigint, bytes_after bigint, remaining bigint);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._coverage(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.coverage;
$$;
CREATE FUNCTION timedb_router.coverage(a1 text[], a2 uuid[], a3 jsonb, OUT series_id uuid, OUT series_key text, OUT first_valid_time timestamp with time zone, OUT last_valid_time timestamp with time zone, OUT value_count bigint, OUT run_count bigint) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._coverage(timedb_router._key(), timedb_router._packed($1, $2, $3)) p(packed), LATERAL timedb_router._opened(p.packed) r(series_id uuid, series_key text, first_valid_time timestamp with time zone, last_valid_time timestamp with time zone, value_count bigint, run_count bigint);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.coverage(series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], labels jsonb DEFAULT NULL::jsonb, OUT series_id uuid, OUT series_key text, OUT first_valid_time timestamp with time zone, OUT last_valid_time timestamp with time zone, OUT value_count bigint, OUT run_count bigint) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100
BEGIN ATOMIC
  SELECT * FROM timedb_router.coverage($1, $2, $3);
END;

CREATE FUNCTION timedb_router._create_key(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.create_key;
$$;
CREATE FUNCTION timedb_router.create_key(a1 text, a2 uuid, a3 uuid, a4 text, a5 text, a6 timestamp with time zone, OUT key_id uuid, OUT api_key text) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'create_key()');
      SELECT r.* INTO key_id, api_key FROM timedb_router._create_key(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6)) p(packed), LATERAL timedb_router._opened(p.packed) r(key_id uuid, api_key text);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.create_key(email text DEFAULT NULL::text, user_id uuid DEFAULT NULL::uuid, tenant_id uuid DEFAULT NULL::uuid, name text DEFAULT NULL::text, scope text DEFAULT 'write'::text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, OUT key_id uuid, OUT api_key text) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    SELECT * INTO key_id, api_key FROM timedb_router._create_key_operator($1, $2, $3, $4, $5, $6);
  ELSE
    SELECT * INTO key_id, api_key FROM timedb_router.create_key($1, $2, $3, $4, $5, $6);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._create_series(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.create_series;
$$;
CREATE FUNCTION timedb.create_series(name text, unit text DEFAULT NULL::text, description text DEFAULT NULL::text, labels jsonb DEFAULT '{}'::jsonb) RETURNS uuid LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer uuid;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'create_series()');
      SELECT r.* INTO answer FROM timedb_router._create_series(timedb_router._key(), timedb_router._packed($1, $2, $3, $4)) p(packed), LATERAL timedb_router._opened(p.packed) r(answer uuid);
      has_written := timedb_router._wrote();
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._create_user(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.create_user;
$$;
CREATE FUNCTION timedb_router.create_user(a1 uuid, a2 text, a3 text) RETURNS timedb.new_user LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer timedb.new_user;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'create_user()');
      SELECT r.* INTO answer FROM timedb_router._create_user(timedb_router._key(), timedb_router._packed($1, $2, $3)) p(packed), LATERAL timedb_router._opened(p.packed) r(user_id uuid, tenant_id uuid, email text, api_key text);
      has_written := timedb_router._wrote();
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.create_user(tenant_id uuid, email text, scope text DEFAULT 'write'::text) RETURNS timedb.new_user LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  answer timedb.new_user;
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    answer := timedb_router._create_user_operator($1, $2, $3);
  ELSE
    answer := timedb_router.create_user($1, $2, $3);
  END IF;
  RETURN answer;
END
$$;

CREATE FUNCTION timedb_router._deactivate_user(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.deactivate_user;
$$;
CREATE FUNCTION timedb_router.deactivate_user(a1 text, a2 uuid, a3 uuid) RETURNS timedb.user_account LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer timedb.user_account;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'deactivate_user()');
      SELECT r.* INTO answer FROM timedb_router._deactivate_user(timedb_router._key(), timedb_router._packed($1, $2, $3)) p(packed), LATERAL timedb_router._opened(p.packed) r(user_id uuid, tenant_id uuid, email text, is_active boolean, created_at timestamp with time zone, updated_at timestamp with time zone);
      has_written := timedb_router._wrote();
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.deactivate_user(email text DEFAULT NULL::text, user_id uuid DEFAULT NULL::uuid, tenant_id uuid DEFAULT NULL::uuid) RETURNS timedb.user_account LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  answer timedb.user_account;
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    answer := timedb_router._deactivate_user_operator($1, $2, $3);
  ELSE
    answer := timedb_router.deactivate_user($1, $2, $3);
  END IF;
  RETURN answer;
END
$$;

CREATE FUNCTION timedb_router._erase_run(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.erase_run;
$$;
CREATE FUNCTION timedb_router.erase_run(a1 uuid, a2 uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'erase_run()');
      SELECT r.* INTO versions, value_count, remaining FROM timedb_router._erase_run(timedb_router._key(), timedb_router._packed($1, $2)) p(packed), LATERAL timedb_router._opened(p.packed) r(versions bigint, value_count bigint, remaining bigint);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.erase_run(run_id uuid, tenant_id uuid DEFAULT NULL::uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    SELECT * INTO versions, value_count, remaining FROM timedb_router._erase_run_operator($1, $2);
  ELSE
    SELECT * INTO versions, value_count, remaining FROM timedb_router.erase_run($1, $2);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._erase_series(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.erase_series;
$$;
CREATE FUNCTION timedb_router.erase_series(a1 uuid, a2 uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'erase_series()');
      SELECT r.* INTO versions, value_count, remaining FROM timedb_router._erase_series(timedb_router._key(), timedb_router._packed($1, $2)) p(packed), LATERAL timedb_router._opened(p.packed) r(versions bigint, value_count bigint, remaining bigint);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.erase_series(series_id uuid, tenant_id uuid DEFAULT NULL::uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    SELECT * INTO versions, value_count, remaining FROM timedb_router._erase_series_operator($1, $2);
  ELSE
    SELECT * INTO versions, value_count, remaining FROM timedb_router.erase_series($1, $2);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._gaps(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.gaps;
$$;
CREATE FUNCTION timedb_router.gaps(a1 interval, a2 text, a3 timestamp with time zone, a4 timestamp with time zone, a5 text[], a6 uuid[], a7 jsonb, OUT series_id uuid, OUT series_key text, OUT from_time timestamp with time zone, OUT to_time timestamp with time zone, OUT missing_count bigint) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._gaps(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7)) p(packed), LATERAL timedb_router._opened(p.packed) r(series_id uuid, series_key text, from_time timestamp with time zone, to_time timestamp with time zone, missing_count bigint);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.gaps(step interval, time_zone text DEFAULT 'UTC'::text, start_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, end_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], labels jsonb DEFAULT NULL::jsonb, OUT series_id uuid, OUT series_key text, OUT from_time timestamp with time zone, OUT to_time timestamp with time zone, OUT missing_count bigint) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100
BEGIN ATOMIC
  SELECT * FROM timedb_router.gaps($1, $2, $3, $4, $5, $6, $7);
END;

CREATE FUNCTION timedb_router._label_values(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.label_values;
$$;
CREATE FUNCTION timedb_router.label_values(a1 text, OUT value text, OUT series_count bigint) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 10
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._label_values(timedb_router._key(), timedb_router._packed($1)) p(packed), LATERAL timedb_router._opened(p.packed) r(value text, series_count bigint);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.label_values(label text, OUT value text, OUT series_count bigint) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 10
BEGIN ATOMIC
  SELECT * FROM timedb_router.label_values($1);
END;

CREATE FUNCTION timedb_router._latest(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.latest;
$$;
CREATE FUNCTION timedb_router.latest(a1 text[], a2 uuid[], a3 jsonb, a4 timestamp with time zone, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT labels jsonb) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._latest(timedb_router._key(), timedb_router._packed($1, $2, $3, $4)) p(packed), LATERAL timedb_router._opened(p.packed) r(known_time timestamp with time zone, valid_time timestamp with time zone, valid_time_end timestamp with time zone, series_id uuid, series_key text, unit text, value double precision, run_id uuid, change_time timestamp with time zone, labels jsonb);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.latest(series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], labels jsonb DEFAULT NULL::jsonb, before timestamp with time zone DEFAULT NULL::timestamp with time zone, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT labels jsonb) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100
BEGIN ATOMIC
  SELECT * FROM timedb_router.latest($1, $2, $3, $4);
END;

CREATE FUNCTION timedb_router._list_audit(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.list_audit;
$$;
CREATE FUNCTION timedb_router.list_audit(a1 uuid, a2 timestamp with time zone) RETURNS SETOF timedb.audit_entry LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._list_audit(timedb_router._key(), timedb_router._packed($1, $2)) p(packed), LATERAL timedb_router._opened(p.packed) r(occurred_at timestamp with time zone, tenant_id uuid, actor text, via text, action text, user_id uuid, email text, key_id uuid, role_name name, detail jsonb);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.list_audit(tenant_id uuid DEFAULT NULL::uuid, since timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS SETOF timedb.audit_entry LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb_router._list_audit_operator($1, $2);
  ELSE
    RETURN QUERY SELECT * FROM timedb_router.list_audit($1, $2);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._list_keys(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.list_keys;
$$;
CREATE FUNCTION timedb_router.list_keys(a1 uuid, a2 uuid) RETURNS SETOF timedb.key_entry LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._list_keys(timedb_router._key(), timedb_router._packed($1, $2)) p(packed), LATERAL timedb_router._opened(p.packed) r(key_id uuid, user_id uuid, email text, name text, hint text, scope text, created_at timestamp with time zone, expires_at timestamp with time zone, revoked_at timestamp with time zone);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.list_keys(tenant_id uuid DEFAULT NULL::uuid, user_id uuid DEFAULT NULL::uuid) RETURNS SETOF timedb.key_entry LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb_router._list_keys_operator($1, $2);
  ELSE
    RETURN QUERY SELECT * FROM timedb_router.list_keys($1, $2);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._list_retention(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.list_retention;
$$;
CREATE FUNCTION timedb_router.list_retention(a1 uuid, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text, OUT keep_revisions interval, OUT changed_at timestamp with time zone, OUT changed_by text) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._list_retention(timedb_router._key(), timedb_router._packed($1)) p(packed), LATERAL timedb_router._opened(p.packed) r(series_id uuid, series_key text, keep interval, basis text, keep_revisions interval, changed_at timestamp with time zone, changed_by text);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.list_retention(tenant_id uuid DEFAULT NULL::uuid, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text, OUT keep_revisions interval, OUT changed_at timestamp with time zone, OUT changed_by text) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb_router._list_retention_operator($1);
  ELSE
    RETURN QUERY SELECT * FROM timedb_router.list_retention($1);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._list_runs(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.list_runs;
$$;
CREATE FUNCTION timedb_router.list_runs(a1 text, a2 text[], a3 uuid[], a4 jsonb, a5 timestamp with time zone, a6 timestamp with time zone, a7 integer, a8 uuid, OUT run_id uuid, OUT workflow_id text, OUT known_time timestamp with time zone, OUT run_start_time timestamp with time zone, OUT run_finish_time timestamp with time zone, OUT inserted_at timestamp with time zone, OUT last_change_time timestamp with time zone, OUT changed_by text, OUT run_params jsonb, OUT value_count bigint, OUT withdrawn_at timestamp with time zone) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._list_runs(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8)) p(packed), LATERAL timedb_router._opened(p.packed) r(run_id uuid, workflow_id text, known_time timestamp with time zone, run_start_time timestamp with time zone, run_finish_time timestamp with time zone, inserted_at timestamp with time zone, last_change_time timestamp with time zone, changed_by text, run_params jsonb, value_count bigint, withdrawn_at timestamp with time zone);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.list_runs(workflow_id text DEFAULT NULL::text, series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], labels jsonb DEFAULT NULL::jsonb, start_known timestamp with time zone DEFAULT NULL::timestamp with time zone, end_known timestamp with time zone DEFAULT NULL::timestamp with time zone, max_rows integer DEFAULT 100, after uuid DEFAULT NULL::uuid, OUT run_id uuid, OUT workflow_id text, OUT known_time timestamp with time zone, OUT run_start_time timestamp with time zone, OUT run_finish_time timestamp with time zone, OUT inserted_at timestamp with time zone, OUT last_change_time timestamp with time zone, OUT changed_by text, OUT run_params jsonb, OUT value_count bigint, OUT withdrawn_at timestamp with time zone) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100
BEGIN ATOMIC
  SELECT * FROM timedb_router.list_runs($1, $2, $3, $4, $5, $6, $7, $8);
END;

CREATE FUNCTION timedb_router._list_series(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.list_series;
$$;
CREATE FUNCTION timedb_router.list_series(a1 jsonb, a2 text, a3 integer, a4 text, a5 uuid, OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text, OUT labels jsonb, OUT inserted_at timestamp with time zone) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._list_series(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5)) p(packed), LATERAL timedb_router._opened(p.packed) r(series_id uuid, series_key text, unit text, description text, labels jsonb, inserted_at timestamp with time zone);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.list_series(labels jsonb DEFAULT NULL::jsonb, search text DEFAULT NULL::text, max_rows integer DEFAULT NULL::integer, after_key text DEFAULT NULL::text, after_id uuid DEFAULT NULL::uuid, OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text, OUT labels jsonb, OUT inserted_at timestamp with time zone) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 1000
BEGIN ATOMIC
  SELECT * FROM timedb_router.list_series($1, $2, $3, $4, $5);
END;

CREATE FUNCTION timedb_router._list_users(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.list_users;
$$;
CREATE FUNCTION timedb_router.list_users(a1 uuid, a2 boolean) RETURNS SETOF timedb.user_account LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._list_users(timedb_router._key(), timedb_router._packed($1, $2)) p(packed), LATERAL timedb_router._opened(p.packed) r(user_id uuid, tenant_id uuid, email text, is_active boolean, created_at timestamp with time zone, updated_at timestamp with time zone);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.list_users(tenant_id uuid DEFAULT NULL::uuid, include_inactive boolean DEFAULT false) RETURNS SETOF timedb.user_account LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb_router._list_users_operator($1, $2);
  ELSE
    RETURN QUERY SELECT * FROM timedb_router.list_users($1, $2);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._read(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.read;
$$;
CREATE FUNCTION timedb_router.read(a1 timestamp with time zone, a2 timestamp with time zone, a3 timestamp with time zone, a4 timestamp with time zone, a5 text, a6 boolean, a7 text[], a8 uuid[], a9 timestamp with time zone, a10 jsonb, a11 uuid[], a12 text, a13 text, a14 text, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._read(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)) p(packed), LATERAL timedb_router._opened(p.packed) r(known_time timestamp with time zone, valid_time timestamp with time zone, valid_time_end timestamp with time zone, series_id uuid, series_key text, unit text, value double precision, run_id uuid, change_time timestamp with time zone, changed_by text, annotation text, tags text[], labels jsonb);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.read(start_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, end_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, start_known timestamp with time zone DEFAULT NULL::timestamp with time zone, end_known timestamp with time zone DEFAULT NULL::timestamp with time zone, mode text DEFAULT 'flat'::text, all_versions boolean DEFAULT false, series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], as_of timestamp with time zone DEFAULT NULL::timestamp with time zone, labels jsonb DEFAULT NULL::jsonb, run_ids uuid[] DEFAULT NULL::uuid[], workflow_id text DEFAULT NULL::text, corrections text DEFAULT 'all'::text, unit text DEFAULT NULL::text, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 1000
BEGIN ATOMIC
  SELECT * FROM timedb_router.read($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);
END;

CREATE FUNCTION timedb_router._read_arrow(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.read_arrow;
$$;
CREATE FUNCTION timedb.read_arrow(start_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, end_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, start_known timestamp with time zone DEFAULT NULL::timestamp with time zone, end_known timestamp with time zone DEFAULT NULL::timestamp with time zone, mode text DEFAULT 'flat'::text, all_versions boolean DEFAULT false, series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], as_of timestamp with time zone DEFAULT NULL::timestamp with time zone, labels jsonb DEFAULT NULL::jsonb, run_ids uuid[] DEFAULT NULL::uuid[], workflow_id text DEFAULT NULL::text, corrections text DEFAULT 'all'::text, unit text DEFAULT NULL::text) RETURNS bytea LANGUAGE plpgsql STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer bytea;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      SELECT r.* INTO answer FROM timedb_router._read_arrow(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)) p(packed), LATERAL timedb_router._opened(p.packed) r(answer bytea);
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._read_arrow_batches(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.read_arrow_batches;
$$;
CREATE FUNCTION timedb_router.read_arrow_batches(a1 timestamp with time zone, a2 timestamp with time zone, a3 timestamp with time zone, a4 timestamp with time zone, a5 text, a6 boolean, a7 text[], a8 uuid[], a9 timestamp with time zone, a10 jsonb, a11 uuid[], a12 text, a13 text, a14 text, a15 integer) RETURNS SETOF bytea LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 10
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._read_arrow_batches(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)) p(packed), LATERAL timedb_router._opened(p.packed) r(answer bytea);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.read_arrow_batches(start_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, end_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, start_known timestamp with time zone DEFAULT NULL::timestamp with time zone, end_known timestamp with time zone DEFAULT NULL::timestamp with time zone, mode text DEFAULT 'flat'::text, all_versions boolean DEFAULT false, series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], as_of timestamp with time zone DEFAULT NULL::timestamp with time zone, labels jsonb DEFAULT NULL::jsonb, run_ids uuid[] DEFAULT NULL::uuid[], workflow_id text DEFAULT NULL::text, corrections text DEFAULT 'all'::text, unit text DEFAULT NULL::text, max_rows integer DEFAULT 1000000) RETURNS SETOF bytea LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 10
BEGIN ATOMIC
  SELECT * FROM timedb_router.read_arrow_batches($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);
END;

CREATE FUNCTION timedb_router._read_buckets(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.read_buckets;
$$;
CREATE FUNCTION timedb_router.read_buckets(a1 interval, a2 text, a3 text, a4 timestamp with time zone, a5 timestamp with time zone, a6 timestamp with time zone, a7 timestamp with time zone, a8 text[], a9 uuid[], a10 timestamp with time zone, a11 jsonb, a12 uuid[], a13 text, a14 text, OUT series_id uuid, OUT series_key text, OUT unit text, OUT bucket_start timestamp with time zone, OUT bucket_end timestamp with time zone, OUT value double precision, OUT value_count bigint) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._read_buckets(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)) p(packed), LATERAL timedb_router._opened(p.packed) r(series_id uuid, series_key text, unit text, bucket_start timestamp with time zone, bucket_end timestamp with time zone, value double precision, value_count bigint);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.read_buckets(bucket interval, aggregate text DEFAULT 'mean'::text, time_zone text DEFAULT 'UTC'::text, start_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, end_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, start_known timestamp with time zone DEFAULT NULL::timestamp with time zone, end_known timestamp with time zone DEFAULT NULL::timestamp with time zone, series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], as_of timestamp with time zone DEFAULT NULL::timestamp with time zone, labels jsonb DEFAULT NULL::jsonb, run_ids uuid[] DEFAULT NULL::uuid[], workflow_id text DEFAULT NULL::text, corrections text DEFAULT 'all'::text, OUT series_id uuid, OUT series_key text, OUT unit text, OUT bucket_start timestamp with time zone, OUT bucket_end timestamp with time zone, OUT value double precision, OUT value_count bigint) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 1000
BEGIN ATOMIC
  SELECT * FROM timedb_router.read_buckets($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);
END;

CREATE FUNCTION timedb_router._read_changes(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.read_changes;
$$;
CREATE FUNCTION timedb_router.read_changes(a1 timestamp with time zone, a2 timestamp with time zone, a3 text[], a4 uuid[], a5 jsonb, a6 integer, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._read_changes(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6)) p(packed), LATERAL timedb_router._opened(p.packed) r(known_time timestamp with time zone, valid_time timestamp with time zone, valid_time_end timestamp with time zone, series_id uuid, series_key text, unit text, value double precision, run_id uuid, change_time timestamp with time zone, changed_by text, annotation text, tags text[], labels jsonb);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.read_changes(after timestamp with time zone, until timestamp with time zone DEFAULT NULL::timestamp with time zone, series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], labels jsonb DEFAULT NULL::jsonb, max_rows integer DEFAULT NULL::integer, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb) RETURNS SETOF record LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 1000
BEGIN ATOMIC
  SELECT * FROM timedb_router.read_changes($1, $2, $3, $4, $5, $6);
END;

CREATE FUNCTION timedb_router._read_changes_arrow(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.read_changes_arrow;
$$;
CREATE FUNCTION timedb.read_changes_arrow(after timestamp with time zone, until timestamp with time zone DEFAULT NULL::timestamp with time zone, series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], labels jsonb DEFAULT NULL::jsonb, max_rows integer DEFAULT NULL::integer) RETURNS bytea LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer bytea;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      SELECT r.* INTO answer FROM timedb_router._read_changes_arrow(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6)) p(packed), LATERAL timedb_router._opened(p.packed) r(answer bytea);
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._read_relative(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.read_relative;
$$;
CREATE FUNCTION timedb_router.read_relative(a1 interval, a2 integer, a3 time without time zone, a4 interval, a5 interval, a6 timestamp with time zone, a7 text, a8 timestamp with time zone, a9 timestamp with time zone, a10 boolean, a11 text[], a12 uuid[], a13 timestamp with time zone, a14 jsonb, a15 uuid[], a16 text, a17 text, a18 text, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT r.* FROM timedb_router._read_relative(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)) p(packed), LATERAL timedb_router._opened(p.packed) r(known_time timestamp with time zone, valid_time timestamp with time zone, valid_time_end timestamp with time zone, series_id uuid, series_key text, unit text, value double precision, run_id uuid, change_time timestamp with time zone, changed_by text, annotation text, tags text[], labels jsonb);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.read_relative(lead interval DEFAULT NULL::interval, days_ahead integer DEFAULT NULL::integer, time_of_day time without time zone DEFAULT NULL::time without time zone, window_length interval DEFAULT NULL::interval, cutoff_offset interval DEFAULT NULL::interval, window_origin timestamp with time zone DEFAULT NULL::timestamp with time zone, time_zone text DEFAULT 'UTC'::text, start_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, end_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, all_versions boolean DEFAULT false, series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], as_of timestamp with time zone DEFAULT NULL::timestamp with time zone, labels jsonb DEFAULT NULL::jsonb, run_ids uuid[] DEFAULT NULL::uuid[], workflow_id text DEFAULT NULL::text, corrections text DEFAULT 'all'::text, unit text DEFAULT NULL::text, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 1000
BEGIN ATOMIC
  SELECT * FROM timedb_router.read_relative($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18);
END;

CREATE FUNCTION timedb_router._read_relative_arrow(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.read_relative_arrow;
$$;
CREATE FUNCTION timedb.read_relative_arrow(lead interval DEFAULT NULL::interval, days_ahead integer DEFAULT NULL::integer, time_of_day time without time zone DEFAULT NULL::time without time zone, window_length interval DEFAULT NULL::interval, cutoff_offset interval DEFAULT NULL::interval, window_origin timestamp with time zone DEFAULT NULL::timestamp with time zone, time_zone text DEFAULT 'UTC'::text, start_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, end_valid timestamp with time zone DEFAULT NULL::timestamp with time zone, all_versions boolean DEFAULT false, series_keys text[] DEFAULT NULL::text[], series_ids uuid[] DEFAULT NULL::uuid[], as_of timestamp with time zone DEFAULT NULL::timestamp with time zone, labels jsonb DEFAULT NULL::jsonb, run_ids uuid[] DEFAULT NULL::uuid[], workflow_id text DEFAULT NULL::text, corrections text DEFAULT 'all'::text, unit text DEFAULT NULL::text) RETURNS bytea LANGUAGE plpgsql STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer bytea;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      SELECT r.* INTO answer FROM timedb_router._read_relative_arrow(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)) p(packed), LATERAL timedb_router._opened(p.packed) r(answer bytea);
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._regenerate_key(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.regenerate_key;
$$;
CREATE FUNCTION timedb_router.regenerate_key(a1 text, a2 uuid, a3 uuid, a4 interval, a5 uuid, a6 timestamp with time zone, OUT api_key text) RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'regenerate_key()');
      SELECT r.* INTO api_key FROM timedb_router._regenerate_key(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6)) p(packed), LATERAL timedb_router._opened(p.packed) r(api_key text);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.regenerate_key(email text DEFAULT NULL::text, user_id uuid DEFAULT NULL::uuid, tenant_id uuid DEFAULT NULL::uuid, grace interval DEFAULT '00:00:00'::interval, key_id uuid DEFAULT NULL::uuid, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, OUT api_key text) RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    api_key := timedb_router._regenerate_key_operator($1, $2, $3, $4, $5, $6);
  ELSE
    api_key := timedb_router.regenerate_key($1, $2, $3, $4, $5, $6);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._restore_run(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.restore_run;
$$;
CREATE FUNCTION timedb_router.restore_run(a1 uuid, a2 text, OUT run_id uuid, OUT withdrawn_at timestamp with time zone, OUT restored_at timestamp with time zone, OUT restored_by text, OUT reason text) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'restore_run()');
      SELECT r.* INTO run_id, withdrawn_at, restored_at, restored_by, reason FROM timedb_router._restore_run(timedb_router._key(), timedb_router._packed($1, $2)) p(packed), LATERAL timedb_router._opened(p.packed) r(run_id uuid, withdrawn_at timestamp with time zone, restored_at timestamp with time zone, restored_by text, reason text);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.restore_run(run_id uuid, reason text DEFAULT NULL::text, OUT run_id uuid, OUT withdrawn_at timestamp with time zone, OUT restored_at timestamp with time zone, OUT restored_by text, OUT reason text) RETURNS record LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
  SELECT * FROM timedb_router.restore_run($1, $2);
END;

CREATE FUNCTION timedb_router._revoke_key(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.revoke_key;
$$;
CREATE FUNCTION timedb_router.revoke_key(a1 uuid, OUT revoked_at timestamp with time zone) RETURNS timestamp with time zone LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'revoke_key()');
      SELECT r.* INTO revoked_at FROM timedb_router._revoke_key(timedb_router._key(), timedb_router._packed($1)) p(packed), LATERAL timedb_router._opened(p.packed) r(revoked_at timestamp with time zone);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.revoke_key(key_id uuid, OUT revoked_at timestamp with time zone) RETURNS timestamp with time zone LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    revoked_at := timedb_router._revoke_key_operator($1);
  ELSE
    revoked_at := timedb_router.revoke_key($1);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._set_retention(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.set_retention;
$$;
CREATE FUNCTION timedb_router.set_retention(a1 interval, a2 text, a3 interval, a4 uuid[], a5 uuid) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'set_retention()');
      PERFORM FROM timedb_router._set_retention(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5)) p;
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.set_retention(keep interval, basis text DEFAULT 'valid_time'::text, keep_revisions interval DEFAULT NULL::interval, series_ids uuid[] DEFAULT NULL::uuid[], tenant_id uuid DEFAULT NULL::uuid) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb_router._manages_as() = 'operator' THEN
    PERFORM timedb_router._set_retention_operator($1, $2, $3, $4, $5);
  ELSE
    PERFORM timedb_router.set_retention($1, $2, $3, $4, $5);
  END IF;
END
$$;

CREATE FUNCTION timedb_router._settled_time(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.settled_time;
$$;
CREATE FUNCTION timedb.settled_time() RETURNS timestamp with time zone LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer timestamp with time zone;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      SELECT r.* INTO answer FROM timedb_router._settled_time(timedb_router._key(), '\x00') p(packed), LATERAL timedb_router._opened(p.packed) r(answer timestamp with time zone);
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._stats(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.stats;
$$;
CREATE FUNCTION timedb.stats(OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT stored_rows bigint, OUT bytes bigint, OUT oldest timestamp with time zone, OUT newest timestamp with time zone, OUT last_upload timestamp with time zone) RETURNS record LANGUAGE plpgsql STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      SELECT r.* INTO series, runs, value_count, stored_rows, bytes, oldest, newest, last_upload FROM timedb_router._stats(timedb_router._key(), '\x00') p(packed), LATERAL timedb_router._opened(p.packed) r(series bigint, runs bigint, value_count bigint, stored_rows bigint, bytes bigint, oldest timestamp with time zone, newest timestamp with time zone, last_upload timestamp with time zone);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._update(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.update;
$$;
CREATE FUNCTION timedb.update(updates json, OUT status text, OUT run_id uuid, OUT series_id uuid, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT change_time timestamp with time zone) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'update()');
      RETURN QUERY SELECT r.* FROM timedb_router._update(timedb_router._key(), timedb_router._packed($1)) p(packed), LATERAL timedb_router._opened(p.packed) r(status text, run_id uuid, series_id uuid, valid_time timestamp with time zone, valid_time_end timestamp with time zone, change_time timestamp with time zone);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._update_series(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.update_series;
$$;
CREATE FUNCTION timedb_router.update_series(a1 uuid, a2 text, a3 text, a4 text, a5 jsonb, OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text, OUT labels jsonb, OUT inserted_at timestamp with time zone) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'update_series()');
      SELECT r.* INTO series_id, series_key, unit, description, labels, inserted_at FROM timedb_router._update_series(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5)) p(packed), LATERAL timedb_router._opened(p.packed) r(series_id uuid, series_key text, unit text, description text, labels jsonb, inserted_at timestamp with time zone);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.update_series(series_id uuid, new_key text DEFAULT NULL::text, unit text DEFAULT NULL::text, description text DEFAULT NULL::text, labels jsonb DEFAULT NULL::jsonb, OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text, OUT labels jsonb, OUT inserted_at timestamp with time zone) RETURNS record LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
  SELECT * FROM timedb_router.update_series($1, $2, $3, $4, $5);
END;

CREATE FUNCTION timedb_router._upload(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.upload;
$$;
CREATE FUNCTION timedb.upload(run_start_time timestamp with time zone, value_rows json, workflow_id text DEFAULT 'api-workflow'::text, run_finish_time timestamp with time zone DEFAULT NULL::timestamp with time zone, known_time timestamp with time zone DEFAULT NULL::timestamp with time zone, run_params jsonb DEFAULT NULL::jsonb, series_descriptions jsonb DEFAULT NULL::jsonb, tenant_id uuid DEFAULT NULL::uuid, skip_unchanged boolean DEFAULT false, OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'upload()');
      SELECT r.* INTO run_id, message, series_ids, written, skipped FROM timedb_router._upload(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8, $9)) p(packed), LATERAL timedb_router._opened(p.packed) r(run_id uuid, message text, series_ids json, written bigint, skipped bigint);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._upload_arrow(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.upload_arrow;
$$;
CREATE FUNCTION timedb.upload_arrow(run_start_time timestamp with time zone, stream bytea, workflow_id text DEFAULT 'api-workflow'::text, run_finish_time timestamp with time zone DEFAULT NULL::timestamp with time zone, known_time timestamp with time zone DEFAULT NULL::timestamp with time zone, run_params jsonb DEFAULT NULL::jsonb, series_descriptions jsonb DEFAULT NULL::jsonb, skip_unchanged boolean DEFAULT false, OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'upload_arrow()');
      SELECT r.* INTO run_id, message, series_ids, written, skipped FROM timedb_router._upload_arrow(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8)) p(packed), LATERAL timedb_router._opened(p.packed) r(run_id uuid, message text, series_ids json, written bigint, skipped bigint);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._upload_points(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.upload_points;
$$;
CREATE FUNCTION timedb.upload_points(run_start_time timestamp with time zone, series_keys text[], valid_times timestamp with time zone[], point_values double precision[], valid_time_ends timestamp with time zone[] DEFAULT NULL::timestamp with time zone[], workflow_id text DEFAULT 'api-workflow'::text, run_finish_time timestamp with time zone DEFAULT NULL::timestamp with time zone, known_time timestamp with time zone DEFAULT NULL::timestamp with time zone, run_params jsonb DEFAULT NULL::jsonb, series_descriptions jsonb DEFAULT NULL::jsonb, labels jsonb[] DEFAULT NULL::jsonb[], skip_unchanged boolean DEFAULT false, OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'upload_points()');
      SELECT r.* INTO run_id, message, series_ids, written, skipped FROM timedb_router._upload_points(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)) p(packed), LATERAL timedb_router._opened(p.packed) r(run_id uuid, message text, series_ids json, written bigint, skipped bigint);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._upload_runs(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.upload_runs;
$$;
CREATE FUNCTION timedb_router.upload_runs(a1 json, a2 timestamp with time zone, a3 text, a4 timestamp with time zone, a5 timestamp with time zone, a6 jsonb, a7 jsonb, a8 boolean, OUT run_id uuid, OUT known_time timestamp with time zone, OUT workflow_id text, OUT value_count bigint, OUT skipped bigint) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'upload_runs()');
      RETURN QUERY SELECT r.* FROM timedb_router._upload_runs(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8)) p(packed), LATERAL timedb_router._opened(p.packed) r(run_id uuid, known_time timestamp with time zone, workflow_id text, value_count bigint, skipped bigint);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.upload_runs(value_rows json, run_start_time timestamp with time zone DEFAULT NULL::timestamp with time zone, workflow_id text DEFAULT 'api-workflow'::text, run_finish_time timestamp with time zone DEFAULT NULL::timestamp with time zone, known_time timestamp with time zone DEFAULT NULL::timestamp with time zone, run_params jsonb DEFAULT NULL::jsonb, series_descriptions jsonb DEFAULT NULL::jsonb, skip_unchanged boolean DEFAULT false, OUT run_id uuid, OUT known_time timestamp with time zone, OUT workflow_id text, OUT value_count bigint, OUT skipped bigint) RETURNS SETOF record LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 100
BEGIN ATOMIC
  SELECT * FROM timedb_router.upload_runs($1, $2, $3, $4, $5, $6, $7, $8);
END;

CREATE FUNCTION timedb_router._upload_runs_arrow(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.upload_runs_arrow;
$$;
CREATE FUNCTION timedb_router.upload_runs_arrow(a1 bytea, a2 timestamp with time zone, a3 text, a4 timestamp with time zone, a5 timestamp with time zone, a6 jsonb, a7 jsonb, a8 boolean, OUT run_id uuid, OUT known_time timestamp with time zone, OUT workflow_id text, OUT value_count bigint, OUT skipped bigint) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'upload_runs_arrow()');
      RETURN QUERY SELECT r.* FROM timedb_router._upload_runs_arrow(timedb_router._key(), timedb_router._packed($1, $2, $3, $4, $5, $6, $7, $8)) p(packed), LATERAL timedb_router._opened(p.packed) r(run_id uuid, known_time timestamp with time zone, workflow_id text, value_count bigint, skipped bigint);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.upload_runs_arrow(stream bytea, run_start_time timestamp with time zone DEFAULT NULL::timestamp with time zone, workflow_id text DEFAULT 'api-workflow'::text, run_finish_time timestamp with time zone DEFAULT NULL::timestamp with time zone, known_time timestamp with time zone DEFAULT NULL::timestamp with time zone, run_params jsonb DEFAULT NULL::jsonb, series_descriptions jsonb DEFAULT NULL::jsonb, skip_unchanged boolean DEFAULT false, OUT run_id uuid, OUT known_time timestamp with time zone, OUT workflow_id text, OUT value_count bigint, OUT skipped bigint) RETURNS SETOF record LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 100
BEGIN ATOMIC
  SELECT * FROM timedb_router.upload_runs_arrow($1, $2, $3, $4, $5, $6, $7, $8);
END;

CREATE FUNCTION timedb_router._withdraw_run(shown_key text, packed bytea) RETURNS SETOF bytea LANGUAGE plproxy AS $$
  CONNECT timedb_router._shard();
  TARGET timedb_shard.withdraw_run;
$$;
CREATE FUNCTION timedb_router.withdraw_run(a1 uuid, a2 text, OUT run_id uuid, OUT withdrawn_at timestamp with time zone, OUT withdrawn_by text, OUT reason text) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write(timedb_router._acting_tenant(), timedb_router._route(), 'withdraw_run()');
      SELECT r.* INTO run_id, withdrawn_at, withdrawn_by, reason FROM timedb_router._withdraw_run(timedb_router._key(), timedb_router._packed($1, $2)) p(packed), LATERAL timedb_router._opened(p.packed) r(run_id uuid, withdrawn_at timestamp with time zone, withdrawn_by text, reason text);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;
CREATE FUNCTION timedb.withdraw_run(run_id uuid, reason text DEFAULT NULL::text, OUT run_id uuid, OUT withdrawn_at timestamp with time zone, OUT withdrawn_by text, OUT reason text) RETURNS record LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
  SELECT * FROM timedb_router.withdraw_run($1, $2);
END;

