//! Pages, and the visitors who read and buy them.

use std::sync::Arc;

use gatewright_core::audit::AuditKind;
use gatewright_core::principal::VisitorId;
use gatewright_core::scope::ScopeSet;
use gatewright_core::session::{Visit, VisitorSeal};
use reqwest::Response;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};

use super::{Server, answer, refused, text};

const PAGES: &str = "/v2/handles/acme/pages";
const GUIDE: &str = "/v2/public/pages/guide";
const ME: &str = "/v2/visitor/me";
const BUY: &str = "/v2/visitor/entitlements";

/// The status, the body, and the value of the cookie that the answer sets.
async fn answered(response: Response) -> (u16, Value, Option<String>) {
    let mut lines = response.headers().get_all(SET_COOKIE).iter();
    let cookie = lines.next().map(|line| {
        let line = line.to_str().unwrap();
        let (value, attributes) = line.split_once("; ").unwrap();
        let expected = "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=15552000";
        assert_eq!(attributes, expected);
        value.strip_prefix("__Host-visitor=").unwrap().to_owned()
    });
    assert!(lines.next().is_none());
    let (status, body) = answer(response).await;
    (status, body, cookie)
}

async fn visit(server: &Server, path: &str, cookie: &str) -> (u16, Value, Option<String>) {
    let cookie = format!("__Host-visitor={cookie}");
    let request = server.request("GET", path).header(COOKIE, cookie);
    answered(request.send().await.unwrap()).await
}

async fn buy(server: &Server, cookie: &str, code: &str) -> (u16, Value, Option<String>) {
    let request = server.request("POST", BUY).json(&json!({ "code": code }));
    let request = request.header(COOKIE, format!("__Host-visitor={cookie}"));
    answered(request.send().await.unwrap()).await
}

/// A server with the handle `acme`, its owner's token, and the paid page `guide`.
async fn start() -> (Server, String) {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.handle("acme", "free", &ada).await;
    let jwt = server.login("handle", "ada").await;
    let page = json!({ "title": "The guide", "body": "Line 1\nLine 2", "paid": true });
    let (status, made) = put(&server, &jwt, "guide", page).await;
    assert_eq!((status, &made["paid"]), (201, &json!(true)), "{made}");
    (server, jwt)
}

async fn put(server: &Server, jwt: &str, name: &str, page: Value) -> (u16, Value) {
    server
        .call("PUT", &format!("{PAGES}/{name}"), jwt, page)
        .await
}

async fn code(server: &Server, jwt: &str) -> String {
    let path = format!("{PAGES}/guide/purchase-codes");
    let (status, minted) = server.call("POST", &path, jwt, Value::Null).await;
    assert_eq!(
        (status, &minted["page"]),
        (201, &json!("guide")),
        "{minted}"
    );
    text(&minted["code"])
}

/// The cookie of somebody who came a while ago.
async fn known(server: &Server) -> (VisitorId, String) {
    let now = server.app.gate.clock().now();
    let visitor = VisitorId::generate(now - 3_600).unwrap();
    let keys = Arc::new(server.app.product.visitor_keys().await.unwrap());
    let seal = VisitorSeal::new(keys, "__Host-visitor", "handle");
    let sealed = seal
        .seal(&Visit::new(visitor, now, ScopeSet::new()))
        .unwrap();
    (visitor, sealed.expose().to_owned())
}

#[tokio::test]
async fn a_visitor_is_known_again() {
    let (server, _) = start().await;
    let first = server.request("GET", ME).send().await.unwrap();
    let (status, me, cookie) = answered(first).await;
    let cookie = cookie.unwrap();
    assert_eq!((status, &me["pages"]), (200, &json!([])));
    let (status, again, set) = visit(&server, ME, &cookie).await;
    assert_eq!((status, &again, set), (200, &me, None));

    // What no key of ours sealed is replaced, and says nothing.
    let mut forged = cookie.clone();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    for bad in [forged.as_str(), "", "x", &"A".repeat(4_000)] {
        let (status, other, set) = visit(&server, ME, bad).await;
        assert_eq!(status, 200);
        assert_ne!(other["visitor"], me["visitor"]);
        let (_, again, _) = visit(&server, ME, &set.unwrap()).await;
        assert_eq!(again["visitor"], other["visitor"]);
    }
    let (visitor, cookie) = known(&server).await;
    let (_, me, _) = visit(&server, ME, &cookie).await;
    assert_eq!(me["visitor"], visitor.to_string());
}

