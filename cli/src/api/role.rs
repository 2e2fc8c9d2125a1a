//! As whom the server asks: a plain member of `timedb_caller`, whatever the DSN says.
//!
//! A superuser, an owner, an operator could do more for whoever found a way to make the server ask for it. Given the DSN of
//! one, the server connects again as `timedb_web`, and where it is not let in, takes that role's place in its own session.
//! `RESET`, `DISCARD ALL` and `SET SESSION AUTHORIZATION DEFAULT` would bring the superuser back: nothing here says them, no
//! function of timedb can, and every transaction asks first whose session it is in.

use anyhow::{Context, Result, bail};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connection::Reach;

/// What `timedb create tables` makes for this server.
pub const WEB: &str = "timedb_web";

/// What every session of the pool is.
pub struct Chosen {
    pub config: Config,
    /// Who `session_user` is.
    pub role: String,
    /// Whether the session was somebody else's, and became the role's.
    pub is_assumed: bool,
}

pub async fn choose(reach: &Reach) -> Result<Chosen> {
    let (client, config) = first(reach).await?;
    let tls = reach.tls.clone();
    require_timedb(&client).await?;
    let (role, excess) = judged(&client).await?;
    if excess.is_empty() {
        return Ok(Chosen {
            config,
            role,
            is_assumed: false,
        });
    }
    tracing::warn!(
        "\"{role}\" may do more than a server should ({}): it asks as \"{WEB}\" instead",
        excess.join(", ")
    );
    if !exists(&client).await? {
        bail!(
            "there is no role \"{WEB}\" to ask as: timedb create tables makes it, and in front of a router \
             CREATE ROLE {WEB} LOGIN IN ROLE timedb_caller"
        );
    }
    match again(&config, tls).await? {
        Some(config) => Ok(Chosen {
            config,
            role: WEB.to_owned(),
            is_assumed: false,
        }),
        None => assumed(client, config, &role).await,
    }
}

/// As `timedb_web` from the beginning, if it is let in: by the password that `timedb create tables` took from the environment,
/// too, never by that of the DSN, which is another role's.
async fn again(config: &Config, tls: MakeRustlsConnect) -> Result<Option<Config>> {
    let mut web = config.clone();
    if config.get_dbname().is_none()
        && let Some(user) = config.get_user()
    {
        web.dbname(user);
    }
    web.user(WEB)
        .password(std::env::var("TIMEDB_WEB_PASSWORD").unwrap_or_default());
    match connect(&web, tls).await {
        Ok(client) => {
            require_plain(&client).await?;
            Ok(Some(web))
        }
        Err(_) => Ok(None),
    }
}

async fn assumed(client: Client, config: Config, role: &str) -> Result<Chosen> {
    tracing::warn!(
        "\"{WEB}\" is not let in: each session of \"{role}\" takes its place; better give \"{WEB}\" a password, and its DSN"
    );
    client
        .batch_execute(&format!("SET SESSION AUTHORIZATION {WEB}"))
        .await
        .with_context(|| format!("\"{WEB}\" is not let in, and \"{role}\" cannot take its place"))?;
    require_plain(&client).await?;
    Ok(Chosen {
        config,
        role: WEB.to_owned(),
        is_assumed: true,
    })
}

/// The first way in which the server can be spoken to.
async fn first(reach: &Reach) -> Result<(Client, Config)> {
    let mut refused = None;
    for attempt in reach.attempts {
        let mut config = reach.config.clone();
        config.ssl_mode(attempt.mode());
        if config.get_application_name().is_none_or(|name| name == "timedb") {
            config.application_name("timedb api");
        }
        match connect(&config, reach.tls.clone()).await {
            Ok(client) => return Ok((client, config)),
            // Of several refusals the first is the one that tells.
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match refused {
        Some(error) => Err(error).context("no connection"),
        None => bail!("no connection"),
    }
}

async fn connect(config: &Config, tls: MakeRustlsConnect) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn require_timedb(client: &Client) -> Result<()> {
    // A router's functions are the same.
    let installed = "SELECT FROM pg_catalog.pg_extension \
                     WHERE extname OPERATOR(pg_catalog.=) ANY (ARRAY['timedb', 'timedb_router']::pg_catalog.name[])";
    if client.query_opt(installed, &[]).await?.is_none() {
        bail!("the database has no timedb: timedb create tables makes it");
    }
    Ok(())
}

async fn exists(client: &Client) -> Result<bool> {
    let role =
        "SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name";
    Ok(client.query_opt(role, &[&WEB]).await?.is_some())
}

async fn require_plain(client: &Client) -> Result<()> {
    let (role, excess) = judged(client).await?;
    if !excess.is_empty() {
        bail!(
            "\"{role}\" may do more than a server should ({}): it should be a member of timedb_caller alone",
            excess.join(", ")
        );
    }
    Ok(())
}

/// Who the session is, and what it may do beyond calling timedb's functions. That it may call them is looked at too: without,
/// every request would be refused.
async fn judged(client: &Client) -> Result<(String, Vec<String>)> {
    const EXCESS: &str = "
        SELECT 'it is a superuser' WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
        UNION ALL
        SELECT 'BYPASSRLS, CREATEROLE or REPLICATION of ' || quote_ident(rolname) FROM pg_roles
        WHERE (rolbypassrls OR rolcreaterole OR rolreplication) AND NOT rolsuper AND pg_has_role(session_user, oid, 'MEMBER')
        UNION ALL
        SELECT 'a member of ' || quote_ident(rolname) FROM pg_roles
        WHERE rolname <> session_user AND pg_has_role(session_user, oid, 'MEMBER')
          AND (rolsuper OR rolname LIKE 'pg\\_%' OR rolname IN ('timedb_user', 'timedb_admin')
               OR oid IN (SELECT proowner FROM pg_proc WHERE pronamespace = 'timedb'::regnamespace)
               OR oid IN (SELECT relowner FROM pg_class WHERE relnamespace = 'timedb'::regnamespace))
        UNION ALL
        SELECT 'may use the table ' || quote_ident(relname) FROM pg_class
        WHERE relnamespace = 'timedb'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
          AND (has_table_privilege(session_user, oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
               OR has_any_column_privilege(session_user, oid, 'SELECT, INSERT, UPDATE'))";
    client.batch_execute("SET search_path = pg_catalog, pg_temp").await?;
    let row = client
        .query_one(
            "SELECT session_user::text, has_schema_privilege('timedb', 'USAGE') \
                    AND has_function_privilege('timedb.authenticate(text, boolean)', 'EXECUTE')",
            &[],
        )
        .await?;
    let (role, may_call): (String, bool) = (row.get(0), row.get(1));
    if !may_call {
        bail!("\"{role}\" is no member of timedb_caller: GRANT timedb_caller TO \"{role}\" makes it one");
    }
    let excess: Vec<String> = client.query(EXCESS, &[]).await?.iter().map(|row| row.get(0)).collect();
    // Of a superuser all else follows.
    let first = if excess.first().is_some_and(|why| why == "it is a superuser") {
        1
    } else {
        3
    };
    Ok((role, excess.into_iter().take(first).collect()))
}
