//! Ctrl-C: what the server is doing for us ends there, and then we do. What was not committed is undone.

use std::fs;
use std::path::PathBuf;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use postgres::CancelToken;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::progress;

static SESSIONS: Mutex<Vec<(CancelToken, MakeRustlsConnect)>> = Mutex::new(Vec::new());
/// A file that is not to stay behind.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Somebody puts in order what has been begun, before the end.
static HELD: AtomicBool = AtomicBool::new(false);
/// What the servers did for us when the signal came has ended.
static CANCELLED: AtomicBool = AtomicBool::new(false);
/// Whoever held it then ends us, in words of its own.
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// Remembers a session, whose statement is then cancelled.
pub fn cancels(session: CancelToken, tls: MakeRustlsConnect) {
    SESSIONS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((session, tls));
}

/// Says which file is not to stay behind, or that there is none any more.
pub fn unfinished(path: Option<PathBuf>) {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = path;
}

/// As long as it lives, Ctrl-C ends what a server is doing for us, and whoever holds it learns of it by the error and by
/// [`check`]; a second one ends us at once.
pub struct Held(());

pub fn hold() -> Held {
    HELD.store(true, Ordering::SeqCst);
    Held(())
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.store(false, Ordering::SeqCst);
    }
}

/// That nobody has said Ctrl-C; else only once no statement is cancelled by it any more.
pub fn check() -> Result<()> {
    if !INTERRUPTED.load(Ordering::SeqCst) {
        return Ok(());
    }
    while !CANCELLED.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    bail!("interrupted")
}

/// From now on. A server of ours, which stops in its own way, does not call it.
pub fn watch() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.context("signals cannot be waited for")?;
    // Before the thread begins: a signal that comes meanwhile is not lost.
    let (mut interrupted, mut terminated) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupted.recv() => {}, _ = terminated.recv() => {} }
            let is_held = HELD.load(Ordering::SeqCst);
            IS_OURS.store(is_held, Ordering::SeqCst);
            INTERRUPTED.store(true, Ordering::SeqCst);
            let (done, cancelled) = oneshot::channel();
            thread::spawn(move || {
                cancel_all();
                done.send(())
            });
            // Whoever does not want to wait for the server says so again.
            tokio::select! { _ = cancelled => {}, _ = interrupted.recv() => {} }
            CANCELLED.store(true, Ordering::SeqCst);
            if is_held {
                tokio::select! { _ = interrupted.recv() => {}, _ = terminated.recv() => {} }
            }
            if let Some(path) = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).take() {
                fs::remove_file(path).ok();
            }
            progress::aside(|| {
                anstream::eprintln!("timedb: interrupted");
                exit(1)
            })
        });
    });
    Ok(())
}

fn cancel_all() {
    let sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    for (session, tls) in sessions.iter() {
        // A session that is gone, or a server: there is nothing left to cancel.
        session.cancel_query(tls.clone()).ok();
    }
}

/// Where an error is what became of a statement that was cancelled, the words are the signal's.
pub fn leave_words_to_it() {
    while INTERRUPTED.load(Ordering::SeqCst) && !IS_OURS.load(Ordering::SeqCst) {
        thread::park();
    }
}
