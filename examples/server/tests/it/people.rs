//! The lives of people, with the mail that reaches them over SMTP.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::mailbox::{Received, SmtpServer, free_port};
use crate::world::{OWNER, PASSWORD, PUBLIC_URL, World};

const EVE: &str = "eve@people.test";
const CHOSEN: &str = "walnut-harbor-pixel-9";
const ANOTHER: &str = "juniper-anvil-comet-7";

/// A server whose mail goes to a server of others.
struct Town {
    world: World,
    mailbox: SmtpServer,
}

impl Town {
    async fn new() -> Self {
        Self::with(SmtpServer::start()).await
    }

    async fn with(mailbox: SmtpServer) -> Self {
        let url = mailbox.url();
        let mail = ["--smtp-url", &url, "--mail-from", "hello@gatewright.test"];
        let world = World::with(&[&["--limits", "off"], &mail[..]].concat()).await;
        for password in [CHOSEN, ANOTHER] {
            world.server.keep_secret(password);
        }
        Self { world, mailbox }
    }

    fn call(&self, path: &str, body: &Value) -> Call {
        self.world.api.post(&format!("/api/v1/users/{path}"), body)
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(path, &body).send().await
    }

    async fn get(&self, path: &str, bearer: &str) -> Answer {
        let call = self.world.api.get(&format!("/api/v1/users/{path}"));
        call.bearer(bearer).send().await
    }

    /// The next mail to this address, with this subject, and the token of its link to this page.
    async fn link(&mut self, address: &str, subject: &str, page: &str) -> (Received, String) {
        let mail = self.mailbox.mail_to(address).await;
        assert_eq!(mail.subject, subject);
        let token = mail.token().to_owned();
        self.world.server.keep_secret(&token);
        let link = format!("{PUBLIC_URL}/{page}#token={token}");
        // In the fragment alone: what a browser asks the page for has nothing of it.
        let others = mail.text.matches(&token).count();
        assert!(mail.text.contains(&link) && others == 1, "{}", mail.text);
        (mail, token)
    }

    async fn sign_up(&mut self, email: &str) {
        let body =
            json!({"email": email, "password": CHOSEN, "name": "Eve", "workspace": "Evergreen"});
        self.post("signup", body).await.is(202);
        let subject = "Confirm your mail address";
        let (_, token) = self.link(email, subject, "verify-email").await;
        let body = json!({ "token": token });
        self.post("verify-email", body.clone()).await.is(204);
        let again = self.post("verify-email", body).await;
        again.refuses(400, "invalid_link");
    }

    async fn log_in(&self, email: &str, password: &str, workspace: &str) -> Answer {
        let body = json!({"email": email, "password": password, "workspace": workspace});
        self.post("login", body).await
    }

    async fn token(&self, email: &str, password: &str, workspace: &str) -> String {
        let answer = self.log_in(email, password, workspace).await.is(200);
        let token = answer.string("access_token");
        self.world.server.keep_secret(&token);
        token
    }

    /// A session of the handle API: its token, and the cookie that carries it on.
    async fn carried(&self, email: &str, password: &str) -> (String, String) {
        let body = json!({"email": email, "password": password});
        let call = self.world.api.post("/v2/auth/login", &body);
        let answer = call.send().await.is(200);
        let cookie = answer.header("set-cookie").unwrap();
        let (cookie, _) = cookie.split_once(';').unwrap();
        let (_, value) = cookie.split_once('=').unwrap();
        self.world.server.keep_secret(value);
        (answer.string("access_token"), cookie.to_owned())
    }

    async fn refresh(&self, cookie: &str) -> Answer {
        let call = self.world.api.call("POST", "/v2/auth/refresh");
        call.header("cookie", cookie).send().await
    }
}

