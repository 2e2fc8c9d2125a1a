//! Who is asking: `authenticate`, `logout`, `whoami`, and what policies and bodies ask of the session.

use crate::answer::{Answer, Sheet};
use crate::cell;
use crate::completion::{self, Log};
use crate::credential::{self, Credential};
use crate::error::{Error, Result};
use crate::http;
use crate::settings::{self, Bound, Login, Span};
use crate::standing::{self, Identity, Via};
use crate::statement::{self, statements};
use pgrx::prelude::*;
use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::ops::Deref;
use timedb_core::key;
use timedb_core::scope::Scope;
use uuid::Uuid;

/// Who the session acts for, as the tables say at this moment.
pub enum Session {
    /// Nobody has logged in, or a login has failed.
    Nobody,
    /// A key has logged in, and has since been revoked or expired, or its user deactivated.
    Refused,
    Acting(Identity),
}

thread_local! {
    /// Who a call of ours has found acting, for the policies of the statements that it runs.
    static ASKED: RefCell<Option<Identity>> = const { RefCell::new(None) };
}

impl Session {
    pub fn now() -> Session {
        match ASKED.with_borrow(Clone::clone) {
            Some(identity) => Session::Acting(identity),
            None => Session::asked(),
        }
    }

    fn asked() -> Session {
        // SAFETY: reads a variable that is set when a worker starts. A worker is never asked: what a policy needs is
        // evaluated in the leader and passed down.
        if unsafe { pg_sys::ParallelWorkerNumber } >= 0 {
            return Session::Nobody;
        }
        match settings::bound() {
            Bound::Key(login) => {
                standing::of_login(&login).map_or(Session::Refused, Session::Acting)
            }
            Bound::Nobody { others_count: true } => Session::without_login(),
            Bound::Nobody {
                others_count: false,
            } => Session::Nobody,
        }
    }

    /// Where nobody has called `authenticate`: a key in the settings, else a role binding.
    fn without_login() -> Session {
        match credential::current() {
            Credential::Hash(hash) => {
                standing::of_key(&hash).map_or(Session::Refused, Session::Acting)
            }
            Credential::Malformed => Session::Refused,
            Credential::None => standing::of_role().map_or(Session::Nobody, Session::Acting),
        }
    }

    fn identity(self) -> Option<Identity> {
        match self {
            Session::Acting(identity) => Some(identity),
            _ => None,
        }
    }

    /// Whoever the session acts for, or why there is nobody.
    pub fn required(self) -> Result<Identity, Error> {
        match self {
            Session::Acting(identity) => Ok(identity),
            Session::Refused => Err(Error::KeyRefused),
            Session::Nobody => Err(Error::LoginNeeded),
        }
    }
}

/// Whoever the session acts for, asked once for a whole call: as long as this lives, the policies of the statements that
/// the call runs take its word, instead of looking into api_keys and users for each of them. Only statements of the
/// library's own run meanwhile; nothing that a client wrote does.
pub struct Acting(Identity);

impl Acting {
    pub fn now() -> Result<Acting, Error> {
        Ok(Acting::found(Session::now().required()?))
    }

    pub fn found(identity: Identity) -> Acting {
        ASKED.set(Some(identity.clone()));
        Acting(identity)
    }

    /// With a scope that is at least the one named.
    pub fn with(scope: Scope) -> Result<Acting> {
        Ok(Acting::found(require(scope)?))
    }
}

