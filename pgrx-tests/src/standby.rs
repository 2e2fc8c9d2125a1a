//! A second server that follows a first one.

use std::fs;
use std::path::Path;
use std::process::Command;

use postgres::Client;

use crate::cluster::{Cluster, Options};
use crate::query::{one, one_of};
use crate::wait::wait_until;

impl Cluster {
    /// A hot standby: a base backup in the place of its own data.
    #[track_caller]
    pub fn standby(&self) -> Cluster {
        let standby = Options::default().bare().start().expect("another server");
        standby.stop("fast").expect("it stops");
        let data = standby.data();
        fs::remove_dir_all(&data).expect("its own data goes");
        let mut backup = self.server().command("pg_basebackup", "postgres", "postgres");
        succeed(
            backup
                .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--pgdata"])
                .arg(&data),
        );
        let own_socket = format!("unix_socket_directories = '{}'\n", standby.folder().display());
        let configuration = data.join("postgresql.auto.conf");
        let former = fs::read_to_string(&configuration).expect("written by pg_basebackup");
        fs::write(&configuration, former + &own_socket).expect("it can be written");
        hand_over(&data, standby.folder());
        standby.start().expect("the standby starts");
        standby
    }
}

/// Waits until a standby has replayed all that its primary has written so far.
#[track_caller]
pub fn wait_until_replayed(primary: &mut Client, standby: &mut Client) {
    let written: String = one(primary, "SELECT pg_current_wal_lsn()::text");
    let replayed = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
    wait_until("the standby has caught up", || one_of(standby, replayed, &[&written]));
}

/// To whoever runs the server: pg_basebackup was run by whoever runs the tests.
fn hand_over(data: &Path, to_owner_of: &Path) {
    let mut reference = std::ffi::OsString::from("--reference=");
    reference.push(to_owner_of);
    succeed(Command::new("chown").arg("-R").arg(reference).arg(data));
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
