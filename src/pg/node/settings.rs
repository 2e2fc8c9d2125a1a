//! Whether nodes are made at all: for comparing them with the functions whose place they take.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Called once, when the library is loaded.
pub fn define() {
    GucRegistry::define_bool_guc(
        c"timedb.enable_scan",
        c"Enables the planner's use of timedb's scans in place of its set-returning functions.",
        c"Off, timedb.read() makes its whole answer before the first row is seen.",
        &ENABLED,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
}

pub fn enabled() -> bool {
    ENABLED.get()
}
