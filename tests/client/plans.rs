//! Plans are kept for as long as a session lasts, and were made on whatever it found: what a statement does must grow with
//! what it is asked for, whatever was in the tables then. Counted in rows and buffers by auto_explain, never by the clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use postgres::{Client, Config, NoTls};
use serde_json::Value;
use timedb_testkit::{Database, Identity, one, run};
use uuid::Uuid;

/// What an element may cost a statement. An update looks for each in every class of spans, and each probe of an index goes
/// down a tree: some dozens of buffers. A plan that is turned round costs hundreds and more.
const BUFFERS_EACH: i64 = 50;
const ROWS_EACH: i64 = 10;
/// What a statement may cost beside that while the session does not know the catalogs yet.
const AT_FIRST: i64 = 300;

/// A session that tells the plan of every statement that it ran, also of those within functions.
struct Session {
    client: Client,
    told: Arc<Mutex<Vec<String>>>,
    /// How much a statement may cost however little it is asked for.
    allowance: i64,
}

/// What the executions of one statement came to.
#[derive(Debug, Default)]
struct Cost {
    executions: i64,
    buffers: i64,
    /// The most rows that a node of its plan handled, those that it dropped included.
    rows: i64,
    filters: Vec<String>,
}

/// From here on every session in the database is one that tells.
fn tell_plans(database: &Database) {
    let settings = [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_buffers", "on"),
        ("auto_explain.log_timing", "off"),
        ("auto_explain.log_nested_statements", "on"),
        ("auto_explain.log_format", "json"),
        ("auto_explain.log_level", "notice"),
    ];
    let mut admin = database.admin();
    for (name, value) in settings {
        let name_of = database.name();
        run(&mut admin, &format!("ALTER DATABASE {name_of} SET {name} = '{value}'"));
    }
    // Statistics are those that a test makes, not those of a chance.
    for table in ["series", "runs", "values", "packs"] {
        run(
            &mut admin,
            &format!("ALTER TABLE timedb.{table} SET (autovacuum_enabled = off)"),
        );
    }
}

impl Session {
    fn begin(database: &Database, identity: &Identity) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let mut config: Config = database.url("app").parse().expect("a URL");
        config.notice_callback(move |notice| {
            let mut heard = heard.lock().expect("nobody panicked");
            heard.push(notice.message().to_owned());
        });
        let mut client = config.connect(NoTls).expect("app connects");
        let login = "SELECT FROM timedb.authenticate($1)";
        client.execute(login, &[&identity.api_key]).expect("a login");
        Self {
            client,
            told,
            allowance: AT_FIRST,
        }
    }

    /// What a query and the statements within it came to, by their text.
    fn costs(&mut self, sql: &str) -> BTreeMap<String, Cost> {
        self.told.lock().expect("nobody panicked").clear();
        run(&mut self.client, sql);
        let told = std::mem::take(&mut *self.told.lock().expect("nobody panicked"));
        let mut costs: BTreeMap<String, Cost> = BTreeMap::new();
        for told in told {
            let Some((_, plan)) = told.split_once("plan:\n") else {
                continue;
            };
            let plan: Value = serde_json::from_str(plan).expect("JSON");
            let text = plan["Query Text"].as_str().expect("a text");
            let cost = costs.entry(text.to_owned()).or_default();
            cost.executions += 1;
            let node = &plan["Plan"];
            cost.buffers += count(node, "Shared Hit Blocks") + count(node, "Shared Read Blocks");
            cost.rows += cost.look_at(node);
        }
        costs
    }

    /// Runs a query in which so many statements get an array, and sees that none costs more than for so many elements.
    #[track_caller]
    fn assert_costs(&mut self, sql: &str, elements: i64, with_arrays: usize) {
        let mut costs = self.costs(sql);
        costs.remove(sql).expect("the premise");
        let takes_array = |text: &str| text.contains("unnest(") || text.contains("= ANY (");
        let arrays = costs.keys().filter(|text| takes_array(text)).count();
        let most = costs.values().map(|cost| cost.rows).max();
        let is_told = arrays >= with_arrays && most >= Some(elements);
        assert!(is_told, "the premise: {costs:#?}");
        for (text, cost) in &costs {
            let is_bounded = cost.buffers <= self.allowance + elements * BUFFERS_EACH
                && cost.rows <= self.allowance + elements * ROWS_EACH;
            assert!(is_bounded, "{cost:#?} for {elements} elements: {text}");
            // An array that a filter looks through for every row is not among the rows.
            let walked = cost.filters.iter().find(|filter| filter.contains("= ANY ("));
            assert_eq!(walked, None, "{text}");
        }
    }
}

