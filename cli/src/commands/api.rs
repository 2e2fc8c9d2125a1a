//! `timedb api`: an HTTP server in front of a database with timedb. What it serves is `crate::api`.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::api::{self, Options};
use crate::connection::Target;
use crate::failure::Usage;

#[derive(Args)]
pub struct Api {
    /// The address to listen on: any other than a loopback address wants a proxy in front that speaks TLS
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The port to listen on; 0 takes one that is free, and says which
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// How many connections to the database there are at most
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// The largest body that is taken, in MiB, unpacked
    #[arg(long, default_value_t = 64, value_name = "MIB", value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_body: u16,
    /// How much of bodies is held at once, of all requests together, in MiB; one tenant may have half of it
    #[arg(long, default_value_t = 256, value_name = "MIB", value_parser = clap::value_parser!(u16).range(1..))]
    body_memory: u16,
    /// How many seconds a body may take to come
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..))]
    body_timeout: u16,
    /// How many seconds a request may take in the database
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..))]
    timeout: u16,
    #[command(flatten)]
    target: Target,
}

impl Api {
    pub fn run(self) -> Result<()> {
        if self.body_memory < self.max_body {
            return Err(Usage(format!(
                "--body-memory {} has no room for a body of --max-body {} MiB",
                self.body_memory, self.max_body
            ))
            .into());
        }
        let options = Options {
            host: self.host,
            port: self.port,
            connections: self.connections.into(),
            max_body: usize::from(self.max_body) << 20,
            body_memory: usize::from(self.body_memory) << 20,
            body_timeout: Duration::from_secs(self.body_timeout.into()),
            timeout: Duration::from_secs(self.timeout.into()),
        };
        api::run(options, &self.target.reach()?)
    }
}
