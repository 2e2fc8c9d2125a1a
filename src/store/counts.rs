//! How many values runs have of some series: counted without opening one.

use super::fetch::Groups;
use super::scan::Windows;
use crate::error::Result;
use crate::pg::cancel::answer_cancel;
use std::collections::HashMap;
use timedb_core::merge::{Mode, Window};
use uuid::Uuid;

/// Of each run that was known in a window and has values of these series, how many: of each the current one, nulls too, whether
/// it is withdrawn or not.
pub fn values_by_run(tenant: Uuid, series: Vec<Uuid>, known: Window) -> Result<HashMap<Uuid, i64>> {
    let windows = Windows {
        known,
        ..Windows::default()
    };
    let mut groups = Groups::of(series);
    let mut counts = HashMap::new();
    while let Some(stored) = groups.next(tenant, &windows)? {
        answer_cancel();
        let opened = stored.open(&windows, Mode::Overlapping, false, None)?;
        for version in opened.shown_versions() {
            *counts.entry(version.run).or_default() += 1;
        }
    }
    Ok(counts)
}
