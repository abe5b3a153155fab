//! What each situation is answered with: status, code, challenge, and the fields that a client acts on.

use serde_json::json;

use crate::call::{Answer, Call};
use crate::forge;
use crate::world::{HANDLE, OWNER, PUBLIC_URL, World, wrong_secret_for};

/// What the challenge of an answer must be.
#[derive(Clone, Copy, Debug)]
enum Challenge {
    None,
    /// Without an error: nothing was presented, or it was no bearer token (RFC 6750 §3.1).
    Plain,
    Error(&'static str),
    /// `insufficient_scope` that names the scopes.
    Scope(&'static str),
}

struct Situation {
    name: &'static str,
    call: Call,
    status: u16,
    code: &'static str,
    challenge: Challenge,
    message: Option<&'static str>,
}

impl Situation {
    async fn check(&self, realm: &str) {
        let answer = self.call.send().await;
        let (name, found) = (self.name, (answer.status, answer.code()));
        assert_eq!(
            found,
            (self.status, self.code.to_owned()),
            "{name}: {answer:?}"
        );
        if let Some(message) = self.message {
            assert_eq!(answer.message(), message, "{name}");
        }
        let challenge = answer.header("www-authenticate");
        let start = format!("Bearer realm=\"{realm}\"");
        match self.challenge {
            Challenge::None => assert_eq!(challenge, None, "{name}"),
            Challenge::Plain => assert_eq!(challenge, Some(&*start), "{name}"),
            Challenge::Error(error) => {
                let start = format!("{start}, error=\"{error}\", error_description=\"");
                let challenge = challenge.unwrap_or_default();
                assert!(challenge.starts_with(&start), "{name}: {challenge}");
                assert!(!challenge.contains("scope="), "{name}: {challenge}");
            }
            Challenge::Scope(scopes) => {
                let start = format!("{start}, error=\"insufficient_scope\", error_description=\"");
                let challenge = challenge.unwrap_or_default();
                assert!(challenge.starts_with(&start), "{name}: {challenge}");
                let end = format!(", scope=\"{scopes}\"");
                assert!(challenge.ends_with(&end), "{name}: {challenge}");
            }
        }
    }
}

#[tokio::test]
async fn every_situation_of_the_handle_api() {
    let world = World::new().await;
    let api = &world.api;
    let guest = world.person("guest").await;
    world.create_handle(&guest, "guests").await;
    let creator = world.person("creator").await;
    let collaborators = format!("/v2/handles/{HANDLE}/collaborators");
    let body = json!({"email": "creator@people.test", "role": "creator"});
    let put = api.put(&collaborators, &body).bearer(&world.owner.v2);
    assert!(put.send().await.status < 300);

    let pat = world.pat(&["links.read"]).await;
    let hooks = world.pat(&["webhooks.read"]).await;
    let foreign = world.pat_of(&guest, "guests", &["links.read"]).await;
    let key = world.key().await;
    let aged = world.pat(&["links.read"]).await;
    let revoked = world.pat(&["links.read"]).await;
    let tokens = format!("/v2/handles/{HANDLE}/tokens");
    let delete = api.delete(&format!("{tokens}/{}", revoked.id));
    delete.bearer(&world.owner.v2).send().await.is(204);
    let whoami = api.get("/whoami").bearer(&world.owner.v2).send().await;
    let subject = whoami.string("subject");
    let user = subject.strip_prefix("user:").unwrap();
    let expired = forge::token(&world.home, user, &format!("{PUBLIC_URL}/v2"), 0).await;
    world.server.keep_secret(&expired);

    let age = format!(
        "UPDATE credentials SET created_at = 1, expires_at = 2 WHERE id = '{}'",
        aged.id
    );
    let world = world.changed(&age).await;
    let api = &world.api;

    let links = format!("/v2/public/handles/{HANDLE}/links");
    let links = links.as_str();
    let analytics = format!("/v2/public/handles/{HANDLE}/analytics");
    let webhooks = format!("/v2/public/handles/{HANDLE}/webhooks");
    let link = format!("{links}/spring");
    let mistyped = {
        let mut text = pat.secret.clone();
        let last = text.pop().unwrap();
        text.push(if last == 'a' { 'b' } else { 'a' });
        text
    };
    let mut altered = world.owner.v2.clone();
    let place = altered.len() - 20;
    let other = if altered.as_bytes()[place] == b'A' {
        "B"
    } else {
        "A"
    };
    altered.replace_range(place..=place, other);
    let unknown = wrong_secret_for("patv1", "000000000000");
    let wrong = wrong_secret_for("patv1", &pat.id);
    let mint = json!({"name": "n", "scopes": ["links.read"], "expiresInDays": 1});
    let put_link = json!({"destinationUrl": "https://example.com", "title": "t"});
    let new_handle = json!({"handle": HANDLE});
    let invalid = Challenge::Error("invalid_token");

    let situation = |name, call: Call, status, code, challenge| Situation {
        name,
        call,
        status,
        code,
        challenge,
        message: None,
    };
    let owner = |call: Call| call.bearer(&world.owner.v2);
    let mut situations = vec![
        situation(
            "no credential",
            api.get(links),
            401,
            "missing_bearer_token",
            Challenge::Plain,
        ),
        situation(
            "no credential where a JWT goes",
            api.get("/v2/handles"),
            401,
            "missing_bearer_token",
            Challenge::Plain,
        ),
        situation(
            "another scheme",
            api.get(links).header("authorization", "Basic YTpi"),
            401,
            "missing_bearer_token",
            Challenge::Plain,
        ),
        situation(
            "malformed",
            api.get(links).bearer("patv1_short"),
            401,
            "invalid_token",
            invalid,
        ),
        situation(
            "no format of ours",
            api.get(links).bearer("nonsense"),
            401,
            "invalid_token",
            invalid,
        ),
        situation(
            "a typing error",
            api.get(links).bearer(&mistyped),
            401,
            "invalid_token",
            invalid,
        ),
        situation(
            "unknown",
            api.get(links).bearer(&unknown),
            401,
            "invalid_token",
            invalid,
        ),
        situation(
            "a wrong secret",
            api.get(links).bearer(&wrong),
            401,
            "invalid_token",
            invalid,
        ),
        situation(
            "an altered JWT",
            api.get("/v2/handles").bearer(&altered),
            401,
            "invalid_token",
            invalid,
        ),
        situation(
            "a JWT of the other family",
            api.get("/v2/handles").bearer(&world.owner.v1),
            401,
            "invalid_token",
            invalid,
        ),
        situation(
            "a wrong password",
            api.post(
                "/v2/auth/login",
                &json!({"email": OWNER, "password": "not-the-password"}),
            ),
            401,
            "invalid_credentials",
            Challenge::Plain,
        ),
        situation(
            "nobody's password",
            api.post(
                "/v2/auth/login",
                &json!({"email": "nobody@acme.test", "password": "not-the-password"}),
            ),
            401,
            "invalid_credentials",
            Challenge::Plain,
        ),
        situation(
            "a JWT where only a PAT goes",
            owner(api.get(&analytics)),
            401,
            "invalid_token_format",
            invalid,
        ),
        situation(
            "a PAT where only a JWT goes",
            api.get("/v2/handles").bearer(&pat.secret),
            403,
            "insufficient_scope",
            Challenge::Error("insufficient_scope"),
        ),
        situation(
            "a PAT on PATs",
            api.post(&tokens, &mint).bearer(&pat.secret),
            403,
            "insufficient_scope",
            Challenge::Error("insufficient_scope"),
        ),
        situation(
            "a key where a PAT goes",
            api.get(links).bearer(&key.secret),
            403,
            "insufficient_scope",
            Challenge::Error("insufficient_scope"),
        ),
        situation(
            "a PAT of another handle",
            api.get(links).bearer(&foreign.secret),
            403,
            "insufficient_scope",
            Challenge::Error("insufficient_scope"),
        ),
        situation(
            "a PAT on a handle that isn't",
            api.get("/v2/public/handles/nowhere/links")
                .bearer(&foreign.secret),
            403,
            "insufficient_scope",
            Challenge::Error("insufficient_scope"),
        ),
        situation(
            "a user without a role",
            api.get(&format!("/v2/handles/{HANDLE}")).bearer(&guest.v2),
            404,
            "not_found",
            Challenge::None,
        ),
        situation(
            "a user on a handle that isn't",
            api.get("/v2/handles/nowhere").bearer(&guest.v2),
            404,
            "not_found",
            Challenge::None,
        ),
        situation(
            "an expired JWT",
            api.get("/v2/handles").bearer(&expired),
            401,
            "token_expired",
            invalid,
        ),
        situation(
            "an expired PAT",
            api.get(links).bearer(&aged.secret),
            401,
            "token_expired",
            invalid,
        ),
        situation(
            "a revoked PAT",
            api.get(links).bearer(&revoked.secret),
            401,
            "token_revoked",
            invalid,
        ),
        situation(
            "a role too low",
            api.post(&tokens, &mint).bearer(&creator.v2),
            403,
            "insufficient_role",
            Challenge::None,
        ),
        situation(
            "a plan without the feature",
            api.get(&webhooks).bearer(&hooks.secret),
            403,
            "feature_locked",
            Challenge::None,
        ),
        situation(
            "a body that is no JSON",
            owner(api.call("POST", &tokens))
                .header("content-type", "application/json")
                .body("{"),
            400,
            "invalid_payload",
            Challenge::None,
        ),
        situation(
            "a body of the wrong shape",
            owner(api.post(&tokens, &json!([]))),
            400,
            "invalid_payload",
            Challenge::None,
        ),
        situation(
            "no body",
            owner(api.call("POST", &tokens)),
            400,
            "invalid_payload",
            Challenge::None,
        ),
        situation(
            "a member of the wrong type",
            owner(api.post(&tokens, &json!({"name": 1, "scopes": []}))),
            400,
            "invalid_payload",
            Challenge::None,
        ),
        situation(
            "a field out of range",
            owner(api.post(
                &tokens,
                &json!({"name": "n", "scopes": ["links.read"], "expiresInDays": 0}),
            )),
            400,
            "validation_error",
            Challenge::None,
        ),
        situation(
            "a page too long",
            owner(api.get("/v2/handles?limit=101")),
            400,
            "validation_error",
            Challenge::None,
        ),
        situation(
            "a scope that there isn't",
            owner(api.post(
                &tokens,
                &json!({"name": "n", "scopes": ["links.fly"], "expiresInDays": 1}),
            )),
            400,
            "invalid_scope",
            Challenge::None,
        ),
        situation(
            "not there",
            owner(api.get(&format!("/v2/handles/{HANDLE}/links/none"))),
            404,
            "not_found",
            Challenge::None,
        ),
        situation(
            "exists already",
            owner(api.post("/v2/handles", &new_handle)),
            409,
            "conflict",
            Challenge::None,
        ),
        situation(
            "no such path",
            api.get("/v2/nothing"),
            404,
            "not_found",
            Challenge::None,
        ),
    ];
    situations.push(Situation {
        message: Some("Token does not have the required scope: analytics.read"),
        ..situation(
            "a scope missing",
            api.get(&analytics).bearer(&pat.secret),
            403,
            "insufficient_scope",
            Challenge::Scope("analytics.read"),
        )
    });
    situations.push(Situation {
        message: Some("Token does not have the required scope: links.write"),
        ..situation(
            "a scope missing for a change",
            api.put(&link, &put_link).bearer(&pat.secret),
            403,
            "insufficient_scope",
            Challenge::Scope("links.write"),
        )
    });
    for situation in &situations {
        situation.check("handle").await;
    }
}

#[tokio::test]
async fn situations_of_the_workspace_api() {
    let world = World::new().await;
    let api = &world.api;
    let me = "/api/v1/users/me";
    let keys = "/api/v1/users/api-keys";
    let narrow = world
        .key_of(
            &world.owner,
            &json!({"name": "narrow", "scopes": ["keys.read"]}),
        )
        .await;
    let revoked = world.key().await;
    let delete = api.delete(&format!("{keys}/{}", revoked.id));
    delete.bearer(&world.owner.v1).send().await.is(204);
    let pat = world.pat(&["links.read"]).await;
    let wrong = wrong_secret_for("tnx", &narrow.id);
    let invalid = Challenge::Error("invalid_token");
    let owner = |call: Call| call.bearer(&world.owner.v1);
    let situation = |name, call, status, code, challenge| Situation {
        name,
        call,
        status,
        code,
        challenge,
        message: None,
    };
    let situations = [
        situation(
            "no credential",
            api.get(me),
            401,
            "missing_bearer_token",
            Challenge::Plain,
        ),
        situation(
            "malformed",
            api.get(me).bearer("tnx_"),
            401,
            "invalid_token",
            invalid,
        ),
        situation(
            "a wrong secret",
            api.get(me).bearer(&wrong),
            401,
            "invalid_token",
            invalid,
        ),
        situation(
            "a revoked key",
            api.get(me).bearer(&revoked.secret),
            401,
            "token_revoked",
            invalid,
        ),
        situation(
            "a JWT of the other family",
            api.get(me).bearer(&world.owner.v2),
            401,
            "invalid_token",
            invalid,
        ),
        situation(
            "a PAT",
            api.get(me).bearer(&pat.secret),
            403,
            "insufficient_scope",
            Challenge::Error("insufficient_scope"),
        ),
        situation(
            "a wrong password",
            api.post(
                "/api/v1/users/login",
                &json!({"email": OWNER, "password": "not-the-password"}),
            ),
            401,
            "invalid_credentials",
            Challenge::Plain,
        ),
        Situation {
            message: Some("Token does not have the required scope: keys.write"),
            ..situation(
                "a scope missing",
                api.post(keys, &json!({"name": "more"}))
                    .bearer(&narrow.secret),
                403,
                "insufficient_scope",
                Challenge::Scope("keys.write"),
            )
        },
        situation(
            "a key of nobody",
            owner(api.get(&format!("{keys}/00000000"))),
            404,
            "not_found",
            Challenge::None,
        ),
        situation(
            "no JSON",
            owner(api.call("POST", keys)).body("name=x"),
            400,
            "invalid_payload",
            Challenge::None,
        ),
        situation(
            "out of range",
            owner(api.post(keys, &json!({"name": ""}))),
            400,
            "validation_error",
            Challenge::None,
        ),
        situation(
            "a life of no days",
            owner(api.post(keys, &json!({"name": "n", "expires_in_days": 0}))),
            400,
            "validation_error",
            Challenge::None,
        ),
        situation(
            "no such path",
            api.get("/api/v1/nothing"),
            404,
            "not_found",
            Challenge::None,
        ),
    ];
    for situation in &situations {
        situation.check("workspace").await;
    }
}

/// A free handle has 60 requests a minute, over all of its credentials.
#[tokio::test]
async fn over_the_limit_of_a_plan() {
    let world = World::with(&["--limits", "plan"]).await;
    let path = format!("/v2/handles/{HANDLE}");
    let call = world.api.get(&path).bearer(&world.owner.v2);
    let mut allowed = 0;
    let refused = loop {
        let answer = call.send().await;
        match answer.status {
            200 => {
                assert_limits(&answer);
                allowed += 1;
            }
            429 => break answer,
            _ => panic!("{answer:?}"),
        }
        assert!(allowed <= 120, "no limit");
    };
    // Calls come back one a second while this runs.
    assert!((50..120).contains(&allowed), "{allowed}");
    let refused = refused.refuses(429, "rate_limited");
    assert_limits(&refused);
    let policy = refused.header("ratelimit-policy").unwrap();
    assert_eq!(policy, r#""plan";q=60;w=60"#);
    assert!(
        refused
            .header("ratelimit")
            .unwrap()
            .starts_with(r#""plan";r=0;t="#)
    );
    // Other credentials of the handle share it; other handles don't.
    world.create_handle(&world.owner, "another").await;
    let other = world.api.get("/v2/handles/another").bearer(&world.owner.v2);
    other.send().await.is(200);
    // What was refused was not charged: after the time that was named there is a call again.
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds <= 2, "{seconds}");
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    call.send().await.is(200);
}

#[track_caller]
fn assert_limits(answer: &Answer) {
    assert!(answer.header("ratelimit-policy").is_some(), "{answer:?}");
    assert!(answer.header("ratelimit").is_some(), "{answer:?}");
}

/// Whatever the plan, a handle's tokens have a burst of thirty in a second among them.
#[tokio::test]
async fn over_the_limit_of_a_burst() {
    let world = World::with(&["--limits", "plan"]).await;
    let body = json!({"handle": HANDLE, "plan": "business"});
    let open = world.api.post("/v2/billing/checkout-session", &body);
    let opened = open.bearer(&world.owner.v2).send().await.is(201);
    let complete = format!(
        "/v2/billing/checkout-session/{}/complete",
        opened.string("id")
    );
    let complete = world.api.call("POST", &complete).bearer(&world.owner.v2);
    complete.send().await.is(200);
    let (one, other) = (
        world.pat(&["links.read"]).await,
        world.pat(&["links.read"]).await,
    );
    let links = format!("/v2/public/handles/{HANDLE}/links");
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let pat = if number % 2 == 0 { &one } else { &other };
            let call = world.api.get(&links).bearer(&pat.secret);
            tokio::spawn(async move { call.send().await })
        })
        .collect();
    let mut refused = Vec::new();
    for call in calls {
        let answer = call.await.unwrap();
        if answer.status == 429 {
            refused.push(answer.refuses(429, "rate_limited"));
        } else {
            answer.is(200);
        }
    }
    assert!((1..=70).contains(&refused.len()), "{}", refused.len());
    for answer in &refused {
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some(r#""burst";q=30;w=1"#)
        );
    }
    // People are not held to it.
    let handle = world.api.get(&format!("/v2/handles/{HANDLE}"));
    handle.bearer(&world.owner.v2).send().await.is(200);
}

/// Guessing at a login is slowed down by source and account, and nobody else is.
#[tokio::test]
async fn over_the_limit_of_failed_logins() {
    let world = World::new().await;
    let guess = json!({"email": OWNER, "password": "not-the-password"});
    let guess = world.api.post("/v2/auth/login", &guess);
    let mut failures = 0;
    let refused = loop {
        let answer = guess.send().await;
        if answer.status == 429 {
            break answer;
        }
        answer.refuses(401, "invalid_credentials");
        failures += 1;
        assert!(failures < 30, "no limit");
    };
    refused.refuses(429, "rate_limited");
    world.person("somebody").await;
}