#[tokio::test]
async fn from_the_sign_up_to_a_password_that_was_forgotten() {
    let mut town = Town::new().await;
    let refused = async |password| {
        let answer = town.log_in(EVE, password, "evergreen").await;
        answer.refuses(401, "invalid_credentials");
    };
    refused(CHOSEN).await;
    town.sign_up(EVE).await;

    let token = town.token(EVE, CHOSEN, "evergreen").await;
    let me = town.get("me", &token).await.is(200).json();
    assert_eq!(
        (&me["email"], &me["verified"], &me["role"], &me["name"]),
        (&json!(EVE), &json!(true), &json!("admin"), &json!("Eve"))
    );
    let (carried, cookie) = town.carried(EVE, CHOSEN).await;
    let sessions = town.get("sessions", &token).await.is(200).json();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 2);

    let forgot = town.post("forgot-password", json!({ "email": EVE })).await;
    forgot.is(202);
    let (_, reset) = town
        .link(EVE, "Choose a new password", "reset-password")
        .await;
    // Asking alone changes nothing, and a token of one kind is none of another.
    town.get("me", &token).await.is(200);
    let body = json!({ "token": reset });
    let verify = town.post("verify-email", body).await;
    verify.refuses(400, "invalid_link");
    let body = json!({"token": reset, "password": ANOTHER});
    town.post("reset-password", body.clone()).await.is(204);
    let again = town.post("reset-password", body).await;
    again.refuses(400, "invalid_link");
    let told = town.mailbox.mail_to(EVE).await;
    assert_eq!(told.subject, "Your password was changed");

    // Every session ended, with its tokens.
    town.get("me", &token).await.is(401);
    let handles = town.world.api.get("/v2/handles").bearer(&carried);
    handles.send().await.is(401);
    let refresh = town.refresh(&cookie).await;
    refresh.refuses(401, "invalid_refresh_token");
    let answer = town.log_in(EVE, CHOSEN, "evergreen").await;
    answer.refuses(401, "invalid_credentials");
    let token = town.token(EVE, ANOTHER, "evergreen").await;
    let sessions = town.get("sessions", &token).await.is(200).json();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn from_an_invitation_to_a_removal() {
    let mut town = Town::new().await;
    let admin = town.world.owner.v1.clone();
    let invite = town.call("invites", &json!({"email": EVE, "role": "member"}));
    invite.bearer(&admin).send().await.is(201);
    let subject = "You are invited to a workspace";
    let (mail, token) = town.link(EVE, subject, "accept-invite").await;
    assert!(mail.text.contains(OWNER) && mail.text.contains("acme"));
    let body = json!({"token": token, "name": "Eve", "password": CHOSEN});
    let accepted = town
        .post("invites/accept", body.clone())
        .await
        .is(200)
        .json();
    assert_eq!(accepted, json!({"workspace": "acme", "role": "member"}));
    let again = town.post("invites/accept", body).await;
    again.refuses(400, "invalid_link");

    // A member sees no team; a manager does, with the token from before.
    let token = town.token(EVE, CHOSEN, "acme").await;
    town.get("team", &token).await.is(403);
    let me = town.get("me", &token).await.is(200).string("id");
    let one = format!("/api/v1/users/team/{me}");
    let role = json!({"role": "manager"});
    let call = town.world.api.call("PATCH", &one).json(&role);
    call.bearer(&admin).send().await.is(200);
    let team = town.get("team", &token).await.is(200).json();
    let roles: BTreeMap<_, _> = team["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["email"].as_str().unwrap(),
                one["role"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(roles, BTreeMap::from([(OWNER, "admin"), (EVE, "manager")]));

    let mut minted = Vec::new();
    for name in ["deploy", "reports"] {
        let mint = town.call("api-keys", &json!({ "name": name }));
        let answer = mint.bearer(&token).send().await.is(201);
        minted.push(town.world.minted_key(&answer));
    }
    let removed = town.world.api.delete(&one).bearer(&admin);
    let removed = removed.send().await.is(200).json();
    let mut left: Vec<_> = removed["credentials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["prefix"].as_str().unwrap().to_owned())
        .collect();
    left.sort();
    let mut prefixes: Vec<_> = minted.iter().map(|key| key.id.clone()).collect();
    prefixes.sort();
    assert_eq!(left, prefixes);
    for path in ["me", "team", "sessions"] {
        town.get(path, &token).await.is(401);
    }
    let back = town.log_in(EVE, CHOSEN, "acme").await.status;
    assert!((400..500).contains(&back), "{back}");
    // Who runs a machine with a key of theirs decides when it stops.
    let works = async |expected| {
        for key in &minted {
            let whoami = town.world.api.get("/whoami").bearer(&key.secret);
            whoami.send().await.is(expected);
        }
    };
    works(200).await;
    let revoke = format!("{one}/api-keys");
    let revoke = town.world.api.delete(&revoke).bearer(&admin);
    let revoked = revoke.send().await.is(200).json();
    assert_eq!(revoked, json!({"revoked": 2}));
    works(401).await;
    let none = revoke.send().await.is(200).json();
    assert_eq!(none, json!({"revoked": 0}));
}

/// All of an answer but when it was given.
fn all_of(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status, headers, answer.text())
}

#[tokio::test]
async fn no_answer_says_whether_an_address_has_an_account() {
    let mut town = Town::new().await;
    let unverified = "later@people.test";
    let body = json!({"email": unverified, "password": CHOSEN});
    town.post("signup", body).await.is(202);
    let mail = town.mailbox.mail_to(unverified).await;
    town.world.server.keep_secret(mail.token());

    let asked = |email: &str, known: bool| {
        // Nobody's password fits but that of the unverified account.
        let password = if known { ANOTHER } else { CHOSEN };
        vec![
            (
                "/api/v1/users/login",
                json!({"email": email, "password": password}),
            ),
            (
                "/v2/auth/login",
                json!({"email": email, "password": password}),
            ),
            (
                "/api/auth/login",
                json!({"email": email, "password": password}),
            ),
            (
                "/api/v1/users/signup",
                json!({"email": email, "password": CHOSEN}),
            ),
            (
                "/api/v1/users/resend-verification",
                json!({ "email": email }),
            ),
            ("/api/v1/users/forgot-password", json!({ "email": email })),
        ]
    };
    let mut answers = Vec::new();
    for (email, known) in [
        (OWNER, true),
        (unverified, false),
        ("nobody@people.test", false),
    ] {
        let mut heard = Vec::new();
        for (path, body) in asked(email, known) {
            let answer = town.world.api.post(path, &body).send().await;
            let text = answer.text();
            assert!(!text.contains(email), "{path} answers {text}");
            heard.push((path, all_of(&answer)));
        }
        answers.push(heard);
    }
    let [owner, later, nobody] = &answers[..] else {
        unreachable!("three are asked for");
    };
    assert_eq!(owner, later);
    assert_eq!(owner, nobody);
    let statuses: Vec<u16> = owner.iter().map(|(_, (status, ..))| *status).collect();
    assert_eq!(statuses, [401, 401, 401, 202, 202, 202]);

    // Those that it concerns are told by mail, and nobody else.
    let mut told = BTreeMap::new();
    for _ in 0..2 {
        let mail = town.mailbox.mail_to(OWNER).await;
        told.insert(mail.subject.clone(), mail);
    }
    assert!(told.contains_key("You already have an account"));
    let reset = &told["Choose a new password"];
    town.world.server.keep_secret(reset.token());
    let taken = town.log_in(OWNER, PASSWORD, "acme").await;
    taken.is(200);
}

#[tokio::test]
async fn an_outage_of_the_mail_server_loses_no_mail() {
    let port = free_port();
    let mut town = Town::with(SmtpServer::start_on(port)).await;
    // First it defers, then it is gone, then it is back.
    town.mailbox.reply(Some("451 4.3.0 not now"));
    let people: Vec<String> = (0..5).map(|n| format!("p{n}@people.test")).collect();
    let sign_up = async |town: &Town, email: &str| {
        let body = json!({"email": email, "password": CHOSEN});
        town.post("signup", body).await.is(202);
    };
    for email in &people[..3] {
        sign_up(&town, email).await;
    }
    drop(std::mem::replace(&mut town.mailbox, SmtpServer::start()));
    for email in &people[3..] {
        sign_up(&town, email).await;
    }
    town.mailbox = SmtpServer::start_on(port);
    for email in &people {
        let subject = "Confirm your mail address";
        let (_, token) = town.link(email, subject, "verify-email").await;
        let body = json!({ "token": token });
        town.post("verify-email", body).await.is(204);
    }
    // Each once.
    let mails = town.mailbox.mails();
    assert_eq!(mails.len(), people.len());
    assert!(
        mails
            .iter()
            .all(|mail| mail.from == "hello@gatewright.test")
    );
}
