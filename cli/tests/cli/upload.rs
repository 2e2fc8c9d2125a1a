use std::process::Child;

use postgres::Client;
use timedb_testkit::{Database, Identity, one_of, wait_until};
use uuid::Uuid;

use crate::support::{Folder, Typed, timedb};

/// A tenant with a file at hand.
struct Desk {
    database: Database,
    alice: Identity,
    folder: Folder,
}

impl Desk {
    fn of(test: &str, file: &str, content: &str) -> Self {
        let database = Database::fresh(test);
        let alice = database.create_user(Uuid::now_v7(), "alice@tenant-a.com", "write");
        let folder = Folder::of(test);
        folder.write(file, content);
        Self {
            database,
            alice,
            folder,
        }
    }

    fn types(&self, line: &str) -> Typed {
        timedb(&self.database, "caller")
            .with_key_of(&self.alice)
            .within(&self.folder)
            .types(line)
    }

    fn begins(&self, line: &str) -> Child {
        let typist = timedb(&self.database, "caller")
            .with_key_of(&self.alice)
            .within(&self.folder);
        typist.begins(line)
    }

    /// What a read of the tenant answers, as `time key value`.
    fn stored(&self) -> Vec<String> {
        let sql = "SELECT to_char(valid_time AT TIME ZONE 'UTC', 'MM-DD HH24:MI') || ' ' || series_key || ' ' || coalesce(value::text, 'null')
            FROM timedb.read() ORDER BY valid_time, series_key";
        let rows = self
            .database
            .authenticated(&self.alice)
            .query(sql, &[])
            .expect("a read");
        rows.iter().map(|row| row.get(0)).collect()
    }

    fn runs(&self) -> i64 {
        one_of(&mut self.database.admin(), "SELECT count(*) FROM timedb.runs", &[])
    }
}

#[test]
fn columns_are_guessed_by_their_names_and_told() {
    let desk = Desk::of(
        "cli upload guesses",
        "wind.csv",
        "Timestamp,series,value,unit,station\n2025-01-01T00:00Z,wind,4.5,m/s,x\n2025-01-01 01:00:00+01:00,gusts,,m/s,x\n2025-01-01 02:00,wind,-Infinity,m/s,y\n",
    );
    let typed = desk.types("upload wind.csv");
    assert_eq!(
        typed.err,
        "timedb: wind.csv: valid_time is \"Timestamp\", unit is \"unit\", value is \"value\", series is \"series\"\n\
         timedb: wind.csv: left out: \"station\"\n\
         timedb: wind.csv: times without an offset are taken as UTC\n"
    );
    let said = typed.done();
    assert!(
        said.contains("Written:      3\nSkipped:      0\nSeries made:  2\n"),
        "{said}"
    );
    assert_eq!(
        desk.stored(),
        [
            "01-01 00:00 gusts null",
            "01-01 00:00 wind 4.5",
            "01-01 02:00 wind -Infinity"
        ]
    );
    let run: Uuid = one_of(&mut desk.database.admin(), "SELECT run_id FROM timedb.runs", &[]);
    assert!(said.starts_with(&format!("Run ID:       {run}\n")), "{said}");
}

#[test]
fn a_wide_file_is_a_series_for_each_column_and_json_says_so() {
    let desk = Desk::of(
        "cli upload wide",
        "wide.csv",
        "date;north;south;note\n2025/01/01 00:00;1;2;a\n2025/01/01 01:00;3;;b\n",
    );
    let typed = desk.types("upload wide.csv --json");
    assert!(
        typed.err.contains("the values of series \"north\", \"south\"\n"),
        "{typed:?}"
    );
    let said: serde_json::Value = serde_json::from_str(&typed.done()).expect("JSON");
    assert_eq!(
        (&said["written"], &said["series_made"], &said["stored"]),
        (&4.into(), &2.into(), &true.into())
    );
    let all = [
        "01-01 00:00 north 1",
        "01-01 00:00 south 2",
        "01-01 01:00 north 3",
        "01-01 01:00 south null",
    ];
    assert_eq!(desk.stored(), all);
    let chosen = desk.types(
        "upload wide.csv --value south --series-name s --valid-time date --known-time 2025-01-01 --workflow-id w",
    );
    assert!(chosen.done().contains("Written:      2\n"));
    let run = "SELECT workflow_id || known_time::text FROM timedb.runs ORDER BY run_id DESC LIMIT 1";
    let run: String = one_of(&mut desk.database.admin(), run, &[]);
    assert!(run.starts_with("w2025-01-01"), "{run}");
}

