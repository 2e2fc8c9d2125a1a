//! `timedb api`: an HTTP server in front of a database with timedb. What it serves is `crate::api`.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::api::{self, Options};
use crate::connection::Target;

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
    /// How many seconds a request may take
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..))]
    timeout: u16,
    #[command(flatten)]
    target: Target,
}

impl Api {
    pub fn run(self) -> Result<()> {
        let options = Options {
            host: self.host,
            port: self.port,
            connections: self.connections.into(),
            max_body: usize::from(self.max_body) << 20,
            timeout: Duration::from_secs(self.timeout.into()),
        };
        api::run(options, &self.target.reach()?)
    }
}
