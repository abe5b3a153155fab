//! Requests over HTTP, and what is true of every answer.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method};
use serde_json::Value;

use crate::server::Server;

/// A client of one server. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    base: String,
}

impl Api {
    pub(crate) fn new(server: &Server) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            client,
            base: server.base.clone(),
        }
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call {
            api: self.clone(),
            method: method.parse().unwrap(),
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: None,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Call {
        self.call("POST", path).json(body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Call {
        self.call("PUT", path).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call("DELETE", path)
    }
}

/// A request to be sent.
#[derive(Clone)]
pub(crate) struct Call {
    api: Api,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl Call {
    /// Adds a line of a field; the same field may be added twice.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers
            .append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn api_key(self, token: &str) -> Self {
        self.header("x-api-key", token)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends it, and checks what must be true of every answer.
    pub(crate) async fn send(&self) -> Answer {
        let answer = self.try_send().await.unwrap();
        self.check(&answer);
        answer
    }

    /// As [`send`](Self::send); an error where the connection broke.
    pub(crate) async fn try_send(&self) -> Result<Answer, reqwest::Error> {
        let url = format!("{}{}", self.api.base, self.path);
        let mut request = self
            .api
            .client
            .request(self.method.clone(), url)
            .headers(self.headers.clone());
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        let response = request.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?.to_vec(),
        })
    }

    fn check(&self, answer: &Answer) {
        let what = format!("{} {}: {answer:?}", self.method, self.path);
        let authenticates = self.headers.contains_key("authorization")
            || self.headers.contains_key("x-api-key")
            || self.path.ends_with("/login");
        assert_ne!(answer.status, 500, "{what}");
        if authenticates && !matches!(self.path.as_str(), "/healthz" | "/readyz" | "/metrics") {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        }
        if answer.status < 400 || self.path == "/readyz" {
            return;
        }
        let head = self.method == Method::HEAD;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        assert_eq!(
            answer.header("www-authenticate").is_some(),
            answer.status == 401
                || answer.header("www-authenticate").is_some_and(|challenge| {
                    challenge.contains("insufficient_scope")
                        || challenge.contains("invalid_request")
                }),
            "{what}"
        );
        let waits = matches!(answer.status, 429 | 503);
        assert_eq!(answer.header("retry-after").is_some(), waits, "{what}");
        if waits {
            let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!(seconds > 0, "{what}");
        }
        if head {
            assert!(answer.body.is_empty(), "{what}");
            return;
        }
        let body = answer.json();
        let expected = match answer.header("content-type").unwrap_or_default() {
            "application/problem+json" => serde_json::json!({
                "type": "about:blank", "title": body["title"], "status": answer.status,
                "detail": body["detail"], "code": body["code"],
            }),
            "application/json" if self.path.starts_with("/api/v1") => serde_json::json!({
                "detail": body["detail"], "code": body["code"],
            }),
            "application/json" if self.path.starts_with("/mcp") => serde_json::json!({
                "jsonrpc": "2.0", "id": body["id"],
                "error": {
                    "code": body["error"]["code"], "message": body["error"]["message"],
                    "data": {"code": body["error"]["data"]["code"]},
                },
            }),
            "application/json" => serde_json::json!({"error": {
                "code": body["error"]["code"], "message": body["error"]["message"],
                "statusCode": answer.status,
            }}),
            _ => panic!("{what}"),
        };
        assert_eq!(body, expected, "{what}");
        assert!(
            !answer.code().is_empty() && !answer.message().is_empty(),
            "{what}"
        );
    }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, self.text())
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().unwrap();
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        Some(value)
    }

    /// The code of a refusal, in whatever dialect.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        let code = match &body["error"] {
            // JSON-RPC has numbers of its own.
            Value::Object(error) if error["code"].is_number() => error["data"]["code"].clone(),
            Value::Object(error) => error["code"].clone(),
            _ => body["code"].clone(),
        };
        code.as_str().unwrap_or_default().to_owned()
    }

    /// The sentence of a refusal, in whatever dialect.
    pub(crate) fn message(&self) -> String {
        let body = self.json();
        let message = match &body["error"] {
            Value::Object(error) => error["message"].clone(),
            _ => body["detail"].clone(),
        };
        message.as_str().unwrap_or_default().to_owned()
    }

    /// Asserts the status, and answers itself.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Asserts a refusal of this status and code.
    #[track_caller]
    pub(crate) fn refuses(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.code().as_str()),
            (status, code),
            "{self:?}"
        );
        self
    }

    /// A member of the body that is a string.
    #[track_caller]
    pub(crate) fn string(&self, member: &str) -> String {
        match &self.json()[member] {
            Value::String(text) => text.clone(),
            _ => panic!("no string {member}: {self:?}"),
        }
    }
}
