//! What is to be read, and reading it: series by series, so that memory holds one of them, or some that are small.

use super::series::{Named, Which};
use super::unit::Asked;
use crate::error::{Error, Result};
use crate::identity::session::{Acting, Session};
use crate::identity::standing::Identity;
use crate::pg::arguments::Arguments;
use crate::pg::cancel::answer_cancel;
use crate::pg::timestamp::{self, Timestamptz};
use crate::pg::tuple::{FetchAll, Then};
use crate::pg::varlena::{Jsonb, TextArray, UuidArray};
use crate::pg::zone::Zone;
use crate::store::fetch::Groups;
use crate::store::open::{self, Opened};
use crate::store::runs::{Corrections, Counting, runs};
use crate::store::scan::Windows;
use crate::store::withdrawn::Withdrawn;
use crate::verbs::{labels, without_nulls};
use pgrx::pg_sys;
use std::ffi::CStr;
use std::vec;
use timedb_core::answer::Series;
use timedb_core::blank::unless_blank;
use timedb_core::cutoff::Cutoffs;
use timedb_core::limits::LONGEST_WORKFLOW;
use timedb_core::merge::{Cutoff, Mode, Window};
use timedb_core::time::Time;
use uuid::Uuid;

/// What is to be read.
pub struct Request {
    pub which: Which,
    pub windows: Windows,
    /// Of these runs alone, where not of all; looked for when the read begins.
    pub runs: Option<Vec<Uuid>>,
    pub counting: Counting,
    /// Until when something had to be known that is shown of a valid time, where that is asked.
    pub cutoffs: Option<Cutoffs<Zone>>,
    pub mode: Mode,
    pub all_versions: bool,
    /// In which unit, where not each series in its own.
    pub unit: Option<Asked>,
}

/// The arguments of `read` and `read_arrow`, as they are declared.
pub type OfRead = Then<OfReadBefore, Then<OfVersions, OfUnit>>;

/// Those that 0.1.0 declares them with.
type OfReadBefore = (
    Option<Timestamptz>,
    Option<Timestamptz>,
    Option<Timestamptz>,
    Option<Timestamptz>,
    Option<String>,
    Option<bool>,
    Option<TextArray>,
    Option<UuidArray>,
    Option<Timestamptz>,
);

/// Which of the series and of their versions count: labels, run_ids, workflow_id, corrections.
pub type OfVersions = (Option<Jsonb>, Option<UuidArray>, Option<String>, Option<String>);

/// unit.
pub type OfUnit = (Option<String>,);