impl Cost {
    /// The most rows of a node and those below it.
    fn look_at(&mut self, node: &Value) -> i64 {
        let kinds = [
            "Actual Rows",
            "Rows Removed by Filter",
            "Rows Removed by Join Filter",
            "Rows Removed by Index Recheck",
        ];
        let rows: f64 = kinds.iter().filter_map(|kind| node[kind].as_f64()).sum();
        let own = (rows * node["Actual Loops"].as_f64().unwrap_or(0.0)) as i64;
        for kind in ["Filter", "Join Filter", "Recheck Cond"] {
            let filter = node[kind].as_str();
            self.filters.extend(filter.map(str::to_owned));
        }
        let below = node["Plans"].as_array().into_iter().flatten();
        let below = below.map(|node| self.look_at(node)).max();
        own.max(below.unwrap_or(0))
    }
}

fn count(node: &Value, kind: &str) -> i64 {
    node[kind].as_i64().expect("a number")
}

/// The text of an array of so many times an expression in i.
fn array(count: i64, of: &str) -> String {
    format!("ARRAY(SELECT {of} FROM generate_series(1, {count}) i)")
}

fn upload_of(prefix: &str, elements: i64) -> String {
    let key = format!("'{prefix} ' || i");
    format!(
        "SELECT timedb.upload_points(now(), {}, {}, {}, series_descriptions => \
           (SELECT jsonb_object_agg({key}, 'described') FROM generate_series(1, {elements}) i))",
        array(elements, &key),
        array(elements, "'2025-01-01'::timestamptz"),
        array(elements, "1.5::float8"),
    )
}

fn upload_to(ids: &str) -> String {
    format!(
        "SELECT timedb.upload(now(), (SELECT json_agg(json_build_object( \
           'series_id', s.series_id, 'valid_time', '2025-01-01T00:00:00Z', 'value', 2)) \
         FROM unnest({ids}) AS s(series_id)))"
    )
}

fn update_of(run: Uuid, ids: &str, value: i64) -> String {
    format!(
        "SELECT count(*) FROM timedb.update((SELECT json_agg(json_build_object( 'run_id', '{run}', \
           'series_id', s.series_id, 'valid_time', '2025-01-01T00:00:00Z', 'value', {value})) \
         FROM unnest({ids}) AS s(series_id)))"
    )
}

/// Of each series a run of its own, made by a superuser, because an upload makes one run a call.
fn update_runs(admin: &mut Client, session: &mut Session, prefix: &str, ids: &str, elements: i64) {
    let runs = "INSERT INTO timedb.runs (tenant_id, run_id, run_start_time, known_time, changed_by, inserted_at, \
                                         last_change_time) \
                SELECT u.tenant_id, gen_random_uuid(), now(), now(), $1, now(), now() \
                FROM timedb.users u, generate_series(1, $2::bigint) WHERE u.email LIKE 'alice%'";
    admin.execute(runs, &[&prefix, &elements]).expect("runs");
    let update = format!(
        "SELECT count(*) FROM timedb.update((SELECT json_agg(json_build_object( \
           'run_id', r.run_id, 'series_id', s.series_id, 'valid_time', '2025-01-01T00:00:00Z', 'value', 5)) \
         FROM (SELECT r.run_id, row_number() OVER () FROM timedb.runs r WHERE r.changed_by = '{prefix}') r \
         JOIN unnest({ids}) WITH ORDINALITY AS s(series_id, row_number) USING (row_number)))"
    );
    session.assert_costs(&update, elements, 5);
}

/// The series of one key that has this label.
fn create_of(label: i64, arguments: &str) -> String {
    format!("SELECT timedb.create_series('labelled 1', {arguments} labels => '{{\"n\": {label}}}')")
}

