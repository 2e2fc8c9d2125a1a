//! New rows of `timedb.values`, with the runs that uploads are, and new packs: how versions are cut into them, and the one place
//! that writes them.

use super::quota::{ROW_BYTES, RUN_BYTES, check_bytes};
use super::spans;
use crate::error::{Error, Result, SPLIT};
use crate::pg::cancel::answer_cancel;
use crate::pg::clock;
use crate::pg::index_scan::has_table;
use crate::pg::statement::{sql, statements};
use crate::pg::varlena::Jsonb;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use timedb_core::listing::listed;
use timedb_core::pack::{pack_versions, text_bytes};
use timedb_core::points::{Point, Points, pack};
use timedb_core::time::Time;
use timedb_core::version::Version;
use uuid::Uuid;

/// A longer vector is cut, so that a window into years of values opens some of them only.
const POINTS_IN_A_ROW: usize = 8192;
/// Rows that one statement inserts.
const ROWS_A_STATEMENT: usize = 10_000;
/// What a pack is filled up to. A window that needs one value of it decodes all of them, in a fraction of a millisecond.
const POINTS_IN_A_PACK: usize = 32_768;
/// The most bytes of annotations and tags in a pack.
const TEXT_IN_A_PACK: usize = 1 << 20;
/// What a row of packs takes beside its pack: the head of a tuple, the other columns, the length of the pack.
const PACK_ROW_BYTES: usize = 24 + 108 + 4;
/// A pack that is emptier may be packed once more, with versions of about as many points: so a value moves a few times at
/// most, however often compact is called.
pub const SMALL_PACK: usize = POINTS_IN_A_PACK / 2;

/// One statement writes the run and its rows: what a statement does before its first row and after its last is most of what a
/// small upload takes.
macro_rules! with_run {
    (and_list) => {
        "WITH run AS (
           INSERT INTO timedb.runs (tenant_id, run_id, workflow_id, run_start_time, run_finish_time, known_time, run_params,
                                    changed_by, inserted_at, last_change_time, value_count, listed)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $16, $17))"
    };
    (alone) => {
        "WITH run AS (
           INSERT INTO timedb.runs (tenant_id, run_id, workflow_id, run_start_time, run_finish_time, known_time, run_params,
                                    changed_by, inserted_at, last_change_time)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9))"
    };
}

/// An upload of one row: nothing is put into arrays and taken out again.
macro_rules! insert_run_value {
    ($run:ident) => {
        sql!(
            with_run!($run),
            " INSERT INTO timedb.values (tenant_id, run_id, known_time, changed_by, change_time, series_id, part, span,
                                         valid_from, valid_to, points)
              VALUES ($1, $2, $6, $8, $9, $10, $11, $12, $13, $14, timedb._points_of_bytes($15))"
        )
    };
}

/// An upload of many. The arrays are opened in the target list, side by side: in FROM, each would be put into a tuple store
/// of its own first.
macro_rules! insert_run_values {
    ($run:ident) => {
        sql!(
            with_run!($run),
            " INSERT INTO timedb.values (tenant_id, run_id, known_time, changed_by, change_time, series_id, part, span,
                                         valid_from, valid_to, points)
              SELECT $1, $2, $6, $8, $9, r.series_id, r.part, r.span, r.valid_from, r.valid_to,
                     timedb._points_of_bytes(r.points)
              FROM (SELECT unnest($10) AS series_id, unnest($11) AS part, unnest($12) AS span, unnest($13) AS valid_from,
                           unnest($14) AS valid_to, unnest($15) AS points) AS r"
        )
    };
}

