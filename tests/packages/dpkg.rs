//! dpkg with a folder for its root: that of a private server, whose programs, libraries and scripts stand there where the system
//! has its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use timedb_testkit::{Cluster, Options};

pub struct Dpkg {
    pub cluster: Cluster,
}

impl Dpkg {
    #[track_caller]
    pub fn on_a_server_without_timedb() -> Self {
        let cluster = Options::default().bare().start().expect("a server");
        let dpkg = Self { cluster };
        for file in dpkg.files() {
            fs::remove_file(dpkg.cluster.folder().join(file)).expect("a file of timedb");
        }
        let database = dpkg.database();
        for folder in ["info", "updates", "triggers", "alternatives"] {
            fs::create_dir_all(database.join(folder)).expect("a folder");
        }
        fs::write(database.join("status"), "").expect("nothing is installed");
        dpkg
    }

    fn database(&self) -> PathBuf {
        self.cluster.folder().join("var/lib/dpkg")
    }

    /// Postgres' major version, as packages are named.
    pub fn postgres(&self) -> String {
        let mut client = self.cluster.connect("postgres", "postgres").expect("a superuser");
        let sql = "SELECT (current_setting('server_version_num')::int / 10000)::text";
        timedb_testkit::one(&mut client, sql)
    }

    /// The files of timedb that are installed.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        let root = self.cluster.folder();
        let mut folders = vec![root.join("usr")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let kind = entry.file_type().expect("a kind");
                let is_ours = entry
                    .file_name()
                    .to_str()
                    .is_some_and(|name| name.starts_with("timedb"));
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if is_ours {
                    files.insert(entry.path().strip_prefix(root).expect("beneath").to_owned());
                }
            }
        }
        files
    }

    fn run(&self, arguments: &[&str]) -> Output {
        // Whoever is not root is it in a namespace of its own: dpkg gives files to root.
        let is_root = fs::read_dir("/root").is_ok();
        let mut command = match is_root {
            true => Command::new("dpkg"),
            false => {
                let mut unshare = Command::new("unshare");
                unshare.args(["--map-root-user", "dpkg"]);
                unshare
            }
        };
        // What a package depends on is the system's, which this dpkg knows nothing of.
        command
            .args(["--force-depends", "--log=/dev/null"])
            .arg(format!("--root={}", self.cluster.folder().display()))
            .args(arguments)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .expect("dpkg runs")
    }

    #[track_caller]
    pub fn does(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    #[track_caller]
    pub fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

/// The package of this name, or whose name ends like this.
#[track_caller]
pub fn debs(name: &str) -> PathBuf {
    let folder = std::env::var_os("TIMEDB_DEB").expect("scripts/test.sh packages says where they are");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .expect("packages")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
            let package = file.split('_').next().unwrap_or_default();
            file.ends_with(".deb") && (package == name || package.ends_with(&format!("-{name}")))
        })
        .collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found.remove(0)
}

/// A package made of another one.
pub struct Rebuilt {
    folder: TempDir,
}

impl Rebuilt {
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("rebuilt.deb")
    }
}

#[track_caller]
pub fn rebuilt(deb: &Path, version: &str, change: &dyn Fn(&Path)) -> Rebuilt {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    succeeds(Command::new("dpkg-deb").arg("--raw-extract").args([deb, &root]));
    let control = fs::read_to_string(root.join("DEBIAN/control")).expect("its control file");
    let line = control
        .lines()
        .find(|line| line.starts_with("Version: "))
        .expect("its version");
    let control = control.replace(line, &format!("Version: {version}-1"));
    fs::write(root.join("DEBIAN/control"), control).expect("written");
    fs::remove_file(root.join("DEBIAN/md5sums")).expect("its sums");
    change(&root);
    let rebuilt = Rebuilt { folder };
    succeeds(
        Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build"])
            .args([&root, &rebuilt.path()]),
    );
    rebuilt
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {output:?}");
}
