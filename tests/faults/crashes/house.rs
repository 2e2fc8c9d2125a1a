//! What a server does meanwhile, or an operator has it do: checkpoints, VACUUM, maintenance.

use std::sync::atomic::Ordering;

use rand::RngExt;
use rand::rngs::StdRng;
use timedb_testkit::Database;

use super::client::{Signals, or_gone};

const CHORES: [&str; 6] = [
    "CHECKPOINT",
    "VACUUM timedb.values, timedb.runs",
    "VACUUM timedb.packs",
    "CALL timedb.maintain(older_than => '0')",
    "CALL timedb.maintain(older_than => '0')",
    "VACUUM (FREEZE) timedb.series, timedb.values",
];

/// One chore after the other, until it is told to stop or the server is gone.
pub fn keep_house(database: &Database, signals: &Signals, mut random: StdRng) {
    let Ok(mut admin) = database.server().connect("postgres", database.name()) else {
        return;
    };
    while !signals.stop.load(Ordering::Relaxed) {
        let chore = CHORES[random.random_range(0..CHORES.len())];
        if or_gone(admin.batch_execute(chore)).is_err() {
            return;
        }
    }
}
