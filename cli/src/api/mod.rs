//! An HTTP server in front of timedb: the original service's routes ([`original`]), and every function that a client may
//! call ([`rpc`]). It decides nothing: each request is a transaction that logs in with the request's key and asks
//! Postgres ([`transaction`]), over a connection whose role can do nothing else ([`role`]).

mod answer;
mod argument;
mod catalog;
mod database;
mod docs;
mod failure;
mod key;
mod listen;
mod log;
mod openapi;
mod original;
mod request;
mod role;
mod room;
mod rpc;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;

use crate::connection::Reach;
use database::Database;

/// How long somebody may read nothing in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(30);

pub struct Options {
    pub host: String,
    pub port: u16,
    pub connections: usize,
    /// In bytes, unpacked.
    pub max_body: usize,
    /// Of all bodies together.
    pub body_memory: usize,
    /// Within which all of a body must be here.
    pub body_timeout: Duration,
    pub timeout: Duration,
}

/// Serves until it is told to stop.
pub fn run(options: Options, reach: &Reach) -> Result<()> {
    log::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads to serve with")?;
    runtime.block_on(serve(options, reach))
}

async fn serve(options: Options, reach: &Reach) -> Result<()> {
    let database = Database::of(&options, reach).await?;
    let address = (options.host.as_str(), options.port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {} port {}", options.host, options.port))?;
    listen::serve(listener, router(Arc::new(database))).await
}

fn router(database: Arc<Database>) -> Router {
    Router::new()
        .merge(original::routes())
        .merge(rpc::routes())
        .merge(docs::routes())
        .route("/health", get(health))
        .fallback(failure::no_such_path)
        .method_not_allowed_fallback(failure::no_such_method)
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(RequestDecompressionLayer::new())
        .layer(from_fn_with_state(Arc::clone(&database), request::whole))
        .layer(from_fn(log::request))
        .with_state(database)
}

/// Whether the database answers.
async fn health(State(database): State<Arc<Database>>) -> impl IntoResponse {
    match database.answers().await {
        true => (StatusCode::OK, "{\"status\":\"ok\"}"),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "{\"status\":\"the database cannot be reached\"}",
        ),
    }
}
