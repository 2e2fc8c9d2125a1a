//! What the attacking session sees of everything, after each step, in one round trip.

use super::model::{Model, Sight, Who, letter};
use super::operation::{FUNCTIONS, RELATIONS, Source};
use super::session::{Refusal, Session};
use super::world::{World, scope_name};

/// One query with one value: how many rows, and whose.
pub fn sql_of(source: Source, world: &World) -> String {
    let by_tenant = world.owner("tenant_id");
    // By its series' name, and by its value.
    let by_value = "left(series_key, 1) || CASE trunc(value / 1000) WHEN 1 THEN 'a' WHEN 2 THEN 'b' ELSE '?' END";
    let counted = |from: &str, owner: &str| {
        format!("SELECT concat_ws(' ', count(*), string_agg(DISTINCT {owner}, ',')) FROM {from}")
    };
    let owned = |from: &str, owner: &str| format!("SELECT coalesce(string_agg(DISTINCT {owner}, ','), '') FROM {from}");
    match source {
        Source::Series => counted("timedb.series", &by_tenant),
        Source::Runs => counted("timedb.runs", &by_tenant),
        // Each version has one point.
        Source::Values => format!(
            "SELECT concat_ws(' ', coalesce(sum(versions), 0), string_agg(DISTINCT {by_tenant}, ',')) \
             FROM (SELECT tenant_id, 1 AS versions FROM timedb.values \
                   UNION ALL SELECT tenant_id, point_count FROM timedb.packs) stored"
        ),
        Source::Versions => counted(
            "timedb.versions JOIN timedb.series USING (series_id), LATERAL timedb.unnest_points(points)",
            by_value,
        ),
        Source::ReadArrow => in_streams("timedb.read_arrow(mode => 'overlapping', all_versions => true)"),
        Source::ReadArrowBatches => in_streams("timedb.read_arrow_batches(max_rows => 1)"),
        Source::CurrentValues => counted("timedb.current_values", by_value),
        Source::ListSeries => counted("timedb.list_series()", "left(series_key, 1)"),
        Source::ReadFlat => counted("timedb.read()", by_value),
        Source::ReadOverlapping => counted("timedb.read(mode => 'overlapping')", by_value),
        Source::ReadVersions => counted("timedb.read(mode => 'overlapping', all_versions => true)", by_value),
        Source::ListUsers => owned("timedb.list_users(include_inactive => true)", &by_tenant),
        // The tenant is in its users' emails.
        Source::ListKeys => owned("timedb.list_keys()", "substr(split_part(email, '@', 2), 1, 1)"),
        Source::ListAudit => owned("timedb.list_audit()", &by_tenant),
    }
}

/// Whose series some of the streams name.
fn in_streams(call: &str) -> String {
    let holds = |letter: &str| {
        format!("CASE WHEN bool_or(position('{letter}_first'::bytea IN stream) > 0) THEN '{letter}' END")
    };
    format!("SELECT concat({}, {}) FROM {call} stream", holds("a"), holds("b"))
}

/// Everything: each table and view in a statement of its own, and again, as each function, in a plpgsql function, whose
/// plans last as long as the session.
pub fn look_sql(world: &World) -> String {
    let whoami = format!(
        "SELECT coalesce((SELECT concat_ws(' ', {}, w.scope, w.via) FROM timedb.whoami() w), 'nobody')",
        world.owner("w.tenant_id")
    );
    let tenant = format!(
        "SELECT CASE WHEN timedb.current_tenant() IS NULL THEN 'nobody' ELSE {} END",
        world.owner("timedb.current_tenant()")
    );
    let selects = world.role.selects();
    let relations = relations(selects).map(|source| sql_of(source, world));
    let functions = everything(selects).map(|source| format!("attack.look_{source:?}()"));
    let functions = format!("SELECT {}", functions.collect::<Vec<_>>().join(", "));
    [tenant, whoami]
        .into_iter()
        .chain(relations)
        .chain([functions])
        .collect::<Vec<_>>()
        .join("; ")
}

/// Who may not select looks at none: that it is refused is one of the operations.
fn relations(selects: bool) -> impl Iterator<Item = Source> {
    RELATIONS.into_iter().filter(move |_| selects)
}

fn everything(selects: bool) -> impl Iterator<Item = Source> {
    relations(selects).chain(FUNCTIONS)
}

/// Whether the session sees what the model says, and if not, what it sees.
pub fn look(session: &mut Session, model: &mut Model, look_sql: &str) -> Result<(), String> {
    let seen = session.query(look_sql);
    if let Some(error) = seen.error {
        return Err(format!("the check itself fails: {error}"));
    }
    model.loaded = true;
    let seen: Vec<String> = seen.rows.iter().map(|text| plain(text, model)).collect();
    let expected = expected(model);
    if seen == expected {
        return Ok(());
    }
    let names = ["current_tenant()".to_owned(), "whoami()".to_owned()]
        .into_iter()
        .chain(relations(model.selects).map(|source| format!("{source:?}")))
        .chain(everything(model.selects).map(|source| format!("{source:?}, cached")));
    let differences: Vec<String> = names
        .zip(expected.iter().zip(&seen))
        .filter(|(_, (expected, seen))| expected != seen)
        .map(|(name, (expected, seen))| format!("{name}: expected {expected:?}, seen {seen:?}"))
        .collect();
    Err(differences.join("\n"))
}

fn expected(model: &Model) -> Vec<String> {
    let (tenant, whoami) = match model.who() {
        Who::Acting { tenant, scope, via } => {
            let letter = letter(tenant);
            let whoami = format!("{letter} {} {via}", scope_name(scope));
            (letter.to_owned(), whoami)
        }
        _ => ("nobody".to_owned(), "nobody".to_owned()),
    };
    let sights = relations(model.selects).chain(everything(model.selects));
    let sights = sights.map(|source| match model.sight(source) {
        Sight::Rows(rows) => rows,
        Sight::Error((code, message)) => format!("{code} {message}"),
    });
    [tenant, whoami].into_iter().chain(sights).collect()
}

/// An error raised for HTTP, as the model words it; in a request it must be one, else not.
fn plain(text: &str, model: &Model) -> String {
    match text.strip_prefix("PGRST ") {
        None if model.in_request() && text.starts_with("28000 ") => format!("not for HTTP: {text}"),
        None => text.to_owned(),
        Some(_) if !model.in_request() => text.to_owned(),
        Some(json) => {
            let error = Refusal::of("PGRST", json);
            format!("{} {}", error.code, error.message)
        }
    }
}