#[test]
fn the_day_of_25_hours_is_taken_in_its_order_and_a_time_that_no_clock_showed_is_refused() {
    let rows = ["01:00,1", "02:00,2", "02:00,3", "03:00,4"].map(|row| format!("2025-10-26 {row}\n"));
    let desk = Desk::of(
        "cli upload clocks",
        "autumn.csv",
        &format!("time,wind\n{}", rows.concat()),
    );
    let typed = desk.types("upload autumn.csv --time-zone Europe/Berlin");
    assert!(typed.err.contains("1 as the earlier, 1 as the later pass"), "{typed:?}");
    typed.done();
    let hours = [
        "10-25 23:00 wind 1",
        "10-26 00:00 wind 2",
        "10-26 01:00 wind 3",
        "10-26 02:00 wind 4",
    ];
    assert_eq!(desk.stored(), hours);
    desk.folder
        .write("back.csv", "time,wind\n2025-10-26 03:00,4\n2025-10-26 02:00,3\n");
    let back = desk.types("upload back.csv --time-zone Europe/Berlin").failed(1);
    assert!(
        back.contains("back.csv:3: column \"time\": 2025-10-26T02:00:00 comes twice in Europe/Berlin"),
        "{back}"
    );
    desk.folder
        .write("spring.csv", "time,wind\n2025-03-30 01:00,1\n2025-03-30 02:30,2\n");
    let spring = desk.types("upload spring.csv --time-zone Europe/Berlin").failed(1);
    assert!(
        spring.contains("spring.csv:3: column \"time\": 2025-03-30T02:30:00 does not exist"),
        "{spring}"
    );
    let nowhere = desk.types("upload spring.csv --time-zone Europe/Berlni").failed(2);
    assert!(nowhere.contains("is no time zone"), "{nowhere}");
    assert_eq!(desk.runs(), 1);
}

#[test]
fn of_rows_that_are_bad_ten_are_told_all_are_counted_and_nothing_is_stored() {
    let mut file =
        "time,key,value\n2025-01-01,wind,1\n2025-01-02,wind,\"1,234.5\"\n2025-13-01,wind,1\n2025-01-03,,1\n".to_owned();
    file.push_str("2025-01-04,wind\n2025-01-05T00:00:00.0000001Z,wind,1\n1735689600,wind,1\n01/02/2025,wind,1\n");
    file.push_str(&"2025-01-06,wind,abc\n".repeat(5));
    let desk = Desk::of("cli upload bad rows", "bad.csv", &file);
    let said = desk.types("upload bad.csv").failed(1);
    for told in [
        "12 rows cannot be taken, so nothing is stored\n",
        "bad.csv:3: column \"value\": \"1,234.5\" has thousands separators or a decimal comma: write numbers as 1234.5\n",
        "bad.csv:4: column \"time\": \"2025-13-01\" is not a time",
        "bad.csv:5: column \"key\": is empty\n",
        "bad.csv:6: has 2 values, where there are names for 3\n",
        "bad.csv:7: column \"time\": \"2025-01-05T00:00:00.0000001Z\" has digits below a microsecond",
        "bad.csv:8: column \"time\": \"1735689600\" is not a time: numbers since an epoch are not taken",
        "bad.csv:9: column \"time\": \"01/02/2025\" is not a time: --time-format",
        "bad.csv:12: column \"value\": \"abc\" is not a number\nand 2 more\n",
    ] {
        assert!(said.contains(told), "{told}\n{said}");
    }
    assert_eq!(desk.runs(), 0);
    desk.folder.write("american.csv", "time,wind\n01/02/2025 1:30 pm,1\n");
    timedb(&desk.database, "caller")
        .with_key_of(&desk.alice)
        .within(&desk.folder)
        .types_words(&["upload", "american.csv", "--time-format", "%m/%d/%Y %I:%M %p"])
        .done();
    assert_eq!(desk.stored(), ["01-02 13:30 wind 1"]);
}

#[test]
fn what_the_server_refuses_is_told_by_the_row_of_the_file() {
    let desk = Desk::of(
        "cli upload refused rows",
        "units.csv",
        "time,north,south,Unit\r\n2025-01-01,1,2,MW\r\n\r\n2025-01-02,3,4,m/s",
    );
    let said = desk.types("upload units.csv").failed(1);
    assert!(
        said.contains("nothing is stored\nunits.csv:4: column \"Unit\": "),
        "{said}"
    );
    assert_eq!(desk.runs(), 0);
}

