//! The keeper stops a private server and removes its folder when the process that started it ends,
//! in whatever way: returned, panicked, interrupted, killed. It is a shell that waits on a pipe
//! whose other end only that process holds.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::account::Account;
use crate::memory::MEMORY;

/// `$1` is the server's folder, `$2` where its data may be in memory, by the same name; the rest is the command that stops the
/// server. A disk that is mounted in it goes first.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
read -r word
[ "$word" = leave ] && exit 0
cd / || exit 1
folder=$1 memory=$2
shift 2
"$@"
[ ! -d "$folder/disk" ] || umount --lazy "$folder/disk"
rm -rf -- "$folder" "$memory/${folder##*/}"
"#;

pub struct Keeper {
    shell: Child,
}

impl Keeper {
    pub fn of(folder: &Path, account: &Account) -> Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "timedb-keeper"])
            .arg(folder)
            .arg(MEMORY)
            .args(account.words(&folder.join("bin/pg_ctl")))
            .args(["stop", "--silent", "--mode=immediate", "--pgdata"])
            .arg(folder.join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C at the terminal is for the foreground, not for the one who cleans up after it.
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        Ok(Self { shell })
    }

    /// Lets the server live on after this process.
    pub fn dismiss(mut self) -> Result<()> {
        if let Some(pipe) = self.shell.stdin.as_mut() {
            pipe.write_all(b"leave\n").context("the keeper of the server is gone")?;
        }
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        if let Err(error) = self.shell.wait() {
            eprintln!("cannot wait for the private server to stop: {error}");
        }
    }
}
