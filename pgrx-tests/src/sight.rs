//! What a session sees of tables, views and functions, and that nobody sees nothing.

use postgres::Client;
use uuid::Uuid;

use crate::login::tenant;
use crate::query::one;
use crate::refusal::{KEY_NEEDED, KEY_REFUSED, refused};

/// Every table and view of a tenant's values: policies empty them.
pub const RELATIONS: [&str; 6] = ["series", "runs", "values", "packs", "current_values", "versions"];

/// The settings that lists show, in their order: none of them tells of anybody.
pub const SHOWN_SETTINGS: [&str; 9] = [
    "timedb.enable_scan",
    "timedb.log_logins",
    "timedb.max_read_rows",
    "timedb.max_read_values",
    "timedb.max_tenant_series",
    "timedb.max_tenant_size",
    "timedb.max_updates",
    "timedb.max_upload_rows",
    "timedb.max_upload_series",
];

/// A call of every kind that needs somebody.
const CALLS: [&str; 12] = [
    "read()",
    "read_arrow()",
    "read_arrow_batches()",
    "list_series()",
    "settled_time()",
    "read_changes('2000-01-01')",
    "upload(now(), '[]')",
    "upload_points(now(), '{}', '{}', '{}')",
    "upload_arrow(now(), '')",
    "update('[]')",
    "compact()",
    "list_keys()",
];

/// On a router tenants have no tables or views: functions show all that there is, and refuse whoever is nobody.
fn is_on_router(client: &mut Client) -> bool {
    one(
        client,
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'timedb_router')",
    )
}

/// The series that any table or view shows.
#[track_caller]
pub fn seen(client: &mut Client) -> Vec<Uuid> {
    if is_on_router(client) {
        return match tenant(client) {
            Some(_) => series_of(client, "timedb.read() UNION SELECT series_id FROM timedb.list_series()"),
            None => Vec::new(),
        };
    }
    series_of(
        client,
        "timedb.series UNION SELECT series_id FROM timedb.values \
         UNION SELECT series_id FROM timedb.packs UNION SELECT series_id FROM timedb.current_values \
         UNION SELECT series_id FROM timedb.versions",
    )
}

/// The series that these show, each once.
#[track_caller]
pub fn series_of(client: &mut Client, from: &str) -> Vec<Uuid> {
    let sql = format!("SELECT coalesce(array_agg(series_id), '{{}}') FROM (SELECT series_id FROM {from}) s");
    let mut series: Vec<Uuid> = one(client, &sql);
    series.sort_unstable();
    series.dedup();
    series
}

/// Which relations show a row, and whether the function does that says who one is. Also where a transaction is open: no statement here fails.
#[track_caller]
pub fn shown(client: &mut Client) -> Vec<&'static str> {
    let shows_rows = |client: &mut Client, relation: &str| -> bool {
        one(client, &format!("SELECT EXISTS (SELECT FROM timedb.{relation})"))
    };
    let relations = if is_on_router(client) { &[][..] } else { &RELATIONS };
    let shown = relations.iter().copied().chain(["whoami()"]);
    shown.filter(|relation| shows_rows(client, relation)).collect()
}

/// No tenant, no row in any table or view.
#[track_caller]
pub fn assert_sees_nothing(client: &mut Client) {
    assert_eq!(tenant(client), None);
    assert_eq!(shown(client), Vec::<&str>::new());
}

/// Nobody: sees nothing, and functions ask for a key.
#[track_caller]
pub fn assert_nobody(client: &mut Client) {
    assert_sees_nothing(client);
    assert_functions_refuse(client, KEY_NEEDED);
}

/// A session whose key has ended, or was never good: as nobody, but told so.
#[track_caller]
pub fn assert_key_refused(client: &mut Client) {
    assert_sees_nothing(client);
    assert_functions_refuse(client, KEY_REFUSED);
}

#[track_caller]
pub fn assert_functions_refuse(client: &mut Client, message: &str) {
    for call in CALLS {
        let mut attempt = client.transaction().expect("a transaction");
        refused(attempt.batch_execute(&format!("SELECT * FROM timedb.{call}")))
            .code("28000")
            .message(message)
            .no_detail();
    }
}
