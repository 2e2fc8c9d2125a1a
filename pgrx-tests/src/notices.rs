//! What the server tells a connection beside its answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postgres::Config;
use postgres::error::DbError;

#[derive(Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<DbError>>>);

impl Notices {
    /// Those of the connections that are made with this configuration from now on.
    pub fn of(config: &mut Config) -> Self {
        let notices = Self::default();
        let listener = notices.clone();
        config.notice_callback(move |notice| listener.heard().push(notice));
        notices
    }

    fn heard(&self) -> MutexGuard<'_, Vec<DbError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// SQLSTATE and message of each since the last time.
    pub fn take(&self) -> Vec<(String, String)> {
        self.heard()
            .drain(..)
            .map(|notice| (notice.code().code().to_owned(), notice.message().to_owned()))
            .collect()
    }

    /// The DETAIL of each with this message since the last time.
    pub fn take_details(&self, message: &str) -> Vec<String> {
        let heard = std::mem::take(&mut *self.heard());
        let of_message = heard.iter().filter(|notice| notice.message() == message);
        of_message.filter_map(DbError::detail).map(str::to_owned).collect()
    }

    #[track_caller]
    pub fn assert_heard(&self, code: &str) {
        let heard = self.take();
        assert!(heard.iter().any(|(heard, _)| heard == code), "no {code} in {heard:?}");
    }
}
