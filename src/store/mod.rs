//! Where values are stored: rows of `timedb.values`, and packs of many of them in `timedb.packs`. The only SQL on the two
//! tables, and the only place that knows the classes of spans that bound a scan.

pub mod changes;
pub mod counts;
pub mod erase;
pub mod fetch;
pub mod keys;
pub mod newest;
pub mod open;
pub mod orphans;
pub mod quota;
pub mod retain;
pub mod runs;
pub mod scan;
pub mod shown;
pub mod sizes;
mod spans;
pub mod take;
pub mod tenants;
mod version;
pub mod withdrawn;
pub mod write;
