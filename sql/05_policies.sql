-- Row-level security: every table has it, forced, so that even its owner sees nothing. This is the one place where
-- policies are made. Each names its roles (one without TO would also bind the role that answers current_tenant(), and
-- recurse), and each asks for the tenant in a sub-select, which runs once a query and keeps plans alike for all tenants.

ALTER TABLE timedb.users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.key_ends ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.role_bindings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.audit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.retention ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.series ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.series_labels ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.runs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.withdrawals ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.values ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.packs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.maintenance_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- A tenant's data: read by whoever acts for the tenant, written with scope write and through the API alone. timedb_caller
-- may select nothing, so no policy names it.
CREATE POLICY series_tenant ON timedb.series FOR SELECT TO timedb_user, timedb_api, timedb_compactor, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()));
CREATE POLICY series_write ON timedb.series FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
CREATE POLICY series_change ON timedb.series FOR UPDATE TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));

CREATE POLICY series_labels_tenant ON timedb.series_labels FOR SELECT TO timedb_api, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()));
CREATE POLICY series_labels_write ON timedb.series_labels FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));

CREATE POLICY runs_tenant ON timedb.runs FOR SELECT TO timedb_user, timedb_api, timedb_compactor, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()));
CREATE POLICY runs_write ON timedb.runs FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
CREATE POLICY runs_change ON timedb.runs FOR UPDATE TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));

CREATE POLICY withdrawals_tenant ON timedb.withdrawals FOR SELECT TO timedb_user, timedb_api, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()));
CREATE POLICY withdrawals_write ON timedb.withdrawals FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
CREATE POLICY withdrawals_change ON timedb.withdrawals FOR UPDATE TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));

CREATE POLICY values_tenant ON timedb.values FOR SELECT TO timedb_user, timedb_api, timedb_compactor, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()));
CREATE POLICY values_write ON timedb.values FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));

CREATE POLICY packs_tenant ON timedb.packs FOR SELECT TO timedb_user, timedb_api, timedb_compactor, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()));

-- compact moves versions from values into packs, and from small packs into larger ones.
CREATE POLICY values_compact ON timedb.values FOR DELETE TO timedb_compactor
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
CREATE POLICY packs_write ON timedb.packs FOR INSERT TO timedb_compactor
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));
CREATE POLICY packs_compact ON timedb.packs FOR DELETE TO timedb_compactor
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('write')));

-- Retention and erasure: with scope admin, or for an operator. What is cut is taken out and put back without what is to go.
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
CREATE POLICY retention_tenant ON timedb.retention FOR SELECT TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY retention_write ON timedb.retention FOR INSERT TO timedb_eraser
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY retention_change ON timedb.retention FOR UPDATE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY retention_end ON timedb.retention FOR DELETE TO timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));

-- A whole series, run or tenant.
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

-- A tenant's users and keys: for scope admin, and through the API alone.
CREATE POLICY users_tenant ON timedb.users FOR SELECT TO timedb_api, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY users_write ON timedb.users FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY users_change ON timedb.users FOR UPDATE TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));

CREATE POLICY api_keys_tenant ON timedb.api_keys FOR SELECT TO timedb_api, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY api_keys_write ON timedb.api_keys FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
-- Moot since 0.2.0: nobody is granted to change a key.
CREATE POLICY api_keys_change ON timedb.api_keys FOR UPDATE TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));

CREATE POLICY key_ends_tenant ON timedb.key_ends FOR SELECT TO timedb_api, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY key_ends_write ON timedb.key_ends FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));

CREATE POLICY audit_tenant ON timedb.audit FOR SELECT TO timedb_api, timedb_eraser
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY audit_write ON timedb.audit FOR INSERT TO timedb_api, timedb_eraser
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));

-- Any key may end itself, whatever its scope, and leaves that in the audit.
CREATE POLICY api_keys_own ON timedb.api_keys FOR SELECT TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND key_id = (SELECT timedb._own_key()));
CREATE POLICY key_ends_own ON timedb.key_ends FOR SELECT TO timedb_api
  USING (tenant_id = (SELECT timedb.current_tenant()) AND key_id = (SELECT timedb._own_key()));
CREATE POLICY key_ends_end ON timedb.key_ends FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND key_id = (SELECT timedb._own_key()));
CREATE POLICY audit_own ON timedb.audit FOR INSERT TO timedb_api
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND action = 'revoke_key'
              AND key_id = (SELECT timedb._own_key()));

-- authenticate sees the one row whose key is being presented, while it is being presented.
CREATE POLICY api_keys_login ON timedb.api_keys FOR SELECT TO timedb_auth
  USING (key_hash = (SELECT timedb._presented_key_hash()));

-- Operators manage the users and keys of every tenant; their data they do not see.
CREATE POLICY users_operator ON timedb.users FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
CREATE POLICY api_keys_operator ON timedb.api_keys FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
CREATE POLICY key_ends_operator ON timedb.key_ends FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
CREATE POLICY audit_operator ON timedb.audit FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
CREATE POLICY role_bindings_operator ON timedb.role_bindings FOR ALL TO timedb_operator USING (true) WITH CHECK (true);

-- What maintenance has done: written for the tenant whose turn it is, read by operators.
CREATE POLICY maintenance_log_maintain ON timedb.maintenance_log FOR ALL TO timedb_compactor
  USING (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')))
  WITH CHECK (tenant_id = (SELECT timedb.current_tenant()) AND (SELECT timedb._may('admin')));
CREATE POLICY maintenance_log_operator ON timedb.maintenance_log FOR ALL TO timedb_operator USING (true) WITH CHECK (true);
