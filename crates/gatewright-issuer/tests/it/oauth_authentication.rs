//! How clients authenticate themselves (RFC 6749 §2.3, §5.2), and what becomes of those who guess.

use gatewright_core::audit::AuditKind;
use gatewright_issuer::{ClientAuthenticator, OAuthAnswer, OAuthRequest};

use crate::provider::{Ask, ELSEWHERE, Endpoint, HOME, Provider, field, json};

const GRANT: &str = "grant_type=client_credentials";
const WRONG: &str = "apx_secret_000000000000000000000000";

fn error(answer: &OAuthAnswer) -> (u16, String) {
    let told = json(answer)["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (answer.status, told)
}

/// At each of the three endpoints, before anything else is looked at.
#[tokio::test]
async fn one_way_and_one_way_only() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let (id, secret) = (client.id.as_str(), client.secret.expose());
    let escaped = id.replace('_', "%5F");
    let post = format!("client_id={id}&client_secret={secret}");
    for (endpoint, body) in [
        (Endpoint::Token, GRANT),
        (Endpoint::Revoke, "token=x"),
        (Endpoint::Introspect, "token=x"),
    ] {
        let with = |more: &str| format!("{body}&{more}");
        let bearer = || Ask {
            basic: Some("Bearer abc".to_owned()),
            ..Ask::bare(body)
        };
        for (rule, ask, status, outcome) in [
            ("§2.3.1: Basic", Ask::of(&client, body), 200, ""),
            (
                "§2.3.1: Basic, form-encoded",
                Ask::basic(&escaped, secret, body),
                200,
                "",
            ),
            ("§2.3.1: body", Ask::bare(&with(&post)), 200, ""),
            (
                "§3.2.1: who it is, said twice",
                Ask::of(&client, &with(&format!("client_id={id}"))),
                200,
                "",
            ),
            (
                "§3.2: no value",
                Ask::of(&client, &with("client_secret=")),
                200,
                "",
            ),
            (
                "§2.3: two ways",
                Ask::of(&client, &with(&post)),
                400,
                "invalid_request",
            ),
            (
                "§2.3: another's name",
                Ask::of(&client, &with("client_id=other")),
                400,
                "invalid_request",
            ),
            (
                "§2.3: an assertion too",
                Ask::of(&client, &with("client_assertion=x")),
                400,
                "invalid_request",
            ),
            (
                "§2.3: an assertion and a secret",
                Ask::bare(&with(&format!("{post}&client_assertion=x"))),
                400,
                "invalid_request",
            ),
            ("§5.2: nothing", Ask::bare(body), 401, "invalid_client"),
            (
                "§5.2: an unsupported way",
                Ask::bare(&with("client_assertion=x")),
                401,
                "invalid_client",
            ),
            (
                "§5.2: an unsupported scheme",
                bearer(),
                401,
                "invalid_client",
            ),
            (
                "§2.1: no public clients",
                Ask::bare(&with(&format!("client_id={id}"))),
                401,
                "invalid_client",
            ),
            (
                "a secret without a name",
                Ask::bare(&with(&format!("client_secret={secret}"))),
                401,
                "invalid_client",
            ),
            ("wrong", Ask::basic(id, WRONG, body), 401, "invalid_client"),
            (
                "unknown",
                Ask::basic("apx_client_0", secret, body),
                401,
                "invalid_client",
            ),
            (
                "no name",
                Ask::basic("", secret, body),
                401,
                "invalid_client",
            ),
            ("no secret", Ask::basic(id, "", body), 401, "invalid_client"),
        ] {
            let answer = provider.ask(endpoint, ask).await;
            assert_eq!(
                error(&answer),
                (status, outcome.to_owned()),
                "{endpoint:?}, {rule}"
            );
            // RFC 6749 §5.2, RFC 9110 §11.6.1
            let challenge = field(&answer, "www-authenticate");
            let expected = Some(r#"Basic realm="oauth""#).filter(|_| status == 401);
            assert_eq!(challenge, expected, "{endpoint:?}, {rule}");
            assert_eq!(field(&answer, "cache-control"), Some("no-store"));
        }
    }
    // Credentials in the URL (RFC 6749 §2.3.1), beside right ones.
    let ask = Ask {
        query: Some("client_secret=x"),
        ..Ask::of(&client, GRANT)
    };
    let answer = provider.ask(Endpoint::Token, ask).await;
    assert_eq!(error(&answer), (400, "invalid_request".to_owned()));
    // Two `Authorization` lines.
    let line = Ask::of(&client, GRANT).basic.unwrap();
    let lines = [line.as_bytes(), line.as_bytes()];
    let form: &[u8] = b"application/x-www-form-urlencoded";
    let request = OAuthRequest::post(GRANT.as_bytes())
        .content_type(Some(form))
        .authorization(&lines);
    let answer = provider.send(Endpoint::Token, &request).await;
    assert_eq!(error(&answer), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_are_answered_alike() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let dead = provider.client("mcp:call").await;
    let revoked = provider
        .clients
        .revoke(&provider.acme, dead.id.as_str(), None);
    revoked.await.unwrap();
    let wrong = Ask::basic(client.id.as_str(), WRONG, GRANT);
    let wrong = provider.ask(Endpoint::Token, wrong).await;
    assert_eq!(error(&wrong), (401, "invalid_client".to_owned()));
    for other in [
        Ask::basic("apx_client_0", client.secret.expose(), GRANT),
        Ask::basic("somebody", "something", GRANT),
        Ask::of(&dead, GRANT),
    ] {
        let answer = provider.ask(Endpoint::Token, other).await;
        assert_eq!(answer.status, wrong.status);
        assert_eq!(answer.fields, wrong.fields);
        assert_eq!(answer.body, wrong.body);
    }
    assert_eq!(provider.hashed(), 1, "the revoked client's alone");
}

#[tokio::test]
async fn guessing_is_limited_and_locks_nobody_out_elsewhere() {
    let provider = Provider::new().await;
    let (client, other) = (
        provider.client("mcp:call").await,
        provider.client("mcp:call").await,
    );
    let guess = || Ask::basic(client.id.as_str(), WRONG, GRANT);
    for _ in 0..10 {
        let answer = provider.ask(Endpoint::Token, guess()).await;
        assert_eq!(answer.status, 401);
    }
    // At every endpoint: there is one counter.
    for endpoint in [Endpoint::Token, Endpoint::Revoke, Endpoint::Introspect] {
        let answer = provider.ask(endpoint, guess()).await;
        assert_eq!(error(&answer), (429, "temporarily_unavailable".to_owned()));
        let wait: u64 = field(&answer, "retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait));
    }
    let status = async |ask| provider.ask(Endpoint::Token, ask).await.status;
    assert_eq!(status(Ask::of(&other, GRANT)).await, 200, "another client");
    assert_eq!(status(Ask::of(&client, GRANT).from(ELSEWHERE)).await, 200);
    assert_eq!(status(Ask::of(&client, GRANT)).await, 200, "proven by now");
    assert_eq!(status(guess()).await, 429);
    provider.clock.advance(60);
    assert_eq!(status(guess()).await, 401);
}

#[tokio::test]
async fn ten_thousand_guesses_buy_hardly_any_argon2() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    for guess in 0..10_000_u32 {
        let secret = format!("apx_secret_{guess:024}");
        let ask = Ask::basic(client.id.as_str(), &secret, GRANT);
        let ask = ask.from(std::net::IpAddr::from(guess.to_be_bytes()));
        assert_eq!(provider.ask(Endpoint::Token, ask).await.status, 401);
    }
    // The tag lets one in 65,536 through: more than six in 10,000 will not be seen.
    assert!(provider.hashed() <= 6, "{}", provider.hashed());
}

#[tokio::test]
async fn an_outage_is_no_answer_about_the_client() {
    let provider = Provider::new().await;
    let (known, fresh) = (
        provider.client("mcp:call").await,
        provider.client("mcp:call").await,
    );
    let token = provider.token(&known).await;
    provider.store.put_out_of_reach(true);
    let body = format!("token={token}");
    for (endpoint, ask) in [
        (Endpoint::Token, Ask::of(&fresh, GRANT)),
        (Endpoint::Token, Ask::of(&known, GRANT)),
        (Endpoint::Revoke, Ask::of(&known, &body)),
        (Endpoint::Introspect, Ask::of(&known, &body)),
        (
            Endpoint::Introspect,
            Ask::basic("apx_client_0", WRONG, &body),
        ),
    ] {
        let answer = provider.ask(endpoint, ask).await;
        let expected = (503, "temporarily_unavailable".to_owned());
        assert_eq!(error(&answer), expected, "{endpoint:?}");
        assert!(field(&answer, "retry-after").is_some());
    }
    provider.store.put_out_of_reach(false);
    assert!(provider.enter(&token).await.is_ok(), "not revoked");
    provider.token(&fresh).await;
}

#[tokio::test]
async fn a_full_queue_asks_to_come_back() {
    let provider = Provider::with(0, |builder| builder).await;
    let client = provider.client("mcp:call").await;
    let answer = provider.ask(Endpoint::Token, Ask::of(&client, GRANT)).await;
    assert_eq!(error(&answer), (503, "temporarily_unavailable".to_owned()));
    assert_eq!(field(&answer, "retry-after"), Some("1"));
}

#[tokio::test]
async fn what_happened_is_recorded_without_what_was_claimed() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    provider.events.take();
    provider.token(&client).await;
    let ask = Ask::basic("somebody", WRONG, GRANT);
    provider.ask(Endpoint::Token, ask).await;
    let ask = Ask::of(&client, &format!("{GRANT}&scope=admin"));
    provider.ask(Endpoint::Token, ask).await;
    let events = provider.events.take();
    let kinds: Vec<AuditKind> = events.iter().map(|event| event.kind).collect();
    let expected = [
        AuditKind::LoggedIn,
        AuditKind::LoginFailed,
        AuditKind::Denied,
    ];
    assert_eq!(kinds, expected);
    assert!(events.iter().all(|event| event.source == Some(HOME)));
    assert!(!format!("{events:?}").contains("somebody"));
}

#[tokio::test]
async fn an_endpoint_of_ones_own_authenticates_the_same_way() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let authenticator = ClientAuthenticator::new(provider.gate.clone());
    let body = format!(
        "client_id={}&client_secret={}",
        client.id,
        client.secret.expose()
    );
    let form: &[u8] = b"application/x-www-form-urlencoded";
    let request = OAuthRequest::post(body.as_bytes()).content_type(Some(form));
    let proven = authenticator.authenticate(&request).await.unwrap();
    assert_eq!(proven.id(), &client.id);
    let refusal = authenticator.authenticate(&request.method("PUT")).await;
    let answer = provider.server.refusal(&refusal.unwrap_err());
    assert_eq!(answer.status, 405);
}

#[test]
fn an_answer_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: T) {}
    fn check(server: &gatewright_issuer::AuthorizationServer, request: &OAuthRequest<'_>) {
        is_send(server.token(request));
        is_send(server.revoke(request));
        is_send(server.introspect(request));
    }
    let _ = check;
}
