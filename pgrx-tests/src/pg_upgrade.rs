//! A server that takes over the data of one of an older version.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cluster::{Cluster, succeed};

impl Cluster {
    /// `pg_upgrade --link`, as docs/operations.md has it: both stand still meanwhile, and the older one never runs again.
    pub fn take_over(&self, older: &Self) -> Result<()> {
        older.stop("fast")?;
        self.stop("fast")?;
        // Where it writes what it does, and both servers have their socket meanwhile.
        let folder = self.folder().join("upgrade");
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        self.own(&folder)?;
        let mut upgrade = self.account().command(&self.folder().join("bin/pg_upgrade"));
        upgrade
            .args(["--link", "--username=postgres", "--old-bindir"])
            .arg(older.folder().join("bin"))
            .arg("--new-bindir")
            .arg(self.folder().join("bin"))
            .arg("--old-datadir")
            .arg(older.data())
            .arg("--new-datadir")
            .arg(self.data())
            .arg("--socketdir")
            .arg(&folder)
            .current_dir(&folder);
        succeed(&mut upgrade).with_context(|| self.complaints())?;
        self.start()
    }

    /// What pg_upgrade has written of errors, in files that go with the server.
    fn complaints(&self) -> String {
        let mut grep = self.account().command(Path::new("grep"));
        grep.args(["-rhE", "-A5", "(error|ERROR|FATAL):"])
            .arg(self.data().join("pg_upgrade_output.d"));
        let found = grep.output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&found).into_owned()
    }
}
