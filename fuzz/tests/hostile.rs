//! Whatever bytes come, of every kind that timedb reads of others: refused, or taken whole.

use timedb_fuzz::{self as targets, fuzz};

#[test]
fn points_of_clients() {
    fuzz(&targets::POINTS_OF_CLIENTS);
}

#[test]
fn stored_points() {
    fuzz(&targets::STORED_POINTS);
}

#[test]
fn point_texts() {
    fuzz(&targets::POINT_TEXTS);
}

#[test]
fn packs() {
    fuzz(&targets::PACKS);
}

#[test]
fn pack_texts() {
    fuzz(&targets::PACK_TEXTS);
}

#[test]
fn arrow_streams() {
    fuzz(&targets::ARROW_STREAMS);
}

#[test]
fn json_uploads() {
    fuzz(&targets::JSON_UPLOADS);
}

#[test]
fn json_updates() {
    fuzz(&targets::JSON_UPDATES);
}

#[test]
fn api_keys() {
    fuzz(&targets::API_KEYS);
}
