//! What statements see of what others have committed, where a function must choose the moment itself.

use pgrx::pg_sys;

/// All that is committed by now, as long as this lives, for statements that read with the caller's snapshot: the same for each
/// of them. Within REPEATABLE READ and above it is what the transaction sees anyway.
pub struct Latest(());

impl Latest {
    pub fn take() -> Latest {
        // SAFETY: within a function that Postgres has called, and so in a transaction.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        Latest(())
    }

    /// The same in every transaction: for where something is, which no transaction may go on looking for where it was. Not in a
    /// parallel query.
    pub fn even_where_the_transaction_sees_less() -> Latest {
        // SAFETY: as above; the snapshot is copied while it is pushed.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        Latest(())
    }
}

impl Drop for Latest {
    fn drop(&mut self) {
        // Where an ERROR unwinds, the (sub)transaction that it ends takes the snapshot off, and what is above it.
        if !std::thread::panicking() {
            // SAFETY: what was pushed above it has been popped by whoever pushed it.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}

/// Whether a row's xmin is of this transaction, or of a part of it.
pub fn is_own_transaction(xmin: i64) -> bool {
    let xmin = u32::try_from(xmin).unwrap_or_default();
    // SAFETY: compares with what this backend has in memory.
    unsafe { pg_sys::TransactionIdIsCurrentTransactionId(xmin.into()) }
}
