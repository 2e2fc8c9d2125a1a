//! `erase_run`, `erase_series` and `erase_tenant`: what is erased is nowhere any more, what is not stays as it was, and nobody is
//! waited for.

mod tenant;

use std::collections::BTreeMap;

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, Identity, Notices, one, one_of, refused, run};
use uuid::Uuid;

use crate::support::{hour, update, upload, value_row, value_update};

/// What a call answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Erased {
    versions: i64,
    values: i64,
    remaining: i64,
}

fn try_erase(client: &mut Client, function: &str, id: Uuid) -> Result<Erased, postgres::Error> {
    let row = client.query_one(&format!("SELECT * FROM timedb.{function}($1)"), &[&id])?;
    Ok(Erased {
        versions: row.get("versions"),
        values: row.get("value_count"),
        remaining: row.get("remaining"),
    })
}

#[track_caller]
fn erase(client: &mut Client, function: &str, id: Uuid) -> Erased {
    try_erase(client, function, id).unwrap_or_else(|error| panic!("{function} fails: {error:?}"))
}

/// Every version of every run, as a read shows it.
const EVERY: &str = "timedb.read(mode => 'overlapping', all_versions => true)";

/// All of them but those that are to go.
fn versions(client: &mut Client, but: &str) -> Vec<String> {
    let sql = format!("SELECT r::text FROM {EVERY} AS r WHERE {but}");
    let rows = client.query(&sql, &[]).expect("it reads");
    rows.iter().map(|row| row.get(0)).collect()
}

