use gatewright_core::audit::AuditKind;
use gatewright_core::principal::UserId;
use gatewright_core::store::{
    Account, AccountStore as _, LinkedLogin, LinkedLoginStore as _, MembershipStore as _,
};
use gatewright_issuer::Mail;
use serde_json::{Value, json};

use super::{PASSWORD, Server, refused, text};

const TEAM: &str = "/api/v1/users/team";
const INVITES: &str = "/api/v1/users/invites";
const KEYS: &str = "/api/v1/users/api-keys";
const GRANTS: &str = "/api/v1/users/oauth-grants";

/// Ada is the admin of a workspace that has a manager, Mia, and a member, Max. Zoe has one of her own.
async fn team() -> Server {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let acme = server.workspace("acme", &ada).await;
    for (name, role) in [("mia", "manager"), ("max", "member")] {
        let user = server.person(name).await;
        server.join(&acme, &user, role).await;
    }
    let zoe = server.person("zoe").await;
    server.workspace("zoo", &zoe).await;
    server
}

fn one(name: &str) -> String {
    format!("{TEAM}/usr_{name}")
}

async fn key(server: &Server, bearer: &str, body: Value) -> (String, String) {
    let (status, key) = server.call("POST", KEYS, bearer, body).await;
    assert_eq!(status, 201, "{key}");
    (text(&key["prefix"]), text(&key["secret"]))
}

async fn delete(server: &Server, path: &str, bearer: &str) -> (u16, Value) {
    server.call("DELETE", path, bearer, Value::Null).await
}

async fn give(server: &Server, name: &str, role: &str, bearer: &str) -> (u16, Value) {
    let body = json!({ "role": role });
    server.call("PATCH", &one(name), bearer, body).await
}

/// The token of the one invitation that was mailed.
fn invited(server: &Server) -> String {
    let mails = server.outbox.take();
    let [Mail::Invite { token, .. }] = &mails[..] else {
        panic!("not one invitation: {mails:?}");
    };
    token.expose().to_owned()
}

async fn invite(server: &Server, bearer: &str, email: &str, role: &str) -> (u16, Value) {
    let body = json!({ "email": email, "role": role });
    server.call("POST", INVITES, bearer, body).await
}

async fn accept(server: &Server, body: Value) -> (u16, Value) {
    let path = format!("{INVITES}/accept");
    server.call("POST", &path, "", body).await
}

