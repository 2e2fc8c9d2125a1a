//! Copies of a server that follow it: by its log, and table by table while values are packed.

use postgres::Client;
use timedb_testkit::{Cluster, Database, Identity, Options, login, one, one_of, run, wait_until, wait_until_replayed};

use crate::catalog::{assert_same, everything};
use crate::dump::fill_tenant;

/// Every version of every value, in the order of a read.
fn read(client: &mut Client) -> String {
    let sql = "SELECT string_agg(r::text, ';') FROM timedb.read(mode => 'overlapping', all_versions => true) WITH ORDINALITY r";
    one(client, sql)
}

fn logged_in(cluster: &Cluster, database: &Database, identity: &Identity) -> Client {
    let mut client = cluster.connect("app", database.name()).expect("app");
    login(&mut client, identity, false);
    client
}

#[test]
fn a_standby_that_is_promoted_goes_on_where_the_primary_ended() {
    let primary = Cluster::start_default().expect("a primary");
    let database = primary.database("promoted").expect("a database");
    let (alice, bob) = database.two_tenants();
    for identity in [&alice, &bob] {
        fill_tenant(&mut database.authenticated(identity));
    }
    let standby = primary.standby();
    let mut observer = standby.connect("postgres", database.name()).expect("its superuser");
    // What follows by the log: values, and their packing.
    fill_tenant(&mut database.authenticated(&alice));
    run(&mut database.login("ops"), "CALL timedb.maintain(older_than => '0')");
    let expected = read(&mut database.authenticated(&alice));
    wait_until_replayed(&mut database.admin(), &mut observer);
    primary.stop("immediate").expect("it is gone");
    assert!(one::<bool>(&mut observer, "SELECT pg_promote()"));

    let mut client = logged_in(&standby, &database, &alice);
    assert_eq!(read(&mut client), expected);
    fill_tenant(&mut client);
    let mut ops = standby.connect("ops", database.name()).expect("ops");
    run(&mut ops, "CALL timedb.maintain(older_than => '0')");
    assert!(read(&mut client).len() > expected.len());
    assert!(one::<bool>(&mut client, "SELECT timedb.settled_time() IS NOT NULL"));
    assert_eq!(one::<i64>(&mut observer, "SELECT count(*) FROM timedb.self_check()"), 0);
    primary.start().expect("it comes back, for its database to be dropped");
}

#[test]
fn a_subscriber_to_all_tables_has_what_the_publisher_has_while_values_are_packed() {
    let publisher = Options::default()
        .setting("wal_level = logical")
        .start()
        .expect("a publisher");
    let database = publisher.database("published").expect("a database");
    let subscriber = Cluster::start_default().expect("a subscriber");
    subscriber.create_database(database.name()).expect("with the extension");
    let (alice, bob) = database.two_tenants();
    fill_tenant(&mut database.authenticated(&alice));
    run(
        &mut database.admin(),
        &format!(
            "CREATE PUBLICATION everything FOR ALL TABLES; SELECT timedb.set_retention('1000 years', tenant_id => '{0}'); \
             INSERT INTO timedb.role_bindings (role_name, tenant_id, scope) VALUES ('reporting', '{0}', 'read')",
            bob.tenant_id
        ),
    );
    let mut copy = subscriber.connect("postgres", database.name()).expect("its superuser");
    // From 16 on, rows are otherwise written as whoever owns the table, whom policies bind.
    let as_owner: bool = one(&mut copy, "SELECT current_setting('server_version_num')::int >= 160000");
    let as_owner = if as_owner { "WITH (run_as_owner = true)" } else { "" };
    let subscribe = format!(
        "CREATE SUBSCRIPTION everything CONNECTION 'host={} dbname={} user=postgres' PUBLICATION everything {as_owner}",
        publisher.folder().display(),
        database.name()
    );
    run(&mut copy, &subscribe);
    let copied = "SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate <> 'r'";
    wait_until("all tables are copied", || one::<bool>(&mut copy, copied));

    run(
        &mut database.authenticated(&bob),
        "SELECT timedb.withdraw_run(u.run_id) FROM timedb.upload(now(), '[]') u",
    );
    let mut writers = [&alice, &bob].map(|identity| database.authenticated(identity));
    for _ in 0..3 {
        for writer in &mut writers {
            fill_tenant(writer);
        }
        run(&mut database.login("ops"), "CALL timedb.maintain(older_than => '0')");
    }
    run(
        &mut database.login("ops"),
        "SELECT timedb.revoke_key(k.key_id) FROM timedb.create_key('bob@tenant-b.com', name => 'ended') k",
    );
    // Of every table rows may go.
    let gone = "DELETE FROM timedb.key_ends WHERE ctid = (SELECT min(ctid) FROM timedb.key_ends)";
    run(
        &mut database.login("ops"),
        "SELECT timedb.regenerate_key('alice@tenant-a.com', grace => '1 day')",
    );
    run(&mut database.admin(), gone);
    let written: String = one(&mut database.admin(), "SELECT pg_current_wal_lsn()::text");
    let confirmed =
        "SELECT confirmed_flush_lsn >= $1::text::pg_lsn FROM pg_replication_slots WHERE slot_name = 'everything'";
    let mut admin = database.admin();
    wait_until("all is applied", || one_of::<bool>(&mut admin, confirmed, &[&written]));

    assert_same(&everything(&mut copy), &everything(&mut admin));
    assert_eq!(one::<i64>(&mut copy, "SELECT count(*) FROM timedb.self_check()"), 0);
    for (identity, writer) in [&alice, &bob].into_iter().zip(&mut writers) {
        assert_eq!(read(&mut logged_in(&subscriber, &database, identity)), read(writer));
    }
    run(&mut copy, "DROP SUBSCRIPTION everything");
}
