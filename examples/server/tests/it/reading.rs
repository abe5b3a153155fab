//! How a request is read: which header counts, what is refused before anything is decided, and what is never repeated.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::world::{HANDLE, World};

fn links() -> String {
    format!("/v2/public/handles/{HANDLE}/links")
}

#[tokio::test]
async fn a_token_in_the_query_is_refused_and_not_written_down() {
    let world = World::new().await;
    let pat = world.pat(&["links.read"]).await;
    for path in [
        links(),
        "/v2/handles".to_owned(),
        "/api/v1/users/me".to_owned(),
        "/whoami".to_owned(),
    ] {
        for query in [
            format!("access_token={}", pat.secret),
            format!("limit=1&access_token={}", pat.secret),
            format!("access%5Ftoken={}", pat.secret),
        ] {
            let path = format!("{path}?{query}");
            let bare = world.api.get(&path).send().await;
            let challenge = bare
                .header("www-authenticate")
                .unwrap_or_default()
                .to_owned();
            bare.refuses(400, "invalid_request");
            assert!(
                challenge.contains(r#"error="invalid_request""#),
                "{challenge}"
            );
            let both = world.api.get(&path).bearer(&pat.secret);
            both.send().await.refuses(400, "invalid_request");
        }
    }
    // That there is a log to look for it in: one line a request.
    assert!(
        world.server.err().contains("/v2/handles"),
        "{}",
        world.server.err()
    );
}

/// Whoever asks for every line of every crate still finds no secret: the world searches what was printed when it ends.
#[tokio::test]
async fn not_even_the_most_talkative_log_has_a_secret() {
    let world = World::logging("trace", &["--limits", "off", "--log", "json"]).await;
    let pat = world.pat(&["*"]).await;
    let key = world.key().await;
    world
        .api
        .get(&links())
        .bearer(&pat.secret)
        .send()
        .await
        .is(200);
    world
        .api
        .get(&links())
        .api_key(&pat.secret)
        .send()
        .await
        .is(200);
    world
        .api
        .get("/whoami")
        .bearer(&key.secret)
        .send()
        .await
        .is(200);
    for (brand, id) in [("tnx", &key.id), ("patv1", &pat.id)] {
        let wrong = crate::world::wrong_secret_for(brand, id);
        world.server.keep_secret(&wrong);
        let refused = world.api.get("/whoami").bearer(&wrong).send().await;
        refused.refuses(401, "invalid_token");
    }
    let typed = "a-password-in-the-wrong-field";
    world.server.keep_secret(typed);
    let login = json!({"email": typed, "password": "another-wrong-password"});
    world.server.keep_secret("another-wrong-password");
    let refused = world.api.post("/v2/auth/login", &login).send().await;
    refused.refuses(401, "invalid_credentials");
    let rotate = format!("/api/v1/users/api-keys/{}/rotate", key.id);
    let rotate = world.api.call("POST", &rotate).bearer(&world.owner.v1);
    world
        .server
        .keep_secret(&rotate.send().await.is(200).string("secret"));
    let path = format!("/v2/{}", pat.secret);
    world.api.get(&path).send().await.refuses(404, "not_found");
    let log = world.server.err();
    assert!(log.contains("DEBUG") && log.contains("/whoami"), "{log}");
}

/// The first well-formed bearer counts, and there is no second try.
#[tokio::test]
async fn of_several_authorizations_the_first_bearer_counts() {
    let world = World::new().await;
    let pat = world.pat(&["links.read"]).await;
    let good = format!("Bearer {}", pat.secret);
    let bad = format!("Bearer {}x", pat.secret);
    for (lines, status) in [
        (vec![good.as_str()], 200),
        (vec!["Basic YTpi", &good], 200),
        (vec![&good, &bad], 200),
        (vec![&bad, &good], 401),
        (vec!["Basic YTpi", &bad, &good], 401),
        (vec![&format!("{bad}, {good}")], 401),
        (vec![&format!("bearer {}", pat.secret)], 200),
        (vec![&format!("BEARER   {}", pat.secret)], 200),
        (vec![&pat.secret], 401),
        (vec![&format!("Token {}", pat.secret)], 401),
        (vec!["Bearer"], 401),
        (vec!["Bearer "], 401),
    ] {
        let mut call = world.api.get(&links());
        for line in &lines {
            call = call.header("authorization", line);
        }
        assert_eq!(call.send().await.status, status, "{lines:?}");
    }
}

/// It is read first where personal access tokens go, and elsewhere not at all.
#[tokio::test]
async fn x_api_key_counts_before_authorization() {
    let world = World::new().await;
    let pat = world.pat(&["links.read"]).await;
    let wrong = crate::world::wrong_secret_for("patv1", &pat.id);
    let links = || world.api.get(&links());
    links()
        .api_key(&pat.secret)
        .bearer(&wrong)
        .send()
        .await
        .is(200);
    let refused = links().api_key(&wrong).bearer(&pat.secret).send().await;
    refused.refuses(401, "invalid_token");
    let refused = links().api_key("nonsense").bearer(&pat.secret).send().await;
    refused.refuses(401, "invalid_token");

    let handles = || world.api.get("/v2/handles");
    handles()
        .api_key("nonsense")
        .bearer(&world.owner.v2)
        .send()
        .await
        .is(200);
    let refused = handles().api_key(&pat.secret).send().await;
    refused.refuses(401, "missing_bearer_token");
    let key = world.key().await;
    let me = world.api.get("/api/v1/users/me").api_key(&key.secret);
    me.send().await.refuses(401, "missing_bearer_token");
}

#[tokio::test]
async fn head_is_judged_as_get_is() {
    let world = World::new().await;
    let head = world.api.call("HEAD", "/v2/handles");
    let answer = head.clone().bearer(&world.owner.v2).send().await.is(200);
    assert!(answer.body.is_empty());
    head.send().await.is(401);
    let pat = world.pat(&["analytics.read"]).await;
    let head = world.api.call("HEAD", &links()).bearer(&pat.secret);
    head.send().await.is(403);
}

#[tokio::test]
async fn what_is_not_served_is_refused_in_the_familys_words() {
    let world = World::new().await;
    // The shape of each body is checked by path.
    for path in [
        "/",
        "/nothing",
        "/v2",
        "/v2/nothing",
        "/v2/handles/",
        "/api/v1",
        "/api/v1/users",
        "/api/v2/x",
        "/v2//handles",
    ] {
        let answer = world.api.get(path).bearer(&world.owner.v2).send().await;
        answer.refuses(404, "not_found");
    }
    for (method, path, allowed) in [
        ("PATCH", "/v2/public/conversions", "POST"),
        ("DELETE", "/v2/handles", "GET,HEAD,POST"),
        ("POST", "/api/v1/users/me", "GET,HEAD,PATCH"),
        ("TRACE", "/whoami", "GET,HEAD"),
        ("OPTIONS", "/v2/handles", "GET,HEAD,POST"),
    ] {
        let answer = world
            .api
            .call(method, path)
            .bearer(&world.owner.v2)
            .send()
            .await;
        let mut allow: Vec<_> = answer
            .header("allow")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .collect();
        allow.sort_unstable();
        assert_eq!(allow.join(","), allowed, "{method} {path}");
        answer.refuses(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn problem_details_for_those_who_ask() {
    let world = World::new().await;
    for path in ["/v2/handles", "/api/v1/users/me", "/v2/nothing", "/whoami"] {
        let plain = world.api.get(path).send().await;
        let problem = world
            .api
            .get(path)
            .header("accept", "application/problem+json")
            .send()
            .await;
        assert_eq!(
            problem.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(
            (problem.status, problem.code()),
            (plain.status, plain.code())
        );
        let any = world.api.get(path).header("accept", "*/*").send().await;
        assert_eq!(any.header("content-type"), Some("application/json"));
    }
    // A refusal by a handler, too.
    let call = world
        .api
        .post("/v2/handles", &json!([]))
        .bearer(&world.owner.v2);
    let problem = call
        .header("accept", "application/json, application/problem+json;q=0.5")
        .send()
        .await;
    assert_eq!(
        problem.header("content-type"),
        Some("application/problem+json")
    );
    problem.refuses(400, "invalid_payload");
}

#[tokio::test]
async fn bodies_that_are_not_read() {
    let world = World::new().await;
    let post = |content_type: &str, body: &str| {
        let call = world
            .api
            .call("POST", "/v2/handles")
            .bearer(&world.owner.v2);
        call.header("content-type", content_type).body(body)
    };
    let form = "application/x-www-form-urlencoded";
    let token = format!("handle=mine&access_token={}", world.owner.v2);
    post(form, &token)
        .send()
        .await
        .refuses(400, "invalid_request");
    let good = r#"{"handle":"readable"}"#;
    for (content_type, body) in [
        (form, "handle=mine"),
        ("text/plain", good),
        ("application/json", ""),
        ("application/json", "{"),
        ("application/json", "null"),
        ("application/json", r#"{"handle":"a-a","handle":"b-b"}"#),
        ("application/json", "\u{feff}{}"),
        ("application/json; charset=utf-8", r#"{"handle":["x"]}"#),
    ] {
        post(content_type, body)
            .send()
            .await
            .refuses(400, "invalid_payload");
    }
    let deep = "[".repeat(100_000);
    post("application/json", &deep)
        .send()
        .await
        .refuses(400, "invalid_payload");
    let invalid = world
        .api
        .call("POST", "/v2/handles")
        .bearer(&world.owner.v2);
    let invalid = invalid
        .header("content-type", "application/json")
        .body(b"{\"handle\":\"\xff\"}".to_vec());
    invalid.send().await.refuses(400, "invalid_payload");
    post("application/json; charset=utf-8", good)
        .send()
        .await
        .is(201);

    // Of 1 MiB a byte too much.
    let name = "x".repeat((1 << 20) - r#"{"handle":""}"#.len());
    let exact = format!(r#"{{"handle":"{name}"}}"#);
    post("application/json", &exact)
        .send()
        .await
        .refuses(400, "validation_error");
    let longer = format!("{exact} ");
    post("application/json", &longer)
        .send()
        .await
        .refuses(413, "payload_too_large");
    // Who may not call doesn't have a body read.
    let call = world
        .api
        .call("POST", "/v2/handles")
        .header("content-type", "application/json")
        .body(longer);
    call.send().await.refuses(401, "missing_bearer_token");
}

#[tokio::test]
async fn credentials_that_are_too_long_are_no_credentials() {
    let world = World::new().await;
    for length in [257, 4_096, 16_384, 16_385, 40_000] {
        for start in ["tnx_", "patv1_", "eyJ", ""] {
            let text = format!("{start}{}", "a".repeat(length - start.len()));
            let answer = world.api.get(&links()).bearer(&text).send().await;
            answer.refuses(401, "invalid_token");
            let answer = world.api.get(&links()).api_key(&text).send().await;
            answer.refuses(401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn paths_are_decoded_once_and_name_what_the_policy_judged() {
    let world = World::new().await;
    let pat = world.pat(&["links.read"]).await;
    let status = async |handle: &str| {
        let path = format!("/v2/public/handles/{handle}/links");
        world.api.get(&path).bearer(&pat.secret).send().await.status
    };
    assert_eq!(status(HANDLE).await, 200);
    assert_eq!(status("%73tudio").await, 200);
    for other in [
        "%2573tudio",
        "STUDIO",
        "studio%20",
        "studio%00",
        "studio%2F",
        "other%2F..%2Fstudio",
        "studio;x",
    ] {
        assert_eq!(status(other).await, 403, "{other}");
    }
    assert_eq!(status("%FF").await, 400);
}

#[tokio::test]
async fn foreign_pages_log_nobody_in_and_read_nothing() {
    let world = World::new().await;
    let login = json!({"email": crate::world::OWNER, "password": crate::world::PASSWORD});
    for path in ["/v2/auth/login", "/api/v1/users/login"] {
        for (name, value) in [
            ("origin", "https://evil.test"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let call = world.api.post(path, &login).header(name, value);
            call.send().await.refuses(403, "forbidden_origin");
        }
        let own = world
            .api
            .post(path, &login)
            .header("origin", crate::world::PUBLIC_URL);
        world
            .server
            .keep_secret(&own.send().await.is(200).string("access_token"));
    }
    let read = world.api.get("/v2/handles").bearer(&world.owner.v2);
    let answer = read.header("origin", "https://evil.test").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

/// Sends bytes and reads what comes back until the server closes, or waits for more.
fn raw(authority: &str, request: &[u8]) -> String {
    let mut connection = TcpStream::connect(authority).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    // The server may refuse, and close, before all of it is written.
    let _ = connection.write_all(request);
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn answers(text: &str) -> Vec<&str> {
    text.match_indices("HTTP/1.1 ")
        .map(|(place, _)| &text[place + 9..place + 12])
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_are_refused_and_harm_nobody() {
    let world = World::new().await;
    let authority = world.server.authority().to_owned();
    let jwt = &world.owner.v2;
    let get = |fields: &str| {
        format!("GET /v2/handles HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n")
    };
    let good = get(&format!("authorization: Bearer {jwt}\r\n"));
    assert_eq!(answers(&raw(&authority, good.as_bytes())), ["200"]);

    let long = format!("x-filler: {}\r\n", "a".repeat(1 << 20));
    let many = "x: y\r\n".repeat(5_000);
    for request in [
        // Lines that go on (RFC 9112 §5.2), and line ends that hide in a value.
        get(&format!("authorization: Bearer\r\n {jwt}\r\n")),
        get(&format!("authorization: Bearer {jwt}\0\r\n")),
        get(&format!("authorization: x\rauthorization: Bearer {jwt}\r\n")),
        // A space before the colon (RFC 9112 §5.1).
        get(&format!("authorization : Bearer {jwt}\r\n")),
        get(&long),
        get(&many),
        "GET /v2/handles\r\n\r\n".to_owned(),
        "GET  /v2/handles HTTP/1.1\r\n\r\n".to_owned(),
        "\0\0\0\0".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        // Two lengths that differ (RFC 9112 §6.3).
        "POST /v2/public/conversions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x".to_owned(),
        "POST /v2/public/conversions HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST /v2/public/conversions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(),
    ] {
        let text = raw(&authority, request.as_bytes());
        let shown: String = request.chars().take(120).collect();
        for status in answers(&text) {
            assert!(matches!(status, "400" | "401" | "414" | "431" | "505"), "{shown:?}: {text}");
        }
        assert!(!text.contains(jwt.as_str()), "{shown:?}: {text}");
    }

    // A length and chunks together must not leave a second request in the connection (RFC 9112 §6.1).
    let smuggled = format!(
        "POST /v2/public/conversions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v2/handles HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {jwt}\r\n\r\n"
    );
    let text = raw(&authority, smuggled.as_bytes());
    assert!(answers(&text).len() <= 1, "{text}");
    assert_eq!(answers(&raw(&authority, good.as_bytes())), ["200"]);
}