statements! {
    /// An upload without values.
    INSERT_RUN(Uuid, Uuid, &str, Time, Option<Time>, Time, Option<Jsonb>, &str, Time) -> () =
        c"INSERT INTO timedb.runs (tenant_id, run_id, workflow_id, run_start_time, run_finish_time, known_time, run_params,
                                   changed_by, inserted_at, last_change_time, value_count)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 0)";
    INSERT_RUN_VALUE(
        Uuid, Uuid, &str, Time, Option<Time>, Time, Option<Jsonb>, &str, Time, Uuid, i16, i16, Time, Time, &[u8], i64,
        &[u8]
    ) -> () =
        insert_run_value!(and_list);
    INSERT_RUN_VALUES(
        Uuid, Uuid, &str, Time, Option<Time>, Time, Option<Jsonb>, &str, Time, &[Uuid], &[i16], &[i16], &[Time], &[Time],
        &[&[u8]], i64, &[u8]
    ) -> () =
        insert_run_values!(and_list);
    /// As a database of 0.1.0 has runs: nobody counts their values or lists their rows.
    INSERT_RUN_BEFORE(Uuid, Uuid, &str, Time, Option<Time>, Time, Option<Jsonb>, &str, Time) -> () =
        c"INSERT INTO timedb.runs (tenant_id, run_id, workflow_id, run_start_time, run_finish_time, known_time, run_params,
                                   changed_by, inserted_at, last_change_time)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)";
    INSERT_RUN_VALUE_BEFORE(
        Uuid, Uuid, &str, Time, Option<Time>, Time, Option<Jsonb>, &str, Time, Uuid, i16, i16, Time, Time, &[u8], i64,
        &[u8]
    ) -> () =
        insert_run_value!(alone);
    INSERT_RUN_VALUES_BEFORE(
        Uuid, Uuid, &str, Time, Option<Time>, Time, Option<Jsonb>, &str, Time, &[Uuid], &[i16], &[i16], &[Time], &[Time],
        &[&[u8]], i64, &[u8]
    ) -> () =
        insert_run_values!(alone);
    /// Several uploads.
    INSERT_RUNS(
        Uuid, &[Uuid], &[&str], &[Time], Option<Time>, &[Time], Option<Jsonb>, &str, Time, &[i64]
    ) -> () =
        c"INSERT INTO timedb.runs (tenant_id, run_id, workflow_id, run_start_time, run_finish_time, known_time, run_params,
                                   changed_by, inserted_at, last_change_time, value_count)
          SELECT $1, r.run_id, r.workflow_id, r.run_start_time, $5, r.known_time, $7, $8, $9, $9, r.value_count
          FROM (SELECT unnest($2) AS run_id, unnest($3) AS workflow_id, unnest($4) AS run_start_time,
                       unnest($6) AS known_time, unnest($10) AS value_count) AS r";
    INSERT_RUNS_BEFORE(
        Uuid, &[Uuid], &[&str], &[Time], Option<Time>, &[Time], Option<Jsonb>, &str, Time, &[i64]
    ) -> () =
        c"INSERT INTO timedb.runs (tenant_id, run_id, workflow_id, run_start_time, run_finish_time, known_time, run_params,
                                   changed_by, inserted_at, last_change_time)
          SELECT $1, r.run_id, r.workflow_id, r.run_start_time, $5, r.known_time, $7, $8, $9, $9
          FROM (SELECT unnest($2) AS run_id, unnest($3) AS workflow_id, unnest($4) AS run_start_time,
                       unnest($6) AS known_time) AS r";
    /// What an update writes, and an upload that says more of its values or is of several runs: of several runs, with annotations and tags.
    INSERT_VALUES(
        Uuid, &[&str], &[Uuid], &[Uuid], &[Time], &[i16], &[i16], &[Time], &[Time], &[Time], &[&[u8]],
        &[Option<&str>], &[Option<&str>]
    ) -> () =
        c"INSERT INTO timedb.values (tenant_id, changed_by, series_id, run_id, change_time, part, span, known_time,
                                     valid_from, valid_to, points, annotation, tags)
          SELECT $1, r.changed_by, r.series_id, r.run_id, r.change_time, r.part, r.span, r.known_time, r.valid_from,
                 r.valid_to, timedb._points_of_bytes(r.points), r.annotation,
                 CASE WHEN r.tags IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(r.tags::json)) END
          FROM (SELECT unnest($2) AS changed_by, unnest($3) AS series_id, unnest($4) AS run_id,
                       unnest($5) AS change_time, unnest($6) AS part, unnest($7) AS span, unnest($8) AS known_time,
                       unnest($9) AS valid_from, unnest($10) AS valid_to, unnest($11) AS points,
                       unnest($12) AS annotation, unnest($13) AS tags) AS r";
    INSERT_PACKS(
        Uuid, Uuid, &[Uuid], &[i16], &[Time], &[Time], &[Time], &[Time], &[Time], &[Time], &[i32], &[&[u8]]
    ) -> (i64,) =
        c"INSERT INTO timedb.packs (tenant_id, series_id, pack_id, span, valid_from, valid_to, first_known, last_known,
                                    first_change, last_change, point_count, versions)
          SELECT $1, $2, r.pack_id, r.span, r.valid_from, r.valid_to, r.first_known, r.last_known, r.first_change,
                 r.last_change, r.point_count, timedb._pack_of_bytes(r.versions)
          FROM ROWS FROM (unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), unnest($9),
                          unnest($10), unnest($11), unnest($12))
               AS r(pack_id, span, valid_from, valid_to, first_known, last_known, first_change, last_change, point_count,
                    versions)
          RETURNING pg_column_size(packs.*)::int8";
    /// As a database of 0.1.0 has packs: they do not say when they were last written to.
    INSERT_PACKS_BEFORE(
        Uuid, Uuid, &[Uuid], &[i16], &[Time], &[Time], &[Time], &[Time], &[Time], &[Time], &[i32], &[&[u8]]
    ) -> (i64,) =
        c"INSERT INTO timedb.packs (tenant_id, series_id, pack_id, span, valid_from, valid_to, first_known, last_known,
                                    first_change, point_count, versions)
          SELECT $1, $2, r.pack_id, r.span, r.valid_from, r.valid_to, r.first_known, r.last_known, r.first_change,
                 r.point_count, timedb._pack_of_bytes(r.versions)
          FROM ROWS FROM (unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), unnest($9),
                          unnest($10), unnest($11), unnest($12))
               AS r(pack_id, span, valid_from, valid_to, first_known, last_known, first_change, last_change, point_count,
                    versions)
          RETURNING pg_column_size(packs.*)::int8";
}

