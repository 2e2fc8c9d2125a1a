//! The command line of `private-server`.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use lexopt::Arg::{Long, Short, Value};
use lexopt::{Parser, ValueExt};
use timedb_testkit::{Options, Project};

pub const USAGE: &str = "\
A private Postgres server with timedb, in a temporary folder, on a Unix socket only.

  private-server run [OPTIONS] [--fsync] [--in-memory] [--shards N] -- COMMAND [ARGUMENTS]
      runs COMMAND against a fresh server (PGHOST, PGDATABASE=timedb, … are set),
      stops the server, and exits as COMMAND did; with shards, against a router of so many
  private-server serve [OPTIONS]
      leaves a server running with a fresh database timedb, and says where
  private-server psql [ARGUMENTS]
      opens psql on the server that was left running
  private-server stop
      stops that server and removes it
  private-server script FOLDER
      writes the extensions' install scripts, timedb--VERSION.sql first, to FOLDER

Options:
  --library FILE     the libtimedb.so to install (the one beside this program)
  --setting LINE     a further line of postgresql.conf, repeatable
  --project FOLDER   the checkout with timedb.control and sql/ ($TIMEDB_PROJECT, or where this was compiled)
  --fsync            writes reach the disk (serve always does)
  --in-memory        the data lie in /dev/shm where there is room: for many databases

The environment variable PG_CONFIG names the Postgres to copy.
";

pub enum Action {
    Help,
    Run {
        options: Options,
        shards: usize,
        command: Vec<OsString>,
    },
    Serve {
        options: Options,
        project: Project,
    },
    Stop {
        project: Project,
    },
    Psql {
        project: Project,
        arguments: Vec<OsString>,
    },
    Script {
        project: Project,
        folder: PathBuf,
    },
}

/// What the words before `--`, or before psql's own, have said.
#[derive(Default)]
struct Said {
    options: Options,
    project: Project,
    fsync: bool,
    in_memory: bool,
    shards: usize,
    rest: Vec<OsString>,
}

pub fn parse() -> Result<Action> {
    let mut parser = Parser::from_env();
    let verb = match parser.next()? {
        None | Some(Long("help") | Short('h')) => return Ok(Action::Help),
        Some(Value(verb)) => verb.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    if verb == "psql" {
        let arguments = parser.raw_args()?.collect();
        return Ok(Action::Psql {
            project: Project::default(),
            arguments,
        });
    }
    let Some(said) = options(&mut parser)? else {
        return Ok(Action::Help);
    };
    action(&verb, said)
}

/// None if the words ask for help.
fn options(parser: &mut Parser) -> Result<Option<Said>> {
    let mut said = Said::default();
    while let Some(word) = parser.next()? {
        match word {
            Long("help") | Short('h') => return Ok(None),
            Long("library") => said.options = said.options.library(parser.value()?),
            Long("setting") => said.options = said.options.setting(parser.value()?.string()?),
            Long("project") => said.project = Project::at(PathBuf::from(parser.value()?)),
            Long("fsync") => said.fsync = true,
            Long("in-memory") => said.in_memory = true,
            Long("shards") => said.shards = parser.value()?.parse()?,
            Value(first) => {
                said.rest.push(first);
                said.rest.extend(parser.raw_args()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    said.options = said.options.project(said.project.clone());
    Ok(Some(said))
}

fn action(verb: &str, said: Said) -> Result<Action> {
    let Said {
        options,
        project,
        fsync,
        in_memory,
        shards,
        mut rest,
    } = said;
    match verb {
        "run" => {
            ensure!(!rest.is_empty(), "run: which command?");
            Ok(Action::Run {
                options: options.durable(fsync).in_memory(in_memory),
                shards,
                command: rest,
            })
        }
        "script" => {
            ensure!(rest.len() == 1, "script: into which folder?");
            Ok(Action::Script {
                project,
                folder: rest.remove(0).into(),
            })
        }
        "serve" | "stop" => {
            ensure!(rest.is_empty(), "{verb} takes no {:?}", rest[0]);
            if verb == "stop" {
                return Ok(Action::Stop { project });
            }
            Ok(Action::Serve {
                options: options.durable(true),
                project,
            })
        }
        other => bail!("unknown command {other:?}; see private-server --help"),
    }
}
