//! Postgres' C, and nothing of timedb: values, rows, statements, results, settings, roles, clocks. Whoever is above writes
//! safe Rust against what this folder promises.

pub mod arguments;
mod array;
pub mod cancel;
pub mod clock;
pub mod datum;
pub mod duplicate;
pub mod error_context;
pub mod guc;
pub mod heap;
pub mod index_scan;
pub mod isolation;
pub mod jsonb;
pub mod lock;
pub mod moment;
pub mod node;
pub mod owned;
pub mod read_only;
pub mod relay;
pub mod remote_notice;
pub mod result;
pub mod roles;
pub mod row;
pub mod snapshot;
pub mod statement;
pub mod statistics;
pub mod template;
pub mod timestamp;
pub mod transaction;
pub mod tuple;
pub mod varlena;
pub mod warning;
pub mod zone;
