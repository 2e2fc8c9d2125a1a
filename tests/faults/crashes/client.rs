//! A client at random: it uploads, updates, compacts and logs in, until it is told to stop or the server is gone; what became of
//! each write goes into the record that all clients of its tenant share.

mod writes;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use postgres::{Client, Error};
use rand::RngExt;
use rand::rngs::StdRng;
use timedb_testkit::{Database, Identity};
use uuid::Uuid;

use crate::record::Record;

/// What the clients of one tenant share.
pub struct Tenant {
    pub people: Identity,
    pub administrator: Identity,
    pub record: Mutex<Record>,
    pub keys: Mutex<Vec<Key>>,
}

/// A key whose making was acknowledged.
pub struct Key {
    pub id: Uuid,
    pub key: String,
    /// None where its end was asked for and the server went away.
    pub is_ended: Option<bool>,
}

/// What all clients share.
#[derive(Default)]
pub struct Signals {
    pub stop: AtomicBool,
    pub acknowledged: AtomicUsize,
}

/// Of names and values: no two are one.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// Why a client has ended before it was told to.
pub enum Gone {
    Server,
}

fn number() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Any other error is the end of the test.
#[track_caller]
fn gone(error: &Error) -> Gone {
    match error.as_db_error().map(|refusal| refusal.code().code()) {
        // What a backend says last, and what it says instead of letting somebody in.
        None | Some("57P01" | "57P02" | "57P03") => Gone::Server,
        Some(_) => panic!("a call fails: {error:?}"),
    }
}

pub fn or_gone<T>(result: Result<T, Error>) -> Result<T, Gone> {
    result.map_err(|error| gone(&error))
}

pub struct Player<'a> {
    pub database: &'a Database,
    pub tenant: &'a Tenant,
    pub signals: &'a Signals,
    pub random: StdRng,
    /// A series that nobody else writes to, whose uploads leave out what is unchanged.
    pub polled: String,
    client: Client,
}

impl<'a> Player<'a> {
    pub fn enter(
        database: &'a Database,
        tenant: &'a Tenant,
        signals: &'a Signals,
        number: usize,
        random: StdRng,
    ) -> Result<Self, Gone> {
        let client = connect(database)?;
        let polled = format!("polled by {number}");
        let mut player = Self {
            database,
            tenant,
            signals,
            random,
            polled,
            client,
        };
        player.login()?;
        Ok(player)
    }

    /// One operation after the other.
    pub fn play(&mut self) -> Result<(), Gone> {
        while !self.signals.stop.load(Ordering::Relaxed) {
            self.operation()?;
            self.signals.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Each with its weight.
    fn operation(&mut self) -> Result<(), Gone> {
        match self.random.random_range(0..100) {
            0..24 => self.upload(),
            24..31 => self.upload_points(),
            31..38 => self.upload_runs(),
            38..47 => self.poll(),
            47..65 => self.update(),
            65..73 => self.transaction(),
            73..80 => self.compact(),
            80..85 => self.log_in_anew(),
            85..92 => self.take_back(),
            92..95 => self.retain(),
            _ => self.keys(),
        }
    }

    fn compact(&mut self) -> Result<(), Gone> {
        let sql = "SELECT timedb.compact(older_than => '0')";
        or_gone(self.client.execute(sql, &[])).map(drop)
    }

    fn login(&mut self) -> Result<(), Gone> {
        let sql = "SELECT timedb.authenticate($1)";
        or_gone(self.client.execute(sql, &[&self.tenant.people.api_key])).map(drop)
    }

    fn log_in_anew(&mut self) -> Result<(), Gone> {
        match self.random.random_range(0..3) {
            0 => self.client = connect(self.database)?,
            1 => or_gone(self.client.batch_execute("SELECT timedb.logout()"))?,
            _ => {
                let refused = self.client.execute("SELECT timedb.authenticate('tdb_bad')", &[]);
                let error = refused.expect_err("it is no key");
                if error.code().is_none_or(|code| code.code() != "28000") {
                    return Err(gone(&error));
                }
            }
        }
        self.login()
    }

    fn administrator(&self) -> Result<Client, Gone> {
        let mut administrator = connect(self.database)?;
        let login = "SELECT timedb.authenticate($1)";
        or_gone(administrator.execute(login, &[&self.tenant.administrator.api_key]))?;
        Ok(administrator)
    }

    /// Has old values taken out.
    fn retain(&mut self) -> Result<(), Gone> {
        let sql = "SELECT timedb.apply_retention(dry_run => false)";
        or_gone(self.administrator()?.execute(sql, &[])).map(drop)
    }

    /// Withdraws a run, or restores one: it is this client's until it is acknowledged.
    fn take_back(&mut self) -> Result<(), Gone> {
        let restores = self.random.random_bool(0.4);
        let mut record = lock(&self.tenant.record);
        let from = match restores {
            true => &mut record.withdrawn,
            false => &mut record.targets,
        };
        if from.is_empty() {
            return Ok(());
        }
        let of = from.swap_remove(self.random.random_range(0..from.len()));
        drop(record);
        let verb = if restores { "restore_run" } else { "withdraw_run" };
        let answer = self
            .client
            .execute(&format!("SELECT timedb.{verb}($1, 'taken back')"), &[&of.run]);
        let mut record = lock(&self.tenant.record);
        match (answer, restores) {
            (Ok(_), true) => record.targets.push(of),
            (Ok(_), false) => record.withdrawn.push(of),
            (Err(error), _) => {
                record.perhaps_withdrawn.push(of);
                return Err(gone(&error));
            }
        }
        Ok(())
    }

    /// Makes a key, or ends one.
    fn keys(&mut self) -> Result<(), Gone> {
        let mut administrator = self.administrator()?;
        let standing = {
            let mut keys = lock(&self.tenant.keys);
            let standing = keys.iter_mut().rev().find(|key| key.is_ended == Some(false));
            // From here on nobody knows, until it is acknowledged.
            standing.filter(|_| self.random.random_bool(0.5)).map(|key| {
                key.is_ended = None;
                key.id
            })
        };
        let Some(id) = standing else {
            let name = format!("key {}", number());
            let sql = "SELECT key_id, api_key FROM timedb.create_key(user_id => $1, name => $2)";
            let row = or_gone(administrator.query_one(sql, &[&self.tenant.people.user_id, &name]))?;
            lock(&self.tenant.keys).push(Key {
                id: row.get(0),
                key: row.get(1),
                is_ended: Some(false),
            });
            return Ok(());
        };
        or_gone(administrator.execute("SELECT timedb.revoke_key($1)", &[&id]))?;
        let mut keys = lock(&self.tenant.keys);
        let key = keys.iter_mut().find(|key| key.id == id).expect("the key");
        key.is_ended = Some(true);
        Ok(())
    }
}

fn connect(database: &Database) -> Result<Client, Gone> {
    database
        .server()
        .connect("app", database.name())
        .map_err(|_| Gone::Server)
}
