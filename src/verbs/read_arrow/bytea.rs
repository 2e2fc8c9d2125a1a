//! A `bytea` that is written where Postgres will look at it.

use pgrx::pg_sys;
use std::io;
use std::mem::MaybeUninit;

const HEADER: usize = size_of::<u32>();

/// The bytes of a stream at which it gets no further row. What a last row adds (an annotation, a hundred tags), a row of
/// Postgres around it and a message to the client are well within what is left of the gigabyte that is allocated at most.
pub const MOST_BYTES: usize = 0x3fff_ffff - (1 << 17);

/// One that is being written into this room, of whole words.
pub struct Bytea<'m> {
    room: &'m mut [MaybeUninit<u64>],
    length: usize,
}

/// Room for one after the other.
#[derive(Default)]
pub struct Room(Vec<MaybeUninit<u64>>);

impl Bytea<'_> {
    /// One with room for so many bytes in the caller's memory.
    pub fn palloc<'m>(bytes: usize) -> Bytea<'m> {
        let words = words(bytes);
        // SAFETY: allocates so many words, aligned as any, or raises an error; nobody else has them.
        let room = unsafe {
            let start = pg_sys::palloc(words * size_of::<u64>()).cast();
            std::slice::from_raw_parts_mut(start, words)
        };
        ask_for_huge_pages(room);
        Bytea { room, length: HEADER }
    }

    /// Points to where it was written.
    pub fn datum(self) -> pg_sys::Datum {
        let start = self.room.as_mut_ptr();
        // SAFETY: there is room for the header, at least.
        unsafe { pgrx::varlena::set_varsize_4b(start.cast(), self.length as i32) };
        pg_sys::Datum::from(start)
    }
}

impl Room {
    /// A bytea with room for so many bytes, where the one before was.
    pub fn bytea(&mut self, bytes: usize) -> Bytea<'_> {
        let words = words(bytes);
        if words > self.0.len() {
            // What is there need not be copied.
            self.0 = Vec::new();
            self.0.reserve_exact(words);
            // SAFETY: there is room for as many, and none of them need be anything.
            unsafe { self.0.set_len(words) };
            ask_for_huge_pages(&mut self.0);
        }
        Bytea {
            room: &mut self.0,
            length: HEADER,
        }
    }
}

/// Where the system gives them to who asks: for pages of 4 KB it is called thousands of times, which takes longer than writing
/// them. Only of what is so large that the allocator maps it by itself, and unmaps it when it is freed.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages(room: &mut [MaybeUninit<u64>]) {
    const PAGE: usize = 2 << 20;
    const MAPPED_FROM: usize = 32 << 20;
    let (start, bytes) = (room.as_mut_ptr(), size_of_val(room));
    let skipped = start.addr().next_multiple_of(PAGE) - start.addr();
    if bytes > MAPPED_FROM {
        let whole = (bytes - skipped) / PAGE * PAGE;
        // SAFETY: within the room, and what is in it stays; that it is refused does not matter.
        unsafe { libc::madvise(start.byte_add(skipped).cast(), whole, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_: &mut [MaybeUninit<u64>]) {}

fn words(bytes: usize) -> usize {
    (HEADER + bytes).div_ceil(size_of::<u64>())
}

impl io::Write for Bytea<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > size_of_val(self.room) - self.length {
            return Err(io::ErrorKind::WriteZero.into());
        }
        // SAFETY: there is room for these bytes behind what has been written.
        unsafe {
            let end = self.room.as_mut_ptr().cast::<u8>().add(self.length);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), end, bytes.len());
        }
        self.length += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
