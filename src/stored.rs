//! The rows of `timedb.values`: how points are cut into them, and the one place that writes them.

use crate::cell;
use crate::error::{Error, Result};
use crate::standing::Identity;
use crate::statement::{self, statements};
use timedb_core::points::{Point, pack};
use timedb_core::span;
use timedb_core::time::Time;
use uuid::Uuid;

/// A longer vector is cut, so that a window into years of values opens some of them only.
const POINTS_IN_A_ROW: usize = 8192;

statements! {
    /// What an upload writes. The arrays are opened in the target list, side by side: in FROM, each would be put into a
    /// tuple store of its own first.
    INSERT_RUN_VALUES(
        UUIDOID, TEXTOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDARRAYOID, INT2ARRAYOID, INT2ARRAYOID,
        TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, BYTEAARRAYOID
    ) = c"INSERT INTO timedb.values (tenant_id, changed_by, run_id, change_time, known_time, series_id, part, span,
                                     valid_from, valid_to, points)
          SELECT $1, $2, $3, $4, $5, r.series_id, r.part, r.span, r.valid_from, r.valid_to,
                 timedb._points_of_bytes(r.points)
          FROM (SELECT unnest($6) AS series_id, unnest($7) AS part, unnest($8) AS span, unnest($9) AS valid_from,
                       unnest($10) AS valid_to, unnest($11) AS points) AS r";
    /// What an update writes: of several runs, with annotations and tags.
    INSERT_VALUES(
        UUIDOID, TEXTOID, UUIDARRAYOID, UUIDARRAYOID, TIMESTAMPTZARRAYOID, INT2ARRAYOID, INT2ARRAYOID,
        TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, BYTEAARRAYOID, TEXTARRAYOID, TEXTARRAYOID
    ) = c"INSERT INTO timedb.values (tenant_id, changed_by, series_id, run_id, change_time, part, span, known_time,
                                     valid_from, valid_to, points, annotation, tags)
          SELECT $1, $2, r.series_id, r.run_id, r.change_time, r.part, r.span, r.known_time, r.valid_from, r.valid_to,
                 timedb._points_of_bytes(r.points), r.annotation,
                 CASE WHEN r.tags IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(r.tags::json)) END
          FROM (SELECT unnest($3) AS series_id, unnest($4) AS run_id, unnest($5) AS change_time, unnest($6) AS part,
                       unnest($7) AS span, unnest($8) AS known_time, unnest($9) AS valid_from, unnest($10) AS valid_to,
                       unnest($11) AS points, unnest($12) AS annotation, unnest($13) AS tags) AS r";
}

/// Where and when a change is written: all its rows of one run share these.
#[derive(Clone, Copy)]
pub struct Change {
    pub run: Uuid,
    pub known: Time,
    pub time: Time,
}

/// What is said of values beside them. Canonical: no blank annotation, no empty tags.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Remark {
    pub annotation: Option<String>,
    pub tags: Option<Vec<String>>,
}

/// Rows to be written, a column each.
#[derive(Default)]
pub struct NewRows {
    series: Vec<Uuid>,
    runs: Vec<Uuid>,
    change_times: Vec<Time>,
    parts: Vec<i16>,
    spans: Vec<i16>,
    known_times: Vec<Time>,
    valid_from: Vec<Time>,
    valid_to: Vec<Time>,
    points: Vec<Vec<u8>>,
    annotations: Vec<Option<String>>,
    tags: Vec<Option<String>>,
}

impl NewRows {
    /// Adds the points of one series, in the order of their keys, as parts from `first_part` on; returns the next part.
    pub fn add(
        &mut self,
        change: Change,
        series: Uuid,
        first_part: i16,
        points: &[Point],
        remark: &Remark,
    ) -> Result<i16> {
        let tags = remark
            .tags
            .as_ref()
            .map(|tags| serde_json::json!(tags).to_string());
        let mut part = first_part;
        for cut in points.chunks(POINTS_IN_A_ROW) {
            let (Some(first), Some(last)) = (cut.first(), cut.last()) else {
                continue;
            };
            let packed = pack(cut)
                .map_err(|error| Error::Broken(format!("points out of order: {error:?}")))?;
            self.series.push(series);
            self.runs.push(change.run);
            self.change_times.push(change.time);
            self.parts.push(part);
            self.spans.push(span::class(first.start, last.start));
            self.known_times.push(change.known);
            self.valid_from.push(first.start);
            self.valid_to.push(last.start);
            self.points.push(packed);
            self.annotations.push(remark.annotation.clone());
            self.tags.push(tags.clone());
            part = part.checked_add(1).ok_or_else(too_many_parts)?;
        }
        Ok(part)
    }

    /// Writes rows of one change, which nothing is said of beside them.
    pub fn insert_run(self, writer: &Identity, change: Change) -> Result<()> {
        debug_assert!(self.runs.iter().all(|run| *run == change.run));
        debug_assert!(
            self.annotations.iter().all(Option::is_none) && self.tags.iter().all(Option::is_none)
        );
        if self.series.is_empty() {
            return Ok(());
        }
        statement::run(
            &INSERT_RUN_VALUES,
            &[
                cell::uuid(writer.tenant),
                cell::text(writer.name()),
                cell::uuid(change.run),
                cell::time(change.time),
                cell::time(change.known),
                cell::uuids(&self.series),
                cell::smallints(&self.parts),
                cell::smallints(&self.spans),
                cell::times(&self.valid_from),
                cell::times(&self.valid_to),
                cell::byte_strings(&self.points),
            ],
        )
    }

    pub fn insert(self, writer: &Identity) -> Result<()> {
        if self.series.is_empty() {
            return Ok(());
        }
        statement::run(
            &INSERT_VALUES,
            &[
                cell::uuid(writer.tenant),
                cell::text(writer.name()),
                cell::uuids(&self.series),
                cell::uuids(&self.runs),
                cell::times(&self.change_times),
                cell::smallints(&self.parts),
                cell::smallints(&self.spans),
                cell::times(&self.known_times),
                cell::times(&self.valid_from),
                cell::times(&self.valid_to),
                cell::byte_strings(&self.points),
                cell::optional_texts(&self.annotations),
                cell::optional_texts(&self.tags),
            ],
        )
    }
}

fn too_many_parts() -> Error {
    Error::TooLarge {
        argument: "updates",
        reason: "have too many different annotations and tags for one series".into(),
    }
}
