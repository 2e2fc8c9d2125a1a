//! PostgREST's own statements over a plain connection: what it sends for a request, in its order, with its bind
//! parameters, and what it makes of the answer. So the promises of the HTTP tests hold for PostgREST itself.

use std::collections::HashMap;
use std::error::Error;

use postgres::error::DbError;
use postgres::types::{Format, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use postgres::{Client, Statement};
use serde::Deserialize;
use serde_json::{Value, json};
use timedb_testkit::{KEY_NEEDED, KEY_REFUSED, Stage, one, run, server_log, succeed};
use uuid::Uuid;

use crate::support::{assert_all_alike, web_roles};

/// A PostgREST with a pool of one connection.
struct PostgRest {
    connection: Client,
    /// `db-anon-role`.
    role: &'static str,
    /// It prepares what it sends, once a connection.
    prepared: HashMap<String, Statement>,
}

/// What it would answer.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: Value,
    body: Value,
}

/// A request, as far as the database meets it.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    headers: Value,
    reads: bool,
    /// None for `GET /`, which runs the pre-request function all the same.
    main: Option<String>,
    parameters: Vec<&'a str>,
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const SETTINGS: &str = "select set_config('search_path', $1, true), set_config('role', $2, true), \
     set_config('request.jwt.claims', $3, true), set_config('request.method', $4, true), \
     set_config('request.path', $5, true), set_config('request.headers', $6, true), \
     set_config('request.cookies', $7, true), set_config('timezone', $8, true)";
const PRE_REQUEST: &str = r#"select "timedb"."pre_request"()"#;

impl PostgRest {
    #[track_caller]
    fn in_front_of(stage: &Stage) -> Self {
        Self::as_role(stage, "web_anon")
    }

    #[track_caller]
    fn as_role(stage: &Stage, role: &'static str) -> Self {
        web_roles(&stage.database);
        // What requests must not inherit, nor leave behind.
        stage.database.set("timezone", "Asia/Tokyo");
        stage.database.set("plan_cache_mode", "force_generic_plan");
        Self {
            connection: stage.database.login("authenticator"),
            role,
            prepared: HashMap::new(),
        }
    }

    /// Answers a request; afterwards nothing of it is left on the connection.
    #[track_caller]
    fn answer(&mut self, request: &Request) -> Answer {
        let mode = if request.reads { "READ ONLY" } else { "READ WRITE" };
        run(&mut self.connection, &format!("{BEGIN} {mode}"));
        let answer = match self.within(request) {
            Ok(body) => {
                if request.reads {
                    let wrote = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL";
                    assert!(!one::<bool>(&mut self.connection, wrote), "a read writes nothing");
                }
                run(&mut self.connection, "COMMIT");
                Answer {
                    status: 200,
                    headers: json!({}),
                    body,
                }
            }
            Err(error) => {
                run(&mut self.connection, "ROLLBACK");
                let error = error.as_db_error().unwrap_or_else(|| panic!("{error:?}"));
                refusal(error)
            }
        };
        self.assert_nothing_is_left();
        answer
    }

    fn within(&mut self, request: &Request) -> Result<Value, postgres::Error> {
        let headers = request.headers.to_string();
        let settings = [
            r#""timedb", "public""#,
            self.role,
            r#"{"role":"web_anon"}"#,
            request.method,
            request.path,
            &headers,
            "{}",
            "America/New_York",
        ];
        self.send(SETTINGS, &settings)?;
        self.send(PRE_REQUEST, &[])?;
        let Some(main) = &request.main else {
            return Ok(Value::Null);
        };
        let rows = self.send(main, &request.parameters)?;
        let body: String = rows[0].get("body");
        Ok(serde_json::from_str(&body).expect("the body is JSON"))
    }

