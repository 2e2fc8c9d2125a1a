//! What a client sees over the wire, as ordinary login roles; one file a topic. `make test` runs it on a private server.

mod arrow;
mod catalog;
mod compact;
mod dump;
mod errors;
mod house;
mod install;
mod keys;
mod limits;
mod mistakes;
mod node;
mod plans;
mod premise;
mod read_model;
mod readme;
mod release;
mod script;
mod session;
mod setup;
mod span;
mod support;
mod ties;
mod types;
mod update;
mod upgrade;
mod upload;
