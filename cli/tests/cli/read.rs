use std::io::Read;

use timedb_testkit::{Database, Identity};
use uuid::Uuid;

use crate::support::{Folder, Typed, timedb};
use crate::upload::{interrupt, wait_until_it_waits};

const EVERYTHING: &str = r#"[
  {"known_time": "2025-01-01", "value_key": "wind", "unit": "m/s", "valid_time": "2025-01-02", "value": 4.5},
  {"known_time": "2025-01-01", "value_key": "wind", "valid_time": "2025-01-02T01:00Z", "value": "NaN"},
  {"known_time": "2025-01-01", "value_key": "wind", "valid_time": "2025-01-02T02:00Z", "value": "Infinity"},
  {"known_time": "2025-01-01", "value_key": "wind", "valid_time": "2025-01-02T03:00Z", "value": "-Infinity"},
  {"known_time": "2025-01-01", "value_key": "wind", "valid_time": "2025-01-02T04:00Z", "value": null},
  {"known_time": "2025-01-01", "value_key": "wind", "valid_time": "2025-01-02T05:00:00.000001Z", "value": -0.0},
  {"known_time": "2025-01-01T00:00:00.5Z", "value_key": "wind", "valid_time": "2025-01-02", "value": 1e300},
  {"known_time": "2025-01-01", "value_key": "energy, \"all\"\u00fc", "labels": {"site": "north", "height": 2}, "unit": "MWh",
   "valid_time": "2025-01-02", "valid_time_end": "2025-01-03", "value": 0.1,
   "annotation": "two\nlines, and a comma", "tags": ["a b", "c,d"]},
  {"known_time": "2025-01-01", "value_key": "energy, \"all\"\u00fc", "unit": "MWh", "valid_time": "1066-10-14", "value": 5e-324}
]"#;

struct Desk {
    database: Database,
    alice: Identity,
    folder: Folder,
}

impl Desk {
    fn of(test: &str, rows: &str) -> Self {
        let database = Database::fresh(test);
        let alice = database.create_user(Uuid::now_v7(), "alice@tenant-a.com", "write");
        let upload = "SELECT timedb.upload_runs($1::text::json)";
        database
            .authenticated(&alice)
            .execute(upload, &[&rows])
            .expect("an upload");
        Self {
            database,
            alice,
            folder: Folder::of(test),
        }
    }

    fn words(&self, words: &[&str]) -> Typed {
        timedb(&self.database, "caller")
            .with_key_of(&self.alice)
            .within(&self.folder)
            .types_words(words)
    }

