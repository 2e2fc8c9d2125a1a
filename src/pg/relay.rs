//! Values of any type on their way between a router and its servers. PL/Proxy sends everything as text, which a time or a number is
//! longer made into and read from than looked up; so they go as one `bytea`, in the forms of Postgres' own binary protocol, and
//! texts as texts.

use super::datum::NullableDatum;
use crate::error::{Error, Result, SPLIT};
use pgrx::pg_sys;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int};
use timedb_core::points::Corrupt;
use timedb_core::relay::{Reader, Writer};

/// Past so many bytes of rows, what follows goes by itself: PL/Proxy makes two characters of each.
const MUCH: usize = 1 << 20;

/// More PL/Proxy cannot make a text of: two characters of each byte, in a gigabyte.
const MOST: usize = 500 << 20;

/// Of what is larger nothing is kept to compare the next row with.
const MOST_KEPT: usize = 64 << 10;

/// What a content begins with.
const BINARY: u8 = 0;
const TEXT: u8 = 1;

/// Which end of the way this is. A server's session has the encoding of the router's database, as PL/Proxy tells it; a router's has
/// that of its client, which is nothing to a server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Router,
    Server,
}

/// How values of a type go.
#[derive(Clone, Copy)]
struct Way {
    of: pg_sys::Oid,
    length: i16,
    by_value: bool,
    is_binary: bool,
    /// What makes bytes or a text of a value, and a value of them.
    outward: pg_sys::Oid,
    inward: pg_sys::Oid,
    parameter: pg_sys::Oid,
}

thread_local! {
    /// Of types that have been asked for: theirs are the same as long as there is the type.
    static WAYS: RefCell<HashMap<pg_sys::Oid, Way>> = RefCell::default();
}

impl Way {
    fn of(of: pg_sys::Oid) -> Way {
        if let Some(known) = WAYS.with_borrow(|ways| ways.get(&of).copied()) {
            return known;
        }
        let mut way = Way {
            of,
            length: 0,
            by_value: false,
            is_binary: is_binary(of),
            outward: pg_sys::InvalidOid,
            inward: pg_sys::InvalidOid,
            parameter: pg_sys::InvalidOid,
        };
        let mut is_varlena = false;
        // SAFETY: looks up the catalog, and raises an error where there is no such type.
        unsafe {
            pg_sys::get_typlenbyval(of, &mut way.length, &mut way.by_value);
            if way.is_binary {
                pg_sys::getTypeBinaryOutputInfo(of, &mut way.outward, &mut is_varlena);
                pg_sys::getTypeBinaryInputInfo(of, &mut way.inward, &mut way.parameter);
            } else {
                pg_sys::getTypeOutputInfo(of, &mut way.outward, &mut is_varlena);
                pg_sys::getTypeInputInfo(of, &mut way.inward, &mut way.parameter);
            }
        }
        WAYS.with_borrow_mut(|ways| ways.insert(of, way));
        way
    }

    /// The bytes of a value where it stands, which are the same if and only if it is stored alike.
    ///
    /// # Safety
    /// The datum is of the type.
    unsafe fn stored<'d>(&self, datum: pg_sys::Datum) -> &'d [u8] {
        // SAFETY: see above; a type's length says how its values are stored.
        unsafe {
            let start = datum.cast_mut_ptr::<u8>();
            let length = match self.length {
                -2 => CStr::from_ptr(start.cast()).count_bytes(),
                -1 => pgrx::varlena::varsize_any(start.cast()),
                length => length as usize,
            };
            std::slice::from_raw_parts(start, length)
        }
    }

    /// Shows the bytes of a content.
    ///
    /// # Safety
    /// The datum is of the type.
    unsafe fn send<T>(&self, datum: pg_sys::Datum, end: End, shown: impl FnOnce(u8, &[u8]) -> T) -> T {
        if is_word(self.of) {
            return shown(BINARY, &(datum.value() as u64).to_be_bytes());
        }
        // SAFETY: see above; what Postgres makes is palloc'd.
        unsafe {
            if self.of == pg_sys::BYTEAOID {
                // Its binary form, of which no copy is needed.
                let stored = datum.cast_mut_ptr::<pg_sys::varlena>();
                let whole = pg_sys::pg_detoast_datum_packed(stored);
                let answer = shown(BINARY, pgrx::varlena::varlena_to_byte_slice(whole));
                if whole != stored {
                    pg_sys::pfree(whole.cast());
                }
                answer
            } else if let Some(outward) = self.binary_outward(end) {
                let sent = pg_sys::OidSendFunctionCall(outward, datum);
                let answer = shown(BINARY, pgrx::varlena::varlena_to_byte_slice(sent));
                pg_sys::pfree(sent.cast());
                answer
            } else {
                let text = pg_sys::OidOutputFunctionCall(self.outward, datum);
                let told = match end {
                    End::Router => text,
                    End::Server => pg_sys::pg_server_to_client(text, CStr::from_ptr(text).count_bytes() as c_int),
                };
                let answer = shown(TEXT, CStr::from_ptr(told).to_bytes());
                pg_sys::pfree(text.cast());
                answer
            }
        }
    }

