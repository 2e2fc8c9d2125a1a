//! A throw-away Postgres with timedb in it. [`Cluster`] is a private server that nobody else sees;
//! [`Database`] is a test's own database on it; [`refused`] reads an error the way a client does.

mod account;
mod cluster;
mod database;
mod environment;
mod installation;
mod keeper;
mod project;
mod refusal;
mod server;

pub use cluster::{Cluster, Options, remove};
pub use database::{Database, Identity};
pub use environment::{LIBRARY, LOG, PG_CONFIG, PROJECT, SERVER_DIR, without_postgres_variables};
pub use project::{Project, built_library};
pub use refusal::{Refusal, refused};
pub use server::Server;
