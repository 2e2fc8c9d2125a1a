//! Locks that last until the transaction ends and that no SQL can take, so that nobody holds up another by one.

use pgrx::pg_sys;
use std::collections::BTreeSet;
use std::slice;
use timedb_core::lock::{number, number_of_share, share};
use uuid::Uuid;

/// What a lock is for: the number that tells it from an advisory lock of SQL, which has 1 or 2 there.
#[derive(Clone, Copy)]
#[repr(u16)]
pub enum For {
    Compacting = 3,
    /// Uploads that leave out what is unchanged.
    Polling = 5,
    /// What a tenant has beside versions, users and keys and series: made by some, and looked at as a whole by who erases it.
    Making = 6,
    /// Operators who erase a tenant.
    Erasing = 7,
    /// Whoever sets how long values are kept.
    Setting = 8,
    /// On a router, calls that write for tenants of one route, and who moves one of them.
    Moving = 9,
}

/// Waits until nobody else holds this lock of a tenant, and holds it until the transaction ends. A cancel, a timeout or a
/// deadlock unwinds from here.
pub fn hold(what: For, tenant: Uuid) {
    acquire(what, number(secret(), tenant), ALONE, Wait::Yes);
}

/// The same where nobody holds it now; if somebody does, answers false at once.
pub fn hold_if_free(what: For, tenant: Uuid) -> bool {
    acquire(what, number(secret(), tenant), ALONE, Wait::No)
}

/// The same together with others who hold it so: only who holds it by [`hold`] or [`hold_if_free`] is waited for.
pub fn hold_with_others(what: For, tenant: Uuid) {
    acquire(what, number(secret(), tenant), WITH_OTHERS, Wait::Yes);
}

/// The same where nobody holds it alone; if somebody does, answers false at once.
pub fn hold_with_others_if_free(what: For, tenant: Uuid) -> bool {
    acquire(what, number(secret(), tenant), WITH_OTHERS, Wait::No)
}

/// Gives back one that [`hold_with_others`] has taken in this very (sub)transaction, before it ends.
pub fn give_back(what: For, tenant: Uuid) {
    let tag = tag(what, number(secret(), tenant));
    // SAFETY: the tag is only read; this backend holds the lock.
    unsafe { pg_sys::LockRelease(&raw const tag, WITH_OTHERS, false) };
}

/// The same for some of a tenant's series: for the shares that they are in, in order, so that two who hold some wait for each
/// other in one direction only.
pub fn hold_shares(what: For, tenant: Uuid, series: impl Iterator<Item = Uuid>) {
    let shares: BTreeSet<u8> = series.map(share).collect();
    for share in shares {
        acquire(what, number_of_share(secret(), tenant, share), ALONE, Wait::Yes);
    }
}

const ALONE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
const WITH_OTHERS: pg_sys::LOCKMODE = pg_sys::ShareLock as pg_sys::LOCKMODE;

#[derive(PartialEq, Eq)]
enum Wait {
    Yes,
    No,
}

/// Whether it is held now.
fn acquire(what: For, key: u64, mode: pg_sys::LOCKMODE, wait: Wait) -> bool {
    let tag = tag(what, key);
    // SAFETY: the tag is of the method that it names, and is only read; this backend is in a transaction, which frees the lock.
    unsafe {
        let acquired = pg_sys::LockAcquire(&raw const tag, mode, false, wait == Wait::No);
        acquired != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }
}

fn tag(what: For, key: u64) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: reads a variable that is set when the backend starts.
        locktag_field1: unsafe { pg_sys::MyDatabaseId.to_u32() },
        locktag_field2: (key >> 32) as u32,
        locktag_field3: key as u32,
        locktag_field4: what as u16,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

/// A secret of this server, in no catalog and no function's answer: pg_locks is for everybody to read.
pub(super) fn secret() -> &'static [u8] {
    // SAFETY: so many bytes of the control file, which each backend has in memory as long as it lives. Postgres makes the salts
    // of roles that do not exist of them, by the same one-way function.
    unsafe {
        slice::from_raw_parts(
            pg_sys::GetMockAuthenticationNonce().cast(),
            pg_sys::MOCK_AUTH_NONCE_LEN as usize,
        )
    }
}
