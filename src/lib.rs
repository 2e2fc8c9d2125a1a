//! timedb: revised time series in PostgreSQL, packed, versioned and isolated by tenant.
//!
//! A table of contents. The SQL surface is written by hand in `sql/`; the folders below are its bodies, and each uses those
//! before it alone: `pg ← identity ← {manage, store, types} ← verbs`. What needs no Postgres lives in the crate
//! `timedb-core`.

mod error;
mod identity;
#[cfg(feature = "in_backend_tests")]
mod in_backend_tests;
mod manage;
mod pg;
mod store;
mod types;
mod verbs;

::pgrx::pg_module_magic!(name, version);

// The install script, in the order of the files' names.
::pgrx::extension_sql_file!("../sql/01_schema.sql", name = "schema", bootstrap);
::pgrx::extension_sql_file!("../sql/02_points.sql", name = "points", requires = ["schema"]);
::pgrx::extension_sql_file!("../sql/03_session.sql", name = "session", requires = ["points"]);
::pgrx::extension_sql_file!("../sql/04_tables.sql", name = "tables", requires = ["session"]);
::pgrx::extension_sql_file!("../sql/05_policies.sql", name = "policies", requires = ["tables"]);
::pgrx::extension_sql_file!("../sql/06_manage.sql", name = "manage", requires = ["policies"]);
::pgrx::extension_sql_file!("../sql/07_data.sql", name = "data", requires = ["manage"]);
::pgrx::extension_sql_file!("../sql/08_read.sql", name = "read", requires = ["data"]);
::pgrx::extension_sql_file!("../sql/09_series.sql", name = "series", requires = ["read"]);
::pgrx::extension_sql_file!("../sql/10_asked.sql", name = "asked", requires = ["series"]);
::pgrx::extension_sql_file!("../sql/11_changes.sql", name = "changes", requires = ["asked"]);
::pgrx::extension_sql_file!(
    "../sql/12_taking_back.sql",
    name = "taking_back",
    requires = ["changes"]
);
::pgrx::extension_sql_file!("../sql/13_erasing.sql", name = "erasing", requires = ["taking_back"]);
::pgrx::extension_sql_file!("../sql/14_retention.sql", name = "retention", requires = ["erasing"]);
::pgrx::extension_sql_file!(
    "../sql/15_maintenance.sql",
    name = "maintenance",
    requires = ["retention"]
);
::pgrx::extension_sql_file!("../sql/16_stats.sql", name = "stats", requires = ["maintenance"]);
::pgrx::extension_sql_file!("../sql/17_self_check.sql", name = "self_check", requires = ["stats"]);
::pgrx::extension_sql_file!("../sql/18_owners.sql", name = "owners", requires = ["self_check"]);
::pgrx::extension_sql_file!("../sql/19_grants.sql", name = "grants", requires = ["owners"], finalize);

#[::pgrx::pg_guard]
extern "C-unwind" fn _PG_init() {
    pg::heap::keep_some();
    // Before what reserves the prefix of the settings.
    pg::node::define();
    pg::node::install(&verbs::SCANNED);
    identity::define();
}
