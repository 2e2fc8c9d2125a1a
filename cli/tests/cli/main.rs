//! The command as somebody types it: against a real server, as ordinary login roles.

mod check;
mod connection;
mod mistakes;
mod page;
mod stats;
mod support;
mod tables;
mod upkeep;
mod users;
mod walkthrough;
