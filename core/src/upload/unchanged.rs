//! Values of an upload that change nothing: those that a flat read of what was known up to their run would show already.

use super::Said;
use super::columns::SeriesRows;
use crate::points::Key;
use crate::time::Time;
use crate::version::Remark;
use std::collections::HashMap;
use std::rc::Rc;

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
pub fn leave_out(runs: &mut [OfRun<'_>], stored: &[Shown], said: &[Rc<Said>]) -> Vec<usize> {
    // What earlier runs of the call write. Nobody asks for it after the last.
    let mut written: HashMap<Key, Shown> = HashMap::new();
    let count = runs.len();
    let mut taken = Vec::with_capacity(count);
    for (number, OfRun { known, rows }) in runs.iter_mut().enumerate() {
        let before = rows.points.len();
        let mut from = 0;
        rows.keep(said, |point, of_point| {
            let key = point.key();
            from += stored[from..].partition_point(|other| other.key < key);
            let of_key = stored[from..].iter().take_while(|other| other.key == key);
            let shown = of_key.take_while(|other| other.known <= *known).last();
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