/// So many series of one key, each of a label of its own.
fn label_many(admin: &mut Client, tenant: Uuid, labels: i64) {
    let of_labels = "INSERT INTO timedb.series (tenant_id, series_id, series_key, labels) \
                     SELECT $1, gen_random_uuid(), 'labelled 1', jsonb_build_object('n', i) \
                     FROM generate_series(1, $2::bigint) i";
    let labelled = admin.execute(of_labels, &[&tenant, &labels]);
    assert_eq!(labelled.expect("series with labels"), labels as u64);
}

/// A series among many of its key that is found, one that is completed and then found so, and one that is made.
fn create_among(session: &mut Session, labels: i64) {
    // A row that is completed may move to another page, and then stands in each index again.
    session.allowance = BUFFERS_EACH;
    let completed = "unit => 'kW', description => 'described',";
    for (label, arguments) in [
        (1, ""),
        (2, completed),
        (2, completed),
        (labels + 1, ""),
        (labels, completed),
    ] {
        session.assert_costs(&create_of(label, arguments), 1, 0);
    }
}

/// Everything that takes arrays: series made and described, then found by key and by id, read, updated and packed.
fn use_all(database: &Database, session: &mut Session, prefix: &str, elements: i64) {
    let upload = upload_of(prefix, elements);
    // Its series are found, made and described, and its values written; once it is there, it is not made.
    // One key is looked for, and one row written, without an array.
    let alone = usize::from(elements == 1);
    session.assert_costs(&upload, elements, 4 - 2 * alone);
    session.assert_costs(&upload, elements, 3 - 2 * alone);
    let client = &mut session.client;
    let last = "SELECT r.run_id FROM timedb.runs r ORDER BY r.run_id DESC LIMIT 1";
    let run: Uuid = one(client, last);
    let ids = "SELECT array_agg(s.series_id)::text FROM timedb.series s WHERE starts_with(s.series_key, $1)";
    let ids = client.query_one(ids, &[&prefix]).expect("the ids");
    let ids = format!("'{}'::uuid[]", ids.get::<_, String>(0));
    session.assert_costs(&upload_to(&ids), elements, 2 - alone);
    let keys = array(elements, &format!("'{prefix} ' || i"));
    // Each is named twice.
    let read = format!("SELECT count(*) FROM timedb.read(series_keys => {keys}, series_ids => {ids})");
    session.assert_costs(&read, elements, 1);
    let window = format!("SELECT count(*) FROM timedb.read('2024-12-31', '2025-01-02', series_ids => {ids})");
    session.assert_costs(&window, elements, 3);
    let known = format!("SELECT count(*) FROM timedb.read(start_known => '2025-01-01', series_ids => {ids})");
    session.assert_costs(&known, elements, 4);
    session.assert_costs(&update_of(run, &ids, 3), elements, 5);
    let compact = format!("SELECT timedb.compact({ids}, '0')");
    session.assert_costs(&compact, elements, 2);
    session.assert_costs(&window, elements, 3);
    session.assert_costs(&update_of(run, &ids, 4), elements, 5);
    update_runs(&mut database.admin(), session, prefix, &ids, elements);
    read_of_runs(session, elements);
}

/// As many runs as there are, up to some: looked for because a read is of them, and because it asks what they are.
fn read_of_runs(session: &mut Session, most: i64) {
    let last = "SELECT array_agg(r.run_id)::text, count(*) \
                FROM (SELECT r.run_id FROM timedb.runs r ORDER BY r.run_id DESC LIMIT $1) AS r";
    let row = session.client.query_one(last, &[&most]).expect("the runs");
    let (runs, count): (String, i64) = (row.get(0), row.get(1));
    let of_runs = format!("SELECT count(*) FROM timedb.read(series_keys => '{{none}}', run_ids => '{runs}'::uuid[])");
    session.assert_costs(&of_runs, count, 1);
    let of_workflow = "SELECT count(*) FROM timedb.read_relative(lead => '-1 day', workflow_id => 'api-workflow', \
                       corrections => 'known', series_keys => '{one 1,few 1,many 1}')";
    session.assert_costs(of_workflow, 3, 1);
}

#[test]
fn a_session_begun_on_an_empty_database_asks_in_proportion_to_what_it_is_asked() {
    let database = Database::fresh("plans on an empty database");
    let (alice, _) = database.two_tenants();
    tell_plans(&database);
    let mut session = Session::begin(&database, &alice);
    use_all(&database, &mut session, "many", 10_000);
    session.allowance = 0;
    use_all(&database, &mut session, "one", 1);
}

