//! Who a session acts for, and how a test makes it somebody or nobody.

use postgres::Client;
use uuid::Uuid;

use crate::database::Identity;
use crate::query::one;
use crate::refusal::refused;

#[track_caller]
pub fn tenant(client: &mut Client) -> Option<Uuid> {
    one(client, "SELECT timedb.current_tenant()")
}

#[track_caller]
pub fn backend_pid(client: &mut Client) -> i32 {
    one(client, "SELECT pg_backend_pid()")
}

/// For the session, or for the transaction alone.
#[track_caller]
pub fn login(client: &mut Client, identity: &Identity, is_local: bool) {
    let sql = "SELECT timedb.authenticate($1, $2)";
    let login = client.execute(sql, &[&identity.api_key, &is_local]);
    login.unwrap_or_else(|error| panic!("{} cannot log in: {error:?}", identity.email));
}

#[track_caller]
pub fn fail_to_login(client: &mut Client, is_local: bool) {
    let sql = "SELECT timedb.authenticate('tdb_bad', $1)";
    refused(client.execute(sql, &[&is_local])).code("28000");
}
