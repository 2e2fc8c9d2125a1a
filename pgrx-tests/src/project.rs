//! What the project ships: the control file, the SQL files as one install script, and the library.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::environment::{LIBRARY, PROJECT};

/// An extension beside timedb that uses its library.
pub struct Further {
    pub control_file: PathBuf,
    pub script_name: String,
    pub script: String,
}

/// A checkout of timedb.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
}

impl Default for Project {
    fn default() -> Self {
        if let Some(root) = std::env::var_os(PROJECT) {
            return Self::at(root);
        }
        let testkit = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self {
            root: testkit.parent().unwrap_or(testkit).to_owned(),
        }
    }
}

impl Project {
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn control_file(&self) -> PathBuf {
        self.root.join("timedb.control")
    }

    /// `default_version` of the control file.
    pub fn version(&self) -> Result<String> {
        let path = self.control_file();
        let control = read(&path)?;
        default_version(&control)
            .map(str::to_owned)
            .with_context(|| format!("{} names no default_version", path.display()))
    }

    pub fn script_name(&self) -> Result<String> {
        Ok(format!("timedb--{}.sql", self.version()?))
    }

    /// The install script: every `sql/NN_*.sql` in the order of their names.
    pub fn script(&self) -> Result<String> {
        self.joined("sql")
    }

    /// The extensions beside timedb, where the project has them: their control files, and the install script of each, of the same
    /// version.
    pub fn further_extensions(&self) -> Result<Vec<Further>> {
        let mut further = Vec::new();
        for (name, folder) in [("timedb_router", "router/sql"), ("timedb_shard", "router/shard")] {
            let control_file = self.root.join(format!("router/{name}.control"));
            if control_file.exists() {
                further.push(Further {
                    script_name: format!("{name}--{}.sql", self.version()?),
                    script: self.joined(folder)?,
                    control_file,
                });
            }
        }
        Ok(further)
    }

    fn joined(&self, folder: &str) -> Result<String> {
        let parts = self.sql_files(folder, is_part_of_script)?;
        ensure!(!parts.is_empty(), "no {folder}/NN_*.sql in {}", self.root.display());
        let mut script = String::new();
        for part in parts {
            script.push_str(&read(&part)?);
            if !script.ends_with('\n') {
                script.push('\n');
            }
        }
        Ok(script)
    }

    /// The scripts from one release to the next, `sql/timedb--A--B.sql`.
    pub fn upgrade_scripts(&self) -> Result<Vec<PathBuf>> {
        self.sql_files("sql", is_upgrade_script)
    }

    /// The install scripts of the releases so far, `sql/released/timedb--V.sql`, each as it was shipped. Private servers
    /// alone get them, to have something to update: whoever installs anew installs this version, and so `make install`
    /// and `cargo pgrx install`, which looks no deeper than `sql/`, leave them out. A project may have none.
    pub fn released_scripts(&self) -> Result<Vec<PathBuf>> {
        const FOLDER: &str = "sql/released";
        if !self.root.join(FOLDER).exists() {
            return Ok(Vec::new());
        }
        self.sql_files(FOLDER, is_install_script)
    }

    fn sql_files(&self, folder: &str, wanted: fn(&str) -> bool) -> Result<Vec<PathBuf>> {
        let folder = self.root.join(folder);
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(wanted) {
                files.push(entry.path());
            }
        }
        files.sort();
        Ok(files)
    }
}

/// The `libtimedb.so` to install when none is named: the one that `private-server run` already
/// has, else the one that cargo put beside the running binary.
pub fn built_library() -> Result<PathBuf> {
    if let Some(library) = std::env::var_os(LIBRARY) {
        return Ok(library.into());
    }
    let program = std::env::current_exe().context("cannot find the running binary")?;
    // Test binaries live one folder further down, in deps/ (as does a link to a library that may
    // have other features than the one that was asked for).
    for folder in program
        .ancestors()
        .skip(1)
        .filter(|folder| !folder.ends_with("deps"))
        .take(2)
    {
        let library = folder.join("libtimedb.so");
        if library.is_file() {
            return Ok(library);
        }
    }
    bail!(
        "no libtimedb.so beside {}: build the extension first",
        program.display()
    )
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn default_version(control: &str) -> Option<&str> {
    control.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "default_version").then(|| value.trim().trim_matches('\''))
    })
}

fn is_part_of_script(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() > 3 && bytes[..2].iter().all(u8::is_ascii_digit) && bytes[2] == b'_' && name.ends_with(".sql")
}

fn is_upgrade_script(name: &str) -> bool {
    versions(name).is_some_and(|versions| versions.contains("--"))
}

fn is_install_script(name: &str) -> bool {
    versions(name).is_some_and(|versions| !versions.contains("--"))
}

fn versions(name: &str) -> Option<&str> {
    name.strip_prefix("timedb--")?.strip_suffix(".sql")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_control_file() {
        let control = "comment = 'a = b'\ndefault_version = '0.1.0'\ntrusted = false\n";
        assert_eq!(default_version(control), Some("0.1.0"));
        assert_eq!(default_version("comment = 'none'"), None);
    }

    #[test]
    fn numbered_files_are_the_script_and_steps_between_versions_are_not() {
        assert!(is_part_of_script("01_schema.sql"));
        assert!(!is_part_of_script("timedb--0.1.0--0.2.0.sql"));
        assert!(!is_part_of_script("01_schema.md"));
        assert!(is_upgrade_script("timedb--0.1.0--0.2.0.sql"));
        assert!(!is_upgrade_script("timedb--0.1.0.sql"));
        assert!(is_install_script("timedb--0.1.0.sql"));
        assert!(!is_install_script("timedb--0.1.0--0.2.0.sql"));
        assert!(!is_install_script("01_schema.sql"));
    }

    #[test]
    fn the_script_joins_its_parts_in_the_order_of_their_names() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("sql"))?;
        fs::write(folder.path().join("sql/20_b.sql"), "second;\n")?;
        fs::write(folder.path().join("sql/10_a.sql"), "first;")?;
        fs::write(folder.path().join("sql/timedb--0.1.0--0.2.0.sql"), "step;")?;
        let project = Project::at(folder.path());
        assert_eq!(project.script()?, "first;\nsecond;\n");
        assert_eq!(project.upgrade_scripts()?.len(), 1);
        assert!(project.released_scripts()?.is_empty());
        fs::create_dir(folder.path().join("sql/released"))?;
        fs::write(folder.path().join("sql/released/timedb--0.1.0.sql"), "old;")?;
        assert_eq!(project.released_scripts()?.len(), 1);
        Ok(())
    }
}
