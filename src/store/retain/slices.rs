//! How far a slice of what retention takes out of a series reaches: as much as is held in memory at once. Of one time all is
//! taken together, so that of a value all versions are left or none.

use super::found::{Of, near};
use crate::error::Result;
use crate::pg::statement::statements;
use crate::pg::timestamp::Timestamptz;
use std::ops::ControlFlow;
use timedb_core::retain::{Rule, Which};
use timedb_core::time::Time;
use uuid::Uuid;

/// Rows and packs of a slice, and the bytes of their values.
const ROWS: usize = 10_000;
const BYTES: i64 = 16 << 20;

statements! {
    /// Of each class in the order of its index, so that no more is looked at than a slice has.
    BEGUN(Uuid, Uuid, &[i16], Timestamptz, Timestamptz, i64) -> (Time, i64) =
        c"SELECT v.valid_from, v.bytes
          FROM (SELECT unnest($3) AS span) AS c
          CROSS JOIN LATERAL (
            SELECT v.valid_from, pg_column_size(v.points)::int8 AS bytes
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.span = c.span AND v.valid_from >= $4 AND v.valid_from < $5
            ORDER BY v.valid_from
            LIMIT $6) AS v
          UNION ALL
          SELECT p.valid_from, p.bytes
          FROM (SELECT unnest($3) AS span) AS c
          CROSS JOIN LATERAL (
            SELECT p.valid_from, pg_column_size(p.versions)::int8 AS bytes
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.span = c.span AND p.valid_from >= $4 AND p.valid_from < $5
            ORDER BY p.valid_from
            LIMIT $6) AS p";
    KNOWN(Uuid, Uuid, &[i16], Timestamptz, Timestamptz, Timestamptz, i64) -> (Time, i64) =
        c"SELECT f.known_time, f.bytes
          FROM (
            SELECT v.known_time, v.bytes
            FROM (SELECT unnest($3) AS span) AS c
            CROSS JOIN LATERAL (
              SELECT v.known_time, pg_column_size(v.points)::int8 AS bytes
              FROM timedb.values v
              WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.span = c.span AND v.valid_from < $6
                AND v.known_time >= $4 AND v.known_time < $5
              OFFSET 0) AS v
            UNION ALL
            SELECT v.known_time, pg_column_size(v.points)::int8
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.known_time >= $4 AND v.known_time < $5
              AND v.valid_from - v.known_time NOT BETWEEN interval '-2 days' AND interval '2 days'
              AND (v.valid_from >= $6) IS TRUE
            UNION ALL
            SELECT p.first_known, pg_column_size(p.versions)::int8
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.first_known >= $4 AND p.first_known < $5) AS f
          ORDER BY f.known_time
          LIMIT $7";
}

/// What is taken out together.
pub struct Slice {
    /// Where what is stored begins that is within.
    begins: Vec<Time>,
    pub end: Time,
}

impl Slice {
    /// Makes it shorter, by half of what begins in it, or of its time where that is one; false where it is of one time alone.
    pub fn halve(&mut self, start: Option<Time>) -> bool {
        let after = |time: &Time| Time::from_micros(time.micros() + 1);
        let halves = [self.begins.len().saturating_sub(1) / 2, 0];
        let by_begins = halves.into_iter().find_map(|place| {
            let end = self.begins.get(place).and_then(after)?;
            (end < self.end).then_some(end)
        });
        let by_time = || {
            let half = start?.micros().midpoint(self.end.micros());
            Time::from_micros(half).filter(|half| start.is_some_and(|start| start < *half))
        };
        let Some(end) = by_begins.or_else(by_time) else {
            return false;
        };
        self.end = end;
        self.begins.truncate(self.begins.partition_point(|time| *time < end));
        true
    }
}

/// The slice that a rule's window begins with, which is that window where that is not much; none where nothing is.
pub fn next(of: Of, rule: &Rule, end: Time) -> Result<Option<Slice>> {
    let mut found: Vec<(Time, i64)> = Vec::new();
    let mut add = |item| {
        found.push(item);
        Ok(ControlFlow::Continue(()))
    };
    let classes = timedb_core::span::classes();
    let most = ROWS as i64 + 1;
    let (tenant, series, end_bound) = (of.tenant, of.series, Timestamptz::from(end));
    let start = Timestamptz::lower_bound(rule.window.start);
    match rule.which {
        Which::Begun | Which::Hidden => {
            BEGUN.stream_while(of.seen, (tenant, series, &classes, start, end_bound, most), &mut add)?;
        }
        Which::Known => {
            let given = (tenant, series, &classes[..], start, end_bound, near(end_bound), most);
            KNOWN.stream_while(of.seen, given, &mut add)?;
        }
    }
    // What began before the window may reach into it.
    if found.is_empty() && rule.window.start.is_none() {
        return Ok(None);
    }
    found.sort_unstable();
    let end = past(&found).map_or(end, |full| full.min(end));
    let begins = found.into_iter().map(|(time, _)| time).take_while(|time| *time < end);
    Ok(Some(Slice {
        begins: begins.collect(),
        end,
    }))
}

/// The moment after the last that a slice holds all of; none where it holds everything.
fn past(found: &[(Time, i64)]) -> Option<Time> {
    let mut bytes = 0;
    let full = found.iter().enumerate().find(|(place, (_, more))| {
        bytes += more;
        place + 1 >= ROWS || bytes > BYTES
    });
    full.and_then(|(_, (last, _))| Time::from_micros(last.micros() + 1))
}
