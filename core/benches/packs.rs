//! How much time packs take, and how many bytes: `cargo bench -p timedb-core --bench packs`. The bytes a value are said
//! first; the rates count values.

use std::rc::Rc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use timedb_core::pack::{Pack, pack_versions};
use timedb_core::points::{Point, Points, pack};
use timedb_core::time::Time;
use timedb_core::version::{Remark, Version};
use uuid::Uuid;

const HOUR: i64 = 3_600_000_000;
/// So many runs of so many hours each.
const SHAPES: [(i64, i64); 7] = [(1, 48), (5, 48), (10, 48), (24, 48), (100, 48), (1000, 48), (10_000, 1)];

fn main() {
    say_bytes::<Meter>();
    say_bytes::<Noise>();
    divan::main();
}

fn say_bytes<V: Values>() {
    for (runs, length) in SHAPES {
        let bytes = Forecasts::of::<V>((runs, length)).packed().len() as f64;
        println!(
            "{}, {runs} x {length}: {:.2} B a value",
            V::NAME,
            bytes / (runs * length) as f64
        );
    }
}

/// The same values each time.
trait Values {
    const NAME: &str;
    fn values() -> impl FnMut() -> f64;
}

/// A value that goes up and down by up to one, with two decimals.
struct Meter;

impl Values for Meter {
    const NAME: &str = "meter";

    fn values() -> impl FnMut() -> f64 {
        let mut random = StdRng::seed_from_u64(1);
        let mut level = 5000;
        move || {
            level += random.random_range(-100..=100);
            f64::from(level) / 100.0
        }
    }
}

/// All 53 bits of a number from 0 to 1.
struct Noise;

impl Values for Noise {
    const NAME: &str = "noise";

    fn values() -> impl FnMut() -> f64 {
        let mut random = StdRng::seed_from_u64(1);
        move || random.random()
    }
}

/// Runs an hour apart, each with the hours that follow it: when each was known, and its points.
struct Forecasts(Vec<(Time, Vec<u8>)>);

impl Forecasts {
    fn of<V: Values>((runs, length): (i64, i64)) -> Self {
        let mut value = V::values();
        let time = |micros| Time::from_micros(micros).expect("within the range");
        let mut run = |number: i64| {
            let point = |hour: i64| Point {
                start: time((number + hour) * HOUR),
                end: None,
                value: Some(value()),
            };
            let points: Vec<Point> = (1..=length).map(point).collect();
            let known = time(number * HOUR + number * 7919 % 60_000_000);
            (known, pack(&points).expect("they are in order"))
        };
        Self((0..runs).map(&mut run).collect())
    }

    fn versions(&self) -> Vec<(Version, Points<'_>)> {
        let remark = Rc::new(Remark::by("forecaster@example.org"));
        let known = self.0.iter().map(|(known, _)| *known);
        let points = self.0.iter().map(|(_, points)| points_of(points));
        let version = |(number, known): (u64, Time)| Version {
            run: Uuid::from_u64_pair(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), 7),
            known,
            change: known,
            remark: Rc::clone(&remark),
        };
        (0..).zip(known).map(version).zip(points).collect()
    }

    fn packed(&self) -> Vec<u8> {
        pack_versions(&self.versions()).expect("few enough")
    }
}

fn points_of(bytes: &[u8]) -> Points<'_> {
    Points::read(bytes).expect("they have just been packed")
}

fn pack_of(bytes: &[u8]) -> Pack<'_> {
    Pack::read(bytes).expect("it has just been packed")
}

fn count((runs, length): (i64, i64)) -> ItemsCount {
    ItemsCount::new(usize::try_from(runs * length).expect("few"))
}

#[divan::bench(types = [Meter, Noise], args = SHAPES)]
fn packing<V: Values>(bencher: Bencher, shape: (i64, i64)) {
    let forecasts = Forecasts::of::<V>(shape);
    let versions = forecasts.versions();
    bencher
        .counter(count(shape))
        .bench_local(|| pack_versions(black_box(&versions)));
}

#[divan::bench(types = [Meter, Noise], args = SHAPES)]
fn reading<V: Values>(bencher: Bencher, shape: (i64, i64)) {
    let bytes = Forecasts::of::<V>(shape).packed();
    bencher.counter(count(shape)).bench_local(|| pack_of(black_box(&bytes)));
}

#[divan::bench(types = [Meter, Noise], args = SHAPES)]
fn decoding<V: Values>(bencher: Bencher, shape: (i64, i64)) {
    let bytes = Forecasts::of::<V>(shape).packed();
    let pack = pack_of(&bytes);
    let mut out = Vec::new();
    bencher.counter(count(shape)).bench_local(|| {
        out.clear();
        let decoded = black_box(&pack).decode_values(&mut out);
        decoded.expect("it has just been packed");
        out.len()
    });
}
