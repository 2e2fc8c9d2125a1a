//! Who runs the server. Postgres refuses root, so root hands over to the user `postgres`; anybody
//! else runs it as themselves.

use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use nix::unistd::{Uid, User};

use crate::environment::without_postgres_variables;

#[derive(Clone)]
pub struct Account(Option<User>);

impl Account {
    pub fn of_this_process() -> Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        let postgres = User::from_name("postgres")?.context(
            "root cannot run a Postgres server and there is no user `postgres` to run it: \
             create that user, or start this as an ordinary user",
        )?;
        Ok(Self(Some(postgres)))
    }

    /// A command that runs as this account, from `/` (it may not be allowed to read the working
    /// directory) and without `RUST_BACKTRACE`, which would reach clients in error details.
    pub fn command(&self, program: &Path) -> Command {
        let mut words = self.words(program).into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir("/");
        command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
        without_postgres_variables(&mut command);
        command
    }

    /// The same as words, for a shell.
    pub fn words(&self, program: &Path) -> Vec<String> {
        let mut words = Vec::new();
        if let Self(Some(user)) = self {
            words.push("setpriv".to_owned());
            words.push(format!("--reuid={}", user.uid));
            words.push(format!("--regid={}", user.gid));
            words.push("--init-groups".to_owned());
        }
        words.push(program.display().to_string());
        words
    }

    /// Gives a file or folder to this account.
    pub fn own(&self, path: &Path) -> Result<()> {
        if let Self(Some(user)) = self {
            chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                .with_context(|| format!("cannot give {} to postgres", path.display()))?;
        }
        Ok(())
    }
}
