//! The exchange of a code for tokens.

use form_urlencoded::{Serializer, byte_serialize};
use gatewright_core::credential::Secret;
use gatewright_core::json;
use gatewright_core::time::Timestamp;
use reqwest::StatusCode;
use serde_json::Value;

use super::error::LoginError;
use super::metadata::{ClientAuthentication, Endpoints};
use crate::http::{Answer, FetchError, HttpClient};

/// The client, as the token endpoint knows it.
pub(super) struct Client {
    pub(super) id: Box<str>,
    pub(super) secret: Secret,
    pub(super) redirect_uri: Box<str>,
}

/// What the provider issued (OpenID Connect Core §3.1.3.3).
pub(super) struct Tokens {
    pub(super) id_token: Secret,
    pub(super) access_token: Secret,
}

impl Client {
    /// Spends the code (RFC 6749 §4.1.3, RFC 7636 §4.5).
    pub(super) async fn exchange(
        &self,
        http: &HttpClient,
        endpoints: &Endpoints,
        code: &Secret,
        verifier: &Secret,
        now: Timestamp,
    ) -> Result<Tokens, LoginError> {
        let (basic, form) = self.request(endpoints, code, verifier)?;
        let basic = basic.as_ref().map(|(name, secret)| (name.as_str(), secret));
        let statuses = [
            StatusCode::OK,
            StatusCode::BAD_REQUEST,
            StatusCode::UNAUTHORIZED,
        ];
        let posted = http.post_form(&endpoints.token, basic, form, now, &statuses);
        let answer = posted.await.map_err(|failure| {
            let (host, error) = (endpoints.token.authority(), failure.error);
            tracing::warn!(host, %error, "a code could not be exchanged");
            LoginError::Unreachable(error)
        })?;
        read(&answer)
    }

    /// The client's name and secret for the header, where they go there, and the form.
    fn request(
        &self,
        endpoints: &Endpoints,
        code: &Secret,
        verifier: &Secret,
    ) -> Result<(Option<(String, Secret)>, String), LoginError> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code.expose())
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_verifier", verifier.expose());
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        // RFC 6749 §2.3.1: both form-encoded before they are joined.
        let basic = match endpoints.authentication.ok_or(LoginError::Authentication)? {
            ClientAuthentication::Basic => Some((
                encoded(&self.id),
                Secret::new(encoded(self.secret.expose())),
            )),
            ClientAuthentication::Post => {
                form.append_pair("client_id", &self.id)
                    .append_pair("client_secret", self.secret.expose());
                None
            }
        };
        Ok((basic, form.finish()))
    }
}

fn read(answer: &Answer) -> Result<Tokens, LoginError> {
    // RFC 6749 §5.2: only for a client that is unknown or not proven.
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(LoginError::Client);
    }
    answer
        .require_json()
        .map_err(|_: FetchError| LoginError::TokenResponse)?;
    let Ok(Value::Object(mut members)) = json::parse(&answer.body) else {
        return Err(LoginError::TokenResponse);
    };
    if answer.status == StatusCode::BAD_REQUEST {
        return Err(match members.get("error").and_then(Value::as_str) {
            Some("invalid_grant") => LoginError::Code,
            Some("invalid_client" | "unauthorized_client") => LoginError::Client,
            _ => LoginError::TokenResponse,
        });
    }
    let mut take = |name: &str| match members.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(Secret::new(text)),
        _ => Err(LoginError::TokenResponse),
    };
    let token_type = take("token_type")?;
    if !token_type.expose().eq_ignore_ascii_case("bearer") {
        return Err(LoginError::TokenResponse);
    }
    Ok(Tokens {
        id_token: take("id_token")?,
        access_token: take("access_token")?,
    })
}
