//! `stats` and `tenant_stats`: how much is stored, of one's own tenant or, for operators, of each. Counts and times alone.

use crate::error::Reported;
use crate::identity::session::{Acting, Session};
use crate::pg::cancel::answer_cancel;
use crate::pg::result::{Returned, Rows};
use crate::pg::timestamp::Timestamptz;
use crate::store::sizes::{Sizes, sizes};
use crate::store::tenants::tenants;
use pgrx::prelude::*;
use uuid::Uuid;

type Answer = (
    i64,
    i64,
    i64,
    i64,
    i64,
    Option<Timestamptz>,
    Option<Timestamptz>,
    Option<Timestamptz>,
);

type OfTenant = (
    Uuid,
    i64,
    i64,
    i64,
    i64,
    i64,
    Option<Timestamptz>,
    Option<Timestamptz>,
    Option<Timestamptz>,
);

#[pg_extern(sql = false)]
fn stats(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let acting = Acting::found(Session::now().required()?);
    let Sizes {
        series,
        runs,
        values,
        last_upload,
        rows,
        bytes,
        oldest,
        newest,
    } = sizes(acting.tenant)?;
    let answer = (series, runs, values, rows, bytes, oldest, newest, last_upload);
    Ok(Returned::row::<Answer>(fcinfo, answer)?)
}

/// Each tenant under its own policies, as its admin would see it.
#[pg_extern(sql = false)]
fn tenant_stats(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let mut rows = Rows::<OfTenant>::open(fcinfo)?;
    let every: Vec<Uuid> = tenants().collect();
    for tenant in every {
        answer_cancel();
        let _acting = Acting::as_operator(tenant);
        let of = sizes(tenant)?;
        rows.put((
            tenant,
            of.series,
            of.runs,
            of.values,
            of.rows,
            of.bytes,
            of.oldest,
            of.newest,
            of.last_upload,
        ));
    }
    Ok(rows.close())
}
