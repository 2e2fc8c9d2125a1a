//! Any call of timedb's by way of a router: what it sends, and what the server does with it. The arguments of a call are one row,
//! its answer rows.

use crate::error::{Error, Reported, Result};
use crate::identity::{routed, shard};
use crate::pg::cancel::answer_cancel;
use crate::pg::datum::{Bind, Name, NullableDatum};
use crate::pg::relay::{End, Inward, Outward};
use crate::pg::result::{Returned, Tuplestore};
use crate::pg::statement::{Call, statements};
use pgrx::PgMemoryContexts;
use pgrx::prelude::*;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};

const ANOTHER_VERSION: &str = "another version of timedb";

/// The arguments of a call, on a router.
#[pg_extern(sql = false)]
fn _router_packed(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    // SAFETY: Postgres describes the call, and each of its arguments has a type.
    let packed = unsafe {
        let arguments = (*fcinfo).args.as_slice((*fcinfo).nargs as usize);
        let types: Vec<pg_sys::Oid> = (0..arguments.len() as i32)
            .map(|number| pg_sys::get_fn_expr_argtype((*fcinfo).flinfo, number))
            .collect();
        let mut outward = Outward::of(&types, End::Router);
        outward.put(arguments.iter().map(|one| (!one.isnull).then_some(one.value)))?;
        outward.take()
    };
    Ok(Returned::scalar::<&[u8]>(&packed))
}

/// The rows of an answer, on a router. That it has come is what the server has done: what writes has written, even where nobody here
/// understands what it says.
#[pg_extern(sql = false)]
fn _router_opened(packed: &[u8], fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    routed::answered();
    let mut store = Tuplestore::as_called(fcinfo);
    open(packed, &mut store).inspect_err(|error| routed::tell_the_log(&error.message(), None))?;
    Ok(store.close())
}

fn open(packed: &[u8], store: &mut Tuplestore) -> Result<()> {
    let rows = Inward::of(packed, &store.types(), End::Router)?;
    let mut rows = rows.ok_or_else(|| Error::ShardDiffers(ANOTHER_VERSION.into()))?;
    while let Some(row) = rows.next()? {
        // A row may be large, and its bytes few.
        answer_cancel();
        // SAFETY: they were made of these types.
        unsafe { store.put(row.iter().copied()) };
    }
    Ok(())
}

thread_local! {
    /// What this backend has called by way of a router, by the function that it was called by.
    static CALLS: RefCell<HashMap<pg_sys::Oid, &'static Call>> = RefCell::default();
}

statements! {
    /// The function that a call by way of a router is of: the one that has the name of what was called.
    CALLED(Name) -> (i64, String, i16) =
        c"SELECT p.oid::int8, format('timedb.%I', p.proname), p.pronargs
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
          WHERE n.nspname = 'timedb' AND p.prokind = 'f' AND p.proname = $1";
}

/// A call by the key that comes first, on a server: it acts by that key, for that call, and by nothing else.
#[pg_extern(sql = false)]
fn _shard_call(api_key: Option<&str>, packed: Option<&[u8]>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    shard::enter(api_key)?;
    // SAFETY: Postgres describes the call.
    let call = call_by(unsafe { (*(*fcinfo).flinfo).fn_oid })?;
    let arguments = arguments(packed.unwrap_or_default(), call)?;
    let mut store = Tuplestore::of_one_column(fcinfo, pg_sys::BYTEAOID)?;
    answer(call, arguments, &mut store)?;
    shard::leave();
    Ok(store.close())
}

fn call_by(function: pg_sys::Oid) -> Result<&'static Call> {
    if let Some(known) = CALLS.with_borrow(|calls| calls.get(&function).copied()) {
        return Ok(known);
    }
    let none = || Error::Broken("a router's call is of no function".into());
    // SAFETY: looks up a name, which is palloc'd.
    let name = unsafe {
        let name = pg_sys::get_func_name(function);
        if name.is_null() {
            return Err(none());
        }
        CStr::from_ptr(name).to_str().map_err(|_| none())?
    };
    let mut found = CALLED.read((name,))?;
    let (Some((target, name, count)), None) = (found.pop(), found.pop()) else {
        return Err(none());
    };
    let target = u32::try_from(target).map_err(|_| none())?;
    let types = types_of_arguments(target.into());
    let places: Vec<String> = (1..=count).map(|number| format!("${number}")).collect();
    let sql = format!("SELECT * FROM {name}({})", places.join(", "));
    let call: &'static Call = Box::leak(Box::new(Call::new(CString::new(sql).map_err(|_| none())?, types)));
    CALLS.with_borrow_mut(|calls| calls.insert(function, call));
    Ok(call)
}

fn types_of_arguments(function: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    // SAFETY: Postgres answers an array of so many; an error where there is no such function.
    unsafe {
        let (mut types, mut count) = (std::ptr::null_mut(), 0);
        pg_sys::get_func_signature(function, &mut types, &mut count);
        match usize::try_from(count) {
            Ok(count) if count > 0 => std::slice::from_raw_parts(types, count).to_vec(),
            _ => Vec::new(),
        }
    }
}

/// The one row that a router sends.
fn arguments(packed: &[u8], call: &Call) -> Result<Vec<NullableDatum>> {
    let types = call.types();
    let differs = || Error::ShardDiffers(ANOTHER_VERSION.into());
    let mut rows = Inward::of(packed, types, End::Server)?.ok_or_else(differs)?;
    let row = match rows.next()? {
        Some(row) => row.to_vec(),
        None if types.is_empty() => return Ok(Vec::new()),
        None => return Err(differs()),
    };
    match rows.is_at_end() {
        true => Ok(row),
        false => Err(differs()),
    }
}

fn answer(call: &Call, arguments: Vec<NullableDatum>, store: &mut Tuplestore) -> Result<()> {
    let mut outward: Option<Outward> = None;
    let mut put = |packed: Vec<u8>| {
        let packed = <&[u8]>::bind(&packed);
        // SAFETY: a bytea; the store copies it.
        unsafe {
            store.put([packed]);
            packed.into_iter().for_each(|made| pg_sys::pfree(made.cast_mut_ptr()));
        }
    };
    // What is made for one row: of some types more than their text.
    let mut scratch = PgMemoryContexts::new("timedb relay");
    let mut each = |types: &[pg_sys::Oid], values: &[pg_sys::Datum], nulls: &[bool]| {
        let rows = outward.get_or_insert_with(|| Outward::of(types, End::Server));
        let row = values.iter().zip(nulls);
        let row = row.map(|(value, is_null)| (!is_null).then_some(*value));
        // SAFETY: a row of these types; what is kept of it is no memory of Postgres'.
        unsafe {
            scratch.switch_to(|_| rows.put(row))?;
            scratch.reset();
        }
        rows.much().into_iter().for_each(&mut put);
        Ok(())
    };
    // SAFETY: the arguments were made of the types of the statement.
    unsafe { call.each_row(arguments, &mut each)? };
    if let Some(mut rows) = outward.filter(Outward::has_rows) {
        put(rows.take());
    }
    Ok(())
}
