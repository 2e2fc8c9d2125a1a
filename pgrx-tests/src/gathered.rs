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

/// Takes the rows of a statement to where their tenants are, by what the router says; the first of the servers, where they are of
/// none. Many at a time: tests insert hundreds of thousands.
const INSERT: &str = "
    CREATE SCHEMA gathered;
    CREATE FUNCTION gathered.insert() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      its record;
      sent bigint;
      missing bigint := count(*) FROM inserted;
    BEGIN
      FOR its IN
        SELECT t.tenant, s.srvname AS server
        FROM (SELECT d.tenant, coalesce(timedb_router._of_tenant(d.tenant::uuid), timedb_router._of_route(0)) AS conninfo
              FROM (SELECT DISTINCT to_jsonb(i) ->> 'tenant_id' AS tenant FROM inserted i) d) t,
             pg_foreign_server s, pg_options_to_table(s.srvoptions) o
        WHERE o.option_name = 'host' AND starts_with(t.conninfo, format('host=%s ', o.option_value))
      LOOP
        EXECUTE format('INSERT INTO %I.%I SELECT i.* FROM inserted i WHERE to_jsonb(i) ->> ''tenant_id'' IS NOT DISTINCT FROM $1',
                       its.server, TG_TABLE_NAME) USING its.tenant;
        GET DIAGNOSTICS sent = ROW_COUNT;
        missing := missing - sent;
      END LOOP;
      IF missing <> 0 THEN
        RAISE 'rows are of no server: %', missing;
      END IF;
      EXECUTE format('DELETE FROM ONLY timedb.%I', TG_TABLE_NAME);
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
             OPTIONS (host '{host}', port '{PORT}', dbname '{TEMPLATE}', batch_size '1000'); \
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
         CREATE TRIGGER insert AFTER INSERT ON timedb.{name} REFERENCING NEW TABLE AS inserted \
           FOR EACH STATEMENT EXECUTE FUNCTION gathered.insert()"
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
