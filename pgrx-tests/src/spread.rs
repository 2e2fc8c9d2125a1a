//! Servers with one in front of them: a router and its shards, each a private server of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cluster::{Cluster, Options};
use crate::project::built_library;

/// A router and its shards; one server where there are none.
pub struct Spread {
    // The first to go.
    router: Cluster,
    shards: Vec<Cluster>,
}

/// Where `scripts/plproxy.sh` has unpacked PL/Proxy, unless Postgres has it anyway.
fn plproxy() -> Result<Option<PathBuf>> {
    let library = built_library()?;
    let target = library.parent().and_then(Path::parent);
    let unpacked = target.map(|target| target.join("gateways/plproxy"));
    Ok(unpacked.filter(|unpacked| unpacked.is_dir()))
}

impl Spread {
    /// All of them with the same options.
    pub fn start(options: &Options, shards: usize) -> Result<Self> {
        if shards == 0 {
            return Ok(Self {
                router: options.start()?,
                shards: Vec::new(),
            });
        }
        let shards: Vec<Cluster> = (0..shards)
            .map(|number| {
                options
                    .clone()
                    .shard()
                    .start()
                    .with_context(|| format!("shard {number}"))
            })
            .collect::<Result<_>>()?;
        let servers = shards.iter().map(|shard| shard.server().clone()).collect();
        let mut router = options.clone().router(servers);
        if let Some(unpacked) = plproxy()? {
            router = router.package(unpacked);
        }
        let router = router.start().context("the router")?;
        Ok(Self { router, shards })
    }

    pub fn router(&self) -> &Cluster {
        &self.router
    }

    pub fn shards(&self) -> &[Cluster] {
        &self.shards
    }
}