/// A time that an argument tells, by its name.
pub type Told = (&'static str, Option<Timestamptz>);

pub fn time((argument, time): Told) -> Result<Option<Time>> {
    timestamp::optional(argument, time.map(|time| time.0))
}

pub fn window(start: Told, end: Told) -> Result<Window> {
    Ok(Window {
        start: time(start)?,
        end: time(end)?,
    })
}

fn mode(name: Option<&str>) -> Result<Mode> {
    match name.unwrap_or("flat") {
        "flat" => Ok(Mode::Flat),
        "overlapping" => Ok(Mode::Overlapping),
        _ => Err(Error::bad("mode", "must be \"flat\" or \"overlapping\"")),
    }
}

fn corrections(name: Option<&str>) -> Result<Corrections> {
    match name.unwrap_or("all") {
        "all" => Ok(Corrections::All),
        "known" => Ok(Corrections::Known),
        _ => Err(Error::bad("corrections", "must be \"all\" or \"known\"")),
    }
}

impl Request {
    pub fn of(arguments: <OfRead as FetchAll>::Fetched<'_>) -> Result<Request> {
        let Then(before, Then(of_versions, (unit,))) = arguments;
        let (start_valid, end_valid, start_known, end_known, mode_name, all_versions, keys, ids, as_of) = before;
        let mut request = Request::of_some(keys, ids, of_versions)?;
        request.windows.valid = window(("start_valid", start_valid), ("end_valid", end_valid))?;
        request.windows.known = window(("start_known", start_known), ("end_known", end_known))?;
        request.windows.as_of = time(("as_of", as_of))?;
        // Whatever counts since before was known before.
        if request.counting.corrections == Corrections::Known {
            request.counting.before = request.windows.known.end;
        }
        request.mode = mode(mode_name.as_deref())?;
        request.all_versions = all_versions.unwrap_or(false);
        request.unit = Asked::of(unit)?;
        Ok(request)
    }

    /// What a call says, as the function is declared: by 0.1.0 too.
    pub fn of_call(fcinfo: pg_sys::FunctionCallInfo) -> Result<Request> {
        let arguments = Arguments::of(fcinfo);
        if arguments.are::<OfReadBefore>() {
            let since = Then(OfVersions::default(), OfUnit::default());
            return Request::of(Then(arguments.fetch::<OfReadBefore>()?, since));
        }
        Request::of(arguments.fetch::<OfRead>()?)
    }

    /// Everything of these series and versions.
    pub fn of_some(
        keys: Option<TextArray>,
        ids: Option<UuidArray>,
        (labels_asked, run_ids, workflow_id, corrections_name): OfVersions,
    ) -> Result<Request> {
        let keys = without_nulls("series_keys", keys)?;
        let ids = without_nulls("series_ids", ids)?;
        let workflow = unless_blank(workflow_id.as_deref());
        Error::if_longer("workflow_id", workflow.unwrap_or_default(), LONGEST_WORKFLOW)?;
        Ok(Request {
            which: Which {
                labels: labels::checked(labels_asked)?,
                ..Which::from(match (keys, ids) {
                    (None, None) => Named::Every,
                    (keys, ids) => Named::Some {
                        keys: keys.map(TextArray::texts).unwrap_or_default(),
                        ids: ids.map(UuidArray::ids).unwrap_or_default(),
                    },
                })
            },
            runs: without_nulls("run_ids", run_ids)?.map(UuidArray::ids),
            counting: Counting::new(workflow, corrections(corrections_name.as_deref())?),
            ..Request::of_all(Named::Every)
        })
    }

    /// The current values of every run of one series.
    pub fn of_one(series: Uuid) -> Request {
        Request {
            mode: Mode::Overlapping,
            ..Request::of_all(Named::One(series))
        }
    }

    fn of_all(named: Named) -> Request {
        Request {
            which: Which::from(named),
            windows: Windows::default(),
            runs: None,
            counting: Counting::default(),
            cutoffs: None,
            mode: Mode::Flat,
            all_versions: false,
            unit: None,
        }
    }

    /// Nothing is fetched that was known after all cutoffs of the window of valid times.
    fn narrow_by_cutoffs(&mut self) {
        let end = self.windows.valid.end;
        if let (Some(cutoffs), Some(end)) = (&mut self.cutoffs, end) {
            self.windows.known.narrow(None, cutoffs.latest_before(end));
        }
    }

    /// Looks for the runs that it is of: those of the tenant and, where one is asked for, of the workflow.
    fn find_runs(&mut self, tenant: Uuid) -> Result<()> {
        let Some(mut ids) = self.runs.take() else {
            return Ok(());
        };
        ids.sort_unstable();
        ids.dedup();
        let mut found = runs(tenant, &ids)?;
        if let Some(workflow) = self.counting.workflow.take() {
            found.retain(|run| run.workflow == workflow);
        }
        let known = || found.iter().map(|run| run.known);
        match (known().min(), known().max()) {
            (Some(first), Some(last)) => self
                .windows
                .known
                .narrow(Some(first), Time::from_micros(last.micros() + 1)),
            _ => self.which.kept.only_ids(Vec::new()),
        }
        self.windows.runs = Some(found.into_iter().map(|run| run.id).collect());
        Ok(())
    }
}

/// A read under way. All of it is under the identity that it began with, whoever has logged in or out since.
pub struct Reading {
    identity: Identity,
    request: Request,
    /// Those that are still to be read; none before the first is.
    series: Option<(vec::IntoIter<Series>, Groups, Withdrawn)>,
    pub looked_at: LookedAt,
}

/// How much a read has looked at.
#[derive(Clone, Copy, Default)]
pub struct LookedAt {
    pub series: u64,
    pub rows: u64,
    pub packs: u64,
}

impl LookedAt {
    /// As EXPLAIN tells them.
    pub fn counts(self) -> Vec<(&'static CStr, u64)> {
        vec![
            (c"Series", self.series),
            (c"Stored Rows", self.rows),
            (c"Packs", self.packs),
        ]
    }
}

/// What a read shows of one series.
pub struct Shown {
    pub series: Series,
    pub opened: Opened,
}

impl Reading {
    /// Under whoever is logged in. Nobody's arguments are looked at.
    pub fn now(request: impl FnOnce() -> Result<Request>) -> Result<Reading> {
        let identity = Session::now().required()?;
        Ok(Reading::of(identity, request()?))
    }

    pub fn of(identity: Identity, request: Request) -> Reading {
        Reading {
            identity,
            request,
            series: None,
            looked_at: LookedAt::default(),
        }
    }

    /// The next series, ordered by key and id; those of which nothing is stored in the windows as well.
    pub fn next(&mut self) -> Result<Option<Shown>> {
        let acting = Acting::found(self.identity.clone());
        let (series, groups, withdrawn) = match &mut self.series {
            Some(series) => series,
            none => {
                self.request.find_runs(acting.tenant)?;
                self.request.narrow_by_cutoffs();
                let series = self.request.which.series(acting.tenant)?;
                let groups = Groups::of(series.iter().map(|series| series.id).collect());
                let withdrawn = Withdrawn::of(acting.tenant, self.request.windows.as_of)?;
                none.insert((series.into_iter(), groups, withdrawn))
            }
        };
        let Request {
            windows,
            counting,
            cutoffs,
            mode,
            all_versions,
            unit,
            ..
        } = &mut self.request;
        let stored = groups.next(acting.tenant, windows)?;
        let (Some(mut series), Some(stored)) = (series.next(), stored) else {
            return Ok(None);
        };
        let conversion = match unit {
            Some(asked) => asked.of_series(&mut series)?,
            None => None,
        };
        answer_cancel();
        self.looked_at.series += 1;
        self.looked_at.rows += stored.rows.len() as u64;
        self.looked_at.packs += stored.packs.len() as u64;
        let mut count = 0;
        let mut cutoff = cutoffs.as_mut().map(|cutoffs| {
            move |valid: Time| {
                if count % 4096 == 0 {
                    answer_cancel();
                }
                count += 1;
                cutoffs.at(valid)
            }
        });
        let which = open::Shown {
            mode: *mode,
            all_versions: *all_versions,
            withdrawn: Some(withdrawn),
            counting: Some((acting.tenant, counting)),
            cutoff: cutoff.as_mut().map(|cutoff| cutoff as Cutoff),
            conversion,
        };
        let opened = stored.open_counted(windows, which)?;
        Ok(Some(Shown { series, opened }))
    }
}
