//! Series by their labels: found as containment finds them, listed page by page, and what may be said of them afterwards.

use crate::cases::Cases;
use postgres::Client;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use timedb_testkit::{Database, assert_ordinary, one, one_of, refused, run};
use uuid::Uuid;

use crate::support::{hour, upload, value_row};

/// Values that are alike and not the same, of every kind that JSON has.
const VALUES: [&str; 16] = [
    "1",
    "1.0",
    "1e0",
    "10",
    "-0",
    "0",
    "\"1\"",
    "\"\"",
    "\"a\"",
    "\"A\"",
    "\"ä\"",
    "true",
    "null",
    "[\"a\"]",
    "{\"a\": 1}",
    "{}",
];
const LABELS: [&str; 3] = ["a", "b", "ä \"x\""];

fn labels() -> impl Strategy<Value = String> {
    let label = (0..LABELS.len(), 0..VALUES.len());
    prop::collection::vec(label, 0..4).prop_map(|labels| {
        let labels = labels
            .into_iter()
            .map(|(label, value)| format!("{}: {}", json!(LABELS[label]), VALUES[value]));
        format!("{{{}}}", labels.collect::<Vec<_>>().join(", "))
    })
}

fn create(client: &mut Client, key: &str, labels: &str) -> Uuid {
    one_of(
        client,
        "SELECT timedb.create_series($1, labels => $2::text::jsonb)",
        &[&key, &labels],
    )
}

fn listed(client: &mut Client, arguments: &str, given: &[&(dyn postgres::types::ToSql + Sync)]) -> Vec<Uuid> {
    let sql = format!("SELECT series_id FROM timedb.list_series({arguments})");
    let rows = client.query(&sql, given).expect("series are listed");
    rows.iter().map(|row| row.get(0)).collect()
}

/// A filter by labels is what `@>` says of every series, however the series came by its labels.
#[test]
fn a_filter_by_labels_finds_the_series_that_contain_them_and_no_others() {
    let database = Database::fresh("labels");
    let (alice, bob) = database.two_tenants();
    let (mut alices, mut bobs) = (database.authenticated(&alice), database.authenticated(&bob));
    assert_ordinary(&mut alices);
    let play = RefCell::new((&mut alices, &mut bobs, database.admin(), Vec::<Uuid>::new()));
    let step = (labels(), labels(), any::<bool>(), any::<prop::sample::Index>());
    let steps = (
        prop::collection::vec(step, 1..12),
        prop::collection::vec(labels(), 1..12),
    );
    Cases::of(60).run(&steps, |(steps, filters)| {
        let (alice, bob, admin, series) = &mut *play.borrow_mut();
        for (first, then, changes, which) in steps {
            create(bob, "s", &first);
            if !changes {
                // As a dump of 0.1.0 has them.
                let sql = "INSERT INTO timedb.series (tenant_id, series_id, series_key, labels) \
                           SELECT u.tenant_id, gen_random_uuid(), 'restored', $1::text::jsonb \
                           FROM timedb.users u WHERE u.email = 'alice@tenant-a.com' ON CONFLICT DO NOTHING";
                admin.execute(sql, &[&first]).expect("as a superuser");
            }
            series.push(create(alice, "s", &first));
            if changes {
                let of = which.get(series);
                let sql = "SELECT series_id FROM timedb.update_series($1, labels => $2::text::jsonb)";
                // Another series may have these already.
                let _taken = alice.query(sql, &[of, &then]);
            }
        }
        for filter in filters {
            let found = listed(alice, "$1::text::jsonb", &[&filter]);
            let sql = "SELECT s.series_id FROM timedb.series s JOIN timedb.users u USING (tenant_id) \
                       WHERE u.email = 'alice@tenant-a.com' AND s.labels @> $1::text::jsonb \
                       ORDER BY s.series_key COLLATE \"C\", s.series_id";
            let expected: Vec<Uuid> = admin
                .query(sql, &[&filter])
                .expect("as a superuser")
                .iter()
                .map(|row| row.get(0))
                .collect();
            prop_assert_eq!(found, expected, "{}", filter);
        }
        Ok(())
    });
    let (alice, _, admin, _) = &mut *play.borrow_mut();
    let all: i64 = one(alice, "SELECT count(*) FROM timedb.list_series()");
    assert!(all > 50, "the premise: {all} series");
    assert!(
        one::<i64>(admin, "SELECT count(*) FROM timedb.series_labels") > all,
        "the premise: of two tenants"
    );
}

