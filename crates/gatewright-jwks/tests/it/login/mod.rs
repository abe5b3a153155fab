//! Login by OpenID Connect, against a provider that is made to break each rule.

mod answers;
mod configuration;
mod provider;
mod tokens;
mod way;

use gatewright_jwks::login::{FinishedLogin, LoginError};

use provider::{NOW, Provider};

/// A login from beginning to end, in one browser.
async fn log_in(provider: &Provider) -> Result<FinishedLogin, LoginError> {
    let login = provider.login();
    let start = login.begin(NOW, None).await?;
    let query = provider.approve(&start.authorization_url);
    login.finish(&query, start.cookie.expose(), NOW + 1).await
}