#[tokio::test]
async fn a_paid_page_is_bought_with_a_code_once() {
    let (server, jwt) = start().await;
    let (_, ann) = known(&server).await;
    let (_, bob) = known(&server).await;
    let (status, body, _) = visit(&server, GUIDE, &ann).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (403, &json!("insufficient_scope"))
    );
    let message = "Token does not have the required scope: pages.read:guide";
    assert_eq!(body["error"]["message"], message);
    assert!(!body.to_string().contains("Line 1"));

    let code = code(&server, &jwt).await;
    let (status, bought, with_page) = buy(&server, &ann, &code).await;
    let entitlement = json!({ "page": "guide", "scope": "pages.read:guide" });
    assert_eq!((status, &bought), (201, &entitlement));
    let (status, page, _) = visit(&server, GUIDE, &with_page.unwrap()).await;
    assert_eq!((status, &page["body"]), (200, &json!("Line 1\nLine 2")));
    let (_, me, _) = visit(&server, ME, &ann).await;
    assert_eq!(me["pages"], json!(["guide"]));

    // It is spent, for everybody but who has the page.
    let (status, body, _) = buy(&server, &bob, &code).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("not_found")));
    assert_eq!(visit(&server, GUIDE, &bob).await.0, 403);
    let (status, again, _) = buy(&server, &ann, &code).await;
    assert_eq!((status, &again), (200, &entitlement));
}

/// A browser keeps the later of two cookies alone, and this is the earlier one.
#[tokio::test]
async fn what_was_bought_is_kept_though_the_cookie_is_lost_that_said_so() {
    let (server, jwt) = start().await;
    let (_, ann) = known(&server).await;
    let code = code(&server, &jwt).await;
    assert_eq!(buy(&server, &ann, &code).await.0, 201);
    let (status, _, restored) = visit(&server, GUIDE, &ann).await;
    assert_eq!(status, 200);
    let (status, _, set) = visit(&server, GUIDE, &restored.unwrap()).await;
    assert_eq!((status, set), (200, None), "it is in the cookie");
}

#[tokio::test]
async fn who_comes_for_the_first_time_may_buy_at_once() {
    let (server, jwt) = start().await;
    let code = code(&server, &jwt).await;
    let request = server.request("POST", BUY).json(&json!({ "code": code }));
    let (status, _, cookie) = answered(request.send().await.unwrap()).await;
    assert_eq!(status, 201);
    assert_eq!(visit(&server, GUIDE, &cookie.unwrap()).await.0, 200);
}

#[tokio::test]
async fn pages_of_others_buy_nothing_here() {
    let (server, jwt) = start().await;
    let code = code(&server, &jwt).await;
    let (_, ann) = known(&server).await;
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for cookie in ["theme=dark".to_owned(), format!("__Host-visitor={ann}")] {
            let request = server.request("POST", BUY).json(&json!({ "code": code }));
            let request = request.header(name, value).header(COOKIE, cookie);
            let (status, body, set) = answered(request.send().await.unwrap()).await;
            let code = &body["error"]["code"];
            assert_eq!((status, code, set), (403, &json!("forbidden_origin"), None));
        }
    }
    assert_eq!(buy(&server, &ann, &code).await.0, 201, "it is not spent");
}

