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
            for (name, script) in scripts(&project)? {
                let path = folder.join(name);
                fs::write(&path, script).with_context(|| format!("cannot write {}", path.display()))?;
                println!("{}", path.display());
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The install scripts by their names, timedb's own first.
fn scripts(project: &Project) -> Result<Vec<(String, String)>> {
    let mut scripts = vec![(project.script_name()?, project.script()?)];
    for further in project.further_extensions()? {
        scripts.push((further.script_name, further.script));
    }
    Ok(scripts)
}
