//! The connections to the database: how many, how each begins, how it is given back.
//!
//! A login is of one transaction, so nothing of it is left when that has ended. Where a transaction ended otherwise than by
//! its own end (an error, a client that went away, a time that ran out) the connection is made anew or closed. It is never
//! reset by DISCARD ALL or the like, which would end what [`role`] has made of the session.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use tokio::sync::RwLock;
use tokio_postgres::CancelToken;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Options;
use super::catalog::{Catalog, Function};
use super::failure::Failure;
use super::role::{self, Chosen, WEB};
use super::room::Room;
use crate::connection::Reach;

/// How long a request waits for a connection that others have, and for one that is made.
const WAIT: Duration = Duration::from_secs(10);
/// How many statements a session prepares before it starts anew: functions have many arguments that may be given or not.
const STATEMENTS: usize = 200;

pub struct Database {
    pool: Pool,
    tls: MakeRustlsConnect,
    /// Who `session_user` must be.
    pub role: String,
    is_assumed: bool,
    catalog: RwLock<Arc<Catalog>>,
    pub max_body: usize,
    pub room: Arc<Room>,
    pub body_timeout: Duration,
    pub timeout: Duration,
}

impl Database {
    pub async fn of(options: &Options, reach: &Reach) -> Result<Self> {
        let chosen = role::choose(reach).await?;
        let tls = reach.tls.clone();
        let pool = pool(options, &chosen, tls.clone())?;
        let database = Self {
            pool,
            tls,
            role: chosen.role,
            is_assumed: chosen.is_assumed,
            catalog: RwLock::default(),
            max_body: options.max_body,
            room: Room::of(options.body_memory, options.max_body),
            body_timeout: options.body_timeout,
            timeout: options.timeout,
        };
        database
            .read_catalog()
            .await
            .context("the functions cannot be listed")?;
        tracing::info!("asking as \"{}\"", database.role);
        Ok(database)
    }

    pub async fn lease(&self) -> Result<Lease, Failure> {
        let object = self.pool.get().await.map_err(|error| refused(&error))?;
        Ok(Lease {
            cancel: object.cancel_token(),
            object: Some(object),
            tls: self.tls.clone(),
            is_assumed: self.is_assumed,
        })
    }

    pub async fn answers(&self) -> bool {
        let asked = async {
            let lease = self.lease().await.ok()?;
            lease.batch_execute("SELECT").await.ok()?;
            lease.give_back(true).await;
            Some(())
        };
        matches!(tokio::time::timeout(WAIT, asked).await, Ok(Some(())))
    }

    pub async fn catalog(&self) -> Arc<Catalog> {
        let catalog = Arc::clone(&*self.catalog.read().await);
        if !catalog.is_stale() {
            return catalog;
        }
        // An old one is better than none.
        self.read_catalog().await.unwrap_or(catalog)
    }

    pub async fn function(&self, name: &str) -> Option<Arc<Function>> {
        self.catalog().await.function(name)
    }

    async fn read_catalog(&self) -> Result<Arc<Catalog>, anyhow::Error> {
        let lease = self.lease().await.map_err(|failure| anyhow::anyhow!(failure.message))?;
        let catalog = Arc::new(Catalog::of(&lease).await?);
        lease.give_back(true).await;
        *self.catalog.write().await = Arc::clone(&catalog);
        Ok(catalog)
    }
}

fn pool(options: &Options, chosen: &Chosen, tls: MakeRustlsConnect) -> Result<Pool> {
    let fast = ManagerConfig {
        // Never `Clean`: see the head of the file.
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(chosen.config.clone(), tls, fast);
    let beginning: Arc<str> = beginning(options.timeout, chosen.is_assumed).into();
    let begin = Hook::async_fn(move |client: &mut ClientWrapper, _| {
        let beginning = Arc::clone(&beginning);
        Box::pin(async move { client.batch_execute(&beginning).await.map_err(HookError::Backend) })
    });
    Pool::builder(manager)
        .max_size(options.connections)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(WAIT))
        .post_create(begin)
        .build()
        .context("no connections")
}

/// What a session begins with. Answers are in UTC; names are looked for in Postgres alone.
fn beginning(timeout: Duration, is_assumed: bool) -> String {
    let timeout = timeout.as_millis();
    let mut sql = format!(
        "SET search_path = pg_catalog, pg_temp; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; \
         SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1; \
         SET client_min_messages = 'warning'; SET statement_timeout = {timeout}; \
         SET idle_in_transaction_session_timeout = {timeout}; "
    );
    if is_assumed {
        sql.push_str(&format!("SET SESSION AUTHORIZATION {WEB}; "));
    }
    sql
}

fn refused(error: &PoolError) -> Failure {
    match error {
        PoolError::Timeout(_) => tracing::warn!("no connection to the database was free, or could be made, in time"),
        other => tracing::error!("no connection to the database: {other}"),
    }
    Failure::away()
}

/// A connection that is ours alone. Dropped, it is closed, and what it is at is cancelled: to be used again it must be given
/// back, by somebody who knows that its transaction has ended.
pub struct Lease {
    object: Option<Object>,
    cancel: CancelToken,
    tls: MakeRustlsConnect,
    is_assumed: bool,
}

impl std::ops::Deref for Lease {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        self.object
            .as_ref()
            .expect("it is there until it is given back or dropped")
    }
}

impl Lease {
    /// After a transaction that has ended. Where something went wrong in it, or the session was another's, whatever might
    /// be left of a login is ended too.
    pub async fn give_back(mut self, all_is_well: bool) {
        if self.statement_cache.size() > STATEMENTS {
            return;
        }
        if (!all_is_well || self.is_assumed) && self.batch_execute("SELECT timedb.logout()").await.is_err() {
            return;
        }
        drop(self.object.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        // The pool makes another one.
        let client = Object::take(object);
        let (cancel, tls) = (self.cancel.clone(), self.tls.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                cancel.cancel_query(tls).await.ok();
                drop(client);
            });
        }
    }
}
