//! The description of the API that programs read: the routes of the original service, and the functions as the catalog has
//! them, with their comments.

use serde_json::{Map, Value, json};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

use super::answer::ARROW;
use super::catalog::{Answer, Argument, Catalog, Function};

#[derive(OpenApi)]
#[openapi(
    info(title = "TimeDB API", description = "Time series that are revised, each tenant's by its key."),
    paths(upload, read, update, create_series, list),
    components(schemas(Upload, ValueRow, Update, Series)),
    modifiers(&WithKey),
    security(("X-API-Key" = []))
)]
struct Described;

struct WithKey;

impl Modify for WithKey {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("X-API-Key", key);
    }
}

/// A run of values.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by its derive alone")]
struct Upload {
    /// When the run began.
    #[schema(example = "2025-01-01T06:00:00Z")]
    run_start_time: String,
    value_rows: Vec<ValueRow>,
    /// `api-workflow` where left out.
    workflow_id: Option<String>,
    run_finish_time: Option<String>,
    /// When all of it was known: now, where left out.
    known_time: Option<String>,
    run_params: Option<Value>,
    /// Your own, or none.
    tenant_id: Option<String>,
    /// Leaves out what is shown already.
    skip_unchanged: Option<bool>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "read by its derive alone")]
struct ValueRow {
    #[schema(example = "wind")]
    value_key: String,
    #[schema(example = "2025-01-02T00:00:00Z")]
    valid_time: String,
    valid_time_end: Option<String>,
    /// A number, null, or one of the texts "NaN", "Infinity", "-Infinity".
    #[schema(value_type = Object, example = 12.5)]
    value: f64,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "read by its derive alone")]
struct Updates {
    updates: Vec<Update>,
}

/// A field that is left out leaves it as it is; null clears it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by its derive alone")]
struct Update {
    run_id: Option<String>,
    tenant_id: Option<String>,
    series_id: String,
    valid_time: String,
    valid_time_end: Option<String>,
    value: Option<f64>,
    annotation: Option<String>,
    tags: Option<Vec<String>>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "read by its derive alone")]
struct Series {
    #[schema(example = "price")]
    name: String,
    description: Option<String>,
    #[schema(example = "EUR/MWh")]
    unit: Option<String>,
}

/// Store a run of values
#[utoipa::path(post, path = "/upload", tag = "the original service", request_body = Upload,
    responses((status = 200, description = "run_id, message and series_ids, by key"), (status = 400), (status = 401),
              (status = 403), (status = 404), (status = 413)))]
#[expect(dead_code, reason = "read by its macro alone")]
fn upload() {}

/// Read values
#[utoipa::path(get, path = "/values", tag = "the original service",
    params(("start_valid" = Option<String>, Query, description = "valid from then on"),
           ("end_valid" = Option<String>, Query, description = "and before then"),
           ("start_known" = Option<String>, Query, description = "known from then on"),
           ("end_known" = Option<String>, Query, description = "and before then"),
           ("mode" = Option<String>, Query, description = "flat or overlapping"),
           ("all_versions" = Option<bool>, Query, description = "corrected values, too")),
    responses((status = 200, description = "count and data, or a stream of Arrow where Accept asks for it"), (status = 400),
              (status = 401), (status = 413)))]
#[expect(dead_code, reason = "read by its macro alone")]
fn read() {}

/// Correct values, or annotate them
#[utoipa::path(put, path = "/values", tag = "the original service", request_body = Updates,
    responses((status = 200, description = "updated and skipped_no_ops"), (status = 400), (status = 401), (status = 403),
              (status = 404), (status = 409)))]
#[expect(dead_code, reason = "read by its macro alone")]
fn update() {}

/// Name a series
#[utoipa::path(post, path = "/series", tag = "the original service", request_body = Series,
    responses((status = 200, description = "series_id and message"), (status = 400), (status = 401), (status = 403)))]
#[expect(dead_code, reason = "read by its macro alone")]
fn create_series() {}

/// The series there are
#[utoipa::path(get, path = "/list_timeseries", tag = "the original service",
    responses((status = 200, description = "series_key by series_id"), (status = 401)))]
#[expect(dead_code, reason = "read by its macro alone")]
fn list() {}

pub fn of(catalog: &Catalog) -> Value {
    let mut described = serde_json::to_value(Described::openapi()).unwrap_or_default();
    if let Some(Value::Object(paths)) = described.get_mut("paths") {
        for function in catalog.functions() {
            paths.insert(format!("/rpc/{}", function.name), described_function(function));
        }
    }
    described
}

fn described_function(function: &Function) -> Value {
    let mut methods = Map::new();
    if !function.writes {
        let parameters: Vec<Value> = function
            .arguments
            .iter()
            .map(|argument| {
                json!({"name": argument.name, "in": "query", "required": argument.is_required,
                       "description": argument.kind, "schema": {"type": "string"}})
            })
            .collect();
        methods.insert("get".into(), operation(function, json!({ "parameters": parameters })));
    }
    let fields: Map<String, Value> = function
        .arguments
        .iter()
        .map(|argument| (argument.name.clone(), schema(argument)))
        .collect();
    let required: Vec<&str> = function
        .arguments
        .iter()
        .filter(|argument| argument.is_required)
        .map(|argument| argument.name.as_str())
        .collect();
    let body = json!({"requestBody": {"content": {"application/json": {
        "schema": {"type": "object", "properties": fields, "required": required}}}}});
    methods.insert("post".into(), operation(function, body));
    Value::Object(methods)
}

fn operation(function: &Function, mut operation: Value) -> Value {
    let answered = match function.answer {
        Answer::Nothing => "204",
        _ => "200",
    };
    let description = match function.answer {
        Answer::Bytes => format!("its answer, or with Accept: {ARROW} the stream itself"),
        _ => "its answer".to_owned(),
    };
    operation["tags"] = json!(["functions"]);
    operation["summary"] = json!(function.name);
    operation["description"] = json!(function.description);
    operation["responses"] =
        json!({ answered: {"description": description}, "401": {"description": "no key, or a bad one"} });
    operation
}

fn schema(argument: &Argument) -> Value {
    let kind = match argument.kind.as_str() {
        _ if argument.is_array => "array",
        "boolean" => "boolean",
        "integer" | "bigint" => "integer",
        "double precision" => "number",
        // Whatever the function's comment says.
        "json" | "jsonb" => return json!({ "description": argument.kind }),
        _ => "string",
    };
    match kind {
        "array" => json!({"type": kind, "items": {}, "description": argument.kind}),
        _ => json!({"type": kind, "description": argument.kind}),
    }
}
