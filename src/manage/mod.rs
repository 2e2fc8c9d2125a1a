//! Who may do what: users, their keys, role bindings, and the audit of every change to them.

pub mod audit;
mod authority;
mod bindings;
mod ends;
mod keys;
mod regenerate;
mod statistics;
mod user;
mod users;
