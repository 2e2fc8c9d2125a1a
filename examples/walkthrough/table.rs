//! Results as small tables on the terminal: any result set, its first rows and its count, and
//! errors as psql shows them. Keys never appear in full and uuids are shortened: the screen is no
//! place for either.

use anstream::println;
use comfy_table::{Table, presets};
use jiff::Timestamp;
use owo_colors::OwoColorize;
use postgres::Row;
use postgres::types::{FromSql, Type};
use serde_json::Value;
use uuid::Uuid;

const WIDEST_CELL: usize = 56;

pub fn print(rows: &[Row], shown: usize) {
    let Some(first) = rows.first() else {
        println!("  {}", "(0 rows)".dimmed());
        return;
    };
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(first.columns().iter().map(postgres::Column::name));
    for row in rows.iter().take(shown) {
        table.add_row((0..row.len()).map(|column| cell(row, column)));
    }
    for line in table.lines() {
        println!("  {line}");
    }
    println!("  {}", counted(rows.len(), shown).dimmed());
}

fn counted(rows: usize, shown: usize) -> String {
    match rows {
        1 => "(1 row)".to_owned(),
        _ if rows <= shown => format!("({rows} rows)"),
        _ => format!("({} rows, the first {shown} shown)", grouped(rows)),
    }
}

pub fn print_error(error: &postgres::Error) {
    match error.as_db_error() {
        Some(error) => {
            println!("  {}  {}: {}", "ERROR:".red(), error.code().code(), error.message());
            for (label, text) in [("DETAIL", error.detail()), ("HINT", error.hint())] {
                if let Some(text) = text {
                    println!("  {label}:  {text}");
                }
            }
        }
        None => println!("  {} {error}", "ERROR:".red()),
    }
}

/// One field as text; empty for null.
fn cell(row: &Row, column: usize) -> String {
    let text = match *row.columns()[column].type_() {
        Type::UUID => field::<Uuid>(row, column, |id| shortened(&id.to_string(), 8, 4)),
        Type::TIMESTAMPTZ => field::<Timestamp>(row, column, |time| time.to_string()),
        Type::FLOAT8 => field::<f64>(row, column, |number| number.to_string()),
        Type::INT8 => field::<i64>(row, column, |number| number.to_string()),
        Type::INT4 => field::<i32>(row, column, |number| number.to_string()),
        Type::BOOL => field::<bool>(row, column, |yes| yes.to_string()),
        Type::TEXT_ARRAY => field::<Vec<String>>(row, column, |texts| format!("{{{}}}", texts.join(","))),
        Type::JSON | Type::JSONB => field::<Value>(row, column, |json| json.to_string()),
        Type::VOID => String::new(),
        _ => field::<String>(row, column, |text| without_secret(&text)),
    };
    if text.chars().count() > WIDEST_CELL {
        shortened(&text, WIDEST_CELL - 1, 0)
    } else {
        text
    }
}

fn field<'a, T: FromSql<'a>>(row: &'a Row, column: usize, show: impl Fn(T) -> String) -> String {
    match row.try_get::<_, Option<T>>(column) {
        Ok(value) => value.map(show).unwrap_or_default(),
        Err(_) => format!("({})", row.columns()[column].type_()),
    }
}

/// The text itself, or a few of its characters if it is an API key.
pub fn without_secret(text: &str) -> String {
    if text.starts_with("tdb_") && text.len() > 10 {
        shortened(text, 6, 4)
    } else {
        text.to_owned()
    }
}

fn shortened(text: &str, head: usize, tail: usize) -> String {
    let length = text.chars().count();
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length.saturating_sub(tail)).collect();
    format!("{start}…{end}")
}

/// 8759 as "8,759".
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
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
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            [0, 999, 1_000, 26_285, 1_234_567].map(grouped),
            ["0", "999", "1,000", "26,285", "1,234,567"]
        );
    }

    #[test]
    fn a_key_is_never_shown_whole_and_other_text_always_is() {
        assert_eq!(without_secret(&format!("tdb_{}wxyz", "k".repeat(44))), "tdb_kk…wxyz");
        assert_eq!(
            without_secret("temperature_forecast of the whole year"),
            "temperature_forecast of the whole year"
        );
    }

    #[test]
    fn more_rows_than_shown_are_counted() {
        assert_eq!(counted(1, 6), "(1 row)");
        assert_eq!(counted(6, 6), "(6 rows)");
        assert_eq!(counted(8_759, 6), "(8,759 rows, the first 6 shown)");
    }
}
