//! Long work in Rust answers a cancel, a timeout or a shutdown only where it asks for one.

/// Called every few thousand rows; a cancel unwinds from here.
pub fn answer_cancel() {
    pgrx::check_for_interrupts!();
}
