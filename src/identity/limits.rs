//! How much a session may ask for: the settings `timedb.max_…`, which superusers alone set, for the server, a database or a role.

use crate::pg::guc::superusers::{Words, define_number};
use pgrx::guc::{GucFlags, GucSetting};
use std::ffi::CStr;
use timedb_core::limits::Limits;

type Setting = GucSetting<i32>;

static UPLOAD_ROWS: Setting = Setting::new(Limits::DEFAULT.upload_rows as i32);
static UPLOAD_SERIES: Setting = Setting::new(Limits::DEFAULT.upload_series as i32);
static UPDATES: Setting = Setting::new(Limits::DEFAULT.updates as i32);
static READ_ROWS: Setting = Setting::new(Limits::DEFAULT.read_rows as i32);
static READ_VALUES: Setting = Setting::new(Limits::DEFAULT.read_values as i32);

static TENANT_SERIES: Setting = Setting::new(0);
static TENANT_SIZE: Setting = Setting::new(0);

/// Called once, when the library is loaded.
pub fn define() {
    let most = Limits::MOST;
    of_a_call(
        c"timedb.max_upload_rows",
        c"The most rows that one upload may have.",
        &UPLOAD_ROWS,
        most.upload_rows,
    );
    of_a_call(
        c"timedb.max_upload_series",
        c"The most series that one upload may write.",
        &UPLOAD_SERIES,
        most.upload_series,
    );
    of_a_call(
        c"timedb.max_updates",
        c"The most elements that one update may have.",
        &UPDATES,
        most.updates,
    );
    of_a_call(
        c"timedb.max_read_rows",
        c"The most stored rows of one series that a read holds.",
        &READ_ROWS,
        most.read_rows,
    );
    of_a_call(
        c"timedb.max_read_values",
        c"The most stored values of one series that a read merges.",
        &READ_VALUES,
        most.read_values,
    );
    of_a_tenant(
        c"timedb.max_tenant_series",
        c"The most series that a tenant may have.",
        &TENANT_SERIES,
        GucFlags::default(),
    );
    of_a_tenant(
        c"timedb.max_tenant_size",
        c"The most bytes that the stored values of a tenant may take.",
        &TENANT_SIZE,
        GucFlags::UNIT_KB,
    );
}

fn of_a_tenant(name: &'static CStr, short: &'static CStr, value: &'static Setting, flags: GucFlags) {
    let long = c"0 is no limit. Looked at before more is written; what others write at the same moment may pass it.";
    let words = Words { name, short, long };
    // SAFETY: called from _PG_init.
    unsafe { define_number(words, value, (0, i32::MAX), flags) };
}

/// Of one tenant; 0 is no limit.
pub fn most_series() -> i64 {
    TENANT_SERIES.get().into()
}

/// Of the values of one tenant; 0 is no limit.
pub fn most_bytes() -> i64 {
    i64::from(TENANT_SIZE.get()) << 10
}

fn of_a_call(name: &'static CStr, short: &'static CStr, value: &'static Setting, most: usize) {
    let long = c"A call that asks for more is refused; it bounds the memory that one client can take.";
    let words = Words { name, short, long };
    // SAFETY: called from _PG_init.
    unsafe { define_number(words, value, (1, most as i32), GucFlags::default()) };
}

/// As the settings are now.
pub fn limits() -> Limits {
    let of = |setting: &Setting| usize::try_from(setting.get()).unwrap_or(0);
    Limits {
        upload_rows: of(&UPLOAD_ROWS),
        upload_series: of(&UPLOAD_SERIES),
        updates: of(&UPDATES),
        read_rows: of(&READ_ROWS),
        read_values: of(&READ_VALUES),
    }
}
