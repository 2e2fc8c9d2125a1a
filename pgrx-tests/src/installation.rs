//! A Postgres installation on disk, and a private copy of it that timedb can be put into without
//! touching the original. Postgres finds its libraries and its share folder relative to its own
//! program, so a copy that keeps the distances between the folders is an installation of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::environment::PG_CONFIG;
use crate::project::Project;

#[derive(Clone, Debug)]
pub struct Installation {
    pub programs: PathBuf,
    libraries: PathBuf,
    shared_objects: PathBuf,
    share: PathBuf,
}

impl Installation {
    /// The `pg_config` to ask when none is named: `$PG_CONFIG`, else the one on the PATH.
    pub fn default_pg_config() -> PathBuf {
        std::env::var_os(PG_CONFIG).map_or_else(|| "pg_config".into(), PathBuf::from)
    }

    pub fn of(pg_config: &Path) -> Result<Self> {
        let installation = Self {
            programs: ask(pg_config, "--bindir")?,
            libraries: ask(pg_config, "--pkglibdir")?,
            shared_objects: ask(pg_config, "--libdir")?,
            share: ask(pg_config, "--sharedir")?,
        };
        let server = installation.programs.join("postgres");
        ensure!(
            server.is_file(),
            "{} is missing: install the Postgres server",
            server.display()
        );
        Ok(installation)
    }

    /// Makes the private copy under `root`: the programs are copies (links would be followed back
    /// to the original), everything else is links in folders of our own.
    pub fn copy_under(&self, root: &Path) -> Result<Self> {
        let copy = Self {
            programs: beneath(root, &self.programs),
            libraries: beneath(root, &self.libraries),
            shared_objects: beneath(root, &self.shared_objects),
            share: beneath(root, &self.share),
        };
        copy_programs(&self.programs, &copy.programs)?;
        link_entries(&self.libraries, &copy.libraries, &|name| name != "timedb.so")?;
        link_entries(&self.share, &copy.share, &|name| name != "extension")?;
        link_entries(&self.share.join("extension"), &copy.extensions(), &is_not_timedb)?;
        self.link_own_shared_objects(root)?;
        Ok(copy)
    }

    /// Puts timedb into this installation.
    pub fn add_timedb(&self, project: &Project, library: &Path) -> Result<()> {
        let extensions = self.extensions();
        put(&self.libraries.join("timedb.so"), &read(library)?)?;
        put(&extensions.join("timedb.control"), &read(&project.control_file())?)?;
        let mut scripts = project.released_scripts()?;
        scripts.extend(project.upgrade_scripts()?);
        for script in scripts {
            let name = script.file_name().context("a script without a name")?;
            put(&extensions.join(name), &read(&script)?)?;
        }
        for further in project.further_extensions()? {
            let name = further
                .control_file
                .file_name()
                .context("a control file without a name")?;
            put(&extensions.join(name), &read(&further.control_file)?)?;
            put(&extensions.join(&further.script_name), further.script.as_bytes())?;
        }
        // Last: between a release and the change of the version after it, both scripts have one name.
        put(&extensions.join(project.script_name()?), project.script()?.as_bytes())
    }

    /// Puts what a package of the distribution has for this Postgres into the copy; `unpacked` is the root that its files lie below.
    pub fn add_package(&self, original: &Installation, unpacked: &Path) -> Result<()> {
        for (from, to) in [
            (&original.libraries, self.libraries.clone()),
            (&original.share.join("extension"), self.extensions()),
        ] {
            link_entries(&beneath(unpacked, from), &to, &|_| true)?;
        }
        Ok(())
    }

    fn extensions(&self) -> PathBuf {
        self.share.join("extension")
    }

    /// Programs of a distribution find libpq and others in the system's folders. Those of a build
    /// that lives elsewhere may look beside themselves, or a few folders up (a Python wheel does).
    fn link_own_shared_objects(&self, root: &Path) -> Result<()> {
        const SYSTEM: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];
        const FOLDERS_UP: usize = 3;
        if SYSTEM.iter().any(|system| self.shared_objects.starts_with(system)) {
            return Ok(());
        }
        let up = self.shared_objects.ancestors().take(1 + FOLDERS_UP);
        for folder in up.filter(|folder| folder.parent().is_some()) {
            link_entries(folder, &beneath(root, folder), &|name| name != "timedb.so")?;
        }
        Ok(())
    }
}

fn ask(pg_config: &Path, question: &str) -> Result<PathBuf> {
    let output = Command::new(pg_config)
        .arg(question)
        .output()
        .with_context(|| format!("cannot run {} (set PG_CONFIG)", pg_config.display()))?;
    let answer = String::from_utf8(output.stdout)?;
    if !output.status.success() || answer.trim().is_empty() {
        bail!("{} {question} gave no answer", pg_config.display());
    }
    Ok(answer.trim().into())
}

fn beneath(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn copy_programs(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_postgres_program) {
            fs::copy(entry.path(), to.join(entry.file_name()))
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Some distributions keep the programs in `/usr/bin`, among everything else.
fn is_postgres_program(name: &str) -> bool {
    const OTHERS: [&str; 11] = [
        "clusterdb",
        "createdb",
        "createuser",
        "dropdb",
        "dropuser",
        "initdb",
        "pgbench",
        "postgres",
        "psql",
        "reindexdb",
        "vacuumdb",
    ];
    name.starts_with("pg_") || OTHERS.contains(&name)
}

fn is_not_timedb(name: &str) -> bool {
    !["timedb.control", "timedb_router.control", "timedb_shard.control"].contains(&name)
        && !["timedb--", "timedb_router--", "timedb_shard--"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn link_entries(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    fs::create_dir_all(to)?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let link = to.join(entry.file_name());
        // One of our own folders may already stand where the original has one: those come first.
        if entry.file_name().to_str().is_some_and(wanted) && !link.exists() {
            symlink(entry.path(), &link).with_context(|| format!("cannot link {}", link.display()))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes beside the place and renames: a server that has mapped the former file keeps it.
fn put(path: &Path, contents: &[u8]) -> Result<()> {
    let fresh = path.with_added_extension("new");
    fs::write(&fresh, contents)
        .and_then(|()| fs::rename(&fresh, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_the_distances_between_the_folders() {
        let copy = beneath(Path::new("/tmp/tdb.x"), Path::new("/usr/lib/postgresql/15/bin"));
        assert_eq!(copy, Path::new("/tmp/tdb.x/usr/lib/postgresql/15/bin"));
    }

    #[test]
    fn only_the_programs_of_postgres_are_copied() {
        assert!(is_postgres_program("pg_ctl"));
        assert!(is_postgres_program("psql"));
        assert!(!is_postgres_program("ls"));
    }

    #[test]
    fn a_timedb_installed_before_stays_out_of_the_copy() {
        assert!(!is_not_timedb("timedb.control"));
        assert!(!is_not_timedb("timedb--0.0.9.sql"));
        assert!(is_not_timedb("plpgsql.control"));
    }
}
