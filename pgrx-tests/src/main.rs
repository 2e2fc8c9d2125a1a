//! `private-server`: a private Postgres with timedb, left running (`serve`) or for the time of one
//! command (`run`).

mod command_line;
mod run;
mod serve;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use timedb_testkit::Project;

use command_line::Action;

fn main() -> ExitCode {
    match command_line::parse().and_then(act) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("private-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(action: Action) -> Result<ExitCode> {
    match action {
        Action::Help => {
            print!("{}", command_line::USAGE);
            Ok(ExitCode::SUCCESS)
        }
        Action::Run {
            options,
            shards,
            command,
        } => run::run(&options, shards, &command),
        Action::Serve { options, project } => serve::serve(&options, &project),
        Action::Stop { project } => serve::stop(&project),
        Action::Psql { project, arguments } => serve::psql(&project, &arguments),
        Action::Script { project, folder } => {
            let path = folder.join(project.script_name()?);
            write_script(&project, &path)?;
            println!("{}", path.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn write_script(project: &Project, path: &std::path::Path) -> Result<()> {
    fs::write(path, project.script()?).with_context(|| format!("cannot write {}", path.display()))
}
