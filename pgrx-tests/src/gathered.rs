//! For tests alone: in a router's databases, a superuser sees and changes the tables of all shards as if they were one server's.
//! Tables of the same names, whose children are the shards' own; a row that is inserted goes to where its tenant is. They are the
//! superuser's and granted to nobody. What has a type of timedb's, which a router has not, is text here.

use anyhow::{Context, Result};
use postgres::Client;

use crate::server::{PORT, SUPERUSER, Server, TEMPLATE};

/// The tables and views of a timedb with their columns, in the types that a router has.
const RELATIONS: &str = "
    SELECT c.relname::text, c.relkind = 'v',
           string_agg(format('%I %s', a.attname, CASE t.typnamespace WHEN 'timedb'::regnamespace THEN 'text'
                                                 ELSE format_type(a.atttypid, a.atttypmod) END)
                      || CASE WHEN d.oid IS NULL OR a.attgenerated <> '' THEN ''
                              ELSE ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END, ', ' ORDER BY a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> 'maintenance'
    GROUP BY c.oid ORDER BY c.relname";

/// Where a row's tenant is, by what the router says; the first of them, where it is of none.
const INSERT: &str = "
    CREATE SCHEMA gathered;
    CREATE FUNCTION gathered.insert() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      tenant CONSTANT uuid := to_jsonb(NEW) ->> 'tenant_id';
      its CONSTANT text := coalesce(timedb_router._of_tenant(tenant), timedb_router._of_route(0));
      server name;
    BEGIN
      SELECT s.srvname INTO STRICT server FROM pg_foreign_server s, pg_options_to_table(s.srvoptions) o
      WHERE o.option_name = 'host' AND starts_with(its, format('host=%s ', o.option_value));
      EXECUTE format('INSERT INTO %I.%I SELECT ($1).*', server, TG_TABLE_NAME) USING NEW;
      RETURN NULL;
    END
    $$";

/// Makes them in the template that the router's databases are copies of.
pub(crate) fn prepare(template: &mut Client, shards: &[Server]) -> Result<()> {
    let mut sql = vec!["CREATE EXTENSION postgres_fdw".to_owned(), INSERT.to_owned()];
    for (number, shard) in shards.iter().enumerate() {
        let host = shard.folder().display();
        sql.push(format!(
            "CREATE SERVER shard_{number} FOREIGN DATA WRAPPER postgres_fdw \
             OPTIONS (host '{host}', port '{PORT}', dbname '{TEMPLATE}'); \
             CREATE USER MAPPING FOR {SUPERUSER} SERVER shard_{number} OPTIONS (user '{SUPERUSER}'); \
             CREATE SCHEMA shard_{number}"
        ));
    }
    let Some(shard) = shards.first() else { return Ok(()) };
    for row in shard.connect(SUPERUSER, TEMPLATE)?.query(RELATIONS, &[])? {
        let (name, is_view, columns): (String, bool, String) = (row.get(0), row.get(1), row.get(2));
        sql.push(if is_view {
            view(&name, &columns, shards.len())
        } else {
            table(&name, &columns, shards.len())
        });
    }
    let sql = sql.join(";\n");
    template.batch_execute(&sql).context(sql)
}

fn table(name: &str, columns: &str, shards: usize) -> String {
    let children: String = (0..shards)
        .map(|shard| {
            format!(
                "CREATE FOREIGN TABLE shard_{shard}.{name} () INHERITS (timedb.{name}) \
                 SERVER shard_{shard} OPTIONS (schema_name 'timedb'); "
            )
        })
        .collect();
    format!(
        "CREATE TABLE timedb.{name} ({columns}); {children} \
         CREATE TRIGGER insert BEFORE INSERT ON timedb.{name} FOR EACH ROW EXECUTE FUNCTION gathered.insert()"
    )
}

fn view(name: &str, columns: &str, shards: usize) -> String {
    let made: String = (0..shards)
        .map(|shard| {
            format!(
                "CREATE FOREIGN TABLE shard_{shard}.{name} ({columns}) \
                 SERVER shard_{shard} OPTIONS (schema_name 'timedb'); "
            )
        })
        .collect();
    let selected: Vec<String> = (0..shards)
        .map(|shard| format!("SELECT * FROM shard_{shard}.{name}"))
        .collect();
    format!("{made} CREATE VIEW timedb.{name} AS {}", selected.join(" UNION ALL "))
}

/// Turns a copy of the template to the databases of the same name.
pub(crate) fn name_database(client: &mut impl postgres::GenericClient, database: &str, shards: usize) -> Result<()> {
    for shard in 0..shards {
        client.batch_execute(&format!("ALTER SERVER shard_{shard} OPTIONS (SET dbname '{database}')"))?;
    }
    Ok(())
}
