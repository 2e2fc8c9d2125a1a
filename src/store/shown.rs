//! What of some series is shown by now around some times, perhaps known up to a moment: what others have committed while a
//! call waited for them.

use super::fetch::Groups;
use super::scan::Windows;
use super::withdrawn::Withdrawn;
use crate::error::{Error, Result};
use timedb_core::merge::{Mode, Window};
use timedb_core::points::Point;
use timedb_core::time::Time;
use timedb_core::version::Version;
use uuid::Uuid;

/// Series that are looked at one after the other, each within the same windows.
pub struct ByNow {
    tenant: Uuid,
    windows: Vec<(Windows, Groups)>,
    withdrawn: Withdrawn,
}

/// Which versions of a value are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// That which a flat read shows.
    Current,
    /// Every one, those that are hidden too.
    All,
}

impl ByNow {
    /// Between the first and the last time of each window, of runs known up to a moment. The windows are in order.
    pub fn within(tenant: Uuid, series: &[Uuid], windows: &[(Time, Time)], known: Option<Time>) -> Result<ByNow> {
        let windows = windows.iter().map(|&(first, last)| {
            let windows = Windows {
                valid: Window {
                    start: Some(first),
                    end: after(last),
                },
                known: Window {
                    start: None,
                    end: known.and_then(after),
                },
                ..Windows::default()
            };
            (windows, Groups::by_now(series.to_vec()))
        });
        Ok(ByNow {
            tenant,
            windows: windows.collect(),
            withdrawn: Withdrawn::by_now(tenant)?,
        })
    }

    /// Shows the values of the next series: by their keys, and of each its versions as an answer has them.
    pub fn next(&mut self, which: Which, mut each: impl FnMut(&Version, Point)) -> Result<()> {
        for (windows, groups) in &mut self.windows {
            let stored = groups.next(self.tenant, windows)?;
            let stored = stored.ok_or_else(|| Error::Broken("a series that was not fetched".into()))?;
            let mut opened = match which {
                Which::Current => stored.open(windows, Mode::Flat, false, Some(&mut self.withdrawn))?,
                Which::All => stored.open(windows, Mode::Overlapping, true, Some(&mut self.withdrawn))?,
            };
            while let Some((number, point)) = opened.next()? {
                each(opened.version(number), point);
            }
        }
        Ok(())
    }
}

/// The next moment; none, and so no bound, after the last.
fn after(time: Time) -> Option<Time> {
    Time::from_micros(time.micros() + 1)
}