/// How many values each run has, as it says, and as a read of every run shows.
fn counts(client: &mut Client) -> (BTreeMap<Uuid, i64>, BTreeMap<Uuid, i64>) {
    let mut of = |sql: &str| -> BTreeMap<Uuid, i64> {
        let rows = client.query(sql, &[]).expect("it counts");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let shown = "SELECT r.run_id, count(v.run_id) FROM timedb.runs r \
                 LEFT JOIN timedb.read(mode => 'overlapping') v ON v.run_id = r.run_id GROUP BY r.run_id";
    (
        of("SELECT run_id, value_count FROM timedb.list_runs(max_rows => 10000)"),
        of(shown),
    )
}

#[track_caller]
fn assert_counted(client: &mut Client) {
    let (said, shown) = counts(client);
    assert!(!said.is_empty());
    let wrong: Vec<_> = said
        .iter()
        .filter(|(run, values)| shown.get(run) != Some(values))
        .collect();
    assert!(wrong.is_empty() && said.len() == shown.len(), "{wrong:?}");
}

/// A tenant with an admin key, and runs of two series: some packed, some packed and updated since, some not packed.
struct Filled {
    database: Database,
    admin: Identity,
    client: Client,
    runs: Vec<Uuid>,
    heat: Uuid,
    wind: Uuid,
}

impl Filled {
    fn of(name: &str) -> Filled {
        let database = Database::fresh(name);
        let (alice, _) = database.two_tenants();
        let admin = database.create_user(alice.tenant_id, "admin@tenant-a.com", "admin");
        let mut client = database.authenticated(&admin);
        let both = |at: i64, value: f64| {
            json!([
                value_row("heat", hour(at), value),
                value_row("heat", hour(at + 1), value),
                value_row("wind", hour(at), -value)
            ])
        };
        let mut runs = Vec::new();
        let (mut heat, mut wind) = (Uuid::nil(), Uuid::nil());
        for number in 0..4 {
            let uploaded = upload(&mut client, &both(number, number as f64));
            (heat, wind) = (uploaded.series("heat"), uploaded.series("wind"));
            runs.push(uploaded.run_id);
            update(
                &mut client,
                &json!([value_update(
                    uploaded.run_id,
                    heat,
                    hour(number),
                    json!({"value": 10 + number, "tags": ["seen"]})
                )]),
            );
        }
        run(&mut client, "SELECT timedb.compact(older_than => '0')");
        for (number, run) in runs.iter().enumerate().take(3) {
            let at = number as i64;
            // One value that it had, and one more.
            update(
                &mut client,
                &json!([
                    value_update(*run, heat, hour(at + 1), json!({"annotation": "late"})),
                    value_update(*run, wind, hour(100 + at), json!({"value": 1}))
                ]),
            );
        }
        runs.push(upload(&mut client, &both(2, 5.0)).run_id);
        let filled = Filled {
            database,
            admin,
            client,
            runs,
            heat,
            wind,
        };
        filled.with_premise()
    }

    fn with_premise(mut self) -> Filled {
        let rows: i64 = one(&mut self.client, "SELECT count(*) FROM timedb.values");
        let packs: i64 = one(&mut self.client, "SELECT count(*) FROM timedb.packs");
        assert!(rows > 3 && packs > 1, "the premise: rows {rows}, packs {packs}");
        assert_counted(&mut self.client);
        self
    }

    /// In rows, packs and lists of rows, as a superuser finds them.
    fn places_of(&self, what: &str, id: Uuid) -> i64 {
        let sql = format!(
            "SELECT (SELECT count(*) FROM timedb.values WHERE {what} = $1) \
                  + (SELECT count(*) FROM timedb.runs WHERE to_jsonb(runs)->>'{what}' = $1::text) \
                  + (SELECT count(*) FROM timedb.runs WHERE position(uuid_send($1) in listed) > 0) \
                  + (SELECT count(*) FROM timedb.packs WHERE to_jsonb(packs)->>'{what}' = $1::text \
                                                             OR position(uuid_send($1) in timedb.pack_send(versions)) > 0) \
                  + (SELECT count(*) FROM timedb.packs p, timedb.unnest_pack(p.versions) AS u \
                     WHERE to_jsonb(u)->>'{what}' = $1::text) \
                  + (SELECT count(*) FROM timedb.series WHERE to_jsonb(series)->>'{what}' = $1::text) \
                  + (SELECT count(*) FROM timedb.withdrawals WHERE to_jsonb(withdrawals)->>'{what}' = $1::text) \
                  + (SELECT count(*) FROM timedb.series_labels WHERE to_jsonb(series_labels)->>'{what}' = $1::text)"
        );
        one_of(&mut self.database.admin(), &sql, &[&id])
    }
}

#[test]
fn an_erased_run_is_in_no_row_and_no_pack_and_every_other_is_as_it_was() {
    let mut filled = Filled::of("erase run");
    for number in [1, 3, 4, 0] {
        let run = filled.runs[number];
        let client = &mut filled.client;
        let was_withdrawn = format!("SELECT timedb.withdraw_run('{run}'), timedb.restore_run('{run}')");
        timedb_testkit::run(client, &was_withdrawn);
        let of_it = versions(client, &format!("run_id = '{run}'"));
        let others = versions(client, &format!("run_id <> '{run}'"));
        assert!(of_it.len() > 2, "the premise: {of_it:?}");
        let erased = erase(client, "erase_run", run);
        assert_eq!((erased.values, erased.remaining), (of_it.len() as i64, 0), "{number}");
        assert_eq!(versions(client, "true"), others);
        assert_counted(client);
        refused(try_erase(client, "erase_run", run))
            .code("42704")
            .message(&format!("run \"{run}\" does not exist"));
        assert_eq!(filled.places_of("run_id", run), 0);
    }
    // What is cut goes on as any pack does.
    let client = &mut filled.client;
    let left = versions(client, "true");
    run(client, "SELECT timedb.compact(older_than => '0')");
    assert_eq!(versions(client, "true"), left);
    let changed: i64 = one(client, "SELECT count(*) FROM timedb.read_changes('2000-01-01')");
    assert_eq!(changed, left.len() as i64);
}

#[test]
fn a_run_of_an_upload_with_remarks_and_of_many_runs_is_erased_too() {
    let mut filled = Filled::of("erase run remarks");
    let client = &mut filled.client;
    let mut remarked = value_row("heat", hour(7), 7);
    remarked["annotation"] = json!("said with the upload");
    let with_remark = upload(client, &json!([remarked, value_row("wind", hour(7), 7)])).run_id;
    let known = |at: i64| {
        let mut row = value_row("wind", hour(at), 3);
        row["known_time"] = json!(hour(at).to_string());
        row
    };
    let rows = json!([known(1), known(2), known(3)]);
    let several = client
        .query("SELECT run_id FROM timedb.upload_runs($1)", &[&rows])
        .expect("it uploads");
    for packed in [false, true] {
        let id = if packed { several[1].get(0) } else { with_remark };
        if packed {
            run(client, "SELECT timedb.compact(older_than => '0')");
        }
        let others = versions(client, &format!("run_id <> '{id}'"));
        let erased = erase(client, "erase_run", id);
        assert_eq!((erased.values, erased.remaining), (if packed { 1 } else { 2 }, 0));
        assert_eq!(versions(client, "true"), others);
    }
    assert_eq!(filled.places_of("run_id", with_remark), 0);
    assert_eq!(filled.places_of("run_id", several[1].get(0)), 0);
}

#[test]
fn an_erased_series_is_nowhere_and_its_runs_count_and_list_what_they_still_have() {
    let mut filled = Filled::of("erase series");
    for id in [filled.heat, filled.wind] {
        let client = &mut filled.client;
        let of_it = versions(client, &format!("series_id = '{id}'"));
        let others = versions(client, &format!("series_id <> '{id}'"));
        assert!(of_it.len() > 6, "the premise: {of_it:?}");
        let erased = erase(client, "erase_series", id);
        assert_eq!((erased.values, erased.remaining), (of_it.len() as i64, 0));
        assert_eq!(versions(client, "true"), others);
        assert_counted(client);
        let changed: i64 = one(client, "SELECT count(*) FROM timedb.read_changes('2000-01-01')");
        assert_eq!(changed, others.len() as i64);
        refused(try_erase(client, "erase_series", id))
            .code("42704")
            .message(&format!("series \"{id}\" does not exist"));
        assert_eq!(filled.places_of("series_id", id), 0);
    }
    let runs: i64 = one(
        &mut filled.client,
        "SELECT count(*) FROM timedb.list_runs() WHERE value_count = 0",
    );
    assert_eq!(runs, 5);
    // Its key is free again, for a series of its own.
    let again = upload(&mut filled.client, &json!([value_row("heat", hour(0), 1)])).series("heat");
    assert_ne!(again, filled.heat);
}

#[test]
fn a_series_with_labels_goes_with_all_the_labels_that_it_ever_had() {
    let mut filled = Filled::of("erase series labels");
    let client = &mut filled.client;
    let labelled: Uuid = one(
        client,
        r#"SELECT timedb.create_series('heat', labels => '{"site": "north", "height": 80}')"#,
    );
    run(
        client,
        &format!(r#"SELECT timedb.update_series('{labelled}', labels => '{{"site": "south"}}')"#),
    );
    assert!(filled.places_of("series_id", labelled) > 2, "the premise");
    assert_eq!(erase(&mut filled.client, "erase_series", labelled), Erased::default());
    assert_eq!(filled.places_of("series_id", labelled), 0);
}

/// A share is bounded: more runs than one takes on.
#[test]
fn a_large_series_goes_a_share_at_a_time_and_the_counts_hold_after_each() {
    let mut filled = Filled::of("erase series shares");
    let client = &mut filled.client;
    let runs = "SELECT count(u.message) FROM generate_series(1, 2500) AS n, timedb.upload_points( \
                  now(), '{heat,heat,wind}', ARRAY['2025-02-01'::timestamptz + n * interval '1 minute', \
                  '2025-03-01'::timestamptz + n * interval '1 minute', '2025-02-01'], ARRAY[n, n, n]) AS u";
    assert_eq!(one::<i64>(client, runs), 2500);
    let others = versions(client, &format!("series_id <> '{}'", filled.heat));
    let first = erase(client, "erase_series", filled.heat);
    assert!(first.remaining > 0 && first.versions > 0, "{first:?}");
    assert_eq!(
        versions(client, "true"),
        others,
        "no read shows it from the first call on"
    );
    let counted = "SELECT sum(r.value_count)::int8, (SELECT sum(timedb.count_points(v.points))::int8 FROM timedb.values v), \
                          (SELECT sum(p.point_count)::int8 FROM timedb.packs p) FROM timedb.runs r";
    let row = client.query_one(counted, &[]).expect("it counts");
    let (said, stored): (i64, i64) = (
        row.get(0),
        row.get::<_, i64>(1) + row.get::<_, Option<i64>>(2).unwrap_or(0),
    );
    // Updates have written some values twice.
    assert!((stored - 7..=stored).contains(&said), "{said} of {stored}");
    while erase(client, "erase_series", filled.heat).remaining > 0 {}
    assert_counted(client);
    assert_eq!(versions(client, "true"), others);
    assert_eq!(filled.places_of("series_id", filled.heat), 0);
}

/// What another transaction holds remains; a call that waited would fail.
#[test]
fn what_an_open_transaction_holds_remains_and_is_not_waited_for() {
    let filled = Filled::of("erase held");
    let (mut client, notices) = notices_of(&filled);
    let mut writer = filled.database.authenticated(&filled.admin);
    let run_id = filled.runs[1];
    let note = json!([value_update(
        run_id,
        filled.heat,
        hour(1),
        json!({"annotation": "open"})
    )]);
    run(&mut writer, "BEGIN");
    update(&mut writer, &note);
    let held = erase(&mut client, "erase_run", run_id);
    assert_eq!(
        held,
        Erased {
            remaining: 1,
            ..Erased::default()
        }
    );
    let said = notices.take();
    assert!(
        said.iter()
            .any(|(_, message)| message.contains("another transaction holds")),
        "{said:?}"
    );
    // Of the series all goes but for what is of that run.
    let of_series = erase(&mut client, "erase_series", filled.heat);
    assert!(of_series.versions > 0 && of_series.remaining > 0, "{of_series:?}");
    run(&mut writer, "COMMIT");
    assert_eq!(erase(&mut client, "erase_series", filled.heat).remaining, 0);
    assert_eq!(erase(&mut client, "erase_run", run_id).remaining, 0);
    assert_eq!(filled.places_of("series_id", filled.heat), 0);
    assert_counted(&mut client);
    for (open, what, id) in [
        (
            "SELECT timedb.compact(older_than => '0')".to_owned(),
            "erase_run",
            filled.runs[0],
        ),
        (
            format!("SELECT timedb.update_series('{}', description => 'open')", filled.wind),
            "erase_series",
            filled.wind,
        ),
    ] {
        run(&mut writer, &format!("BEGIN; {open}"));
        assert!(erase(&mut client, what, id).remaining > 0, "{open}");
        run(&mut writer, "ROLLBACK");
        assert_eq!(erase(&mut client, what, id).remaining, 0, "{open}");
    }
}

/// A session of the admin that fails where it would wait, with what it is told.
fn notices_of(filled: &Filled) -> (Client, Notices) {
    let mut config: postgres::Config = filled.database.url("app").parse().expect("a URL");
    let notices = Notices::of(&mut config);
    let mut client = config.connect(postgres::NoTls).expect("a session");
    let key = &filled.admin.api_key;
    client
        .execute("SELECT timedb.authenticate($1)", &[key])
        .expect("the login");
    run(&mut client, "SET lock_timeout = '5s'");
    (client, notices)
}

#[test]
fn nulls_strangers_scopes_and_read_only_transactions_are_refused_and_change_nothing() {
    let mut filled = Filled::of("erase refused");
    let before = versions(&mut filled.client, "true");
    let mut admin = filled.database.admin();
    let bob = filled
        .database
        .create_user(Uuid::now_v7(), "other@tenant-c.com", "admin");
    let mut bobs = filled.database.authenticated(&bob);
    let alice = filled
        .database
        .create_user(filled.admin.tenant_id, "w@tenant-a.com", "write");
    let mut writer = filled.database.authenticated(&alice);
    let mut ops = filled.database.login("ops");
    for (function, id, what) in [
        ("erase_run", filled.runs[0], "run"),
        ("erase_series", filled.heat, "series"),
    ] {
        let null = format!("SELECT timedb.{function}(NULL)");
        refused(filled.client.execute(&null, &[])).code("22004");
        let absent = |id: Uuid| format!("{what} \"{id}\" does not exist");
        let nobodys = Uuid::now_v7();
        refused(try_erase(&mut filled.client, function, nobodys))
            .code("42704")
            .message(&absent(nobodys));
        refused(try_erase(&mut bobs, function, id))
            .code("42704")
            .message(&absent(id));
        refused(try_erase(&mut writer, function, id)).code("42501");
        let named = format!("SELECT timedb.{function}($1, $2)");
        refused(bobs.execute(&named, &[&id, &filled.admin.tenant_id]))
            .code("42704")
            .message(&absent(id));
        refused(ops.execute(&named, &[&id, &bob.tenant_id])).code("42704");
        refused(try_erase(&mut ops, function, id))
            .code("22004")
            .message("\"tenant_id\" must not be null");
        refused(try_erase(&mut filled.database.login("app"), function, id)).code("28000");
        run(&mut filled.client, "BEGIN READ ONLY");
        refused(try_erase(&mut filled.client, function, id)).code("25006");
        run(&mut filled.client, "ROLLBACK");
    }
    assert_eq!(versions(&mut filled.client, "true"), before);
    let told: i64 = one(
        &mut admin,
        "SELECT count(*) FROM timedb.audit WHERE action LIKE 'erase%'",
    );
    assert_eq!(told, 0);
}

#[test]
fn operators_erase_for_a_tenant_and_the_audit_says_who_erased_how_much() {
    let mut filled = Filled::of("erase operator");
    let mut ops = filled.database.login("ops");
    let tenant = filled.admin.tenant_id;
    let sql = "SELECT value_count, remaining FROM timedb.erase_run($1, $2)";
    let row = ops.query_one(sql, &[&filled.runs[0], &tenant]).expect("it is erased");
    assert_eq!((row.get::<_, i64>(0) > 0, row.get::<_, i64>(1)), (true, 0));
    erase(&mut filled.client, "erase_series", filled.heat);
    let told = "SELECT action, actor, via, (detail->>'value_count')::int8 > 0, detail->>'remaining' \
                FROM timedb.list_audit() WHERE action LIKE 'erase%' ORDER BY occurred_at";
    let told = filled.client.query(told, &[]).expect("the audit");
    let told: Vec<(String, String, String, bool, String)> = told
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)))
        .collect();
    let entry = |action: &str, actor: &str, via: &str| {
        (
            action.to_owned(),
            actor.to_owned(),
            via.to_owned(),
            true,
            "0".to_owned(),
        )
    };
    assert_eq!(
        told,
        [
            entry("erase_run", "ops", "operator"),
            entry("erase_series", "admin@tenant-a.com", "key")
        ]
    );
    assert_eq!(filled.places_of("run_id", filled.runs[0]), 0);
}