impl Deref for Acting {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

// Runs when an ERROR unwinds, too.
impl Drop for Acting {
    fn drop(&mut self) {
        ASKED.set(None);
    }
}

/// Whoever the session acts for, if its scope is at least the one named.
pub fn require(scope: Scope) -> Result<Identity, Error> {
    let identity = Session::now().required()?;
    if identity.scope < scope {
        return Err(Error::ScopeTooLow(scope.name()));
    }
    Ok(identity)
}

#[pg_extern(sql = false)]
fn current_tenant() -> Option<pgrx::Uuid> {
    let identity = Session::now().identity()?;
    Some(pgrx::Uuid::from_bytes(*identity.tenant.as_bytes()))
}

#[pg_extern(sql = false)]
fn _require_login() -> Result<Option<pgrx::Uuid>> {
    let identity = Session::now().required()?;
    Ok(Some(pgrx::Uuid::from_bytes(*identity.tenant.as_bytes())))
}

#[pg_extern(sql = false)]
fn _may(scope: Option<&str>) -> Option<bool> {
    let needed: Scope = scope?.parse().ok()?;
    Some(
        Session::now()
            .identity()
            .is_some_and(|identity| identity.scope >= needed),
    )
}

#[pg_extern(sql = false)]
fn whoami(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    let mut sheet = Sheet::open(fcinfo);
    if let Session::Acting(identity) = Session::now() {
        let via = match identity.via {
            Via::Key { .. } => "key",
            Via::Role { .. } => "role",
        };
        let mut cells = described(&identity).to_vec();
        cells.push(cell::text(via));
        sheet.put(&cells);
    }
    sheet.close()
}

/// tenant_id, user_id, email, scope, expires_at.
fn described(identity: &Identity) -> [cell::Cell; 5] {
    let (user_id, email, expires_at) = match &identity.via {
        Via::Key {
            user_id,
            email,
            expires_at,
        } => (Some(*user_id), Some(email), *expires_at),
        Via::Role { .. } => (None, None, None),
    };
    [
        cell::uuid(identity.tenant),
        user_id.and_then(cell::uuid),
        email.and_then(|email| cell::text(email)),
        cell::text(identity.scope.name()),
        expires_at.and_then(cell::micros),
    ]
}

#[pg_extern(sql = false)]
fn authenticate(
    api_key: Option<&str>,
    is_local: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Answer> {
    hide_statement();
    completion::link(Log::Hidden);
    let span = if is_local.unwrap_or(false) || http::in_request() {
        Span::Transaction
    } else {
        Span::Session
    };
    let identity = log_in(api_key, span)?;
    completion::unlink();
    Ok(Answer::row(fcinfo, &described(&identity)))
}

#[pg_extern(sql = false)]
fn logout() {
    settings::clear(Span::Session);
}

#[pg_extern(sql = false)]
fn pre_request() -> Result<()> {
    settings::clear(Span::Transaction);
    use_utc();
    let refused = settings::refuse(Span::Transaction);
    let api_key = http::header("x-api-key").ok_or(Error::LoginNeeded)?;
    log_in(Some(&api_key), Span::Transaction)?;
    refused.lift();
    Ok(())
}

/// Binds to the key's tenant; whatever goes wrong, nobody is logged in afterwards.
fn log_in(api_key: Option<&str>, span: Span) -> Result<Identity> {
    // Refused beforehand, so that an ERROR on the way (a timeout, a cancel) refuses too.
    let refused = settings::refuse(span);
    warn_if_it_evaporates(span);
    let login = presented_login(api_key)?;
    let standing = login.and_then(|login| Some((login, standing::of_login(&login)?)));
    let Some((login, identity)) = standing else {
        log_refusal();
        return Err(Error::KeyRefused.into());
    };
    settings::bind(login, span);
    refused.lift();
    Ok(identity)
}

statements! {
    /// No WHERE: the policy api_keys_login shows the one row whose hash is being presented.
    PRESENTED() = c"SELECT k.tenant_id, k.key_id, k.scope FROM timedb.api_keys k";
}

/// Whose key this is, if it is anybody's; whether it still stands is not asked here.
fn presented_login(api_key: Option<&str>) -> Result<Option<Login>> {
    let Some(api_key) = api_key.filter(|api_key| key::is_well_formed(api_key)) else {
        return Ok(None);
    };
    let _presented = Presented::hash_of(api_key);
    let logins = statement::read(&PRESENTED, &[], |row| {
        let login = || {
            let scope = row.text(3)?.parse().ok()?;
            Some(Login {
                tenant: row.uuid(1)?,
                key_id: row.uuid(2)?,
                scope,
            })
        };
        login().ok_or_else(|| Error::Broken("a key without tenant, id or scope".into()).into())
    })?;
    match logins.as_slice() {
        [] => Ok(None),
        [login] => Ok(Some(*login)),
        _ => Err(Error::Broken("two keys have one hash".into()).into()),
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
fn hide_statement() {
    const SHOWN: &CStr = c"SELECT timedb.authenticate(<hidden>)";
    // SAFETY: the text is static.
    unsafe {
        pg_sys::debug_query_string = SHOWN.as_ptr();
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, SHOWN.as_ptr());
    }
}

/// To the server's log, without the key: a table would roll back with the failure.
fn log_refusal() {
    let role = standing::session_role().unwrap_or_default();
    ereport!(
        PgLogLevel::LOG,
        PgSqlErrorCode::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
        format!("timedb: an API key was refused in a session of role \"{role}\"")
    );
}

/// Outside a transaction block, a login of the transaction ends with this very statement.
fn warn_if_it_evaporates(span: Span) {
    // SAFETY: reads the transaction's state.
    if span == Span::Transaction && unsafe { !pg_sys::IsTransactionBlock() } {
        ereport!(
            WARNING,
            PgSqlErrorCode::ERRCODE_NO_ACTIVE_SQL_TRANSACTION,
            "a login with is_local outlives its statement only in a transaction block"
        );
    }
}

/// An HTTP client means UTC, whatever the role or the database is set to.
fn use_utc() {
    // SAFETY: both strings are static.
    unsafe {
        pg_sys::set_config_option(
            c"timezone".as_ptr(),
            c"UTC".as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        );
    }
}

/// The id that the server gives to what it makes: v7, so that neighbours in time stay neighbours in an index.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
