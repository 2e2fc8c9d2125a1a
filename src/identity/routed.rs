//! On a router, which has no tables of tenants: the session remembers the key and whose it is, and every call shows it to the
//! shard, which decides. What PL/Proxy makes of the shard's answer is made again what the shard has said.

use super::credential::{self, Credential};
use super::login::{begin_request, hide_statement, lasting, warn_if_it_evaporates};
use super::settings::{self, Bound, Login, Refused};
use super::{http, log, shard};
use crate::error::{Error, Reported, Result};
use crate::pg::datum::{id, pg_id};
use crate::pg::error_context::{self, Log};
use crate::pg::guc::Lasting;
use crate::pg::lock;
use crate::pg::read_only::refuse_if_read_only;
use crate::pg::remote_notice;
use crate::pg::roles::{current_user_acts_as, session_role};
use crate::pg::snapshot::Latest;
use crate::pg::statement::statements;
use crate::pg::transaction::has_ended;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgLogLevel, PgSqlErrorCode as Code, pg_guard, pg_sys};
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_void};
use timedb_core::key;
use timedb_core::remote::{self, Said};
use timedb_core::scope::Scope;
use uuid::Uuid;

thread_local! {
    /// The login that a shard is being asked about, and how long it is to last.
    static BEGUN: RefCell<Option<(Refused, Lasting)>> = const { RefCell::new(None) };
    /// Whether a call of this transaction has written on a shard.
    static HAS_WRITTEN: Cell<bool> = const { Cell::new(false) };
    /// A call that writes is under way, perhaps on a shard already.
    static WRITING: Cell<Option<Writing>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Writing {
    /// The route whose lock it holds; none where an operator has named no tenant.
    route: Option<i32>,
}

/// Called once, when the library is loaded.
pub fn define() {
    // SAFETY: called from _PG_init; the callback is a function of this library, which Postgres never unloads.
    unsafe { pg_sys::RegisterXactCallback(Some(at_transaction_end), std::ptr::null_mut()) };
}

#[pg_guard]
unsafe extern "C-unwind" fn at_transaction_end(event: pg_sys::XactEvent::Type, _arg: *mut c_void) {
    if has_ended(event) {
        HAS_WRITTEN.set(false);
        WRITING.set(None);
        // What was refused stays so.
        BEGUN.take();
        shard::forget_operator();
    }
}

/// A login begins: until [`_router_bind`], nobody is logged in, whatever a rollback brings back. A key that names no shard ends it.
#[pg_extern(sql = false)]
fn _router_begin_login(api_key: Option<&str>, is_local: Option<bool>) -> Reported<bool> {
    hide_statement();
    error_context::link(Log::Hidden);
    let lasting = lasting(is_local);
    let refused = settings::refuse(lasting);
    warn_if_it_evaporates(lasting);
    BEGUN.set(Some((refused, lasting)));
    check(api_key).inspect_err(|_| error_context::raise_without_context())?;
    error_context::unlink();
    Ok(true)
}

fn check(api_key: Option<&str>) -> Result<()> {
    match api_key {
        Some(api_key) if key::is_well_formed(api_key) => Ok(()),
        Some(api_key) if key::is_imported_form(api_key) => Err(Error::NoRoute),
        _ => Err(Error::KeyRefused),
    }
}

/// The shard knows the key: from here on the session, or the transaction, acts by it.
#[pg_extern(sql = false)]
fn _router_bind(api_key: &str, tenant_id: pgrx::Uuid, key_id: pgrx::Uuid, scope: &str) -> Reported<bool> {
    let Some((refused, lasting)) = BEGUN.take() else {
        return Err(Error::Broken("a login ends that nobody has begun".into()).into());
    };
    let scope: Scope = scope.parse().map_err(|_| Error::Broken(format!("a scope {scope:?}")))?;
    let login = Login {
        tenant: id(tenant_id),
        key_id: id(key_id),
        scope,
    };
    settings::bind_with_key(login, api_key, lasting);
    refused.lift();
    log::logged_in(&login, lasting);
    Ok(true)
}

/// What `pre_request` begins with; answers the key of the request.
#[pg_extern(sql = false)]
fn _router_begin_request() -> Reported<String> {
    let (api_key, refused) = begin_request()?;
    refused.lift();
    Ok(api_key)
}

/// The key to show to the shard, in the call that follows.
#[pg_extern(sql = false)]
fn _router_key() -> Reported<String> {
    let api_key = presented()?;
    remote_notice::link();
    Ok(api_key)
}

fn presented() -> Result<String> {
    match settings::bound() {
        Bound::Key(_) => settings::login_key().ok_or(Error::LoginNeeded),
        Bound::Nobody { others_count: true } => match credential::current() {
            Credential::Hash(_) => credential::text().ok_or(Error::LoginNeeded),
            Credential::Malformed => Err(Error::KeyRefused),
            Credential::None => Err(nobody()),
        },
        Bound::Nobody { others_count: false } => Err(nobody()),
    }
}

fn nobody() -> Error {
    match settings::login_was_undone() {
        true => Error::LoginUndone,
        false => Error::LoginNeeded,
    }
}

/// The tenant of the session's login; null where the key is in the settings, which nobody has asked a shard about.
#[pg_extern(sql = false)]
fn _router_tenant() -> Option<pgrx::Uuid> {
    acting_tenant().map(pg_id)
}

statements! {
    /// Of a tenant: the exception, else what its route says; where only the key is known, that too, unless anybody of the route has
    /// moved: then who it is must be asked.
    SHARD(Option<Uuid>, i32) -> (Option<String>, bool) =
        c"SELECT coalesce(
                   (SELECT m.conninfo FROM timedb_router.moved m WHERE m.tenant_id = $1),
                   (SELECT s.conninfo FROM timedb_router.shards s
                    WHERE s.shard = ($2 & (SELECT max(l.shard) FROM timedb_router.shards l)))),
                 $1 IS NULL AND EXISTS (SELECT FROM timedb_router.moved m WHERE m.route = $2)";
}

