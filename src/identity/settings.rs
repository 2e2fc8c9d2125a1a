//! The settings `timedb.tenant`, `timedb.login` and `timedb.login_key`, their hooks, and what a failed login leaves behind. The
//! only file that names them; `timedb.api_key` is `credential`.
//!
//! They are changed by `authenticate` and `logout` alone: the check hook refuses everybody else, a superuser included.
//! A typed copy follows every assignment, and so every rollback. What policies believe is decided in `standing`, not here.

use crate::pg::guc::{self, Context, Definition, Lasting};
use crate::pg::transaction::has_ended;
use pgrx::guc::GucSetting;
use pgrx::{pg_guard, pg_sys};
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::thread::LocalKey;
use timedb_core::scope::Scope;
use uuid::Uuid;

const TENANT: &CStr = c"timedb.tenant";
const LOGIN: &CStr = c"timedb.login";
const LOGIN_KEY: &CStr = c"timedb.login_key";

static TENANT_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static LOGIN_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static LOGIN_KEY_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// Who the settings say is logged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Login {
    pub tenant: Uuid,
    pub key_id: Uuid,
    pub scope: Scope,
}

#[derive(Clone, Copy)]
struct LoginValue {
    key_id: Uuid,
    scope: Scope,
    /// Counts the logins of this backend, so that a refusal can void all that came before it.
    serial: u64,
}

/// What a failed login voids: every login up to a serial number, and the other ways in (a key in the settings, a role
/// binding). Never rolled back with the transaction that failed: that would bring the former tenant back.
#[derive(Clone, Copy, Default)]
struct Refusal {
    logins_up_to: u64,
    others: bool,
}

thread_local! {
    static BOUND_TENANT: Cell<Option<Uuid>> = const { Cell::new(None) };
    static BOUND_LOGIN: Cell<Option<LoginValue>> = const { Cell::new(None) };
    static HAS_KEY: Cell<bool> = const { Cell::new(false) };
    static LAST_SERIAL: Cell<u64> = const { Cell::new(0) };
    static REFUSED_IN_SESSION: Cell<Refusal> = Cell::new(Refusal::default());
    static REFUSED_IN_TRANSACTION: Cell<Refusal> = Cell::new(Refusal::default());
    /// The last login of the session in a transaction that may still be rolled back, by its serial number.
    static UNCOMMITTED: Cell<Option<u64>> = const { Cell::new(None) };
    /// Whether a login of the session was undone by a rollback, and nothing has decided since who is logged in.
    static UNDONE: Cell<bool> = const { Cell::new(false) };
    /// True only while `bind` or `clear` sets the settings.
    static DOOR_IS_OPEN: Cell<bool> = const { Cell::new(false) };
}

/// What the settings say, before anything is checked against the tables.
pub enum Bound {
    /// No key has logged in; a key in the settings or a role binding may count, unless a failed login refused both.
    Nobody {
        others_count: bool,
    },
    Key(Login),
}

/// Defines the settings; called once, when the library is loaded.
pub fn define() {
    // SAFETY: called from _PG_init, on the backend's only thread; the hooks are functions of this library, which
    // Postgres never unloads. Setting a variable of our own environment is safe while there is no other thread.
    unsafe {
        // A backtrace in an error's DETAIL would show paths of the machine that built us.
        std::env::set_var("RUST_LIB_BACKTRACE", "0");
        let definition = |name, short, text, assign| Definition {
            name,
            short,
            long: c"Set by timedb.authenticate() and timedb.logout() alone.",
            text,
            context: Context::Suset,
            check,
            assign,
            show: None,
        };
        definition(
            TENANT,
            c"The tenant this session acts for.",
            &TENANT_TEXT,
            assign_tenant,
        )
        .define();
        definition(
            LOGIN,
            c"The key this session has logged in with: its id and scope.",
            &LOGIN_TEXT,
            assign_login,
        )
        .define();
        Definition {
            show: Some(show_key),
            ..definition(
                LOGIN_KEY,
                c"On a router, the key this session has logged in with. Never stored, never shown.",
                &LOGIN_KEY_TEXT,
                assign_key,
            )
        }
        .define();
        pg_sys::RegisterXactCallback(Some(at_transaction_end), std::ptr::null_mut());
    }
}

