//! What the server writes about itself: a line a request, with nothing in it that a client has chosen but a function's name.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// Our own lines alone, whatever the environment says: the driver would show the parameters of a statement, and with them
/// keys, where it is asked to.
pub fn start() {
    let ours = Targets::new().with_target("timedb", Level::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    // Refused where there is one already, which is as good.
    tracing_subscriber::registry()
        .with(lines.with_filter(ours))
        .try_init()
        .ok();
}

pub async fn request(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = shown(&request);
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let took = begun.elapsed();
    tracing::info!("{method} {path} {status} {took:.1?}");
    response
}

/// The route, with a function's name where it looks like one: somebody may have put a key into the path.
fn shown(request: &Request) -> String {
    let Some(route) = request.extensions().get::<MatchedPath>() else {
        return "(no such path)".to_owned();
    };
    let name = request.uri().path().strip_prefix("/rpc/");
    let is_name = |name: &&str| name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match name.filter(is_name) {
        Some(name) => format!("/rpc/{name}"),
        None => route.as_str().to_owned(),
    }
}
