//! How a test asks and tells: what goes wrong is the end of it, with the statement and the whole reason.

use postgres::types::{FromSql, ToSql};
use postgres::{Client, Error};

/// The one value of a query that has one.
#[track_caller]
pub fn one<T>(client: &mut Client, sql: &str) -> T
where
    T: for<'a> FromSql<'a>,
{
    one_of(client, sql, &[])
}

/// The same with arguments.
#[track_caller]
pub fn one_of<T>(client: &mut Client, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> T
where
    T: for<'a> FromSql<'a>,
{
    match client.query_one(sql, arguments) {
        Ok(row) => row.get(0),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

/// Statements whose answers do not count.
#[track_caller]
pub fn run(client: &mut Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql) {
        panic!("{sql}: {error:?}");
    }
}

/// What a call of the driver gives, where it must give something.
#[track_caller]
pub fn succeed<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}
