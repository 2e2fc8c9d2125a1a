//! Locks that last until the transaction ends and that no SQL can take, so that nobody holds up another by one.

use pgrx::pg_sys;
use uuid::Uuid;

/// What a lock is for: the number that tells it from an advisory lock of SQL, which has 1 or 2 there.
#[derive(Clone, Copy)]
#[repr(u16)]
pub enum For {
    Compacting = 3,
}

/// Waits until nobody else holds this lock of a tenant, and holds it until the transaction ends. A cancel, a timeout or a
/// deadlock unwinds from here.
pub fn hold(what: For, tenant: Uuid) {
    // Ids that share a key wait for each other, and no more: those made by hand are often zero in one half.
    let (first, second) = tenant.as_u64_pair();
    let key = first.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ second;
    // SAFETY: the tag is of the method that it names, and is only read; this backend is in a transaction, which frees the lock.
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: pg_sys::MyDatabaseId.to_u32(),
            locktag_field2: (key >> 32) as u32,
            locktag_field3: key as u32,
            locktag_field4: what as u16,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        };
        pg_sys::LockAcquire(&raw const tag, pg_sys::ExclusiveLock as i32, false, false);
    }
}
