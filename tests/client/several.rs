//! Many series in one read, which are fetched together: whatever is beside it, each is read as it is alone.

use postgres::Client;
use timedb_testkit::{Database, Identity, one, run};
use uuid::Uuid;

const SERIES: i64 = 600;

/// Of the series every third has nothing, some are rows, some packs, some both; they are of several classes of spans, and
/// some so large that two of them are not held together.
fn fill(client: &mut Client) {
    run(
        client,
        &format!(
            "SELECT timedb.create_series('several ' || lpad(n::text, 3, '0')) FROM generate_series(1, {SERIES}) n"
        ),
    );
    upload(client, "n % 3 > 0", 1, "interval '1 hour'");
    upload(client, "n % 3 = 1", 2, "n * interval '1 second'");
    upload(client, "n IN (16, 17, 19, 200)", 40_000, "interval '1 minute'");
    run(
        client,
        "SELECT timedb.compact(ARRAY(SELECT s.series_id FROM timedb.series s \
           WHERE right(s.series_key, 1) IN ('1', '2', '6', '7')), '0')",
    );
    upload(client, "n % 6 = 1", 3, "interval '1 day'");
    upload(client, "n % 6 = 1", 2, "interval '40 years'");
}

/// A run, of so many values of some series, so far apart.
fn upload(client: &mut Client, which: &str, values: i64, step: &str) {
    run(
        client,
        &format!(
            "SELECT timedb.upload_points(now(), \
               array_agg('several ' || lpad(n::text, 3, '0') ORDER BY n, v), \
               array_agg('2025-01-01'::timestamptz + v * {step} ORDER BY n, v), \
               array_agg(n + v::float8 ORDER BY n, v)) \
             FROM generate_series(1, {SERIES}) n, generate_series(1, {values}) v WHERE {which}"
        ),
    );
}

/// A series, how many rows of it there are, from where to where, and what they say.
type Seen = (Uuid, i64, i64, String);

/// In the order of the answer.
fn seen(client: &mut Client, windows: &str, ids: &[Uuid]) -> Vec<Seen> {
    let sql = format!(
        "SELECT r.series_id, count(*), max(r.ordinality) - min(r.ordinality) + 1, \
           md5(string_agg((r.known_time, r.valid_time, r.series_key, r.value, r.run_id)::text, ' ' ORDER BY r.ordinality)) \
         FROM timedb.read({windows}, series_ids => $1) WITH ORDINALITY AS r \
         GROUP BY r.series_id ORDER BY min(r.ordinality)"
    );
    let rows = client.query(&sql, &[&ids]).expect("a read");
    let seen = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)));
    seen.collect()
}

fn filled(sentence: &str) -> (Database, Identity) {
    let database = Database::fresh(sentence);
    let (alice, _) = database.two_tenants();
    fill(&mut database.authenticated(&alice));
    (database, alice)
}

#[test]
fn whatever_is_beside_it_a_series_is_read_as_it_is_alone() {
    let (database, alice) = filled("several series");
    let client = &mut database.authenticated(&alice);
    let premise = "SELECT count(DISTINCT span) > 3 AND (SELECT count(DISTINCT p.series_id) FROM timedb.packs p) > 50 \
                   FROM timedb.values";
    assert!(one::<bool>(client, premise), "the premise");
    let ids = "SELECT array_agg(s.series_id ORDER BY s.series_key COLLATE \"C\") FROM timedb.series s";
    let ids: Vec<Uuid> = one(client, ids);
    for windows in [
        "mode => 'flat'",
        "'2025-01-01', '2025-01-01 03:00', mode => 'overlapping'",
        "end_valid => '2025-01-01 02:00', all_versions => true",
        "start_known => '2025-01-01', as_of => now()",
    ] {
        let alone: Vec<Seen> = ids.iter().flat_map(|id| seen(client, windows, &[*id])).collect();
        assert!(alone.len() >= 400, "the premise: {}", alone.len());
        // Groups end elsewhere wherever the first begins.
        for (from, to) in [
            (0, 600),
            (1, 600),
            (5, 600),
            (13, 20),
            (14, 18),
            (15, 17),
            (16, 16 + 7),
            (100, 363),
            (300, 302),
        ] {
            let some = &ids[from..to];
            let expected = alone.iter().filter(|of| some.contains(&of.0));
            let together = seen(client, windows, some);
            let differs = expected.clone().zip(&together).find(|(alone, beside)| alone != beside);
            assert_eq!(differs, None, "{windows}, {from} to {to}");
            assert_eq!(together.len(), expected.count(), "{windows}, {from} to {to}");
        }
    }
}
