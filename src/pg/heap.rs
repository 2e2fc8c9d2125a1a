//! What becomes of memory that has been given back.
//!
//! A read fills some megabytes and gives them back, and the C library gives them on to the system, past 128 kB at the end of the heap;
//! the next read takes every page of them anew. That was a third of what a flat read of a thousand runs cost.

use std::env;

/// So much at the end of the heap stays with the process.
const KEPT: i32 = 8 << 20;
/// What is larger is none of the heap, and is given back at once.
const LARGE: i32 = 4 << 20;

/// What an administrator says of this in the server's environment.
const SAID: [&str; 3] = ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"];

/// Called once, when the library is loaded.
pub fn keep_some() {
    if SAID.iter().any(|said| env::var_os(said).is_some()) {
        return;
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: two numbers, of the allocator's own; where it does not take them, nothing changes.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}
