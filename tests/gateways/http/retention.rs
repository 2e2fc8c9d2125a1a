//! Retention over HTTP: a tenant's admin sets it, looks, and applies it.

use super::*;

#[test]
fn an_admin_sets_looks_at_and_applies_retention_and_nobody_else_may() {
    let gateway = Gateway::fresh("retention");
    let admin = gateway.stage.alice_of_scope("admin");
    let admin = gateway.server.with_key(&admin.api_key);
    let set = json!({"keep": "1 month", "keep_revisions": "7 days"});
    let answer = admin.post("/rpc/set_retention", &set);
    assert!([200, 204].contains(&answer.status), "{answer:?}");
    let listed = admin.get("/rpc/list_retention");
    assert_eq!(listed.status, 200, "{listed:?}");
    assert_eq!(listed.body[0]["basis"], "valid_time");
    assert_eq!(listed.body[0]["series_id"], Value::Null);
    // Only looked at, by default.
    for _ in 0..2 {
        let dry = admin.post("/rpc/apply_retention", &json!({}));
        assert_eq!(dry.status, 200, "{dry:?}");
        assert_eq!((&dry.body["value_count"], &dry.body["series"]), (&json!(1), &json!(1)));
    }
    let done = admin.post("/rpc/apply_retention", &json!({"dry_run": false}));
    assert_eq!(
        (&done.body["value_count"], &done.body["remaining"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(gateway.alice().get("/rpc/read").body, json!([]));
    assert_eq!(gateway.bob().get("/rpc/read").body.as_array().expect("rows").len(), 1);
    for answer in [
        gateway.alice().post("/rpc/set_retention", &set),
        gateway.alice().post("/rpc/apply_retention", &json!({"dry_run": false})),
    ] {
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    let bobs = json!({"keep": "1 month", "tenant_id": gateway.stage.bob.tenant_id.to_string()});
    assert_eq!(admin.post("/rpc/set_retention", &bobs).status, 404);
}
