//! Where the choices of a test come from, and how they are made again.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{Write as _, stderr};

use rand::SeedableRng;
use rand::rngs::StdRng;

const SEED: &str = "TIMEDB_SEED";

/// Also where the output of tests that pass is hidden.
pub fn tell(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// A number in the environment.
pub fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable}={text:?} is not a number")))
}

/// The seed of a test, told before anything can go wrong.
pub fn seed(test: &str) -> u64 {
    let seed = number(SEED).unwrap_or_else(|| RandomState::new().hash_one(test) >> 16);
    tell(&format!("{test}: {SEED}={seed}"));
    seed
}

/// The choices of one of several who choose at the same time.
pub fn choices(seed: u64, of: u64) -> StdRng {
    StdRng::seed_from_u64(seed ^ of.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
