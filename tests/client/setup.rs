//! What `scripts/setup.sh` would install beside a Postgres that is there, asked of its functions with the tools of the
//! distribution replaced by scripts that answer from files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use timedb_testkit::Project;

/// Answers from `installed`, with a package and its version in each line.
const DPKG_QUERY: &str = r#"#!/bin/bash
found=1
while read -r package version; do
    [[ $package == $4 ]] || continue
    found=0
    answer=${3/'${Package}'/$package} answer=${answer/'${Version}'/$version}
    printf "${answer/'${db:Status-Status}'/installed}"
done <"${0%/*}/installed"
exit $found
"#;
/// Answers from `offered`, which is of the same form.
const APT_CACHE: &str = r#"#!/bin/bash
case $1 in
madison) sed -n "s/^$2 \(.*\)/ $2 | \1 | http:\/\/registry main/p" "${0%/*}/offered" ;;
search) cut -d' ' -f1 "${0%/*}/offered" | grep -E -- "$3" ;;
esac
"#;
/// Says what `simulated` holds, or notes that it was called.
const APT_GET: &str = r#"#!/bin/bash
if [ "$1" = -s ]; then cat "${0%/*}/simulated"; else echo "$*" >>"${0%/*}/ran"; fi
"#;
const SUDO: &str = "#!/bin/bash\nexec \"$@\"\n";

struct Distribution(PathBuf);

