//! What the quickstarts over HTTP have in common: the same routes, and calls to try that they print.

use reqwest::{Client, Method, Response};

use crate::running::Running;

/// Runs the program, and calls it.
pub(crate) async fn assert_guards(program: &str) {
    let running = Running::start(program, "curl ", 3);
    let calls = running
        .printed
        .iter()
        .filter_map(|line| line.strip_prefix("curl "));
    let [health, links, me] = &calls.map(Call::read).collect::<Vec<_>>()[..] else {
        panic!("three calls to try: {:#?}", running.printed);
    };
    assert!(health.credential.is_none(), "nobody needs one there");

    // As they are printed they pass.
    for (call, body) in [
        (health, "fine\n"),
        (links, "user:usr_1\n"),
        (me, "user:usr_1\n"),
    ] {
        let answer = call.send(Method::GET, call.credential.as_deref()).await;
        assert_eq!(answer.status(), 200, "{}", call.url);
        assert_eq!(answer.text().await.unwrap(), body);
    }

    // Nothing, and nonsense.
    for (call, credential, code, challenge) in [
        (
            links,
            None,
            "missing_bearer_token",
            r#"Bearer realm="links""#,
        ),
        (me, None, "missing_bearer_token", r#"Bearer realm="links""#),
        (
            links,
            Some("Bearer tnx_nonsense"),
            "invalid_token",
            r#"error="invalid_token""#,
        ),
    ] {
        refused(
            call.send(Method::GET, credential).await,
            401,
            code,
            challenge,
        )
        .await;
    }

    // The key may read; and it is no personal access token.
    let key = links.credential.as_deref();
    let scope = r#"scope="links.write""#;
    let answer = links.send(Method::POST, key).await;
    refused(answer, 403, "insufficient_scope", scope).await;
    let answer = me.send(Method::GET, key).await;
    refused(answer, 403, "insufficient_scope", "Bearer").await;
}

async fn refused(answer: Response, status: u16, code: &str, challenge: &str) {
    assert_eq!(answer.status(), status);
    let asked = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(asked.contains(challenge), "{asked}");
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["code"], code);
}

/// A call that a program printed, in the words of curl.
struct Call {
    url: String,
    credential: Option<String>,
}

impl Call {
    fn read(line: &str) -> Self {
        let (credential, url) = match line.strip_prefix("-H 'authorization: ") {
            Some(rest) => {
                let (credential, url) = rest.split_once("' ").unwrap();
                (Some(credential.to_owned()), url)
            }
            None => (None, line),
        };
        Self {
            url: url.to_owned(),
            credential,
        }
    }

    async fn send(&self, method: Method, credential: Option<&str>) -> Response {
        let mut request = Client::new().request(method, &self.url);
        if let Some(credential) = credential {
            request = request.header("authorization", credential);
        }
        request.send().await.unwrap()
    }
}
