//! Isolation through the ways people really connect: a PgBouncer, pools of applications, an HTTP server, and PostgREST's own
//! statements.
//! `scripts/gateways.sh` installs the programs; `make test` runs this on a private server.

mod applications;
mod clients;
mod contract;
mod cron;
mod docs;
mod http;
mod notebooks;
mod pgbouncer;
mod pools;
mod postrust;
mod program;
mod support;
