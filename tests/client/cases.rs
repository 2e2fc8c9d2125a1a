//! Cases of a property, made at random of a number that is told: `TIMEDB_SEED` makes them again.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};
use std::hash::{BuildHasher, RandomState};

const SEED: &str = "TIMEDB_SEED";

pub struct Cases(Config);

impl Cases {
    pub fn of(cases: u32) -> Cases {
        Cases(Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        })
    }

    /// So often a case that fails is made smaller: each time costs as much as the case.
    pub fn shrunk(mut self, times: u32) -> Cases {
        self.0.max_shrink_iters = times;
        self
    }

    /// Panics at a case that fails, made smaller. What it tells is shown wherever the test fails, by a premise too.
    pub fn run<S: Strategy>(self, input: &S, test: impl Fn(S::Value) -> TestCaseResult) {
        let seed: u64 = std::env::var(SEED).ok().map_or_else(
            || RandomState::new().hash_one(0) >> 16,
            |seed| seed.parse().expect("a number"),
        );
        println!("again with {SEED}={seed}");
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
        let outcome = TestRunner::new_with_rng(self.0, random).run(input, test);
        outcome.unwrap_or_else(|error| panic!("with {SEED}={seed}: {error}"));
    }
}
