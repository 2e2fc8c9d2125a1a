//! Every error a user can meet: its SQLSTATE, its message, its HINT, and the HTTP status it means. The reason why an
//! argument is refused is worded where the check is, that of a row in `timedb-core`; here they get their SQLSTATE.
//!
//! Bodies return an [`Error`]; where a function meets Postgres, `?` makes the report of it that `identity::http` knows.

use pgrx::PgSqlErrorCode as Code;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use std::borrow::Cow;
use timedb_core::held::TooMuch;
use timedb_core::points::Corrupt;
use timedb_core::rows::{Kind, RowError};
use timedb_core::time::BOUNDS;
use uuid::Uuid;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a SQL function returns: an `ErrorReport` is what keeps SQLSTATE, DETAIL and HINT on its way out of pgrx.
pub type Reported<T> = std::result::Result<T, ErrorReport>;

#[derive(Debug)]
pub enum Error {
    /// Nobody is logged in.
    LoginNeeded,
    /// On a router, a key of the original service, which names no shard.
    NoRoute,
    /// A router that knows of no shard.
    NoShards,
    /// On a router, a second call that writes in one transaction.
    WrittenAlready,
    /// On a router, a call that writes for a tenant who is being moved.
    Moving,
    /// On a router, the server of the tenant's shard cannot be reached, or was lost on the way.
    ShardLost {
        may_have_written: bool,
    },
    /// On a router, a shard whose functions are not those of this version.
    ShardDiffers(String),
    /// Nobody is logged in, as the login was in a transaction that was rolled back: in the same words.
    LoginUndone,
    /// A key that is unknown, malformed, revoked, expired, null, or of a deactivated user: one message for all.
    KeyRefused,
    /// The session's scope does not allow it.
    ScopeTooLow(&'static str),
    /// The scope of a role's binding does not allow it: in the same words, but somebody else helps.
    BindingTooLow(&'static str),
    /// An admin key asked to make a user of another tenant.
    ForeignTenant,
    /// A run, series, user or key that is absent, or another tenant's: the same words for both.
    Absent {
        what: &'static str,
        name: String,
    },
    /// A key to rotate is not there: all are revoked or expired.
    NoActiveKey(Uuid),
    /// A key would be made for a user who is deactivated: it would be refused from birth.
    UserInactive(String),
    /// An email that a user of the tenant has.
    EmailTaken(String),
    /// A key and labels that another series of the tenant has.
    SeriesTaken {
        key: String,
        other: Option<Uuid>,
    },
    /// A run to restore was never withdrawn.
    NeverWithdrawn(Uuid),
    /// A role that acts for a tenant already.
    BoundAlready(String),
    /// Null for an argument that needs a value, or inside an array.
    NullArgument(&'static str),
    /// Null inside an array.
    NullElement(&'static str),
    /// A value that the argument cannot take.
    BadArgument {
        argument: &'static str,
        reason: String,
        hint: Option<&'static str>,
    },
    /// Not exactly one of the ways in which a relative read is told how long before.
    OneFormNeeded,
    /// A timestamp that is infinite or beyond what points hold.
    TimeOutOfRange {
        argument: &'static str,
        hint: &'static str,
    },
    /// A text or a document that is too long to store.
    TooLong {
        argument: &'static str,
        reason: String,
    },
    /// More than a call takes.
    TooLarge {
        argument: &'static str,
        reason: String,
        hint: &'static str,
    },
    /// More series than the tenant may have.
    TooManySeries(i64),
    /// More bytes than the values of the tenant may take.
    TooManyBytes(i64),
    /// More values of one series that begin at one time than retention holds at once.
    TooManyAtOneTime,
    /// More of one series than a read holds at once.
    WindowTooWide(TooMuch),
    /// Rows that were to be packed have been deleted by somebody else: by hand, as no two calls pack at once.
    DeletedMeanwhile,
    /// What another transaction does meanwhile.
    Busy(&'static str),
    /// A series that somebody else has made since the snapshot of the transaction: in the words in which Postgres refuses to make
    /// it again.
    MadeMeanwhile,
    /// An Arrow stream that no bytea holds.
    AnswerTooLarge,
    NoMemory,
    /// What cannot be answered here, or within such a transaction.
    Unsupported {
        what: &'static str,
        hint: &'static str,
    },
    /// A row of a JSON argument that cannot be taken.
    Row(RowError),
    /// The text form of points that cannot be read.
    PointsText(String),
    /// The binary form of points that cannot be read.
    PointsBinary(Corrupt),
    /// Stored bytes that cannot be read: the storage has changed them, or a newer version wrote them.
    PointsStored(Corrupt),
    /// The text form of a pack that cannot be read.
    PackText(String),
    /// As with points.
    PackStored(Corrupt),
    /// As with points.
    ListingStored(Corrupt),
    /// Something that cannot happen, unless the installation has been tampered with.
    Broken(String),
}

impl Error {
    pub fn bad(argument: &'static str, reason: impl Into<String>) -> Self {
        Self::BadArgument {
            argument,
            reason: reason.into(),
            hint: None,
        }
    }

    /// A text no longer than what is stored of its kind.
    pub fn if_longer(argument: &'static str, text: &str, most_bytes: usize) -> Result<(), Error> {
        if text.len() <= most_bytes {
            return Ok(());
        }
        let reason = format!("is longer than {most_bytes} bytes");
        Err(Error::TooLong { argument, reason })
    }

    pub fn time_out_of_range(argument: &'static str) -> Error {
        let hint = out_of_range(argument);
        Error::TimeOutOfRange { argument, hint }
    }

    pub fn interval_out_of_range(argument: &'static str) -> Error {
        let hint = "An interval is finite, and at most as long as from 4714 BC to the end of the year 9999.";
        Error::TimeOutOfRange { argument, hint }
    }

    pub fn absent_user(name: impl Into<String>) -> Error {
        Error::Absent {
            what: "user",
            name: name.into(),
        }
    }

    pub fn absent_id(what: &'static str, id: Uuid) -> Error {
        Error::Absent {
            what,
            name: id.to_string(),
        }
    }

    pub fn code(&self) -> Code {
        match self {
            Error::LoginNeeded | Error::LoginUndone | Error::KeyRefused | Error::NoRoute => {
                Code::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION
            }
            Error::ShardLost { .. } => Code::ERRCODE_CONNECTION_FAILURE,
            Error::ShardDiffers(_) | Error::NoShards => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Error::ScopeTooLow(_) | Error::BindingTooLow(_) | Error::ForeignTenant => {
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE
            }
            Error::Absent { .. } | Error::NoActiveKey(_) => Code::ERRCODE_UNDEFINED_OBJECT,
            Error::UserInactive(_) | Error::NeverWithdrawn(_) => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Error::EmailTaken(_) | Error::SeriesTaken { .. } => Code::ERRCODE_UNIQUE_VIOLATION,
            Error::BoundAlready(_) => Code::ERRCODE_DUPLICATE_OBJECT,
            Error::NullArgument(_) | Error::NullElement(_) => Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Error::BadArgument { .. } | Error::OneFormNeeded => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            Error::TimeOutOfRange { .. } => Code::ERRCODE_DATETIME_FIELD_OVERFLOW,
            Error::TooLong { .. }
            | Error::TooLarge { .. }
            | Error::TooManySeries(_)
            | Error::TooManyBytes(_)
            | Error::TooManyAtOneTime
            | Error::WindowTooWide(_)
            | Error::AnswerTooLarge => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Error::DeletedMeanwhile | Error::MadeMeanwhile => Code::ERRCODE_T_R_SERIALIZATION_FAILURE,
            Error::Busy(_) | Error::Moving => Code::ERRCODE_LOCK_NOT_AVAILABLE,
            Error::Unsupported { .. } | Error::WrittenAlready => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
            Error::Row(error) => row_code(&error.kind),
            Error::PointsText(_) | Error::PackText(_) => Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
            Error::PointsBinary(_) => Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
            Error::PointsStored(_) | Error::PackStored(_) | Error::ListingStored(_) => Code::ERRCODE_DATA_CORRUPTED,
            Error::Broken(_) => Code::ERRCODE_INTERNAL_ERROR,
            Error::NoMemory => Code::ERRCODE_OUT_OF_MEMORY,
        }
    }

    pub fn message(&self) -> String {
        match self {
            Error::LoginNeeded | Error::LoginUndone => "API key required. Please provide X-API-Key header.".into(),
            Error::KeyRefused | Error::NoRoute => "Invalid or inactive API key.".into(),
            Error::NoShards => "the router has no shards".into(),
            Error::WrittenAlready => {
                "a transaction may write by one call only where tenants are spread over servers".into()
            }
            Error::Moving => "the tenant is being moved to another server".into(),
            Error::ShardLost { .. } => "the server of this tenant cannot be reached".into(),
            Error::ShardDiffers(found) => format!("the server of this tenant runs {found}"),
            Error::ScopeTooLow(needed) | Error::BindingTooLow(needed) => {
                format!("this needs an API key of scope \"{needed}\"")
            }
            Error::ForeignTenant => "an API key creates users of its own tenant only".into(),
            Error::Absent { what, name } => format!("{what} \"{name}\" does not exist"),
            Error::NoActiveKey(user) => format!("user \"{user}\" has no active key"),
            Error::UserInactive(email) => format!("user \"{email}\" is deactivated"),
            Error::EmailTaken(email) => format!("the tenant has a user \"{email}\" already"),
            Error::SeriesTaken { key, other } => {
                let other = other.map_or("another series".into(), |id| format!("series \"{id}\""));
                format!("{other} has the key {key:?} with the same labels already")
            }
            Error::NeverWithdrawn(run) => format!("run \"{run}\" was never withdrawn"),
            Error::BoundAlready(role) => format!("role \"{role}\" is bound already"),
            Error::NullArgument(argument) => format!("\"{argument}\" must not be null"),
            Error::NullElement(argument) => format!("\"{argument}\" must not contain null"),
            Error::BadArgument { argument, reason, .. } => format!("\"{argument}\" {reason}"),
            Error::OneFormNeeded => "give one of \"lead\"; \"days_ahead\" and \"time_of_day\"; \"window_length\", \
                \"cutoff_offset\" and \"window_origin\": whole, and none of another"
                .into(),
            Error::TimeOutOfRange { argument, .. } => {
                format!("\"{argument}\" is infinite or out of range")
            }
            Error::TooLong { argument, reason } | Error::TooLarge { argument, reason, .. } => {
                format!("\"{argument}\" {reason}")
            }
            Error::WindowTooWide(TooMuch { what, most, .. }) => {
                let name = what.name();
                format!("more than {most} stored {name} of one series lie in the windows")
            }
            Error::TooManySeries(most) => format!("the tenant may have {most} series, and no more"),
            Error::TooManyBytes(most) => format!("the values of the tenant may take {} kB, and no more", most >> 10),
            Error::TooManyAtOneTime => "too many values of one series begin at one time".into(),
            Error::DeletedMeanwhile => "rows to be packed were deleted meanwhile".into(),
            Error::Busy(what) => format!("another transaction {what} of this tenant"),
            Error::MadeMeanwhile => "could not serialize access due to concurrent update".into(),
            Error::AnswerTooLarge => "the answer would be larger than 1 GB".into(),
            Error::NoMemory => "out of memory".into(),
            Error::Unsupported { what, .. } => (*what).into(),
            Error::Row(error) => error.to_string(),
            Error::PackText(error) => format!("invalid text form of timedb.pack: {error}"),
            Error::ListingStored(error) => format!("corrupt list of a run's rows: {error}"),
            Error::PackStored(error) => format!("corrupt timedb.pack: {error}"),
            Error::PointsText(error) => format!("invalid text form of timedb.points: {error}"),
            Error::PointsBinary(error) => format!("invalid binary form of timedb.points: {error}"),
            Error::PointsStored(error) => format!("corrupt timedb.points: {error}"),
            Error::Broken(what) => format!("timedb is broken: {what}"),
        }
    }

    /// The five characters that a client knows the error by.
    pub fn sqlstate(&self) -> String {
        // SAFETY: returns Postgres' own buffer, read before anything else can be unpacked into it.
        unsafe { std::ffi::CStr::from_ptr(pg_sys::unpack_sql_state(self.code() as i32)) }
            .to_string_lossy()
            .into_owned()
    }

    pub fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Error::WindowTooWide(too_much) => Some(narrower_windows(too_much).into()),
            _ => self.fixed_hint().map(Cow::Borrowed),
        }
    }

    fn fixed_hint(&self) -> Option<&'static str> {
        match self {
            Error::NoRoute => Some(
                "A key of the original service names no server: have timedb.create_key() make another for its user.",
            ),
            Error::WrittenAlready => Some(
                "What the first call has written stays, whatever becomes of this transaction; commit after each call.",
            ),
            Error::Moving => Some("Reads go on. Try again in a moment."),
            Error::ShardLost {
                may_have_written: false,
            } => Some("Nothing was done. Try again; other tenants may go on."),
            Error::ShardLost { may_have_written: true } => Some(
                "All of the call was carried out, or nothing: ask timedb.list_runs(), or read, before trying again.",
            ),
            Error::ShardDiffers(_) => {
                Some("Have an operator update timedb and timedb_shard there, or timedb_router here.")
            }
            Error::LoginNeeded => Some("In SQL, call timedb.authenticate(api_key) first."),
            Error::LoginUndone => {
                Some("The login was rolled back with its transaction; commit it, or log in inside this one.")
            }
            Error::BadArgument { hint, .. } => *hint,
            Error::NoActiveKey(_) => Some("Make one with timedb.create_key()."),
            Error::UserInactive(_) => Some("Activate the user with timedb.activate_user() first."),
            Error::EmailTaken(_) => Some(
                "timedb.create_key() makes a further key for that user; \
                 timedb.list_users(include_inactive => true) shows who is deactivated.",
            ),
            Error::SeriesTaken { .. } => {
                Some("A key and labels name one series: give this one another key, or other labels.")
            }
            Error::BoundAlready(_) => Some("End that with timedb.unbind_role() first."),
            Error::BindingTooLow(_) => {
                Some("Have an operator bind this role anew, by timedb.bind_role(), or log in with such a key.")
            }
            Error::ScopeTooLow(_) => Some("Ask an administrator of your tenant for such a key."),
            Error::AnswerTooLarge => Some("Read narrower windows of valid or known time."),
            Error::TooLarge { hint, .. } => Some(hint),
            Error::TooManySeries(_) => Some("Have timedb.max_tenant_series raised."),
            Error::TooManyAtOneTime => Some("Take them out by timedb.erase_run() or timedb.erase_series()."),
            Error::TooManyBytes(_) => {
                Some("Have timedb.compact() pack what is stored, or timedb.max_tenant_size raised.")
            }
            Error::Row(RowError {
                kind: Kind::TooMany,
                hint: None,
                ..
            }) => Some(SPLIT),
            Error::Row(error) => error.hint,
            Error::TimeOutOfRange { hint, .. } | Error::Unsupported { hint, .. } => Some(hint),
            Error::Broken(_) => Some("Run SELECT * FROM timedb.self_check() as a superuser."),
            _ => None,
        }
    }

    /// The HTTP status this error means, where the session serves an HTTP request.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Error::LoginNeeded | Error::LoginUndone | Error::KeyRefused | Error::NoRoute => Some(401),
            Error::Moving | Error::ShardLost { .. } => Some(503),
            // PostgREST would answer 401, as every user of a key comes as its anonymous role.
            Error::ScopeTooLow(_) | Error::BindingTooLow(_) | Error::ForeignTenant => Some(403),
            Error::Absent { .. } | Error::NoActiveKey(_) => Some(404),
            Error::BoundAlready(_)
            | Error::UserInactive(_)
            | Error::NeverWithdrawn(_)
            | Error::EmailTaken(_)
            | Error::SeriesTaken { .. } => Some(409),
            Error::TooLong { .. }
            | Error::TooLarge { .. }
            | Error::TooManySeries(_)
            | Error::TooManyBytes(_)
            | Error::TooManyAtOneTime
            | Error::WindowTooWide(_)
            | Error::AnswerTooLarge => Some(413),
            Error::Row(error) if error.kind == Kind::Absent => Some(404),
            Error::Row(error) if error.kind == Kind::Withdrawn => Some(409),
            Error::Row(error) if matches!(error.kind, Kind::TooMany | Kind::TooLong) => Some(413),
            // PostgREST answers 500 for what we broke, and 400 for the rest: bad values of every kind.
            _ => None,
        }
    }
}

