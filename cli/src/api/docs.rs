//! The page that shows the API, at `/docs`: all of it from the binary, and nothing from elsewhere.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use utoipa_swagger_ui::{Config, serve};

use super::database::Database;
use super::openapi;

/// A browser loads nothing else, whatever the page should say.
const POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

pub fn routes() -> Router<Arc<Database>> {
    Router::new()
        .route("/openapi.json", get(description))
        .route("/docs", get(page))
        .route("/docs/", get(page))
        .route("/docs/{*file}", get(file))
}

async fn description(State(database): State<Arc<Database>>) -> Json<Value> {
    Json(openapi::of(&*database.catalog().await))
}

/// The page names its files beside itself: they are below it.
async fn page() -> Response {
    let mut page = found("index.html");
    if let Some(bytes) = &mut page {
        bytes.0 = String::from_utf8_lossy(&bytes.0)
            .replace("<head>", "<head><base href=\"/docs/\">")
            .into_bytes();
    }
    answer(page)
}

async fn file(Path(file): Path<String>) -> Response {
    answer(found(&file))
}

fn found(file: &str) -> Option<(Vec<u8>, String)> {
    // By default it would show a badge of a validator on the internet.
    let config = Config::from("/openapi.json").validator_url("none");
    let file = serve(file, Arc::new(config)).ok()??;
    Some((file.bytes.into_owned(), file.content_type))
}

fn answer(file: Option<(Vec<u8>, String)>) -> Response {
    match file {
        Some((bytes, content_type)) => (
            [
                (CONTENT_TYPE, content_type),
                (CONTENT_SECURITY_POLICY, POLICY.to_owned()),
                (CACHE_CONTROL, "max-age=3600".to_owned()),
            ],
            bytes,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
