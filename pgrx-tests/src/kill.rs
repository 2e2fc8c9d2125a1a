//! A private server that is killed, whole or in part, and started again: what `pg_ctl` never does.

use std::fs;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::Cluster;
use crate::wait::wait_until;

/// Kills a process for certain, unless it has ended by itself: then the answer is false.
pub fn kill_process(pid: i32) -> Result<bool> {
    if !stop_process(pid)? {
        return Ok(false);
    }
    send(pid, Signal::SIGKILL)?;
    Ok(true)
}

/// Whoever has stopped is not about to end.
fn stop_process(pid: i32) -> Result<bool> {
    send(pid, Signal::SIGSTOP)?;
    let stands = |state| matches!(state, Some(('T', _)));
    wait_until("the process has stopped", || has_ended(pid) || stands(state(pid)));
    Ok(stands(state(pid)))
}

fn send(pid: i32, signal: Signal) -> Result<()> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot send {signal} to {pid}")),
    }
}

/// The state of a process and its parent, as the kernel tells them.
fn state(pid: i32) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// One that has ended may wait for ever for a parent that asks: in a container the first process may not.
pub(crate) fn has_ended(pid: i32) -> bool {
    state(pid).is_none_or(|(state, _)| matches!(state, 'Z' | 'X'))
}

impl Cluster {
    /// The process that has started all others of the server.
    pub fn postmaster(&self) -> Result<i32> {
        let path = self.data().join("postmaster.pid");
        let lines = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let pid = lines.lines().next().and_then(|line| line.trim().parse().ok());
        pid.with_context(|| format!("{} names no process", path.display()))
    }

    /// The processes that the postmaster has started and that have not ended: backends, the checkpointer, …
    pub fn processes(&self) -> Result<Vec<i32>> {
        let postmaster = self.postmaster()?;
        let mut processes = Vec::new();
        for entry in fs::read_dir("/proc").context("cannot read /proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if state(pid).is_some_and(|(state, parent)| parent == postmaster && state != 'Z') {
                processes.push(pid);
            }
        }
        Ok(processes)
    }

    /// Kills the postmaster alone: backends finish what they are at, and end once they see it. Returns when all have.
    pub fn kill_postmaster(&self) -> Result<()> {
        let (postmaster, processes) = self.stopped()?;
        send(postmaster, Signal::SIGKILL)?;
        self.wait_for_end(postmaster, &processes)
    }

    /// Kills every process of the server.
    pub fn kill_all(&self) -> Result<()> {
        let (postmaster, processes) = self.stopped()?;
        send(postmaster, Signal::SIGKILL)?;
        for pid in &processes {
            send(*pid, Signal::SIGKILL)?;
        }
        self.wait_for_end(postmaster, &processes)
    }

    /// The postmaster, which starts nothing any more, and what it has started.
    fn stopped(&self) -> Result<(i32, Vec<i32>)> {
        let postmaster = self.postmaster()?;
        stop_process(postmaster)?;
        Ok((postmaster, self.processes()?))
    }

    /// Its lock files go, too: as long as the number of a process that has ended is kept, the next one would take it for alive.
    fn wait_for_end(&self, postmaster: i32, processes: &[i32]) -> Result<()> {
        wait_until("every process of the server has ended", || {
            has_ended(postmaster) && processes.iter().all(|pid| has_ended(*pid))
        });
        for path in [
            self.data().join("postmaster.pid"),
            self.folder().join(".s.PGSQL.5432.lock"),
        ] {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }
}
