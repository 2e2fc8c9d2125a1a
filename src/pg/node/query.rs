//! What the nodes of one execution of one statement have in common.

use crate::error::Result;
use pgrx::{PgMemoryContexts, pg_sys};
use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

thread_local! {
    static KEPT: RefCell<HashMap<Key, Rc<dyn Any>>> = RefCell::new(HashMap::new());
}

/// An execution, and the type of what is kept for it.
type Key = (usize, TypeId);

/// An execution of a statement: from its start to its end, however often and with whatever pauses rows are asked for.
#[derive(Clone, Copy)]
pub struct Query(*mut pg_sys::EState);

/// Forgets what was kept for an execution, when its memory goes.
struct Forget(Key);

impl Query {
    /// # Safety
    /// The state is that of an execution that has not ended.
    pub(super) unsafe fn of(state: *mut pg_sys::EState) -> Query {
        Query(state)
    }

    /// What was made for this execution, of this type; made at the first call, and the same in all nodes of the plan, whatever has changed
    /// in between.
    pub fn once<T: Clone + 'static>(self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let key = (self.0 as usize, TypeId::of::<T>());
        let kept = KEPT.with_borrow(|kept| kept.get(&key).cloned());
        if let Some(kept) = kept.and_then(|kept| kept.downcast_ref::<T>().cloned()) {
            return Ok(kept);
        }
        let made = make()?;
        // SAFETY: the execution has not ended, and its memory ends with it.
        unsafe { PgMemoryContexts::For((*self.0).es_query_cxt).leak_and_drop_on_delete(Forget(key)) };
        KEPT.with_borrow_mut(|kept| kept.insert(key, Rc::new(made.clone())));
        Ok(made)
    }
}

impl Drop for Forget {
    fn drop(&mut self) {
        KEPT.with_borrow_mut(|kept| kept.remove(&self.0));
    }
}
