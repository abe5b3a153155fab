//! Who did what, and who was not let.

use gatewright_core::audit::AuditKind::{
    self, Denied, LoggedIn, LoginFailed, Minted, PlanChanged, Revoked, RoleChanged, Rotated,
};
use gatewright_core::error::Cause;
use serde_json::{Value, json};

use super::{PASSWORD, Server, text};

/// What was recorded since the last time: kind, tenant, target, cause. All of it came from this machine.
fn told(server: &Server) -> Vec<(AuditKind, String, String, Option<Cause>)> {
    let events = server.audit.take().into_iter();
    events
        .map(|event| {
            let issued = matches!(event.kind, Minted | Rotated | Revoked);
            assert!(
                issued || event.source.is_some_and(|source| source.is_loopback()),
                "{event:?}"
            );
            let tenant = event.tenant.as_ref().map(ToString::to_string);
            let target = event.target.as_deref().unwrap_or_default().to_owned();
            (event.kind, tenant.unwrap_or_default(), target, event.cause)
        })
        .collect()
}

fn event(
    kind: AuditKind,
    tenant: &str,
    target: &str,
) -> (AuditKind, String, String, Option<Cause>) {
    (kind, tenant.to_owned(), target.to_owned(), None)
}

fn denied(tenant: &str, cause: Cause) -> (AuditKind, String, String, Option<Cause>) {
    (Denied, tenant.to_owned(), String::new(), Some(cause))
}

#[tokio::test]
async fn changes_of_roles_plans_and_credentials_are_told() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.handle("acme", "free", &ada).await;
    server.person("bob").await;
    let jwt = server.login("handle", "ada").await;
    let events = server.audit.take();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, LoggedIn);
    assert_eq!(
        events[0].subject.as_ref().unwrap().to_string(),
        "user:usr_ada"
    );

    let new = json!({ "handle": "new-one", "displayName": "New" });
    assert_eq!(server.call("POST", "/v2/handles", &jwt, new).await.0, 201);
    let tenant = server.audit.take().remove(0).tenant.unwrap().to_string();
    assert!(tenant.starts_with("ten_"), "{tenant}");

    let collaborators = "/v2/handles/acme/collaborators";
    let bob = json!({ "email": "bob@acme.test", "role": "creator" });
    server.call("PUT", collaborators, &jwt, bob.clone()).await;
    server
        .call("DELETE", collaborators, &jwt, bob.clone())
        .await;
    server.call("DELETE", collaborators, &jwt, bob).await;
    let change = event(RoleChanged, "ten_acme", "usr_bob");
    assert_eq!(told(&server), [change.clone(), change]);

    let order = json!({ "handle": "acme", "plan": "pro" });
    let sessions = "/v2/billing/checkout-session";
    let (_, session) = server.call("POST", sessions, &jwt, order).await;
    let complete = format!("{sessions}/{}/complete", text(&session["id"]));
    for _ in 0..2 {
        server.call("POST", &complete, &jwt, Value::Null).await;
    }
    assert_eq!(told(&server), [event(PlanChanged, "ten_acme", "pro")]);

    let tokens = "/v2/handles/acme/tokens";
    let body = json!({ "name": "ci", "scopes": ["links.read"] });
    let (_, token) = server.call("POST", tokens, &jwt, body).await;
    let id = text(&token["tokenId"]);
    let one = format!("{tokens}/{id}");
    server
        .call("POST", &format!("{one}/rotate"), &jwt, Value::Null)
        .await;
    server.call("DELETE", &one, &jwt, Value::Null).await;
    let kinds = [Minted, Rotated, Revoked];
    assert_eq!(
        told(&server),
        kinds.map(|kind| event(kind, "ten_acme", &id))
    );
}

#[tokio::test]
async fn whom_a_handler_refuses_is_told_as_whom_the_gate_does() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let acme = server.handle("acme", "free", &ada).await;
    server
        .join(&acme, &server.person("bob").await, "operator")
        .await;
    let work = server.workspace("work", &ada).await;
    server
        .join(&work, &server.person("mia").await, "manager")
        .await;
    server.person("eve").await;
    let [bob, eve] = ["bob", "eve"].map(|name| server.login("handle", name));
    let (bob, eve) = (bob.await, eve.await);
    let [admin, manager] = ["ada", "mia"].map(|name| server.login("workspace", name));
    let (admin, manager) = (admin.await, manager.await);
    let keys = "/api/v1/users/api-keys";
    let (_, theirs) = server
        .call("POST", keys, &admin, json!({ "name": "n" }))
        .await;
    let narrow = json!({ "name": "n", "scopes": ["team.keys.read", "keys.write"] });
    let (_, narrow) = server.call("POST", keys, &manager, narrow).await;
    server.audit.take();

    // By the gate.
    server.get("/v2/handles/acme", &eve).await;
    assert_eq!(told(&server), [denied("", Cause::NoMembership)]);
    // By handlers.
    let plan = "/v2/billing/plan?handle=acme";
    assert_eq!(server.get(plan, &eve).await.0, 404);
    assert_eq!(told(&server), [denied("", Cause::NoMembership)]);
    assert_eq!(server.get(plan, &bob).await.0, 403);
    assert_eq!(told(&server), [denied("", Cause::MissingRole)]);
    let one = format!("{keys}/{}", text(&theirs["prefix"]));
    let key = text(&narrow["secret"]);
    for (bearer, cause) in [(&manager, Cause::MissingRole), (&key, Cause::MissingScope)] {
        assert_eq!(
            server.call("DELETE", &one, bearer, Value::Null).await.0,
            403
        );
        assert_eq!(told(&server), [denied("ten_work", cause)]);
    }
}

#[tokio::test]
async fn logins_that_get_nothing_are_told_and_name_only_accounts_that_there_are() {
    let server = Server::start().await;
    server.workspace("acme", &server.person("ada").await).await;
    server.workspace("bobs", &server.person("bob").await).await;
    server.person("eve").await;
    for (email, password, workspace, target, cause) in [
        (
            "ada@acme.test",
            "wrong",
            None,
            "usr_ada",
            Cause::WrongPassword,
        ),
        ("my own password", "wrong", None, "", Cause::WrongPassword),
        (
            "ada@acme.test",
            PASSWORD,
            Some("bobs"),
            "usr_ada",
            Cause::NoMembership,
        ),
        (
            "eve@acme.test",
            PASSWORD,
            None,
            "usr_eve",
            Cause::MissingRole,
        ),
    ] {
        let body = json!({ "email": email, "password": password, "workspace": workspace });
        let (status, _) = server.call("POST", "/api/v1/users/login", "", body).await;
        assert!((400..500).contains(&status));
        let failed = (LoginFailed, String::new(), target.to_owned(), Some(cause));
        assert_eq!(told(&server), [failed]);
    }
}
