//! More of a slice than is held in memory together: what goes is the same.

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, backend_pid, one, peak_memory, run};
use uuid::Uuid;

use super::{Applied, admin_of, apply, since, upload_hours, wet};
use crate::support::{hour, update, value_update};

/// Rows of one time, so many.
const CROWD: i64 = 110_000;

/// A series with a crowd at its first hour: runs that wrote it alone, one row each. Among them are some that wrote five hours,
/// are packed, and corrected since.
struct Crowd {
    _database: Database,
    client: Client,
    runs: Vec<Uuid>,
}

impl Crowd {
    fn of(name: &str, apart: &str) -> Crowd {
        let database = Database::fresh(name);
        let admin = admin_of(&database);
        let mut client = database.authenticated(&admin);
        let uploads: Vec<(Uuid, Uuid)> = (0..6).map(|_| upload_hours(&mut client, "wind", 0, 5)).collect();
        run(&mut client, "SELECT timedb.compact(older_than => '0')");
        let (last, _) = upload_hours(&mut client, "wind", 0, 1);
        run(
            &mut database.admin(),
            &format!(
                "INSERT INTO timedb.values SELECT tenant_id, series_id, gen_random_uuid(), change_time, \
                   known_time - n * interval '{apart}', valid_from, valid_to, part, span, points, changed_by \
                 FROM timedb.values, generate_series(1, {CROWD}) n WHERE run_id = '{last}'"
            ),
        );
        for (place, (of, series)) in uploads.iter().enumerate() {
            for at in 0..2 {
                update(
                    &mut client,
                    &json!([value_update(*of, *series, hour(at), json!({"value": 100 + place}))]),
                );
            }
        }
        Crowd {
            _database: database,
            client,
            runs: uploads.into_iter().map(|(run, _)| run).collect(),
        }
    }

    /// What is left, and what each of the runs that are known has.
    fn left(&mut self) -> (i64, String, Vec<i64>) {
        let all = "SELECT count(*) FROM timedb.read(mode => 'overlapping', all_versions => true)";
        let flat = "SELECT string_agg(r::text, ';') FROM timedb.read() r";
        let counts = self.client.query(
            "SELECT value_count FROM timedb.runs WHERE run_id = ANY ($1) ORDER BY run_id",
            &[&self.runs],
        );
        let counts = counts.expect("runs").iter().map(|row| row.get(0)).collect();
        let shown: Option<String> = one(&mut self.client, flat);
        (one(&mut self.client, all), shown.unwrap_or_default(), counts)
    }

    #[track_caller]
    fn applied(&mut self, setting: &str) -> Applied {
        run(&mut self.client, &format!("SELECT timedb.set_retention({setting})"));
        let dry = apply(&mut self.client, "");
        let (mut versions, mut values) = (0, 0);
        loop {
            let done = wet(&mut self.client);
            versions += done.versions;
            values += done.values;
            let crowded = "SELECT count(*) FROM timedb.values WHERE valid_from = valid_to AND part < 0";
            let left: i64 = one(&mut self.client, crowded);
            assert!(
                left < 100,
                "of a time all goes in one call, however much that is: {left}"
            );
            if done.remaining == 0 {
                break;
            }
        }
        assert_eq!((versions, values), (dry.versions, dry.values));
        dry
    }
}

#[test]
fn of_a_crowd_of_versions_of_one_time_only_what_is_shown_stays_and_then_nothing() {
    let mut crowd = Crowd::of("retention crowd", "1 second");
    let withdrawn = crowd.runs[5];
    run(&mut crowd.client, &format!("SELECT timedb.withdraw_run('{withdrawn}')"));
    let (all, shown, counts) = crowd.left();
    // Of the withdrawn run nothing is read: five hours, and two corrections.
    assert_eq!(all, CROWD + 1 + 5 * 7, "the premise");
    assert_eq!(counts, [5; 6]);
    // The last run shows the first hour, the fifth the others; of its correction of the second the former value goes.
    let done = crowd.applied("NULL, keep_revisions => '1 day'");
    assert_eq!(done.values, all - 5);
    let (all, still_shown, counts) = crowd.left();
    assert_eq!((all, still_shown), (5, shown), "what is shown is as it was");
    assert_eq!(counts, [0, 0, 0, 0, 4, 5]);
    run(&mut crowd.client, &format!("SELECT timedb.restore_run('{withdrawn}')"));
    let (all, ..) = crowd.left();
    assert_eq!(all, 5 + 7, "it has kept its revisions");
}

#[test]
fn a_crowd_of_one_time_goes_by_valid_and_by_known_time_in_one_call() {
    for (name, setting, values, left) in [
        ("valid", since(30), CROWD + 1 + 6 * 2, 6 * (4 + 1)),
        (
            "known",
            format!("{}, 'known_time'", "interval '1 millisecond'"),
            CROWD + 1 + 6 * 7,
            0,
        ),
    ] {
        // By known time it is a crowd of one such.
        let apart = if name == "known" { "0" } else { "1 second" };
        let mut crowd = Crowd::of(&format!("retention crowd {name}"), apart);
        let pid = backend_pid(&mut crowd.client);
        let done = crowd.applied(&setting);
        let peak = peak_memory(pid);
        eprintln!("{name}: {} values, {peak} MiB at the peak", done.values);
        assert_eq!((done.values, crowd.left().0), (values, left), "{name}");
        let (.., counts) = crowd.left();
        assert_eq!(counts, [left / 6 * 4 / 5; 6], "{name}");
    }
}

/// What is said of a version may be ten times as long as all else, and takes little where it is stored.
#[test]
fn what_is_said_of_rows_is_not_held_and_stays_with_what_is_left_of_them() {
    const ROWS: i64 = 20_000;
    const LENGTH: usize = 9_000;
    let database = Database::fresh("retention said");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    let (last, _) = upload_hours(&mut client, "wind", 0, 2);
    run(
        &mut database.admin(),
        &format!(
            "INSERT INTO timedb.values SELECT tenant_id, series_id, gen_random_uuid(), change_time, \
               known_time - n * interval '1 second', valid_from, valid_to, part, span, points, changed_by, \
               n || repeat('x', {LENGTH}), ARRAY[n::text] \
             FROM timedb.values, generate_series(1, {ROWS}) n WHERE run_id = '{last}'"
        ),
    );
    // Of both hours the first goes, of all rows.
    run(&mut client, &format!("SELECT timedb.set_retention({})", since(1)));
    let pid = backend_pid(&mut client);
    let before = peak_memory(pid);
    assert_eq!(apply(&mut client, "").values, ROWS + 1);
    assert_eq!(wet(&mut client).values, ROWS + 1);
    let held = peak_memory(pid) - before;
    let all = (ROWS as u64 * LENGTH as u64) >> 20;
    assert!(held < all / 2, "{held} MiB of {all} are held");
    let left = format!(
        "SELECT count(*) FROM timedb.values WHERE annotation = split_part(annotation, 'x', 1) || repeat('x', {LENGTH}) \
           AND tags = ARRAY[split_part(annotation, 'x', 1)] AND timedb.count_points(points) = 1"
    );
    assert_eq!(one::<i64>(&mut client, &left), ROWS);
}