/// So many that the series of one label are compared with those of the next before they are looked at.
#[test]
fn a_filter_by_labels_that_thousands_have_each_finds_those_that_have_all() {
    let database = Database::fresh("many labels");
    let (alice, _) = database.two_tenants();
    let mut alice = database.authenticated(&alice);
    let sql = "SELECT count(timedb.create_series('s' || n, labels => \
                 json_build_object('halves', n % 2, 'zone', 'z', 'hundreds', n / 100)::jsonb)) FROM generate_series(0, 4999) AS n";
    assert_eq!(one::<i64>(&mut alice, sql), 5000);
    for (filter, expected) in [
        (json!({"zone": "z"}), 5000),
        (json!({"zone": "z", "halves": 1}), 2500),
        (json!({"halves": 1.0, "hundreds": 7, "zone": "z"}), 50),
        (json!({"halves": 1, "zone": "y"}), 0),
        (json!({"halves": "1"}), 0),
        (json!({}), 5000),
    ] {
        let found: i64 = one_of(&mut alice, "SELECT count(*) FROM timedb.list_series($1)", &[&filter]);
        assert_eq!(found, expected, "{filter}");
    }
}

#[test]
fn pages_of_series_put_together_are_the_whole_list_once() {
    let database = Database::fresh("pages");
    let (alice, bob) = database.two_tenants();
    let mut bob = database.authenticated(&bob);
    create(&mut bob, "b", "{}");
    let mut alice = database.authenticated(&alice);
    for key in ["b", "ä", "B", "a", "b%", "b_c"] {
        for labels in ["{}", r#"{"n": 1}"#, r#"{"n": 2}"#] {
            create(&mut alice, key, labels);
        }
    }
    let whole = listed(&mut alice, "", &[]);
    assert_eq!(whole.len(), 18, "the premise");
    let keys: Vec<String> = alice
        .query("SELECT series_key FROM timedb.list_series()", &[])
        .expect("a list")
        .iter()
        .map(|row| row.get(0))
        .collect();
    let mut in_order = keys.clone();
    in_order.sort();
    assert_eq!(keys, in_order, "byte by byte");
    for rows in [1, 2, 5, 18, 100] {
        let mut pages = Vec::new();
        let mut after: (Option<String>, Option<Uuid>) = (None, None);
        loop {
            let sql =
                "SELECT series_key, series_id FROM timedb.list_series(max_rows => $1, after_key => $2, after_id => $3)";
            let page = alice.query(sql, &[&rows, &after.0, &after.1]).expect("a page");
            assert!(page.len() <= rows as usize);
            let Some(last) = page.last() else { break };
            after = (last.get(0), last.get(1));
            pages.extend(page.iter().map(|row| row.get::<_, Uuid>(1)));
        }
        assert_eq!(pages, whole, "{rows} at a time");
    }
    // Without an id, after all of the key; together with a filter.
    assert_eq!(listed(&mut alice, "after_key => 'b'", &[]), whole[9..]);
    let ones = listed(&mut alice, "labels => '{\"n\": 1}'", &[]);
    assert_eq!(ones.len(), 6);
    assert_eq!(
        listed(
            &mut alice,
            "labels => '{\"n\": 1}', after_key => 'b', max_rows => 2",
            &[]
        ),
        ones[3..5]
    );
}

#[test]
fn a_search_finds_series_by_a_part_of_their_key_or_description_in_any_case() {
    let database = Database::fresh("search");
    let (alice, _) = database.two_tenants();
    let mut alice = database.authenticated(&alice);
    for (key, description) in [
        ("Wind/North", None),
        ("solar", Some("No wind at all")),
        ("load_1", Some("100%")),
        ("load21", None),
    ] {
        let sql = "SELECT timedb.create_series($1, description => $2)";
        alice.execute(sql, &[&key, &description]).expect("it is made");
    }
    for (search, expected) in [
        ("wind", "Wind/North, solar"),
        ("WIND", "Wind/North, solar"),
        ("", "Wind/North, load21, load_1, solar"),
        ("d_", "load_1"),
        ("%", "load_1"),
        ("\\", ""),
        ("none", ""),
    ] {
        let sql = "SELECT coalesce(string_agg(series_key, ', ' ORDER BY series_key COLLATE \"C\"), '') \
                   FROM timedb.list_series(search => $1)";
        assert_eq!(one_of::<String>(&mut alice, sql, &[&search]), expected, "{search}");
    }
}