#[test]
fn a_column_that_is_not_there_or_one_of_two_is_asked_for() {
    let desk = Desk::of(
        "cli upload columns",
        "two.csv",
        "time,timestamp,key,value,y\n2025-01-01,2025-01-02,wind,1,2\n",
    );
    for (line, told) in [
        (
            "upload two.csv",
            "\"time\", \"timestamp\" may each be the valid time: say which by --valid-time",
        ),
        (
            "upload two.csv --valid-time tme",
            "there is no column \"tme\": there are \"time\", ",
        ),
        (
            "upload two.csv --valid-time time --value value --value y",
            "a column that says the series",
        ),
        (
            "upload two.csv --valid-time time --series key --series-name x",
            "cannot be used with",
        ),
        ("upload two.csv --format parquet", "is not parquet: it is a text"),
        ("upload nothing.csv", "No such file"),
        ("upload .", "is a directory"),
    ] {
        let typed = desk.types(line);
        assert!(
            matches!(typed.code, Some(1 | 2)) && typed.err.contains(told),
            "{line}\n{typed:#?}"
        );
    }
    for (name, content, told) in [
        ("empty.csv", "", "is empty"),
        ("head.csv", "time,wind\n", "has no rows"),
        (
            "names.csv",
            "2025-01-01T00:00Z,1.5\n",
            "its first line has to name the columns",
        ),
        ("twice.csv", "time,wind,wind\n2025-01-01,1,2\n", "two columns \"wind\""),
        (
            "nameless.csv",
            "time,value\n2025-01-01,1\n",
            "no column says the series: --series-name NAME does",
        ),
        ("none.csv", "time,wind\n2025-01-01,strong\n", "no column has numbers"),
        (
            "text.parquet",
            "time,wind\n2025-01-01,1\n",
            "is not parquet: it is a text",
        ),
        ("workbook.csv", "PK\u{3}\u{4}", "a zip archive"),
        ("file.unknown", "time,wind\n2025-01-01,1\n", "--format"),
        ("broken.parquet", "PAR1 and no more of it", "broken.parquet"),
        ("broken.arrow", "ARROW1 and no more of it", "broken.arrow"),
    ] {
        desk.folder.write(name, content);
        let typed = desk.types(&format!("upload {name}"));
        assert!(
            matches!(typed.code, Some(1 | 2)) && typed.err.contains(told),
            "{name}\n{typed:#?}"
        );
    }
    assert_eq!(desk.runs(), 0);
}

#[test]
fn who_may_not_upload_uploads_nothing() {
    let desk = Desk::of(
        "cli upload keys",
        "wind.csv",
        "time,wind\n2025-01-01,1\n2025-01-02,2\n2025-01-03,3\n",
    );
    let reader = desk
        .database
        .create_user(desk.alice.tenant_id, "reader@tenant-a.com", "read");
    let typist = |database| timedb(database, "caller").within(&desk.folder);
    let refused = typist(&desk.database)
        .with_key_of(&reader)
        .types("upload wind.csv")
        .failed(1);
    assert!(refused.contains("scope"), "{refused}");
    let mistyped = typist(&desk.database)
        .env("TIMEDB_API_KEY", "tdb_no")
        .types("upload wind.csv")
        .failed(1);
    assert!(
        mistyped.ends_with("timedb: Invalid or inactive API key.\n"),
        "{mistyped}"
    );
    let nobody = typist(&desk.database).types("upload wind.csv").failed(1);
    assert!(nobody.contains("TIMEDB_API_KEY"), "{nobody}");
    desk.database.set("timedb.max_upload_rows", "2");
    let many = desk.types("upload wind.csv").failed(1);
    assert!(
        many.contains("has more than 2 values, which is as many as the server takes"),
        "{many}"
    );
    assert_eq!(desk.runs(), 0);
}

#[test]
fn a_trial_stores_nothing_and_what_is_unchanged_is_skipped() {
    let desk = Desk::of(
        "cli upload trial",
        "wind.csv",
        "time,wind\n2025-01-01,1\n2025-01-02,2\n",
    );
    let trial = desk.types("upload wind.csv --dry-run").done();
    assert_eq!(
        trial,
        "Runs:         1 (a trial: nothing is stored)\nRows:         2\nWritten:      2\nSkipped:      0\nSeries made:  1\n"
    );
    assert_eq!((desk.runs(), desk.stored()), (0, vec![]));
    desk.types("upload wind.csv").done();
    let again = desk.types("upload wind.csv --skip-unchanged").done();
    assert_eq!(
        again,
        "Runs:         0 (nothing has changed)\nRows:         2\nWritten:      0\nSkipped:      2\nSeries made:  0\n"
    );
    assert_eq!(desk.runs(), 1);
}