/// What to do about a call that is too large, where no setting says how large it may be.
pub const SPLIT: &str = "Split it over several calls.";

/// What to write instead of a time that is infinite.
fn out_of_range(argument: &str) -> &'static str {
    match argument {
        "start_valid" | "end_valid" | "start_known" | "end_known" => "Leave it out: without it the window is open.",
        "as_of" | "known_time" => "Leave it out: without it, it is now.",
        "after" => "For all there is, give a moment before the first, such as 2000-01-01.",
        "until" => "Leave it out: without it, it is what is settled by now.",
        "since" => "Leave it out: without it, all that is kept is listed.",
        "run_finish_time" => "Leave it out where it is not known.",
        _ => BOUNDS,
    }
}

/// Which windows a read must narrow to hold less: one of a single time cannot be narrower.
fn narrower_windows(too_much: &TooMuch) -> String {
    let narrower = match (too_much.is_of_valid_times, too_much.is_of_known_times) {
        (true, true) => "Read narrower windows of valid or known time",
        (true, false) => "Read a narrower window of valid time",
        (false, true) => "Read a narrower window of known time",
        (false, false) => "Read as of an earlier moment",
    };
    format!("{narrower}, or have timedb.max_read_{} raised.", too_much.what.name())
}

fn row_code(kind: &Kind) -> Code {
    match kind {
        Kind::BadValue => Code::ERRCODE_INVALID_PARAMETER_VALUE,
        Kind::BadTime => Code::ERRCODE_INVALID_DATETIME_FORMAT,
        Kind::TimeOutOfRange => Code::ERRCODE_DATETIME_FIELD_OVERFLOW,
        Kind::BadUuid => Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
        Kind::NumberOutOfRange => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        Kind::NullNotAllowed => Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
        Kind::Absent => Code::ERRCODE_UNDEFINED_OBJECT,
        Kind::Withdrawn => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        Kind::BadCharacter => Code::ERRCODE_UNTRANSLATABLE_CHARACTER,
        Kind::TooMany | Kind::TooLong => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
    }
}
