//! `withdraw_run` and `restore_run`: a run is shown no more, or again. Nothing of it changes but when it is shown, which is told
//! by a row of its own for each time.
//!
//! Both hold the run's row, as an update of it does, and mark it: so withdrawals, restorations and versions of a run come one
//! after the other, in the order of their times, and a transaction whose snapshot is older fails with 40001.

use crate::error::{Error, Reported, Result};
use crate::identity::session::{self, Acting};
use crate::pg::datum::id;
use crate::pg::result::Returned;
use crate::pg::statement::statements;
use crate::pg::timestamp::Timestamptz;
use crate::store::quota::{WITHDRAWAL_BYTES, check_bytes};
use pgrx::prelude::*;
use timedb_core::blank::unless_blank;
use timedb_core::limits::LONGEST_REASON;
use timedb_core::scope::Scope;
use uuid::Uuid;

statements! {
    LOCK(Uuid, Uuid) -> (Uuid,) =
        c"SELECT r.run_id
          FROM timedb.runs r
          WHERE r.tenant_id = $1 AND r.run_id = $2
          FOR NO KEY UPDATE";
    LAST(Uuid, Uuid) -> Withdrawal =
        c"SELECT w.withdrawn_at, w.withdrawn_by, w.reason, w.restored_at, w.restored_by, w.restore_reason
          FROM timedb.withdrawals w
          WHERE w.tenant_id = $1 AND w.run_id = $2
          ORDER BY w.withdrawn_at DESC
          LIMIT 1";
    /// As an update does.
    MARK(Uuid, Uuid, Timestamptz) -> (Timestamptz,) =
        c"UPDATE timedb.runs r
          SET last_change_time = greatest(clock_timestamp(), $3, r.last_change_time + interval '1 microsecond')
          WHERE r.tenant_id = $1 AND r.run_id = $2
          RETURNING r.last_change_time";
    WITHDRAW(Uuid, Uuid, Timestamptz, &str, Option<&str>) -> Withdrawal =
        c"INSERT INTO timedb.withdrawals (tenant_id, run_id, withdrawn_at, withdrawn_by, reason)
          VALUES ($1, $2, $3, $4, $5)
          RETURNING withdrawn_at, withdrawn_by, reason, restored_at, restored_by, restore_reason";
    RESTORE(Uuid, Uuid, Timestamptz, &str, Option<&str>) -> Withdrawal =
        c"UPDATE timedb.withdrawals w
          SET restored_at = $3, restored_by = $4, restore_reason = $5
          WHERE w.tenant_id = $1 AND w.run_id = $2 AND w.restored_at IS NULL
          RETURNING w.withdrawn_at, w.withdrawn_by, w.reason, w.restored_at, w.restored_by, w.restore_reason";
}

/// Since when, by whom and why a run was withdrawn; and restored.
type Withdrawal = (
    Timestamptz,
    String,
    Option<String>,
    Option<Timestamptz>,
    Option<String>,
    Option<String>,
);

/// A run that nobody else changes, withdraws or restores until the transaction ends.
struct Held {
    acting: Acting,
    run: Uuid,
    reason: Option<String>,
    last: Option<Withdrawal>,
}

#[pg_extern(sql = false)]
fn withdraw_run(
    run_id: Option<pgrx::Uuid>,
    reason: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let held = Held::of(run_id, reason)?;
    // A call that is made again, as nobody knows whether the first has arrived, changes nothing.
    let withdrawal = match &held.last {
        Some(last) if last.3.is_none() => last.clone(),
        _ => held.withdraw()?,
    };
    let (at, by, reason, ..) = &withdrawal;
    let answer = (held.run, *at, &**by, reason.as_deref());
    Ok(Returned::row::<(Uuid, Timestamptz, &str, Option<&str>)>(
        fcinfo, answer,
    )?)
}

#[pg_extern(sql = false)]
fn restore_run(
    run_id: Option<pgrx::Uuid>,
    reason: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let held = Held::of(run_id, reason)?;
    let withdrawal = match &held.last {
        None => return Err(Error::NeverWithdrawn(held.run).into()),
        Some(last) if last.3.is_some() => last.clone(),
        Some(_) => held.restore()?,
    };
    let (withdrawn_at, _, _, restored_at, by, reason) = &withdrawal;
    let answer = (held.run, *withdrawn_at, *restored_at, by.as_deref(), reason.as_deref());
    Ok(Returned::row::<(
        Uuid,
        Timestamptz,
        Option<Timestamptz>,
        Option<&str>,
        Option<&str>,
    )>(fcinfo, answer)?)
}

impl Held {
    fn of(run_id: Option<pgrx::Uuid>, reason: Option<&str>) -> Result<Held> {
        let acting = Acting::with(Scope::Write)?;
        let run = run_id.map(id).ok_or(Error::NullArgument("run_id"))?;
        let reason = unless_blank(reason);
        Error::if_longer("reason", reason.unwrap_or_default(), LONGEST_REASON)?;
        let found = LOCK.write((acting.tenant, run))?;
        // Whether it is withdrawn already, and why, is not for a key that has ended meanwhile.
        session::confirm()?;
        if found.is_empty() {
            return Err(Error::absent_id("run", run));
        }
        Ok(Held {
            last: LAST.read_fresh((acting.tenant, run))?.pop(),
            reason: reason.map(str::to_owned),
            acting,
            run,
        })
    }

    fn withdraw(&self) -> Result<Withdrawal> {
        let reason = self.reason.as_deref();
        // A run that is withdrawn may be restored, whatever there is.
        let (by, said) = (self.acting.name().len(), reason.map_or(0, str::len));
        check_bytes(self.acting.tenant, || WITHDRAWAL_BYTES + by + said)?;
        let at = self.mark()?;
        let withdrawn = WITHDRAW.write((self.acting.tenant, self.run, at, self.acting.name(), reason))?;
        written(withdrawn)
    }

    fn restore(&self) -> Result<Withdrawal> {
        let at = self.mark()?;
        let reason = self.reason.as_deref();
        let restored = RESTORE.write((self.acting.tenant, self.run, at, self.acting.name(), reason))?;
        written(restored)
    }

    /// The moment that it happens at: told before the clock is read, so that nobody takes an earlier one for settled.
    fn mark(&self) -> Result<Timestamptz> {
        let told = session::begin_to_write(self.acting.tenant)?;
        let marked = MARK.write((self.acting.tenant, self.run, told.moment()))?.pop();
        marked
            .map(|(at,)| at)
            .ok_or_else(|| Error::Broken("a run not marked".into()))
    }
}

fn written(mut rows: Vec<Withdrawal>) -> Result<Withdrawal> {
    rows.pop()
        .ok_or_else(|| Error::Broken("a withdrawal that was not written".into()))
}