    fn send(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<postgres::Row>, postgres::Error> {
        if !self.prepared.contains_key(sql) {
            let statement = self.connection.prepare(sql)?;
            self.prepared.insert(sql.to_owned(), statement);
        }
        let unknown: Vec<Unknown> = parameters.iter().map(|&text| Unknown(text)).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> = unknown.iter().map(|text| text as _).collect();
        self.connection.query(&self.prepared[sql], &parameters)
    }

    #[track_caller]
    fn assert_nothing_is_left(&mut self) {
        let settings: Vec<Option<String>> = succeed(self.connection.query_one(
            "SELECT ARRAY[current_user::text, nullif(current_setting('timedb.tenant', true), ''), \
                          nullif(current_setting('timedb.login', true), ''), \
                          nullif(current_setting('request.headers', true), ''), \
                          nullif(current_setting('request.method', true), ''), \
                          current_setting('timezone')]",
            &[],
        ))
        .get(0);
        let expected = [Some("authenticator"), None, None, None, None, Some("Asia/Tokyo")];
        assert_eq!(settings.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
        run(&mut self.connection, "BEGIN; SET LOCAL ROLE web_anon");
        let tenant: Option<Uuid> = one(&mut self.connection, "SELECT timedb.current_tenant()");
        let residue: i64 = one(
            &mut self.connection,
            "SELECT (SELECT count(*) FROM pg_cursors WHERE name <> '') + (SELECT count(*) FROM timedb.whoami()) \
                  + (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema())",
        );
        run(&mut self.connection, "COMMIT");
        assert_eq!((tenant, residue), (None, 0));
    }

    #[track_caller]
    fn get(&mut self, key: Option<&str>, function: &Function, arguments: &[(&str, &str)]) -> Answer {
        self.answer(&Request {
            method: "GET",
            path: &format!("/rpc/{}", function.name),
            headers: headers(key),
            // Whatever the function's volatility.
            reads: true,
            main: Some(function.called_by_get(arguments)),
            parameters: arguments.iter().map(|(_, value)| *value).collect(),
        })
    }

    #[track_caller]
    fn post(&mut self, key: Option<&str>, function: &Function, body: &Value) -> Answer {
        let main = function.called_by_post(body);
        let body = body.to_string();
        self.answer(&Request {
            method: "POST",
            path: &format!("/rpc/{}", function.name),
            headers: headers(key),
            reads: function.reads,
            parameters: main.contains("$1").then_some(body.as_str()).into_iter().collect(),
            main: Some(main),
        })
    }

    /// `GET /table?select=…`
    #[track_caller]
    fn table(&mut self, key: Option<&str>, table: &str, column: &str) -> Answer {
        let source = format!(r#"SELECT "timedb"."{table}"."{column}" FROM "timedb"."{table}""#);
        self.answer(&Request {
            method: "GET",
            path: &format!("/{table}"),
            headers: headers(key),
            reads: true,
            main: Some(answered_by(&source, "SELECT * FROM pgrst_source", Shape::Rows)),
            parameters: vec![],
        })
    }
}

fn headers(key: Option<&str>) -> Value {
    let mut headers = json!({"host": "localhost:3000", "accept": "*/*"});
    if let Some(key) = key {
        headers["x-api-key"] = json!(key);
    }
    headers
}

/// What PostgREST makes of a function's result.
#[derive(Clone, Copy)]
enum Shape {
    Rows,
    Object,
    Scalar,
}

/// A function as PostgREST finds it in the catalog.
struct Function {
    name: &'static str,
    arguments: &'static [(&'static str, &'static str)],
    shape: Shape,
    /// STABLE or IMMUTABLE: a POST is READ ONLY too.
    reads: bool,
}

const READ: Function = Function {
    name: "read",
    arguments: &[
        ("start_valid", "timestamp with time zone"),
        ("end_valid", "timestamp with time zone"),
        ("mode", "text"),
        ("all_versions", "boolean"),
        ("series_keys", "text[]"),
        ("series_ids", "uuid[]"),
    ],
    shape: Shape::Rows,
    reads: true,
};
const LIST_SERIES: Function = Function {
    name: "list_series",
    arguments: &[],
    shape: Shape::Rows,
    reads: true,
};
const WHOAMI: Function = Function {
    name: "whoami",
    arguments: &[],
    shape: Shape::Rows,
    reads: true,
};
const UPLOAD: Function = Function {
    name: "upload",
    arguments: &[
        ("run_start_time", "timestamp with time zone"),
        ("value_rows", "json"),
        ("workflow_id", "text"),
        ("known_time", "timestamp with time zone"),
        ("run_params", "jsonb"),
    ],
    shape: Shape::Object,
    reads: false,
};
const UPDATE: Function = Function {
    name: "update",
    arguments: &[("updates", "json")],
    shape: Shape::Rows,
    reads: false,
};
const CREATE_SERIES: Function = Function {
    name: "create_series",
    arguments: &[("name", "text"), ("unit", "text"), ("description", "text")],
    shape: Shape::Scalar,
    reads: false,
};
const AUTHENTICATE: Function = Function {
    name: "authenticate",
    arguments: &[("api_key", "text"), ("is_local", "boolean")],
    shape: Shape::Object,
    reads: false,
};
const REGENERATE_KEY: Function = Function {
    name: "regenerate_key",
    arguments: &[("email", "text"), ("grace", "interval")],
    shape: Shape::Object,
    reads: false,
};
const CREATE_USER: Function = Function {
    name: "create_user",
    arguments: &[("tenant_id", "uuid"), ("email", "text"), ("scope", "text")],
    shape: Shape::Object,
    reads: false,
};

impl Function {
    /// From the query string: each argument is a bind parameter, and its type is cast to.
    fn called_by_get(&self, arguments: &[(&str, &str)]) -> String {
        let passed: Vec<String> = arguments
            .iter()
            .enumerate()
            .map(|(at, (name, _))| format!(r#""{name}" := ${}::{}"#, at + 1, self.type_of(name)))
            .collect();
        self.answer(&format!("FROM {}", self.call(&passed)))
    }

    /// From a JSON object, which is the one bind parameter.
    fn called_by_post(&self, body: &Value) -> String {
        let names: Vec<&String> = body.as_object().expect("an object").keys().collect();
        if names.is_empty() {
            return self.answer(&format!("FROM {}", self.call(&[])));
        }
        let list = |of: &dyn Fn(&str) -> String| -> Vec<String> { names.iter().map(|name| of(name)).collect() };
        let columns = list(&|name| format!(r#""{name}""#)).join(", ");
        let typed = list(&|name| format!(r#""{name}" {}"#, self.type_of(name))).join(", ");
        let passed = list(&|name| format!(r#""{name}" := pgrst_body."{name}""#));
        self.answer(&format!(
            "FROM (SELECT $1::json AS json_data) pgrst_payload, \
             LATERAL (SELECT {columns} FROM json_to_record(pgrst_payload.json_data) AS _({typed}) LIMIT 1) pgrst_body, \
             LATERAL {}",
            self.call(&passed)
        ))
    }

    fn call(&self, arguments: &[String]) -> String {
        let call = format!(r#""timedb"."{}"({})"#, self.name, arguments.join(", "));
        match self.shape {
            Shape::Scalar => format!("(SELECT {call} pgrst_scalar) pgrst_call"),
            Shape::Rows | Shape::Object => format!("{call} pgrst_call"),
        }
    }

    fn answer(&self, from: &str) -> String {
        let columns = match self.shape {
            Shape::Scalar => "pgrst_call.pgrst_scalar",
            Shape::Rows | Shape::Object => "pgrst_call.*",
        };
        let name = self.name;
        let selected = format!(r#"SELECT "{name}".* FROM "pgrst_source" AS "{name}""#);
        answered_by(&format!("SELECT {columns} {from}"), &selected, self.shape)
    }

    fn type_of(&self, argument: &str) -> &str {
        let found = self.arguments.iter().find(|(name, _)| *name == argument);
        found
            .unwrap_or_else(|| panic!("{} has no argument {argument}", self.name))
            .1
    }
}

fn answered_by(source: &str, selected: &str, shape: Shape) -> String {
    let body = match shape {
        Shape::Rows => "coalesce(json_agg(_postgrest_t), '[]')",
        Shape::Object => "coalesce(json_agg(_postgrest_t)->0, 'null')",
        Shape::Scalar => "coalesce(json_agg(_postgrest_t.pgrst_scalar)->0, 'null')",
    };
    format!(
        "WITH pgrst_source AS ({source}) \
         SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, ({body})::text AS body, \
                nullif(current_setting('response.headers', true), '') AS response_headers, \
                nullif(current_setting('response.status', true), '') AS response_status \
         FROM ({selected}) _postgrest_t"
    )
}

/// A text whose type the server infers, as PostgREST sends everything.
#[derive(Debug)]
struct Unknown<'a>(&'a str);

impl ToSql for Unknown<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// What PostgREST reads from an error with SQLSTATE `PGRST`; a key that is missing here makes it answer 500.
#[derive(Deserialize)]
struct RaisedMessage {
    code: String,
    message: String,
    details: Option<String>,
    hint: Option<String>,
}

#[derive(Deserialize)]
struct RaisedDetail {
    status: u16,
    headers: HashMap<String, String>,
}

/// The HTTP answer to an error, by PostgREST's table; everybody is the anonymous role here.
#[track_caller]
fn refusal(error: &DbError) -> Answer {
    if error.code().code() == "PGRST" {
        let message: RaisedMessage = serde_json::from_str(error.message()).expect("a message as PostgREST asks for");
        let detail: RaisedDetail =
            serde_json::from_str(error.detail().expect("a detail")).expect("a detail as PostgREST asks for");
        return Answer {
            status: detail.status,
            headers: json!(detail.headers),
            body: json!({
                "code": message.code, "message": message.message, "details": message.details, "hint": message.hint,
            }),
        };
    }
    let code = error.code().code();
    let (status, headers) = match code {
        "42501" => (401, json!({"WWW-Authenticate": "Bearer"})),
        "25006" => (405, json!({})),
        "23503" | "23505" => (409, json!({})),
        "42883" | "42P01" => (404, json!({})),
        "42P17" => (500, json!({})),
        "P0001" => (400, json!({})),
        _ => match &code[..2] {
            "28" => (403, json!({})),
            "XX" | "40" | "54" | "55" | "57" | "P0" | "08" | "53" => (500, json!({})),
            _ => (400, json!({})),
        },
    };
    Answer {
        status,
        headers,
        body: json!({
            "code": code, "message": error.message(), "details": error.detail(), "hint": error.hint(),
        }),
    }
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str, message: &str) {
    let challenge = match status {
        401 => json!({"WWW-Authenticate": "ApiKey"}),
        _ => json!({}),
    };
    assert_eq!((answer.status, &answer.headers), (status, &challenge), "{answer:?}");
    assert_eq!(
        (&answer.body["code"], &answer.body["message"]),
        (&json!(code), &json!(message))
    );
}

fn row(key: &str, value: f64) -> Value {
    json!({"valid_time": "2025-01-01T00:00:00Z", "value_key": key, "value": value})
}

fn upload_of(rows: Value) -> Value {
    json!({"run_start_time": "2025-01-01T00:00:00Z", "value_rows": rows})
}

#[test]
fn a_get_reads_in_a_read_only_transaction_and_a_post_writes() {
    let stage = Stage::set("get and post");
    let mut server = PostgRest::in_front_of(&stage);
    let alice = Some(stage.alice.api_key.as_str());
    let bob = Some(stage.bob.api_key.as_str());

    let body = json!({
        "run_start_time": "2025-01-01T00:00:00Z", "workflow_id": "forecast", "known_time": "2025-01-01T06:00:00Z",
        "run_params": {"model": "m1"}, "value_rows": [row("wind", 1.5), row("sun", 2.5)],
    });
    let uploaded = server.post(alice, &UPLOAD, &body);
    assert_eq!(uploaded.status, 200, "{uploaded:?}");
    let (run, series) = (&uploaded.body["run_id"], &uploaded.body["series_ids"]["wind"]);

    let arguments = [
        ("start_valid", "2025-01-01T00:00:00Z"),
        ("end_valid", "2025-01-02T00:00:00Z"),
        ("mode", "flat"),
        ("all_versions", "false"),
        ("series_keys", "{wind}"),
    ];
    let read = server.get(alice, &READ, &arguments);
    let expected = json!([{
        "known_time": "2025-01-01T06:00:00+00:00", "valid_time": "2025-01-01T00:00:00+00:00", "valid_time_end": null,
        "series_id": series, "series_key": "wind", "unit": "dimensionless", "value": 1.5, "run_id": run,
        "change_time": read.body[0]["change_time"], "changed_by": "alice@tenant-a.com",
        "annotation": null, "tags": null, "labels": {},
    }]);
    assert_eq!(
        (read.status, &read.body),
        (200, &expected),
        "in UTC, whatever the request prefers"
    );
    let by_post = json!({"series_keys": ["wind"], "mode": null, "end_valid": "2025-01-02T00:00:00Z"});
    assert_eq!(server.post(alice, &READ, &by_post), read);

    let key = json!({"run_id": run, "series_id": series, "valid_time": "2025-01-01T00:00:00Z", "value": 9.5});
    let updated = server.post(alice, &UPDATE, &json!({"updates": [key]}));
    assert_eq!(
        (updated.status, &updated.body[0]["status"]),
        (200, &json!("updated")),
        "{updated:?}"
    );
    assert_eq!(server.get(alice, &READ, &arguments).body[0]["value"], 9.5);

    let named = json!({"name": "price", "unit": "EUR/MWh", "description": "day ahead"});
    let created = server.post(alice, &CREATE_SERIES, &named);
    assert!(created.body.is_string(), "a scalar: {created:?}");
    let listed = server.get(alice, &LIST_SERIES, &[]);
    assert_eq!(listed.body.as_array().map(Vec::len), Some(4));
    assert_eq!(listed.body[1]["series_id"], created.body);

    let bobs = server.get(bob, &READ, &[]);
    assert_eq!(bobs.body.as_array().map(Vec::len), Some(1));
    assert_eq!(bobs.body[0]["series_key"], "bob");
}

#[test]
fn a_get_of_a_function_that_writes_is_405() {
    let stage = Stage::set("a get that writes");
    let mut server = PostgRest::in_front_of(&stage);
    let alice = Some(stage.alice.api_key.as_str());
    let rows = json!([row("x", 1.0)]).to_string();
    let answers = [
        server.get(alice, &CREATE_SERIES, &[("name", "x")]),
        server.get(
            alice,
            &UPLOAD,
            &[("run_start_time", "2025-01-01"), ("value_rows", &rows)],
        ),
    ];
    for answer in answers {
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (405, &json!("25006")),
            "{answer:?}"
        );
    }
}

#[test]
fn without_a_key_and_with_every_bad_one_the_answer_is_401_from_the_pre_request() {
    let stage = Stage::set("401");
    let mut server = PostgRest::in_front_of(&stage);
    let carol = stage
        .database
        .create_user(stage.alice.tenant_id, "carol@tenant-a.com", "write");
    assert_eq!(server.get(Some(&carol.api_key), &READ, &[]).status, 200, "the premise");
    let deactivate = "SELECT timedb.deactivate_user(user_id => $1)";
    succeed(stage.database.login("ops").execute(deactivate, &[&carol.user_id]));

    let mut every_request = |key: Option<&str>| {
        vec![
            server.get(key, &READ, &[]),
            server.post(key, &READ, &json!({})),
            server.post(key, &UPLOAD, &upload_of(json!([row("x", 1.0)]))),
            server.post(key, &AUTHENTICATE, &json!({"api_key": stage.alice.api_key})),
            server.table(key, "series", "series_key"),
            // The API's description: PostgREST asks the pre-request function for that, too.
            server.answer(&Request {
                method: "GET",
                path: "/",
                headers: headers(key),
                reads: true,
                main: None,
                parameters: vec![],
            }),
        ]
    };
    for answer in every_request(None) {
        assert_refused(&answer, 401, "28000", KEY_NEEDED);
        assert_eq!(answer.body["hint"], "In SQL, call timedb.authenticate(api_key) first.");
    }
    let mut answers = Vec::new();
    for key in ["", " ", "tdb_bad", "null", "' OR true --", &carol.api_key] {
        for answer in every_request(Some(key)) {
            answers.push((key.to_owned(), answer));
        }
    }
    assert_all_alike(&answers);
    assert_refused(&answers[0].1, 401, "28000", KEY_REFUSED);
    assert_eq!(answers[0].1.body["details"], Value::Null);

    let log = server_log();
    assert!(log.contains("timedb: login failed: role \"authenticator\""));
    assert!(
        !log.contains(&carol.api_key),
        "the log tells of the refusal, and not the key"
    );
}

#[test]
fn a_scope_that_does_not_allow_it_is_403() {
    let stage = Stage::set("403");
    let mut server = PostgRest::in_front_of(&stage);
    let reader = stage.alice_of_scope("read").api_key;
    let reader = Some(reader.as_str());
    let message = "this needs an API key of scope \"write\"";
    let upload = upload_of(json!([row("x", 1.0)]));
    assert_refused(&server.post(reader, &UPLOAD, &upload), 403, "42501", message);
    assert_refused(
        &server.post(reader, &UPDATE, &json!({"updates": []})),
        403,
        "42501",
        message,
    );
    assert_refused(
        &server.post(reader, &CREATE_SERIES, &json!({"name": "x"})),
        403,
        "42501",
        message,
    );
    assert_eq!(server.get(reader, &READ, &[]).status, 200);
    let admin = stage.alice_of_scope("admin").api_key;
    let of_bob = json!({"tenant_id": stage.bob.tenant_id.to_string(), "email": "x@tenant-b.com"});
    let answer = server.post(Some(&admin), &CREATE_USER, &of_bob);
    assert_refused(&answer, 403, "42501", "an API key creates users of its own tenant only");
}

#[test]
fn what_is_absent_or_another_tenants_is_404_what_is_too_large_413_and_what_is_wrong_400() {
    let stage = Stage::set("404");
    let mut server = PostgRest::in_front_of(&stage);
    let alice = Some(stage.alice.api_key.as_str());
    let bobs = server.get(Some(&stage.bob.api_key), &READ, &[]).body[0].clone();
    let own = server.get(alice, &READ, &[]).body[0].clone();
    for run in [bobs["run_id"].clone(), json!(Uuid::now_v7().to_string())] {
        let key = json!({"run_id": run, "series_id": own["series_id"], "valid_time": "2025-01-01", "value": 1});
        let answer = server.post(alice, &UPDATE, &json!({"updates": [key]}));
        let message = format!(
            "updates[0].run_id: run \"{}\" does not exist",
            run.as_str().expect("an id")
        );
        assert_refused(&answer, 404, "42704", &message);
    }
    for series in [bobs["series_id"].clone(), json!(Uuid::now_v7().to_string())] {
        let row = json!({"series_id": series, "valid_time": "2025-01-01", "value": 1});
        let answer = server.post(alice, &UPLOAD, &upload_of(json!([row])));
        let message = format!(
            "value_rows[0].series_id: series \"{}\" does not exist",
            series.as_str().expect("an id")
        );
        assert_refused(&answer, 404, "42704", &message);
    }
    let ids = format!("{{{}}}", bobs["series_id"].as_str().expect("an id"));
    let nothing = server.get(alice, &READ, &[("series_ids", &ids)]);
    assert_eq!((nothing.status, nothing.body), (200, json!([])));

    let answer = server.post(alice, &UPLOAD, &upload_of(json!([row(&"k".repeat(501), 1.0)])));
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (413, &json!("54000")),
        "{answer:?}"
    );
    let answer = server.post(alice, &CREATE_SERIES, &json!({"name": "k".repeat(501)}));
    assert_refused(&answer, 413, "54000", "\"name\" is longer than 500 bytes");

    let twice = upload_of(json!([row("a", 1.0), row("a", 2.0)]));
    let answer = server.post(alice, &UPLOAD, &twice);
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (400, &json!("22023")),
        "{answer:?}"
    );
    let answer = server.get(alice, &READ, &[("mode", "sideways")]);
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (400, &json!("22023")),
        "{answer:?}"
    );
    let answer = server.get(alice, &READ, &[("start_valid", "soon")]);
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (400, &json!("22007")),
        "{answer:?}"
    );
}

#[test]
fn a_login_within_a_request_ends_with_it_whatever_it_asks_for() {
    let stage = Stage::set("logins");
    let mut server = PostgRest::in_front_of(&stage);
    for is_local in [json!(null), json!(false), json!(true)] {
        let login = json!({"api_key": stage.alice.api_key, "is_local": is_local});
        // That nothing is left is asserted after every answer.
        let answer = server.post(Some(&stage.bob.api_key), &AUTHENTICATE, &login);
        assert_eq!(
            (answer.status, &answer.body["email"]),
            (200, &json!("alice@tenant-a.com"))
        );
        let answer = server.get(Some(&stage.bob.api_key), &WHOAMI, &[]);
        assert_eq!(answer.body[0]["email"], "bob@tenant-b.com");
        assert_eq!(server.get(None, &READ, &[]).status, 401);
    }
    let shown = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%tdb\\_%' AND datname = current_database() \
                 AND pid <> pg_backend_pid()";
    assert_eq!(one::<i64>(&mut stage.admin(), shown), 0, "no key in pg_stat_activity");
    let bad = json!({"api_key": "tdb_bad"});
    let answer = server.post(Some(&stage.bob.api_key), &AUTHENTICATE, &bad);
    assert_refused(&answer, 401, "28000", KEY_REFUSED);
    assert_eq!(server.get(Some(&stage.bob.api_key), &READ, &[]).status, 200);
}

#[test]
fn two_tenants_by_turns_over_one_connection_and_its_prepared_statements_never_mix() {
    let stage = Stage::set("turns over http");
    let mut server = PostgRest::as_role(&stage, "web_reader");
    for turn in 0..50 {
        for (identity, own) in [(&stage.alice, "alice"), (&stage.bob, "bob")] {
            let key = Some(identity.api_key.as_str());
            let answers = [
                server.get(key, &READ, &[("mode", "flat")]),
                server.get(key, &LIST_SERIES, &[]),
                server.table(key, "series", "series_key"),
                server.table(key, "current_values", "series_key"),
            ];
            for answer in answers {
                assert_eq!(answer.body.as_array().map(Vec::len), Some(1), "turn {turn}: {answer:?}");
                assert_eq!(answer.body[0]["series_key"], own, "turn {turn}");
            }
            if turn % 10 == 0 {
                assert_eq!(server.get(Some("tdb_bad"), &READ, &[]).status, 401);
                assert_eq!(server.table(None, "values", "series_id").status, 401);
            }
        }
    }
    let sql = "SELECT min(generic_plans) FROM pg_prepared_statements WHERE statement LIKE 'WITH pgrst_source%'";
    assert!(
        one::<i64>(&mut server.connection, sql) >= 50,
        "the premise: the plans are generic"
    );
}

#[test]
fn a_function_with_one_out_argument_answers_an_object() {
    let stage = Stage::set("one out argument");
    let mut server = PostgRest::in_front_of(&stage);
    let admin = stage.alice_of_scope("admin").api_key;
    let body = json!({"email": "alice@tenant-a.com"});
    let answer = server.post(Some(&admin), &REGENERATE_KEY, &body);
    let new = answer.body["api_key"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned();
    assert_eq!(server.get(Some(&new), &READ, &[]).status, 200);
    assert_eq!(server.get(Some(&stage.alice.api_key), &READ, &[]).status, 401);
}

#[test]
fn the_anonymous_role_calls_functions_and_a_reader_selects_too_and_neither_writes_a_table() {
    let stage = Stage::set("privileges");
    web_roles(&stage.database);
    let mut admin = stage.admin();
    for (role, readable) in [
        ("web_anon", ""),
        (
            "web_reader",
            "current_values packs runs series values versions withdrawals",
        ),
    ] {
        for privilege in ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"] {
            let sql = format!(
                "SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v') \
                 AND has_table_privilege('{role}', c.oid, '{privilege}')"
            );
            assert_eq!(one::<i64>(&mut admin, &sql), 0, "{role}: {privilege}");
        }
        let found = format!(
            "SELECT coalesce(string_agg(c.relname, ' ' ORDER BY c.relname), '') FROM pg_class c \
             WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v') \
               AND has_any_column_privilege('{role}', c.oid, 'SELECT')"
        );
        assert_eq!(one::<String>(&mut admin, &found), readable, "{role}");
    }
}

/// PostgREST pairs the first names of a function with the types of its input arguments, so those must come first; and
/// it can tell functions of one name apart by the arguments' names alone.
#[test]
fn every_function_an_http_client_may_call_has_the_arguments_that_postgrest_reads() {
    let stage = Stage::set("arguments");
    web_roles(&stage.database);
    let callable = "p.pronamespace = 'timedb'::regnamespace AND has_function_privilege('web_anon', p.oid, 'EXECUTE')";
    // `seen` is its query for the schema cache, but for what is not about names.
    let misread = format!(
        "SELECT format('%s(%s) is read as (%s)', p.proname, input.names, seen.names) \
         FROM pg_proc p, \
           LATERAL (SELECT string_agg(name, ', ' ORDER BY at) \
             FROM unnest(p.proargnames, p.proargtypes, p.proargmodes) WITH ORDINALITY AS _ (name, type, mode, at) \
             WHERE type IS NOT NULL) AS seen(names), \
           LATERAL (SELECT string_agg(name, ', ' ORDER BY at) \
             FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS _ (name, mode, at) \
             WHERE coalesce(mode, 'i') IN ('i', 'b', 'v')) AS input(names) \
         WHERE {callable} AND p.prokind = 'f' AND seen.names IS DISTINCT FROM input.names \
           AND p.proname NOT LIKE '\\_%' ORDER BY 1"
    );
    let strings = |sql: &str| -> Vec<String> {
        let rows = succeed(stage.admin().query(sql, &[]));
        rows.iter().map(|row| row.get(0)).collect()
    };
    let all = format!("SELECT p.proname::text FROM pg_proc p WHERE {callable}");
    assert!(strings(&all).len() > 20, "the premise");
    assert_eq!(strings(&format!("{all} GROUP BY 1 HAVING count(*) > 1")), [""; 0]);
    assert_eq!(strings(&format!("{all} AND p.prokind = 'p'")), [""; 0]);
    assert_eq!(strings(&misread), [""; 0], "PostgREST misreads these");
}
