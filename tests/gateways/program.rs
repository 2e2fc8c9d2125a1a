//! A gateway's program: where it is, and a run of it that ends with the test.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use timedb_testkit::{Server, wait_until, without_postgres_variables};

const FOLDER_PREFIX: &str = "tdb-gw.";

/// What `scripts/gateways.sh` has put into `target/gateways`.
#[track_caller]
pub fn installed(path: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("the path of the running tests");
    // target/debug/deps/gateways-…
    let target = tests.ancestors().nth(3).expect("tests run in target");
    let program = target.join("gateways").join(path);
    assert!(
        program.exists(),
        "{} is missing: run scripts/gateways.sh",
        program.display()
    );
    program
}

/// A user and a group, by number.
#[derive(Clone, Copy, PartialEq)]
pub struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// Who runs the database server: never root.
    pub fn of(server: &Server) -> Self {
        Self::owner(server.folder())
    }

    pub fn own() -> Self {
        Self::owner(Path::new("/proc/self"))
    }

    fn owner(path: &Path) -> Self {
        let owner = fs::metadata(path).expect("an owner");
        Self {
            user: owner.uid(),
            group: owner.gid(),
        }
    }

    /// A command as this account, that the kernel ends if the test is killed.
    fn command(self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=KILL");
        if self != Self::own() {
            command
                .arg(format!("--reuid={}", self.user))
                .arg(format!("--regid={}", self.group))
                .arg("--clear-groups");
        }
        command.arg(program).current_dir("/");
        without_postgres_variables(&mut command);
        command
    }
}

/// A folder of an account, in /tmp because a socket's path has 107 bytes; it is removed with the value.
pub struct Folder {
    path: PathBuf,
    account: Account,
}

impl Folder {
    pub fn of(account: Account) -> Self {
        let path = PathBuf::from("/tmp").join(format!("{FOLDER_PREFIX}{}", uuid::Uuid::new_v4()));
        fs::create_dir(&path).expect("a folder in /tmp");
        let folder = Self { path, account };
        fs::set_permissions(&folder.path, Permissions::from_mode(0o700)).expect("a private folder");
        folder.give(&folder.path);
        folder
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).expect("a file in our own folder");
        self.give(&path);
        path
    }

    /// Copies the files of a folder that the account may not be able to read.
    pub fn copy(&self, from: &Path) {
        for file in fs::read_dir(from).expect("a folder to copy") {
            let file = file.expect("a file");
            let copy = self.path.join(file.file_name());
            fs::copy(file.path(), &copy).expect("a copy");
            self.give(&copy);
        }
    }

    fn give(&self, path: &Path) {
        chown(path, Some(self.account.user), Some(self.account.group)).expect("a new owner");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// A running gateway with its folder; both go with the value.
pub struct Program {
    child: Child,
    folder: Folder,
}

impl Program {
    /// Starts a program as the folder's account and waits until it listens. Its words go to the file `log`.
    #[track_caller]
    pub fn start(
        folder: Folder,
        program: &Path,
        prepare: impl FnOnce(&mut Command),
        listens: impl Fn() -> io::Result<()>,
    ) -> Self {
        let mut command = folder.account.command(program);
        prepare(&mut command);
        let log = File::create(folder.path.join("log")).expect("a log");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log again"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut started = Self { child, folder };
        wait_until("the gateway listens", || {
            if let Ok(Some(status)) = started.child.try_wait() {
                panic!("{command:?} ended with {status}:\n{}", started.log());
            }
            listens().is_ok()
        });
        started
    }

    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path.join("log")).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("cannot end a gateway: {error}");
        }
        if std::thread::panicking() {
            eprintln!("The gateway said:\n{}", self.log());
        }
    }
}
