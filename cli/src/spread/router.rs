//! The router: where it sends whoever asks for a tenant, and how that is changed.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use postgres::error::SqlState;
use postgres::{Client, Transaction};
use uuid::Uuid;

use super::place::Identity;
use crate::archive::session;
use crate::connection::Target;

/// Somebody else who is at work on the row holds it until the end; one who was killed, until the router has seen it.
const WAIT_FOR_THE_ROW: &str = "SET LOCAL lock_timeout = '10s'";
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

pub struct Router {
    pub client: Client,
    pub version: String,
    /// Who has connected.
    pub user: String,
}

/// What the router's table says of a tenant.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Where its route says.
    pub home: String,
    pub at: String,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Settled,
    /// Calls that write are refused; there may be a copy at its new place.
    Moving {
        to: Option<String>,
    },
    /// It has moved; there may be rows at its old place.
    Leaving {
        from: String,
    },
}

impl Router {
    pub fn connect(target: &Target) -> Result<Router> {
        let mut client = target.connect_to_any()?;
        let sql = "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timedb_router'";
        let Some(version) = client.query_opt(sql, &[])?.map(|row| row.get(0)) else {
            bail!(
                "the database has no timedb_router: move-tenant asks the router, which knows where tenants are\nHINT:  Between two databases without one, export and import move a tenant."
            );
        };
        session::settle(&mut client, "move-tenant")?;
        let user = client.query_one("SELECT current_user::text", &[])?.get(0);
        Ok(Router { client, version, user })
    }

    pub fn standing(&mut self, tenant: Uuid) -> Result<Standing> {
        let sql =
            "SELECT timedb_router._of_route(timedb_router._route_of_tenant($1)), m.conninfo, m.is_moving, m.also_in
                   FROM (VALUES (1)) AS one LEFT JOIN timedb_router.moved m ON m.tenant_id = $1";
        let row = self.client.query_one(sql, &[&tenant])?;
        let [home, at, also_in]: [Option<String>; 3] = [row.get(0), row.get(1), row.get(3)];
        let home = home.context("the router has no shards")?;
        let state = match (row.get::<_, Option<bool>>(2), also_in) {
            (Some(true), to) => State::Moving { to },
            (_, Some(from)) => State::Leaving { from },
            (_, None) => State::Settled,
        };
        Ok(Standing {
            at: at.unwrap_or_else(|| home.clone()),
            home,
            state,
        })
    }

    /// The databases that tenants are in, or have been in.
    pub fn places(&mut self) -> Result<Vec<String>> {
        let sql = "SELECT a FROM timedb_router._all() a UNION
                   SELECT m.also_in FROM timedb_router.moved m WHERE m.also_in IS NOT NULL ORDER BY 1";
        Ok(self.client.query(sql, &[])?.iter().map(|row| row.get(0)).collect())
    }

    /// Which database it is that the router itself reaches by these words, by both of its logins, and whether its log would show keys.
    pub fn reaches(&mut self, conninfo: &str) -> Result<(Identity, bool)> {
        let context = || format!("the router does not reach {conninfo}");
        let sql = "SELECT i.timedb_version, i.server, i.database, i.is_standby, i.logs_parameters
                   FROM timedb_router._identity_at($1) i";
        let row = self.client.query_one(sql, &[&conninfo]).with_context(context)?;
        // No key: whoever is asked there refuses it.
        let sql = "SELECT FROM timedb_router._ask_whoami($1, '')";
        match self.client.query_one(sql, &[&conninfo]) {
            Ok(_) => bail!("at {conninfo} nobody's key opens a tenant"),
            Err(error) if error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {}
            Err(error) => return Err(error).with_context(context),
        }
        let identity = Identity {
            timedb: row.get(0),
            server: row.get(1),
            database: row.get(2),
            is_standby: row.get(3),
        };
        Ok((identity, row.get(4)))
    }

    /// From here on calls that write for the tenant are refused.
    pub fn begin(&mut self, tenant: Uuid, from: &str, to: &str) -> Result<()> {
        let sql = "INSERT INTO timedb_router.moved AS m (tenant_id, route, conninfo, is_moving, also_in)
                   VALUES ($1, timedb_router._route_of_tenant($1), $2, true, $3)
                   ON CONFLICT (tenant_id) DO UPDATE SET is_moving = true, also_in = excluded.also_in, changed_at = pg_catalog.now()
                   WHERE NOT m.is_moving AND m.also_in IS NULL AND m.conninfo = excluded.conninfo";
        if self.client.execute(sql, &[&tenant, &from, &to])? == 0 {
            bail!("somebody else moves the tenant");
        }
        Ok(())
    }

