//! An update of a server that is used, from the library that a release was shipped with: what the sessions that have loaded it see,
//! and that nothing is lost. `scripts/released.sh` builds that library; `make test` runs this.

mod load;
mod sessions;
mod support;
