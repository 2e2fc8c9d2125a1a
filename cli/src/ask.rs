//! Questions before something is lost: at a terminal only.

use std::io::{IsTerminal, Write, stderr, stdin};

use anyhow::{Result, bail};
use clap::Args;

use crate::failure::Usage;

/// Whether to ask at all.
#[derive(Args, Clone, Default)]
pub struct Confirmation {
    /// Do it without asking
    #[arg(short, long)]
    yes: bool,
}

impl Confirmation {
    /// Goes on only where somebody says yes, now or by the option.
    pub fn ask(&self, question: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !stdin().is_terminal() {
            return Err(Usage(format!("{question} There is nobody to ask here: -y says yes")).into());
        }
        let mut out = stderr().lock();
        write!(out, "{question} [y/N] ")?;
        out.flush()?;
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => bail!("nothing was done"),
        }
    }
}
