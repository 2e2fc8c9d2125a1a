//! A private server whose disk is full: a small one of its own, or files that may not grow.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cluster::Cluster;
use crate::kill::has_ended;

/// Where a small disk is, in the server's folder; its keeper takes it away.
pub(crate) const DISK: &str = "disk";
const MEBIBYTE: usize = 1 << 20;

/// A disk with room for what the server needs, and files that take up the rest.
pub struct SmallDisk {
    path: PathBuf,
    ballast: Vec<PathBuf>,
}

impl Cluster {
    /// Mounts a disk of so many MiB in memory. Fails where this process may not, as an ordinary user and in most containers.
    pub fn mount_disk(&self, mebibytes: usize) -> Result<SmallDisk> {
        let path = self.folder().join(DISK);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let size = format!("size={mebibytes}m,mode=0700");
        succeed(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", &size, "timedb-test"])
                .arg(&path),
        )?;
        self.own(&path)?;
        let ballast = Vec::new();
        Ok(SmallDisk { path, ballast })
    }

    /// Gives a folder to whoever runs the server.
    pub fn own(&self, path: &Path) -> Result<()> {
        self.account().own(path)
    }

    /// No file that the server writes to becomes larger than this, until it starts anew; none lets them grow again. Backends
    /// to come inherit it.
    pub fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let mut processes = self.processes()?;
        processes.insert(0, self.postmaster()?);
        for pid in processes {
            // What the hard limit is stays, so that anybody may lift the soft one.
            let limit = format!("--fsize={limit}:");
            // Root may not everywhere; whoever runs the server may.
            let mut prlimit = self.account().command(Path::new("prlimit"));
            let limited = succeed(prlimit.args(["--pid", &pid.to_string(), &limit]));
            if !has_ended(pid) {
                limited?;
            }
        }
        Ok(())
    }
}

impl SmallDisk {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills it up, all but so many MiB.
    pub fn fill_but(&mut self, mebibytes: usize) -> Result<()> {
        for number in self.ballast.len().. {
            let file = self.path.join(format!("ballast.{number}"));
            let written = fs::write(&file, vec![0; MEBIBYTE]);
            self.ballast.push(file);
            if written.is_err() {
                break;
            }
        }
        // The last one is not whole.
        self.free(1 + mebibytes)
    }

    /// Frees so many MiB, or all there are.
    pub fn free(&mut self, mebibytes: usize) -> Result<()> {
        let left = self.ballast.len().saturating_sub(mebibytes);
        for file in self.ballast.drain(left..) {
            fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
        Ok(())
    }

    pub fn free_all(&mut self) -> Result<()> {
        self.free(usize::MAX)
    }
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
