-- Maintenance: one call of an operator goes through all tenants, a share of the work of one in each transaction. It answers
-- and logs counts, never a value, a key or a text of a tenant's.

CREATE FUNCTION timedb._maintain_until_operator(budget interval, older_than interval) RETURNS timestamptz
  AS 'MODULE_PATHNAME', '_maintain_until_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._maintain_until_operator(interval, interval) IS
  'When a call of maintain with such a budget ends. 25006 where nothing can be written.';

CREATE FUNCTION timedb._tenants_to_maintain_operator() RETURNS uuid[]
  AS 'MODULE_PATHNAME', '_tenants_to_maintain_operator_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._tenants_to_maintain_operator() IS
  'All tenants that have stored anything, in an order by chance, so that each has its turn however small the budget.';

CREATE FUNCTION timedb._begin_maintenance_operator(tenant_id uuid, older_than interval, is_removing boolean)
  RETURNS uuid
  AS 'MODULE_PATHNAME', '_begin_maintenance_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._begin_maintenance_operator(uuid, interval, boolean) IS
  'Begins a row of the log of a tenant''s maintenance and answers its id; null where there is nothing to do, and nothing is removed.';

CREATE FUNCTION timedb._maintain_share_operator(tenant_id uuid, maintenance_id uuid, older_than interval) RETURNS boolean
  AS 'MODULE_PATHNAME', '_maintain_share_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._maintain_share_operator(uuid, uuid, interval) IS
  'A share of the work of a tenant''s maintenance; answers whether some remains. 55P03 while another transaction holds the tenant''s packing.';

CREATE FUNCTION timedb._end_maintenance_operator(
  tenant_id uuid, maintenance_id uuid, versions_removed bigint, error_code text, error_message text
)  RETURNS void
  AS 'MODULE_PATHNAME', '_end_maintenance_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._end_maintenance_operator(uuid, uuid, bigint, text, text) IS
  'Ends the row of the log of a tenant''s maintenance, or makes one where it could not begin.';

CREATE FUNCTION timedb._list_maintenance_operator() RETURNS SETOF timedb.maintenance_log
  LANGUAGE sql STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET debug_print_plan = off SET plan_cache_mode = auto AS $$
  SELECT * FROM timedb.maintenance_log m ORDER BY m.started_at DESC, m.tenant_id
$$;
COMMENT ON FUNCTION timedb._list_maintenance_operator() IS 'What the view maintenance shows.';

CREATE VIEW timedb.maintenance WITH (security_invoker = true) AS
  SELECT m.tenant_id, m.started_at, m.finished_at, m.rows_before, m.rows_after, m.bytes_before, m.bytes_after,
         m.versions_removed, m.orphans, m.error
  FROM timedb._list_maintenance_operator() m;
COMMENT ON VIEW timedb.maintenance IS
  'What maintain has done, newest first: a row for each tenant that had something to do, without finished_at while it goes on; errors too. For operators; of the last 90 days.';

-- Whoever calls it is who runs it, and only so may it commit: every name is qualified, as his search_path is his own.
CREATE PROCEDURE timedb.maintain(budget interval DEFAULT '1 hour', older_than interval DEFAULT '1 day')
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
