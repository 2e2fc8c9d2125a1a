//! Since when there may be something of a tenant that nobody can see yet: each transaction that writes tells it, by a lock that
//! it holds until what it has written is to be seen.
//!
//! Before a version gets its change time, the transaction holds a lock whose tag says the tenant and an earlier moment. Postgres
//! lets go of a transaction's locks only once its commit is seen by new snapshots, and hands them over to what PREPARE
//! TRANSACTION leaves. So whoever reads the clock, and only then looks at the locks, knows a moment up to which nothing can
//! appear any more: whatever it does not see the lock of will get a later change time, or is to be seen.

use super::clock;
use super::lock::secret;
use super::timestamp::Timestamptz;
use pgrx::pg_sys;
use std::cell::RefCell;
use timedb_core::lock::number_in;
use uuid::Uuid;

/// That this transaction has told a moment: what it writes from here on is changed no earlier.
#[derive(Clone, Copy)]
pub struct Told(Timestamptz);

impl Told {
    pub fn moment(self) -> Timestamptz {
        self.0
    }
}

thread_local! {
    /// The tags that this session has told, of each tenant: a transaction of many calls, or one that logs in as several
    /// tenants by turns, takes one lock for each.
    static TOLD: RefCell<Vec<(Uuid, Tag)>> = const { RefCell::new(Vec::new()) };
}

/// Tells it, unless this transaction has already. To be called before the clock is read, and after whatever is waited for.
pub fn tell(tenant: Uuid) -> Told {
    let tag = TOLD.with_borrow_mut(|told| {
        // What has been rolled back, or has ended, is held no longer.
        told.retain(|(_, tag)| tag.is_held());
        told.iter().find(|(of, _)| *of == tenant).map(|(_, tag)| *tag)
    });
    let tag = tag.unwrap_or_else(|| {
        let tag = Tag::of(key(tenant), clock::now());
        tag.hold();
        TOLD.with_borrow_mut(|told| told.push((tenant, tag)));
        tag
    });
    Told(tag.moment())
}

/// A moment up to which nothing of the tenant can appear any more; none on a standby, which has no locks of those who write.
pub fn settled(tenant: Uuid) -> Option<Timestamptz> {
    // SAFETY: asks whether this server is one.
    if unsafe { pg_sys::RecoveryInProgress() } {
        return None;
    }
    // The clock first: who is not seen to write yet will read it later.
    let now = clock::now();
    let key = key(tenant);
    let told = locks().into_iter().map(Tag).filter(|tag| tag.is_of(key));
    let earliest = told.map(Tag::moment).min().map_or(now, |told| told.min(now));
    Some(Timestamptz(earliest.0 - 1))
}

/// Whether a transaction that writes for the tenant has told a moment and has not ended.
pub fn is_awaited(tenant: Uuid) -> bool {
    let key = key(tenant);
    locks().into_iter().any(|tag| Tag(tag).is_of(key))
}

/// 48 bits.
fn key(tenant: Uuid) -> u64 {
    // SAFETY: reads a variable that is set when a session begins.
    let database = unsafe { pg_sys::MyDatabaseId }.to_u32();
    number_in(secret(), database, tenant)
}

/// A lock of a kind that SQL cannot take, so that nobody but a writer of the tenant holds a moment back.
#[derive(Clone, Copy)]
struct Tag(pg_sys::LOCKTAG);

/// It conflicts with nothing that is taken: nobody ever waits for it.
const MODE: pg_sys::LOCKMODE = pg_sys::ShareLock as pg_sys::LOCKMODE;

impl Tag {
    fn of(key: u64, moment: Timestamptz) -> Tag {
        let moment = moment.0 as u64;
        Tag(pg_sys::LOCKTAG {
            locktag_field1: (key >> 16) as u32,
            locktag_field2: (moment >> 32) as u32,
            locktag_field3: moment as u32,
            locktag_field4: key as u16,
            locktag_type: pg_sys::LockTagType::LOCKTAG_USERLOCK as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        })
    }

    fn is_of(self, key: u64) -> bool {
        let Tag(tag) = self;
        tag.locktag_type == pg_sys::LockTagType::LOCKTAG_USERLOCK as u8
            && tag.locktag_lockmethodid == pg_sys::USER_LOCKMETHOD as u8
            && tag.locktag_field1 == (key >> 16) as u32
            && tag.locktag_field4 == key as u16
    }

    fn moment(self) -> Timestamptz {
        let Tag(tag) = self;
        Timestamptz(((u64::from(tag.locktag_field2) << 32) | u64::from(tag.locktag_field3)) as i64)
    }

    /// Until the transaction ends, or the savepoint that it was taken after is rolled back.
    fn hold(self) {
        // SAFETY: the tag is of the method that it names, and is only read; this backend is in a transaction, which frees the
        // lock. Where no further one fits into memory, an ERROR unwinds from here.
        unsafe { pg_sys::LockAcquire(&raw const self.0, MODE, false, false) };
    }

    fn is_held(&self) -> bool {
        // SAFETY: looks into this backend's own table of locks.
        unsafe {
            #[cfg(any(feature = "pg15", feature = "pg16"))]
            return pg_sys::LockHeldByMe(&raw const self.0, MODE);
            #[cfg(not(any(feature = "pg15", feature = "pg16")))]
            return pg_sys::LockHeldByMe(&raw const self.0, MODE, false);
        }
    }
}

/// The tags of all locks that anybody holds, prepared transactions too.
fn locks() -> Vec<pg_sys::LOCKTAG> {
    // SAFETY: Postgres answers a copy in this call's memory, of as many elements as it says.
    unsafe {
        let data = &*pg_sys::GetLockStatusData();
        let locks = (0..data.nelements as usize).map(|place| (*data.locks.add(place)).locktag);
        locks.collect()
    }
}
