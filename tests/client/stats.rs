//! `stats` and `tenant_stats`: the counts are those of the tables, each tenant's its own, and nothing but counts and times.

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, one, refused, run};
use uuid::Uuid;

use crate::support::{hour, update, upload, value_row, value_update};

/// series, runs, value_count, stored_rows.
type Counts = (i64, i64, i64, i64);

const COUNTS: &str = "series, runs, value_count, stored_rows, oldest = '2025-01-01 00:00Z', newest = '2025-01-01 05:00Z', \
                      bytes > stored_rows * 112, last_upload IS NOT NULL";

fn counts(client: &mut Client, from: &str) -> Vec<(Counts, [bool; 4])> {
    let rows = client
        .query(&format!("SELECT {COUNTS} FROM {from}"), &[])
        .expect("the stats");
    let of = |row: &postgres::Row| {
        let counts = (row.get(0), row.get(1), row.get(2), row.get(3));
        (counts, [row.get(4), row.get(5), row.get(6), row.get(7)])
    };
    rows.iter().map(of).collect()
}

/// Three runs, of which two are packed and one is updated, and a series without values.
fn fill(client: &mut Client) {
    for at in [0, 1] {
        upload(
            client,
            &json!([value_row("wind", hour(at), at), value_row("sun", hour(at), 1)]),
        );
    }
    run(
        client,
        "SELECT timedb.compact(older_than => '0'); SELECT timedb.create_series('empty')",
    );
    let last = upload(client, &json!([value_row("wind", hour(5), 1)]));
    let updates = json!([
        value_update(last.run_id, last.series("wind"), hour(5), json!({"value": 2})),
        value_update(last.run_id, last.series("wind"), hour(4), json!({"value": 2})),
    ]);
    update(client, &updates);
}

#[test]
fn stats_are_the_counts_of_the_tables_for_the_tenant_and_of_each_for_operators() {
    let database = Database::fresh("stats");
    let (alice, bob) = database.two_tenants();
    let mut alices = database.authenticated(&alice);
    fill(&mut alices);
    let mut bobs = database.authenticated(&bob);
    fill(&mut bobs);
    upload(&mut bobs, &json!([value_row("more", hour(0), 1)]));
    let stored: i64 = one(
        &mut alices,
        "SELECT (SELECT count(*) FROM timedb.values) + (SELECT count(*) FROM timedb.packs)",
    );
    let packs: i64 = one(&mut alices, "SELECT count(*) FROM timedb.packs");
    assert!(packs > 0 && stored > packs, "the premise: {packs} packs of {stored}");
    let of_alice = ((3, 3, 6, stored), [true; 4]);
    assert_eq!(counts(&mut alices, "timedb.stats()"), [of_alice]);
    let of_bob = ((4, 4, 7, stored + 1), [true; 4]);
    assert_eq!(counts(&mut bobs, "timedb.stats()"), [of_bob]);
    let mut ops = database.login("ops");
    for (tenant, of_tenant) in [(alice.tenant_id, of_alice), (bob.tenant_id, of_bob)] {
        let from = format!("timedb.tenant_stats() WHERE tenant_id = '{tenant}'");
        assert_eq!(counts(&mut ops, &from), [of_tenant]);
    }
    assert_eq!(one::<i64>(&mut ops, "SELECT count(*) FROM timedb.tenant_stats()"), 2);
    run(&mut alices, "BEGIN READ ONLY");
    assert_eq!(counts(&mut alices, "timedb.stats()"), [of_alice]);
}

#[test]
fn stats_need_a_login_and_tenant_stats_an_operator_who_still_sees_no_data() {
    let database = Database::fresh("stats refused");
    let (alice, _) = database.two_tenants();
    let mut alices = database.authenticated(&alice);
    let nothing: (i64, Option<String>) = {
        let row = alices.query_one(
            "SELECT series + runs + value_count + bytes, oldest::text FROM timedb.stats()",
            &[],
        );
        let row = row.expect("the stats of a tenant that has nothing");
        (row.get(0), row.get(1))
    };
    assert_eq!(nothing, (0, None));
    fill(&mut alices);
    refused(database.login("app").query("SELECT timedb.stats()", &[])).code("28000");
    refused(alices.query("SELECT timedb.tenant_stats()", &[])).code("42501");
    let mut ops = database.login("ops");
    let told: String = one(&mut ops, "SELECT string_agg(t::text, ' ') FROM timedb.tenant_stats() t");
    assert!(told.contains(&alice.tenant_id.to_string()), "the premise: {told}");
    assert!(
        !["wind", "sun", "alice"].iter().any(|text| told.contains(text)),
        "{told}"
    );
    // He has been nobody before and is nobody afterwards.
    assert_eq!(one::<Option<Uuid>>(&mut ops, "SELECT timedb.current_tenant()"), None);
    refused(ops.query("TABLE timedb.series", &[])).code("42501");
}
