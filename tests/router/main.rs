//! A router in front of three servers, over the wire, as ordinary roles: the functions of timedb, wherever a tenant is.

mod attacks;
mod faults;
mod generated;
mod http;
mod listed;
#[allow(dead_code)]
#[path = "../gateways/pgbouncer.rs"]
mod pgbouncer;
mod pools;
#[allow(dead_code)]
#[path = "../gateways/postrust.rs"]
mod postrust;
#[allow(dead_code)]
#[path = "../gateways/program.rs"]
mod program;
mod relayed;
mod routes;
#[allow(dead_code)]
#[path = "../faults/seed.rs"]
mod seed;
mod support;
mod surface;
mod told;
#[path = "../gateways/support.rs"]
mod web;
mod writes;