/// The database that the key is shown to; null where that depends on whose key it is.
#[pg_extern(sql = false)]
fn _router_shard() -> Reported<Option<String>> {
    let api_key = presented()?;
    check(Some(&api_key))?;
    let (tenant, route) = (acting_tenant(), route_of_key(&api_key)?);
    let _now = Latest::even_where_the_transaction_sees_less();
    match SHARD.read((tenant, route))?.pop() {
        Some((_, true)) => Ok(None),
        Some((Some(conninfo), false)) => Ok(Some(conninfo)),
        _ => Err(Error::NoShards.into()),
    }
}

fn acting_tenant() -> Option<Uuid> {
    match settings::bound() {
        Bound::Key(login) => Some(login.tenant),
        Bound::Nobody { .. } => None,
    }
}

/// The route of the key to show, 0 to 65535.
#[pg_extern(sql = false)]
fn _router_route() -> Reported<i32> {
    let api_key = presented()?;
    check(Some(&api_key))?;
    Ok(route_of_key(&api_key)?)
}

fn route_of_key(api_key: &str) -> Result<i32> {
    key::route_of_key(api_key).map(i32::from).ok_or(Error::KeyRefused)
}

/// The route of a key that is being presented.
#[pg_extern(sql = false)]
fn _router_route_of_key(api_key: &str) -> Reported<i32> {
    Ok(route_of_key(api_key)?)
}

#[pg_extern(sql = false)]
fn _router_route_of_tenant(tenant_id: pgrx::Uuid) -> i32 {
    i32::from(key::route_of_tenant(id(tenant_id)))
}

/// As what the caller manages users and keys: as the key that he has, else as an operator; as on one server.
#[pg_extern(sql = false)]
fn _router_manages_as() -> Reported<&'static str> {
    let has_key = match settings::bound() {
        Bound::Key(_) => true,
        Bound::Nobody { others_count } => others_count && !matches!(credential::current(), Credential::None),
    };
    if !has_key && current_user_acts_as(c"timedb_admin") {
        return Ok("operator");
    }
    presented()?;
    Ok("tenant")
}