#[tokio::test]
async fn codes_that_are_none_are_named_or_all_alike() {
    let (server, jwt) = start().await;
    let (_, ann) = known(&server).await;
    for bad in ["", "x", "0123456789abcdefABCDE-", "0123456789abcdefABCDEFG"] {
        let (status, body, _) = buy(&server, &ann, bad).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (400, &json!("validation_error"))
        );
    }
    let expired = code(&server, &jwt).await;
    let pool = server.app.store.pool();
    let done = sqlx::query("UPDATE purchase_codes SET expires_at = 1").execute(pool);
    done.await.unwrap();
    let gone = code(&server, &jwt).await;
    let unknown = "0123456789abcdefABCDEF";
    let mut answers = vec![
        buy(&server, &ann, &expired).await.1,
        buy(&server, &ann, unknown).await.1,
    ];
    let guide = format!("{PAGES}/guide");
    assert_eq!(
        server.call("DELETE", &guide, &jwt, Value::Null).await.0,
        204
    );
    answers.push(buy(&server, &ann, &gone).await.1);
    assert_eq!(answers[0]["error"]["statusCode"], 404);
    assert!(
        answers.iter().all(|body| *body == answers[0]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn the_audit_knows_a_visitor_who_was_refused() {
    let (server, jwt) = start().await;
    server.audit.take();
    let (visitor, cookie) = known(&server).await;
    assert_eq!(visit(&server, GUIDE, &cookie).await.0, 403);
    assert_eq!(
        server.request("GET", GUIDE).send().await.unwrap().status(),
        403
    );
    let events = server.audit.take();
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event.kind, AuditKind::Denied);
    let subject = event.subject.as_ref().unwrap().to_string();
    assert_eq!(subject, format!("visitor:{visitor}"));
    assert!(event.source.is_some());

    code(&server, &jwt).await;
    let minted = server.audit.take().remove(0);
    assert_eq!(minted.kind, AuditKind::Minted);
    assert_eq!(minted.target.as_deref(), Some("guide"));
    assert_eq!(minted.tenant.unwrap().as_str(), "ten_acme");
}

#[tokio::test]
async fn pages_are_the_handles_and_their_names_are_used_once() {
    let (server, jwt) = start().await;
    let eve = server.person("eve").await;
    server.handle("eves", "free", &eve).await;
    let eve = server.login("handle", "eve").await;
    let free = json!({ "title": "Free", "body": "" });
    assert_eq!(put(&server, &jwt, "welcome", free.clone()).await.0, 201);
    assert_eq!(put(&server, &jwt, "welcome", free.clone()).await.0, 200);
    let (status, page, _) = visit(&server, "/v2/public/pages/welcome", "").await;
    assert_eq!((status, &page["title"]), (200, &json!("Free")));
    let (_, list) = server.get(PAGES, &jwt).await;
    let names: Vec<_> = list["items"].as_array().unwrap().iter().collect();
    assert_eq!((names.len(), &names[0]["page"]), (2, &json!("guide")));

    // Another handle's names are taken, its pages unknown.
    let theirs = "/v2/handles/eves/pages/guide";
    let taken = server.call("PUT", theirs, &eve, free.clone()).await;
    assert_eq!(refused(taken), (409, "conflict".to_owned()));
    for (method, path) in [
        ("GET", theirs.to_owned()),
        ("DELETE", theirs.to_owned()),
        ("POST", format!("{theirs}/purchase-codes")),
        ("GET", format!("{PAGES}/guide")),
        ("DELETE", format!("{PAGES}/guide")),
        ("POST", format!("{PAGES}/guide/purchase-codes")),
    ] {
        let refusal = refused(server.call(method, &path, &eve, Value::Null).await);
        assert_eq!(refusal, (404, "not_found".to_owned()), "{method} {path}");
    }

    let welcome = format!("{PAGES}/welcome");
    let free_code = format!("{welcome}/purchase-codes");
    let refusal = refused(server.call("POST", &free_code, &jwt, Value::Null).await);
    assert_eq!(refusal, (409, "conflict".to_owned()));
    assert_eq!(
        server.call("DELETE", &welcome, &jwt, Value::Null).await.0,
        204
    );
    assert_eq!(
        server.call("DELETE", &welcome, &jwt, Value::Null).await.0,
        404
    );
    assert_eq!(visit(&server, "/v2/public/pages/welcome", "").await.0, 404);
    let again = put(&server, &jwt, "welcome", free).await;
    assert_eq!(refused(again), (409, "conflict".to_owned()));
}

#[tokio::test]
async fn operators_write_pages_and_owners_sell_them() {
    let (server, jwt) = start().await;
    let tenant = gatewright_core::principal::TenantId::new("ten_acme").unwrap();
    let paid = json!({ "title": "T", "body": "B", "paid": true });
    for (name, writes) in [("operator", 200), ("creator", 403)] {
        let user = server.person(name).await;
        server.join(&tenant, &user, name).await;
        let who = server.login("handle", name).await;
        assert_eq!(put(&server, &who, "guide", paid.clone()).await.0, writes);
        assert_eq!(server.get(PAGES, &who).await.0, writes);
        let path = format!("{PAGES}/guide/purchase-codes");
        let refusal = refused(server.call("POST", &path, &who, Value::Null).await);
        assert_eq!(refusal, (403, "insufficient_role".to_owned()), "{name}");
    }
    for (name, body) in [
        ("ab", paid.clone()),
        ("Guide", paid.clone()),
        ("guide", json!({ "title": "", "body": "" })),
        ("guide", json!({ "title": "a\nb", "body": "" })),
        ("guide", json!({ "title": "a", "body": "a\u{0}b" })),
        ("guide", json!({ "title": "a", "body": "a".repeat(20_001) })),
    ] {
        let refusal = refused(put(&server, &jwt, name, body).await);
        assert_eq!(refusal, (400, "validation_error".to_owned()), "{name}");
    }
    let path = format!("{PAGES}/guide/purchase-codes");
    for days in [json!(0), json!(366), json!(1.5)] {
        let body = json!({ "expiresInDays": days });
        let refusal = refused(server.call("POST", &path, &jwt, body).await);
        assert_eq!(refusal.1, "validation_error");
    }
}

#[tokio::test]
async fn a_credential_is_no_visitor() {
    let (server, jwt) = start().await;
    let refusal = refused(server.get(ME, &jwt).await);
    assert_eq!(refusal, (401, "invalid_token_format".to_owned()));
    assert_eq!(server.get(ME, "nonsense").await.0, 401);
}
