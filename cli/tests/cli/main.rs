//! The command as somebody types it: against a real server, as ordinary login roles.

mod api;
mod check;
mod connection;
mod files;
mod mistakes;
mod move_tenant;
mod moving;
mod moving_original;
mod page;
mod read;
mod routed;
mod stats;
mod support;
mod tables;
mod upkeep;
mod upload;
mod users;
mod walkthrough;
