//! The arguments of a call, as the function is declared: a release may have declared it with fewer.

use super::datum::{NullableDatum, split};
use super::tuple::FetchAll;
use crate::error::{Error, Result};
use pgrx::pg_sys;

pub struct Arguments {
    types: Vec<pg_sys::Oid>,
    values: Vec<NullableDatum>,
}

impl Arguments {
    pub fn of(fcinfo: pg_sys::FunctionCallInfo) -> Arguments {
        // SAFETY: Postgres describes the call, with as many arguments as the catalog says that the function has.
        unsafe {
            let (mut types, mut count) = (std::ptr::null_mut(), 0);
            pg_sys::get_func_signature((*(*fcinfo).flinfo).fn_oid, &mut types, &mut count);
            let count = usize::try_from(count).map_or(0, |count| count.min((*fcinfo).nargs as usize));
            let given = (*fcinfo).args.as_slice(count).iter();
            Arguments {
                types: std::slice::from_raw_parts(types, count).to_vec(),
                values: given.map(|one| (!one.isnull).then_some(one.value)).collect(),
            }
        }
    }

    /// Whether these are their types.
    pub fn are<A: FetchAll>(&self) -> bool {
        A::are(&self.types)
    }

    /// What is passed on as it came stays as long as the call.
    pub fn fetch<A: FetchAll>(&self) -> Result<A::Fetched<'_>> {
        let broken = || Error::Broken("a function is declared with other arguments than the library has".into());
        if !self.are::<A>() {
            return Err(broken());
        }
        let (values, nulls) = split(self.values.iter().copied());
        // SAFETY: the types have been compared.
        unsafe { A::fetch(&values, &nulls) }.map_err(|_| broken())
    }
}
