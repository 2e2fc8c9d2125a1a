//! What hangs by the functions that an update makes anew: named, all of it, before anything is changed.

use postgres::{Client, Config, NoTls};
use timedb_testkit::{Notices, Project, one, refused, run};

use super::{DATABASE, RELEASE, UPDATE, server_of_release, version};
use crate::catalog::{assert_same, everything};

const HELD: [(&str, &str); 9] = [
    (
        "CREATE VIEW public.prices AS SELECT series_key, value FROM timedb.read(series_keys => '{price}')",
        "view public.prices depends on timedb.read(",
    ),
    (
        "CREATE VIEW public.\"Dear ones\" AS SELECT * FROM public.prices WHERE value > 100",
        "view public.\"Dear ones\" depends on view public.prices",
    ),
    (
        "CREATE FUNCTION public.dearest(p public.\"Dear ones\") RETURNS float8 LANGUAGE sql AS 'SELECT ($1).value'",
        "function public.dearest(public.\"Dear ones\") depends on view public.\"Dear ones\"",
    ),
    (
        "CREATE MATERIALIZED VIEW public.kept AS SELECT count(*) AS n FROM timedb.list_series() WITH NO DATA",
        "materialized view public.kept depends on timedb.list_series()",
    ),
    (
        "CREATE FUNCTION public.send(rows json) RETURNS uuid LANGUAGE sql \
         BEGIN ATOMIC SELECT run_id FROM timedb.upload(now(), rows); END",
        "function public.send(json) depends on timedb.upload(",
    ),
    (
        "CREATE TABLE public.noted (who text DEFAULT timedb.regenerate_key('nobody'))",
        "default value for column who of table public.noted depends on timedb.regenerate_key(",
    ),
    (
        "CREATE VIEW public.me AS SELECT email FROM timedb.whoami()",
        "view public.me depends on timedb.whoami()",
    ),
    (
        "CREATE FUNCTION public.arrow() RETURNS bytea LANGUAGE sql BEGIN ATOMIC SELECT timedb.read_arrow(); END",
        "function public.arrow() depends on timedb.read_arrow(",
    ),
    (
        "CREATE VIEW public.reads AS SELECT public.arrow() AS stream",
        "view public.reads depends on function public.arrow()",
    ),
];

#[test]
fn an_update_names_all_that_depends_on_what_it_makes_anew_and_has_changed_nothing() {
    let (_cluster, mut admin) = server_of_release();
    let before = everything(&mut admin);
    for (held, _) in HELD {
        run(&mut admin, held);
    }
    let refusal = refused(admin.batch_execute(UPDATE))
        .code("2BP01")
        .message("objects of this database depend on functions that the update of timedb makes anew")
        .hint_contains("pg_get_viewdef");
    let detail = refusal.error().detail().expect("a detail");
    for (_, named) in HELD {
        assert!(detail.contains(named), "{named} in:\n{detail}");
    }
    assert_eq!(detail.lines().count(), HELD.len(), "{detail}");
    // Each stands after what it depends on, so that they can be dropped from the last one upwards.
    let place = |name: &str| detail.find(&format!("{name} depends on")).expect("it is named");
    let chain = [
        "view public.prices",
        "view public.\"Dear ones\"",
        "function public.dearest(public.\"Dear ones\")",
    ];
    assert!(chain.map(place).is_sorted(), "{detail}");
    assert_eq!(version(&mut admin), RELEASE);

    // As the hint says: one after the other, from the last one on, and made again afterwards.
    for line in detail.lines().rev() {
        let object = line.split(" depends on").next().unwrap_or_default();
        match object.strip_prefix("default value for column who of table ") {
            Some(table) => run(&mut admin, &format!("ALTER TABLE {table} ALTER who DROP DEFAULT")),
            None => run(&mut admin, &format!("DROP {object}")),
        }
    }
    run(&mut admin, "DROP TABLE public.noted");
    assert_same(&everything(&mut admin), &before);
    run(&mut admin, UPDATE);
    for (held, _) in HELD {
        run(&mut admin, held);
    }
}