fn kinds(server: &Server) -> Vec<AuditKind> {
    let events = server.audit.take();
    events.into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn whoever_is_invited_joins_with_the_role_that_was_offered() {
    let server = team().await;
    let ada = server.login("workspace", "ada").await;
    server.audit.take();
    let (status, made) = invite(&server, &ada, "New@Acme.test", "manager").await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["email"], "new@acme.test");
    assert_eq!(made["invited_by"], "usr_ada");
    let token = invited(&server);
    assert!(!made.to_string().contains(&token), "mailed alone");
    let (_, list) = server.get(INVITES, &ada).await;
    assert_eq!(list["items"], json!([made]));

    let bare = accept(&server, json!({ "token": token })).await;
    assert_eq!(refused(bare), (400, "validation_error".to_owned()));
    let weak = json!({ "token": token, "name": "New", "password": "password" });
    assert_eq!(accept(&server, weak).await.0, 400);
    let body = json!({ "token": token, "name": "New", "password": PASSWORD });
    let (status, accepted) = accept(&server, body.clone()).await;
    assert_eq!(status, 200, "{accepted}");
    assert_eq!(accepted, json!({ "workspace": "acme", "role": "manager" }));
    let again = accept(&server, body).await;
    assert_eq!(refused(again), (400, "invalid_link".to_owned()));
    let told = kinds(&server);
    assert!(told.contains(&AuditKind::Invited) && told.contains(&AuditKind::RoleChanged));

    let new = server.login("workspace", "new").await;
    assert_eq!(server.get(TEAM, &new).await.0, 200, "a manager");
    let (_, list) = server.get(INVITES, &ada).await;
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn an_account_that_is_there_joins_and_keeps_its_password() {
    let server = team().await;
    let ada = server.login("workspace", "ada").await;
    invite(&server, &ada, "zoe@acme.test", "member").await;
    let body = json!({ "token": invited(&server), "password": "three brown cows" });
    let (_, accepted) = accept(&server, body).await;
    assert_eq!(accepted["role"], "member");
    // The first of hers by slug.
    let zoe = server.login("workspace", "zoe").await;
    let (_, me) = server.get("/api/v1/users/me", &zoe).await;
    assert_eq!(me["workspace"]["slug"], "acme");
    // Who is a member already stays what they are.
    invite(&server, &ada, "mia@acme.test", "member").await;
    let (_, accepted) = accept(&server, json!({ "token": invited(&server) })).await;
    assert_eq!(accepted, json!({ "workspace": "acme", "role": null }));
    let mia = server.login("workspace", "mia").await;
    assert_eq!(server.get(TEAM, &mia).await.0, 200);
}

#[tokio::test]
async fn invitations_are_the_admins_to_make_and_to_take_back() {
    let server = team().await;
    let ada = server.login("workspace", "ada").await;
    let mia = server.login("workspace", "mia").await;
    let zoe = server.login("workspace", "zoe").await;
    for (email, role) in [
        ("new@acme.test", "owner"),
        ("new@acme.test", Account::PLATFORM_ADMIN),
        ("new@acme.test", ""),
        ("new", "member"),
        ("a@b@c", "member"),
    ] {
        let refusal = refused(invite(&server, &ada, email, role).await);
        assert_eq!(
            refusal,
            (400, "validation_error".to_owned()),
            "{email} {role}"
        );
    }
    let refusal = invite(&server, &mia, "new@acme.test", "member").await;
    assert_eq!(refused(refusal), (403, "insufficient_role".to_owned()));
    let (_, narrow) = key(
        &server,
        &ada,
        json!({ "name": "n", "scopes": ["team.read"] }),
    )
    .await;
    let refusal = invite(&server, &narrow, "new@acme.test", "member").await;
    assert_eq!(refused(refusal), (403, "insufficient_scope".to_owned()));
    assert!(server.outbox.take().is_empty());

    let (_, made) = invite(&server, &ada, "new@acme.test", "member").await;
    let token = invited(&server);
    let path = format!("{INVITES}/{}", text(&made["id"]));
    assert_eq!(
        refused(delete(&server, &path, &zoe).await).0,
        404,
        "another workspace's"
    );
    assert_eq!(delete(&server, &path, &ada).await.0, 204);
    assert_eq!(refused(delete(&server, &path, &ada).await).0, 404);
    let body = json!({ "token": token, "password": PASSWORD });
    let refusal = accept(&server, body).await;
    assert_eq!(refused(refusal), (400, "invalid_link".to_owned()));
}

/// SECURITY of invitations: the inviter's role counts when the invitation is accepted.
#[tokio::test]
async fn an_invitation_is_worth_no_more_than_its_inviter() {
    let server = team().await;
    let ada = server.login("workspace", "ada").await;
    assert_eq!(give(&server, "max", "admin", &ada).await.0, 200);
    let max = server.login("workspace", "max").await;
    invite(&server, &max, "new@acme.test", "admin").await;
    let token = invited(&server);
    assert_eq!(give(&server, "max", "manager", &ada).await.0, 200);
    let body = json!({ "token": token, "password": PASSWORD });
    let refusal = accept(&server, body).await;
    assert_eq!(refused(refusal), (400, "invalid_link".to_owned()));
}

#[tokio::test]
async fn nobody_is_invited_from_a_foreign_page() {
    let server = team().await;
    let request = server.request("POST", &format!("{INVITES}/accept"));
    let request = request.header("origin", "https://evil.example");
    let answer = request.json(&json!({ "token": "t" })).send().await.unwrap();
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn a_demotion_takes_effect_at_once_also_for_keys() {
    let server = team().await;
    let ada = server.login("workspace", "ada").await;
    let (status, max) = give(&server, "max", "admin", &ada).await;
    assert_eq!(status, 200, "{max}");
    assert_eq!(
        max,
        json!({ "id": "usr_max", "email": "max@acme.test", "role": "admin" })
    );
    let jwt = server.login("workspace", "max").await;
    let (_, secret) = key(&server, &jwt, json!({ "name": "k" })).await;
    assert_eq!(give(&server, "mia", "member", &secret).await.0, 200);

    server.audit.take();
    assert_eq!(give(&server, "max", "member", &ada).await.0, 200);
    assert_eq!(kinds(&server), [AuditKind::RoleChanged]);
    for bearer in [&jwt, &secret] {
        for answer in [
            give(&server, "mia", "admin", bearer).await,
            give(&server, "max", "admin", bearer).await,
            delete(&server, &one("mia"), bearer).await,
            delete(&server, &format!("{}/api-keys", one("ada")), bearer).await,
            invite(&server, bearer, "new@acme.test", "admin").await,
            // They hold that role, but it is not for members to invite.
            invite(&server, bearer, "new@acme.test", "member").await,
        ] {
            assert_eq!(refused(answer), (403, "insufficient_role".to_owned()));
        }
    }
    // The same again is no change.
    server.audit.take();
    assert_eq!(give(&server, "max", "member", &ada).await.0, 200);
    assert!(kinds(&server).is_empty());
}

#[tokio::test]
async fn only_members_are_changed_and_only_by_admins() {
    let server = team().await;
    let ada = server.login("workspace", "ada").await;
    let mia = server.login("workspace", "mia").await;
    for who in ["zoe", "nobody", "%20"] {
        assert_eq!(refused(give(&server, who, "member", &ada).await).0, 404);
        assert_eq!(refused(delete(&server, &one(who), &ada).await).0, 404);
        let keys = format!("{}/api-keys", one(who));
        assert_eq!(refused(server.get(&keys, &ada).await).0, 404);
        assert_eq!(refused(delete(&server, &keys, &ada).await).0, 404);
    }
    let zoe = UserId::new("usr_zoe").unwrap();
    let acme = gatewright_core::principal::TenantId::new("ten_acme").unwrap();
    let tenant = gatewright_core::store::TenantRef::Id(&acme);
    let held = server.app.store.membership(&zoe, tenant).await.unwrap();
    assert_eq!(held, None, "nobody joins by a change of role");
    for answer in [
        give(&server, "max", "member", &mia).await,
        delete(&server, &one("max"), &mia).await,
    ] {
        assert_eq!(refused(answer), (403, "insufficient_role".to_owned()));
    }
    for role in ["owner", Account::PLATFORM_ADMIN, ""] {
        let refusal = refused(give(&server, "max", role, &ada).await);
        assert_eq!(refusal, (400, "validation_error".to_owned()));
    }
}

#[tokio::test]
async fn the_last_admin_stays() {
    let server = team().await;
    let ada = server.login("workspace", "ada").await;
    for answer in [
        give(&server, "ada", "manager", &ada).await,
        delete(&server, &one("ada"), &ada).await,
    ] {
        assert_eq!(refused(answer), (409, "conflict".to_owned()));
    }
    assert_eq!(give(&server, "ada", "admin", &ada).await.0, 200);
    assert_eq!(give(&server, "mia", "admin", &ada).await.0, 200);
    assert_eq!(delete(&server, &one("ada"), &ada).await.0, 200);
    assert_eq!(refused(server.get(TEAM, &ada).await).0, 401);
}

/// Two admins who remove each other at once: one of them stays.
#[tokio::test]
async fn of_two_admins_who_remove_each_other_one_stays() {
    for _ in 0..5 {
        let server = team().await;
        let ada = server.login("workspace", "ada").await;
        give(&server, "mia", "admin", &ada).await;
        let mia = server.login("workspace", "mia").await;
        let (theirs, hers) = (one("mia"), one("ada"));
        tokio::join!(delete(&server, &theirs, &ada), delete(&server, &hers, &mia));
        let (first, second) = (server.get(TEAM, &ada).await, server.get(TEAM, &mia).await);
        let stay = [first.0, second.0].iter().filter(|s| **s == 200).count();
        assert_eq!(stay, 1);
    }
}

#[tokio::test]
async fn whoever_goes_loses_sessions_and_leaves_keys_that_one_call_revokes() {
    let server = team().await;
    let ada = server.login("workspace", "ada").await;
    let max = server.login("workspace", "max").await;
    let mut secrets = Vec::new();
    // More than a page, a longest one included.
    for n in 0..103 {
        let scopes = json!({ "name": format!("key {n}"), "scopes": ["keys.read"] });
        secrets.push(key(&server, &max, scopes).await);
    }
    let (revoked, _) = secrets.pop().unwrap();
    assert_eq!(
        delete(&server, &format!("{KEYS}/{revoked}"), &max).await.0,
        204
    );
    let (_, others) = key(&server, &ada, json!({ "name": "ada's" })).await;

    server.audit.take();
    let (status, left) = delete(&server, &one("max"), &ada).await;
    assert_eq!(status, 200, "{left}");
    assert!(kinds(&server).contains(&AuditKind::MemberRemoved));
    let credentials = left["credentials"].as_array().unwrap();
    let listed: Vec<String> = credentials.iter().map(|c| text(&c["prefix"])).collect();
    let minted: Vec<String> = secrets.iter().map(|(prefix, _)| prefix.clone()).collect();
    assert_eq!(listed, minted);
    assert_eq!(credentials[0]["name"], "key 0");
    assert_eq!(credentials[0]["scopes"], json!(["keys.read"]));
    assert!(credentials[0]["created_at"].is_string());
    let refusal = server.get("/api/v1/users/me", &max).await;
    assert_eq!(refusal.0, 401, "the session is over");
    assert_eq!(refused(delete(&server, &one("max"), &ada).await).0, 404);

    // By cursor, the revoked one among them; after the removal too.
    let keys = format!("{}/api-keys", one("max"));
    let (mut seen, mut cursor) = (0, String::new());
    loop {
        let page = format!("{keys}?limit=50&cursor={cursor}");
        let (status, list) = server.get(&page, &ada).await;
        assert_eq!(status, 200, "{list}");
        seen += list["items"].as_array().unwrap().len();
        match list["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 103);

    assert_eq!(server.get(KEYS, &secrets[101].1).await.0, 200);
    server.audit.take();
    let (status, answer) = delete(&server, &keys, &ada).await;
    assert_eq!((status, answer), (200, json!({ "revoked": 102 })));
    let events = server.audit.take();
    assert_eq!(events.len(), 102, "one by one");
    assert!(events.iter().all(|event| event.kind == AuditKind::Revoked));
    for (_, secret) in [&secrets[0], &secrets[101]] {
        let refusal = server.get(KEYS, secret).await;
        assert_eq!(refused(refusal), (401, "token_revoked".to_owned()));
    }
    assert_eq!(server.get(KEYS, &others).await.0, 200, "nobody else's");
    let (_, answer) = delete(&server, &keys, &ada).await;
    assert_eq!(answer, json!({ "revoked": 0 }));
}

#[tokio::test]
async fn platform_administrators_are_nobodys_to_change() {
    let server = team().await;
    let ada = server.login("workspace", "ada").await;
    let op = UserId::new("usr_op").unwrap();
    let mut account = Account::new(op.clone(), "op@acme.test", 1_700_000_000);
    account.verified = true;
    account.platform_admin = true;
    server.app.store.insert_account(account).await.unwrap();
    let keys = format!("{}/api-keys", one("op"));
    for answer in [
        give(&server, "op", "member", &ada).await,
        delete(&server, &one("op"), &ada).await,
        server.get(&keys, &ada).await,
    ] {
        assert_eq!(refused(answer).0, 404, "who is one is not told");
    }
    let acme = gatewright_core::principal::TenantId::new("ten_acme").unwrap();
    server.join(&acme, &op, "member").await;
    for answer in [
        give(&server, "op", "admin", &ada).await,
        delete(&server, &one("op"), &ada).await,
        delete(&server, &keys, &ada).await,
    ] {
        assert_eq!(refused(answer), (403, "insufficient_role".to_owned()));
    }
}

#[tokio::test]
async fn the_ways_in_are_listed_and_the_last_one_stays() {
    let server = team().await;
    let store = &server.app.store;
    let link = |id: &str, user: &str| {
        let user = UserId::new(user).unwrap();
        let issuer = "https://idp.example";
        LinkedLogin::new(id, user, issuer, id, "max@acme.test", 1_700_000_000)
    };
    store.link_login(link("lnk_1", "usr_max")).await.unwrap();
    store.link_login(link("lnk_2", "usr_zoe")).await.unwrap();
    let max = server.login("workspace", "max").await;
    let (_, list) = server.get(GRANTS, &max).await;
    assert_eq!(
        list["items"],
        json!([{
            "id": "lnk_1",
            "issuer": "https://idp.example",
            "email": "max@acme.test",
            "linked_at": "2023-11-14T22:13:20Z",
        }])
    );
    let theirs = format!("{GRANTS}/lnk_2");
    assert_eq!(refused(delete(&server, &theirs, &max).await).0, 404);
    let own = format!("{GRANTS}/lnk_1");
    server.audit.take();
    assert_eq!(delete(&server, &own, &max).await.0, 204);
    assert_eq!(kinds(&server), [AuditKind::LoginUnlinked]);
    assert_eq!(refused(delete(&server, &own, &max).await).0, 404);

    // Somebody without a password.
    let eve = UserId::new("usr_eve").unwrap();
    let mut account = Account::new(eve.clone(), "eve@acme.test", 1_700_000_000);
    account.verified = true;
    store.insert_account(account).await.unwrap();
    store.link_login(link("lnk_3", "usr_eve")).await.unwrap();
    let acme = gatewright_core::principal::TenantId::new("ten_acme").unwrap();
    server.join(&acme, &eve, "member").await;
    let secret = server.key_of(&eve, &acme).await;
    let last = format!("{GRANTS}/lnk_3");
    let refusal = delete(&server, &last, &secret).await;
    assert_eq!(refused(refusal), (409, "conflict".to_owned()));
    store.link_login(link("lnk_4", "usr_eve")).await.unwrap();
    assert_eq!(delete(&server, &last, &secret).await.0, 204);
}

/// Where no provider is configured there is none.
#[tokio::test]
async fn without_a_provider_there_is_no_such_login() {
    let server = Server::start().await;
    for path in ["authorize", "callback?code=c&state=s"] {
        let path = format!("/api/v1/users/google/{path}");
        let refusal = server.get(&path, "").await;
        assert_eq!(refused(refusal), (404, "not_found".to_owned()));
    }
}