impl Distribution {
    fn new(name: &str, installed: &str, offered: &str, simulated: &str) -> Distribution {
        let folder = std::env::temp_dir().join(format!("timedb-setup-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        for (file, text) in [
            ("dpkg-query", DPKG_QUERY),
            ("apt-cache", APT_CACHE),
            ("apt-get", APT_GET),
            ("sudo", SUDO),
            ("installed", installed),
            ("offered", offered),
            ("simulated", simulated),
            ("ran", ""),
        ] {
            let path = folder.join(file);
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        }
        Distribution(folder)
    }

    /// Runs a line of shell after the scripts; what it said, and whether it succeeded.
    fn run(&self, line: &str) -> (bool, String) {
        let path = std::env::var("PATH").expect("a PATH");
        let script = format!(". scripts/environment.sh; . scripts/packages.sh; {line}");
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(Project::default().root())
            .env("PATH", format!("{}:{path}", self.0.display()))
            .output()
            .expect("bash runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).expect("UTF-8"))
    }

    fn ran(&self) -> String {
        fs::read_to_string(self.0.join("ran")).expect("what was run")
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let folder: &Path = &self.0;
        let _ = fs::remove_dir_all(folder);
    }
}

const OFFERED: &str = "postgresql-15 15.20-0\npostgresql-server-dev-15 15.20-0\npostgresql-server-dev-15 15.18-0\n\
                       libpq-dev 15.20-0\nlibpq-dev 15.18-0\n";

#[test]
fn the_headers_are_those_of_the_very_server_that_is_installed() {
    let installed = "postgresql-15 15.18-0\nlibpq5 15.18-0\n";
    let distribution = Distribution::new("same", installed, OFFERED, "");
    let packages = "postgresql-server-dev-15=15.18-0\nlibpq-dev=15.18-0\n";
    assert_eq!(distribution.run("missing_postgres"), (true, packages.to_owned()));
    // A server that is not there is had whole, in the newest version.
    let bare = Distribution::new("bare", "", OFFERED, "");
    let both = "postgresql-15\npostgresql-server-dev-15\n";
    assert_eq!(bare.run("missing_postgres"), (true, both.to_owned()));
}

#[test]
fn where_those_headers_are_not_on_offer_nothing_is_installed_and_it_is_said_what_to_type() {
    let distribution = Distribution::new("older", "postgresql-15 15.16-0\n", OFFERED, "");
    let (done, said) = distribution.run("postgres=$(missing_postgres); install_missing \"$postgres\"");
    assert!(!done);
    for words in [
        "the installed postgresql-15, which is 15.16-0, are not on offer",
        "15.20-0 15.18-0",
        "restarts its clusters",
        "apt-get install postgresql-15 postgresql-server-dev-15",
    ] {
        assert!(said.contains(words), "{words:?} in:\n{said}");
    }
    assert_eq!(distribution.ran(), "");
}

#[test]
fn what_would_bring_an_installed_postgres_along_is_not_installed() {
    let simulated = "Inst libpq5 [15.18-0] (15.20-0 registry)\nInst make (4.3 registry)\n";
    let distribution = Distribution::new("along", "postgresql-15 15.18-0\n", OFFERED, simulated);
    let (done, said) = distribution.run("install_missing 'libpq-dev'");
    assert!(
        !done && said.contains("Inst libpq5 [15.18-0]") && said.contains("Nothing has been done"),
        "{said}"
    );
    assert_eq!(distribution.ran(), "");

    let others = "Inst libc6 [2.36-1] (2.36-2 registry)\nInst make (4.3 registry)\n";
    let distribution = Distribution::new("others", "postgresql-15 15.18-0\n", OFFERED, others);
    let (done, said) = distribution.run("install_missing 'build-essential'");
    assert!(done, "{said}");
    assert!(
        distribution
            .ran()
            .contains("install -y --no-upgrade --no-install-recommends build-essential")
    );
}

/// psql, or a program that links libpq, of a machine that has not been updated of late.
#[test]
fn clients_without_a_server_may_be_brought_along_but_not_removed() {
    let installed = "libpq5 15.18-0\npostgresql-client-15 15.18-0\npostgresql-client-common 248\n";
    let simulated = "Inst libpq5 [15.18-0] (15.20-0 registry)\nInst postgresql-15 (15.20-0 registry)\n";
    let install = "install_missing \"$(missing_postgres)\"";
    let distribution = Distribution::new("clients", installed, OFFERED, simulated);
    let (done, said) = distribution.run(install);
    assert!(done, "{said}");
    let ran = distribution.ran();
    assert!(ran.contains("postgresql-15 postgresql-server-dev-15"), "{ran}");

    let simulated = "Remv libpq5 [15.18-0]\n";
    let distribution = Distribution::new("removed", installed, OFFERED, simulated);
    let (done, said) = distribution.run(install);
    assert!(!done && said.contains(simulated), "{said}");
    assert_eq!(distribution.ran(), "");

    // A server of a version that is not ours keeps what it runs with.
    let installed = "postgresql-13 13.20-0\nlibpq5 15.18-0\n";
    let simulated = "Inst libpq5 [15.18-0] (15.20-0 registry)\n";
    let distribution = Distribution::new("stranger", installed, OFFERED, simulated);
    let (done, said) = distribution.run(install);
    assert!(!done && said.contains(simulated), "{said}");
}

/// A Debian whose root has a password has no sudo: what to run as root is one line, and after it nothing is missing.
#[test]
fn who_is_neither_root_nor_has_sudo_is_told_the_line_that_root_has_to_run() {
    let distribution = Distribution::new("no-sudo", "", OFFERED, "");
    let stranger = "id() { echo 1000; }; command() { [ \"$2\" != sudo ] && builtin command \"$@\"; }";
    let (done, said) = distribution.run(&format!("{stranger}; unset PG_CONFIG; purpose=tests; apt_get update"));
    let setup = Project::default().root().join("scripts/setup.sh");
    let line = format!("\n    su - -c '{} tests --packages'\n", setup.display());
    assert!(!done && said.contains(&line), "{line} in:\n{said}");
    assert_eq!(distribution.ran(), "");
    // A Postgres that was named stays the one that is meant.
    let (_, said) = distribution.run(&format!("{stranger}; PG_CONFIG=/opt/pg_config; apt_get update"));
    assert!(said.contains("su - -c 'PG_CONFIG=/opt/pg_config /"), "{said}");
}

/// Root runs that line, and Rust is another user's.
#[test]
fn packages_alone_ask_for_no_rust() {
    let root = Project::default().root().to_owned();
    let path = std::env::var_os("PATH").expect("a PATH");
    let without_rust =
        std::env::split_paths(&path).filter(|folder| !folder.join("cargo").exists() || folder.join("bash").exists());
    let output = Command::new(root.join("scripts/setup.sh"))
        .args(["build", "--packages"])
        .env("PATH", std::env::join_paths(without_rust).expect("a PATH"))
        .env("HOME", "/nonexistent")
        .output()
        .expect("setup.sh runs");
    // Everything is there, or this test would not run: nothing to say, nothing to do.
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

/// A bare Debian has no make: everything that make does, a script does without it.
#[test]
fn make_does_nothing_that_a_script_does_not() {
    let root = Project::default().root().to_owned();
    let makefile = fs::read_to_string(root.join("Makefile")).expect("the Makefile");
    let recipes: Vec<&str> = makefile.lines().filter(|line| line.starts_with('\t')).collect();
    assert!(recipes.len() > 10);
    for recipe in recipes.iter().filter(|recipe| !recipe.contains("MAKEFILE_LIST")) {
        assert!(recipe.starts_with("\t@scripts/do.sh "), "{recipe}");
    }
    for script in [
        "do.sh",
        "setup.sh",
        "packages.sh",
        "environment.sh",
        "build.sh",
        "private-server.sh",
        "install.sh",
    ] {
        let text = fs::read_to_string(root.join("scripts").join(script)).expect("a script");
        let calls = |line: &&str| line.trim_start().starts_with("make ");
        assert_eq!(text.lines().find(calls), None, "{script}");
    }
}
