//! The command as somebody types it: against a real server, as ordinary login roles.

mod check;
mod stats;
mod support;
mod tables;
mod walkthrough;
