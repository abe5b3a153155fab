//! The token endpoint (RFC 6749 §4.4 and §5, RFC 8707, RFC 9068).

use gatewright_core::error::ErrorCode;
use gatewright_core::principal::Subject;
use gatewright_issuer::{Authority, OAuthRequest};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use crate::provider::{Ask, Endpoint, ISSUER, Provider, RESOURCE, field, json};
use crate::world::{NOW, scopes};

const GRANT: &str = "grant_type=client_credentials";

/// One row for each rule that a request can break or keep.
#[tokio::test]
async fn requests_by_the_rules() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call audit.read").await;
    for (rule, body, status, outcome) in [
        ("RFC 6749 §4.4.2", "", 200, "audit.read mcp:call"),
        (
            "RFC 6749 §3.3: a part of them",
            "scope=mcp:call",
            200,
            "mcp:call",
        ),
        (
            "RFC 6749 §3.3: any order",
            "scope=mcp:call+audit.read",
            200,
            "audit.read mcp:call",
        ),
        (
            "a narrower scope",
            "scope=mcp:call:conn_1",
            200,
            "mcp:call:conn_1",
        ),
        (
            "RFC 6749 §3.2: no value",
            "scope=",
            200,
            "audit.read mcp:call",
        ),
        (
            "RFC 6749 §3.2: unknown parameters",
            "foo=bar",
            200,
            "audit.read mcp:call",
        ),
        (
            "RFC 6749 §5.2: more than granted",
            "scope=mcp:call+admin",
            400,
            "invalid_scope",
        ),
        ("RFC 6749 §5.2: everything", "scope=*", 400, "invalid_scope"),
        (
            "RFC 6749 §5.2: malformed scope",
            "scope=mcp:call++audit.read",
            400,
            "invalid_scope",
        ),
        (
            "RFC 6749 §3.2: repeated",
            "scope=mcp:call&scope=mcp:call",
            400,
            "invalid_request",
        ),
        (
            "RFC 6749 §3.2: repeated grant",
            GRANT,
            400,
            "invalid_request",
        ),
        (
            "RFC 6749 §3.2: repeated unknown",
            "foo=a&foo=b",
            400,
            "invalid_request",
        ),
        ("RFC 6749 appendix B", "scope=%zz", 400, "invalid_request"),
        (
            "RFC 8707 §2",
            "resource=https%3A%2F%2Fgateway.example%2Fmcp%2Facme",
            200,
            "audit.read mcp:call",
        ),
        (
            "RFC 8707 §2: may repeat",
            "resource=https://gateway.example/mcp/acme&resource=https://gateway.example/mcp/acme",
            200,
            "audit.read mcp:call",
        ),
        (
            "RFC 8707 §2: each one",
            "resource=https://gateway.example/mcp/acme&resource=https://gateway.example/mcp/globex",
            400,
            "invalid_target",
        ),
        (
            "RFC 8707 §2: to the letter",
            "resource=https://gateway.example/mcp/acme/",
            400,
            "invalid_target",
        ),
        (
            "RFC 8707 §2: no URL",
            "resource=acme",
            400,
            "invalid_target",
        ),
    ] {
        let ask = Ask::of(&client, &format!("{GRANT}&{body}"));
        let answer = provider.ask(Endpoint::Token, ask).await;
        let told = json(&answer);
        assert_eq!(answer.status, status, "{rule}: {told}");
        let member = if status == 200 { "scope" } else { "error" };
        assert_eq!(told[member], outcome, "{rule}");
        assert_eq!(field(&answer, "cache-control"), Some("no-store"), "{rule}");
        assert_eq!(
            field(&answer, "content-type"),
            Some("application/json"),
            "{rule}"
        );
        assert!(field(&answer, "www-authenticate").is_none(), "{rule}");
    }
    for (rule, body, error) in [
        (
            "RFC 6749 §5.2: missing",
            "scope=mcp:call",
            "invalid_request",
        ),
        ("RFC 6749 §3.2: no value", "grant_type=", "invalid_request"),
        (
            "RFC 6749 §5.2: others",
            "grant_type=password",
            "unsupported_grant_type",
        ),
        (
            "RFC 6749 §4.4: no refresh",
            "grant_type=refresh_token&refresh_token=x",
            "unsupported_grant_type",
        ),
        (
            "to the letter",
            "grant_type=Client_Credentials",
            "unsupported_grant_type",
        ),
    ] {
        let answer = provider.ask(Endpoint::Token, Ask::of(&client, body)).await;
        let told = json(&answer);
        assert_eq!(
            (answer.status, &told["error"]),
            (400, &error.into()),
            "{rule}"
        );
        // RFC 6749 §5.2: no other characters in a description.
        let description = told["error_description"].as_str().unwrap();
        let is_allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
        assert!(description.chars().all(is_allowed), "{description}");
    }
}

