//! `timedb series`: which there are, and what is said of them.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;
use uuid::Uuid;

use crate::key::Tenant;
use crate::show::{Answer, Form};

#[derive(Subcommand)]
pub enum Series {
    /// List the tenant's series
    List(List),
    /// Rename or describe a series
    Update(Update),
}

impl Series {
    pub fn run(self) -> Result<()> {
        match self {
            Series::List(command) => command.run(),
            Series::Update(command) => command.run(),
        }
    }
}

/// Labels as one types them.
pub fn labels(text: &str) -> Result<Value, String> {
    let read: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match read {
        Value::Object(_) => Ok(read),
        _ => Err("labels are an object of JSON, such as '{\"site\": \"north\"}'".to_owned()),
    }
}

#[derive(Args)]
pub struct List {
    /// Whose labels contain these, such as '{"site": "north"}'
    #[arg(long, value_name = "JSON", value_parser = labels)]
    labels: Option<Value>,
    /// Whose key or description contains this text
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    max_rows: Option<i32>,
    /// The next page: the key of the last series of this one; with --after-id
    #[arg(long, value_name = "KEY", requires = "after_id")]
    after_key: Option<String>,
    /// The next page: the id of the last series of this one
    #[arg(long, value_name = "UUID", requires = "after_key")]
    after_id: Option<Uuid>,
    #[command(flatten)]
    tenant: Tenant,
    #[command(flatten)]
    form: Form,
}

impl List {
    fn run(self) -> Result<()> {
        let mut client = self.tenant.session()?;
        let sql = "SELECT * FROM timedb.list_series($1, $2, $3, $4, $5)";
        self.form.show(
            &mut client,
            sql,
            &[
                &self.labels,
                &self.search,
                &self.max_rows,
                &self.after_key,
                &self.after_id,
            ],
        )
    }
}

#[derive(Args)]
#[group(id = "changes", required = true, multiple = true)]
pub struct Changes {
    /// Another key: whoever names the series by its former one makes a new series
    #[arg(long, value_name = "KEY")]
    new_key: Option<String>,
    /// Its unit, while it is "dimensionless"
    #[arg(long)]
    unit: Option<String>,
    /// What it is; '' takes away the description there is
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Labels, in place of all that it has
    #[arg(long, value_name = "JSON", value_parser = labels)]
    labels: Option<Value>,
}

#[derive(Args)]
pub struct Update {
    /// The series' id, which series list tells
    series_id: Uuid,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    tenant: Tenant,
    #[command(flatten)]
    form: Form,
}

impl Update {
    fn run(self) -> Result<()> {
        let mut client = self.tenant.session()?;
        let sql = "SELECT * FROM timedb.update_series($1, $2, $3, $4, $5)";
        let Changes {
            new_key,
            unit,
            description,
            labels,
        } = &self.changes;
        let answer = Answer::of(&mut client, sql, &[&self.series_id, new_key, unit, description, labels])?;
        self.form.print_record("Series updated", &answer)
    }
}
