//! Login by OpenID Connect, at Google or any other provider.
//!
//! - [`OidcLogin`] begins and finishes logins, for an [`OidcClient`] that is registered at the provider.
//! - [`LoginClaims`] is who somebody is, and [`LocalPath`] where they were going.
//! - [`LoginError`] and [`OidcLoginError`] say what is wrong, and never what was presented.
//!
//! Which account is theirs is for the service to say; `gatewright_issuer::LoginLinks` does it for accounts in a store.
//!
//! ```
//! use gatewright_core::credential::Secret;
//! use gatewright_core::error::ErrorCode;
//! use gatewright_jwks::HttpClient;
//! use gatewright_jwks::login::{LocalPath, LoginError, OidcClient, OidcLogin};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # const ISSUER: &str = "https://idp.invalid";
//! # let (client_secret, key) = ("from the provider".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
//! # let now = 1_700_000_000;
//! let http = HttpClient::builder().build()?;
//! let client = OidcClient::new("app", Secret::new(client_secret), "https://app.example/login/callback");
//! // For Google, the issuer is `https://accounts.google.com`.
//! let login = OidcLogin::builder(&http, ISSUER, client, Secret::new(key)).build()?;
//!
//! // GET /login: send the browser to the provider, with a cookie.
//! match login.begin(now, LocalPath::parse("/settings")).await {
//!     Ok(start) => println!("Location: {}", start.authorization_url),
//!     // A provider that is out of reach has refused nobody.
//!     Err(error) => assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable),
//! }
//!
//! // GET /login/callback: a browser that has begun nothing here is refused before anybody is asked.
//! let refused = login.finish("code=stolen&state=guessed", "", now).await;
//! assert_eq!(refused, Err(LoginError::Cookie));
//! # Ok(())
//! # }
//! ```

mod attempt;
mod builder;
mod callback;
mod error;
mod flow;
mod id_token;
mod local_path;
mod metadata;
mod token;

pub use builder::{OidcClient, OidcLoginBuilder, OidcLoginError};
pub use error::{LoginError, ProviderAnswer};
pub use flow::{FinishedLogin, LoginStart, OidcLogin};
pub use id_token::LoginClaims;
pub use local_path::LocalPath;
