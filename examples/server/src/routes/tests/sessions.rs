//! Logins to the handle API, carried on by their cookie.

use gatewright_core::audit::AuditKind;
use gatewright_core::store::{AccountStore, PasswordChange};
use reqwest::Response;
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

use super::{PASSWORD, Server, answer, refused, text};

const REFRESH: &str = "/v2/auth/refresh";
const LOGOUT: &str = "/v2/auth/logout";
const CLEARED: &str =
    "_10x_admin_refresh=; Path=/v2/auth; Secure; HttpOnly; SameSite=Lax; Max-Age=0";

/// What an answer came to: its status, its body, and the lines that set cookies.
struct Answered {
    status: u16,
    body: Value,
    cookies: Vec<String>,
}

impl Answered {
    async fn of(response: Response) -> Self {
        let cookies = response.headers().get_all(SET_COOKIE).iter();
        let cookies = cookies
            .map(|line| line.to_str().unwrap().to_owned())
            .collect();
        let (status, body) = answer(response).await;
        Self {
            status,
            body,
            cookies,
        }
    }

    /// The refresh token that it sets, and for how long.
    fn token(&self) -> (String, u64) {
        let [line] = &self.cookies[..] else {
            panic!("{:?}", self.cookies)
        };
        let rest = line.strip_prefix("_10x_admin_refresh=").unwrap();
        let (token, rest) = rest.split_once(';').unwrap();
        let attributes = " Path=/v2/auth; Secure; HttpOnly; SameSite=Lax; Max-Age=";
        let age = rest.strip_prefix(attributes).unwrap();
        (token.to_owned(), age.parse().unwrap())
    }

    fn access(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        text(&self.body["access_token"])
    }

    fn refused(self) -> (u16, String, Vec<String>) {
        let (status, code) = refused((self.status, self.body));
        (status, code, self.cookies)
    }
}

fn over() -> (u16, String, Vec<String>) {
    let code = "invalid_refresh_token".to_owned();
    (401, code, vec![CLEARED.to_owned()])
}

async fn login(server: &Server) -> Answered {
    let body = json!({ "email": "ada@acme.test", "password": PASSWORD });
    let request = server.request("POST", "/v2/auth/login").json(&body);
    Answered::of(request.send().await.unwrap()).await
}

async fn with_token(server: &Server, path: &str, token: &str) -> Answered {
    let cookie = format!("theme=dark; _10x_admin_refresh={token}");
    let request = server.request("POST", path).header(COOKIE, cookie);
    Answered::of(request.send().await.unwrap()).await
}

async fn status(server: &Server, access: &str) -> (u16, String) {
    refused(server.get("/v2/handles", access).await)
}

fn revoked() -> (u16, String) {
    (401, "token_revoked".to_owned())
}

async fn start() -> Server {
    let server = Server::start().await;
    server.person("ada").await;
    server
}

async fn change(server: &Server, statement: &'static str) {
    let pool = server.app.store.pool();
    let done = sqlx::query(statement).execute(pool).await.unwrap();
    assert!(done.rows_affected() > 0);
}

#[tokio::test]
async fn a_session_is_carried_on_and_its_cookie_rotates() {
    let server = start().await;
    let first = login(&server).await;
    let (token, age) = first.token();
    assert_eq!(age, 14 * 86_400, "the idle time of a session");
    assert_eq!(first.body["expires_in"], 3600);
    let second = with_token(&server, REFRESH, &token).await;
    let (child, age) = second.token();
    assert_ne!(child, token);
    assert!((14 * 86_400 - 60..=14 * 86_400).contains(&age));
    assert_eq!(second.body.as_object().unwrap().len(), 3);
    assert_eq!(second.body["token_type"], "bearer");
    for access in [first.access(), second.access()] {
        assert_eq!(status(&server, &access).await.0, 200);
        assert!(!access.contains(&child));
    }
    // Another tab that came with the same cookie is given the same one.
    let tab = with_token(&server, REFRESH, &token).await;
    assert_eq!(tab.token().0, child);
    assert_eq!(status(&server, &tab.access()).await.0, 200);
}

