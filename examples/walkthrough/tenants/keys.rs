//! Users and keys: made and shown once, refused when wrong, dead at once when the user is
//! deactivated or the key replaced.

use anyhow::{Context, Result};
use postgres::error::SqlState;
use postgres::{Config, Row};
use uuid::Uuid;

use super::data::{READ, expected, readings};
use super::{LOGIN, Pair, Tenant};
use crate::report::Report;
use crate::session::{Session, column};

const API_KEY_REQUIRED: &str = "API key required.";
const INVALID_KEY: &str = "Invalid or inactive API key.";

pub fn make_users(report: &mut Report, operator: &mut Session) -> Result<Pair> {
    report.step("The operator makes two tenants, each with a user");
    report.note("A tenant is its id, new for every walkthrough: an email is unique in its tenant only.");
    let pair = Pair {
        alice: make_user(operator, "alice@tenant-a.com")?,
        bob: make_user(operator, "bob@tenant-b.com")?,
    };
    report.claim(
        "each call shows a new key, \"tdb_\" and 48 characters: shown here, and never again",
        [&pair.alice, &pair.bob]
            .iter()
            .all(|tenant| tenant.api_key.len() == 52 && tenant.api_key.starts_with("tdb_")),
    );
    Ok(pair)
}

fn make_user(operator: &mut Session, email: &'static str) -> Result<Tenant> {
    let id = Uuid::new_v4();
    let user = operator.query_one(
        "SELECT * FROM timedb.create_user(
           tenant_id => $1,
           email => $2)",
        &[&id, &email],
    )?;
    Ok(Tenant {
        id,
        email,
        api_key: user.try_get("api_key")?,
    })
}

pub fn list_users(report: &mut Report, operator: &mut Session, pair: &Pair) -> Result<()> {
    report.step("The list of users shows no key");
    let tenants = vec![pair.alice.id, pair.bob.id];
    let users = operator.query(
        "SELECT * FROM timedb.list_users()
         WHERE tenant_id = ANY ($1)",
        &[&tenants],
    )?;
    let emails: Vec<String> = column(&users, "email")?;
    report.same(
        "both users are listed, newest first",
        &emails,
        &vec![pair.bob.email.to_owned(), pair.alice.email.to_owned()],
    );

    let as_text = operator.quietly(
        "SELECT to_jsonb(u)::text AS user FROM timedb.list_users() AS u WHERE tenant_id = ANY ($1)",
        &[&tenants],
    )?;
    let as_text: Vec<String> = column(&as_text, "user")?;
    report.claim(
        "no column of the list holds a key",
        as_text.len() == 2 && !as_text.iter().any(|user| user.contains("tdb_")),
    );
    Ok(())
}

pub fn nobody(report: &mut Report, client: &Config) -> Result<()> {
    report.step("Without a login there is nothing to read");
    let mut nobody = Session::open("nobody=> ", client)?;
    let outcome = nobody.attempt("SELECT * FROM timedb.read()", &[]);
    report.refused(
        "a call without a login is refused: 28000, \"API key required.\"",
        &outcome,
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        API_KEY_REQUIRED,
    );
    let stored = nobody.query("TABLE timedb.values", &[])?;
    report.claim("the bare table is empty for nobody", stored.is_empty());
    Ok(())
}

pub fn wrong_key(report: &mut Report, client: &Config, alice: &Tenant) -> Result<()> {
    report.step("A wrong key opens nothing");
    let mut nobody = Session::open("nobody=> ", client)?;
    // The 21st character is in the random part of the key.
    let (head, tail) = alice.api_key.split_at_checked(20).context("a key is longer")?;
    let other = if tail.starts_with('A') { "B" } else { "A" };
    let misspelt = [head, other, tail.get(1..).unwrap_or_default()].concat();
    for (what, wrong) in [
        ("what was never a key", "no-key-at-all"),
        ("alice's key with one character wrong", &misspelt),
        ("alice's key cut short", head),
    ] {
        let outcome = nobody.attempt(LOGIN, &[&wrong]);
        refused_key(
            report,
            &format!("{what} is refused: 28000, \"Invalid or inactive API key.\""),
            &outcome,
        );
    }
    Ok(())
}

fn refused_key(report: &mut Report, sentence: &str, outcome: &Result<Vec<Row>, postgres::Error>) {
    report.refused(
        sentence,
        outcome,
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        INVALID_KEY,
    );
}

pub fn deactivate(
    report: &mut Report,
    operator: &mut Session,
    client: &Config,
    bob_session: &mut Session,
    bob: &Tenant,
) -> Result<()> {
    report.step("The operator deactivates bob: it counts at once, also in the session he has open");
    let user = operator.query_one(
        "SELECT * FROM timedb.deactivate_user(
           email => $1,
           tenant_id => $2)",
        &[&bob.email, &bob.id],
    )?;
    report.same("bob is inactive", &user.try_get("is_active")?, &false);

    let outcome = bob_session.attempt(READ, &[]);
    refused_key(
        report,
        "bob's open session is refused at its next statement: 28000",
        &outcome,
    );
    let outcome = Session::open("bob=> ", client)?.attempt(LOGIN, &[&bob.api_key]);
    refused_key(report, "so is a new login with his key", &outcome);
    Ok(())
}

pub fn activate(report: &mut Report, operator: &mut Session, bob_session: &mut Session, bob: &Tenant) -> Result<()> {
    report.step("Activated again, bob is back with the key he had");
    let user = operator.query_one(
        "SELECT * FROM timedb.activate_user(
           email => $1,
           tenant_id => $2)",
        &[&bob.email, &bob.id],
    )?;
    report.same("bob is active", &user.try_get("is_active")?, &true);
    bob_session.query(LOGIN, &[&bob.api_key])?;
    let rows = bob_session.query(READ, &[])?;
    report.same(
        "he logs in and reads his 6 rows",
        &readings(&rows)?,
        &expected("humidity_b", 50.0)?,
    );
    Ok(())
}

pub fn regenerate(
    report: &mut Report,
    operator: &mut Session,
    client: &Config,
    bob_session: &mut Session,
    bob: &Tenant,
) -> Result<String> {
    report.step("A new key for bob: the old one dies");
    let new_key: String = operator
        .query_one(
            "SELECT * FROM timedb.regenerate_key(
               email => $1,
               tenant_id => $2)",
            &[&bob.email, &bob.id],
        )?
        .try_get(0)?;
    report.claim("the new key is another one", new_key != bob.api_key);

    let outcome = bob_session.attempt(READ, &[]);
    refused_key(
        report,
        "the session opened with the old key is refused at its next statement",
        &outcome,
    );
    let mut fresh = Session::open("bob=> ", client)?;
    let outcome = fresh.attempt(LOGIN, &[&bob.api_key]);
    refused_key(report, "the old key is refused at login", &outcome);
    fresh.query(LOGIN, &[&new_key])?;
    let rows = fresh.query(READ, &[])?;
    report.same(
        "the new key reads bob's 6 rows",
        &readings(&rows)?,
        &expected("humidity_b", 50.0)?,
    );
    Ok(new_key)
}
