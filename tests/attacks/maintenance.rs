//! Maintenance as a way in: an operator sees counts, acts for nobody beside, and nobody else may maintain.

use serde_json::json;
use timedb_testkit::{Stage, one, run, server_log, tenant};

use crate::support::each_refused;

/// Part of every text that Alice stores.
const HUSH: &str = "hush7391";

fn with_texts(stage: &Stage) {
    let mut alice = stage.alice();
    for value in 1..4 {
        let rows = json!([{
            "valid_time": format!("2025-01-0{value}T00:00:00Z"), "value_key": format!("key {HUSH}"),
            "labels": {"label": format!("label {HUSH}")}, "value": 7391.5,
            "annotation": format!("annotation {HUSH}"), "tags": [format!("tag {HUSH}")],
        }]);
        let sql = "SELECT timedb.upload(now(), $1, workflow_id => $2)";
        alice.execute(sql, &[&rows, &HUSH]).expect("it is taken");
    }
}

#[test]
fn t58_an_operator_who_maintains_sees_counts_and_no_value() {
    let stage = Stage::set("t58 counts");
    with_texts(&stage);
    let (mut ops, notices) = stage.connect("ops", "");
    let mut heard = Vec::new();
    for round in 0..3 {
        if round == 1 {
            // What is packed can no longer be read: an error, too, tells no text.
            run(
                &mut stage.admin(),
                r"CREATE CAST (bytea AS timedb.pack) WITHOUT FUNCTION;
                  UPDATE timedb.packs SET versions = '\xffff'::bytea::timedb.pack",
            );
            with_texts(&stage);
        }
        run(&mut ops, "CALL timedb.maintain(older_than => '0')");
        heard.extend(notices.take().into_iter().map(|(_, message)| message));
        let shown = "SELECT coalesce(string_agg(m::text, ';'), '') FROM timedb.maintenance m";
        heard.push(one(&mut ops, shown));
    }
    assert!(
        heard.iter().any(|told| told.contains("XX001")),
        "the premise: {heard:?}"
    );
    let log = server_log();
    heard.extend(stage.database.lines_of("ops", &log).into_iter().map(str::to_owned));
    assert!(
        !heard.iter().any(|told| told.contains(HUSH) || told.contains("7391.5")),
        "{heard:?}"
    );
    each_refused(
        &mut ops,
        "42501",
        [
            "values",
            "packs",
            "series",
            "runs",
            "versions",
            "current_values",
            "maintenance_log",
        ]
        .map(|relation| format!("SELECT * FROM timedb.{relation}")),
    );
}

/// What `maintain` consists of, each called by itself; `$bob` is a tenant.
const PIECES: [&str; 6] = [
    "SELECT timedb._maintain_until_operator('1 hour', '0')",
    "SELECT timedb._tenants_to_maintain_operator()",
    "SELECT timedb._begin_maintenance_operator('$bob', '0', false)",
    "SELECT timedb._maintain_share_operator('$bob', '$bob', '0')",
    "SELECT timedb._end_maintenance_operator('$bob', NULL, 0, 'XX001', 'made up')",
    "SELECT * FROM timedb._list_maintenance_operator()",
];

#[test]
fn t58_nobody_but_operators_maintains_or_sees_the_log_of_it() {
    let stage = Stage::set("t58 others");
    let bob = stage.bob.tenant_id.to_string();
    let pieces = PIECES.map(|piece| piece.replace("$bob", &bob));
    let relations = ["SELECT * FROM timedb.maintenance", "TABLE timedb.maintenance_log"];
    let admin = stage.database.authenticated(&stage.alice_of_scope("admin"));
    for mut client in [stage.app(), stage.caller(), stage.evil(), stage.alice(), admin] {
        each_refused(&mut client, "42501", pieces.iter().map(String::as_str).chain(relations));
        each_refused(&mut client, "42501", ["CALL timedb.maintain()"]);
    }
}

#[test]
fn t58_whoever_maintains_acts_for_a_tenant_within_a_call_and_not_after_it() {
    let stage = Stage::set("t58 acting");
    let bob = stage.bob.tenant_id.to_string();
    let mut ops = stage.ops();
    let sees = |ops: &mut _| -> Option<uuid::Uuid> { tenant(ops) };
    for piece in PIECES {
        let piece = piece.replace("$bob", &bob);
        run(&mut ops, &format!("BEGIN; {piece}"));
        assert_eq!(sees(&mut ops), None, "{piece}");
        run(&mut ops, "ROLLBACK");
    }
    // An error in the middle of a call ends that, too; and whoever has logged in stays who he is.
    run(
        &mut ops,
        &format!(
            "DO $$ BEGIN PERFORM timedb._maintain_share_operator('{bob}', NULL, '0'); \
             EXCEPTION WHEN OTHERS THEN NULL; END $$"
        ),
    );
    assert_eq!(sees(&mut ops), None);
    ops.execute("SELECT timedb.authenticate($1)", &[&stage.alice.api_key])
        .expect("her key");
    run(&mut ops, "CALL timedb.maintain(older_than => '0')");
    assert_eq!(sees(&mut ops), Some(stage.alice.tenant_id));
}
