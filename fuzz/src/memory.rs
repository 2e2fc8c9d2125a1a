//! How much memory a function takes: an allocator that counts for the thread it serves, and asks the system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// What came of a function, and the most bytes that it held at once beyond those held before.
pub fn most_taken<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = TAKEN.get();
    MOST.set(before);
    let outcome = run();
    (outcome, MOST.get().saturating_sub(before))
}

fn take(bytes: usize) {
    // What another thread gave is not known here: it wraps around, and back.
    let taken = TAKEN.get().wrapping_add(bytes);
    TAKEN.set(taken);
    MOST.set(MOST.get().max(taken));
}

fn give_back(bytes: usize) {
    TAKEN.set(TAKEN.get().wrapping_sub(bytes));
}

// SAFETY: everything is the system's; the counts are numbers of the thread, which neither allocate nor are dropped.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise is the system's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        give_back(layout.size());
        // SAFETY: the caller's promise is the system's.
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller's promise is the system's.
        unsafe { System.dealloc(place, layout) }
    }
}
