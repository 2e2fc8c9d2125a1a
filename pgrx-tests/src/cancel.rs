//! A statement that is cancelled once it has come to a certain point.

use std::thread;

use postgres::{Client, Error, NoTls};

use crate::login::backend_pid;
use crate::process::cpu_ticks;
use crate::query::succeed;
use crate::refusal::refused;
use crate::wait::wait_until;

/// Sends a cancel when `until` returns, which runs beside the statement; the statement must end by it.
#[track_caller]
pub fn cancelled<T>(
    client: &mut Client,
    until: impl FnOnce() + Send,
    statement: impl FnOnce(&mut Client) -> Result<T, Error>,
) {
    let token = client.cancel_token();
    let result = thread::scope(|scope| {
        let watch = scope.spawn(move || {
            until();
            token.cancel_query(NoTls)
        });
        let result = statement(client);
        succeed(watch.join().expect("the watcher ends"));
        result
    });
    refused(result)
        .code("57014")
        .message("canceling statement due to user request")
        .no_detail();
}

/// Returns once the session's next statement has used more than so many hundredths of a second of processor time.
#[track_caller]
pub fn once_under_way(client: &mut Client, ticks: u64) -> impl FnOnce() + Send + use<> {
    let pid = backend_pid(client);
    let spent = cpu_ticks(pid);
    move || wait_until("the statement is under way", || cpu_ticks(pid) > spent + ticks)
}
