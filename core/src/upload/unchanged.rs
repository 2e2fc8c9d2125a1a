//! Values of an upload that change nothing: those that a flat read of what was known up to their run would show already.

use super::Said;
use super::columns::SeriesRows;
use crate::points::Key;
use crate::time::Time;
use crate::version::Remark;
use std::collections::HashMap;
use std::rc::Rc;

/// Values between two calls of `tick`: often enough to cancel at once, too seldom to be felt.
const VALUES_A_TICK: usize = 4096;

/// A value that is stored, of a run known at some time.
#[derive(Clone, Debug)]
pub struct Shown {
    pub key: Key,
    pub known: Time,
    pub value: Option<f64>,
    pub remark: Rc<Remark>,
}

/// The rows of one series in one run, and when that is known.
pub struct OfRun<'a> {
    pub known: Time,
    pub rows: &'a mut SeriesRows,
}

/// Takes out of the rows of one series those that change nothing, as if each run were uploaded after the one before it; the
/// points of each are in the order of their keys. Answers how many of each were taken out.
///
/// The runs come in the order of their known times, those of one known time in that of their ids. What is stored comes in
/// the order of keys, and of each key in that in which later ones hide earlier ones.
///
/// A value changes nothing if it is equal by its bits, any NaN being equal to any other, and says nothing, or what is said
/// of the one that is shown.
///
/// `tick` is called every few thousand values, for the caller to answer a cancel; it may unwind.
pub fn leave_out(runs: &mut [OfRun<'_>], stored: &[Shown], said: &[Rc<Said>], tick: &mut dyn FnMut()) -> Vec<usize> {
    // What earlier runs of the call write. Nobody asks for it after the last.
    let mut written: HashMap<Key, Shown> = HashMap::new();
    let count = runs.len();
    let mut taken = Vec::with_capacity(count);
    let mut values = 0_usize;
    for (number, OfRun { known, rows }) in runs.iter_mut().enumerate() {
        let before = rows.points.len();
        let mut from = 0;
        rows.keep(said, |point, of_point| {
            values += 1;
            if values.is_multiple_of(VALUES_A_TICK) {
                tick();
            }
            let key = point.key();
            // A key may have as many versions as there are runs here: they are not walked through for each.
            from += stored[from..].partition_point(|other| (other.key, other.known) <= (key, *known));
            let shown = stored[..from].last().filter(|other| other.key == key);
            let shown = match written.get(&key) {
                // Its id is later than that of whatever was stored before.
                Some(own) if shown.is_none_or(|shown| shown.known <= own.known) => Some(own),
                _ => shown,
            };
            let is_new = shown.is_none_or(|shown| changes(shown, point.value, of_point));
            if is_new && number + 1 < count {
                written.insert(key, new(*known, key, point.value, of_point));
            }
            is_new
        });
        taken.push(before - rows.points.len());
    }
    taken
}

fn changes(shown: &Shown, value: Option<f64>, said: Option<&Said>) -> bool {
    let is_equal = match (shown.value, value) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
        (a, b) => a.is_none() && b.is_none(),
    };
    let says_more = said.is_some_and(|said| {
        said.annotation.is_some() && said.annotation != shown.remark.annotation
            || said.tags.is_some() && said.tags != shown.remark.tags
    });
    !is_equal || says_more
}

