//! `private-server serve`, `psql` and `stop`: a server that stays, remembered in `target/serve/`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use timedb_testkit::{Options, Project, Server, remove};

const DATABASE: &str = "timedb";
const ROLE: &str = "postgres";

pub fn serve(options: &Options, project: &Project) -> Result<ExitCode> {
    stop_served(project)?;
    let cluster = options.start()?;
    cluster.create_database(DATABASE)?;
    let memory = memory(project);
    fs::create_dir_all(memory.parent().unwrap_or(&memory))?;
    fs::write(&memory, cluster.folder().as_os_str().as_encoded_bytes())
        .with_context(|| format!("cannot write {}", memory.display()))?;
    let server = cluster.leave_running()?;
    let url = server.url(ROLE, DATABASE);
    // One write: a reader that wants the first line only must not break the second.
    let told = format!("{url}\n{} '{url}'\n", psql_program(&server));
    io::stdout().write_all(told.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub fn stop(project: &Project) -> Result<ExitCode> {
    match stop_served(project)? {
        Some(folder) => println!("stopped and removed {}", folder.display()),
        None => println!("no server was running"),
    }
    Ok(ExitCode::SUCCESS)
}

pub fn psql(project: &Project, arguments: &[OsString]) -> Result<ExitCode> {
    let folder = served(project).context("no server is running: start one by `make serve`")?;
    let mut psql = Server::at(folder).command("psql", ROLE, DATABASE);
    Err(psql.args(arguments).exec()).context("cannot run psql")
}

/// The file that names the folder of the server left running.
fn memory(project: &Project) -> PathBuf {
    project.root().join("target/serve/folder")
}

/// The folder of the server left running; a restart of the machine may have taken it away.
fn served(project: &Project) -> Option<PathBuf> {
    let folder = PathBuf::from(fs::read_to_string(memory(project)).ok()?);
    folder.is_dir().then_some(folder)
}

fn stop_served(project: &Project) -> Result<Option<PathBuf>> {
    let folder = served(project);
    if let Some(folder) = &folder {
        remove(folder)?;
    }
    match fs::remove_file(memory(project)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(folder),
    }
}

/// `psql` if the PATH has one, else the private server's own.
fn psql_program(server: &Server) -> String {
    let on_path = Command::new("psql").arg("--version").stdout(Stdio::null()).status();
    match on_path {
        Ok(status) if status.success() => "psql".to_owned(),
        _ => server.folder().join("bin/psql").display().to_string(),
    }
}
