//! The SQL of an operation.

use proptest::sample::Index;

use super::model::{Model, Who, letter};
use super::operation::{
    Boundary, Cursor, FORGERIES, Isolation, Key, Look, Manage, Operation, ROLES, Setting, Tenant, Way, Write,
};
use super::world::{World, value_of};
use crate::streams;

/// That of an operation which is one message.
pub fn of(operation: &Operation, world: &World, model: &Model) -> String {
    match *operation {
        Operation::PreRequest { key, way } => pre_request(key, way, world),
        Operation::Logout => "SELECT timedb.logout()".into(),
        Operation::Boundary(boundary) => of_boundary(boundary, model),
        Operation::Setting(setting) => of_setting(setting, world),
        Operation::Look(look) => of_look(look, world),
        Operation::Tamper(kind, table) => tampering(kind, table, world),
        Operation::Write(write) => writing(write, world, model),
        Operation::Manage(manage) => managing(manage, world),
        Operation::Login { .. } | Operation::Control(_) => {
            unreachable!("{operation:?} has its own way")
        }
    }
}

fn pre_request(key: Key, way: Way, world: &World) -> String {
    let key = text_of(key, world);
    let headers = key.map_or(String::new(), |key| format!("{{\"x-api-key\": \"{key}\"}}"));
    let function = match way {
        Way::Caught => "attack.pre_request_caught",
        Way::Undone => "attack.pre_request_undone",
        _ => "timedb.pre_request",
    };
    format!("SELECT FROM set_config('request.headers', '{headers}', true); SELECT {function}()")
}

/// The first statement takes the transaction's snapshot; so that one knows when, it follows at once.
fn of_boundary(boundary: Boundary, model: &Model) -> String {
    match boundary {
        Boundary::Begin { .. } if model.transaction.is_some() => "BEGIN".into(),
        Boundary::Begin { isolation, read_only } => {
            let level = match isolation {
                Isolation::ReadCommitted => "READ COMMITTED",
                Isolation::RepeatableRead => "REPEATABLE READ",
                Isolation::Serializable => "SERIALIZABLE",
            };
            let mode = if read_only { ", READ ONLY" } else { "" };
            format!("BEGIN ISOLATION LEVEL {level}{mode}; SELECT")
        }
        Boundary::Savepoint(name) => format!("SAVEPOINT s{name}"),
        Boundary::RollbackTo(name) => format!("ROLLBACK TO s{name}"),
        Boundary::Release(name) => format!("RELEASE s{name}"),
        Boundary::Commit { chain } => format!("COMMIT{}", and_chain(chain, model)),
        Boundary::Rollback { chain } => format!("ROLLBACK{}", and_chain(chain, model)),
        Boundary::Fail => "SELECT 1 / 0".into(),
    }
}

fn of_setting(setting: Setting, world: &World) -> String {
    let in_do = |statement: &str, exception: &str| format!("DO $$ BEGIN EXECUTE '{statement}'; {exception} END $$");
    match setting {
        Setting::ResetAll { in_block: false } => "RESET ALL".into(),
        Setting::ResetAll { in_block: true } => in_do("RESET ALL", ""),
        Setting::DiscardAll { in_block: false } => "DISCARD ALL".into(),
        Setting::DiscardAll { in_block: true } => {
            in_do("DISCARD ALL", "EXCEPTION WHEN active_sql_transaction THEN NULL;")
        }
        Setting::DiscardTemp => "DISCARD TEMP".into(),
        Setting::Forge(which, tenant) => forgery(which, tenant, world),
        Setting::Key { key, is_local } => {
            let scope = if is_local { "LOCAL " } else { "" };
            let text = text_of(key, world).unwrap_or_default();
            format!("SET {scope}timedb.api_key = '{text}'")
        }
        Setting::ResetKey => "RESET timedb.api_key".into(),
        Setting::Serve { on, is_local } => {
            let method = if on { "GET" } else { "" };
            format!("SELECT FROM set_config('request.method', '{method}', {is_local})")
        }
        Setting::Role(which) => ROLE_STATEMENTS[which]
            .replace("timedb_user", world.role.group())
            .replace(" app", &format!(" {}", world.role.name())),
        Setting::Plan(which) => plan(which),
    }
}