#[tokio::test]
async fn only_forms_that_are_posted_are_read() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let (id, secret) = (client.id.as_str(), client.secret.expose());
    let body = format!("{GRANT}&client_id={id}&client_secret={secret}");
    let form: &[u8] = b"Application/X-WWW-Form-URLEncoded; charset=utf-8";
    let right = OAuthRequest::post(body.as_bytes()).content_type(Some(form));
    let long = vec![b'a'; OAuthRequest::MAX_BODY + 1];
    let query = format!("{GRANT}&client_id={id}&client_secret={secret}");
    for (rule, request, status) in [
        ("a form", right, 200),
        (
            "a query that is not ours",
            right.query(Some("utm=1&b")),
            200,
        ),
        ("RFC 6749 §3.2: POST", right.method("GET"), 405),
        ("RFC 6749 §4.4.2: a form", right.content_type(None), 400),
        (
            "RFC 6749 §4.4.2: no JSON",
            right.content_type(Some(b"application/json")),
            400,
        ),
        (
            "RFC 6749 §2.3.1: not the query",
            right.query(Some(&query)),
            400,
        ),
        (
            "nor in disguise",
            right.query(Some("client%5Fsecret=x")),
            400,
        ),
        (
            "a limit",
            OAuthRequest::post(&long).content_type(Some(form)),
            413,
        ),
    ] {
        let answer = provider.send(Endpoint::Token, &request).await;
        assert_eq!(answer.status, status, "{rule}: {}", json(&answer));
        if status != 200 {
            assert_eq!(json(&answer)["error"], "invalid_request", "{rule}");
        }
        let allows = field(&answer, "allow");
        assert_eq!(allows, Some("POST").filter(|_| status == 405), "{rule}");
    }
}

#[tokio::test]
async fn jsonwebtoken_reads_what_the_token_says() {
    let provider = Provider::with(64, |builder| {
        builder.also_for("https://gateway.example/family")
    })
    .await;
    // Not an expired token's time, since theirs is the machine's clock.
    let now = 4_000_000_000;
    provider.clock.set(now);
    let client = provider.client("mcp:call").await;
    let ask = Ask::of(&client, GRANT);
    let answer = json(&provider.ask(Endpoint::Token, ask).await);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 3_600);
    // RFC 6749 §4.4.3
    assert!(answer.get("refresh_token").is_none());
    let token = answer["access_token"].as_str().unwrap();

    let header = decode_header(token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("at+jwt"), "RFC 9068 §2.1");
    let set: JwkSet = serde_json::from_value(provider.keys.jwks(now)).unwrap();
    let jwk = set.find(&header.kid.unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[RESOURCE]);
    validation.set_issuer(&[ISSUER]);
    let key = DecodingKey::from_jwk(jwk).unwrap();
    let claims = decode::<Value>(token, &key, &validation).unwrap().claims;
    let id = client.id.as_str();
    let expected = json!({
        "iss": ISSUER, "sub": id, "client_id": id, "aud": [RESOURCE, "https://gateway.example/family"],
        "jti": claims["jti"], "iat": now, "exp": now + 3_600, "epoch": 0, "tenant": "ten_acme", "scope": "mcp:call",
    });
    assert_eq!(claims, expected, "RFC 9068 §2.2");
    assert_eq!(claims["jti"].as_str().unwrap().len(), 22);

    // RFC 8707 §2.2: for what was asked for and nothing else.
    let family = "https://gateway.example/family";
    let both = format!("{family}&resource={RESOURCE}");
    for (asked, audience) in [
        (family, json!(family)),
        (RESOURCE, json!(RESOURCE)),
        (&both, json!([RESOURCE, family])),
    ] {
        let ask = Ask::of(&client, &format!("{GRANT}&resource={asked}"));
        let answer = json(&provider.ask(Endpoint::Token, ask).await);
        let token = answer["access_token"].as_str().unwrap();
        validation.set_audience(&[RESOURCE, family]);
        let claims = decode::<Value>(token, &key, &validation).unwrap().claims;
        assert_eq!(claims["aud"], audience, "{asked}");
    }
}

