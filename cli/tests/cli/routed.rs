//! The command, and its HTTP server, in front of a router of three servers: as in front of one server, but for what works on
//! tables. By `scripts/test.sh router`.

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use serde_json::{Value, json};
use timedb_testkit::{Database, Identity, KEY_NEEDED, KEY_REFUSED, one_of};
use uuid::Uuid;

use crate::api::{Api, Http};
use crate::support::{Folder, timedb};

/// A router, and Alice and Bob of tenants on two of its servers.
struct Stage {
    database: Database,
    alice: Identity,
    bob: Identity,
}

impl Stage {
    fn new(name: &str) -> Stage {
        let database = Database::fresh(name);
        assert_eq!(database.server().shards().len(), 3, "run by scripts/test.sh router");
        let [alice, bob] = [(0, "alice@tenant-a.com"), (2, "bob@tenant-b.com")]
            .map(|(server, email)| database.create_user(tenant_on(&database, server), email, "admin"));
        Stage { database, alice, bob }
    }

    fn alice_of_scope(&self, scope: &str) -> Identity {
        let email = format!("{scope}@tenant-a.com");
        self.database.create_user(self.alice.tenant_id, &email, scope)
    }
}

fn tenant_on(database: &Database, server: usize) -> Uuid {
    let its = database.server().shards()[server].conninfo(database.name());
    let mut admin = database.admin();
    std::iter::repeat_with(Uuid::now_v7)
        .find(|tenant| one_of::<String>(&mut admin, "SELECT timedb_router._of_tenant($1)", &[tenant]) == its)
        .expect("a tenant of it")
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn what_the_command_asks_of_a_server_it_asks_of_a_router() {
    let stage = Stage::new("cli on a router");
    let folder = Folder::of("on a router");
    folder.write(
        "heat.csv",
        "valid_time,heat\n2025-01-01T00:00:00Z,1.5\n2025-01-01T01:00:00Z,2.5\n",
    );
    let (tenant, other) = (stage.alice.tenant_id, stage.bob.tenant_id);
    let create = format!("users create --tenant-id {tenant} --email carol@tenant-a.com");
    let kept = format!("retention list --tenant-id {tenant}");
    let bind = format!("bind app --tenant-id {tenant}");
    // Whose role connects, with whose key, what is typed, and what is printed and what is not.
    let alice = Some(&stage.alice);
    let bob = Some(&stage.bob);
    let (no_heat, both) = ("heat", tenant.to_string());
    let other = other.to_string();
    for (role, key, line, shown, hidden) in [
        ("ops", None, "check", "(0 rows)", "found"),
        ("ops", None, create.as_str(), "carol@tenant-a.com", "bob@"),
        ("ops", None, "users list", "bob@tenant-b.com", "tdb_"),
        (
            "ops",
            None,
            "users deactivate --email carol@tenant-a.com -y",
            "",
            "tdb_",
        ),
        ("ops", None, "users activate --email carol@tenant-a.com", "", "tdb_"),
        (
            "ops",
            None,
            "users regenerate-key --email carol@tenant-a.com -y",
            "tdb_",
            "bob@",
        ),
        (
            "ops",
            None,
            "keys create --email carol@tenant-a.com --scope read",
            "API Key: tdb_",
            "bob@",
        ),
        ("ops", None, "keys list", "Keys (", "API Key"),
        ("caller", alice, "users list", "carol@tenant-a.com", "bob@"),
        ("caller", alice, "upload heat.csv", "", "bob@"),
        ("caller", alice, "read heat", "2.5", "bob@"),
        ("caller", bob, "series list", "(0 rows)", no_heat),
        ("caller", alice, "series list", "heat", "bob@"),
        ("caller", alice, "runs list", "alice@tenant-a.com", "bob@"),
        ("caller", alice, "stats", "series", &other),
        ("ops", None, "stats --all", &both, "heat"),
        ("ops", None, kept.as_str(), "(0 rows)", "heat"),
        ("caller", alice, "retention list", "(0 rows)", "heat"),
        ("caller", alice, "audit", "create_key", "bob@"),
        ("ops", None, "audit", "create_user", "tdb_"),
        ("ops", None, bind.as_str(), "Bound", "tdb_"),
        ("ops", None, "bindings", "app", "tdb_"),
        ("ops", None, "unbind app -y", "Unbound", "tdb_"),
    ] {
        let typist = timedb(&stage.database, role).within(&folder);
        let typist = match key {
            Some(identity) => typist.with_key_of(identity),
            None => typist,
        };
        let typed = typist.types(line);
        assert_eq!(typed.code, Some(0), "{line}: {typed:?}");
        assert!(typed.out.contains(shown), "{line}: {}", typed.out);
        assert!(!typed.out.contains(hidden), "{line}: {}", typed.out);
    }
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn what_works_on_tables_is_refused_on_a_router_and_says_where_it_works() {
    let stage = Stage::new("cli refused on a router");
    let folder = Folder::of("refused on a router");
    let tenant = stage.alice.tenant_id;
    let original = format!("import-original {}", stage.database.url("postgres"));
    let export = format!("export {tenant} tenant.timedb");
    folder.write("heat.csv", "valid_time,heat\n2025-01-01T00:00:00Z,1.5\n");
    for (line, said) in [
        ("upload heat.csv --dry-run", "Nothing was uploaded"),
        ("create tables", "Connect to each of its servers"),
        (
            "create tables --yes",
            "CREATE ROLE timedb_web LOGIN IN ROLE timedb_caller",
        ),
        ("delete tables -y", "Connect to each of its servers"),
        (&export, "Connect to the server that the tenant is on"),
        (&original, "Connect to the server that the tenant is on"),
        ("maintain", "CALL timedb.maintain() on each of them"),
    ] {
        let typist = timedb(&stage.database, "postgres").within(&folder);
        let told = typist.with_key_of(&stage.alice).types(line).failed(1);
        assert!(told.contains("HINT:") && told.contains(said), "{line}: {told}");
        assert_eq!(folder.names(), ["heat.csv"], "{line}");
    }
    let series = timedb(&stage.database, "caller")
        .with_key_of(&stage.alice)
        .types("series list");
    assert_eq!(series.done(), "(0 rows)\n");
    // What it says is to be done can be done: a tenant goes from the server that it is on to a file, and by the router no further.
    let its = &stage.database.server().shards()[0];
    let exported = crate::support::timedb_on(its, "postgres", stage.database.name()).within(&folder);
    assert!(exported.types(&export).done().contains("Exported tenant"));
    let import = timedb(&stage.database, "postgres")
        .within(&folder)
        .types("import tenant.timedb");
    assert!(import.failed(1).contains("import works on tables"));
    let users = timedb(&stage.database, "ops").types("users list --json").done();
    let users: Vec<Value> = serde_json::from_str(&users).expect("users");
    assert_eq!(users.len(), 2, "nothing of it has changed anything");
}

/// What a request of nobody, or of whoever has a wrong key, is told in front of one server: in the original's form, or in that of
/// functions.
#[track_caller]
fn assert_unauthorized(client: &Http, path: &str, message: &str) {
    let told = match path.starts_with("/rpc/") {
        true => json!({"code": "28000", "details": null, "hint": null, "message": message}),
        false => json!({ "detail": message }),
    };
    let answer = client.get(path);
    assert_eq!((answer.status, answer.json()), (401, told), "{path}");
    assert_eq!(answer.header("www-authenticate"), Some("ApiKey"));
}

fn upload(key: &str, value: f64) -> Value {
    json!({"run_start_time": "2025-01-01T00:00:00Z", "known_time": "2025-01-01T00:00:00Z",
           "value_rows": [{"value_key": key, "valid_time": "2025-01-01T00:00:00Z", "value": value}]})
}

/// What an upload takes of a stream that was read.
fn of_a_value(stream: &[u8]) -> Vec<u8> {
    let mut batches = StreamReader::try_new(stream, None).expect("a stream");
    let batch = batches.next().expect("a batch").expect("rows");
    let place = |name| batch.schema().index_of(name).expect("a column");
    let columns = ["valid_time", "value", "series_key"].map(place);
    let batch = batch.project(&columns).expect("columns");
    let mut written = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a stream");
    written.write(&batch).expect("rows");
    written.into_inner().expect("an end")
}

fn values(client: &Http) -> Value {
    let read = client.get("/values").done();
    let data = read["data"].as_array().expect("records");
    data.iter()
        .map(|record| json!([record["series_key"], record["value"]]))
        .collect()
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn timedb_api_in_front_of_a_router_answers_as_in_front_of_one_server() {
    let stage = Stage::new("api on a router");
    let reader = stage.alice_of_scope("read");
    let api = Api::of(&stage.database, "caller");
    let [alice, bob, reader] = [&stage.alice, &stage.bob, &reader].map(|identity| api.with_key_of(identity));
    for path in ["/values", "/rpc/read", "/list_timeseries", "/rpc/whoami"] {
        assert_unauthorized(&api.without_key(), path, KEY_NEEDED);
        // What is no key, one of no tenant, and one with the route of a server that does not know it.
        let mut unknown = stage.alice.api_key.clone();
        unknown.replace_range(unknown.len() - 2.., "__");
        for wrong in ["invalid-key-12345", &format!("tdb_{}", "A".repeat(48)), &unknown] {
            assert_unauthorized(&api.with_key(wrong), path, KEY_REFUSED);
        }
    }
    let heat = alice.post("/upload", &upload("heat", 1.5)).done();
    assert_eq!(heat["message"], "Run created successfully");
    bob.post("/upload", &upload("wind", 2.5)).done();
    let forbidden = reader.post("/upload", &upload("heat", 9.0));
    assert_eq!(forbidden.status, 403, "{}", forbidden.text());
    assert_eq!(values(&alice), json!([["heat", 1.5]]));
    assert_eq!(values(&reader), json!([["heat", 1.5]]));
    assert_eq!(values(&bob), json!([["wind", 2.5]]));

    let mut update = alice.get("/values").done()["data"][0].clone();
    update["value"] = json!(3.5);
    update["tenant_id"] = json!(stage.alice.tenant_id.to_string());
    let body = json!({ "updates": [update] });
    let put = alice.put("/values", &body).done();
    assert_eq!(put["updated"][0]["tenant_id"], json!(stage.alice.tenant_id.to_string()));
    assert_eq!(values(&alice), json!([["heat", 3.5]]));
    assert_eq!(alice.put("/values", &body).done()["updated"], json!([]), "done already");
    // To Bob, whose server does not have the run, it is not there.
    assert_eq!(bob.put("/values", &body).status, 404);

    let listed = alice.post("/rpc/list_series", &json!({"search": "hea"})).done();
    assert_eq!(listed[0]["series_key"], "heat");
    assert_eq!(alice.post("/rpc/self_check", &json!({})).status, 404, "an operator's");
    assert_eq!(reader.post("/rpc/list_users", &json!({})).status, 403);
    let users = alice.post("/rpc/list_users", &json!({})).done();
    assert_eq!(users.as_array().map(Vec::len), Some(2), "{users}");

    let arrow = "application/vnd.apache.arrow.stream";
    let stream = alice.with("Accept", arrow).get("/values");
    assert_eq!((stream.status, stream.header("content-type")), (200, Some(arrow)));
    let uploaded = bob.send(
        "POST",
        "/upload?run_start_time=2025-01-02",
        arrow,
        &of_a_value(&stream.bytes),
    );
    assert_eq!(uploaded.status, 200, "{}", uploaded.text());
    assert_eq!(values(&bob), json!([["heat", 3.5], ["wind", 2.5]]));
    assert_eq!(api.without_key().get("/health").status, 200);
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn the_next_request_on_a_connection_to_a_router_is_nobody_s() {
    let stage = Stage::new("api router pool");
    let api = Api::at(&stage.database.url("caller"), &["--connections", "1"]);
    let [alice, bob] = [&stage.alice, &stage.bob].map(|identity| api.with_key_of(identity));
    alice.post("/upload", &upload("heat", 1.5)).done();
    bob.post("/upload", &upload("wind", 2.5)).done();
    let assert_each_sees_its_own = |after: &str| {
        assert_unauthorized(&api.without_key(), "/values", KEY_NEEDED);
        assert_eq!(values(&alice), json!([["heat", 1.5]]), "{after}");
        assert_unauthorized(&api.without_key(), "/rpc/whoami", KEY_NEEDED);
        assert_eq!(values(&bob), json!([["wind", 2.5]]), "{after}");
        assert_unauthorized(&api.with_key("tdb_bad"), "/values", KEY_REFUSED);
    };
    assert_each_sees_its_own("requests that were served");
    assert_eq!(alice.get("/values?mode=best").status, 400);
    assert_each_sees_its_own("a mistake");
    assert_eq!(
        alice
            .post("/upload", &json!({"value_rows": [{"value_key": "x"}]}))
            .status,
        400
    );
    assert_each_sees_its_own("an upload that was refused");
    assert_eq!(alice.post("/rpc/logout", &json!({})).status, 404);
    assert_each_sees_its_own("an attempt to log out");
    stage
        .database
        .login("ops")
        .execute("SELECT timedb.deactivate_user($1)", &[&stage.alice.email])
        .expect("deactivated");
    for path in ["/values", "/rpc/whoami"] {
        assert_unauthorized(&alice, path, KEY_REFUSED);
    }
    assert_eq!(values(&bob), json!([["wind", 2.5]]));
}
