//! `gaps` and `coverage` against what is counted out of a flat read and a read of every run.

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;
use timedb_testkit::{Stage, one, refused, run};
use uuid::Uuid;

use super::ask;
use super::world::{World, ZONES, moment, quarter};

#[derive(Clone, Debug)]
struct Question {
    step: &'static str,
    zone: &'static str,
    start: Option<i64>,
    length: Option<i64>,
    choice: &'static str,
}

const STEPS: [&str; 6] = [
    "15 minutes",
    "1 hour",
    "45 minutes",
    "1 day",
    "1 month",
    "1 day 6 hours",
];
const CHOICES: [&str; 3] = ["", ", series_keys => '{a}'", ", labels => '{\"n\": 1}'"];

fn question() -> impl Strategy<Value = Question> {
    let start = prop::option::weighted(0.6, prop_oneof![4 => -50..900i64, 1 => moment()]);
    let length = prop::option::weighted(0.7, 0..1000i64);
    (
        select(STEPS.to_vec()),
        select(ZONES.to_vec()),
        start,
        length,
        select(CHOICES.to_vec()),
    )
        .prop_map(|(step, zone, start, length, choice)| Question {
            step,
            zone,
            start,
            length,
            choice,
        })
}

/// Start and end, where they are given.
type Window = (Option<Timestamp>, Option<Timestamp>);
/// From, to, how many.
type Gap = (Timestamp, Timestamp, i64);

/// The gaps of one series, time after time: each is asked of Postgres, in a session of the zone.
fn naive(times: &[Timestamp], present: &BTreeSet<Timestamp>) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let mut is_open = false;
    for (place, time) in times.iter().enumerate().take(times.len() - 1) {
        if present.contains(time) {
            is_open = false;
            continue;
        }
        let to = times[place + 1];
        match gaps.last_mut().filter(|_| is_open) {
            Some(gap) => (gap.1, gap.2) = (to, gap.2 + 1),
            None => gaps.push((*time, to, 1)),
        }
        is_open = true;
    }
    gaps
}

/// Of every series that is chosen the times at which a flat read shows a value.
fn present(world: &mut World, question: &Question, window: &Window) -> Vec<(Uuid, BTreeSet<Timestamp>)> {
    let list = match question.choice {
        "" => "SELECT series_id FROM timedb.list_series()",
        ", series_keys => '{a}'" => "SELECT series_id FROM timedb.list_series() WHERE series_key = 'a'",
        _ => "SELECT series_id FROM timedb.list_series('{\"n\": 1}')",
    };
    let listed = world.client.query(list, &[]).expect("a list");
    let mut series: Vec<(Uuid, BTreeSet<Timestamp>)> = listed.iter().map(|row| (row.get(0), BTreeSet::new())).collect();
    let sql = format!("SELECT * FROM timedb.read($1, $2{})", question.choice);
    for row in world.client.query(&sql, &[&window.0, &window.1]).expect("it reads") {
        let times = series.iter_mut().find(|(id, _)| *id == row.get::<_, Uuid>("series_id"));
        if row.get::<_, Option<f64>>("value").is_some() {
            times.expect("it is chosen").1.insert(row.get("valid_time"));
        }
    }
    series
}

/// The times at which there should be a value, and one more; none where they are too many to be counted one by one.
fn steps(world: &mut World, question: &Question, from: Timestamp, until: Timestamp) -> Option<Vec<Timestamp>> {
    let is_far = until.duration_since(from).as_hours() > 24 * 30;
    if is_far && !question.step.contains("month") {
        return None;
    }
    let most = if is_far { 700 } else { 3000 };
    run(&mut world.client, &format!("SET timezone = '{}'", question.zone));
    let step = question.step;
    let sql = format!(
        "SELECT $1::timestamptz + k * interval '{step}' FROM generate_series(0, {most}) AS k \
         WHERE k = 0 OR $1::timestamptz + (k - 1) * interval '{step}' < $2"
    );
    let rows = world.client.query(&sql, &[&from, &until]).expect("times");
    run(&mut world.client, "RESET timezone");
    let times: Vec<Timestamp> = rows.iter().map(|row| row.get(0)).collect();
    times.last().is_some_and(|last| *last >= until).then_some(times)
}

/// What `gaps` should say of one series; none where that is too much to be counted.
fn expected(
    world: &mut World,
    question: &Question,
    (start, end): &Window,
    present: &BTreeSet<Timestamp>,
) -> Option<Vec<Gap>> {
    let from = start.or_else(|| present.first().copied());
    let Some((from, until)) = from.zip(end.or_else(|| present.last().copied())) else {
        return Some(Vec::new());
    };
    if from >= until {
        return Some(Vec::new());
    }
    let times = steps(world, question, from, until)?;
    let mut gaps = naive(&times, present);
    if end.is_none() {
        // What follows the last value that is on a step is no gap: nobody says how far values are looked for.
        let last = times.iter().rfind(|time| present.contains(time));
        gaps.retain(|gap| last.is_some_and(|last| gap.0 < *last));
    }
    Some(gaps)
}

