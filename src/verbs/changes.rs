//! What has changed since: `settled_time`.

use crate::error::{Error, Reported};
use crate::identity::session::Session;
use crate::pg::moment;
use crate::pg::result::Returned;
use crate::pg::timestamp::Timestamptz;
use pgrx::prelude::*;

/// Who writes tells it on the primary alone.
const ON_A_STANDBY: Error = Error::Unsupported {
    what: "a standby does not know what is settled",
    hint: "Ask the primary.",
};

#[pg_extern(sql = false)]
fn settled_time() -> Reported<Returned> {
    let identity = Session::now().required()?;
    let settled = moment::settled(identity.tenant).ok_or(ON_A_STANDBY)?;
    Ok(Returned::scalar::<Timestamptz>(settled))
}
