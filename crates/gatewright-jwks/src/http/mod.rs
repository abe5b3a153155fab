//! Requests to hosts that a tenant chose.

mod client;
mod error;
mod resolver;
mod url;

pub(crate) use client::Answer;
pub use client::{HttpClient, HttpClientBuilder};
pub(crate) use error::Failure;
pub use error::{FetchError, HttpClientError, UrlError};
pub use resolver::{Resolver, SystemResolver};
pub use url::RemoteUrl;
