//! The attack suite: every threat of `docs/security.md`, played over the wire by hostile login roles against a real
//! server. A test `tNN_…` is of the threat with that number; the others are of what the table below it lists.
//! `make test` runs it on a private server.

mod audit;
mod bindings;
mod bombs;
mod callers;
mod catalog;
mod changes;
mod credential;
mod erase;
mod estimates;
mod http;
mod install;
mod keys;
mod leaks;
mod life;
mod maintenance;
mod names;
mod nodes;
mod others;
mod packs;
mod page;
mod plans;
mod random;
mod retention;
mod revocation;
mod sessions;
mod settings;
mod sight;
mod streams;
mod support;
mod writes;
