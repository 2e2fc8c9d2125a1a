//! How many bytes and how much time packs take. Run it with
//! `cargo test --release -p timedb-core measure_packs -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use super::tests::{Written, forecasts, meter, noise, packed};
use super::*;

fn microseconds(mut run: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64() * 1e6);
    }
    best
}

fn report(name: &str, written: &[Written]) {
    let values: usize = written.iter().map(|of| of.points.len()).sum();
    let bytes = packed(written);
    let packing = microseconds(|| drop(black_box(packed(black_box(written)))));
    let reading = microseconds(|| drop(black_box(Pack::read(black_box(&bytes)).unwrap())));
    let pack = Pack::read(&bytes).unwrap();
    let mut out = Vec::with_capacity(values);
    let decoding = microseconds(|| {
        out.clear();
        pack.decode_values(&mut out).unwrap();
        black_box(&out);
    });
    println!(
        "{name:<22} {:>7.2} B a value, packed in {packing:>8.0} us, read in {reading:>7.1} us, decoded in {decoding:>7.1} us",
        bytes.len() as f64 / values as f64
    );
}

#[test]
#[ignore = "prints a table"]
fn measure_packs() {
    for (runs, length) in [
        (1, 48),
        (5, 48),
        (10, 48),
        (24, 48),
        (100, 48),
        (1000, 48),
        (10_000, 1),
    ] {
        report(
            &format!("meter, {runs} x {length}"),
            &forecasts(runs, length, meter()),
        );
        report(
            &format!("noise, {runs} x {length}"),
            &forecasts(runs, length, noise()),
        );
    }
}
