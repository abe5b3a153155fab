//! A server with somebody on it.

use std::sync::{Arc, Mutex};

use gatewright_core::credential::Formats;
use serde_json::{Value, json};

use crate::call::{Answer, Api};
use crate::server::{Home, Server};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "tidal-copper-violin-42";
pub(crate) const OWNER: &str = "owner@acme.test";
/// The handle of every world, on the plan that handles begin on.
pub(crate) const HANDLE: &str = "studio";

/// Where the server says that it is reached: tokens name it, and stay good when it is started on another port.
pub(crate) const PUBLIC_URL: &str = "https://api.gatewright.test";

/// A server, and its owner, who has a workspace and a handle.
pub(crate) struct World {
    // Before the home: the server is gone when its files are removed.
    pub(crate) server: Server,
    pub(crate) api: Api,
    pub(crate) owner: Session,
    pub(crate) home: Home,
}

/// Somebody who logged in, once for each family of routes.
#[derive(Clone)]
pub(crate) struct Session {
    /// For the workspace API.
    pub(crate) v1: String,
    /// For the handle API.
    pub(crate) v2: String,
}

/// A credential: its public id and all of it.
#[derive(Clone, Debug)]
pub(crate) struct Minted {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl World {
    /// Without rate limits.
    pub(crate) async fn new() -> Self {
        Self::with(&["--limits", "off"]).await
    }

    pub(crate) async fn with(arguments: &[&str]) -> Self {
        Self::logging("info", arguments).await
    }

    pub(crate) async fn logging(level: &str, arguments: &[&str]) -> Self {
        let home = Home::new();
        home.user(OWNER, "acme", PASSWORD);
        let mut all = vec!["--public-url", PUBLIC_URL];
        all.extend(arguments);
        let server = home.serve_logging(level, &all);
        let api = Api::new(&server);
        let owner = log_in(&api, &server.secrets(), OWNER).await;
        let world = Self {
            server,
            api,
            owner,
            home,
        };
        world.create_handle(&world.owner, HANDLE).await;
        world
    }

    /// Another person, with a workspace of their own.
    pub(crate) async fn person(&self, name: &str) -> Session {
        let email = format!("{name}@people.test");
        self.home.user(&email, name, PASSWORD);
        self.log_in(&email).await
    }

    pub(crate) async fn log_in(&self, email: &str) -> Session {
        log_in(&self.api, &self.server.secrets(), email).await
    }

    pub(crate) async fn create_handle(&self, who: &Session, handle: &str) {
        let body = json!({"handle": handle});
        let call = self.api.post("/v2/handles", &body).bearer(&who.v2);
        call.send().await.is(201);
    }

    /// A personal access token of the owner's handle.
    pub(crate) async fn pat(&self, scopes: &[&str]) -> Minted {
        self.pat_of(&self.owner, HANDLE, scopes).await
    }

    pub(crate) async fn pat_of(&self, who: &Session, handle: &str, scopes: &[&str]) -> Minted {
        let path = format!("/v2/handles/{handle}/tokens");
        let body = json!({"name": "test", "scopes": scopes, "expiresInDays": 30});
        let answer = self.api.post(&path, &body).bearer(&who.v2).send().await;
        let answer = answer.is(201);
        self.keep(answer.string("tokenId"), answer.string("token"))
    }

    /// An API key of the owner's workspace, which may do all that the owner may.
    pub(crate) async fn key(&self) -> Minted {
        self.key_of(&self.owner, &json!({"name": "test"})).await
    }

    pub(crate) async fn key_of(&self, who: &Session, body: &Value) -> Minted {
        let call = self
            .api
            .post("/api/v1/users/api-keys", body)
            .bearer(&who.v1);
        self.minted_key(&call.send().await.is(201))
    }

    pub(crate) fn minted_key(&self, answer: &Answer) -> Minted {
        self.keep(answer.string("prefix"), answer.string("secret"))
    }

    fn keep(&self, id: String, secret: String) -> Minted {
        self.server.keep_secret(&secret);
        Minted { id, secret }
    }

    pub(crate) async fn links(&self, pat: &str) -> Answer {
        let path = format!("/v2/public/handles/{HANDLE}/links");
        self.api.get(&path).bearer(pat).send().await
    }

    /// How often argon2 has checked a key or a personal access token since the server started.
    pub(crate) async fn proofs(&self) -> u64 {
        let labels = [("pool", "credentials"), ("outcome", "verified")];
        self.sample("gatewright_argon2_jobs_total", &labels).await
    }

    /// The metric of this name with these labels among others.
    pub(crate) async fn sample(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let text = self.api.get("/metrics").send().await.is(200).text();
        let sample = text.lines().find_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, rest) = series.split_once('{')?;
            let wanted = found == name
                && labels
                    .iter()
                    .all(|(label, value)| rest.contains(&format!("{label}=\"{value}\"")));
            wanted.then(|| value.parse().unwrap())
        });
        sample.unwrap_or_else(|| panic!("no such metric among:\n{text}"))
    }

    /// Stops the server, lets `change` at its database, and starts it again.
    pub(crate) async fn changed(self, change: &str) -> Self {
        let Self {
            server,
            owner,
            home,
            ..
        } = self;
        let secrets = server.secrets();
        server.stop();
        home.change(change).await;
        let server = home.serve_with(&["--limits", "off", "--public-url", PUBLIC_URL]);
        let known = std::mem::take(&mut *secrets.lock().unwrap());
        server.secrets().lock().unwrap().extend(known);
        Self {
            api: Api::new(&server),
            server,
            owner,
            home,
        }
    }

    /// Starts the server anew: it remembers nothing but what it wrote down.
    pub(crate) async fn restarted(self) -> Self {
        self.changed("SELECT 1").await
    }
}

async fn log_in(api: &Api, secrets: &Arc<Mutex<Vec<String>>>, email: &str) -> Session {
    let body = json!({"email": email, "password": PASSWORD});
    let mut tokens = Vec::new();
    for path in ["/api/v1/users/login", "/v2/auth/login"] {
        let answer = api.post(path, &body).send().await.is(200);
        tokens.push(answer.string("access_token"));
    }
    let mut secrets = secrets.lock().unwrap();
    secrets.push(PASSWORD.to_owned());
    secrets.extend(tokens.iter().cloned());
    let v2 = tokens.pop().unwrap();
    let v1 = tokens.pop().unwrap();
    Session { v1, v2 }
}

/// Another secret for a credential's id, as a thief would guess one: everything about it is right but the secret.
pub(crate) fn wrong_secret_for(brand: &str, id: &str) -> String {
    let formats = Formats::standard();
    let minted = formats.format(brand).unwrap().mint_secret_for(id).unwrap();
    minted.secret.expose().to_owned()
}