/// Whom a server's audit names, where the router's own login acts for an operator: who has logged in here, as on one server.
#[pg_extern(sql = false)]
fn _router_operator() -> String {
    remote_notice::link();
    session_role().unwrap_or_default()
}

statements! {
    IS_MOVING(Uuid) -> (bool,) =
        c"SELECT m.is_moving FROM timedb_router.moved m WHERE m.tenant_id = $1";
    IS_ANY_MOVING(i32) -> (bool,) =
        c"SELECT true FROM timedb_router.moved m WHERE m.route = $1 AND m.is_moving LIMIT 1";
    MOVED_TO(Uuid) -> (String,) =
        c"SELECT m.conninfo FROM timedb_router.moved m WHERE m.tenant_id = $1";
    MOVED_OF_ROUTE(i32) -> (String,) =
        c"SELECT DISTINCT m.conninfo FROM timedb_router.moved m WHERE m.route = $1 ORDER BY 1";
    OF_ROUTE(i32) -> (String,) =
        c"SELECT s.conninfo FROM timedb_router.shards s
          WHERE s.shard = ($1 & (SELECT max(l.shard) FROM timedb_router.shards l))";
}

/// Where a tenant is that is not where his route says, as of now: a transaction that goes on seeing what it saw at its beginning
/// would write where he was.
#[pg_extern(sql = false)]
fn _router_moved_to(tenant_id: pgrx::Uuid) -> Reported<Option<String>> {
    let _now = Latest::even_where_the_transaction_sees_less();
    Ok(MOVED_TO.read((id(tenant_id),))?.pop().map(|(conninfo,)| conninfo))
}

/// Where tenants of a route are that have moved, as of now.
#[pg_extern(sql = false)]
fn _router_moved_of_route(route: i32) -> Reported<Vec<String>> {
    let _now = Latest::even_where_the_transaction_sees_less();
    Ok(MOVED_OF_ROUTE
        .read((route,))?
        .into_iter()
        .map(|(conninfo,)| conninfo)
        .collect())
}

/// Where a route's shard is, as of now; null where there are no shards.
#[pg_extern(sql = false)]
fn _router_shard_of_route(route: i32) -> Reported<Option<String>> {
    let _now = Latest::even_where_the_transaction_sees_less();
    Ok(OF_ROUTE.read((route,))?.pop().map(|(conninfo,)| conninfo))
}

/// A call is about to write on a shard: one a transaction, as what a shard has committed no rollback here undoes. Whoever moves a
/// tenant waits for those who have come this far, and whoever comes later is told.
#[pg_extern(sql = false)]
fn _router_begin_write(tenant_id: Option<pgrx::Uuid>, route: Option<i32>, call: &CStr) -> Reported<bool> {
    refuse_if_read_only(call);
    let begun = begin_write(tenant_id.map(id), route);
    begun.inspect_err(|_| error_context::raise_without_context())?;
    Ok(true)
}

fn begin_write(tenant: Option<Uuid>, route: Option<i32>) -> Result<()> {
    if HAS_WRITTEN.get() {
        return Err(Error::WrittenAlready);
    }
    if let Some(route) = route {
        lock::hold_with_others(lock::For::Moving, of_route(route));
        if is_moving(tenant, route)? {
            return Err(Error::Moving);
        }
    }
    WRITING.set(Some(Writing { route }));
    Ok(())
}

/// Whether the tenant is being moved, as of now. One whom nobody has asked about is of a route of which nobody had moved a moment
/// ago: if somebody has by now, it may be him.
fn is_moving(tenant: Option<Uuid>, route: i32) -> Result<bool> {
    let _now = Latest::even_where_the_transaction_sees_less();
    Ok(match tenant {
        Some(tenant) => IS_MOVING.read((tenant,))?.contains(&(true,)),
        None => !IS_ANY_MOVING.read((route,))?.is_empty(),
    })
}

