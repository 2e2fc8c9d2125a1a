//! Ctrl-C: what the server is doing for us ends there, and then we do. What was not committed is undone.

use std::fs;
use std::path::PathBuf;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use postgres::CancelToken;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::progress;

static SESSIONS: Mutex<Vec<(CancelToken, MakeRustlsConnect)>> = Mutex::new(Vec::new());
/// A file that is not to stay behind.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

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
            INTERRUPTED.store(true, Ordering::SeqCst);
            let (done, cancelled) = oneshot::channel();
            thread::spawn(move || {
                cancel_all();
                done.send(())
            });
            // Whoever does not want to wait for the server says so again.
            tokio::select! { _ = cancelled => {}, _ = interrupted.recv() => {} }
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
    while INTERRUPTED.load(Ordering::SeqCst) {
        thread::park();
    }
}
