//! A server that a tenant is on, or is to come to: spoken to directly, as a superuser.

use anyhow::{Context, Result, bail};
use postgres::Client;
use uuid::Uuid;

use crate::archive::{arrival, session, tables};
use crate::connection::{self, Target};
use crate::failure::Usage;
use crate::progress::Progress;

/// What whoever writes the router's table must not say there.
const NOT_THE_ROUTERS: [&str; 5] = ["user", "password", "passfile", "service", "options"];

/// Which database something is, and what runs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub timedb: String,
    pub server: i64,
    pub database: u32,
    pub is_standby: bool,
}

impl Identity {
    pub fn is_same_database(&self, other: &Identity) -> bool {
        (self.server, self.database) == (other.server, other.database)
    }
}

pub struct Place {
    /// As the router's table has it.
    pub conninfo: String,
    pub client: Client,
    pub identity: Identity,
}

/// That it may stand in the router's table, which has no word of logins: the router has its own.
pub fn check_conninfo(conninfo: &str) -> Result<()> {
    let wrong = |what: &str| Err(Usage(format!("--to {what}, such as 'host=db4.example dbname=timedb'")).into());
    if conninfo.starts_with("postgres://") || conninfo.starts_with("postgresql://") {
        return wrong("takes libpq's words rather than an address");
    }
    let words = connection::words(conninfo)?;
    if let Some(word) = NOT_THE_ROUTERS
        .iter()
        .find(|word| words.iter().any(|(said, _)| said == *word))
    {
        return wrong(&format!(
            "says {word}, and the router has logins of its own (--target-dsn is for this command alone): it takes words without"
        ));
    }
    if !words.iter().any(|(word, _)| word == "dbname") {
        return wrong("names no dbname");
    }
    Ok(())
}

impl Place {
    /// By a connection string of its own, else as the user who has connected to the router.
    pub fn connect(conninfo: &str, dsn: Option<&str>, user: &str) -> Result<Place> {
        let user = user.replace('\\', "\\\\").replace('\'', "\\'");
        let dsn = dsn.map_or_else(|| format!("{conninfo} user='{user}'"), str::to_owned);
        let at = || format!("at {conninfo}");
        let mut client = Target::of(dsn).connect_to_tables("move-tenant").with_context(at)?;
        session::prepare(&mut client, "move-tenant").with_context(at)?;
        // What is written here is not to be lost once it is gone there.
        client.batch_execute(
            "SELECT pg_catalog.set_config('synchronous_commit', 'on', false)
             WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
             SET client_min_messages = warning",
        )?;
        let identity = identity(&mut client).with_context(at)?;
        if identity.is_standby {
            bail!("{} is a standby, where nothing can be written", conninfo);
        }
        Ok(Place {
            conninfo: conninfo.to_owned(),
            client,
            identity,
        })
    }

    /// A table with rows of the tenant, once nobody is bringing it any more.
    pub fn occupied(&mut self, tenant: Uuid) -> Result<Option<&'static str>> {
        let mut transaction = self.client.transaction()?;
        arrival::lock(&mut transaction, tenant)?;
        let found = tables::occupied(&mut transaction, tenant)?;
        transaction.commit()?;
        Ok(found)
    }

    /// The roles that act for the tenant here without a key, which do not come along.
    pub fn bindings(&mut self, tenant: Uuid) -> Result<Vec<String>> {
        let sql = "SELECT b.role_name || ' ' || b.scope FROM timedb.role_bindings b WHERE b.tenant_id = $1 ORDER BY 1";
        let rows = self.client.query(sql, &[&tenant])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Erases the tenant here, share by share.
    pub fn erase(&mut self, tenant: Uuid, progress: &Progress) -> Result<()> {
        // By functions that act as roles which policies are for.
        self.client.batch_execute("SET row_security = on")?;
        let sql =
            "SELECT users + keys + bindings + series + runs + value_count, remaining FROM timedb.erase_tenant($1)";
        let mut before = i64::MAX;
        loop {
            let row = self.client.query_one(sql, &[&tenant])?;
            let [gone, remaining]: [i64; 2] = [0, 1].map(|column| row.get(column));
            progress.say(format!("erasing at {}: {remaining} rows are left", self.conninfo));
            if remaining == 0 {
                break;
            }
            if remaining >= before && gone == 0 {
                bail!("at {} a transaction that is open holds the rest", self.conninfo);
            }
            before = remaining;
        }
        Ok(self.client.batch_execute("SET row_security = off")?)
    }
}

fn identity(client: &mut Client) -> Result<Identity> {
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = 'timedb_shard')";
    if !client.query_one(sql, &[])?.get::<_, bool>(0) {
        bail!("the database has no timedb_shard\nHINT:  CREATE EXTENSION timedb_shard; as a superuser there.");
    }
    let sql = "SELECT i.timedb_version, i.server, i.database, i.is_standby, e.extversion
               FROM timedb_shard.identity() i, pg_catalog.pg_extension e WHERE e.extname = 'timedb_shard'";
    let row = client.query_one(sql, &[])?;
    let [timedb, shard]: [String; 2] = [row.get(0), row.get(4)];
    if timedb != shard {
        bail!("the database has timedb {timedb} and timedb_shard {shard}\nHINT:  ALTER EXTENSION … UPDATE; there.");
    }
    Ok(Identity {
        timedb,
        server: row.get(1),
        database: row.get(2),
        is_standby: row.get(3),
    })
}
