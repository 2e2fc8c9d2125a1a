//! Whose rows a session may see and change: the settings that only a login sets, whether what they say still stands, and the
//! ways in. What policies believe is decided here.

mod credential;
pub mod http;
pub mod limits;
mod log;
mod login;
mod reset;
pub mod routed;
pub mod session;
pub mod settings;
pub mod shard;
pub mod standing;

/// Defines the settings and puts up the hooks; called once, when the library is loaded.
pub fn define() {
    settings::define();
    credential::define();
    log::define();
    limits::define();
    settings::reserve_prefix();
    reset::watch();
    routed::define();
}