#[tokio::test]
async fn a_stolen_cookie_ends_the_session_for_both() {
    let server = start().await;
    let first = login(&server).await;
    let (stolen, _) = first.token();
    let second = with_token(&server, REFRESH, &stolen).await;
    let third = with_token(&server, REFRESH, &second.token().0).await;
    let (current, _) = third.token();
    server.audit.take();
    assert_eq!(
        with_token(&server, REFRESH, &stolen).await.refused(),
        over()
    );
    let told: Vec<_> = server.audit.take().iter().map(|event| event.kind).collect();
    assert_eq!(told, [AuditKind::RefreshReused]);
    assert_eq!(
        with_token(&server, REFRESH, &current).await.refused(),
        over()
    );
    for access in [first.access(), second.access(), third.access()] {
        assert_eq!(status(&server, &access).await, revoked());
    }
    // Somebody's other session goes on.
    let other = login(&server).await;
    assert_eq!(
        with_token(&server, REFRESH, &stolen).await.refused(),
        over()
    );
    assert_eq!(status(&server, &other.access()).await.0, 200);
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_refused_and_forgotten() {
    let server = start().await;
    let none = server.request("POST", REFRESH).send().await.unwrap();
    let none = Answered::of(none).await.refused();
    assert_eq!(none, (401, "refresh_token_missing".to_owned(), vec![]));
    let unknown = "A".repeat(43);
    let long = "A".repeat(5_000);
    let (token, _) = login(&server).await.token();
    let twice = format!("{token}; _10x_admin_refresh={token}");
    for bad in [
        "",
        "\"\"",
        "x",
        &unknown,
        &long,
        &format!("{token}A"),
        &twice,
    ] {
        let refused = with_token(&server, REFRESH, bad).await.refused();
        assert_eq!(refused, over(), "{bad}");
    }
    // In other places it is nothing.
    let bearer = server.call("POST", REFRESH, &token, Value::Null).await;
    assert_eq!(refused(bearer).1, "refresh_token_missing");
    assert_eq!(with_token(&server, REFRESH, &token).await.status, 200);
}

#[tokio::test]
async fn a_logout_ends_the_session_and_there_may_be_none() {
    let server = start().await;
    let first = login(&server).await;
    let other = login(&server).await;
    let (token, _) = first.token();
    server.audit.take();
    for _ in 0..2 {
        let gone = with_token(&server, LOGOUT, &token).await;
        assert_eq!((gone.status, gone.cookies), (204, vec![CLEARED.to_owned()]));
    }
    let told: Vec<_> = server.audit.take().iter().map(|event| event.kind).collect();
    assert_eq!(told, [AuditKind::SessionEnded], "once");
    assert_eq!(status(&server, &first.access()).await, revoked());
    assert_eq!(with_token(&server, REFRESH, &token).await.refused(), over());
    assert_eq!(status(&server, &other.access()).await.0, 200);
    let nothing = server.request("POST", LOGOUT).send().await.unwrap();
    assert_eq!(nothing.status(), 204);
    for odd in ["", "x", "a b"] {
        assert_eq!(with_token(&server, LOGOUT, odd).await.status, 204, "{odd}");
    }
    // An older cookie of the session will do.
    let (older, _) = other.token();
    let younger = with_token(&server, REFRESH, &older).await;
    assert_eq!(with_token(&server, LOGOUT, &older).await.status, 204);
    assert_eq!(status(&server, &younger.access()).await, revoked());
}

/// A sibling host can plant a cookie of the same name beside ours.
#[tokio::test]
async fn a_planted_cookie_is_nobody_and_keeps_no_session_alive() {
    let server = start().await;
    let (mine, planted) = (login(&server).await, login(&server).await);
    let tokens = [mine.token().0, planted.token().0];
    for beside in [&*tokens[1], "planted", "a b"] {
        for both in [[&*tokens[0], beside], [beside, &*tokens[0]]] {
            let both = both.join("; _10x_admin_refresh=");
            let carried = with_token(&server, REFRESH, &both).await;
            assert_eq!(carried.refused(), over());
        }
    }
    for access in [mine.access(), planted.access()] {
        assert_eq!(status(&server, &access).await.0, 200);
    }
    let both = tokens.join("; _10x_admin_refresh=");
    let gone = with_token(&server, LOGOUT, &both).await;
    assert_eq!((gone.status, gone.cookies), (204, vec![CLEARED.to_owned()]));
    for access in [mine.access(), planted.access()] {
        assert_eq!(status(&server, &access).await, revoked());
    }
}

#[tokio::test]
async fn pages_of_others_begin_carry_on_and_end_nothing() {
    let server = start().await;
    let (token, _) = login(&server).await.token();
    let own = server.app.public_url.to_string();
    let body = json!({ "email": "ada@acme.test", "password": PASSWORD });
    for (path, granted) in [("/v2/auth/login", 200), (REFRESH, 200), (LOGOUT, 204)] {
        for (name, value, passes) in [
            ("origin", "https://evil.test", false),
            ("origin", "null", false),
            ("origin", "", false),
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "what", false),
            ("origin", &own, true),
        ] {
            let request = server
                .request("POST", path)
                .header(name, value)
                .header(COOKIE, format!("_10x_admin_refresh={token}"))
                .json(&body);
            let answered = Answered::of(request.send().await.unwrap()).await;
            if passes {
                assert_eq!(answered.status, granted, "{path} {name}: {value}");
                continue;
            }
            let expected = (403, "forbidden_origin".to_owned(), vec![]);
            assert_eq!(answered.refused(), expected, "{path} {name}: {value}");
        }
    }
    // Preflights are answered by nobody: no other origin may read or send JSON.
    let request = server.request("OPTIONS", REFRESH);
    let preflight = request.header(ORIGIN, "https://evil.test").send().await;
    let preflight = preflight.unwrap();
    assert!(
        !preflight
            .headers()
            .contains_key("access-control-allow-origin")
    );
}

