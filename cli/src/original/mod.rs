//! The tables of the original service, and what becomes of their rows.
//!
//! | there | here |
//! |---|---|
//! | `values_table`, a row a version | `timedb.values`, a row for all of one series that one change to a run wrote |
//! | `runs_table` | `timedb.runs`; the id is of version 7 and made of `inserted_at`, the old one stays in `run_params` |
//! | `series_table`, of all tenants | `timedb.series` of each tenant that has values of it, by the same id |
//! | `users_table` with keys in clear | `timedb.users`, and of each key its hash in `timedb.api_keys` |

pub mod moment;
pub mod packing;
pub mod source;
pub mod tenant;
