//! The results on a terminal.

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::record::Record;

const HEADER: [&str; 8] = ["", "what", "peer", "median", "min – max", "timedb is", "goal", "met"];
const NUMBERS: [usize; 3] = [3, 4, 5];

pub fn print(records: &[&Record]) {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(HEADER);
    let mut before: Option<&Record> = None;
    for record in records {
        let is_new = |same: fn(&Record, &Record) -> bool| !before.is_some_and(|old| same(old, record));
        let new_workload = is_new(|old, new| old.workload == new.workload);
        let new_line = is_new(|old, new| old.workload == new.workload && old.what == new.what && old.size == new.size);
        table.add_row(row(record, new_workload, new_line));
        before = Some(record);
    }
    for column in NUMBERS {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}");
}

/// How many goals were met, and of how many.
pub fn goals(records: &[&Record]) -> (usize, usize) {
    let told = records.iter().filter_map(|record| record.met);
    (told.clone().filter(|met| *met).count(), told.count())
}

fn row(record: &Record, new_workload: bool, new_line: bool) -> [Cell; 8] {
    let shown_if = |shown: bool, text: String| if shown { text } else { String::new() };
    let what = match record.size {
        Some(size) => format!("{}, {size}", record.what),
        None => record.what.clone(),
    };
    let (median, range) = match (&record.spread, &record.note) {
        (Some(spread), _) if spread.repetitions > 1 => (
            format!("{} {}", figure(spread.median), record.unit),
            format!("{} – {}", figure(spread.min), figure(spread.max)),
        ),
        (Some(spread), _) => (format!("{} {}", figure(spread.median), record.unit), String::new()),
        (None, note) => (note.clone().unwrap_or_default(), String::new()),
    };
    let met = record.met.map_or("", |met| if met { "yes" } else { "NO" });
    [
        Cell::new(shown_if(new_workload, record.workload.clone())),
        Cell::new(shown_if(new_line, what)),
        Cell::new(&record.peer),
        Cell::new(median),
        Cell::new(range),
        Cell::new(record.ratio.map(comparison).unwrap_or_default()),
        Cell::new(record.goal.clone().unwrap_or_default()),
        Cell::new(met),
    ]
}

/// 12.3 times better, or at 1.7 times the peer's figure.
fn comparison(ratio: f64) -> String {
    if ratio >= 1.0 {
        format!("{} x better", figure(ratio))
    } else {
        format!("at {} x", figure(1.0 / ratio))
    }
}

/// Three digits that count.
pub fn figure(number: f64) -> String {
    match number.abs() {
        size if size >= 1_000.0 => grouped(number.round()),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// With a comma at the thousands.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::{comparison, figure};

    #[test]
    fn figures_have_the_digits_that_count() {
        assert_eq!(
            [0.123, 4.567, 45.67, 456.7, 4_567.8, 1_234_567.0].map(figure),
            ["0.12", "4.57", "45.7", "457", "4,568", "1,234,567"]
        );
    }

    #[test]
    fn a_comparison_says_by_how_much_better_or_worse() {
        assert_eq!(comparison(12.34), "12.3 x better");
        assert_eq!(comparison(0.5), "at 2.00 x");
    }
}
