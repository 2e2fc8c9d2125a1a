//! `authenticate`, `logout` and `pre_request`: how a session comes to act for a tenant, and how it ceases to.

use super::session::{Described, described};
use super::settings::{self, Login, Refused};
use super::standing::{self, Identity};
use super::{http, log};
use crate::error::{Error, Reported, Result};
use crate::pg::error_context::{self, Log};
use crate::pg::guc::{self, Lasting};
use crate::pg::result::Returned;
use crate::pg::statement::statements;
use pgrx::prelude::*;
use std::cell::Cell;
use std::ffi::CStr;
use timedb_core::key;
use timedb_core::scope::Scope;
use uuid::Uuid;

#[pg_extern(sql = false)]
fn authenticate(api_key: Option<&str>, is_local: Option<bool>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    hide_statement();
    error_context::link(Log::Hidden);
    let answer = log_in(api_key, lasting(is_local), |identity| {
        Returned::row::<Described>(fcinfo, described(identity))
    })?;
    error_context::unlink();
    Ok(answer)
}

#[pg_extern(sql = false)]
fn logout() {
    settings::clear(Lasting::Session);
}

#[pg_extern(sql = false)]
fn pre_request() -> Reported<()> {
    let (api_key, refused) = begin_request()?;
    log_in(Some(&api_key), Lasting::Transaction, |_| Ok(()))?;
    refused.lift();
    Ok(())
}

/// How long a login is to last: that of a request never outlives it.
pub(super) fn lasting(is_local: Option<bool>) -> Lasting {
    if is_local.unwrap_or(false) || http::in_request() {
        Lasting::Transaction
    } else {
        Lasting::Session
    }
}

/// The key that a request shows; until the refusal is lifted, it is nobody's.
pub(super) fn begin_request() -> Result<(String, Refused)> {
    settings::clear(Lasting::Transaction);
    use_utc();
    let refused = settings::refuse(Lasting::Transaction);
    let api_key = http::header("x-api-key").ok_or(Error::LoginNeeded)?;
    Ok((api_key, refused))
}

/// Binds to the key's tenant; whatever goes wrong, nobody is logged in afterwards.
fn log_in<T>(api_key: Option<&str>, lasting: Lasting, answer: impl FnOnce(&Identity) -> Result<T>) -> Result<T> {
    // Refused beforehand, so that an ERROR on the way (a timeout, a cancel) refuses too.
    let refused = settings::refuse(lasting);
    warn_if_it_evaporates(lasting);
    let login = presented_login(api_key)?;
    let standing = login.and_then(|login| Some((login, standing::of_login(&login)?)));
    let Some((login, identity)) = standing else {
        return Err(Error::KeyRefused);
    };
    let answer = answer(&identity)?;
    settings::bind(login, lasting);
    refused.lift();
    log::logged_in(&login, lasting);
    Ok(answer)
}

statements! {
    /// No WHERE: the policy api_keys_login shows the one row whose hash is being presented.
    PRESENTED() -> (Uuid, Uuid, Scope) = c"SELECT k.tenant_id, k.key_id, k.scope FROM timedb.api_keys k";
}

/// Whose key this is, if it is anybody's; whether it still stands is not asked here.
fn presented_login(api_key: Option<&str>) -> Result<Option<Login>> {
    let Some(api_key) = api_key.filter(|api_key| key::can_be_key(api_key)) else {
        return Ok(None);
    };
    let _presented = Presented::hash_of(api_key);
    match PRESENTED.read(())?[..] {
        [] => Ok(None),
        [(tenant, key_id, scope)] => Ok(Some(Login { tenant, key_id, scope })),
        _ => Err(Error::Broken("two keys have one hash".into())),
    }
}

thread_local! {
    static PRESENTED_HASH: Cell<Option<[u8; 32]>> = const { Cell::new(None) };
}

/// The hash of the key being looked up, there only while it is.
struct Presented;

impl Presented {
    fn hash_of(api_key: &str) -> Presented {
        PRESENTED_HASH.set(Some(key::hash(api_key)));
        Presented
    }
}

impl Drop for Presented {
    fn drop(&mut self) {
        PRESENTED_HASH.set(None);
    }
}

#[pg_extern(sql = false)]
fn _presented_key_hash() -> Option<Vec<u8>> {
    PRESENTED_HASH.get().map(Vec::from)
}

/// Replaces the statement's text, which may hold a key, in pg_stat_activity and in what an ERROR would log.
pub(super) fn hide_statement() {
    const SHOWN: &CStr = c"SELECT timedb.authenticate(<hidden>)";
    // SAFETY: the text is static.
    unsafe {
        pg_sys::debug_query_string = SHOWN.as_ptr();
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, SHOWN.as_ptr());
    }
}

/// Outside a transaction block, a login of the transaction ends with this very statement.
pub(super) fn warn_if_it_evaporates(lasting: Lasting) {
    // SAFETY: reads the transaction's state.
    if lasting == Lasting::Transaction && unsafe { !pg_sys::IsTransactionBlock() } {
        ereport!(
            WARNING,
            PgSqlErrorCode::ERRCODE_NO_ACTIVE_SQL_TRANSACTION,
            "a login with is_local outlives its statement only in a transaction block"
        );
    }
}

/// An HTTP client means UTC, whatever the role or the database is set to.
fn use_utc() {
    let context = pg_sys::GucContext::PGC_USERSET;
    guc::set(c"timezone", c"UTC", context, Lasting::Transaction);
}
