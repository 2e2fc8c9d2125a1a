//! How answers are shown: tables for people, JSON for programs.

use std::io::{Write, stdout};

use anyhow::Result;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use postgres::Client;
use postgres::types::ToSql;
use serde_json::{Map, Value};

/// Whether a program reads what is shown.
#[derive(Args, Clone, Default)]
pub struct Form {
    /// Print JSON: an array of an object for each row
    #[arg(long)]
    json: bool,
}

impl Form {
    /// Shows what a query answers, with its columns' names as they are. The query is any SELECT; a column without a type of
    /// JSON, such as an instant, is shown as Postgres writes it in JSON.
    pub fn show(&self, client: &mut Client, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> Result<()> {
        let statement = client.prepare(sql)?;
        let names: Vec<String> = statement
            .columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        // As text, which keeps the columns in their order.
        let as_json = format!("SELECT pg_catalog.row_to_json(answer)::pg_catalog.text FROM ({sql}) AS answer");
        let rows = client.query(&as_json, arguments)?;
        let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if self.json {
            writeln!(stdout().lock(), "[{}]", rows.join(",\n "))?;
            return Ok(());
        }
        print_table(&names, &rows)
    }
}

fn print_table(names: &[String], rows: &[String]) -> Result<()> {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(names);
    for row in rows {
        let row: Map<String, Value> = serde_json::from_str(row)?;
        table.add_row(names.iter().map(|name| cell(&row[name])));
    }
    let mut out = stdout().lock();
    if !rows.is_empty() {
        writeln!(out, "{table}")?;
    }
    writeln!(out, "({} row{})", rows.len(), if rows.len() == 1 { "" } else { "s" })?;
    Ok(())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
