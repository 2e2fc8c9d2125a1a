//! How much of bodies is held at once: of all requests together, and of those of one tenant, so that none takes the room of all
//! others. What is small is not counted: there is a bound to how many clients are connected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::Notify;
use uuid::Uuid;

use super::failure::Failure;

/// How long a body whose length is known waits for room. Nothing of it is here yet: what waits holds nothing.
const WAIT: Duration = Duration::from_secs(2);

pub struct Room {
    /// In bytes.
    all: usize,
    of_one: usize,
    held: Mutex<Held>,
    is_left: Notify,
}

#[derive(Default)]
struct Held {
    all: usize,
    of: HashMap<Uuid, usize>,
}

impl Room {
    /// For one tenant half of it, or what the largest body needs.
    pub fn of(all: usize, largest: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            of_one: largest.max(all / 2),
            held: Mutex::default(),
            is_left: Notify::new(),
        })
    }

    pub async fn place(self: &Arc<Self>, tenant: Uuid, bytes: usize) -> Result<Place, Failure> {
        let mut place = Place {
            room: Arc::clone(self),
            tenant,
            bytes: 0,
        };
        let taken = async {
            loop {
                let left = self.is_left.notified();
                if place.take(bytes) {
                    return;
                }
                left.await;
            }
        };
        tokio::time::timeout(WAIT, taken).await.map_err(|_| full())?;
        Ok(place)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "the server holds as many bodies as it may at once: send it again",
    )
}

/// Room that a body has, until this is dropped.
pub struct Place {
    room: Arc<Room>,
    tenant: Uuid,
    bytes: usize,
}

impl Place {
    /// For a body that turns out to be so large. It does not wait: two that each wait for what the other holds would both wait
    /// for nothing.
    pub fn reach(&mut self, bytes: usize) -> Result<(), Failure> {
        match self.take(bytes.saturating_sub(self.bytes)) {
            true => Ok(()),
            false => Err(full()),
        }
    }

    fn take(&mut self, more: usize) -> bool {
        let mut held = self.room.held();
        let of_one = held.of.get(&self.tenant).copied().unwrap_or_default();
        if held.all + more > self.room.all || of_one + more > self.room.of_one {
            return false;
        }
        held.all += more;
        held.of.insert(self.tenant, of_one + more);
        self.bytes += more;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.room.held();
        held.all -= self.bytes;
        let of_one = held.of.get(&self.tenant).copied().unwrap_or_default() - self.bytes;
        match of_one {
            0 => held.of.remove(&self.tenant),
            left => held.of.insert(self.tenant, left),
        };
        drop(held);
        self.room.is_left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(room: &Arc<Room>, tenant: u128) -> Place {
        Place {
            room: Arc::clone(room),
            tenant: Uuid::from_u128(tenant),
            bytes: 0,
        }
    }

    #[test]
    fn one_tenant_has_half_of_the_room_and_gives_it_back() {
        let room = Room::of(100, 40);
        let (mut first, mut second, mut others) = (place(&room, 1), place(&room, 1), place(&room, 2));
        assert!(first.reach(40).is_ok() && second.reach(10).is_ok());
        assert!(second.reach(11).is_err());
        assert!(others.reach(50).is_ok());
        assert!(place(&room, 3).reach(1).is_err());
        drop(first);
        assert!(second.reach(50).is_ok());
        drop((second, others));
        assert!(room.held().all == 0 && room.held().of.is_empty());
    }

    #[test]
    fn the_largest_body_has_room_whatever_half_of_it_is() {
        let room = Room::of(100, 90);
        let mut large = place(&room, 1);
        assert!(large.reach(90).is_ok() && large.reach(91).is_err());
    }
}
