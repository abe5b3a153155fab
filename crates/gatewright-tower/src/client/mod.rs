//! The other side of a gate: presents credentials, obtains tokens, sends requests again, reads refusals.
//!
//! - [`AttachLayer`]: a credential that goes to the [`Origin`]s it is bound to and nowhere else;
//! - [`ClientCredentials`], [`Tokens`], [`TokenLayer`]: access tokens by RFC 6749 §4.4, renewed in time;
//! - [`RetryLayer`], [`ReplayBody`]: which requests are sent again, and when;
//! - [`ApiError`]: what a refusing API said.
//!
//! The layers go around any tower service of http requests. The outermost comes first:
//!
//! ```
//! use bytes::Bytes;
//! use gatewright_core::credential::Secret;
//! use gatewright_core::error::ErrorCode;
//! use gatewright_tower::client::{ApiError, AttachLayer, RetryLayer};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{BoxError, ServiceBuilder, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! # let server = service_fn(async |request: Request<Full<Bytes>>| {
//! #     let mut response = Response::new(Full::<Bytes>::default());
//! #     if request.headers().get("x-api-key").is_none_or(|key| key != "tnx_1.secret") {
//! #         *response.status_mut() = http::StatusCode::UNAUTHORIZED;
//! #         *response.body_mut() = Full::from(r#"{"error":{"code":"missing_bearer_token","message":"","statusCode":401}}"#);
//! #     }
//! #     Ok::<_, BoxError>(response)
//! # });
//! let key = Secret::new("tnx_1.secret".to_owned());
//! let api = "https://api.example.com".parse()?;
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new())
//!     .layer(AttachLayer::api_key(api, &key)?)
//!     .service(server);
//!
//! let call = Request::get("https://api.example.com/links").body(Full::default())?;
//! let answer = ApiError::check(client.clone().oneshot(call).await?).await?;
//! assert_eq!(answer.status(), 200);
//!
//! // Another origin doesn't get the key.
//! let elsewhere = Request::get("https://example.net/links").body(Full::default())?;
//! let refusal = ApiError::check(client.oneshot(elsewhere).await?).await.unwrap_err();
//! assert_eq!(refusal.code(), Some(ErrorCode::MissingBearerToken));
//! # Ok(())
//! # }
//! ```
//!
//! # Tokens
//!
//! Put [`TokenLayer`] outside [`RetryLayer`]: then a token that expires between two attempts is renewed, and a refusal by
//! the token endpoint isn't tried five times.
//!
//! # With reqwest
//!
//! A `reqwest::Client` is a tower service, of its own requests; a closure makes it one of http requests. The client must
//! not follow redirects by itself, since it would repeat `X-API-Key` wherever it is sent, and it has no time limit unless
//! it is given one. For an API over plain `http` it must not use a proxy either (`no_proxy()`), since that reads the
//! credential.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use gatewright_core::credential::Secret;
//! use gatewright_tower::client::{ApiError, ClientCredentials, RetryLayer, TokenLayer};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{BoxError, ServiceBuilder, ServiceExt as _, service_fn};
//!
//! # async fn example() -> Result<(), BoxError> {
//! let reqwest = reqwest::Client::builder()
//!     .redirect(reqwest::redirect::Policy::none())
//!     .timeout(Duration::from_secs(30))
//!     .build()?;
//! let http = service_fn(move |request: Request<Full<Bytes>>| {
//!     let reqwest = reqwest.clone();
//!     async move {
//!         let request = request.map(reqwest::Body::wrap).try_into()?;
//!         Ok::<_, reqwest::Error>(Response::from(reqwest.execute(request).await?))
//!     }
//! });
//!
//! let secret = Secret::new(std::env::var("CLIENT_SECRET")?);
//! let tokens = ClientCredentials::new("https://api.example.com/oauth/token", "apx_client_1", &secret)?
//!     .with_scope("mcp:call")
//!     .tokens(http.clone());
//! let client = ServiceBuilder::new()
//!     .layer(TokenLayer::new("https://api.example.com".parse()?, tokens))
//!     .layer(RetryLayer::new().retry_errors_if(|error: &reqwest::Error| !error.is_builder()))
//!     .service(http);
//!
//! let call = Request::get("https://api.example.com/api/orgs").body(Full::default())?;
//! let answer = ApiError::check(client.oneshot(call).await?).await?;
//! # drop(answer);
//! # Ok(())
//! # }
//! ```

mod api_error;
mod attach;
mod body;
mod challenge;
mod credentials;
mod error;
mod granted;
mod jitter;
mod origin;
mod presented;
mod replay;
mod retry;
mod retry_after;
mod token_error;
mod token_layer;
mod tokens;

pub use api_error::ApiError;
pub use attach::{Attach, AttachLayer};
pub use credentials::ClientCredentials;
pub use error::ConfigError;
pub use origin::Origin;
pub use replay::{ReplayBody, SendOnce};
pub use retry::{AnyError, Retry, RetryErrors, RetryFuture, RetryLayer};
pub use token_error::{TokenError, TokenErrorKind};
pub use token_layer::{CallError, TokenLayer, TokenService};
pub use tokens::Tokens;
