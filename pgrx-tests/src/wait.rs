//! Waiting for what happens elsewhere: asked again until it is so, for as long as it takes, and never for a time that
//! should be enough.

use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;

use crate::query::one_of;

/// Long past what anything here takes: a condition that has not come true by then never will.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions the processor is for those who are waited for.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks again until it is so.
#[track_caller]
pub fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_longer_until(what, 1, is_so);
}

/// The same for what takes minutes by itself: so many times as patient.
#[track_caller]
pub fn wait_longer_until(what: &str, times: u32, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE * times, "waited in vain until {what}");
        thread::sleep(PAUSE);
    }
}

/// Waits until a backend waits for a lock that another holds.
#[track_caller]
pub fn wait_until_blocked(admin: &mut Client, pid: i32) {
    wait_until("a backend waits for a lock", || {
        one_of(admin, "SELECT cardinality(pg_blocking_pids($1)) > 0", &[&pid])
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pause is never shorter than asked for, so the number of questions has a bound.
    #[test]
    fn it_asks_again_until_it_is_so_and_rests_in_between() {
        let begun = Instant::now();
        let mut asked = 0;
        wait_until("a tenth of a second is over", || {
            asked += 1;
            begun.elapsed() > PAUSE * 20
        });
        assert!((2..=22).contains(&asked), "{asked} questions");
    }
}
