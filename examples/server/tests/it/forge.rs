//! Access tokens that the server would have signed at another time, made with its own keys.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_core::jwt::Algorithm;
use gatewright_core::principal::{SessionId, UserId};
use gatewright_issuer::{AccessTokens, Grant, KeyLifetimes, SealingKey, SigningKeys};
use gatewright_sqlx::SqliteStore;

use crate::server::Home;
use crate::world::PUBLIC_URL;

/// A token of this user for this audience, which lives for so many seconds.
pub(crate) async fn token(home: &Home, user: &str, audience: &str, lifetime: u64) -> String {
    let file = format!("{}.sealing-key", home.database_file().display());
    let sealing = STANDARD
        .decode(std::fs::read_to_string(file).unwrap().trim())
        .unwrap();
    let store = Arc::new(SqliteStore::open(&home.database()).await.unwrap());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let keys = SigningKeys::open(
        store.clone(),
        SealingKey::new(&sealing).unwrap(),
        Algorithm::Rs256,
        KeyLifetimes::new(0, lifetime),
        now,
    );
    let keys = Arc::new(keys.await.unwrap());
    store.close().await;
    let tokens = AccessTokens::new(PUBLIC_URL, keys, lifetime);
    let user = UserId::new(user).unwrap();
    let session = SessionId::new("a-session-of-its-own").unwrap();
    let grant = Grant::user(&user, "handle-api", audience, 0, session);
    tokens
        .issue(&grant, now)
        .unwrap()
        .access_token
        .expose()
        .to_owned()
}