#[test]
fn the_values_of_a_label_are_counted_by_series_and_are_the_tenants_own() {
    let database = Database::fresh("label values");
    let (alice, bob) = database.two_tenants();
    let mut bob = database.authenticated(&bob);
    create(&mut bob, "b", r#"{"zone": "FR"}"#);
    let mut alice = database.authenticated(&alice);
    let labels = [r#""DE""#, r#""DE""#, "1", "1.0", r#""1""#, "null", "true", r#"["x"]"#];
    for (number, value) in labels.iter().enumerate() {
        create(&mut alice, &format!("s{number}"), &format!("{{\"zone\": {value}}}"));
    }
    create(&mut alice, "other", r#"{"zones": "NL"}"#);
    let values = |client: &mut Client, label: &str| -> Vec<(Option<String>, i64)> {
        let sql = "SELECT value, series_count FROM timedb.label_values($1)";
        let rows = client.query(sql, &[&label]).expect("the values");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let some = |text: &str, count| (Some(text.to_owned()), count);
    assert_eq!(
        values(&mut alice, "zone"),
        [
            some("1", 2),
            some("1", 1),
            some("DE", 2),
            some("[\"x\"]", 1),
            some("true", 1),
            (None, 1)
        ]
    );
    assert_eq!(values(&mut bob, "zone"), [some("FR", 1)]);
    assert_eq!(values(&mut alice, "none"), []);
}

/// What `update_series` answers and `list_series` says afterwards: key, unit, description, labels.
type Described = (String, String, Option<String>, Value);

#[track_caller]
fn described(client: &mut Client, sql: &str, series: Uuid) -> Described {
    let columns = "SELECT series_key, unit, description, labels FROM";
    let row = client.query_one(&format!("{columns} {sql}"), &[&series]);
    let row = row.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

#[test]
fn update_series_changes_what_is_given_and_leaves_the_rest() {
    let database = Database::fresh("update series");
    let (alice, _) = database.two_tenants();
    let mut alice = database.authenticated(&alice);
    let series = upload(&mut alice, &json!([value_row("wind", hour(0), 1)])).series("wind");
    let expect = |key: &str, unit: &str, description: Option<&str>, labels: Value| -> Described {
        (key.into(), unit.into(), description.map(Into::into), labels)
    };
    let none = Value::Object(Map::new());
    for (arguments, expected) in [
        ("", expect("wind", "dimensionless", None, none.clone())),
        (
            ", new_key => 'Wind'",
            expect("Wind", "dimensionless", None, none.clone()),
        ),
        (
            ", unit => 'MW', new_key => null",
            expect("Wind", "MW", None, none.clone()),
        ),
        (
            ", unit => 'MW', description => 'all of it'",
            expect("Wind", "MW", Some("all of it"), none.clone()),
        ),
        (
            ", unit => ' ', labels => '{\"zone\": \"DE\", \"n\": 1.50}'",
            expect("Wind", "MW", Some("all of it"), json!({"zone": "DE", "n": 1.5})),
        ),
        (
            ", description => ' '",
            expect("Wind", "MW", None, json!({"zone": "DE", "n": 1.5})),
        ),
        (
            ", labels => 'null'",
            expect("Wind", "MW", None, json!({"zone": "DE", "n": 1.5})),
        ),
        (
            ", labels => '{\"zone\": \"FR\"}'",
            expect("Wind", "MW", None, json!({"zone": "FR"})),
        ),
        (", labels => '{}'", expect("Wind", "MW", None, none.clone())),
    ] {
        assert_eq!(
            described(&mut alice, &format!("timedb.update_series($1{arguments})"), series),
            expected
        );
        assert_eq!(
            described(&mut alice, "timedb.list_series() WHERE series_id = $1", series),
            expected
        );
        let by_labels = format!("timedb.list_series('{}') WHERE series_id = $1", expected.3);
        assert_eq!(
            described(&mut alice, &by_labels, series),
            expected,
            "found by its new labels"
        );
    }
    let former = listed(&mut alice, "'{\"zone\": \"DE\"}'", &[]);
    assert!(former.is_empty(), "not by its former ones");
    // Values go with the series, and the former key names a new one.
    assert_eq!(
        one::<String>(&mut alice, "SELECT series_key FROM timedb.read()"),
        "Wind"
    );
    let other = upload(&mut alice, &json!([value_row("wind", hour(0), 1)])).series("wind");
    assert_ne!(other, series);
    let refusal = refused(alice.query("SELECT timedb.update_series($1, new_key => 'Wind')", &[&other]));
    refusal
        .code("23505")
        .message(&format!(
            "series \"{series}\" has the key \"Wind\" with the same labels already"
        ))
        .hint("A key and labels name one series: give this one another key, or other labels.");
    // Both together are what names it.
    let labelled = create(&mut alice, "Wind", r#"{"n": 1}"#);
    let refusal = refused(alice.query("SELECT timedb.update_series($1, labels => '{\"n\": 1.0}')", &[&series]));
    refusal.code("23505").message_contains(&labelled.to_string());
    assert_eq!(
        described(
            &mut alice,
            "timedb.update_series($1, new_key => 'Wind', labels => '{\"n\": 2}')",
            other
        )
        .3,
        json!({"n": 2})
    );
}

#[test]
fn what_update_series_and_list_series_cannot_take_is_refused_by_name() {
    let database = Database::fresh("bad series");
    let (alice, bob) = database.two_tenants();
    let bobs = create(&mut database.authenticated(&bob), "bobs", "{}");
    let mut alice = database.authenticated(&alice);
    let series = create(&mut alice, "wind", "{}");
    let kelvin = one::<Uuid>(&mut alice, "SELECT timedb.create_series('t', 'K')");
    let long = "x".repeat(10_001);
    for (call, code, message) in [
        (
            "update_series(null)".into(),
            "22004",
            "\"series_id\" must not be null".into(),
        ),
        (
            format!("update_series('{bobs}', new_key => 'mine')"),
            "42704",
            format!("series \"{bobs}\" does not exist"),
        ),
        (
            format!("update_series('{}')", Uuid::nil()),
            "42704",
            format!("series \"{}\" does not exist", Uuid::nil()),
        ),
        (
            format!("update_series('{series}', new_key => '  ')"),
            "22023",
            "\"new_key\" is blank".into(),
        ),
        (
            format!("update_series('{series}', new_key => ' a')"),
            "22023",
            "\"new_key\" begins or ends with a blank".into(),
        ),
        (
            format!("update_series('{series}', new_key => '{}')", &long[..501]),
            "54000",
            "\"new_key\" is longer than 500 bytes".into(),
        ),
        (
            format!("update_series('{series}', unit => '{}')", &long[..101]),
            "54000",
            "\"unit\" is longer than 100 bytes".into(),
        ),
        (
            format!("update_series('{series}', description => '{long}')"),
            "54000",
            "\"description\" is longer than 10000 bytes".into(),
        ),
        (
            format!("update_series('{series}', labels => '[]')"),
            "22023",
            "\"labels\" must be a JSON object".into(),
        ),
        (
            format!(
                "update_series('{series}', labels => '{{\"a\": \"{}\"}}')",
                &long[..2000]
            ),
            "54000",
            "\"labels\" is larger than 2000 bytes".into(),
        ),
        (
            format!("update_series('{kelvin}', unit => 'MW')"),
            "22023",
            "\"unit\" is \"MW\", but series \"t\" has \"K\"".into(),
        ),
        (
            "list_series(labels => '1')".into(),
            "22023",
            "\"labels\" must be a JSON object".into(),
        ),
        (
            format!("list_series(labels => '{{\"a\": \"{}\"}}')", &long[..2000]),
            "54000",
            "\"labels\" is larger than 2000 bytes".into(),
        ),
        (
            format!("list_series(search => '{long}')"),
            "54000",
            "\"search\" is longer than 10000 bytes".into(),
        ),
        (
            "list_series(max_rows => 0)".into(),
            "22023",
            "\"max_rows\" must be 1 or more".into(),
        ),
        (
            "list_series(max_rows => -1)".into(),
            "22023",
            "\"max_rows\" must be 1 or more".into(),
        ),
        (
            format!("list_series(after_id => '{series}')"),
            "22023",
            "\"after_id\" is given without \"after_key\"".into(),
        ),
        (
            "label_values(null)".into(),
            "22004",
            "\"label\" must not be null".into(),
        ),
    ] {
        let message: String = message;
        let call: String = call;
        refused(alice.query(&format!("SELECT * FROM timedb.{call}"), &[]))
            .code(code)
            .message(&message);
    }
    let untouched = ("wind".to_owned(), "dimensionless".to_owned(), None, json!({}));
    assert_eq!(
        described(&mut alice, "timedb.list_series() WHERE series_id = $1", series),
        untouched
    );
}

#[test]
fn a_key_that_may_only_read_lists_series_and_changes_none() {
    let database = Database::fresh("series read only");
    let (alice, _) = database.two_tenants();
    let series = create(&mut database.authenticated(&alice), "wind", r#"{"a": 1}"#);
    let reader = database.create_user(alice.tenant_id, "reader@tenant-a.com", "read");
    let mut reader = database.authenticated(&reader);
    let refusal = refused(reader.query("SELECT timedb.update_series($1, new_key => 'mine')", &[&series]));
    refusal.code("42501");
    run(&mut reader, "BEGIN READ ONLY");
    assert_eq!(listed(&mut reader, "'{\"a\": 1}', 'WI', 1", &[]), [series]);
    assert_eq!(
        one::<String>(&mut reader, "SELECT value FROM timedb.label_values('a')"),
        "1"
    );
    run(&mut reader, "COMMIT");
    let mut nobody = database.login("app");
    for call in ["list_series('[]')", "label_values(null)", "update_series(null)"] {
        refused(nobody.query(&format!("SELECT timedb.{call}"), &[])).code("28000");
    }
}
