//! What a client sees when it is refused, read field by field:
//! `refused(client.execute(…)).code("28000").message("API key required. …")`.

use postgres::error::DbError;

/// What everybody without a key is told.
pub const KEY_NEEDED: &str = "API key required. Please provide X-API-Key header.";
/// What every key that does not stand is told, whatever is wrong with it.
pub const KEY_REFUSED: &str = "Invalid or inactive API key.";

/// An error that the server sent.
#[derive(Debug)]
pub struct Refusal(DbError);

/// The server's error in a result that must be one.
#[track_caller]
pub fn refused<T>(result: Result<T, postgres::Error>) -> Refusal {
    let Err(error) = result else {
        panic!("expected a refusal, but the server accepted it");
    };
    match error.as_db_error() {
        Some(refusal) => Refusal(refusal.clone()),
        None => panic!("expected a refusal by the server, but got: {error:?}"),
    }
}

/// The SQLSTATE and message of what the server refused.
#[track_caller]
pub fn told(error: &postgres::Error) -> (String, String) {
    let Some(refusal) = error.as_db_error() else {
        panic!("not the server's refusal: {error:?}");
    };
    (refusal.code().code().to_owned(), refusal.message().to_owned())
}

/// All that an error says of data: SQLSTATE, message, DETAIL and HINT.
pub fn words(error: &DbError) -> String {
    let mut text = format!("{} {}", error.code().code(), error.message());
    for (field, value) in [("DETAIL", error.detail()), ("HINT", error.hint())] {
        if let Some(value) = value {
            text.push_str(&format!("\n{field}: {value}"));
        }
    }
    text
}

impl Refusal {
    /// The SQLSTATE is this.
    #[track_caller]
    pub fn code(self, expected: &str) -> Self {
        self.same("SQLSTATE", Some(self.0.code().code()), Some(expected));
        self
    }

    #[track_caller]
    pub fn message(self, expected: &str) -> Self {
        self.same("message", Some(self.0.message()), Some(expected));
        self
    }

    #[track_caller]
    pub fn message_contains(self, expected: &str) -> Self {
        self.contains("message", Some(self.0.message()), expected);
        self
    }

    #[track_caller]
    pub fn detail(self, expected: &str) -> Self {
        self.same("detail", self.0.detail(), Some(expected));
        self
    }

    #[track_caller]
    pub fn detail_contains(self, expected: &str) -> Self {
        self.contains("detail", self.0.detail(), expected);
        self
    }

    #[track_caller]
    pub fn no_detail(self) -> Self {
        self.same("detail", self.0.detail(), None);
        self
    }

    #[track_caller]
    pub fn hint(self, expected: &str) -> Self {
        self.same("hint", self.0.hint(), Some(expected));
        self
    }

    #[track_caller]
    pub fn hint_contains(self, expected: &str) -> Self {
        self.contains("hint", self.0.hint(), expected);
        self
    }

    #[track_caller]
    pub fn no_hint(self) -> Self {
        self.same("hint", self.0.hint(), None);
        self
    }

    /// Whatever else the server said, for a test with a question of its own.
    pub fn error(&self) -> &DbError {
        &self.0
    }

    #[track_caller]
    fn same(&self, field: &str, got: Option<&str>, expected: Option<&str>) {
        if got != expected {
            panic!(
                "{field}\n     got: {got:?}\nexpected: {expected:?}\nin: {}",
                words(&self.0)
            );
        }
    }

    #[track_caller]
    fn contains(&self, field: &str, got: Option<&str>, part: &str) {
        if !got.is_some_and(|got| got.contains(part)) {
            panic!(
                "{field}\n     got: {got:?}\nexpected within it: {part:?}\nin: {}",
                words(&self.0)
            );
        }
    }
}