#[test]
fn plans_made_while_the_tables_were_empty_stay_good_when_they_fill() {
    for analyse in ["", "VACUUM ANALYZE"] {
        let database = Database::fresh("plans on tables that fill");
        let (alice, _) = database.two_tenants();
        tell_plans(&database);
        run(&mut database.admin(), analyse);
        let mut session = Session::begin(&database, &alice);
        use_all(&database, &mut session, "few", 2);
        use_all(&database, &mut session, "many", 1000);
        session.allowance = 0;
        use_all(&database, &mut session, "one", 1);
    }
}

#[test]
fn a_series_is_found_and_made_by_one_probe_among_the_many_labels_of_its_key() {
    for analyse in ["", "VACUUM ANALYZE"] {
        let database = Database::fresh("plans of labels");
        let (alice, bob) = database.two_tenants();
        tell_plans(&database);
        run(&mut database.admin(), analyse);
        let mut session = Session::begin(&database, &alice);
        // By then each plan is one that is kept.
        for label in -10..0 {
            run(&mut session.client, &create_of(label, "unit => 'kW',"));
        }
        let found = create_of(-1, "");
        let among_few = session.costs(&found)[&found].buffers;
        label_many(&mut database.admin(), alice.tenant_id, 5000);
        // What is found without a statement is within the query's own cost: the trees are higher now, by no more than this.
        let among_many = session.costs(&found)[&found].buffers;
        assert!(among_many < among_few + 20, "{among_few} {among_many}");
        create_among(&mut session, 5000);
        assert_found_without_a_write(&mut session.client, &found);
        // Another tenant's of the same key and labels is not found: his is made.
        let id = |session: &mut Session| one::<String>(&mut session.client, &found.replace(')', ")::text"));
        let (of_alice, of_bob) = (id(&mut session), id(&mut Session::begin(&database, &bob)));
        assert_ne!(of_alice, of_bob);
        assert_eq!(of_alice, id(&mut session));
    }
}

#[track_caller]
fn assert_found_without_a_write(client: &mut Client, found: &str) {
    run(client, "BEGIN");
    run(client, found);
    let has_written = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL";
    assert!(!one::<bool>(client, has_written));
    run(client, "ROLLBACK");
}

/// Three series is what statistics say of a tenant, or one; an index of another order then looks as good.
#[test]
fn in_a_tenant_of_many_series_among_tenants_of_few_one_is_found_by_one_probe() {
    for (tenants, series) in [(3000, 3), (12_000, 1)] {
        let database = Database::fresh("plans of a large tenant");
        let (alice, _) = database.two_tenants();
        let mut admin = database.admin();
        let of_tenants = format!(
            "INSERT INTO timedb.series (tenant_id, series_id, series_key) \
             SELECT t.tenant_id, gen_random_uuid(), 'key ' || i \
             FROM (SELECT gen_random_uuid() AS tenant_id FROM generate_series(1, {tenants})) t, \
                  generate_series(1, {series}) i"
        );
        run(&mut admin, &of_tenants);
        // A key of many labels is found by the series without any as well.
        label_many(&mut admin, alice.tenant_id, 5000);
        let mut client = database.authenticated(&alice);
        run(&mut client, &upload_of("large", 20_000));
        run(&mut admin, "VACUUM ANALYZE");
        tell_plans(&database);
        let mut session = Session::begin(&database, &alice);
        use_all(&database, &mut session, "first", 1);
        session.allowance = 0;
        use_all(&database, &mut session, "second", 1);
        session.assert_costs(&upload_of("labelled", 1), 1, 1);
        run(&mut session.client, &create_of(0, ""));
        create_among(&mut session, 5000);
    }
}

