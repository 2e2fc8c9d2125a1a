use timedb_testkit::Database;
use uuid::Uuid;

use crate::support::timedb;

#[test]
fn a_tenant_sees_its_own_and_an_operator_all() {
    let database = Database::fresh("cli stats");
    let tenants = [Uuid::now_v7(), Uuid::now_v7()];
    let [alice, bob] = tenants.map(|tenant| database.create_user(tenant, &format!("somebody@{tenant}.com"), "write"));
    for who in [&alice, &bob] {
        let sql =
            "SELECT timedb.upload(now(), '[{\"value_key\": \"wind\", \"valid_time\": \"2025-01-01\", \"value\": 1}]')";
        database.authenticated(who).execute(sql, &[]).expect("a run");
    }
    let own = timedb(&database, "app")
        .with_key_of(&alice)
        .types("stats --json")
        .done();
    assert!(!own.contains(&bob.tenant_id.to_string()), "{own}");
    let all = timedb(&database, "ops").types("stats --all").done();
    for tenant in tenants {
        assert!(all.contains(&tenant.to_string()), "{all}");
    }
    let refused = timedb(&database, "app").with_key_of(&alice).types("stats --all");
    assert!(refused.failed(1).contains("permission denied"));
    let mistyped = timedb(&database, "app")
        .env("TIMEDB_API_KEY", "tdb_mistyped")
        .types("stats");
    assert_eq!(mistyped.failed(1), "timedb: Invalid or inactive API key.\n");
    let nobody = timedb(&database, "app").types("stats");
    assert!(nobody.failed(1).contains("TIMEDB_API_KEY"));
}