/// RFC 6749 §5.2: more scopes than fit into a token that a gate reads are the client's mistake.
#[tokio::test]
async fn no_token_is_too_long_to_be_read() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let ask = async |count: usize| {
        let scopes: Vec<_> = (0..count).map(|n| format!("mcp:call:{n:016}")).collect();
        let body = format!("{GRANT}&scope={}", scopes.join("+"));
        provider.ask(Endpoint::Token, Ask::of(&client, &body)).await
    };
    assert_eq!(ask(64).await.status, 200);
    let refusal = ask(1_000).await;
    assert_eq!(
        (refusal.status, &json(&refusal)["error"]),
        (400, &"invalid_scope".into())
    );
}

#[tokio::test]
async fn the_gate_takes_it_for_the_client_and_its_tenant() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let caller = provider
        .enter(&provider.token(&client).await)
        .await
        .unwrap();
    assert_eq!(caller.subject(), &Subject::Client(client.id.clone()));
    assert_eq!(caller.tenant().unwrap().slug(), "acme");
    assert_eq!(caller.scopes(), &scopes("mcp:call"));

    let weak = provider.client("audit.read").await;
    let refused = provider.enter(&provider.token(&weak).await).await;
    assert_eq!(refused.unwrap_err(), ErrorCode::InsufficientScope);

    let (globex, alice) = (provider.globex.clone(), provider.alice.clone());
    let request = provider.clients.request(globex, alice, scopes("mcp:call"));
    let operator = Authority::operator();
    let foreign = provider.clients.register(request, &operator);
    let refused = provider
        .enter(&provider.token(&foreign.await.unwrap()).await)
        .await;
    assert_eq!(
        refused.unwrap_err(),
        ErrorCode::InvalidToken,
        "another audience"
    );

    let issued = provider.token(&client).await;
    provider.clock.advance(3_600);
    assert_eq!(
        provider.enter(&issued).await.unwrap_err(),
        ErrorCode::TokenExpired
    );
}

#[tokio::test]
async fn a_token_does_not_outlive_its_client() {
    let provider = Provider::new().await;
    let (acme, alice) = (provider.acme.clone(), provider.alice.clone());
    let request = provider.clients.request(acme, alice, scopes("mcp:call"));
    let request = request.expiring_at(Some(NOW + 90));
    let operator = Authority::operator();
    let client = provider.clients.register(request, &operator).await.unwrap();
    let answer = provider.ask(Endpoint::Token, Ask::of(&client, GRANT)).await;
    assert_eq!(json(&answer)["expires_in"], 90);
    provider.clock.advance(90);
    let answer = provider.ask(Endpoint::Token, Ask::of(&client, GRANT)).await;
    assert_eq!(
        (answer.status, &json(&answer)["error"]),
        (401, &"invalid_client".into())
    );
}

#[tokio::test]
async fn a_thousand_tokens_of_one_client_cost_argon2_once() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    for _ in 0..1_000 {
        provider.token(&client).await;
    }
    assert_eq!(provider.hashed(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn so_do_a_hundred_at_once() {
    let provider = std::sync::Arc::new(Provider::new().await);
    let client = std::sync::Arc::new(provider.client("mcp:call").await);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (provider, client) = (provider.clone(), client.clone());
        asking.spawn(async move { provider.token(&client).await });
    }
    assert_eq!(asking.join_all().await.len(), 100);
    assert_eq!(provider.hashed(), 1);
}

#[tokio::test]
async fn without_a_key_there_is_no_token_for_now() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    // Long before the first key was made.
    provider.clock.set(NOW - 1);
    let answer = provider.ask(Endpoint::Token, Ask::of(&client, GRANT)).await;
    let told = (answer.status, json(&answer)["error"].clone());
    assert_eq!(told, (503, "temporarily_unavailable".into()));
    assert!(field(&answer, "retry-after").is_some());
}

#[tokio::test]
async fn a_rotated_key_signs_and_the_tokens_before_it_pass() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let before = provider.token(&client).await;
    let kid = provider.keys.rotate(NOW).await.unwrap();
    provider.clock.advance(600);
    let after = provider.token(&client).await;
    assert_ne!(decode_header(&before).unwrap().kid.unwrap(), kid);
    assert_eq!(decode_header(&after).unwrap().kid.unwrap(), kid);
    for token in [before, after] {
        assert!(provider.enter(&token).await.is_ok());
    }
}