/// What a tenant has is counted of its own, also by a plan that was made while the tables were empty. What is rolled back
/// has the session count again.
#[test]
fn what_a_tenant_has_is_counted_without_a_look_at_what_others_have() {
    let database = Database::fresh("plans of limits");
    let (alice, bob) = database.two_tenants();
    database.set("timedb.max_tenant_series", "6");
    database.set("timedb.max_tenant_size", "2kB");
    tell_plans(&database);
    let mut session = Session::begin(&database, &alice);
    let counts = |costs: &BTreeMap<String, Cost>| -> Vec<(i64, i64)> {
        let is_count = |text: &str| text.starts_with("SELECT count(*)") || text.contains("pg_column_size(v.points)");
        let counts = costs.iter().filter(|(text, _)| is_count(text));
        counts.map(|(_, cost)| (cost.executions, cost.rows)).collect()
    };
    let first = session.costs(&upload_of("first", 3));
    assert_eq!(counts(&first), [(1, 1), (1, 1)], "the premise: the tables are empty");
    for _ in 0..2 {
        session.costs(&format!("BEGIN; {}; ROLLBACK", upload_of("gone", 3)));
    }
    let mut admin = database.admin();
    run(
        &mut admin,
        "SET timedb.max_tenant_series = 0; SET timedb.max_tenant_size = 0",
    );
    let logged_in = admin.execute("SELECT FROM timedb.authenticate($1)", &[&bob.api_key]);
    logged_in.expect("a login");
    run(&mut admin, &upload_of("of another", 5000));
    let second = session.costs(&upload_of("second", 3));
    // A bitmap has the rows that were rolled back, too.
    let counts = counts(&second);
    let are_its_own = counts.iter().all(|count| (1, 3) <= *count && *count <= (1, 9));
    assert!(counts.len() == 2 && are_its_own, "{second:#?}");
    let is_few = second.iter().all(|(_, cost)| cost.buffers <= AT_FIRST);
    assert!(is_few, "{second:#?}");
}

#[test]
fn a_series_that_is_named_twice_by_key_and_by_id_is_read_once() {
    let database = Database::fresh("series named twice");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    run(&mut client, &upload_of("named", 3));
    let labelled = "SELECT timedb.create_series('named 1', labels => '{\"a\": \"b\"}')::text";
    let labelled: String = one(&mut client, labelled);
    run(&mut client, &upload_to(&format!("'{{{labelled}}}'::uuid[]")));
    let read = "SELECT array_agg(r.series_key || ' ' || r.value::text ORDER BY r.ordinality) FROM timedb.read( \
                  series_keys => '{named 2, named 1, absent, named 2}', \
                  series_ids => (SELECT array_agg(s.series_id) || array_agg(s.series_id) || gen_random_uuid() \
                                 FROM timedb.series s WHERE s.series_key IN ('named 2', 'named 3'))) \
                WITH ORDINALITY r";
    let values: Vec<String> = one(&mut client, read);
    assert_eq!(values, ["named 1 1.5", "named 1 2", "named 2 1.5", "named 3 1.5"]);
}

#[test]
fn what_rows_name_by_labels_is_found_in_proportion_to_what_is_asked_among_thousands_of_the_key() {
    const ROWS: i64 = 100;
    let database = Database::fresh("plans of labels in rows");
    let (alice, _) = database.two_tenants();
    let mut admin = database.admin();
    label_many(&mut admin, alice.tenant_id, 5000);
    run(&mut admin, "VACUUM ANALYZE");
    tell_plans(&database);
    let mut session = Session::begin(&database, &alice);
    session.allowance = BUFFERS_EACH;
    let of_labels = |after: i64| array(ROWS, &format!("jsonb_build_object('n', i + {after})"));
    let upload = |after: i64, skips: bool| {
        format!(
            "SELECT timedb.upload_points(now(), {}, {}, {}, labels => {}, skip_unchanged => {skips})",
            array(ROWS, "'labelled 1'::text"),
            array(ROWS, "'2025-01-01'::timestamptz"),
            array(ROWS, "1.5::float8"),
            of_labels(after)
        )
    };
    // Series that are found, others that are made, and values that are shown already.
    session.assert_costs(&upload(0, false), ROWS, 2);
    session.assert_costs(&upload(5000, false), ROWS, 4);
    session.assert_costs(&upload(0, true), ROWS, 3);
    let update = format!(
        "SELECT count(*) FROM timedb.update((SELECT json_agg(json_build_object('value_key', 'labelled 1', \
           'labels', jsonb_build_object('n', i), 'valid_time', '2025-01-01T00:00:00Z', 'value', i)) \
         FROM generate_series(1, {ROWS}) i))"
    );
    // What is shown is read twice: before its runs are locked, and after.
    session.allowance = ROWS * ROWS_EACH + BUFFERS_EACH;
    session.assert_costs(&update, ROWS, 5);
}
