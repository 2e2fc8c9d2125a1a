//! How answers are shown: tables for people, JSON for programs.
//!
//! Texts are what tenants wrote: those who look at them must see them, and their terminals must not obey them.

use std::borrow::Cow;
use std::env;
use std::fmt::Write as _;
use std::io::{Write, stdout};

use anyhow::Result;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use owo_colors::OwoColorize;
use postgres::Client;
use postgres::types::{ToSql, Type};
use serde_json::{Map, Value};

/// Whether a program reads what is shown.
#[derive(Args, Clone, Default)]
pub struct Form {
    /// Print JSON: an array of an object for each row
    #[arg(long)]
    json: bool,
}

/// What a query answered.
pub struct Answer {
    names: Vec<String>,
    /// What people are shown for the names.
    labels: Vec<String>,
    /// Which of them are instants.
    instants: Vec<bool>,
    /// Each an object of JSON, as Postgres wrote it.
    rows: Vec<String>,
}

impl Answer {
    /// Of any SELECT; a column without a type of JSON, such as an instant, is as Postgres writes it in JSON.
    pub fn of(client: &mut Client, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> Result<Self> {
        let statement = client.prepare(sql)?;
        let names = statement.columns().iter().map(|column| column.name().to_owned());
        let names: Vec<String> = names.collect();
        // As text, which keeps the columns in their order.
        let as_json = format!("SELECT pg_catalog.row_to_json(answer)::pg_catalog.text FROM ({sql}) AS answer");
        let rows = client.query(&as_json, arguments)?;
        let rows = rows.iter().map(|row| row.get(0)).collect();
        let labels = names.clone();
        let columns = statement.columns().iter();
        let instants = columns.map(|column| *column.type_() == Type::TIMESTAMPTZ).collect();
        Ok(Self {
            names,
            labels,
            instants,
            rows,
        })
    }

    /// With other words for people than the columns' names, one for each.
    pub fn labelled<const N: usize>(self, labels: [&str; N]) -> Self {
        assert_eq!(N, self.names.len(), "a label a column");
        let labels = labels.map(str::to_owned).to_vec();
        Self { labels, ..self }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows as texts, column by column.
    fn cells(&self) -> Result<Vec<Vec<String>>> {
        let cells = self.rows.iter().map(|row| {
            let row: Map<String, Value> = serde_json::from_str(row)?;
            Ok(self.names.iter().map(|name| cell(&row[name])).collect())
        });
        cells.collect()
    }
}

impl Form {
    /// Shows what a query answers, with its columns' names as they are.
    pub fn show(&self, client: &mut Client, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> Result<()> {
        self.print(&Answer::of(client, sql, arguments)?)
    }

    pub fn print(&self, answer: &Answer) -> Result<()> {
        if self.json {
            return print_json(answer);
        }
        let count = answer.len();
        let mut text = if count == 0 { String::new() } else { table(answer)? };
        writeln!(text, "({count} row{})", if count == 1 { "" } else { "s" })?;
        print(&text)
    }

    /// As a table of this name and the number of its rows.
    pub fn print_titled(&self, title: &str, answer: &Answer) -> Result<()> {
        if self.json {
            return print_json(answer);
        }
        let mut text = format!("{}\n", format!("{title} ({})", answer.len()).bold());
        if answer.len() > 0 {
            text.push_str(&table(answer)?);
        }
        print(&text)
    }

    /// One row, a line for each column: what was done, and then the columns by their labels.
    pub fn print_record(&self, done: &str, answer: &Answer) -> Result<()> {
        if self.json {
            return print_json(answer);
        }
        let mut text = if done.is_empty() {
            String::new()
        } else {
            format!("{done}\n")
        };
        for row in answer.cells()? {
            for (name, cell) in answer.labels.iter().zip(row) {
                writeln!(text, "{name}: {cell}")?;
            }
        }
        print(&text)
    }

    /// What people are told beside an answer, and programs are not.
    pub fn tell(&self, words: &str) -> Result<()> {
        if self.json {
            Ok(())
        } else {
            print(&format!("{words}\n"))
        }
    }
}

/// To the standard output, without colours where it is no terminal, or where NO_COLOR is set.
pub fn print(text: &str) -> Result<()> {
    anstream::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

fn print_json(answer: &Answer) -> Result<()> {
    let rows: Vec<String> = answer.rows.iter().map(|row| printable_json(row)).collect();
    writeln!(stdout().lock(), "[{}]", rows.join(",\n "))?;
    Ok(())
}

/// Rows below each other; where the terminal is too narrow for that, columns below each other.
fn table(answer: &Answer) -> Result<String> {
    let cells = answer.cells()?;
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(&answer.labels);
    for row in &cells {
        let short = row.iter().zip(&answer.instants);
        table.add_row(short.map(|(cell, is_instant)| if *is_instant { to_the_second(cell) } else { cell.clone() }));
    }
    let drawn = table.lines().collect::<Vec<_>>();
    let width = drawn.first().map(|line| line.chars().count()).unwrap_or_default();
    if terminal_width(&table).is_some_and(|room| width > room) {
        return Ok(records(&answer.labels, &cells));
    }
    Ok(drawn.join("\n") + "\n")
}

/// An instant as one reads it in a table; where each column has a line, and in JSON, it is whole.
fn to_the_second(instant: &str) -> String {
    let (date, time) = instant.split_once('T').unwrap_or(("", instant));
    let zone = time.rfind(['+', '-']).unwrap_or(time.len());
    let seconds = time[..zone].split('.').next().unwrap_or_default();
    let zone = time[zone..].trim_end_matches(":00");
    format!("{date} {seconds}{zone}").trim_start().to_owned()
}

fn records(labels: &[String], rows: &[Vec<String>]) -> String {
    let widest = labels
        .iter()
        .map(|label| label.chars().count())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        text.push_str(&format!("─ {} ─\n", number + 1));
        for (label, cell) in labels.iter().zip(row) {
            text.push_str(format!("{label:widest$}  {cell}").trim_end());
            text.push('\n');
        }
    }
    text
}

/// None where no terminal shows it, and COLUMNS says nothing.
fn terminal_width(table: &Table) -> Option<usize> {
    let said = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    said.or_else(|| table.width().map(usize::from))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text).into_owned(),
        other => printable(&other.to_string()).into_owned(),
    }
}

/// A text without what a terminal would obey, or show as something else: control characters are spelt, and those that
/// turn the direction of writing.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let spelt = text.chars().map(|letter| {
        if is_obeyed(letter) {
            letter.escape_default().to_string()
        } else {
            letter.to_string()
        }
    });
    Cow::Owned(spelt.collect())
}