    /// What makes a value's binary form, unless it goes as a text.
    fn binary_outward(&self, end: End) -> Option<pg_sys::Oid> {
        if self.is_binary {
            return Some(self.outward);
        }
        // A key for each of thousands of values. Its binary form is in the encoding of whoever the session speaks with: on a server
        // that is the router, on a router the client, and so the database's only where both are the same.
        let is_in_own_encoding =
            // SAFETY: two numbers of the session's.
            || unsafe { end == End::Router && pg_sys::pg_get_client_encoding() == pg_sys::GetDatabaseEncoding() };
        (self.of == pg_sys::TEXTARRAYOID && is_in_own_encoding()).then_some(pg_sys::F_ARRAY_SEND.into())
    }

    /// What makes a value of its binary form, where it may come so.
    fn binary_inward(&self, end: End) -> Option<pg_sys::Oid> {
        if self.is_binary {
            return Some(self.inward);
        }
        (self.of == pg_sys::TEXTARRAYOID && end == End::Server).then_some(pg_sys::F_ARRAY_RECV.into())
    }

    /// The value of a content; Postgres' own functions look at every byte of it.
    fn receive(&self, content: &[u8], end: End) -> Result<pg_sys::Datum> {
        let (&form, content) = content.split_first().ok_or_else(broken)?;
        let binary = match form {
            BINARY => Some(self.binary_inward(end).ok_or_else(broken)?),
            TEXT if !self.is_binary => None,
            _ => return Err(broken()),
        };
        if self.of == pg_sys::FLOAT8OID {
            let word = content.try_into().map_err(|_| broken())?;
            return Ok(pg_sys::Datum::from(u64::from_be_bytes(word)));
        }
        if binary.is_none() && content.contains(&0) {
            return Err(broken());
        }
        // SAFETY: the copy ends with a zero byte that is not counted, as both kinds of functions expect.
        unsafe {
            let length = content.len();
            let copy = pg_sys::palloc(length + 1).cast::<u8>();
            std::ptr::copy_nonoverlapping(content.as_ptr(), copy, length);
            *copy.add(length) = 0;
            let value = match binary {
                Some(inward) => self.received(inward, copy.cast(), length as c_int)?,
                None => {
                    let text = heard(copy.cast(), length as c_int, end);
                    pg_sys::OidInputFunctionCall(self.inward, text, self.parameter, -1)
                }
            };
            pg_sys::pfree(copy.cast());
            Ok(value)
        }
    }

    /// # Safety
    /// There are as many bytes, and a zero behind them.
    unsafe fn received(&self, inward: pg_sys::Oid, bytes: *mut c_char, length: c_int) -> Result<pg_sys::Datum> {
        let mut message = pg_sys::StringInfoData {
            data: bytes,
            len: length,
            maxlen: length + 1,
            cursor: 0,
        };
        // SAFETY: see above.
        let value = unsafe { pg_sys::OidReceiveFunctionCall(inward, &mut message, self.parameter, -1) };
        // As of a value of another type, of which a part would do.
        if message.cursor != length {
            return Err(broken());
        }
        Ok(value)
    }
}

/// A text in this database's encoding, and valid in it.
///
/// # Safety
/// There are as many bytes, and a zero behind them.
unsafe fn heard(text: *mut c_char, length: c_int, end: End) -> *mut c_char {
    // SAFETY: see above; both raise an error where it is not valid.
    unsafe {
        match end {
            End::Router => {
                pg_sys::pg_verify_mbstr(pg_sys::GetDatabaseEncoding(), text, length, false);
                text
            }
            End::Server => pg_sys::pg_client_to_server(text, length),
        }
    }
}

/// Types in whose binary form there is no text, which would be in somebody's encoding.
fn is_binary(of: pg_sys::Oid) -> bool {
    matches!(
        of,
        pg_sys::BOOLOID
            | pg_sys::INT2OID
            | pg_sys::INT4OID
            | pg_sys::INT8OID
            | pg_sys::FLOAT8OID
            | pg_sys::TIMESTAMPTZOID
            | pg_sys::TIMEOID
            | pg_sys::INTERVALOID
            | pg_sys::UUIDOID
            | pg_sys::BYTEAOID
            | pg_sys::FLOAT8ARRAYOID
            | pg_sys::TIMESTAMPTZARRAYOID
            | pg_sys::UUIDARRAYOID
    )
}

/// Types whose binary form is that of the word that they are stored as.
fn is_word(of: pg_sys::Oid) -> bool {
    matches!(of, pg_sys::INT8OID | pg_sys::FLOAT8OID | pg_sys::TIMESTAMPTZOID)
}

fn broken() -> Error {
    Error::Broken("what a router and a server send each other cannot be read".into())
}

impl From<Corrupt> for Error {
    fn from(why: Corrupt) -> Error {
        Error::Broken(format!(
            "what a router and a server send each other cannot be read: {why}"
        ))
    }
}