/// What a run's row says beside what its version does.
pub struct RunRow<'a> {
    pub workflow_id: &'a str,
    pub start: Time,
    pub finish: Option<Time>,
    pub params: Option<Jsonb>,
}

impl RunRow<'_> {
    /// How many bytes its row takes at the most, but for what it lists.
    fn bytes(&self, version: &Version) -> usize {
        let params = self.params.and_then(|params| params.inspect().ok());
        let params = params.and_then(|params| usize::try_from(params.stored_size).ok());
        RUN_BYTES + self.workflow_id.len() + version.remark.by.len() + params.unwrap_or_default()
    }
}

/// A run, and what it writes.
pub type NewRun<'a> = (RunRow<'a>, &'a Version);

/// Writes runs of one call, that finished at one time with one set of parameters; their rows are written apart.
pub fn insert_runs(tenant: Uuid, runs: &[NewRun], rows: &NewRows) -> Result<()> {
    let [(of_all, version), ..] = runs else {
        return Ok(());
    };
    check_bytes(tenant, || runs.iter().map(|(run, version)| run.bytes(version)).sum())?;
    let ids: Vec<Uuid> = runs.iter().map(|(_, version)| version.run).collect();
    let workflows: Vec<&str> = runs.iter().map(|(run, _)| run.workflow_id).collect();
    let starts: Vec<Time> = runs.iter().map(|(run, _)| run.start).collect();
    let known: Vec<Time> = runs.iter().map(|(_, version)| version.known).collect();
    let (by, change) = (version.remark.by.as_str(), version.change);
    let counts = rows.values_by_run();
    let counts: Vec<i64> = ids.iter().map(|run| counts.get(run).copied().unwrap_or(0)).collect();
    let insert = if are_counted() {
        &INSERT_RUNS
    } else {
        &INSERT_RUNS_BEFORE
    };
    insert.run((
        tenant,
        &ids,
        &workflows,
        &starts,
        of_all.finish,
        &known,
        of_all.params,
        by,
        change,
        &counts,
    ))
}

