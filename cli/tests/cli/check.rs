use timedb_testkit::Database;

use crate::support::{timedb, without_a_server};

#[test]
fn a_whole_installation_passes_and_one_that_somebody_changed_is_told_of() {
    let database = Database::fresh("cli check");
    assert_eq!(timedb(&database, "ops").types("check").done(), "(0 rows)\n");
    let json = timedb(&database, "ops").types("check --json").done();
    assert_eq!(json, "[]\n");
    database
        .admin()
        .batch_execute("ALTER TABLE timedb.series NO FORCE ROW LEVEL SECURITY")
        .expect("a change");
    let told = timedb(&database, "ops").types("check");
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.out.contains("series"), "{told:?}");
}

#[test]
fn where_there_is_no_server_or_no_timedb_it_is_said() {
    let nowhere = without_a_server().types("check --dsn postgresql://somebody@127.0.0.1:1/nothing");
    assert!(nowhere.failed(1).starts_with("timedb: no connection"));
    let mistyped = without_a_server().types("check --dsn host");
    assert!(mistyped.failed(2).contains("the DSN cannot be read"));
    let database = Database::fresh("cli without timedb");
    database
        .admin()
        .batch_execute("DROP EXTENSION timedb")
        .expect("dropped");
    let without = timedb(&database, "postgres").types("check");
    assert!(without.failed(1).contains("timedb create tables"));
}