    fn types(&self, line: &str) -> Typed {
        self.words(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn everything_of(&self, who: &Identity) -> Vec<String> {
        let sql = "SELECT row_to_json(r)::text FROM (SELECT known_time, valid_time, valid_time_end, series_key, unit, value::text,
            annotation, tags, labels FROM timedb.read(mode => 'overlapping')) r ORDER BY 1";
        let rows = self.database.authenticated(who).query(sql, &[]).expect("a read");
        rows.iter().map(|row| row.get(0)).collect()
    }
}

#[test]
fn what_is_read_into_a_file_and_uploaded_by_another_tenant_is_the_same() {
    let desk = Desk::of("cli round trip", EVERYTHING);
    let all = desk.everything_of(&desk.alice);
    assert_eq!(all.len(), 9);
    for (number, (name, options)) in [
        ("all.csv", ""),
        ("local.csv", " --time-zone Europe/Berlin"),
        ("all.parquet", ""),
        ("all.arrow", ""),
        ("all.arrows", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let read = desk.types(&format!("read --mode overlapping -o {name}{options}"));
        assert_eq!(read.err, format!("timedb: 9 rows are in {name}\n"));
        assert_eq!(read.done(), "");
        let bob = desk
            .database
            .create_user(Uuid::now_v7(), &format!("bob@tenant-{number}.com"), "write");
        let typist = timedb(&desk.database, "caller").with_key_of(&bob).within(&desk.folder);
        let typed = typist.types(&format!("upload {name}"));
        // Whatever another database gives by itself is said to be left out; nothing else is.
        let left_out = r#"left out: "series_id", "run_id", "change_time", "changed_by""#;
        assert!(typed.err.contains(&format!("{name}: {left_out}\n")), "{}", typed.err);
        let said = typed.done();
        assert!(said.starts_with("Runs:         2\nRows:         9\n"), "{name}: {said}");
        assert_eq!(desk.everything_of(&bob), all, "{name}");
    }
    assert_eq!(
        desk.folder.names(),
        ["all.arrow", "all.arrows", "all.csv", "all.parquet", "local.csv"]
    );
    // Through pipes, too.
    let piped = desk.types("read --mode overlapping --format csv").done();
    let bob = desk
        .database
        .create_user(Uuid::now_v7(), "bob@tenant-pipe.com", "write");
    timedb(&desk.database, "caller")
        .with_key_of(&bob)
        .pipes("upload - --format csv", piped.as_bytes())
        .done();
    assert_eq!(desk.everything_of(&bob), all);
}

#[test]
fn texts_show_times_in_a_zone_and_json_has_the_words_of_timedb() {
    let desk = Desk::of("cli read texts", EVERYTHING);
    let csv = desk
        .types("read wind --time-zone Europe/Berlin --start-valid 2025-01-02T02:00 --end-valid 2025-01-02T03:00")
        .done();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("known_time,valid_time,valid_time_end,series_id,series_key,unit,value,"));
    assert!(
        lines[1].starts_with("2025-01-01T01:00:00+01:00,2025-01-02T02:00:00+01:00,,"),
        "{csv}"
    );
    assert!(lines[1].contains(",wind,m/s,NaN,"), "{csv}");
    let json = desk.types("read --json --limit 3 wind").done();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let values: Vec<&serde_json::Value> = json.as_array().expect("rows").iter().map(|row| &row["value"]).collect();
    assert_eq!(
        values,
        [
            &serde_json::json!(1e300),
            &serde_json::json!("NaN"),
            &serde_json::json!("Infinity")
        ]
    );
    let tags = desk.words(&["read", "--json", "--labels", "{\"height\": 2}"]).done();
    let tags: serde_json::Value = serde_json::from_str(&tags).expect("JSON");
    assert_eq!(
        (&tags[0]["tags"][1], &tags[0]["labels"]["site"]),
        (&"c,d".into(), &"north".into())
    );
    let table = desk.types("read wind --format table --limit 2").done();
    assert!(table.contains("2025-01-02T01:00:00Z ┆ wind"), "{table}");
    assert!(table.ends_with("(2 rows)\n") && !table.contains("tags"), "{table}");
    let converted = desk
        .types("read wind --unit km/h --end-valid 2025-01-02T00:00:01Z --mode overlapping")
        .done();
    assert!(converted.contains(",km/h,16.2,"), "{converted}");
}

#[test]
fn what_was_known_is_asked_by_known_times_by_moments_and_by_leads() {
    let rows: Vec<String> = (1..=3)
        .map(|day| format!(r#"{{"known_time": "2025-01-0{day}", "value_key": "wind", "valid_time": "2025-01-04T12:00Z", "value": {day}}}"#))
        .collect();
    let desk = Desk::of("cli read known", &format!("[{}]", rows.join(",")));
    for (options, values) in [
        (vec![], "3"),
        (vec!["--end-known", "2025-01-03"], "2"),
        (vec!["--mode", "overlapping", "--start-known", "2025-01-02"], "2 3"),
        (vec!["--as-of", "2025-01-01"], ""),
        (vec!["--as-of", "now"], "3"),
        (vec!["--lead", "2 days"], "2"),
        (
            vec![
                "--days-ahead",
                "3",
                "--time-of-day",
                "12:00",
                "--time-zone",
                "Europe/Berlin",
            ],
            "1",
        ),
        (
            vec![
                "--window-length",
                "1 day",
                "--cutoff-offset",
                "-36 hours",
                "--window-origin",
                "2025-01-04T00:00Z",
            ],
            "2",
        ),
    ] {
        let csv = desk.words(&[&["read", "wind"], &options[..]].concat()).done();
        let found: Vec<&str> = csv.lines().skip(1).filter_map(|line| line.split(',').nth(6)).collect();
        assert_eq!(found.join(" "), values, "{options:?}");
    }
    for options in [
        vec!["--lead", "1 day", "--days-ahead", "1", "--time-of-day", "12:00"],
        vec!["--days-ahead", "1"],
        vec!["--lead", "1 day", "--mode", "flat"],
        vec!["--start-valid", "tomorrow"],
        vec!["--end-valid", "2025-10-26T02:30", "--time-zone", "Europe/Berlin"],
        vec!["--labels", "site"],
        vec!["-o", "file.unknown"],
    ] {
        desk.words(&[&["read"], &options[..]].concat()).failed(2);
    }
    let no_interval = desk.types("read --lead soon").failed(1);
    assert!(
        no_interval.contains("invalid input syntax for type interval"),
        "{no_interval}"
    );
}

#[test]
fn nothing_found_is_no_error_but_said() {
    let desk = Desk::of("cli read nothing", EVERYTHING);
    let missing = desk.types("read wnd wind --end-valid 2025-01-03");
    assert_eq!(missing.err, "timedb: there is no series \"wnd\"\n");
    let empty = desk.types("read wind --start-valid 2030-01-01 --json");
    assert_eq!(
        (empty.err.as_str(), empty.out.as_str()),
        ("timedb: there are no values that fit\n", "[]\n")
    );
    empty.done();
    let reader = desk
        .database
        .create_user(desk.alice.tenant_id, "reader@tenant-a.com", "read");
    timedb(&desk.database, "caller")
        .with_key_of(&reader)
        .types("read")
        .done();
    let mistyped = timedb(&desk.database, "caller")
        .env("TIMEDB_API_KEY", "tdb_no")
        .types("read")
        .failed(1);
    assert_eq!(mistyped, "timedb: Invalid or inactive API key.\n");
}

#[test]
fn a_file_that_is_there_stays_and_one_that_fails_is_not_made() {
    let desk = Desk::of("cli read files", EVERYTHING);
    desk.folder.write("there.csv", "mine");
    let exists = desk.types("read -o there.csv").failed(1);
    assert!(
        exists.contains("there.csv exists\nHINT:  --force replaces it.\n"),
        "{exists}"
    );
    // The second series has another kind of unit: some rows are written by then.
    desk.words(&[
        "read",
        "wind",
        "energy, \"all\"ü",
        "--unit",
        "km/h",
        "-o",
        "new.parquet",
    ])
    .failed(1);
    desk.words(&[
        "read",
        "wind",
        "energy, \"all\"ü",
        "--unit",
        "km/h",
        "-o",
        "there.csv",
        "--force",
    ])
    .failed(1);
    assert_eq!(desk.folder.names(), ["there.csv"]);
    assert_eq!(
        std::fs::read_to_string(desk.folder.path().join("there.csv")).expect("a file"),
        "mine"
    );
    desk.types("read wind -o there.csv --force").done();
    assert!(
        std::fs::read_to_string(desk.folder.path().join("there.csv"))
            .expect("a file")
            .starts_with("known_time,")
    );
    let device = desk.types("read wind --format csv -o /dev/null");
    assert_eq!(device.code, Some(0), "{device:?}");
}

#[test]
fn ctrl_c_in_the_middle_of_a_read_leaves_no_file() {
    let desk = Desk::of("cli read interrupted", EVERYTHING);
    let mut admin = desk.database.admin();
    let mut lock = admin.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE timedb.values IN ACCESS EXCLUSIVE MODE")
        .expect("a lock");
    let typist = timedb(&desk.database, "caller")
        .with_key_of(&desk.alice)
        .within(&desk.folder);
    let read = typist.begins("read -o all.csv");
    wait_until_it_waits(&mut desk.database.admin());
    assert_eq!(desk.folder.names().len(), 1, "a file on its way");
    interrupt(&read);
    let typed = Typed::of(read.wait_with_output().expect("an end"));
    assert_eq!(typed.failed(1), "timedb: interrupted\n");
    assert_eq!(desk.folder.names(), [""; 0]);
}

#[test]
fn who_reads_no_further_has_what_he_wanted() {
    let desk = Desk::of("cli read head", "[]");
    let many = "SELECT timedb.upload_points(now(), ARRAY['wind'], array_agg(t), array_agg(1.5))
        FROM generate_series('2025-01-01'::timestamptz, '2025-02-10', '1 minute') t";
    let many = many.replace("ARRAY['wind']", "array_agg('wind'::text)");
    desk.database
        .authenticated(&desk.alice)
        .execute(&many, &[])
        .expect("an upload");
    for format in ["csv", "json", "arrow", "parquet"] {
        let typist = timedb(&desk.database, "caller").with_key_of(&desk.alice);
        let mut read = typist.begins(&format!("read --format {format}"));
        let mut out = read.stdout.take().expect("a pipe");
        out.read_exact(&mut [0; 4]).expect("a beginning");
        drop(out);
        let output = read.wait_with_output().expect("an end");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
        assert_eq!(output.status.code(), Some(0), "{format}");
    }
}

#[test]
fn a_chart_of_several_series_is_as_wide_as_the_terminal() {
    let rows: Vec<String> = (0..48)
        .flat_map(|hour| {
            let time = format!("2025-01-0{}T{:02}:00Z", 1 + hour / 24, hour % 24);
            ["north", "south"].map(|key| {
                let value = if key == "north" { hour } else { 48 - hour };
                format!(r#"{{"known_time": "2025-01-01", "value_key": "{key}", "valid_time": "{time}", "value": {value}, "unit": "MW"}}"#)
            })
        })
        .collect();
    let desk = Desk::of("cli plot", &format!("[{}]", rows.join(",")));
    let typist = timedb(&desk.database, "caller")
        .with_key_of(&desk.alice)
        .env("COLUMNS", "60");
    let chart = typist.types("read --plot").done();
    assert!(chart.lines().all(|line| line.chars().count() <= 60), "{chart}");
    assert!(
        chart.ends_with("2025-01-01T00:00:00Z to 2025-01-02T23:00:00Z\n─ north [MW]\n* south [MW]\n"),
        "{chart}"
    );
    assert!(
        chart.contains('╭') && chart.contains('*') && chart.contains("48.00"),
        "{chart}"
    );
    desk.types("read north --plot -o north.csv").done();
    assert_eq!(desk.folder.names(), ["north.csv"]);
    let nothing = desk.types("read nothing --plot").done();
    assert_eq!(nothing, "(nothing to draw)\n");
}