/// For whoever moves a tenant of this route, and has said so: waits for the calls that began before.
#[pg_extern(sql = false)]
fn _router_wait_for_writers(route: i32) {
    lock::hold(lock::For::Moving, of_route(route));
}

/// A number for the locks of a route, where others have the tenant's id.
fn of_route(route: i32) -> Uuid {
    Uuid::from_u128(u128::from(route.unsigned_abs()))
}

/// A shard has carried out a call that writes. It is committed there: nobody needs to wait for the end of this transaction, which
/// is the client's to put off.
#[pg_extern(sql = false)]
fn _router_wrote() -> bool {
    HAS_WRITTEN.set(true);
    if let Some(Writing { route: Some(route) }) = WRITING.take() {
        lock::give_back(lock::For::Moving, of_route(route));
    }
    true
}

/// Raises what a shard has said, or what is to be said where there was no answer. Answers where the connection was lost, and the
/// call may be tried once more.
#[pg_extern(sql = false)]
fn _router_raise(
    sqlstate: &str,
    message: &str,
    detail: Option<&str>,
    hint: Option<&str>,
    writes: bool,
    may_try_again: bool,
) -> Reported<bool> {
    let may_have_asked = WRITING.take().is_some() && writes;
    match remote::understand(sqlstate, message) {
        Said::Lost { after_asking } => {
            tell_the_log(message, detail);
            let may_have_written = may_have_asked && after_asking;
            if may_have_written {
                HAS_WRITTEN.set(true);
            } else if may_try_again {
                return Ok(true);
            }
            Err(Error::ShardLost { may_have_written }.into())
        }
        Said::Differs(found) => {
            // It may have answered what nobody here understands after it had done it.
            HAS_WRITTEN.set(HAS_WRITTEN.get() || may_have_asked);
            tell_the_log(message, detail);
            Err(Error::ShardDiffers(found).into())
        }
        Said::Refused(message) => {
            if sqlstate == "28000" {
                log::login_failed();
            }
            Err(told_again(
                sqlstate,
                message,
                detail.map(|detail| remote::without(detail, remote::DETAIL)),
                hint.map(|hint| remote::without(hint, remote::HINT)),
            ))
        }
        Said::Here => {
            // The shard may have been quicker than whoever cancelled, or the timeout.
            HAS_WRITTEN.set(HAS_WRITTEN.get() || may_have_asked && sqlstate == CANCELED);
            Err(told_again(sqlstate, message, detail, hint))
        }
    }
}

const CANCELED: &str = "57014";

/// A server has answered the call: if that writes, it has written.
pub fn answered() {
    HAS_WRITTEN.set(HAS_WRITTEN.get() || WRITING.get().is_some());
}

/// In whose words a shard was not to be reached is for whoever operates it: they name hosts.
pub fn tell_the_log(message: &str, detail: Option<&str>) {
    error_context::hidden(|| {
        ErrorReport::new(Code::ERRCODE_CONNECTION_FAILURE, format!("timedb: {message}"), "timedb")
            .set_detail(detail.unwrap_or_default())
            .report(PgLogLevel::LOG_SERVER_ONLY);
    });
}

fn told_again(sqlstate: &str, message: &str, detail: Option<&str>, hint: Option<&str>) -> ErrorReport {
    // What there is none of, PL/pgSQL knows as an empty text.
    let [detail, hint] = [detail, hint].map(|text| text.filter(|text| !text.is_empty()));
    if let Some(status) = http::status_of(sqlstate)
        && http::in_request()
    {
        error_context::raise_without_context();
        return http::report_of(status, sqlstate, message, hint);
    }
    let state = sqlstate.as_bytes().try_into().unwrap_or(*b"XX000");
    error_context::link_as(state, Log::Hidden);
    error_context::raise_without_context();
    let report = ErrorReport::new(error_context::PGRST, message.to_owned(), "timedb");
    let report = match detail {
        Some(detail) => report.set_detail(detail),
        None => report,
    };
    match hint {
        Some(hint) => report.set_hint(hint),
        None => report,
    }
}