/// Rows to be written, a column each.
#[derive(Default)]
pub struct NewRows {
    versions: Vec<Version>,
    series: Vec<Uuid>,
    parts: Vec<i16>,
    spans: Vec<i16>,
    valid_from: Vec<Time>,
    valid_to: Vec<Time>,
    points: Vec<Vec<u8>>,
    /// How many values are in each.
    values: Vec<i64>,
}

impl NewRows {
    /// Adds the points of a version of one series, in the order of their keys, as parts from `first_part` on; answers the
    /// next part.
    pub fn add(&mut self, version: &Version, series: Uuid, first_part: i16, points: &[Point]) -> Result<i16> {
        let mut part = first_part;
        for cut in points.chunks(POINTS_IN_A_ROW) {
            let (Some(first), Some(last)) = (cut.first(), cut.last()) else {
                continue;
            };
            let packed = pack(cut).map_err(|error| Error::Broken(format!("points out of order: {error:?}")))?;
            self.versions.push(version.clone());
            self.series.push(series);
            self.parts.push(part);
            self.spans.push(spans::class(first.start, last.start));
            self.valid_from.push(first.start);
            self.valid_to.push(last.start);
            self.points.push(packed);
            self.values.push(cut.len() as i64);
            part = part
                .checked_add(1)
                .ok_or_else(|| too_many_parts("updates", &series.to_string()))?;
        }
        Ok(part)
    }

    /// How many values each run has in them: in an upload, of each value one version.
    fn values_by_run(&self) -> HashMap<Uuid, i64> {
        let mut counts = HashMap::new();
        for (version, values) in self.versions.iter().zip(&self.values) {
            *counts.entry(version.run).or_default() += values;
        }
        counts
    }

    /// How many bytes the rows take at the most, beside what finds them.
    fn bytes(&self) -> usize {
        let of_row = |version: &Version| ROW_BYTES + version.remark.by.len() + text_bytes(&version.remark);
        let rows: usize = self.versions.iter().map(of_row).sum();
        rows + self.points.iter().map(Vec::len).sum::<usize>()
    }

    /// Lists the rows, which are parts of one run from -1 downwards then. They have no entry in the index of changes: the id of
    /// their run tells when they were written, and has an index. Where it does not, as the clock has been set back far, none is
    /// listed, and each has its entry.
    fn list(&mut self, id: Uuid, change: Time) -> Vec<u8> {
        if !clock::tells(id, change) {
            return listed(std::iter::empty());
        }
        self.parts.iter_mut().for_each(|part| *part = -1 - *part);
        let names = self
            .series
            .iter()
            .zip(&self.spans)
            .zip(&self.parts)
            .zip(&self.valid_from);
        listed(names.map(|(((series, span), part), from)| (*series, *span, *part, *from)))
    }

