//! Rows that cannot be taken: the first are told, all are counted.

use std::fmt::Write;

use anyhow::{Result, bail};

const TOLD: usize = 10;

pub struct BadRows {
    file: String,
    told: Vec<String>,
    count: u64,
}

impl BadRows {
    pub fn of(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            told: Vec::new(),
            count: 0,
        }
    }

    pub fn add(&mut self, place: u64, reason: &str) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(format!("{}:{place}: {reason}", self.file));
        }
    }

    pub fn is_none(&self) -> bool {
        self.count == 0
    }

    /// An error that tells of them, if there are any.
    pub fn finish(&self) -> Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let mut words = match self.count {
            1 => "a row cannot be taken, so nothing is stored".to_owned(),
            count => format!("{count} rows cannot be taken, so nothing is stored"),
        };
        for told in &self.told {
            write!(words, "\n{told}")?;
        }
        let more = self.count - self.told.len() as u64;
        if more > 0 {
            write!(words, "\nand {more} more")?;
        }
        bail!(words)
    }
}