/// From here on, a setting `timedb.…` that nobody has defined is an error; called after the last is.
pub fn reserve_prefix() {
    // SAFETY: the prefix is static.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"timedb".as_ptr()) };
}

/// What the settings say now. Contradiction between them, and a login that a later refusal voided, is nobody.
pub fn bound() -> Bound {
    let (session, transaction) = (REFUSED_IN_SESSION.get(), REFUSED_IN_TRANSACTION.get());
    match (BOUND_TENANT.get(), BOUND_LOGIN.get()) {
        (None, None) => Bound::Nobody {
            others_count: !(session.others || transaction.others),
        },
        (Some(tenant), Some(login)) if login.serial > session.logins_up_to.max(transaction.logins_up_to) => {
            Bound::Key(Login {
                tenant,
                key_id: login.key_id,
                scope: login.scope,
            })
        }
        _ => Bound::Nobody { others_count: false },
    }
}

/// Logs in: with a serial number later than any refusal.
pub fn bind(login: Login, lasting: Lasting) {
    let serial = LAST_SERIAL.get() + 1;
    LAST_SERIAL.set(serial);
    if lasting == Lasting::Session {
        UNDONE.set(false);
        UNCOMMITTED.set(Some(serial));
    }
    let value = format!("{} {} {serial}", login.key_id, login.scope);
    set(&login.tenant.to_string(), &value, lasting);
}

/// The same on a router, which has to show the key at every call: it lasts as long as the login does, through every rollback.
pub fn bind_with_key(login: Login, api_key: &str, lasting: Lasting) {
    bind(login, lasting);
    let _door = Door::open();
    put(LOGIN_KEY, api_key, lasting);
}

/// The key that [`bind_with_key`] was given.
pub fn login_key() -> Option<String> {
    guc::get(LOGIN_KEY)
}

/// Logs out. For the session, that also ends what an earlier failure refused.
pub fn clear(lasting: Lasting) {
    match lasting {
        Lasting::Session => forget_refusals(),
        Lasting::Transaction => {}
    }
    set("", "", lasting);
}

/// A login is being tried: from now on nobody is logged in, whatever a rollback brings back, unless it succeeds and
/// the refusal is lifted.
pub fn refuse(lasting: Lasting) -> Refused {
    let place = match lasting {
        Lasting::Session => &REFUSED_IN_SESSION,
        Lasting::Transaction => &REFUSED_IN_TRANSACTION,
    };
    let refusal = Refusal {
        logins_up_to: LAST_SERIAL.get(),
        others: true,
    };
    Refused {
        place,
        before: place.replace(refusal),
    }
}

/// A refusal, and what stood in its place.
#[must_use]
pub struct Refused {
    place: &'static LocalKey<Cell<Refusal>>,
    before: Refusal,
}

impl Refused {
    pub fn lift(self) {
        self.place.set(self.before);
    }
}

/// Whether nobody is logged in because a login of the session was undone by a rollback, of its transaction or to a
/// savepoint. Where a login has failed since, that is why.
pub fn login_was_undone() -> bool {
    let failed = REFUSED_IN_SESSION.get().others || REFUSED_IN_TRANSACTION.get().others;
    !failed && (UNDONE.get() || uncommitted_is_gone())
}

/// Whether what stands now is older than the last login. It is told late, by the settings themselves: Postgres brings
/// former values back after it has called whoever wants to know of a rollback, and to a savepoint alike.
fn uncommitted_is_gone() -> bool {
    UNCOMMITTED
        .get()
        .is_some_and(|serial| BOUND_LOGIN.get().is_none_or(|login| login.serial < serial))
}

