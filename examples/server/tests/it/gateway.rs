//! The gateway as a customer has it: the demonstration's org, and a credential of every kind.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::call::{Api, Call};
use crate::provider::Provider;
use crate::server::Server;

/// A server with an org, two connectors, and what calls them.
pub(crate) struct Gateway {
    // Before the folder: the server is gone when its files are removed.
    pub(crate) server: Server,
    pub(crate) api: Api,
    demo: Value,
    pub(crate) directory: TempDir,
}

impl Gateway {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// One whose operator lets this provider be on loopback.
    pub(crate) fn beside(provider: &Provider) -> Self {
        let host = provider.issuer.trim_start_matches("http://");
        Self::with(&["--allow-idp-host", host])
    }

    fn with(more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("demo.json");
        let mut arguments = vec!["--demo", "--demo-out", file.to_str().unwrap()];
        arguments.extend(["--limits", "off"]);
        arguments.extend(more);
        let mut server = Server::start(&arguments);
        let demo: Value = server
            .wait_for(|_| serde_json::from_slice(&std::fs::read(&file).ok()?).ok())
            .expect("no file");
        let gateway = Self {
            api: Api::new(&server),
            server,
            demo,
            directory,
        };
        for secret in ["password", "org_key", "client_secret"] {
            gateway.server.keep_secret(gateway.demo(secret));
        }
        gateway
    }

    /// A field of what the demonstration wrote.
    pub(crate) fn demo(&self, name: &str) -> &str {
        let field = self.demo[name].as_str();
        field.unwrap_or_else(|| panic!("no {name}: {}", self.demo))
    }

    /// Where the org's tools are.
    pub(crate) fn path(&self) -> String {
        format!("/mcp/{}", self.demo("org"))
    }

    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.server.base, self.path())
    }

    /// A token of the demonstration's client (RFC 6749 §4.4), for whatever it may do.
    pub(crate) async fn token(&self) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            self.demo("client_id"),
            self.demo("client_secret")
        );
        let call = self
            .api
            .call("POST", "/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let token = call.send().await.is(200).string("access_token");
        self.server.keep_secret(&token);
        token
    }

    /// Makes the provider the org's own, as the document says: issuer, JWKS URI and audience.
    pub(crate) async fn trust(&self, provider: &Provider, audience: &str) {
        let body = json!({
            "issuer": provider.issuer,
            "jwksUri": provider.jwks_uri(),
            "audience": audience,
        });
        let admin = self.administrator().await;
        let put = self.api.put("/api/sso", &body).bearer(&admin);
        put.send().await.is(200);
    }

    async fn administrator(&self) -> String {
        let body = json!({
            "email": self.demo("email"),
            "password": self.demo("password"),
            "org": self.demo("org"),
        });
        let login = self.api.post("/api/auth/login", &body);
        login.send().await.is(200).string("access_token")
    }

    /// The document's plain call, without a credential as yet.
    pub(crate) fn list(&self) -> Call {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
        self.api.post(&self.path(), &body)
    }

    /// The tools that the org's key may call.
    pub(crate) async fn tools(&self) -> Vec<Value> {
        let call = self.list().api_key(self.demo("org_key"));
        let listed = call.send().await.is(200).json();
        listed["result"]["tools"].as_array().unwrap().clone()
    }

    /// The name of a tool that needs no arguments.
    pub(crate) async fn simple_tool(&self) -> String {
        let tools = self.tools().await;
        let simple = tools.iter().find(|tool| {
            let required = tool["inputSchema"]["required"].as_array();
            required.is_none_or(Vec::is_empty)
        });
        let simple = simple.unwrap_or_else(|| panic!("none of {tools:?}"));
        simple["name"].as_str().unwrap().to_owned()
    }
}
