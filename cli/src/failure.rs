//! What is said where something could not be done: in Postgres' own words, where they are Postgres'.

use std::io;
use std::process::ExitCode;

use anyhow::Error;
use postgres::error::DbError;

use crate::{interrupt, secrets, show};

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
    interrupt::leave_words_to_it();
    anstream::eprintln!("timedb: {}", words(error));
    match error.downcast_ref::<Usage>() {
        Some(_) => ExitCode::from(2),
        None => ExitCode::FAILURE,
    }
}

/// Of what we print to; where the server's connection breaks, nothing is as it should be.
fn is_broken_pipe(error: &Error) -> bool {
    let is_connection = error.chain().any(|cause| cause.is::<postgres::Error>());
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    !is_connection && causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
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
    show::printable_lines(&secrets::hidden(&messages.join(": ")))
}

/// A message of the server with its DETAIL and HINT.
pub fn server_words(told: &DbError) -> String {
    let mut words = told.message().to_owned();
    for (label, text) in [("DETAIL", told.detail()), ("HINT", told.hint())] {
        if let Some(text) = text {
            words.push_str(&format!("\n{label}:  {text}"));
        }
    }
    show::printable_lines(&words)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio_postgres::Socket;
    use tokio_postgres::tls::{MakeTlsConnect, NoTls, NoTlsStream};

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_is_no_failure() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(&Error::from(broken())));
        assert!(is_broken_pipe(&Error::from(broken()).context("a row")));
        assert!(!is_broken_pipe(&Error::from(io::Error::other("full"))));
    }

    /// As if the connection to a server broke while it is written to.
    struct Breaking;

    impl MakeTlsConnect<Socket> for Breaking {
        type Stream = NoTlsStream;
        type TlsConnect = NoTls;
        type Error = io::Error;

        fn make_tls_connect(&mut self, _domain: &str) -> io::Result<NoTls> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_server_that_breaks_off_is_one() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let dsn = format!("postgresql://a@127.0.0.1:{port}/a");
        let Err(error) = postgres::Client::connect(&dsn, Breaking) else {
            panic!("there is no server");
        };
        let error = Error::from(error);
        assert!(error.root_cause().is::<io::Error>(), "the premise: {error:?}");
        assert!(!is_broken_pipe(&error));
    }
}
