//! Lives of accounts: how they begin, how their passwords are chosen, where they are logged in.

use std::time::Duration;

use gatewright_core::audit::AuditKind::{
    self, AddressVerified, LoggedIn, LoginFailed, PasswordChanged, RoleChanged, SessionEnded,
    SignedUp,
};
use gatewright_core::store::{AccountStore, MembershipStore, PageRequest};
use gatewright_issuer::Mail;
use serde_json::{Value, json};

use super::{PASSWORD, Server, answer, refused, text};
use crate::people::found_workspace;
use crate::realms::WORKSPACE;

const USERS: &str = "/api/v1/users";
const NEW: &str = "three brown cows";
const NEWER: &str = "four yellow ducks";

impl Server {
    /// What somebody without a credential is answered.
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let path = format!("{USERS}/{path}");
        self.call("POST", &path, "", body).await
    }

    /// Waits for the next mails.
    async fn mail(&self) -> Mail {
        for _ in 0..500 {
            let mut mails = self.outbox.take();
            assert!(mails.len() < 2, "{mails:?}");
            if let Some(mail) = mails.pop() {
                return mail;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no mail came");
    }

    /// The token of the next mail, which is of this kind.
    async fn token(&self, kind: &str) -> String {
        let mail = self.mail().await;
        assert_eq!(mail.kind(), kind);
        match mail {
            Mail::VerifyAddress { token, .. } | Mail::ResetPassword { token, .. } => {
                token.expose().to_owned()
            }
            mail => panic!("{mail:?} has no token"),
        }
    }

    /// The status of a login, and its token.
    async fn log_in(&self, email: &str, password: &str) -> (u16, String) {
        let body = json!({ "email": email, "password": password });
        let (status, body) = self.post("login", body).await;
        let token = body["access_token"].as_str().unwrap_or_default();
        (status, token.to_owned())
    }

    /// Signs somebody up, and proves their address.
    async fn newcomer(&self, email: &str) {
        let body = json!({ "email": email, "password": NEW });
        assert_eq!(self.post("signup", body).await.0, 202);
        let token = self.token("verify_address").await;
        let verified = self.post("verify-email", json!({ "token": token })).await;
        assert_eq!(verified, (204, Value::Null));
    }

    /// Waits until this was recorded.
    async fn told(&self, kind: AuditKind) -> Vec<AuditKind> {
        let mut kinds = Vec::new();
        for _ in 0..500 {
            kinds.extend(self.audit.take().into_iter().map(|event| event.kind));
            if kinds.contains(&kind) {
                return kinds;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{kind:?} is not among {kinds:?}");
    }
}

#[tokio::test]
async fn a_whole_life_from_sign_up_to_a_forgotten_password() {
    let server = Server::start().await;
    let email = "Ada@Acme.test";
    let signup = json!({
        "email": email, "password": NEW, "name": "Ada", "workspace": "Acme Inc.",
    });
    let (status, body) = server.post("signup", signup).await;
    assert_eq!(status, 202);
    assert!(
        !body.to_string().to_lowercase().contains("ada@"),
        "nothing is echoed"
    );
    let token = server.token("verify_address").await;
    assert_eq!(
        server.told(RoleChanged).await,
        [SignedUp, RoleChanged],
        "the workspace is made at once"
    );
    assert_eq!(server.log_in(email, NEW).await.0, 401, "not proven yet");
    for (wish, code) in [
        (json!({ "token": "x" }), "invalid_link"),
        (json!({ "token": "A".repeat(43) }), "invalid_link"),
        (json!({}), "invalid_payload"),
        (
            json!({ "token": token, "password": "short" }),
            "validation_error",
        ),
    ] {
        let refusal = refused(server.post("verify-email", wish).await);
        assert_eq!(refusal, (400, code.to_owned()));
    }
    let wish = json!({ "token": token });
    assert_eq!(
        server.post("verify-email", wish.clone()).await,
        (204, Value::Null)
    );
    let again = refused(server.post("verify-email", wish).await);
    assert_eq!(again, (400, "invalid_link".to_owned()), "once");

    let (status, jwt) = server.log_in(email, NEW).await;
    assert_eq!(status, 200);
    let (_, me) = server.get("/api/v1/users/me", &jwt).await;
    assert_eq!(
        (&me["email"], &me["name"], &me["verified"], &me["role"]),
        (
            &json!("ada@acme.test"),
            &json!("Ada"),
            &json!(true),
            &json!("admin")
        )
    );
    assert_eq!(
        me["workspace"],
        json!({ "slug": "acme-inc", "plan": "free" })
    );
    assert_eq!(
        server.told(LoggedIn).await,
        [LoginFailed, AddressVerified, LoggedIn]
    );

    let forgot = json!({ "email": email });
    assert_eq!(server.post("forgot-password", forgot).await.0, 202);
    let token = server.token("reset_password").await;
    let reset = json!({ "token": token, "password": NEWER });
    assert_eq!(
        server.post("reset-password", reset.clone()).await,
        (204, Value::Null)
    );
    assert_eq!(server.mail().await.kind(), "password_changed");
    let again = refused(server.post("reset-password", reset).await);
    assert_eq!(again, (400, "invalid_link".to_owned()), "once");
    assert_eq!(
        server.get("/api/v1/users/me", &jwt).await.0,
        401,
        "every session is over"
    );
    assert_eq!(server.log_in(email, NEW).await.0, 401);
    assert_eq!(server.log_in(email, NEWER).await.0, 200);
    let events = server.told(LoggedIn).await;
    assert_eq!(events, [PasswordChanged, LoginFailed, LoggedIn]);
}

#[tokio::test]
async fn nobody_learns_whether_an_address_has_an_account() {
    let server = Server::start().await;
    server.person("ada").await;
    server.account("new", false).await;
    for (path, password) in [
        ("signup", Some(NEW)),
        ("resend-verification", Some(NEW)),
        ("resend-verification", None),
        ("forgot-password", None),
    ] {
        let mut answers = Vec::new();
        for name in ["ada", "new", "nobody"] {
            let body = json!({ "email": format!("{name}@acme.test"), "password": password });
            let request = server.request("POST", &format!("{USERS}/{path}"));
            let response = request.json(&body).send().await.unwrap();
            let mut fields: Vec<String> =
                response.headers().keys().map(ToString::to_string).collect();
            fields.sort();
            answers.push((fields, answer(response).await));
        }
        assert_eq!(answers[0].1.0, 202, "{path}");
        assert!(answers.iter().all(|one| *one == answers[0]), "{answers:?}");
    }
}

#[tokio::test]
async fn who_is_told_what() {
    let server = Server::start().await;
    server.person("ada").await;
    server.account("new", false).await;
    for (path, name, mailed) in [
        ("signup", "ada", "already_registered"),
        ("signup", "new", "verify_address"),
        ("signup", "nobody", "verify_address"),
        ("resend-verification", "new", "verify_address"),
        ("forgot-password", "ada", "reset_password"),
        // It can do nothing before its address is proven.
        ("forgot-password", "new", "verify_address"),
    ] {
        let email = format!("{name}@acme.test");
        let mut body = json!({ "email": email });
        if path == "signup" {
            body["password"] = json!(NEW);
        }
        assert_eq!(server.post(path, body).await.0, 202);
        let mail = server.mail().await;
        assert_eq!((mail.kind(), mail.to()), (mailed, &*email), "{path} {name}");
    }
    // Neither of them is for whoever this is; the next mail is that of the last one.
    for (path, name) in [
        ("resend-verification", "ada"),
        ("resend-verification", "unknown"),
        ("forgot-password", "unknown"),
        ("forgot-password", "ada"),
    ] {
        let body = json!({ "email": format!("{name}@acme.test") });
        assert_eq!(server.post(path, body).await.0, 202);
    }
    assert_eq!(server.mail().await.kind(), "reset_password");
}

#[tokio::test]
async fn the_password_is_that_of_who_proves_the_address() {
    let server = Server::start().await;
    let email = "ada@acme.test";
    let signup = |password: &str| json!({ "email": email, "password": password });
    assert_eq!(server.post("signup", signup(NEW)).await.0, 202);
    let theirs = server.token("verify_address").await;
    // The holder of the address signs up after somebody who is not.
    assert_eq!(server.post("signup", signup(NEWER)).await.0, 202);
    let mine = server.token("verify_address").await;
    let verified = server.post("verify-email", json!({ "token": mine })).await;
    assert_eq!(verified.0, 204);
    let late = server
        .post("verify-email", json!({ "token": theirs }))
        .await;
    assert_eq!(refused(late), (400, "invalid_link".to_owned()));
    assert_eq!(server.log_in(email, NEW).await.0, 401);
    assert_eq!(server.log_in(email, NEWER).await.0, 200);

    // Whoever follows the link may choose another one there.
    let body = json!({ "email": "bob@acme.test", "password": NEW });
    server.post("signup", body).await;
    let token = server.token("verify_address").await;
    let wish = json!({ "token": token, "password": NEWER });
    assert_eq!(server.post("verify-email", wish).await.0, 204);
    assert_eq!(server.log_in("bob@acme.test", NEW).await.0, 401);
    assert_eq!(server.log_in("bob@acme.test", NEWER).await.0, 200);
}

#[tokio::test]
async fn every_newcomer_gets_one_workspace_whatever_name_is_taken() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    let body = json!({ "email": "eve@acme.test", "password": NEW, "workspace": "ACME" });
    assert_eq!(server.post("signup", body).await.0, 202);
    let token = server.token("verify_address").await;
    // The process ended before the workspace was made; then somebody else of that name comes.
    let body = json!({ "email": "ada@other.test", "password": NEW });
    assert_eq!(server.post("signup", body).await.0, 202);
    let other = server.token("verify_address").await;
    for token in [token, other] {
        assert_eq!(
            server
                .post("verify-email", json!({ "token": token }))
                .await
                .0,
            204
        );
    }
    for (email, begins) in [("eve@acme.test", "acme-"), ("ada@other.test", "ada")] {
        let account = server.app.store.account_by_email(email);
        let user = account.await.unwrap().unwrap().id;
        let calls = [0; 4].map(|_| found_workspace(&server.app, &user, "more"));
        for call in futures_util::future::join_all(calls).await {
            call.unwrap();
        }
        let page = PageRequest::first();
        let places = server.app.store.memberships(&user, &WORKSPACE, &page);
        let places = places.await.unwrap().items;
        assert_eq!(places.len(), 1);
        assert_eq!(&*places[0].role, "admin");
        assert!(places[0].tenant.slug().starts_with(begins));
    }
    // One who has none yet, and for whom several make it at once.
    let lonely = server.person("lonely").await;
    let calls = [0; 4].map(|_| found_workspace(&server.app, &lonely, "lonely"));
    for call in futures_util::future::join_all(calls).await {
        call.unwrap();
    }
    let page = PageRequest::first();
    let places = server.app.store.memberships(&lonely, &WORKSPACE, &page);
    let places = places.await.unwrap().items;
    assert_eq!(places.len(), 1);
    // Who has left theirs gets another one.
    let left = places[0].tenant.id();
    server.join(left, &ada, "admin").await;
    let removed = server.app.store.remove_member(left, &lonely, "admin").await;
    server.app.gate.changes().publish(removed.unwrap());
    found_workspace(&server.app, &lonely, "lonely")
        .await
        .unwrap();
    let places = server.app.store.memberships(&lonely, &WORKSPACE, &page);
    let places = places.await.unwrap().items;
    assert_eq!(places.len(), 1);
    assert_ne!(places[0].tenant.id(), left);
}

#[tokio::test]
async fn a_workspace_that_a_sign_up_did_not_come_to_make_is_made_with_the_proof() {
    let server = Server::start().await;
    // An account as a process leaves it that ends right after.
    server.account("ada", false).await;
    let email = json!({ "email": "ada@acme.test" });
    server.post("resend-verification", email).await;
    let token = server.token("verify_address").await;
    let wish = json!({ "token": token, "password": NEW });
    assert_eq!(server.post("verify-email", wish).await.0, 204);
    let (_, jwt) = server.log_in("ada@acme.test", NEW).await;
    let (_, me) = server.get("/api/v1/users/me", &jwt).await;
    assert_eq!(me["workspace"]["slug"], "ada");
}

#[tokio::test]
async fn what_cannot_be_an_account_is_refused_and_nothing_of_it_is_kept() {
    let server = Server::start().await;
    let fine = json!({ "email": "ada@acme.test", "password": NEW });
    let with = |member: &str, value: Value| {
        let mut body = fine.clone();
        body[member] = value;
        body
    };
    for (body, code) in [
        (with("email", json!("ada")), "validation_error"),
        (with("email", json!("a..b@acme.test")), "validation_error"),
        (with("email", json!("a@b\r\nBcc: c@d")), "validation_error"),
        (with("password", json!("seven77")), "validation_error"),
        (with("password", json!("x".repeat(129))), "validation_error"),
        (with("password", json!("password1")), "validation_error"),
        (with("password", json!("ada@acme1")), "validation_error"),
        (with("password", json!("Gatewright!")), "validation_error"),
        (with("name", json!("")), "validation_error"),
        (with("name", json!("a\nb")), "validation_error"),
        (with("name", json!("x".repeat(101))), "validation_error"),
        (with("workspace", json!("")), "validation_error"),
        (with("password", json!(1)), "invalid_payload"),
        (json!({ "email": "ada@acme.test" }), "invalid_payload"),
    ] {
        let refusal = refused(server.post("signup", body.clone()).await);
        assert_eq!(refusal, (400, code.to_owned()), "{body}");
    }
    for path in [
        "signup",
        "verify-email",
        "resend-verification",
        "forgot-password",
        "reset-password",
    ] {
        let request = server.request("POST", &format!("{USERS}/{path}"));
        let request = request.header("origin", "https://evil.test").json(&fine);
        let refusal = refused(answer(request.send().await.unwrap()).await);
        assert_eq!(refusal, (403, "forbidden_origin".to_owned()), "{path}");
    }
    assert!(server.outbox.take().is_empty());
    assert!(server.audit.take().is_empty());
}

#[tokio::test]
async fn one_source_asks_sixty_times_an_hour_and_an_address_gets_three_mails() {
    let server = Server::start().await;
    server.person("ada").await;
    for asked in 1..=61 {
        let request = server.request("POST", &format!("{USERS}/forgot-password"));
        let body = json!({ "email": "ada@acme.test" });
        let response = request.json(&body).send().await.unwrap();
        let is_told_when = response.headers().contains_key("retry-after");
        let status = response.status().as_u16();
        assert_eq!(
            (status, is_told_when),
            if asked <= 60 {
                (202, false)
            } else {
                (429, true)
            }
        );
    }
    // The same for whoever comes from there, whatever they ask.
    let body = json!({ "email": "new@acme.test", "password": NEW });
    let refusal = refused(server.post("signup", body).await);
    assert_eq!(refusal, (429, "rate_limited".to_owned()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.outbox.take().len(), 3);
}

#[tokio::test]
async fn who_hangs_up_is_signed_up_and_verified_all_the_same() {
    let server = Server::start().await;
    let hang_up = async |path: &str, body: Value| {
        let request = server.request("POST", &format!("{USERS}/{path}"));
        let call = tokio::spawn(request.json(&body).send());
        // Long enough to be read, and mostly too short to be answered: either way it is done.
        tokio::time::sleep(Duration::from_millis(3)).await;
        call.abort();
    };
    let mut tries = 0;
    let token = loop {
        tries += 1;
        let email = format!("ada{tries}@acme.test");
        hang_up("signup", json!({ "email": email, "password": NEW })).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        if let Some(Mail::VerifyAddress { to, token }) = server.outbox.take().pop() {
            break (to, token);
        }
        assert!(tries < 20, "no sign-up was read");
    };
    let (email, token) = token;
    hang_up("verify-email", json!({ "token": token.expose() })).await;
    // Whatever became of the call, it is spent and the account lives, or neither is so.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let wish = json!({ "token": token.expose() });
    let again = server.post("verify-email", wish).await.0;
    assert!(again == 204 || again == 400);
    assert_eq!(server.log_in(&email, NEW).await.0, 200);
}

#[tokio::test]
async fn a_changed_password_ends_all_but_the_session_that_changed_it() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    server.handle("studio", "free", &ada).await;
    let mine = server.login("workspace", "ada").await;
    let other = server.login("workspace", "ada").await;
    let handle = server.login("handle", "ada").await;
    server.audit.take();
    let change = async |bearer: &str, current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        let path = format!("{USERS}/change-password");
        server.call("POST", &path, bearer, body).await
    };
    for (current, new, refusal) in [
        ("wrong", NEW, (401, "invalid_credentials")),
        (PASSWORD, "short", (400, "validation_error")),
        (PASSWORD, "ada@acme.test", (400, "validation_error")),
    ] {
        let refused = refused(change(&mine, current, new).await);
        assert_eq!(refused, (refusal.0, refusal.1.to_owned()));
    }
    assert_eq!(server.told(LoginFailed).await, [LoginFailed]);
    assert_eq!(server.get("/api/v1/users/me", &other).await.0, 200);

    let (status, token) = change(&mine, PASSWORD, NEW).await;
    assert_eq!((status, &token["token_type"]), (200, &json!("bearer")));
    assert!(token["expires_in"].as_u64().unwrap() <= 3_600);
    let fresh = text(&token["access_token"]);
    assert_eq!(server.mail().await.kind(), "password_changed");
    for (path, bearer, status) in [
        ("/api/v1/users/me", &fresh, 200),
        ("/api/v1/users/me", &mine, 401),
        ("/api/v1/users/me", &other, 401),
        ("/v2/handles", &handle, 401),
    ] {
        assert_eq!(server.get(path, bearer).await.0, status, "{path}");
    }
    let (_, sessions) = server.get("/api/v1/users/sessions", &fresh).await;
    let sessions = sessions["items"].as_array().unwrap();
    assert_eq!(sessions.len(), 1, "the same session");
    assert_eq!(sessions[0]["current"], true);
    assert!(
        server
            .told(PasswordChanged)
            .await
            .contains(&PasswordChanged)
    );

    // A key has no session that could go on.
    let keys = "/api/v1/users/api-keys";
    let body = json!({ "name": "k", "scopes": ["users.write"] });
    let (_, key) = server.call("POST", keys, &fresh, body).await;
    let (key, reader) = (
        text(&key["secret"]),
        json!({ "name": "r", "scopes": ["users.read"] }),
    );
    let (_, reader) = server.call("POST", keys, &fresh, reader).await;
    let refusal = refused(change(&text(&reader["secret"]), NEW, NEWER).await);
    assert_eq!(refusal, (403, "insufficient_scope".to_owned()));
    assert_eq!(change(&key, NEW, NEWER).await, (204, Value::Null));
    assert_eq!(server.get("/api/v1/users/me", &fresh).await.0, 401);
    assert_eq!(server.get("/api/v1/users/me", &key).await.0, 200);
    assert_eq!(server.log_in("ada@acme.test", NEWER).await.0, 200);
}

#[tokio::test]
async fn guesses_at_the_present_password_count_as_failed_logins() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    let jwt = server.login("workspace", "ada").await;
    let wrong = json!({ "current_password": "wrong", "new_password": NEW });
    let path = format!("{USERS}/change-password");
    for _ in 0..10 {
        assert_eq!(server.call("POST", &path, &jwt, wrong.clone()).await.0, 401);
    }
    let right = json!({ "current_password": PASSWORD, "new_password": NEW });
    let refusal = refused(server.call("POST", &path, &jwt, right).await);
    assert_eq!(refusal, (429, "rate_limited".to_owned()));
    assert_eq!(server.log_in("ada@acme.test", PASSWORD).await.0, 429);
}