/// What a column had in the row before.
#[derive(PartialEq, Eq)]
enum Before {
    /// Or nothing that is kept.
    Nothing,
    Null,
    Word(usize),
    Stored(Vec<u8>),
}

/// Rows on their way out.
pub struct Outward {
    ways: Vec<Way>,
    end: End,
    before: Vec<Before>,
    has_rows: bool,
    writer: Writer,
}

impl Outward {
    pub fn of(types: &[pg_sys::Oid], end: End) -> Outward {
        Outward {
            ways: types.iter().copied().map(Way::of).collect(),
            end,
            before: types.iter().map(|_| Before::Nothing).collect(),
            has_rows: false,
            writer: Writer::of(types.len()),
        }
    }

    /// # Safety
    /// The datums are of the types, each or null.
    pub unsafe fn put(&mut self, row: impl IntoIterator<Item = NullableDatum>) -> Result<()> {
        self.has_rows = true;
        self.writer.begin_row();
        row.into_iter().enumerate().try_for_each(|(column, datum)| {
            // SAFETY: see above.
            match unsafe { self.is_as_before(column, datum) } {
                true => Ok(()),
                // SAFETY: see above.
                false => unsafe { self.put_column(column, datum) },
            }
        })
    }

    /// Compares a column with that of the row before, and keeps it for the next.
    ///
    /// # Safety
    /// As [`Outward::put`].
    unsafe fn is_as_before(&mut self, column: usize, datum: NullableDatum) -> bool {
        let (way, before) = (self.ways[column], &mut self.before[column]);
        let now = match datum {
            None => Before::Null,
            Some(datum) if way.by_value => Before::Word(datum.value()),
            Some(datum) => {
                // SAFETY: as the caller's.
                let stored = unsafe { way.stored(datum) };
                match before {
                    Before::Stored(kept) if kept == stored => return true,
                    // Mostly the same room will do.
                    Before::Stored(kept) if stored.len() <= MOST_KEPT => {
                        kept.clear();
                        kept.extend_from_slice(stored);
                        return false;
                    }
                    _ if stored.len() <= MOST_KEPT => Before::Stored(stored.to_vec()),
                    _ => Before::Nothing,
                }
            }
        };
        let is_same = now == *before && now != Before::Nothing;
        *before = now;
        is_same
    }

    /// # Safety
    /// As [`Outward::put`].
    unsafe fn put_column(&mut self, column: usize, datum: NullableDatum) -> Result<()> {
        let Some(datum) = datum else {
            self.writer.null(column);
            return Ok(());
        };
        let what = match self.end {
            End::Router => "arguments",
            End::Server => "answer",
        };
        let writer = &mut self.writer;
        let put = |form: u8, content: &[u8]| {
            if writer.size() + content.len() > MOST {
                return Err(Error::TooLarge {
                    argument: what,
                    reason: format!("would be larger than the {} MB that a router passes on", MOST >> 20),
                    hint: SPLIT,
                });
            }
            writer.content(column, [&[form], content]).map_err(|_| Error::NoMemory)
        };
        // SAFETY: as the caller's.
        unsafe { self.ways[column].send(datum, self.end, put) }
    }

    /// Whether anything has been put since the last was taken.
    pub fn has_rows(&self) -> bool {
        self.has_rows
    }

    /// What has been put, once it is much.
    pub fn much(&mut self) -> Option<Vec<u8>> {
        (self.writer.size() > MUCH).then(|| self.take())
    }

    /// What has been put.
    pub fn take(&mut self) -> Vec<u8> {
        self.before.fill_with(|| Before::Nothing);
        self.has_rows = false;
        self.writer.take()
    }
}

/// Shows rows that have come, each as it is asked for.
pub struct Inward<'a> {
    reader: Reader<'a>,
    ways: Vec<Way>,
    end: End,
    row: Vec<NullableDatum>,
}

impl<'a> Inward<'a> {
    /// None where they are of another number of columns: then who sent them is of another version.
    pub fn of(bytes: &'a [u8], types: &[pg_sys::Oid], end: End) -> Result<Option<Inward<'a>>> {
        let reader = Reader::of(bytes)?;
        Ok((reader.columns() == types.len()).then(|| Inward {
            reader,
            ways: types.iter().copied().map(Way::of).collect(),
            end,
            row: vec![None; types.len()],
        }))
    }

    /// The next row, which stays until one is asked for again.
    pub fn next(&mut self) -> Result<Option<&[NullableDatum]>> {
        let Inward { reader, ways, end, row } = self;
        let is_there = reader.next_row::<Error>(|column, content| {
            let way = &ways[column];
            let new = content.map(|content| way.receive(content, *end)).transpose()?;
            let old = std::mem::replace(&mut row[column], new);
            if let (false, Some(old)) = (way.by_value, old) {
                // SAFETY: made for the row before, which nobody looks at any more.
                unsafe { pg_sys::pfree(old.cast_mut_ptr()) };
            }
            Ok(())
        })?;
        Ok(is_there.then_some(row))
    }

    pub fn is_at_end(&self) -> bool {
        self.reader.is_at_end()
    }
}
