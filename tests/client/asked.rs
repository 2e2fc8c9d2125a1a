//! What dashboards and analysts ask, against naive models: random uploads, corrections and packs around a change of the clocks;
//! what `latest` and the others answer is counted out, in the plainest way, of what a flat read shows.

mod buckets;
mod gaps;
mod latest;
mod runs;
mod world;

use std::cell::RefCell;

use crate::cases::Cases;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use timedb_testkit::{Database, one};

use world::{Step, World, steps};

/// How many worlds each function is asked in, and how often in each.
const WORLDS: u32 = 60;
const QUESTIONS: usize = 30;

/// Plays random worlds, and asks each of them random questions.
fn ask<Q: std::fmt::Debug>(
    name: &str,
    question: impl Strategy<Value = Q>,
    asked: impl Fn(&mut World, &Q) -> Result<bool, TestCaseError>,
) {
    let database = Database::fresh(name);
    let play = (steps(), prop::collection::vec(question, QUESTIONS));
    let answered = RefCell::new(0);
    Cases::of(WORLDS)
        .shrunk(200)
        .run(&play, |(steps, questions): (Vec<Step>, Vec<Q>)| {
            let mut world = World::begin(&database);
            steps.iter().for_each(|step| world.take(step));
            for question in &questions {
                *answered.borrow_mut() += u32::from(asked(&mut world, question)?);
            }
            Ok(())
        });
    let answered = answered.take();
    assert!(answered > WORLDS * 5, "the premise: {answered} answers had rows");
    let packs: i64 = one(&mut database.admin(), "SELECT count(*) FROM timedb.packs");
    assert!(packs > i64::from(WORLDS) / 4, "the premise: {packs} packs");
}