fn of_look(look: Look, world: &World) -> String {
    let owner = world.owner("tenant_id");
    match look {
        Look::Deallocate => "DEALLOCATE ALL".into(),
        Look::Declare(cursor) => {
            let hold = match cursor {
                Cursor::Plain => "WITHOUT",
                Cursor::Held => "WITH",
            };
            format!("DECLARE {cursor:?} SCROLL CURSOR {hold} HOLD FOR SELECT DISTINCT {owner} FROM timedb.values")
        }
        Look::Fetch(cursor) => format!("MOVE ABSOLUTE 0 IN {cursor:?}; FETCH ALL FROM {cursor:?}"),
        Look::Close(cursor) => format!("CLOSE {cursor:?}"),
        Look::Keep => "CREATE TEMP TABLE kept AS SELECT tenant_id FROM timedb.series; \
                       GRANT SELECT ON kept TO PUBLIC"
            .into(),
        Look::Kept => {
            format!("SELECT coalesce(string_agg(DISTINCT {owner}, ','), '') FROM pg_temp.kept")
        }
        Look::Execute(_) | Look::CopyQuery(_) | Look::CopyTable(_) => {
            unreachable!("{look:?} has its own way")
        }
    }
}

fn managing(manage: Manage, world: &World) -> String {
    match manage {
        Manage::Revoke(index) => {
            let key = &world.keys[index.index(world.keys.len())];
            format!("SELECT FROM timedb.revoke_key('{}')", key.id)
        }
        Manage::Deactivate(user) => format!(
            "SELECT FROM timedb.deactivate_user(user_id => '{}')",
            world.users[user].user_id
        ),
    }
}

/// Postgres does not always know any more what a transaction was like that has failed, so the next one is told. Its
/// snapshot is taken at once, as by BEGIN.
fn and_chain(chain: bool, model: &Model) -> &'static str {
    match (chain, model.is_aborted()) {
        (false, _) => "",
        (true, false) => " AND CHAIN; SELECT",
        (true, true) => " AND CHAIN; SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
    }
}

/// First those that are allowed.
const ROLE_STATEMENTS: [&str; ROLES] = [
    "SET ROLE timedb_user",
    "SET ROLE NONE",
    "SET SESSION AUTHORIZATION app",
    "SET SESSION AUTHORIZATION ops",
    "SET ROLE timedb_api",
    "SET ROLE timedb_compactor",
    "SET ROLE timedb_eraser",
];

/// Parallel plans are forced by a setting that was renamed in 16.
fn plan(which: usize) -> String {
    let parallel = |on: &str| {
        format!(
            "SELECT FROM pg_settings s, set_config(s.name, '{on}', false) \
             WHERE s.name IN ('force_parallel_mode', 'debug_parallel_query'); \
             SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0"
        )
    };
    match which {
        0 => "SET plan_cache_mode = force_generic_plan".into(),
        1 => "SET plan_cache_mode = force_custom_plan".into(),
        2 => "SET plan_cache_mode = auto".into(),
        3 => parallel("on"),
        4 => parallel("off"),
        5 => "SET timedb.enable_scan = off".into(),
        _ => "SET timedb.enable_scan = on".into(),
    }
}

/// Each tries to set who is logged in.
fn forgery(which: usize, tenant: Tenant, world: &World) -> String {
    let id = world.tenants[tenant as usize];
    let key = world.keys[0].id;
    let statements: [String; FORGERIES] = [
        format!("SET timedb.tenant = '{id}'"),
        format!("SET LOCAL timedb.tenant = '{id}'"),
        format!("SELECT set_config('timedb.tenant', '{id}', false)"),
        "RESET timedb.tenant".into(),
        format!("SET timedb.login = '{key} admin 999999'"),
        "SET timedb.tenant = ''".into(),
    ];
    statements[which].clone()
}

