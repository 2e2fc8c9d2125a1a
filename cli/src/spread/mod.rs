//! A tenant that goes from one of a router's servers to another, while others read it and nobody writes it.
//!
//! What has been done so far stands in the router's table `timedb_router.moved`, in one row: whoever begins again, after whatever
//! has happened, goes on from there. In this order, each committed by itself:
//!
//! 1. the row says where from and where to, and that calls that write are refused;
//! 2. the copy is there as a whole, and what was read at both has been compared;
//! 3. the row says that the tenant is at its new place, and that calls that write are taken;
//! 4. the tenant is gone at its old place;
//! 5. the row says no more, or is gone.

pub mod compare;
pub mod copy;
pub mod place;
pub mod router;
