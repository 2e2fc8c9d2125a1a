//! Data of a server in memory, for those who make hundreds of databases: copying a template to a disk, even without waiting
//! for it, takes several times as long.

use std::fs::{DirBuilder, remove_dir};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};
use nix::sys::statvfs::statvfs;

use crate::account::Account;

/// A tmpfs, on every Linux. What is in it under the name of a server's folder goes with that folder: see the keeper.
pub(crate) const MEMORY: &str = "/dev/shm";
/// Containers often have 64 MiB of it, in which no server fits.
const ROOM_NEEDED: u64 = 4 << 30;

/// Makes the folder `data` one in memory. False where there is no room: it lies beside everything else then.
pub(crate) fn lay_out(folder: &Path, account: &Account) -> Result<bool> {
    let memory = Path::new(MEMORY);
    let is_roomy = statvfs(memory).is_ok_and(|it| it.blocks_available() * it.fragment_size() >= ROOM_NEEDED);
    let data = memory.join(folder.file_name().context("a server's folder has a name")?);
    if !is_roomy || DirBuilder::new().mode(0o700).create(&data).is_err() {
        return Ok(false);
    }
    let laid_out = account
        .own(&data)
        .and_then(|()| Ok(symlink(&data, folder.join("data"))?));
    if laid_out.is_err() {
        remove_dir(&data).ok();
    }
    laid_out.map(|()| true)
}