/// The same of a text of several lines.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// The same of JSON, where such letters stand in texts alone.
fn printable_json(json: &str) -> String {
    let mut spelt = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_obeyed(letter) && letter != '\n' {
            spelt.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            spelt.push(letter);
        }
    }
    spelt
}

fn is_obeyed(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_in_a_table_is_short() {
        for (instant, expected) in [
            ("2026-11-26T07:37:07.830145+00:00", "2026-11-26 07:37:07+00"),
            ("2026-11-26T07:37:07+05:30", "2026-11-26 07:37:07+05:30"),
            ("2026-11-26T07:37:07-03:00", "2026-11-26 07:37:07-03"),
            ("infinity", "infinity"),
            ("", ""),
        ] {
            assert_eq!(to_the_second(instant), expected);
        }
    }

    #[test]
    fn a_terminal_obeys_no_text() {
        assert_eq!(printable("wind 风 é"), "wind 风 é");
        assert_eq!(
            printable("a\u{1b}[2Jb\rc\u{9b}d\u{202e}"),
            "a\\u{1b}[2Jb\\rc\\u{9b}d\\u{202e}"
        );
        assert_eq!(printable_lines("a\nb\u{7f}"), "a\nb\\u{7f}");
        let json = printable_json("{\"a\": \"\u{9b}2J\"}");
        assert_eq!(json, "{\"a\": \"\\u009b2J\"}");
        let read: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read["a"], "\u{9b}2J");
    }
}