#[tokio::test]
async fn nothing_outlives_the_session() {
    let server = start().await;
    let (token, _) = login(&server).await.token();
    let now = i64::try_from(server.app.gate.clock().now()).unwrap();
    sqlx::query("UPDATE sessions SET idle_expires_at = ?1, expires_at = ?1")
        .bind(now + 100)
        .execute(server.app.store.pool())
        .await
        .unwrap();
    let refreshed = with_token(&server, REFRESH, &token).await;
    let (child, age) = refreshed.token();
    assert!(age <= 100, "{age}");
    let lasts = refreshed.body["expires_in"].as_u64().unwrap();
    assert!(lasts <= 100, "{lasts}");
    change(&server, "UPDATE sessions SET idle_expires_at = 1").await;
    assert_eq!(with_token(&server, REFRESH, &child).await.refused(), over());
}

#[tokio::test]
async fn who_may_no_longer_log_in_is_not_carried_on() {
    for statement in [
        "UPDATE accounts SET verified = 0",
        "UPDATE sessions SET client = 'workspace-api'",
    ] {
        let server = start().await;
        let first = login(&server).await;
        let (token, _) = first.token();
        change(&server, statement).await;
        let refused = with_token(&server, REFRESH, &token).await.refused();
        assert_eq!(refused, over(), "{statement}");
        assert_eq!(status(&server, &first.access()).await, revoked());
    }
}

#[tokio::test]
async fn a_changed_password_ends_the_session() {
    let server = start().await;
    let first = login(&server).await;
    let app = &server.app;
    let hash = app.passwords.hash(PASSWORD.as_bytes()).unwrap().await;
    let account = app.store.account_by_email("ada@acme.test").await.unwrap();
    let (user, now) = (account.unwrap().id, app.gate.clock().now());
    let set = app
        .store
        .set_password(PasswordChange::new(&user, hash.unwrap(), now))
        .await;
    app.gate.changes().publish(set.unwrap());
    let refused = with_token(&server, REFRESH, &first.token().0).await;
    assert_eq!(refused.refused(), over());
    assert_eq!(status(&server, &first.access()).await, revoked());
}

#[tokio::test]
async fn a_failed_login_sets_no_cookie() {
    let server = start().await;
    server.account("new", false).await;
    for (name, password) in [("ada", "wrong"), ("nobody", PASSWORD), ("new", PASSWORD)] {
        let body = json!({ "email": format!("{name}@acme.test"), "password": password });
        let request = server.request("POST", "/v2/auth/login").json(&body);
        let answered = Answered::of(request.send().await.unwrap()).await;
        let expected = (401, "invalid_credentials".to_owned(), vec![]);
        assert_eq!(answered.refused(), expected, "{name}");
    }
}
