//! One tenant of the original, stored as the functions of timedb would have: users, keys, series, runs, values.

use std::error::Error;

use anyhow::{Context, Result, bail};
use bytes::{BufMut, BytesMut};
use indicatif::ProgressBar;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{IsNull, ToSql, Type, accepts, to_sql_checked};
use postgres::{Row, Transaction};
use timedb_core::key;
use timedb_core::points::Point;
use uuid::Uuid;

use super::moment::{Moment, of_micros, run_id};
use super::packing::{Packed, Packer, Tags, Version};
use super::source::{Counts, Source};
use crate::archive::arrival;

/// What the audit calls it; by this a tenant is known that is through.
const ACTION: &str = "import_original";

/// What a tenant has by now.
#[derive(Debug)]
pub struct Stored {
    pub counts: Counts,
    pub keys: i64,
    /// Users whose key has not the original's form, or who have none.
    pub without_key: i64,
}

/// Whether an import has made the tenant: all of it, as it is one transaction.
pub fn is_through(transaction: &mut Transaction, tenant: Uuid) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM timedb.audit a WHERE a.tenant_id = $1 AND a.action = $2)";
    Ok(transaction.query_one(sql, &[&tenant, &ACTION])?.get(0))
}

pub fn store(source: &mut Source, target: &mut Transaction, tenant: Uuid, progress: &ProgressBar) -> Result<Stored> {
    arrival::check_absent(target, tenant)?;
    let counts = source.counts(tenant)?;
    progress.set_length(counts.versions.unsigned_abs());
    let keys = users(source, target, tenant)?;
    series(source, target, tenant)?;
    runs(source, target, tenant)?;
    values(source, target, tenant, progress)?;
    let stored = stored(target, tenant)?;
    if stored != counts {
        bail!(
            "the original has {counts:?}, and of it here would be {stored:?}\nHINT:  Each value has a run of its tenant and a series there, and one version is the current one."
        );
    }
    arrival::check_keys(target, tenant)?;
    let detail =
        serde_json::json!({ "users": counts.users, "keys": keys, "runs": counts.runs, "values": counts.values });
    arrival::record(target, tenant, ACTION, &detail)?;
    Ok(Stored {
        counts,
        keys,
        without_key: counts.users - keys,
    })
}

/// Opened as an array, so that each table is written by one COPY, whose columns and types stand beside each other.
fn writer<'a>(target: &'a mut Transaction, table: &str, columns: &[(&str, Type)]) -> Result<BinaryCopyInWriter<'a>> {
    let (names, types): (Vec<&str>, Vec<Type>) = columns.iter().cloned().unzip();
    let copy = target.copy_in(&format!("COPY timedb.{table} ({}) FROM STDIN BINARY", names.join(", ")))?;
    Ok(BinaryCopyInWriter::new(copy, &types))
}

/// Users and, of those that have one, keys: how many of these. A key is hashed here: the server that it is for never sees it.
fn users(source: &mut Source, target: &mut Transaction, tenant: Uuid) -> Result<i64> {
    let columns = [
        ("tenant_id", Type::UUID),
        ("user_id", Type::UUID),
        ("email", Type::TEXT),
        ("is_active", Type::BOOL),
        ("created_at", Type::TIMESTAMPTZ),
        ("updated_at", Type::TIMESTAMPTZ),
    ];
    let mut users = writer(target, "users", &columns)?;
    source.users(tenant, |row| {
        let (email, created, updated): (String, Moment, Moment) = (row.get(1), time(row, 4)?, time(row, 5)?);
        let email = email.trim().to_lowercase();
        let (id, is_active): (Uuid, bool) = (row.get(0), row.get(3));
        Ok(users.write(&[&tenant, &id, &email, &is_active, &created, &updated])?)
    })?;
    users
        .finish()
        .context("users: emails are kept in lower case, and one of a tenant's is one user's")?;
    let columns = [
        ("tenant_id", Type::UUID),
        ("key_id", Type::UUID),
        ("user_id", Type::UUID),
        ("name", Type::TEXT),
        ("hint", Type::TEXT),
        ("key_hash", Type::BYTEA),
        ("scope", Type::TEXT),
        ("created_at", Type::TIMESTAMPTZ),
    ];
    let mut keys = writer(target, "api_keys", &columns)?;
    let mut count = 0;
    source.users(tenant, |row| {
        let (id, created): (Uuid, Moment) = (row.get(0), time(row, 4)?);
        let Some(text) = row
            .get::<_, Option<String>>(2)
            .filter(|text| key::is_imported_form(text))
        else {
            return Ok(());
        };
        count += 1;
        let (hash, hint) = (key::hash(&text), key::hint(&text));
        let row: [&(dyn ToSql + Sync); 8] = [
            &tenant,
            &Uuid::now_v7(),
            &id,
            &"original",
            &hint,
            &&hash[..],
            &"write",
            &created,
        ];
        Ok(keys.write(&row)?)
    })?;
    keys.finish()?;
    Ok(count)
}

