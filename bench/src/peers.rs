//! The ways to store the same values, each as peers who know their trade would do it.

pub mod classic;
pub mod clickhouse;
pub mod lean;
pub mod limit;
pub mod timedb;

pub use classic::Classic;
pub use clickhouse::Clickhouse;
pub use lean::Lean;
pub use limit::Limit;
pub use timedb::{Tenant, Timedb};

pub const CLASSIC: &str = "classic";
pub const LEAN: &str = "lean";
pub const LEAN_COPY: &str = "lean COPY";
pub const LIMIT: &str = "limit";
pub const CLICKHOUSE: &str = "clickhouse";
pub const TIMESCALE: &str = "timescale";
