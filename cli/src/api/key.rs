//! The key of a request: in the header `X-API-Key`, once, and nowhere else.

use axum::http::{HeaderMap, StatusCode};

use super::failure::Failure;

const HEADER: &str = "x-api-key";

/// What a client says it is. It has no `Debug`, so that no log can show it.
#[derive(Clone)]
pub struct Key(String);

impl Key {
    pub fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut given = headers.get_all(HEADER).iter();
        match (given.next(), given.next()) {
            (None, _) => Err(Failure::key_needed()),
            // What is no text is no key.
            (Some(key), None) => Ok(Self(key.to_str().map_err(|_| Failure::key_refused())?.to_owned())),
            // A proxy in front may have looked at the other one.
            (Some(_), Some(_)) => {
                let words = "a request has one X-API-Key header: this one has several";
                Err(Failure::new(StatusCode::BAD_REQUEST, words))
            }
        }
    }

    /// For the bind parameter of `authenticate`.
    pub fn text(&self) -> &str {
        &self.0
    }
}
