//! What is said where something could not be done: in Postgres' own words, where they are Postgres'.

use std::io;
use std::process::ExitCode;

use anyhow::Error;
use postgres::error::DbError;

/// A mistake in what was typed that clap cannot see, such as two options that exclude each other: exit code 2.
#[derive(Debug)]
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Tells what went wrong, on the standard error output, and which exit code says so.
pub fn tell(error: &Error) -> ExitCode {
    // Whoever reads no further (`timedb read | head`) has what they wanted.
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    anstream::eprintln!("timedb: {}", words(error));
    match error.downcast_ref::<Usage>() {
        Some(_) => ExitCode::from(2),
        None => ExitCode::FAILURE,
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The message of each cause, without what a driver puts before the server's; then DETAIL and HINT.
pub fn words(error: &Error) -> String {
    let mut messages: Vec<String> = Vec::new();
    for cause in error.chain() {
        if let Some(told) = cause.downcast_ref::<DbError>() {
            messages.pop_if(|last| last.starts_with("db error") || last.starts_with("error connecting to server"));
            messages.push(server_words(told));
            break;
        }
        messages.push(cause.to_string());
    }
    messages.join(": ")
}

fn server_words(told: &DbError) -> String {
    let mut words = told.message().to_owned();
    for (label, text) in [("DETAIL", told.detail()), ("HINT", told.hint())] {
        if let Some(text) = text {
            words.push_str(&format!("\n{label}:  {text}"));
        }
    }
    words
}
