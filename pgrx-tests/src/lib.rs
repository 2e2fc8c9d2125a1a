//! A throw-away Postgres with timedb in it, and what tests do there. [`Cluster`] is a private server that nobody else sees,
//! [`Database`] a test's own database on it, [`Stage`] one with two tenants and the premise of every test of isolation;
//! [`refused`] reads an error the way a client does.

// The server.
mod account;
mod cluster;
mod database;
mod disk;
mod environment;
mod gathered;
mod installation;
mod keeper;
mod kill;
mod memory;
mod pg_upgrade;
mod project;
mod server;
mod spread;

// The tests on it.
mod cancel;
mod log;
mod login;
mod notices;
mod premise;
mod process;
mod query;
mod refusal;
mod sight;
mod stage;
mod standby;
mod wait;

pub use cancel::{cancelled, once_under_way};
pub use cluster::{Cluster, Options, remove};
pub use database::{Database, Identity};
pub use disk::SmallDisk;
pub use environment::{LIBRARY, LOG, PG_CONFIG, PROJECT, SERVER_DIR, SHARDS, without_postgres_variables};
pub use kill::kill_process;
pub use log::server_log;
pub use login::{backend_pid, fail_to_login, login, tenant};
pub use notices::Notices;
pub use premise::{assert_ordinary, assert_ordinary_roles, powers};
pub use process::{cpu_ticks, memory, peak_claim, peak_memory};
pub use project::{Project, built_library};
pub use query::{one, one_of, run, succeed};
pub use refusal::{KEY_NEEDED, KEY_REFUSED, Refusal, refused, told, words};
pub use server::Server;
pub use sight::{
    RELATIONS, SHOWN_SETTINGS, assert_functions_refuse, assert_key_refused, assert_nobody, assert_sees_nothing, seen,
    series_of, shown,
};
pub use spread::Spread;
pub use stage::{Stage, Stored, bind};
pub use standby::wait_until_replayed;
pub use wait::{wait_longer_until, wait_until, wait_until_blocked};
