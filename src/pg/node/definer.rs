//! Work that runs within a SECURITY DEFINER function of the extension: Postgres changes the role and the settings for it, and
//! back, whatever happens.

use crate::error::{Error, Reported, Result};
use pgrx::{pg_extern, pg_sys};
use std::cell::Cell;
use std::ffi::CStr;

/// The function, in the schema of the one whose place a node has. It takes no argument: what it runs is not told in SQL.
const NAME: &CStr = c"_run_scan";

type Work<'a> = dyn FnMut() + 'a;

thread_local! {
    /// What the function is to run, while it is being called.
    static WORK: Cell<Option<*mut Work<'static>>> = const { Cell::new(None) };
}

/// The function, ready to be called.
pub struct Definer(*mut pg_sys::FmgrInfo);

/// The function of this schema; none in a database whose extension has not been updated yet.
pub fn find(schema: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: looks into a catalog, by the key of its cache; the vector has no element.
    let oid = unsafe {
        let no_arguments = pg_sys::buildoidvector(std::ptr::null(), 0);
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as pg_sys::AttrNumber,
            pg_sys::Datum::from(NAME.as_ptr().cast_mut()),
            pg_sys::Datum::from(no_arguments),
            pg_sys::Datum::from(schema),
            pg_sys::Datum::null(),
        )
    };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

impl Definer {
    /// # Safety
    /// The memory lives as long as what is made.
    pub unsafe fn of(function: pg_sys::Oid, memory: pg_sys::MemoryContext) -> Definer {
        // SAFETY: see above; errors unwind.
        unsafe {
            let info = pg_sys::MemoryContextAllocZero(memory, size_of::<pg_sys::FmgrInfo>()).cast();
            pg_sys::fmgr_info_cxt(function, info, memory);
            Definer(info)
        }
    }

    /// What goes wrong comes back, and is raised by whoever has called: an error that Postgres hands on from function to
    /// function through Rust would lose what only it knows.
    pub fn run<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let mut outcome = None;
        self.call(&mut || outcome = Some(work()));
        outcome.unwrap_or_else(|| Err(Error::Broken("a scan was not run".into())))
    }

    fn call(&self, work: &mut Work<'_>) {
        let work: *mut Work<'_> = work;
        // SAFETY: only the lifetime is another, and the function is called, and forgets the work, before this returns; the
        // function answers a boolean.
        unsafe {
            WORK.set(Some(std::mem::transmute::<*mut Work<'_>, *mut Work<'static>>(work)));
            pg_sys::FunctionCall0Coll(self.0, pg_sys::InvalidOid);
        }
    }
}

#[pg_extern(sql = false)]
fn _run_scan() -> Reported<bool> {
    let work = WORK
        .take()
        .ok_or_else(|| Error::Broken("nothing is to be run".into()))?;
    // SAFETY: set by whoever is calling this function, and alive until it returns.
    unsafe { (*work)() };
    Ok(true)
}
