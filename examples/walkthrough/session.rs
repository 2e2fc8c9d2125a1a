//! A connection that shows what it does: the statement as one would type it in psql, then what
//! comes back. The calls themselves are the `postgres` crate's, with every value bound as a
//! parameter.

use anstream::println;
use anyhow::{Context, Result};
use jiff::Timestamp;
use owo_colors::OwoColorize;
use postgres::types::{FromSql, ToSql};
use postgres::{Client, Config, NoTls, Row};
use uuid::Uuid;

use crate::table;

/// A result table is printed up to this many rows; the rest is counted.
const ROWS_SHOWN: usize = 6;

pub struct Session {
    prompt: String,
    client: Client,
}

impl Session {
    /// `prompt` stands before every statement, so that a reader knows whose it is.
    pub fn open(prompt: &str, config: &Config) -> Result<Self> {
        let client = config
            .connect(NoTls)
            .with_context(|| format!("connecting as {:?}", config.get_user().unwrap_or_default()))?;
        Ok(Self {
            prompt: prompt.to_owned(),
            client,
        })
    }

    /// Shows and runs a statement that may well be refused: that is then the answer.
    pub fn attempt(&mut self, sql: &str, params: &[&dyn Parameter]) -> Result<Vec<Row>, postgres::Error> {
        self.show(sql, params);
        let outcome = self.client.prepare(sql).and_then(|statement| {
            let rows = self.client.query(&statement, &bound(params))?;
            if statement.columns().is_empty() {
                println!("  {}", "done".dimmed());
            } else {
                table::print(&rows, ROWS_SHOWN);
            }
            Ok(rows)
        });
        if let Err(error) = &outcome {
            table::print_error(error);
        }
        outcome
    }

    /// Shows and runs a statement that must work.
    pub fn query(&mut self, sql: &str, params: &[&dyn Parameter]) -> Result<Vec<Row>> {
        self.attempt(sql, params).with_context(|| format!("in {sql}"))
    }

    /// The same for a statement that answers one row.
    pub fn query_one(&mut self, sql: &str, params: &[&dyn Parameter]) -> Result<Row> {
        let rows = self.query(sql, params)?;
        only(rows, sql)
    }

    /// Runs a statement without showing it: the 364 uploads after the first, and what only serves a
    /// check.
    pub fn quietly(&mut self, sql: &str, params: &[&dyn Parameter]) -> Result<Vec<Row>> {
        self.client
            .query(sql, &bound(params))
            .with_context(|| format!("in {sql}"))
    }

    pub fn quietly_one(&mut self, sql: &str, params: &[&dyn Parameter]) -> Result<Row> {
        let rows = self.quietly(sql, params)?;
        only(rows, sql)
    }

    fn show(&self, sql: &str, params: &[&dyn Parameter]) {
        let typed = as_typed(sql, params);
        let mut lines = typed.lines();
        println!(
            "\n  {}{}",
            self.prompt.dimmed(),
            lines.next().unwrap_or_default().bold()
        );
        for line in lines {
            println!("  {:width$}{}", "", line.bold(), width = self.prompt.len());
        }
    }
}

fn only(rows: Vec<Row>, sql: &str) -> Result<Row> {
    let count = rows.len();
    let [row] = <[Row; 1]>::try_from(rows).map_err(|_| anyhow::anyhow!("expected one row, got {count}, from {sql}"))?;
    Ok(row)
}

/// One column of all rows.
pub fn column<T: for<'a> FromSql<'a>>(rows: &[Row], name: &str) -> Result<Vec<T>> {
    rows.iter().map(|row| Ok(row.try_get(name)?)).collect()
}

/// A value that can be bound to a statement, and shown as the literal one would type instead.
pub trait Parameter: ToSql + Sync {
    fn literal(&self) -> String;
}

impl Parameter for &str {
    fn literal(&self) -> String {
        quoted(&abridged(&table::without_secret(self)))
    }
}

impl Parameter for String {
    fn literal(&self) -> String {
        self.as_str().literal()
    }
}

impl Parameter for Uuid {
    fn literal(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Parameter for Timestamp {
    fn literal(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Parameter for Vec<&str> {
    fn literal(&self) -> String {
        quoted(&format!("{{{}}}", self.join(",")))
    }
}

impl Parameter for Vec<Uuid> {
    fn literal(&self) -> String {
        let ids: Vec<String> = self.iter().map(Uuid::to_string).collect();
        quoted(&format!("{{{}}}", ids.join(",")))
    }
}

fn bound<'a>(params: &[&'a dyn Parameter]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| *param as &(dyn ToSql + Sync)).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Long JSON is cut after its first row: a year of it would fill the screen.
fn abridged(text: &str) -> String {
    const LONG: usize = 400;
    if text.len() <= LONG {
        return text.to_owned();
    }
    let head = text.split_inclusive("},").next().unwrap_or(text);
    let head: String = head.chars().take(LONG).collect();
    format!("{head} …]")
}

/// The statement with its parameters written into it. Only for the eye: what runs has them bound.
fn as_typed(sql: &str, params: &[&dyn Parameter]) -> String {
    // A text parameter that is cast to JSON needs two casts ($1::text::json), a literal only the
    // one.
    let mut typed = sql.replace("::text::json", "::json");
    // The last first, so that $1 is not found in $10.
    for (index, param) in params.iter().enumerate().rev() {
        typed = typed.replace(&format!("${}", index + 1), &param.literal());
    }
    format!("{};", without_source_indent(&typed))
}

/// SQL in Rust source is indented with it; what is shown keeps only the SQL's own indent.
fn without_source_indent(sql: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let outer = sql.lines().skip(1).map(indent).min().unwrap_or_default();
    let shown = |(number, line)| match number {
        0 => line,
        _ => str::get(line, outer..).unwrap_or_default(),
    };
    let lines: Vec<&str> = sql.lines().enumerate().map(shown).collect();
    lines.join("\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_shown_as_literals_and_a_key_is_shortened() {
        let key = format!("tdb_{}wxyz", "k".repeat(44));
        assert_eq!(
            as_typed("SELECT * FROM timedb.authenticate($1)", &[&key]),
            "SELECT * FROM timedb.authenticate('tdb_kk…wxyz');"
        );
        assert_eq!(
            as_typed("SELECT f(a => $1,\n       b => $2::text::json)", &[&"it's", &"[]"]),
            "SELECT f(a => 'it''s',\n  b => '[]'::json);"
        );
    }

    #[test]
    fn sql_is_shown_with_its_own_indent_and_not_its_sources() {
        let sql = "SELECT value
                   FROM timedb.read(
                     mode => 'flat')";
        assert_eq!(
            without_source_indent(sql),
            "SELECT value\n  FROM timedb.read(\n    mode => 'flat')"
        );
    }

    #[test]
    fn long_json_is_cut_after_its_first_row() {
        let rows = format!("[{{\"value\":1}},{}]", "{\"value\":2},".repeat(100));
        assert_eq!(abridged(&rows), "[{\"value\":1}, …]");
    }
}
