//! The tables of docs/performance.md: every line as it was when this work began and as it is now, and how cost grows. They
//! stand between two comments each; the rest of the page is written by hand.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::record::{Record, TIMEDB};
use crate::results::Results;
use crate::table::{figure, grouped};

const FIGURES: &str = "figures";
const GROWTH: &str = "growth";

pub fn write(results: &Results, before: &Results, path: &Path) -> Result<()> {
    let page = fs::read_to_string(path)?;
    let page = with_table(&page, FIGURES, &figures(results, before)).context("in docs/performance.md")?;
    let page = with_table(&page, GROWTH, &growth(results)).context("in docs/performance.md")?;
    fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))
}

/// The page with the table between `<!-- NAME -->` and `<!-- end of NAME -->`.
fn with_table(page: &str, name: &str, table: &str) -> Result<String> {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (head, rest) = page.split_once(&start).with_context(|| format!("no {start:?}"))?;
    let (_, foot) = rest.split_once(&end).with_context(|| format!("no {end:?}"))?;
    Ok(format!("{head}{start}\n{table}\n{end}{foot}"))
}

fn figures(results: &Results, before: &Results) -> String {
    let mut table = format!(
        "| | | timedb, {} → {} | how many times better than | goal |\n|---|---|---|---|---|\n",
        date(before),
        date(results)
    );
    let mut workload = "";
    for line in lines(&results.records) {
        let first = line[0];
        let shown = if first.workload == workload {
            ""
        } else {
            first.workload.as_str()
        };
        workload = &first.workload;
        let then: Vec<&Record> = before.records.iter().filter(|old| is_same_line(old, first)).collect();
        let _ = writeln!(
            table,
            "| {shown} | {} | {} | {} | {} |",
            first.what,
            ours(&line, &then),
            joined(line.iter().filter_map(|record| against(record, &then))),
            joined(line.iter().filter_map(|record| goal(record)))
        );
    }
    table
}

fn date(results: &Results) -> &str {
    let dates = results.records.iter().map(|record| record.date.as_str());
    dates.max().unwrap_or("never")
}

/// The records of each line, without the points of curves.
fn lines(records: &[Record]) -> Vec<Vec<&Record>> {
    let mut lines: Vec<Vec<&Record>> = Vec::new();
    for record in records.iter().filter(|record| record.size.is_none()) {
        match lines.last_mut() {
            Some(line) if is_same_line(line[0], record) => line.push(record),
            _ => lines.push(vec![record]),
        }
    }
    lines
}

fn is_same_line(one: &Record, other: &Record) -> bool {
    (&one.workload, &one.what, one.size) == (&other.workload, &other.what, other.size)
}

fn of_peer<'a>(line: &[&'a Record], peer: &str) -> Option<&'a Record> {
    line.iter().find(|record| record.peer == peer).copied()
}

fn ours(now: &[&Record], then: &[&Record]) -> String {
    let told = |line: &[&Record]| {
        let record = of_peer(line, TIMEDB)?;
        let spread = record.spread?;
        Some(format!("{} {}", figure(spread.median), record.unit))
    };
    from_to(told(then), told(now)).unwrap_or_else(|| "not measured".to_owned())
}

/// How many times better timedb is than a peer.
fn against(record: &Record, then: &[&Record]) -> Option<String> {
    let told = |record: &Record| Some(format!("{} ×", figure(record.ratio?)));
    let then = of_peer(then, &record.peer).and_then(told);
    Some(format!("{} {}", record.peer, from_to(then, told(record))?))
}

/// What is the same is told once.
fn from_to(then: Option<String>, now: Option<String>) -> Option<String> {
    match (then, now?) {
        (Some(then), now) if then != now => Some(format!("{then} → {now}")),
        (_, now) => Some(now),
    }
}

fn goal(record: &Record) -> Option<String> {
    let goal = record.goal.as_ref()?;
    let met = match record.met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "not measured",
    };
    let goal = if record.peer == TIMEDB {
        goal.clone()
    } else {
        format!("{} {}", goal.trim_end_matches(" its figure"), record.peer)
    };
    Some(format!("{goal}: {met}"))
}

fn growth(results: &Results) -> String {
    let mut table = "| | | |\n|---|---|---|\n".to_owned();
    let mut told: Vec<(&str, &str)> = Vec::new();
    let points: Vec<&Record> = results.records.iter().filter(|record| record.size.is_some()).collect();
    for record in &points {
        let curve = (record.what.as_str(), record.peer.as_str());
        if told.contains(&curve) {
            continue;
        }
        told.push(curve);
        let on_curve = points
            .iter()
            .filter(|point| (point.what.as_str(), point.peer.as_str()) == curve);
        let sizes = on_curve.filter_map(|point| {
            let (size, spread) = (point.size?, point.spread?);
            let size = grouped(f64::from(size));
            Some(format!("{size}: {} {}", figure(spread.median), point.unit))
        });
        let sizes = joined(sizes);
        if !sizes.is_empty() {
            let _ = writeln!(table, "| {} | {} | {sizes} |", curve.0, curve.1);
        }
    }
    table
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::{figures, growth, with_table};
    use crate::record::{Goal, Line, TIMEDB};
    use crate::results::Results;

    fn results(ours: f64) -> Results {
        let line = Line::new("W", "what", "ms").figure(TIMEDB, ours).figure("lean", 8.0);
        Results {
            records: line.goal("lean", Goal::Times(4.0)).records(),
            ..Results::default()
        }
    }

    #[test]
    fn a_line_shows_what_was_and_what_is() {
        let table = figures(&results(1.0), &results(4.0));
        assert!(
            table.contains("| W | what | 4.00 ms → 1.00 ms | lean 2.00 × → 8.00 × | ≥ 4 x lean: met |"),
            "{table}"
        );
        let table = figures(&results(4.0), &Results::default());
        assert!(
            table.contains("| W | what | 4.00 ms | lean 2.00 × | ≥ 4 x lean: missed |"),
            "{table}"
        );
    }

    #[test]
    fn a_curve_is_one_row_of_a_peer() {
        let mut results = Results::default();
        for size in [10, 100] {
            let line = Line::new("growth", "curve", "ms").size(size).figure(TIMEDB, 2.5);
            results.records.extend(line.records());
        }
        let rows = growth(&results);
        assert_eq!(
            rows.lines().skip(2).collect::<Vec<_>>(),
            ["| curve | timedb | 10: 2.50 ms; 100: 2.50 ms |"]
        );
    }

    #[test]
    fn only_what_is_between_the_comments_is_written() {
        let page = "before <!-- t -->\nold\n<!-- end of t --> after";
        let page = with_table(page, "t", "new").expect("both comments are there");
        assert_eq!(page, "before <!-- t -->\n\nnew\n<!-- end of t --> after");
        assert!(with_table("nothing", "t", "new").is_err());
    }
}