#[test]
fn a_file_may_come_through_a_pipe_and_have_a_run_for_each_known_time() {
    let desk = Desk::of("cli upload pipe", "unused.csv", "");
    let rows = b"known_time,valid_time,valid_time_end,key,value,labels,tags\n\
        2025-01-01,2025-01-02,2025-01-03,energy,1,\"{\"\"site\"\": \"\"north\"\"}\",\"b, a\"\n\
        2025-01-02,2025-01-02,2025-01-03,energy,2,\"{\"\"site\"\": \"\"north\"\"}\",\"[\"\"c\"\"]\"\n";
    let typist = || timedb(&desk.database, "caller").with_key_of(&desk.alice);
    let said = typist().pipes("upload -", rows).done();
    assert!(said.starts_with("Runs:         2\nRows:         2\n"), "{said}");
    let sql =
        "SELECT string_agg(value::text || tags::text || labels::text, ' ') FROM timedb.read(mode => 'overlapping')";
    let stored: String = one_of(&mut desk.database.authenticated(&desk.alice), sql, &[]);
    assert_eq!(stored, "1{a,b}{\"site\": \"north\"} 2{c}{\"site\": \"north\"}");
    let backwards = rows.map(|byte| if byte == b'3' { b'1' } else { byte });
    let refused = typist().pipes("upload -", &backwards).failed(1);
    assert!(
        refused.contains("standard input:2: column \"valid_time_end\": is not after the valid time"),
        "{refused}"
    );
}

#[test]
fn ctrl_c_in_the_middle_of_an_upload_leaves_nothing() {
    let desk = Desk::of("cli upload interrupted", "wind.csv", "time,wind\n2025-01-01,1\n");
    let mut admin = desk.database.admin();
    let mut lock = admin.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE timedb.runs IN ACCESS EXCLUSIVE MODE")
        .expect("a lock");
    let upload = desk.begins("upload wind.csv");
    wait_until_it_waits(&mut desk.database.admin());
    interrupt(&upload);
    let typed = Typed::of(upload.wait_with_output().expect("an end"));
    assert!(typed.failed(1).ends_with("timedb: interrupted\n"));
    lock.rollback().expect("the lock goes");
    assert_eq!((desk.runs(), desk.stored()), (0, vec![]));
}

/// A year of hours that no clock of Seattle shows as they are: see examples/README.md.
#[test]
fn the_temperatures_of_seattle_are_those_of_a_clock_that_is_never_set() {
    let desk = Desk::of("cli upload seattle", "unused.csv", "");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/seattle-temps.csv");
    let refused = desk
        .types(&format!("upload {file} --time-zone America/Los_Angeles"))
        .failed(1);
    let reason = "seattle-temps.csv:1732: column \"date\": 2010-03-14T02:00:00 does not exist in America/Los_Angeles";
    assert!(refused.contains(reason), "{refused}");
    assert_eq!(desk.runs(), 0);
    let typed = desk.types(&format!("upload {file} --time-zone -08:00"));
    assert!(
        typed
            .err
            .contains("valid_time is \"date\", the values of series \"temp\""),
        "{typed:?}"
    );
    assert!(typed.done().contains("Written:      8759\n"));
    let sums =
        "SELECT count(*) || ' ' || min(valid_time AT TIME ZONE 'UTC') || ' ' || sum(value)::int FROM timedb.read()";
    let sums: String = one_of(&mut desk.database.authenticated(&desk.alice), sums, &[]);
    assert!(sums.starts_with("8759 2010-01-01 08:00:00 "), "{sums}");
}

pub fn wait_until_it_waits(admin: &mut Client) {
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity
        WHERE application_name = 'timedb' AND wait_event_type = 'Lock' AND datname = current_database()";
    wait_until("the command waits for a lock", || one_of(admin, waits, &[]));
}

pub fn interrupt(command: &Child) {
    let sent = std::process::Command::new("kill")
        .args(["-INT", &command.id().to_string()])
        .status();
    assert!(sent.expect("a signal").success());
}
