//! Part one: two tenants share the tables of one database, and neither can tell that the other is
//! there.

mod data;
mod keys;

use anyhow::Result;
use postgres::Config;
use uuid::Uuid;

use crate::report::Report;
use crate::session::Session;

const LOGIN: &str = "SELECT * FROM timedb.authenticate($1)";

/// A tenant with its one user.
pub struct Tenant {
    pub id: Uuid,
    pub email: &'static str,
    pub api_key: String,
}

pub struct Pair {
    pub alice: Tenant,
    pub bob: Tenant,
}

pub fn walk(report: &mut Report, operator: &mut Session, client: &Config) -> Result<Pair> {
    let mut pair = keys::make_users(report, operator)?;
    keys::list_users(report, operator, &pair)?;
    keys::nobody(report, client)?;
    keys::wrong_key(report, client, &pair.alice)?;

    let mut alice = log_in(report, client, "alice=> ", &pair.alice)?;
    data::first_read(report, &mut alice)?;
    let mut bob = log_in(report, client, "bob=> ", &pair.bob)?;
    let series_a = data::upload_six(report, &mut alice, "temperature_a", 20.0)?;
    let series_b = data::upload_six(report, &mut bob, "humidity_b", 50.0)?;
    data::own_rows_only(report, &mut alice, &mut bob)?;
    data::other_series(report, &mut alice, series_a, series_b)?;
    data::borders(report, &mut alice, &pair)?;

    keys::deactivate(report, operator, client, &mut bob, &pair.bob)?;
    keys::activate(report, operator, &mut bob, &pair.bob)?;
    pair.bob.api_key = keys::regenerate(report, operator, client, &mut bob, &pair.bob)?;
    Ok(pair)
}

/// A connection of its own, logged in with the tenant's key.
pub fn log_in(report: &mut Report, client: &Config, prompt: &str, tenant: &Tenant) -> Result<Session> {
    report.step(&format!("{} logs in, for the rest of the session", tenant.email));
    let mut session = Session::open(prompt, client)?;
    let login = session.query_one(LOGIN, &[&tenant.api_key])?;
    report.same(
        "the key belongs to that tenant",
        &login.try_get("tenant_id")?,
        &tenant.id,
    );
    report.same(
        "and to that user",
        &login.try_get::<_, String>("email")?,
        &tenant.email.to_owned(),
    );
    Ok(session)
}
