//! What the walkthrough says: parts, steps, and claims that are true (✓) or not (✗). It counts the
//! claims, and the program's exit code is theirs. Colours only on a terminal, and not with
//! NO_COLOR: `anstream` sees to both.

use std::fmt::Debug;

use anstream::println;
use owo_colors::OwoColorize;
use postgres::Row;
use postgres::error::SqlState;

use crate::table;

#[derive(Default)]
pub struct Report {
    steps: usize,
    claims: usize,
    failed: Vec<String>,
}

impl Report {
    pub fn part(&self, title: &str) {
        println!("\n{}", title.bold().underline());
    }

    pub fn step(&mut self, title: &str) {
        self.steps += 1;
        println!("\n{}", format!("{}. {title}", self.steps).cyan().bold());
    }

    pub fn note(&self, text: &str) {
        println!("  {}", text.dimmed());
    }

    /// A sentence that must be true.
    pub fn claim(&mut self, sentence: &str, holds: bool) {
        self.claims += 1;
        if holds {
            println!("  {} {sentence}", "✓".green());
        } else {
            println!("  {} {sentence}", "✗".red().bold());
            self.failed.push(sentence.to_owned());
        }
    }

    /// A claim that two values are the same; if they are not, both are shown.
    pub fn same<T: PartialEq + Debug>(&mut self, sentence: &str, got: &T, expected: &T) {
        let holds = got == expected;
        self.claim(sentence, holds);
        if !holds {
            println!("    expected {}", abridged(expected));
            println!("    got      {}", abridged(got));
        }
    }

    /// A claim that a statement was refused, with this SQLSTATE and a message that begins so.
    pub fn refused(
        &mut self,
        sentence: &str,
        outcome: &Result<Vec<Row>, postgres::Error>,
        code: &SqlState,
        message: &str,
    ) {
        let holds = match outcome {
            Ok(_) => false,
            Err(error) => error
                .as_db_error()
                .is_some_and(|error| error.code() == code && error.message().starts_with(message)),
        };
        self.claim(sentence, holds);
        if !holds {
            println!("    expected an error {}: {message}", code.code());
        }
    }

    /// The walkthrough could not go on: said with everything the server said, and counted as a
    /// failure.
    pub fn stopped(&mut self, error: &anyhow::Error) {
        println!("\n  {} the walkthrough stopped: {error:#}", "✗".red().bold());
        if let Some(error) = error.downcast_ref::<postgres::Error>() {
            table::print_error(error);
        }
        self.failed.push(format!("the walkthrough stopped: {error}"));
    }

    /// Ends the report; true if every claim held and nothing stopped it.
    pub fn summary(&self) -> bool {
        println!();
        if self.failed.is_empty() {
            println!("{} {} claims, all true", "✓".green(), self.claims);
            return true;
        }
        println!("{} {} claims; failed:", "✗".red().bold(), self.claims);
        for sentence in &self.failed {
            println!("  {} {sentence}", "✗".red());
        }
        false
    }
}

/// Whole vectors are compared; a screenful of them helps nobody.
fn abridged(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let head: String = text.chars().take(200).collect();
    if head.len() < text.len() { head + " …" } else { text }
}