    /// Waits for the calls that write and began before that.
    pub fn wait_for_writers(&mut self, tenant: Uuid, seconds: u32) -> Result<()> {
        let mut transaction = self.client.transaction()?;
        transaction.batch_execute(&format!("SET LOCAL lock_timeout = '{seconds}s'"))?;
        let sql = "SELECT timedb_router._wait_for_writers(timedb_router._route_of_tenant($1))";
        match transaction.execute(sql, &[&tenant]) {
            Ok(_) => Ok(transaction.rollback()?),
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => bail!(
                "a call that writes has not ended within {seconds} s, or its transaction on the router\nHINT:  pg_stat_activity on the router shows whose it is; --wait says how long to wait."
            ),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for statements of the router that may have been sent to the old place, until a deadline. Answers how many go on.
    pub fn wait_for_readers(&mut self, seconds: u32) -> Result<i64> {
        let now: String = self
            .client
            .query_one("SELECT pg_catalog.clock_timestamp()::text", &[])?
            .get(0);
        let sql = "SELECT count(*) FROM pg_catalog.pg_stat_activity a
                   WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
                     AND a.backend_type = 'client backend'
                     AND (a.state = 'active' AND a.query_start <= $1::text::timestamptz
                          OR a.backend_xmin IS NOT NULL AND a.xact_start <= $1::text::timestamptz)";
        let deadline = Instant::now() + Duration::from_secs(seconds.into());
        loop {
            let left = self.client.query_one(sql, &[&now])?.get(0);
            if left == 0 || Instant::now() > deadline {
                return Ok(left);
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// The tenant is nowhere else any more: where its route says, no row is needed.
    pub fn end(&mut self, tenant: Uuid, standing: &Standing) -> Result<()> {
        let mut transaction = self.client.transaction()?;
        settle(&mut transaction, tenant, standing)?;
        Ok(transaction.commit()?)
    }
}

/// Holds the row of a tenant that is being moved, so that nobody else takes it up, until the transaction ends.
pub fn hold<'c>(router: &'c mut Router, tenant: Uuid, to: Option<&str>) -> Result<Transaction<'c>> {
    let mut transaction = router.client.transaction()?;
    transaction.batch_execute(WAIT_FOR_THE_ROW)?;
    let sql = "SELECT m.is_moving AND m.also_in IS NOT DISTINCT FROM $2
               FROM timedb_router.moved m WHERE m.tenant_id = $1 FOR UPDATE";
    match transaction.query_opt(sql, &[&tenant, &to]) {
        Ok(Some(row)) if row.get(0) => Ok(transaction),
        Ok(_) => bail!("somebody else has moved the tenant meanwhile"),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            bail!("another timedb move-tenant is at work on this tenant")
        }
        Err(error) => Err(error.into()),
    }
}

/// The tenant is at its new place.
pub fn switch(mut held: Transaction, tenant: Uuid, from: &str, to: &str) -> Result<()> {
    let sql = "UPDATE timedb_router.moved m
               SET conninfo = $3, is_moving = false, also_in = $2, changed_at = pg_catalog.now()
               WHERE m.tenant_id = $1 AND m.is_moving AND m.conninfo = $2 AND m.also_in = $3";
    if held.execute(sql, &[&tenant, &from, &to])? != 1 {
        bail!("the router's row of the tenant is another's now");
    }
    Ok(held.commit()?)
}

/// The tenant stays where it is said to be, and is nowhere else.
pub fn settle(transaction: &mut Transaction, tenant: Uuid, standing: &Standing) -> Result<()> {
    let sql = if standing.at == standing.home {
        "DELETE FROM timedb_router.moved m WHERE m.tenant_id = $1 AND m.conninfo = $2"
    } else {
        "UPDATE timedb_router.moved m SET is_moving = false, also_in = NULL, changed_at = pg_catalog.now()
         WHERE m.tenant_id = $1 AND m.conninfo = $2"
    };
    transaction.execute(sql, &[&tenant, &standing.at])?;
    Ok(())
}