    /// Writes a run and its rows, which are of one version that nothing is said of beside its author.
    pub fn insert_run(mut self, tenant: Uuid, run: &RunRow, version: &Version) -> Result<()> {
        check_bytes(tenant, || self.bytes() + run.bytes(version))?;
        debug_assert!(self.versions.iter().all(|of| of == version));
        debug_assert!(version.remark.annotation.is_none() && version.remark.tags.is_none());
        let (id, known, by, change) = (version.run, version.known, version.remark.by.as_str(), version.change);
        let (workflow_id, start, finish, params) = (run.workflow_id, run.start, run.finish, run.params);
        let (insert, insert_value, insert_values, listed) = match are_counted() {
            true => (
                &INSERT_RUN,
                &INSERT_RUN_VALUE,
                &INSERT_RUN_VALUES,
                self.list(id, change),
            ),
            false => (
                &INSERT_RUN_BEFORE,
                &INSERT_RUN_VALUE_BEFORE,
                &INSERT_RUN_VALUES_BEFORE,
                Vec::new(),
            ),
        };
        match self.series[..] {
            [] => insert.run((tenant, id, workflow_id, start, finish, known, params, by, change)),
            [series] => insert_value.run((
                tenant,
                id,
                workflow_id,
                start,
                finish,
                known,
                params,
                by,
                change,
                series,
                self.parts[0],
                self.spans[0],
                self.valid_from[0],
                self.valid_to[0],
                &self.points[0],
                self.values[0],
                &listed,
            )),
            _ => insert_values.run((
                tenant,
                id,
                workflow_id,
                start,
                finish,
                known,
                params,
                by,
                change,
                &self.series,
                &self.parts,
                &self.spans,
                &self.valid_from,
                &self.valid_to,
                &slices(&self.points),
                self.values.iter().sum(),
                &listed,
            )),
        }
    }

    /// Writes them, so many at once that what a statement is given stays small beside what there is.
    pub fn insert(self, tenant: Uuid) -> Result<()> {
        check_bytes(tenant, || self.bytes())?;
        self.insert_in_place_of_others(tenant)
    }

    /// The same where they are what is left of rows that have been taken out: a tenant who has too much may have less.
    pub fn insert_in_place_of_others(self, tenant: Uuid) -> Result<()> {
        for from in (0..self.series.len()).step_by(ROWS_A_STATEMENT) {
            answer_cancel();
            self.insert_some(tenant, from..self.series.len().min(from + ROWS_A_STATEMENT))?;
        }
        Ok(())
    }

    fn insert_some(&self, tenant: Uuid, rows: Range<usize>) -> Result<()> {
        let versions = &self.versions[rows.clone()];
        let remarks = || versions.iter().map(|version| &version.remark);
        let authors: Vec<&str> = remarks().map(|remark| remark.by.as_str()).collect();
        let annotations: Vec<Option<&str>> = remarks().map(|remark| remark.annotation.as_deref()).collect();
        let tags: Vec<Option<String>> = remarks()
            .map(|remark| remark.tags.as_ref().map(|tags| serde_json::json!(tags).to_string()))
            .collect();
        let tags: Vec<Option<&str>> = tags.iter().map(Option::as_deref).collect();
        let times = |of: fn(&Version) -> Time| -> Vec<Time> { versions.iter().map(of).collect() };
        let runs: Vec<Uuid> = versions.iter().map(|version| version.run).collect();
        INSERT_VALUES.run((
            tenant,
            &authors,
            &self.series[rows.clone()],
            &runs,
            &times(|version| version.change),
            &self.parts[rows.clone()],
            &self.spans[rows.clone()],
            &times(|version| version.known),
            &self.valid_from[rows.clone()],
            &self.valid_to[rows.clone()],
            &slices(&self.points[rows]),
            &annotations,
            &tags,
        ))
    }
}

/// Whether runs say how many values they have and list their rows, and packs when they were last written to: not before a database of 0.1.0 is updated, which then has this table, too.
pub fn are_counted() -> bool {
    has_table(c"timedb", c"series_labels")
}

fn slices(vectors: &[Vec<u8>]) -> Vec<&[u8]> {
    vectors.iter().map(Vec::as_slice).collect()
}

/// The series by what its writer calls it.
pub fn too_many_parts(argument: &'static str, series: &str) -> Error {
    let reason = format!("have more than 32,767 different annotations and tags for series \"{series}\"");
    Error::TooLarge {
        argument,
        reason,
        hint: SPLIT,
    }
}

/// Packs to be written, a column each.
#[derive(Default)]
pub struct NewPacks {
    ids: Vec<Uuid>,
    spans: Vec<i16>,
    valid_from: Vec<Time>,
    valid_to: Vec<Time>,
    first_known: Vec<Time>,
    last_known: Vec<Time>,
    first_change: Vec<Time>,
    last_change: Vec<Time>,
    point_counts: Vec<i32>,
    versions: Vec<Vec<u8>>,
}

