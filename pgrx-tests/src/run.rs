//! `private-server run`: a server for the time of one command.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use timedb_testkit::{Cluster, Options, Spread};

const DATABASE: &str = "timedb";
/// What a shell adds to the number of the signal that ended a command.
const ENDED_BY_SIGNAL: i32 = 128;

pub fn run(options: &Options, shards: usize, command: &[OsString]) -> Result<ExitCode> {
    let signals = Interruptions::pass_on()?;
    let spread = Spread::start(options, shards)?;
    let cluster = spread.router();
    cluster.create_database(DATABASE)?;
    let status = run_command(cluster, command, &signals)?;
    drop(spread);
    Ok(exit_code(status))
}

fn run_command(cluster: &Cluster, words: &[OsString], signals: &Interruptions) -> Result<ExitStatus> {
    let (program, arguments) = words.split_first().context("run: which command?")?;
    let mut command = Command::new(program);
    command.args(arguments);
    cluster.tell(&mut command, DATABASE);
    signals.while_running(&mut command)
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let signal = || ENDED_BY_SIGNAL + status.signal().unwrap_or_default();
    let code = status.code().unwrap_or_else(signal);
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

/// SIGINT, SIGTERM and SIGHUP go to the command instead of ending this process, which has a server
/// to stop.
struct Interruptions {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    arrived: Option<i32>,
    command: Option<Pid>,
}

impl Interruptions {
    fn pass_on() -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for signal in signals.forever() {
                let mut state = lock(&shared);
                state.arrived = Some(signal);
                pass(signal, state.command);
            }
        });
        Ok(Self { state })
    }

    /// Runs the command; one that was interrupted before it began gets the signal at once.
    fn while_running(&self, command: &mut Command) -> Result<ExitStatus> {
        let mut child = {
            let mut state = lock(&self.state);
            let child = command
                .spawn()
                .with_context(|| format!("cannot run {}", command.get_program().display()))?;
            state.command = i32::try_from(child.id()).ok().map(Pid::from_raw);
            if let Some(signal) = state.arrived {
                pass(signal, state.command);
            }
            child
        };
        let status = child.wait()?;
        lock(&self.state).command = None;
        Ok(status)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass(signal: i32, command: Option<Pid>) {
    if let (Ok(signal), Some(command)) = (Signal::try_from(signal), command) {
        // It may have just ended by itself; then there is nobody to tell.
        let _ = kill(command, signal);
    }
}
