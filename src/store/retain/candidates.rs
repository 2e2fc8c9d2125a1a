//! Which series have something that may go: found by indexes, nothing is opened.

use super::Cutoffs;
use super::found::near;
use crate::error::Result;
use crate::pg::cancel::answer_cancel;
use crate::pg::statement::{Snapshot, statements};
use crate::pg::timestamp::Timestamptz;
use std::ops::ControlFlow;
use timedb_core::span;
use timedb_core::time::Time;
use uuid::Uuid;

statements! {
    /// Each question is one of its own, asked where those before it have not been answered by yes.
    CANDIDATES(Uuid, &[Uuid], &[Timestamptz], &[Timestamptz], &[Timestamptz], &[i16]) -> (i32,) =
        c"SELECT s.place
          FROM (SELECT unnest($2) AS series_id, unnest($3) AS begun, unnest($4) AS known, unnest($5) AS near,
                       generate_subscripts($2, 1) AS place) AS s
          WHERE coalesce(
            (SELECT true
             FROM (SELECT unnest($6) AS span) AS c
             CROSS JOIN LATERAL (
               SELECT
               FROM timedb.values v
               WHERE v.tenant_id = $1 AND v.series_id = s.series_id AND v.span = c.span AND v.valid_from < s.begun
               LIMIT 1) AS v
             LIMIT 1),
            (SELECT true
             FROM (SELECT unnest($6) AS span) AS c
             CROSS JOIN LATERAL (
               SELECT
               FROM timedb.packs p
               WHERE p.tenant_id = $1 AND p.series_id = s.series_id AND p.span = c.span AND p.valid_from < s.begun
               LIMIT 1) AS p
             LIMIT 1),
            (SELECT true
             FROM (SELECT unnest($6) AS span) AS c
             CROSS JOIN LATERAL (
               SELECT
               FROM timedb.values v
               WHERE v.tenant_id = $1 AND v.series_id = s.series_id AND v.span = c.span AND v.valid_from < s.near
                 AND v.known_time < s.known
               LIMIT 1) AS v
             LIMIT 1),
            (SELECT true
             FROM timedb.values v
             WHERE v.tenant_id = $1 AND v.series_id = s.series_id AND v.known_time < s.known
               AND v.valid_from - v.known_time NOT BETWEEN interval '-2 days' AND interval '2 days'
             LIMIT 1),
            (SELECT true
             FROM timedb.packs p
             WHERE p.tenant_id = $1 AND p.series_id = s.series_id AND p.first_known < s.known
             LIMIT 1),
            false)";
}

const AT_ONCE: usize = 1000;

/// Those of which something may go, in their order. Where only what is hidden goes, all that begins before is looked at.
pub fn candidates(tenant: Uuid, series: &[(Uuid, Cutoffs)], seen: Snapshot) -> Result<Vec<(Uuid, Cutoffs)>> {
    let mut found = Vec::new();
    let classes = span::classes();
    let before = |time: Option<Time>| Timestamptz::lower_bound(time);
    for some in series.chunks(AT_ONCE) {
        answer_cancel();
        let ids: Vec<Uuid> = some.iter().map(|(id, _)| *id).collect();
        let begun: Vec<Timestamptz> = some.iter().map(|(_, of)| before(of.begun.max(of.hidden))).collect();
        let known: Vec<Timestamptz> = some.iter().map(|(_, of)| before(of.known)).collect();
        let near: Vec<Timestamptz> = known.iter().map(|known| near(*known)).collect();
        let given = (tenant, &ids[..], &begun[..], &known[..], &near[..], &classes[..]);
        CANDIDATES.stream_while(seen, given, |(place,)| {
            let place = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
            found.extend(place.and_then(|place| some.get(place)));
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(found)
}