/// Some of them depend on what the update leaves as it is.
#[test]
fn an_update_leaves_views_on_tables_and_on_what_it_does_not_make_anew() {
    let (_cluster, mut admin) = server_of_release();
    run(
        &mut admin,
        "CREATE VIEW public.on_view AS SELECT * FROM timedb.current_values; \
         CREATE VIEW public.on_table AS SELECT * FROM timedb.runs; \
         CREATE VIEW public.on_function AS SELECT * FROM timedb.list_keys(); \
         CREATE FUNCTION public.me() RETURNS uuid LANGUAGE sql BEGIN ATOMIC SELECT timedb.current_tenant(); END",
    );
    run(&mut admin, UPDATE);
    let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.on_view'::regclass AND attnum > 0";
    assert_eq!(one::<i64>(&mut admin, columns), 12, "as it was made");
}

/// What a text calls, no catalog knows.
#[test]
fn an_update_tells_which_bodies_mention_an_answer_that_has_further_columns_and_their_calls_go_on() {
    let (cluster, mut admin) = server_of_release();
    run(
        &mut admin,
        "CREATE FUNCTION public.newest(key text) RETURNS float8 LANGUAGE plpgsql AS \
           $$BEGIN RETURN (SELECT count(value) FROM timedb.read(NULL, NULL, NULL, NULL, 'flat', false, ARRAY[key])); END$$; \
         CREATE FUNCTION public.all_of_it() RETURNS bigint LANGUAGE sql AS \
           'SELECT count(*) FROM (SELECT * FROM timedb.read(mode => ''overlapping'')) r'; \
         CREATE FUNCTION public.row_by_row() RETURNS bigint LANGUAGE plpgsql AS \
           $$DECLARE n bigint := 0; r record; BEGIN FOR r IN SELECT * FROM TimeDB.\"read\"() LOOP n := n + 1; END LOOP; RETURN n; END$$; \
         CREATE FUNCTION public.elsewhere() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint -- timedb.reading'; \
         CREATE FUNCTION public.twelve() RETURNS TABLE (known_time timestamptz, valid_time timestamptz, \
           valid_time_end timestamptz, series_id uuid, series_key text, unit text, value float8, run_id uuid, \
           change_time timestamptz, changed_by text, annotation text, tags text[]) LANGUAGE plpgsql AS \
           $$BEGIN RETURN QUERY SELECT * FROM timedb.read(); END$$",
    );
    let mut config: Config = cluster.server().url("postgres", DATABASE).parse().expect("a URL");
    let notices = Notices::of(&mut config);
    let mut admin = config.connect(NoTls).expect("a superuser");
    let before = calls(&mut admin);
    run(&mut admin, UPDATE);
    let told: Vec<String> = notices.take().into_iter().map(|(_, message)| message).collect();
    let told = told.join("\n");
    for named in ["newest(text)", "all_of_it()", "row_by_row()", "twelve()"] {
        let notice = format!(
            "function public.{named} mentions timedb.read, whose answer has further columns at its end from now on"
        );
        assert!(told.contains(&notice), "{notice} in:\n{told}");
    }
    assert!(!told.contains("elsewhere"), "{told}");
    assert_eq!(calls(&mut admin), before);
    // The one kind that breaks: as many columns as there were, and all of them taken.
    log_in(&mut admin);
    refused(admin.query("SELECT * FROM public.twelve()", &[])).code("42804");
    assert_ne!(version(&mut admin), RELEASE);
    assert_eq!(Project::default().version().expect("a version"), version(&mut admin));
}

fn log_in(client: &mut Client) {
    client
        .execute("SELECT timedb.authenticate($1)", &[&super::keys()["alice"]])
        .expect("her key");
}

/// What the bodies answer.
fn calls(client: &mut Client) -> (f64, i64, i64) {
    log_in(client);
    let answers = (
        one(client, "SELECT public.newest('heat')"),
        one(client, "SELECT public.all_of_it()"),
        one(client, "SELECT public.row_by_row()"),
    );
    run(client, "SELECT timedb.logout()");
    answers
}

/// The list at the top of the script and the statements below are one.
#[test]
fn an_update_looks_at_every_function_that_it_drops_before() {
    for script in Project::default().upgrade_scripts().expect("the scripts") {
        let script = std::fs::read_to_string(script).expect("a script");
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        let looked_at = script.split("$dependents$").nth(1).map(squeezed).expect("the look");
        let mut dropped = 0;
        for statement in script.split("DROP FUNCTION ").skip(1) {
            let statement = squeezed(statement.split(';').next().unwrap_or_default());
            let signature = statement.strip_prefix("IFEXISTS").unwrap_or(&statement);
            assert!(looked_at.contains(&format!("'{signature}'")), "{signature}");
            dropped += 1;
        }
        assert_eq!(dropped, 10, "the premise");
    }
}
