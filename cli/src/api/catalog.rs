//! Which functions there are to be called, as the database has them: their names, arguments and types are looked up, so that
//! what a request calls is put together from the catalog's words alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;
use tokio_postgres::Client;

/// After an update of the extension, requests find its functions so much later at most.
const KEPT: Duration = Duration::from_secs(60);

/// Those that change who the session is are not for requests, whose key is in their header; what begins with `_` is timedb's
/// own, and what has arguments without names is of its types.
const FUNCTIONS: &str = "
    SELECT p.proname::text, p.provolatile = 'v', p.proretset,
           CASE WHEN p.prorettype = 'record'::regtype OR t.typtype = 'c' THEN 'row'
                WHEN p.prorettype = 'void'::regtype THEN 'void' WHEN p.prorettype = 'bytea'::regtype THEN 'bytes'
                ELSE 'scalar' END,
           coalesce(obj_description(p.oid, 'pg_proc'), ''), a.arguments::text
    FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype,
         LATERAL (
           SELECT coalesce(json_agg(json_build_object(
                    'name', i.name, 'type', format_type(i.type, NULL), 'is_required', i.at <= p.pronargs - p.pronargdefaults,
                    'is_array', y.typcategory = 'A') ORDER BY i.at), '[]') AS arguments,
                  coalesce(bool_and(coalesce(i.name, '') <> '' AND y.typtype <> 'p'), true) AS are_named
           FROM (SELECT row_number() OVER (ORDER BY u.at) AS at, u.type, p.proargnames[u.at] AS name
                 FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes)
                        WITH ORDINALITY AS u(type, mode, at)
                 WHERE coalesce(u.mode, 'i') IN ('i', 'b')) i JOIN pg_type y ON y.oid = i.type) a
    WHERE p.pronamespace = 'timedb'::regnamespace AND p.prokind = 'f' AND p.proname !~ '^_'
      AND p.proname NOT IN ('authenticate', 'logout', 'pre_request')
      AND (t.typtype <> 'p' OR p.prorettype IN ('record'::regtype, 'void'::regtype))
      AND a.are_named AND has_function_privilege(p.oid, 'EXECUTE')
      AND EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' AND e.extname IN ('timedb', 'timedb_router'))";

#[derive(Default)]
pub struct Catalog {
    read: Option<Instant>,
    functions: BTreeMap<String, Arc<Function>>,
}

pub struct Function {
    pub name: String,
    /// It may write: not for GET, nor in a transaction that only reads.
    pub writes: bool,
    pub is_set: bool,
    pub answer: Answer,
    /// Its COMMENT.
    pub description: String,
    pub arguments: Vec<Argument>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Nothing,
    Scalar,
    Bytes,
    Row,
}

#[derive(Deserialize)]
pub struct Argument {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub is_required: bool,
    pub is_array: bool,
}

impl Catalog {
    pub async fn of(client: &Client) -> Result<Self> {
        let mut functions = BTreeMap::new();
        for row in client.query(FUNCTIONS, &[]).await? {
            let arguments: &str = row.get(5);
            let function = Function {
                name: row.get(0),
                writes: row.get(1),
                is_set: row.get(2),
                answer: match row.get(3) {
                    "void" => Answer::Nothing,
                    "bytes" => Answer::Bytes,
                    "row" => Answer::Row,
                    _ => Answer::Scalar,
                },
                description: row.get(4),
                arguments: serde_json::from_str(arguments)?,
            };
            functions.insert(function.name.clone(), Arc::new(function));
        }
        Ok(Self {
            read: Some(Instant::now()),
            functions,
        })
    }

    pub fn is_stale(&self) -> bool {
        self.read.is_none_or(|read| read.elapsed() > KEPT)
    }

    pub fn function(&self, name: &str) -> Option<Arc<Function>> {
        self.functions.get(name).cloned()
    }

    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.values().map(AsRef::as_ref)
    }
}

impl Argument {
    pub fn is_json(&self) -> bool {
        ["json", "jsonb"].contains(&self.kind.as_str())
    }

    pub fn is_bytes(&self) -> bool {
        self.kind == "bytea"
    }

    pub fn is_time(&self) -> bool {
        self.kind == "timestamp with time zone"
    }
}