#[test]
fn gaps_are_the_times_at_which_a_flat_read_shows_no_value() {
    ask("gaps", question(), |world, question| {
        let start = question.start.map(quarter);
        let end = question
            .length
            .map(|length| quarter(question.start.unwrap_or(0) + length));
        let window = (start, end);
        let mut should_be: Vec<(Uuid, Gap)> = Vec::new();
        for (series, present) in present(world, question, &window) {
            let Some(gaps) = expected(world, question, &window, &present) else {
                return Ok(false);
            };
            should_be.extend(gaps.into_iter().map(|gap| (series, gap)));
        }
        let sql = format!(
            "SELECT series_id, from_time, to_time, missing_count FROM timedb.gaps('{}', '{}', $1, $2{})",
            question.step, question.zone, question.choice
        );
        let rows = world.client.query(&sql, &[&start, &end]).expect("it answers");
        let gap = |row: &postgres::Row| (row.get(0), (row.get(1), row.get(2), row.get(3)));
        let found: Vec<(Uuid, Gap)> = rows.iter().map(gap).collect();
        prop_assert_eq!(&found, &should_be);
        Ok(!should_be.is_empty())
    });
}

#[test]
fn coverage_counts_what_a_flat_read_and_a_read_of_every_run_show() {
    let choice = select(CHOICES.to_vec());
    ask("coverage", choice, |world, choice| {
        let arguments = choice.trim_start_matches(", ");
        let also = choice;
        let sql = format!(
            "SELECT s.series_id, s.series_key, min(f.valid_time), max(f.valid_time), count(f.valid_time), \
               (SELECT count(DISTINCT o.run_id) FROM timedb.read(mode => 'overlapping'{also}) o WHERE o.series_id = s.series_id) \
             FROM timedb.list_series() s LEFT JOIN timedb.read({arguments}) f USING (series_id) \
             WHERE s.series_key = 'a' OR '{}' <> ', series_keys => ''{{a}}''' GROUP BY s.series_id, s.series_key, s.labels \
             HAVING s.labels @> '{}' ORDER BY s.series_key COLLATE \"C\", s.series_id",
            choice.replace('\'', "''"),
            if choice.contains("labels") { "{\"n\": 1}" } else { "{}" },
        );
        type Row = (Uuid, String, Option<Timestamp>, Option<Timestamp>, i64, i64);
        let row =
            |row: &postgres::Row| -> Row { (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5)) };
        let expected: Vec<Row> = world
            .client
            .query(&sql, &[])
            .expect("it reads")
            .iter()
            .map(row)
            .collect();
        let rows = world
            .client
            .query(&format!("SELECT * FROM timedb.coverage({arguments})"), &[]);
        let found: Vec<Row> = rows.expect("it answers").iter().map(row).collect();
        prop_assert_eq!(&found, &expected);
        Ok(expected.iter().any(|row| row.4 > 0))
    });
}

#[test]
fn what_gaps_and_coverage_cannot_take_is_refused_by_name_and_another_tenants_is_not_there() {
    let stage = Stage::set("bad gaps");
    let (mut alice, mut bob) = (stage.alice(), stage.bob());
    let positive = "must be positive, in each of its months, days and hours";
    for (call, code, message) in [
        ("gaps(null)", "22004", "\"step\" must not be null".to_owned()),
        ("gaps('0')", "22023", format!("\"step\" {positive}")),
        ("gaps('-1 hour')", "22023", format!("\"step\" {positive}")),
        (
            "gaps('1 hour', 'Mars')",
            "22023",
            "\"time_zone\" is no time zone that this server knows: \"Mars\"".to_owned(),
        ),
        (
            "gaps('1 hour', end_valid => 'infinity')",
            "22008",
            "\"end_valid\" is infinite or out of range".to_owned(),
        ),
        (
            "gaps('1 hour', labels => '1')",
            "22023",
            "\"labels\" must be a JSON object".to_owned(),
        ),
        (
            "gaps('1 hour', series_ids => '{null}')",
            "22004",
            "\"series_ids\" must not contain null".to_owned(),
        ),
        (
            "coverage('{null}')",
            "22004",
            "\"series_keys\" must not contain null".to_owned(),
        ),
        (
            "coverage(labels => '[]')",
            "22023",
            "\"labels\" must be a JSON object".to_owned(),
        ),
    ] {
        refused(alice.query(&format!("SELECT * FROM timedb.{call}"), &[]))
            .code(code)
            .message(&message);
    }
    let mut app = stage.app();
    for call in ["gaps(null)", "coverage('{null}')"] {
        refused(app.query(&format!("SELECT * FROM timedb.{call}"), &[])).code("28000");
    }
    let bobs = stage.bobs.series_id;
    for sql in [
        format!("SELECT count(*) FROM timedb.coverage(series_ids => '{{{bobs}}}') WHERE value_count = 1"),
        "SELECT count(*) FROM timedb.gaps('1 hour', 'UTC', '2025-01-01', '2025-01-02', '{bob}')".into(),
        format!("SELECT count(*) FROM timedb.read_buckets('1 day', series_ids => '{{{bobs}}}')"),
    ] {
        assert_eq!(one::<i64>(&mut bob, &sql), 1, "the premise: {sql}");
        assert_eq!(one::<i64>(&mut alice, &sql), 0, "{sql}");
    }
    // A window in which nothing is, and one that is the wrong way round.
    run(&mut alice, "BEGIN READ ONLY");
    let gap = "SELECT missing_count FROM timedb.gaps('1 us', start_valid => '2030-01-01', end_valid => '2031-01-01')";
    assert_eq!(one::<i64>(&mut alice, gap), 365 * 86_400 * 1_000_000);
    let gap = "SELECT count(*) FROM timedb.gaps('1 hour', start_valid => '2030-01-01', end_valid => '2020-01-01')";
    assert_eq!(one::<i64>(&mut alice, gap), 0);
    run(&mut alice, "COMMIT");
}
