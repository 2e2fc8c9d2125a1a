//! Role bindings: a login role that acts for a tenant without a key, as operators decide and nobody else.

use timedb_testkit::{
    Stage, assert_key_refused, assert_nobody, assert_sees_nothing, bind, fail_to_login, login, one, one_of, refused,
    run, seen, tenant,
};
use uuid::Uuid;

use crate::support::{each_refused, upload};

#[test]
fn a_bound_role_acts_for_its_tenant_without_a_key() {
    let stage = Stage::set("bound");
    let role = stage.bound_to_bob("write");
    let mut bi = stage.database.login(&role);
    stage.assert_bob(&mut bi);
    let row = bi.query_one("SELECT * FROM timedb.whoami()", &[]).expect("a row");
    let who: (Uuid, Option<Uuid>, Option<String>, String, String) = (
        row.get("tenant_id"),
        row.get("user_id"),
        row.get("email"),
        row.get("scope"),
        row.get("via"),
    );
    assert_eq!(who, (stage.bob.tenant_id, None, None, "write".into(), "role".into()));
    let listed = "SELECT tenant_id FROM timedb.list_bindings() WHERE role_name = $1::text::name AND scope = 'write' AND role_exists";
    assert_eq!(one_of::<Uuid>(&mut stage.ops(), listed, &[&role]), stage.bob.tenant_id);
    upload(&mut bi, "bob");
    let by = "SELECT count(*) FROM timedb.values WHERE changed_by = $1";
    assert_eq!(one_of::<i64>(&mut bi, by, &[&role]), 1);
}

#[test]
fn a_bound_role_may_do_what_its_scope_says_and_no_more() {
    let stage = Stage::set("bound scope");
    let role = stage.bound_to_bob("read");
    let mut bi = stage.database.login(&role);
    each_refused(
        &mut bi,
        "42501",
        ["SELECT timedb.upload(now(), '[]')", "SELECT timedb.list_users()"],
    );
    run(&mut stage.ops(), &format!("SELECT timedb.unbind_role('{role}')"));
    bind(&mut stage.ops(), &role, stage.bob.tenant_id, "admin");
    let managed = "SELECT array_agg(DISTINCT tenant_id) FROM timedb.list_users()";
    assert_eq!(one::<Vec<Uuid>>(&mut bi, managed), [stage.bob.tenant_id]);
    let foreign = format!("SELECT timedb.create_user('{}', 'x@y.z')", stage.alice.tenant_id);
    each_refused(&mut bi, "42501", [foreign]);
}

#[test]
fn a_binding_survives_every_reset_and_ends_at_the_next_statement() {
    let stage = Stage::set("bound resets");
    let role = stage.bound_to_bob("read");
    let mut bi = stage.database.login(&role);
    for reset in ["RESET ALL", "DISCARD ALL", "SELECT timedb.logout()", "BEGIN; ROLLBACK"] {
        run(&mut bi, reset);
        stage.assert_bob(&mut bi);
    }
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        run(&mut bi, &format!("BEGIN ISOLATION LEVEL {level} READ ONLY"));
        stage.assert_bob(&mut bi);
        run(&mut stage.ops(), &format!("SELECT timedb.unbind_role('{role}')"));
        assert_sees_nothing(&mut bi);
        run(&mut bi, "COMMIT");
        assert_nobody(&mut bi);
        bind(&mut stage.ops(), &role, stage.bob.tenant_id, "read");
        stage.assert_bob(&mut bi);
    }
}

#[test]
fn set_role_and_definer_functions_change_nothing_about_a_binding() {
    let stage = Stage::set("bound set role");
    let role = stage.bound_to_bob("read");
    let other = stage.role("definer", "IN ROLE timedb_user");
    bind(&mut stage.ops(), &other, stage.alice.tenant_id, "admin");
    run(
        &mut stage.admin(),
        &format!(
            "GRANT {role}, {other} TO app; GRANT {other} TO {role}; \
             CREATE FUNCTION public.whose() RETURNS uuid SECURITY DEFINER LANGUAGE sql AS 'SELECT timedb.current_tenant()'; \
             ALTER FUNCTION public.whose() OWNER TO {other}"
        ),
    );
    // Becoming a bound role gives nothing, and calling what is a bound role's gives nothing.
    let mut app = stage.app();
    run(&mut app, &format!("SET ROLE {role}"));
    assert_nobody(&mut app);
    assert_eq!(one::<Option<Uuid>>(&mut app, "SELECT public.whose()"), None);
    let mut bi = stage.database.login(&role);
    assert_eq!(one::<Uuid>(&mut bi, "SELECT public.whose()"), stage.bob.tenant_id);
    for become_ in [format!("SET ROLE {other}"), "SET ROLE timedb_user".into()] {
        run(&mut bi, &become_);
        stage.assert_bob(&mut bi);
        run(&mut bi, "RESET ROLE");
    }
}

#[test]
fn only_operators_bind_unbind_and_list() {
    let stage = Stage::set("operators only");
    let role = stage.bound_to_bob("admin");
    let admin = stage.alice_of_scope("admin");
    let attempts = [
        format!("SELECT timedb.bind_role('app', '{}', 'admin')", stage.bob.tenant_id),
        format!("SELECT timedb.unbind_role('{role}')"),
        "SELECT * FROM timedb.list_bindings()".into(),
        "INSERT INTO timedb.role_bindings (role_name) VALUES ('app')".into(),
        "DELETE FROM timedb.role_bindings".into(),
    ];
    for mut client in [
        stage.evil(),
        stage.app(),
        stage.database.authenticated(&admin),
        stage.database.login(&role),
    ] {
        each_refused(&mut client, "42501", &attempts);
    }
    stage.assert_bob(&mut stage.database.login(&role));
}