/// A direct write, or a look at what only operators see.
fn tampering(kind: Index, table: Index, world: &World) -> String {
    let table = *table.get(&[
        "series",
        "runs",
        "values",
        "packs",
        "users",
        "api_keys",
        "key_ends",
        "role_bindings",
        "audit",
    ]);
    // Ends have no key to conflict with.
    let keyed = if table == "key_ends" { "api_keys" } else { table };
    let b = world.tenants[1];
    let kinds = [
        format!("INSERT INTO timedb.{table} SELECT * FROM timedb.{table}"),
        format!("INSERT INTO timedb.{table} (tenant_id) VALUES ('{b}') ON CONFLICT DO NOTHING"),
        format!(
            "INSERT INTO timedb.{keyed} (tenant_id) VALUES ('{b}') \
             ON CONFLICT ON CONSTRAINT {keyed}_pkey DO UPDATE SET tenant_id = excluded.tenant_id"
        ),
        format!("UPDATE timedb.{table} SET tenant_id = '{b}'"),
        format!("DELETE FROM timedb.{table}"),
        format!(
            "MERGE INTO timedb.{table} t USING (VALUES ('{b}'::uuid)) s (id) ON t.tenant_id = s.id \
             WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (tenant_id) VALUES (s.id)"
        ),
        format!("TRUNCATE timedb.{table}"),
        format!("LOCK TABLE timedb.{table} IN ACCESS EXCLUSIVE MODE"),
        format!("SELECT 1 FROM timedb.{table} FOR UPDATE"),
        format!("COPY timedb.{table} FROM STDIN"),
        "SELECT key_hash FROM timedb.api_keys".into(),
        "TABLE timedb.users".into(),
        "SELECT timedb._pack_of_bytes('')".into(),
    ];
    kind.get(&kinds).clone()
}

/// Everything that is made has a number in its name, and its tenant's letter.
fn writing(write: Write, world: &World, model: &Model) -> String {
    let (letter, value) = match model.who() {
        Who::Acting { tenant, .. } => (letter(tenant), value_of(tenant, model.made)),
        _ => ("x", 0),
    };
    let number = model.made;
    let time = format!("\"valid_time\": \"2025-01-02T00:00:00.{number:06}Z\"");
    let target = |tenant: Tenant| &world.targets[tenant as usize];
    match write {
        Write::Upload => format!(
            "SELECT FROM timedb.upload(now(), '[{{{time}, \"value_key\": \"{letter}_{number}\", \"value\": {value}}}]')"
        ),
        Write::CreateSeries => format!("SELECT FROM timedb.create_series('{letter}_{number}')"),
        Write::UploadTo(tenant) => format!(
            "SELECT FROM timedb.upload(now(), '[{{{time}, \"series_id\": \"{}\", \"value\": {value}}}]')",
            target(tenant).series
        ),
        Write::Update(tenant) => {
            let target = target(tenant);
            let value = format!(
                "\"run_id\": \"{}\", \"series_id\": \"{}\", \"valid_time\": \"2025-01-01T00:00:00Z\"",
                target.run, target.series
            );
            // Of two elements that name one value comes one version.
            format!(
                "SELECT FROM timedb.update('[{{{value}, \"annotation\": \"{number}\"}}, \
                                            {{{value}, \"tags\": [\"{number}\"]}}]')"
            )
        }
        Write::UploadArrow => upload_arrow(&streams::of_key(&format!("{letter}_{number}")), value, number),
        Write::UploadArrowTo(tenant) => upload_arrow(&streams::of_id(target(tenant).series), value, number),
        Write::Compact(of) => {
            let ids = of.map_or("NULL".to_owned(), |tenant| format!("'{{{}}}'", target(tenant).series));
            // What has just been written, too.
            format!("SELECT FROM timedb.compact({ids}, '-1 hour')")
        }
    }
}

fn upload_arrow(stream: &[u8], value: usize, number: usize) -> String {
    let stream = streams::moved(stream, value as f64, number as i64);
    format!("SELECT FROM timedb.upload_arrow(now(), {})", streams::literal(&stream))
}

pub fn text_of(key: Key, world: &World) -> Option<String> {
    match key {
        Key::Made(index) => Some(world.keys[index.index(world.keys.len())].text.clone()),
        Key::Unknown => Some(world.unknown_key.clone()),
        Key::Malformed => Some("tdb_bad".into()),
        Key::Null => None,
    }
}

pub fn quoted(text: Option<&str>) -> String {
    text.map_or("NULL".into(), |text| format!("'{text}'"))
}
