//! `timedb completions`: what a shell completes commands by.

use std::io::{Write, stdout};

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::Arguments;

/// For bash: timedb completions bash > ~/.local/share/bash-completion/completions/timedb
#[derive(Args)]
pub struct Completions {
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<()> {
        let mut script = Vec::new();
        generate(self.shell, &mut Arguments::command(), "timedb", &mut script);
        stdout().lock().write_all(&script)?;
        Ok(())
    }
}
