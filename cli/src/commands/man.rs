//! `timedb man`: the pages of the manual.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};

use crate::Arguments;

/// A page for each command, timedb.1 and timedb-….1: man -l timedb.1 shows one.
#[derive(Args)]
pub struct Man {
    /// The folder, which is made where it is not there
    folder: PathBuf,
}

impl Man {
    pub fn run(self) -> Result<()> {
        let folder = self.folder.display();
        fs::create_dir_all(&self.folder).with_context(|| format!("{folder} cannot be made"))?;
        let pages = clap_mangen::generate_to(Arguments::command(), &self.folder);
        pages.with_context(|| format!("the pages cannot be written to {folder}"))
    }
}
