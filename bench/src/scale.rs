//! How many servers carry many tenants: a simulation, which needs none of them. `scripts/bench.sh scale` writes
//! `bench/scale.md`, the same at every run; docs/scale.md says what it means.
//!
//! 100,000 tenants, of which a few hold most, are placed as a router places them: by the two bytes that their keys begin
//! with, on logical shards, and these on servers. How large tenants are is given by a law and has no chance in it; where
//! they come to lie is chance, drawn 100 times.

mod balance;
mod deal;
mod page;
mod simulation;
mod singly;
mod tenants;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes the page, and shows it.
pub fn write(project: &Path) -> Result<()> {
    let path = project.join("bench/scale.md");
    let text = page::of(&simulation::run(&simulation::PLAN));
    fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    print!("{text}");
    Ok(())
}