#[tokio::test]
async fn a_profile_is_changed_in_part_and_only_by_who_may() {
    let server = Server::start().await;
    server.newcomer("ada@acme.test").await;
    let (_, jwt) = server.log_in("ada@acme.test", NEW).await;
    let me = "/api/v1/users/me";
    let (_, before) = server.get(me, &jwt).await;
    assert_eq!(before["avatar_url"], Value::Null);
    let nothing = json!({ "product": false, "weekly_digest": false });
    assert_eq!(before["notifications"], nothing);
    let patch = async |body: Value| server.call("PATCH", me, &jwt, body).await;
    for (body, name, avatar, product, digest) in [
        (json!({}), "", Value::Null, false, false),
        (
            json!({ "name": "Ada L." }),
            "Ada L.",
            Value::Null,
            false,
            false,
        ),
        (
            json!({ "avatar_url": "https://a.test/me.png", "notifications": { "product": true } }),
            "Ada L.",
            json!("https://a.test/me.png"),
            true,
            false,
        ),
        (
            json!({ "name": null, "notifications": { "weekly_digest": true } }),
            "Ada L.",
            json!("https://a.test/me.png"),
            true,
            true,
        ),
        (
            json!({ "avatar_url": null }),
            "Ada L.",
            Value::Null,
            true,
            true,
        ),
    ] {
        let (status, changed) = patch(body).await;
        assert_eq!(status, 200);
        assert_eq!(changed["name"], name);
        assert_eq!(changed["avatar_url"], avatar);
        let notifications = json!({ "product": product, "weekly_digest": digest });
        assert_eq!(changed["notifications"], notifications);
        assert_eq!(server.get(me, &jwt).await, (200, changed));
    }
    for (body, code) in [
        (json!({ "name": "" }), "validation_error"),
        (json!({ "name": "a\u{85}b" }), "validation_error"),
        (
            json!({ "avatar_url": "http://a.test/me.png" }),
            "validation_error",
        ),
        (
            json!({ "avatar_url": "javascript:alert(1)" }),
            "validation_error",
        ),
        (
            json!({ "avatar_url": "https://me@a.test/" }),
            "validation_error",
        ),
        (json!({ "notifications": [true, true] }), "invalid_payload"),
        (json!({ "avatar_url": 1 }), "invalid_payload"),
        (
            json!({ "notifications": { "product": "yes" } }),
            "invalid_payload",
        ),
    ] {
        assert_eq!(refused(patch(body).await), (400, code.to_owned()));
    }
    // Neither who one is nor what one may is a matter of the profile.
    let sly = json!({ "email": "eve@acme.test", "role": "platform_admin", "verified": false });
    let (_, same) = patch(sly).await;
    assert_eq!(
        (&same["email"], &same["role"]),
        (&json!("ada@acme.test"), &json!("admin"))
    );

    let keys = "/api/v1/users/api-keys";
    for (scope, status) in [("users.read", 403), ("users.write", 200)] {
        let body = json!({ "name": "k", "scopes": [scope] });
        let (_, key) = server.call("POST", keys, &jwt, body).await;
        let key = text(&key["secret"]);
        let changed = server.call("PATCH", me, &key, json!({ "name": "By key" }));
        assert_eq!(changed.await.0, status, "{scope}");
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_user_alone() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    server.workspace("zeta", &ada).await;
    let bob = server.person("bob").await;
    server.workspace("bobs", &bob).await;
    let login = async |agent: &str, workspace: &str| {
        let email = "ada@acme.test";
        let body = json!({ "email": email, "password": PASSWORD, "workspace": workspace });
        let request = server.request("POST", "/api/v1/users/login").json(&body);
        let response = request.header("user-agent", agent).send().await.unwrap();
        text(&answer(response).await.1["access_token"])
    };
    let first = login("Firefox", "acme").await;
    let second = login("curl/8", "acme").await;
    let zeta = login("Safari", "zeta").await;
    let bobs = server.login("workspace", "bob").await;
    let sessions = "/api/v1/users/sessions";
    server.audit.take();

    let (_, page) = server.get(&format!("{sessions}?limit=2"), &second).await;
    let items = page["items"].as_array().unwrap();
    let told: Vec<_> = items
        .iter()
        .map(|one| (text(&one["label"]), one["current"].as_bool().unwrap()))
        .collect();
    assert_eq!(
        told,
        [("Firefox".to_owned(), false), ("curl/8".to_owned(), true)]
    );
    assert_eq!(items[0]["client"], "workspace-api");
    let next = format!("{sessions}?limit=2&cursor={}", text(&page["next_cursor"]));
    let (_, last) = server.get(&next, &second).await;
    assert_eq!(last["items"][0]["label"], "Safari");
    assert!(last["next_cursor"].is_null());
    let (first_id, second_id) = (text(&items[0]["id"]), text(&items[1]["id"]));
    let zeta_id = text(&last["items"][0]["id"]);

    let end = async |bearer: &str, id: &str| {
        let path = format!("{sessions}/{id}");
        server.call("DELETE", &path, bearer, Value::Null).await
    };
    for (bearer, id) in [
        (&bobs, &*first_id),
        (&first, "nosuchsession"),
        (&first, "%20"),
    ] {
        let refusal = refused(end(bearer, id).await);
        assert_eq!(refusal, (404, "not_found".to_owned()));
    }
    assert!(server.audit.take().is_empty());

    // A key reaches what belongs to its workspace.
    let keys = "/api/v1/users/api-keys";
    let body = json!({ "name": "k", "scopes": ["sessions.write"] });
    let (_, key) = server.call("POST", keys, &first, body).await;
    let key = text(&key["secret"]);
    let (_, seen) = server.get(sessions, &key).await;
    let seen: Vec<_> = seen["items"].as_array().unwrap().iter().collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|one| one["current"] == false));
    assert_eq!(refused(end(&key, &zeta_id).await).0, 404);
    assert_eq!(end(&key, &first_id).await, (204, Value::Null));
    assert_eq!(server.get("/api/v1/users/me", &first).await.0, 401);
    assert_eq!(refused(end(&key, &first_id).await).0, 404, "it is over");

    assert_eq!(end(&second, &second_id).await.0, 204, "a logout");
    assert_eq!(server.get("/api/v1/users/me", &second).await.0, 401);
    assert_eq!(server.get("/api/v1/users/me", &zeta).await.0, 200);
    let events = server.audit.take();
    let ended = events.iter().filter(|event| event.kind == SessionEnded);
    let targets: Vec<_> = ended
        .map(|event| event.target.as_deref().unwrap())
        .collect();
    assert_eq!(targets, [&*first_id, &*second_id]);
}

#[tokio::test]
async fn every_family_logs_in_with_a_session_of_its_own() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    server.org("acme-corp", &ada).await;
    server.account("new", false).await;
    let jwt = server.login("workspace", "ada").await;
    let gateway = server.login("gateway", "ada").await;
    let sessions = "/api/v1/users/sessions";
    let (_, list) = server.get(sessions, &jwt).await;
    let items = list["items"].as_array().unwrap().iter();
    let clients: Vec<_> = items.map(|one| text(&one["client"])).collect();
    assert_eq!(clients, ["workspace-api", "gateway-api"]);
    let id = text(&list["items"][1]["id"]);
    assert_eq!(server.get("/api/orgs", &gateway).await.0, 200);
    let path = format!("{sessions}/{id}");
    let ended = server.call("DELETE", &path, &jwt, Value::Null);
    assert_eq!(ended.await.0, 204);
    assert_eq!(server.get("/api/orgs", &gateway).await.0, 401);

    let unverified = json!({ "email": "new@acme.test", "password": PASSWORD });
    for path in ["/api/v1/users/login", "/api/auth/login"] {
        let refusal = refused(server.call("POST", path, "", unverified.clone()).await);
        assert_eq!(refusal, (401, "invalid_credentials".to_owned()));
    }
}
