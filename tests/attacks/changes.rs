//! What has changed since, of one tenant: whatever is asked for, and however it is stored.

use postgres::Client;
use timedb_testkit::{Stage, Stored, assert_ordinary, fail_to_login, login, one, refused, run, series_of};
use uuid::Uuid;

/// Bob's series, by every way in which Alice may ask for it.
fn asked(stage: &Stage) -> Vec<String> {
    let bobs = stage.bobs.series_id;
    [
        "'2000-01-01'".to_owned(),
        "'2000-01-01', '2999-01-01'".to_owned(),
        "'2000-01-01', series_keys => '{bob,alice}'".to_owned(),
        format!("'2000-01-01', series_ids => '{{{bobs}}}', series_keys => '{{alice}}'"),
        "'2000-01-01', labels => '{}'".to_owned(),
        "'2000-01-01', max_rows => 1".to_owned(),
    ]
    .into()
}

fn names_bob(client: &mut Client, arguments: &str) -> bool {
    let sql = format!("SELECT position('bob'::bytea IN timedb.read_changes_arrow({arguments})) > 0");
    one(client, &sql)
}

#[test]
fn t71_changes_are_those_of_ones_own_tenant_in_rows_and_in_packs() {
    let stage = Stage::set("t71");
    for packed in [false, true] {
        if packed {
            for (mut client, key) in [(stage.alice(), "alice"), (stage.bob(), "bob")] {
                Stored::of(&mut client, key, 3.0);
                run(&mut client, "SELECT timedb.compact(older_than => '0')");
            }
            let packs: i64 = one(&mut stage.admin(), "SELECT count(*) FROM timedb.packs");
            assert_eq!(packs, 2, "the premise: one of each tenant");
        }
        for role in ["app", "caller"] {
            let mut client = stage.database.login(role);
            login(&mut client, &stage.alice, false);
            assert_ordinary(&mut client);
            for arguments in asked(&stage) {
                let seen = series_of(&mut client, &format!("timedb.read_changes({arguments})"));
                assert_eq!(seen, [stage.alices.series_id], "{role}: {arguments}");
                assert!(!names_bob(&mut client, &arguments), "{role}: {arguments}");
            }
            let only_bobs = format!("'2000-01-01', series_ids => '{{{}}}'", stage.bobs.series_id);
            let nobodys = format!("'2000-01-01', series_ids => '{{{}}}'", Uuid::now_v7());
            for none in [only_bobs, nobodys] {
                assert_eq!(
                    series_of(&mut client, &format!("timedb.read_changes({none})")),
                    Vec::<Uuid>::new()
                );
            }
        }
        let mut bob = stage.bob();
        assert!(names_bob(&mut bob, "'2000-01-01'"), "the premise: they are there");
    }
}

#[test]
fn t71_nobody_is_told_of_no_change_whatever_he_asks() {
    let stage = Stage::set("t71 nobody");
    let mut client = stage.alice();
    fail_to_login(&mut client, false);
    for mut client in [client, stage.app(), stage.caller()] {
        for arguments in asked(&stage).into_iter().chain(["NULL".into(), "'infinity'".into()]) {
            for function in ["read_changes", "read_changes_arrow"] {
                refused(client.execute(&format!("SELECT timedb.{function}({arguments})"), &[])).code("28000");
            }
        }
    }
    let mut evil = stage.evil();
    refused(evil.execute("SELECT timedb.read_changes('2000-01-01')", &[])).code("42501");
}