#[test]
fn a_binding_is_refused_where_it_would_mean_nothing_or_too_much() {
    let stage = Stage::set("refused bindings");
    let bound = stage.bound_to_bob("read");
    let mut admin = stage.admin();
    let superuser = stage.role_of_any_power("su", "SUPERUSER");
    let bypassing = stage.role_of_any_power("by", "BYPASSRLS");
    let mut ops = stage.ops();
    for (role, code) in [
        ("postgres", "22023"),
        (&superuser, "22023"),
        (&bypassing, "22023"),
        ("ops", "22023"),
        ("timedb_admin", "22023"),
        ("nobody_of_that_name", "42704"),
        (&bound, "42710"),
    ] {
        let bind = format!("SELECT timedb.bind_role('{role}', '{}')", stage.bob.tenant_id);
        each_refused(&mut ops, code, [bind]);
    }
    let tenant = stage.bob.tenant_id;
    for null in [format!("NULL, '{tenant}'"), "'app', NULL".into()] {
        each_refused(&mut ops, "22004", [format!("SELECT timedb.bind_role({null})")]);
    }
    each_refused(
        &mut ops,
        "22023",
        [format!("SELECT timedb.bind_role('app', '{tenant}', 'owner')")],
    );
    refused(ops.execute("SELECT timedb.unbind_role('app')", &[])).code("42704");
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.role_bindings"), 1);
}

/// It need not inherit the operators' powers to use them: SET ROLE is enough.
#[test]
fn a_binding_is_refused_to_an_operator_who_does_not_inherit() {
    let stage = Stage::set("noinherit");
    let role = stage.role("noinherit", "NOINHERIT IN ROLE timedb_admin");
    let mut client = stage.database.login(&role);
    run(
        &mut client,
        "SET ROLE timedb_admin; SELECT * FROM timedb.list_bindings()",
    );
    let bind = format!("SELECT timedb.bind_role('{role}', '{}')", stage.bob.tenant_id);
    each_refused(&mut stage.ops(), "22023", [bind]);
}

#[test]
fn a_key_stands_over_a_binding_and_a_failed_login_voids_both() {
    let stage = Stage::set("key over binding");
    let role = stage.bound_to_bob("read");
    for way_back in ["SELECT timedb.logout()", "RESET ALL", "DISCARD ALL"] {
        let mut bi = stage.database.login(&role);
        login(&mut bi, &stage.alice, false);
        stage.assert_alice(&mut bi);
        fail_to_login(&mut bi, false);
        assert_nobody(&mut bi);
        run(&mut bi, "BEGIN; ROLLBACK");
        assert_nobody(&mut bi);
        run(&mut bi, way_back);
        stage.assert_bob(&mut bi);
    }
}

#[test]
fn a_revoked_key_does_not_fall_back_to_the_binding() {
    let stage = Stage::set("no fallback");
    let role = stage.bound_to_bob("read");
    let mut bi = stage.database.login(&role);
    login(&mut bi, &stage.alice, false);
    let end = "SELECT timedb.deactivate_user(user_id => $1)";
    stage.ops().execute(end, &[&stage.alice.user_id]).expect("it ends");
    assert_key_refused(&mut bi);
}

#[test]
fn a_binding_travels_with_a_dump() {
    let stage = Stage::set("dumped binding");
    let role = stage.bound_to_bob("read");
    let copy = crate::life::restored(&stage);
    let mut bi = copy.connect(&role);
    assert_eq!(tenant(&mut bi), Some(stage.bob.tenant_id));
    assert_eq!(seen(&mut bi), [stage.bobs.series_id]);
}

/// Accepted, and so a rule for operators: unbind before you drop. A binding is by name, as it must be to be dumped.
#[test]
fn a_binding_outlives_its_role_and_is_listed_as_such() {
    let stage = Stage::set("outlived");
    let role = stage.bound_to_bob("read");
    run(&mut stage.admin(), &format!("DROP ROLE {role}"));
    let exists = "SELECT role_exists FROM timedb.list_bindings() WHERE role_name = $1::text::name";
    assert!(!one_of::<bool>(&mut stage.ops(), exists, &[&role]));
    run(
        &mut stage.admin(),
        &format!("CREATE ROLE {role} LOGIN IN ROLE timedb_user"),
    );
    stage.assert_bob(&mut stage.database.login(&role));
    run(&mut stage.ops(), &format!("SELECT timedb.unbind_role('{role}')"));
    assert_nobody(&mut stage.database.login(&role));
}

/// A session whose role is dropped under it is nobody, even if another role takes the name.
#[test]
fn a_session_whose_role_is_gone_is_nobody() {
    let stage = Stage::set("role gone");
    let role = stage.bound_to_bob("read");
    let mut bi = stage.database.login(&role);
    stage.assert_bob(&mut bi);
    let mut admin = stage.admin();
    run(
        &mut admin,
        &format!("ALTER ROLE {role} RENAME TO gone_{}", stage.alice.user_id.simple()),
    );
    assert_sees_nothing(&mut bi);
}
