//! Hostile bytes for all that timedb reads of others: valid ones, changed in a few places, for the targets to read.
//!
//! `formats` is what there is to attack, `corpus` valid bytes of each kind, `mutation` the changes, `targets` what must
//! hold of any bytes, `memory` how much was taken for them. Here is what drives them.

mod corpus;
mod formats;
mod memory;
mod mutation;
mod targets;

use std::cell::Cell;
use std::env;
use std::str::FromStr;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use mutation::Mutation;

const SEED: &str = "TIMEDB_FUZZ_SEED";
const INPUTS: &str = "TIMEDB_FUZZ_INPUTS";
/// Of each target; about 10 seconds for all of them, on two idle cores.
const DEFAULT_INPUTS: u32 = 25_000;

/// A kind of bytes, and what must hold of them however they are changed.
pub struct Target {
    name: &'static str,
    /// Valid ones.
    corpus: fn(&mut TestRunner) -> Vec<Vec<u8>>,
    /// What bytes of this kind are made of, to be put where it does not belong.
    words: &'static [&'static [u8]],
    /// Panics if it does not hold; true if the bytes were taken.
    check: fn(&[u8]) -> bool,
}

pub use targets::{
    API_KEYS, ARROW_STREAMS, JSON_UPDATES, JSON_UPLOADS, PACK_TEXTS, PACKS, POINT_TEXTS, POINTS_OF_CLIENTS,
    STORED_POINTS,
};

/// Reads the target's valid bytes, then as many changed ones as `TIMEDB_FUZZ_INPUTS` says, those of `TIMEDB_FUZZ_SEED`.
pub fn fuzz(target: &Target) {
    let seed: u64 = setting(SEED).unwrap_or(0);
    let inputs: u32 = setting(INPUTS).unwrap_or(DEFAULT_INPUTS);
    let config = Config {
        cases: inputs,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng(seed, target.name));
    let corpus = (target.corpus)(&mut runner);
    for valid in &corpus {
        assert!((target.check)(valid), "the premise: {valid:02x?} is valid");
    }
    let changes = (0..corpus.len(), mutation::mutations(target.words));
    let taken = Cell::new(0);
    let found = runner.run(&changes, |(valid, changes)| {
        let is_taken = (target.check)(&Mutation::apply_all(&changes, &corpus[valid]));
        taken.set(taken.get() + u32::from(is_taken));
        Ok(())
    });
    let (name, taken) = (target.name, taken.get());
    let again = format!("{SEED}={seed} {INPUTS}={inputs} cargo test -p timedb-fuzz {name}");
    match found {
        Ok(()) => println!("{name}: {taken} of {inputs} inputs taken. Again: {again}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
        Err(TestError::Fail(reason, (valid, changes))) => {
            let valid = &corpus[valid];
            let bytes = Mutation::apply_all(&changes, valid);
            panic!("{reason}\nby {bytes:02x?}\nwhich is {valid:02x?}\nchanged by {changes:?}\nAgain: {again}");
        }
    }
    let is_told = inputs < 1000 || (inputs / 100..inputs / 10 * 9).contains(&taken);
    assert!(is_told, "the premise: some are taken, some are not");
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    let number = text.parse().ok();
    Some(number.unwrap_or_else(|| panic!("{name} is a number, not \"{text}\"")))
}

/// Each target its own, so that one more input for one changes none of another's.
fn rng(seed: u64, name: &str) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let name = &name.as_bytes()[..name.len().min(24)];
    bytes[8..8 + name.len()].copy_from_slice(name);
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// Some values of a strategy, simple ones first.
fn samples<S: Strategy>(runner: &mut TestRunner, strategy: &S, count: usize) -> Vec<S::Value> {
    (0..count)
        .map(|_| strategy.new_tree(runner).expect("a value").current())
        .collect()
}
