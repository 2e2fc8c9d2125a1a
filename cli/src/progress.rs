//! What goes on meanwhile, of whatever may take longer than a second: at a terminal only, on the standard error output.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// The one that is shown.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// A line that moves, and says how far one is by words. It is gone when it is dropped.
pub struct Progress(ProgressBar);

impl Progress {
    pub fn begin(words: &str) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
        let bar = ProgressBar::new_spinner().with_style(style.expect("a template"));
        bar.set_message(words.to_owned());
        bar.enable_steady_tick(TICK);
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self(bar)
    }

    pub fn say(&self, words: String) {
        self.0.set_message(words);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Does what prints something while the line is away.
pub fn aside<R>(print: impl FnOnce() -> R) -> R {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match shown {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}
