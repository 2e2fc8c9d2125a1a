//! `timedb api`, as clients meet it: a real server of the test's own in front of the private database server.

mod attacks;
mod bodies;
mod limits;
mod original;
mod page;
mod pasted;
mod pool;
mod role;
mod rpc;
mod server;

pub use server::{Api, Http};
