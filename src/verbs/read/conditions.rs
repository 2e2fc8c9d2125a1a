//! Conditions of WHERE become windows and choices of series. They are checked on the rows as well: what is left out here is
//! only what they would leave out.

use super::request::Request;
use crate::pg::node::{Comparison, Condition, Value};
use crate::pg::timestamp::Timestamptz;
use timedb_core::answer::Column;
use timedb_core::merge::Mode;
use timedb_core::time::Time;

/// The columns whose conditions narrow, by their numbers: in `read` known_time, valid_time, series_id, series_key.
pub const OF_READ: [i16; 4] = [1, 2, 4, 5];
/// And of one series known_time, valid_time.
pub const OF_ONE_SERIES: [i16; 2] = [1, 2];

pub fn narrow(request: &mut Request, columns: &[Column], conditions: &[Condition]) {
    for condition in conditions {
        let column = usize::try_from(condition.column - 1)
            .ok()
            .and_then(|place| columns.get(place));
        if let Some(column) = column {
            narrow_by(request, column.name, condition);
        }
    }
}

fn narrow_by(request: &mut Request, column: &str, condition: &Condition) {
    let comparison = condition.comparison;
    match (column, &condition.value) {
        // Nothing compares with null.
        (_, None) => request.which.kept.only_ids(Vec::new()),
        ("valid_time", Some(Value::Time(time))) => {
            let (from, until) = bounds(comparison, *time);
            request.windows.valid.narrow(from, until);
        }
        ("known_time", Some(Value::Time(time))) => {
            let (from, until) = bounds(comparison, *time);
            // A flat read shows of each value the run known last, and that must not become another: an earlier end would show
            // what the answer does not have.
            let until = until.filter(|_| request.mode == Mode::Overlapping);
            request.windows.known.narrow(from, until);
        }
        ("series_id", Some(Value::Ids(ids))) => request.which.kept.only_ids(ids.clone()),
        ("series_key", Some(Value::Texts(keys))) => request.which.kept.only_keys(keys.clone()),
        _ => {}
    }
}

/// `[from, until)` of times that compare so. Of infinite times, or where nothing lies between, as wide as is safe.
fn bounds(comparison: Comparison, time: Timestamptz) -> (Option<Time>, Option<Time>) {
    let at = Time::from_micros(time.0);
    let after = time.0.checked_add(1).and_then(Time::from_micros);
    match comparison {
        Comparison::Less => (None, at),
        Comparison::LessOrEqual => (None, after),
        Comparison::Equal => (at, after),
        Comparison::GreaterOrEqual => (at, None),
        Comparison::Greater => (after, None),
        Comparison::In => (None, None),
    }
}
