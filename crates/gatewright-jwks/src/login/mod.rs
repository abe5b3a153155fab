//! Login by OpenID Connect.

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