fn series(source: &mut Source, target: &mut Transaction, tenant: Uuid) -> Result<()> {
    let columns = [
        ("tenant_id", Type::UUID),
        ("series_id", Type::UUID),
        ("series_key", Type::TEXT),
        ("labels", Type::JSONB),
        ("unit", Type::TEXT),
        ("description", Type::TEXT),
        ("inserted_at", Type::TIMESTAMPTZ),
    ];
    let mut series = writer(target, "series", &columns)?;
    source.series(tenant, |row| {
        let (id, key): (Uuid, String) = (row.get(0), row.get(1));
        // Here a key names one series, with its labels: of several the later ones keep apart by their old id.
        let labels = match row.get::<_, i64>(2) {
            0 => serde_json::json!({}),
            _ => serde_json::json!({ "original_series_id": id.to_string() }),
        };
        let (unit, description): (String, Option<String>) = (row.get(3), row.get(4));
        Ok(series.write(&[&tenant, &id, &key, &labels, &unit, &description, &time(row, 5)?])?)
    })?;
    series.finish().context("series")?;
    Ok(())
}

fn runs(source: &mut Source, target: &mut Transaction, tenant: Uuid) -> Result<()> {
    let columns = [
        ("tenant_id", Type::UUID),
        ("run_id", Type::UUID),
        ("workflow_id", Type::TEXT),
        ("run_start_time", Type::TIMESTAMPTZ),
        ("run_finish_time", Type::TIMESTAMPTZ),
        ("known_time", Type::TIMESTAMPTZ),
        ("inserted_at", Type::TIMESTAMPTZ),
        ("run_params", Type::JSONB),
        ("changed_by", Type::TEXT),
        ("value_count", Type::INT8),
        ("last_change_time", Type::TIMESTAMPTZ),
    ];
    let mut runs = writer(target, "runs", &columns)?;
    source.runs(tenant, |row| {
        let inserted = time(row, 5)?;
        let id = run_id(inserted, row.get(0));
        let (workflow, start, known) = (row.get::<_, String>(1), time(row, 2)?, time(row, 4)?);
        let finish: Option<Moment> = row.try_get(3)?;
        let parameters = JsonText(row.get(6));
        let (by, count): (String, i64) = (row.get(7), row.get(8));
        let last = of_micros(row.get(9)).map_err(anyhow::Error::msg)?;
        Ok(runs.write(&[
            &tenant,
            &id,
            &workflow,
            &start,
            &finish,
            &known,
            &inserted,
            &parameters,
            &by,
            &count,
            &last,
        ])?)
    })?;
    runs.finish().context("runs")?;
    Ok(())
}

/// A `jsonb` by its text: read here, its numbers would lose digits.
#[derive(Debug)]
struct JsonText<'a>(&'a str);

impl ToSql for JsonText<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        const VERSION: u8 = 1;
        out.put_u8(VERSION);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(JSONB);
    to_sql_checked!();
}

fn values(source: &mut Source, target: &mut Transaction, tenant: Uuid, progress: &ProgressBar) -> Result<()> {
    let columns = [
        ("tenant_id", Type::UUID),
        ("series_id", Type::UUID),
        ("run_id", Type::UUID),
        ("change_time", Type::TIMESTAMPTZ),
        ("known_time", Type::TIMESTAMPTZ),
        ("valid_from", Type::TIMESTAMPTZ),
        ("valid_to", Type::TIMESTAMPTZ),
        ("part", Type::INT2),
        ("span", Type::INT2),
        // As its receive function takes it, which looks at it as at anybody's.
        ("points", Type::BYTEA),
        ("changed_by", Type::TEXT),
        ("annotation", Type::TEXT),
        ("tags", Type::TEXT_ARRAY),
    ];
    let mut values = writer(target, "values", &columns)?;
    let mut packer = Packer::default();
    let mut write = |row: Option<Packed>| -> Result<()> {
        let Some(row) = row else { return Ok(()) };
        let of = &row.version;
        Ok(values.write(&[
            &tenant,
            &of.series,
            &of.run,
            &of.change,
            &of.known,
            &row.from,
            &row.to,
            &row.part,
            &row.span,
            &row.points,
            &of.by,
            &of.annotation,
            &of.tags,
        ])?)
    };
    source.values(tenant, |row| {
        progress.inc(1);
        let (version, point) = version(row)?;
        write(packer.add(version, point)?)
    })?;
    write(packer.take()?)?;
    values.finish().context("values")?;
    Ok(())
}

fn version(row: &Row) -> Result<(Version, Point)> {
    let point = Point {
        start: time(row, 8)?.0,
        end: row.try_get::<_, Option<Moment>>(9)?.map(|end| end.0),
        value: row.get(10),
    };
    let version = Version {
        run: run_id(time(row, 1)?, row.get(0)),
        known: time(row, 2)?,
        series: row.get(3),
        change: of_micros(row.get(4)).map_err(anyhow::Error::msg)?,
        by: row.get(5),
        annotation: row.get(6),
        tags: row.try_get::<_, Tags>(7)?,
    };
    Ok((version, point))
}

fn time(row: &Row, column: usize) -> Result<Moment> {
    Ok(row.try_get(column)?)
}

/// What is there now, counted by opening all of it.
fn stored(target: &mut Transaction, tenant: Uuid) -> Result<Counts> {
    let sql = "SELECT (SELECT count(*) FROM timedb.users t WHERE t.tenant_id = $1),
                      (SELECT count(*) FROM timedb.series t WHERE t.tenant_id = $1),
                      (SELECT count(*) FROM timedb.runs t WHERE t.tenant_id = $1),
                      (SELECT coalesce(sum(timedb.count_points(t.points)), 0) FROM timedb.values t WHERE t.tenant_id = $1),
                      (SELECT coalesce(sum(t.value_count), 0)::bigint FROM timedb.runs t WHERE t.tenant_id = $1)";
    Ok(Counts::from(&target.query_one(sql, &[&tenant])?))
}