fn forget_undone() {
    UNCOMMITTED.set(None);
    UNDONE.set(false);
}

/// Of RESET ALL, DISCARD ALL and a logout: logins of before a refusal stay void; only the other ways in come back.
pub fn forget_refusals() {
    forget_undone();
    for place in [&REFUSED_IN_SESSION, &REFUSED_IN_TRANSACTION] {
        place.set(Refusal {
            others: false,
            ..place.get()
        });
    }
}

/// With no key: where one stays beside a login, it is put there afterwards.
fn set(tenant: &str, login: &str, lasting: Lasting) {
    let _door = Door::open();
    for (name, value) in [(TENANT, tenant), (LOGIN, login), (LOGIN_KEY, "")] {
        put(name, value, lasting);
    }
}

fn put(name: &CStr, value: &str, lasting: Lasting) {
    let value = CString::new(value).unwrap_or_default();
    guc::set(name, &value, pg_sys::GucContext::PGC_SUSET, lasting);
}

/// Lets the check hook accept a value, and closes again however the setting ends.
struct Door;

impl Door {
    fn open() -> Door {
        DOOR_IS_OPEN.set(true);
        Door
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        DOOR_IS_OPEN.set(false);
    }
}

/// Takes the empty string, what `set` gives, and what a parallel worker copies from its leader; nothing else, from
/// nobody: not from SET, ALTER ROLE, a startup packet or a configuration file, whoever wrote it.
#[pg_guard]
unsafe extern "C-unwind" fn check(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    let from_bind = DOOR_IS_OPEN.get() && source == pg_sys::GucSource::PGC_S_SESSION;
    // SAFETY: this is the check hook, with the value it was given.
    unsafe {
        guc::is_harmless(new_value) || from_bind || guc::refuse(c"a tenant is set by timedb.authenticate() alone")
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn assign_tenant(new_value: *const c_char, _extra: *mut c_void) {
    // SAFETY: Postgres passes null or a valid string.
    let text = unsafe { guc::text_of(new_value) }.unwrap_or_default();
    BOUND_TENANT.set(Uuid::parse_str(text).ok());
}

#[pg_guard]
unsafe extern "C-unwind" fn assign_key(new_value: *const c_char, _extra: *mut c_void) {
    // SAFETY: Postgres passes null or a valid string.
    HAS_KEY.set(unsafe { guc::text_of(new_value) }.is_some_and(|key| !key.is_empty()));
}

#[pg_guard]
unsafe extern "C-unwind" fn show_key() -> *const c_char {
    match HAS_KEY.get() {
        true => c"********".as_ptr(),
        false => c"".as_ptr(),
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn assign_login(new_value: *const c_char, _extra: *mut c_void) {
    // SAFETY: Postgres passes null or a valid string.
    let text = unsafe { guc::text_of(new_value) }.unwrap_or_default();
    BOUND_LOGIN.set(LoginValue::parse(text));
}

impl LoginValue {
    fn parse(text: &str) -> Option<LoginValue> {
        let mut words = text.split(' ');
        let key_id = Uuid::parse_str(words.next()?).ok()?;
        let scope = words.next()?.parse().ok()?;
        let serial = words.next()?.parse().ok()?;
        Some(LoginValue { key_id, scope, serial })
    }
}

/// A refusal that was local to a transaction ends with it, and a login of the session is committed or undone.
#[pg_guard]
unsafe extern "C-unwind" fn at_transaction_end(event: pg_sys::XactEvent::Type, _arg: *mut c_void) {
    if has_ended(event) {
        REFUSED_IN_TRANSACTION.set(Refusal::default());
        // Before the settings are given back: what is there now is what a commit keeps.
        let undone =
            event == pg_sys::XactEvent::XACT_EVENT_ABORT && UNCOMMITTED.get().is_some() || uncommitted_is_gone();
        UNDONE.set(UNDONE.get() || undone);
        UNCOMMITTED.set(None);
    }
}