/// How many rows a table has got, and how many bytes they take.
#[derive(Clone, Copy, Default)]
pub struct Size {
    pub rows: i64,
    pub bytes: i64,
}

impl Size {
    pub fn plus(self, other: Size) -> Size {
        Size {
            rows: self.rows + other.rows,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl NewPacks {
    /// Packs of these versions of one series: one long version must not make the pack of short ones long.
    pub fn of(versions: Vec<(Version, Points)>) -> Result<NewPacks> {
        let mut classes: BTreeMap<i16, Vec<(Version, Points)>> = BTreeMap::new();
        for (version, points) in versions {
            if let Some(class) = spans::of(&points.shape()) {
                classes.entry(class).or_default().push((version, points));
            }
        }
        let mut new = NewPacks::default();
        for of_class in classes.values_mut() {
            of_class.sort_by_key(|(version, points)| (points.first(), version.known, version.change));
            new.add(of_class)?;
        }
        Ok(new)
    }

    /// Adds versions that are in the order of time, in as many packs as they fill.
    fn add(&mut self, versions: &[(Version, Points)]) -> Result<()> {
        let (mut points, mut text) = (0, 0);
        let mut from = 0;
        for (place, (version, of)) in versions.iter().enumerate() {
            let more = (of.len(), text_bytes(&version.remark));
            let is_full = points + more.0 > POINTS_IN_A_PACK || text + more.1 > TEXT_IN_A_PACK;
            if place > from && is_full {
                self.add_pack(&versions[from..place], points)?;
                (from, points, text) = (place, 0, 0);
            }
            points += more.0;
            text += more.1;
        }
        self.add_pack(&versions[from..], points)
    }

    fn add_pack(&mut self, versions: &[(Version, Points)], points: usize) -> Result<()> {
        answer_cancel();
        let known = || versions.iter().map(|(version, _)| version.known);
        let change = || versions.iter().map(|(version, _)| version.change);
        let bounds = (
            versions.iter().filter_map(|(_, points)| points.first()).min(),
            versions.iter().filter_map(|(_, points)| points.last()).max(),
            known().min(),
            known().max(),
            change().min(),
            change().max(),
        );
        let (
            Some(valid_from),
            Some(valid_to),
            Some(first_known),
            Some(last_known),
            Some(first_change),
            Some(last_change),
        ) = bounds
        else {
            return Ok(());
        };
        let pack = pack_versions(versions).map_err(|error| Error::Broken(format!("a pack: {error}")))?;
        self.ids.push(clock::new_id());
        self.spans.push(spans::class(valid_from, valid_to));
        self.valid_from.push(valid_from);
        self.valid_to.push(valid_to);
        self.first_known.push(first_known);
        self.last_known.push(last_known);
        self.first_change.push(first_change);
        self.last_change.push(last_change);
        self.point_counts.push(points as i32);
        self.versions.push(pack);
        Ok(())
    }

    /// How many rows they will be, and how many bytes these take at the most.
    pub fn size(&self) -> Size {
        let bytes: usize = self.versions.iter().map(|pack| PACK_ROW_BYTES + pack.len()).sum();
        Size {
            rows: self.versions.len() as i64,
            bytes: bytes as i64,
        }
    }

    pub fn insert(self, tenant: Uuid, series: Uuid) -> Result<Size> {
        let insert = if are_counted() {
            &INSERT_PACKS
        } else {
            &INSERT_PACKS_BEFORE
        };
        let written = insert.write((
            tenant,
            series,
            &self.ids,
            &self.spans,
            &self.valid_from,
            &self.valid_to,
            &self.first_known,
            &self.last_known,
            &self.first_change,
            &self.last_change,
            &self.point_counts,
            &slices(&self.versions),
        ))?;
        Ok(Size {
            rows: written.len() as i64,
            bytes: written.iter().map(|(bytes,)| bytes).sum(),
        })
    }
}
