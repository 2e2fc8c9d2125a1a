//! How many bytes and how much time a value takes. Run it with
//! `cargo test --release -p timedb-core measure -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use decimal::Decimals;

const ENOUGH: usize = 400_000;

fn walk(count: usize, widest_step: i32) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(1);
    let mut level = 5000;
    let mut step = || {
        level += random.random_range(-widest_step..=widest_step);
        f64::from(level) / 100.0
    };
    (0..count).map(|_| step()).collect()
}

/// Steps that are mostly small, as those of a meter are.
fn bell(count: usize) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(1);
    let mut level = 5000;
    let mut step = || {
        level += (0..12).map(|_| random.random_range(-100..=100)).sum::<i32>() / 2;
        f64::from(level) / 100.0
    };
    (0..count).map(|_| step()).collect()
}

fn noise(count: usize) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(1);
    (0..count).map(|_| random.random()).collect()
}

fn nanoseconds_a_value(count: usize, mut run: impl FnMut()) -> f64 {
    let times = (ENOUGH / count).max(5);
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        (0..times).for_each(|_| run());
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / (times * count) as f64);
    }
    best
}

fn report(name: &str, values: &[f64], encode: impl Fn(&[f64], &mut Vec<u8>) -> Encoding) {
    let count = values.len();
    let mut bytes = Vec::new();
    let encoding = encode(values, &mut bytes);
    let encoding_time = nanoseconds_a_value(count, || {
        let mut bytes = Vec::new();
        encode(black_box(values), &mut bytes);
        black_box(&bytes);
    });
    let mut out = Vec::with_capacity(count);
    let decoding_time = nanoseconds_a_value(count, || {
        out.clear();
        let values = Values::read(&mut Cursor(black_box(&bytes)), encoding, count).unwrap();
        values.decode_into(&mut out).unwrap();
        black_box(&out);
    });
    println!(
        "{name:<24} {count:>6} {:<8} {:>6.2} B {encoding_time:>8.1} ns {decoding_time:>7.2} ns",
        format!("{encoding:?}"),
        bytes.len() as f64 / count as f64,
    );
}

/// pco whatever it costs.
fn in_pco(values: &[f64], bytes: &mut Vec<u8>) -> Encoding {
    bytes.extend(choose::compress(values, Decimals::of(values).as_ref()).unwrap());
    Encoding::Pco
}

#[test]
#[ignore = "prints a table"]
fn measure() {
    println!(
        "{:<24} {:>6} {:<8} {:>8} {:>11} {:>10}",
        "values", "count", "encoding", "size", "encode", "decode"
    );
    for count in [48, 240, 512, 1024, 8192, 48_000] {
        for (name, values) in [
            ("walk, steps up to 1.00", walk(count, 100)),
            ("walk, steps up to 10.00", walk(count, 1000)),
            ("walk, bell of steps", bell(count)),
            ("noise", noise(count)),
        ] {
            report(name, &values, encode);
            report(name, &values, encode_for_client);
            report(name, &values, in_pco);
        }
    }
}