fn new(known: Time, key: Key, value: Option<f64>, said: Option<&Said>) -> Shown {
    let said = said.cloned().unwrap_or_default();
    let remark = Remark {
        annotation: said.annotation,
        tags: said.tags,
        ..Remark::default()
    };
    Shown {
        key,
        known,
        value,
        remark: Rc::new(remark),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::Point;
    use crate::upload::SeriesRef;
    use proptest::prelude::*;

    fn time(hours: i64) -> Time {
        Time::from_micros(hours * 3_600_000_000).unwrap()
    }

    /// A value of few, that are told apart by their bits.
    fn value() -> impl Strategy<Value = Option<f64>> {
        let other_nan = f64::from_bits(f64::NAN.to_bits() | 1);
        prop::sample::select(vec![
            None,
            Some(0.0),
            Some(-0.0),
            Some(1.0),
            Some(f64::NAN),
            Some(other_nan),
        ])
    }

    fn remark() -> impl Strategy<Value = Said> {
        let annotation = prop::sample::select(vec![None, None, Some("a".to_owned()), Some("b".to_owned())]);
        let tags = prop::sample::select(vec![None, None, Some(vec!["t".to_owned()])]);
        (annotation, tags).prop_map(|(annotation, tags)| Said { annotation, tags })
    }

    fn key() -> impl Strategy<Value = Key> {
        (0..4i64, prop::option::of(5..7i64)).prop_map(|(start, end)| (time(start), end.map(time)))
    }

    /// What is said of a key in one run known at some time.
    type Row = (i64, Key, Option<f64>, Said);

    fn row() -> impl Strategy<Value = Row> {
        (0..5i64, key(), value(), remark())
    }

    /// The same value: by what it reads as.
    fn spelled(value: Option<f64>) -> String {
        match value {
            None => "null".into(),
            Some(value) if value.is_nan() => "NaN".into(),
            Some(value) => format!("{:x}", value.to_bits()),
        }
    }

    /// Whether a row is written, row after row: by looking through all there is.
    fn model(stored: &[Row], rows: &[Row]) -> Vec<bool> {
        let mut all = stored.to_vec();
        let is_written = |row: &Row| {
            let (known, key, value, said) = row;
            // Of those known at one time the last is shown.
            let shown = all.iter().filter(|other| other.0 <= *known && other.1 == *key);
            let shown = shown.max_by_key(|other| other.0);
            let says_the_same = |other: &&Row| {
                let same_annotation = said.annotation.is_none() || said.annotation == other.3.annotation;
                same_annotation && (said.tags.is_none() || said.tags == other.3.tags)
            };
            let is_same = shown
                .filter(says_the_same)
                .is_some_and(|other| spelled(other.2) == spelled(*value));
            if !is_same {
                all.push(row.clone());
            }
            !is_same
        };
        rows.iter().map(is_written).collect()
    }

    fn remark_of(said: &Said) -> Rc<Remark> {
        Rc::new(Remark {
            by: "somebody".into(),
            annotation: said.annotation.clone(),
            tags: said.tags.clone(),
        })
    }

    #[test]
    fn many_runs_of_one_value_tick_and_each_finds_its_version_among_many() {
        let key = (time(0), None);
        let version = |known: i64| Shown {
            key,
            known: time(known),
            value: Some(known as f64),
            remark: Rc::new(Remark::by("somebody")),
        };
        let count = 2 * VALUES_A_TICK as i64;
        let stored: Vec<Shown> = (0..count).map(version).collect();
        let of_run = |known: i64| SeriesRows {
            series: Rc::new(SeriesRef::default()),
            run: known as u32,
            first_row: known as usize,
            points: vec![Point {
                start: time(0),
                end: None,
                value: Some(known as f64),
            }],
            rows: vec![known as u32],
            said: vec![],
        };
        let mut rows: Vec<SeriesRows> = (0..count).map(of_run).collect();
        let mut runs: Vec<OfRun> = (0..)
            .zip(&mut rows)
            .map(|(known, rows)| OfRun {
                known: time(known),
                rows,
            })
            .collect();
        let mut ticks = 0;
        let taken = leave_out(&mut runs, &stored, &[], &mut || ticks += 1);
        assert!(taken.iter().all(|taken| *taken == 1));
        assert_eq!(ticks, 2);
    }

    proptest! {
        #[test]
        fn what_is_left_out_is_what_a_plain_model_leaves_out(
            mut stored in prop::collection::vec(row(), 0..12),
            mut rows in prop::collection::vec(row(), 0..12),
        ) {
            // One value for each run and key.
            rows.sort_by_key(|row| (row.0, row.1));
            rows.dedup_by_key(|row| (row.0, row.1));
            stored.sort_by_key(|row| (row.1, row.0));
            let shown: Vec<Shown> = stored
                .iter()
                .map(|(known, key, value, said)| Shown { key: *key, known: time(*known), value: *value, remark: remark_of(said) })
                .collect();
            let said: Vec<Rc<Said>> = rows.iter().map(|row| Rc::new(row.3.clone())).collect();
            let series = Rc::new(SeriesRef::default());
            let mut of_runs: Vec<(i64, SeriesRows)> = Vec::new();
            for (number, (known, (start, end), value, of_row)) in rows.iter().enumerate() {
                if of_runs.last().is_none_or(|(last, _)| last != known) {
                    let empty = SeriesRows { series: series.clone(), run: 0, first_row: number, points: vec![], rows: vec![], said: vec![] };
                    of_runs.push((*known, empty));
                }
                let (_, of_run) = of_runs.last_mut().unwrap();
                of_run.points.push(Point { start: *start, end: *end, value: *value });
                of_run.rows.push(number as u32);
                of_run.said.push(if *of_row == Said::default() { 0 } else { number as u32 + 1 });
            }
            let before = rows.len();
            let mut runs: Vec<OfRun> = of_runs.iter_mut().map(|(known, rows)| OfRun { known: time(*known), rows }).collect();
            let taken = leave_out(&mut runs, &shown, &said, &mut || {});
            let written: Vec<u32> = of_runs.iter().flat_map(|(_, of_run)| of_run.rows.clone()).collect();
            let expected = model(&stored, &rows);
            let expected: Vec<u32> = (0..).zip(expected).filter(|(_, is_written)| *is_written).map(|(row, _)| row).collect();
            prop_assert_eq!(&written, &expected);
            prop_assert_eq!(taken.iter().sum::<usize>(), before - written.len());
            for (_, of_run) in &of_runs {
                for (place, row) in of_run.rows.iter().enumerate() {
                    let (_, key, value, _) = &rows[*row as usize];
                    prop_assert_eq!(of_run.points[place].key(), *key);
                    prop_assert_eq!(of_run.points[place].value.map(f64::to_bits), value.map(f64::to_bits));
                    prop_assert!(of_run.said[place] == 0 || of_run.said[place] == row + 1);
                }
            }
        }
    }
}
