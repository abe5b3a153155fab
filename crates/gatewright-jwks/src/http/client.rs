//! The client.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatewright_core::credential::Secret;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, StatusCode};
use tokio::runtime::Handle;

use super::error::{Failure, FetchError, HttpClientError, UrlError};
use super::resolver::{Guarded, NoPublicAddress, Resolver, SystemResolver};
use super::url::RemoteUrl;
use crate::allowed::AllowedHosts;
use crate::freshness;

const MAX_BYTES: usize = 256 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Fetches from hosts that a tenant chose, and lets none of them choose more than that.
///
/// - TLS and public addresses only, unless the operator [allows](AllowedHosts) the host and port. The addresses are
///   judged when they are connected to, so a name that changes its mind gains nothing.
/// - No redirect is followed, no proxy of the environment used, no cookie kept, no content decoded.
/// - An answer has to be complete within [`timeout`](HttpClientBuilder::timeout) and within
///   [`max_bytes`](HttpClientBuilder::max_bytes). None of it gets into an error or a log.
///
/// Clones share one pool of connections. Its work runs on the Tokio runtime that it was built on, whoever waits for it.
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    public: Client,
    /// For the hosts that the operator allows, so that what it connects to is never found in the other's pool.
    exempt: Client,
    allowed: AllowedHosts,
    max_bytes: usize,
    timeout: Duration,
    runtime: Handle,
}

/// Settings of a client that is to be.
#[derive(Clone, Debug)]
pub struct HttpClientBuilder {
    allowed: AllowedHosts,
    resolver: Arc<dyn Resolver>,
    max_bytes: usize,
    timeout: Duration,
    connect_timeout: Duration,
}

impl HttpClient {
    /// A client that allows no host, unless told otherwise.
    #[must_use]
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder {
            allowed: AllowedHosts::none(),
            resolver: Arc::new(SystemResolver),
            max_bytes: MAX_BYTES,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
        }
    }

    /// Judges a URL that somebody wants to configure, without fetching from it.
    ///
    /// # Errors
    ///
    /// A [`UrlError`], by what is wrong with it. Where the host's name leads is seen later, by each fetch.
    pub fn url(&self, text: &str) -> Result<RemoteUrl, UrlError> {
        RemoteUrl::parse(text, &self.inner.allowed)
    }

    /// How long a request may take in all.
    pub(crate) fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    /// Where the work of the client runs.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    /// Fetches a document.
    pub(crate) async fn get(&self, url: &RemoteUrl, now: u64) -> Result<Answer, Failure> {
        let request = self.judged(url)?.get(url.url());
        let accept = "application/json, application/jwk-set+json";
        self.send(
            request.header(ACCEPT, HeaderValue::from_static(accept)),
            now,
            &[StatusCode::OK],
        )
        .await
    }

    /// Posts a form, as a client with a name and a password where they are given, both encoded as RFC 6749 §2.3.1 has it.
    /// Answers of the statuses in `read` are read, and no others.
    pub(crate) async fn post_form(
        &self,
        url: &RemoteUrl,
        client: Option<(&str, &Secret)>,
        form: String,
        now: u64,
        read: &[StatusCode],
    ) -> Result<Answer, Failure> {
        let mut request = self
            .judged(url)?
            .post(url.url())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(
                CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            )
            .body(form);
        if let Some((name, password)) = client {
            request = request.basic_auth(name, Some(password.expose()));
        }
        self.send(request, now, read).await
    }

    /// The client for a URL, which is judged again: nothing is sent on the word of an earlier judgement.
    fn judged(&self, url: &RemoteUrl) -> Result<&Client, FetchError> {
        match url.judge(&self.inner.allowed) {
            Ok(true) => Ok(&self.inner.exempt),
            Ok(false) => Ok(&self.inner.public),
            Err(UrlError::Address) => Err(FetchError::Address),
            Err(error) => Err(FetchError::Url(error)),
        }
    }

    async fn send(
        &self,
        request: RequestBuilder,
        now: u64,
        read: &[StatusCode],
    ) -> Result<Answer, Failure> {
        let mut response = request.send().await.map_err(|error| cause(&error))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(FetchError::Redirect.into());
        }
        if !read.contains(&status) {
            return Err(Failure {
                error: FetchError::Status(status.as_u16()),
                retry_after: freshness::retry_after(response.headers(), now),
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
            if chunk.len() > self.inner.max_bytes.saturating_sub(body.len()) {
                return Err(FetchError::TooLarge.into());
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("allowed", &self.inner.allowed)
            .field("max_bytes", &self.inner.max_bytes)
            .field("timeout", &self.inner.timeout)
            .finish_non_exhaustive()
    }
}

/// An answer of a status that was to be read, 200 where nothing else was said, complete.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// That the media type is `application/json`, said once.
    pub(crate) fn require_json(&self) -> Result<(), FetchError> {
        let mut media_types = self.headers.get_all(CONTENT_TYPE).iter();
        let (Some(media_type), None) = (media_types.next(), media_types.next()) else {
            return Err(FetchError::MediaType);
        };
        let essence = media_type.to_str().unwrap_or_default().split(';').next();
        if !essence.is_some_and(|e| e.trim().eq_ignore_ascii_case("application/json")) {
            return Err(FetchError::MediaType);
        }
        Ok(())
    }
}

/// What went wrong, without the text of the error, which holds the URL.
fn cause(error: &reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::TimedOut;
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.is::<NoPublicAddress>() {
            return FetchError::Address;
        }
        source = inner.source();
    }
    FetchError::Connection
}

impl HttpClientBuilder {
    /// The hosts that the operator exempts from TLS and from the rule of public addresses. None unless said.
    #[must_use]
    pub fn allow(mut self, hosts: AllowedHosts) -> Self {
        self.allowed = hosts;
        self
    }

    /// Who looks up names, instead of the operating system. What it finds is judged all the same.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// How many bytes of a body are read, 256 KiB unless said. A key set of more than that is never taken.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How long a fetch may take, from the look-up of the name to the last byte, 5 seconds unless said. With discovery, it
    /// is the time for all requests of the fetch together.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long of that may go by until there is a connection, 3 seconds unless said.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Builds the client, for the Tokio runtime that it is called on.
    ///
    /// # Errors
    ///
    /// [`HttpClientError::NoRuntime`] outside of a runtime, and [`HttpClientError::Setup`] if TLS can't be set up.
    pub fn build(self) -> Result<HttpClient, HttpClientError> {
        let runtime = Handle::try_current().map_err(|_| HttpClientError::NoRuntime)?;
        let client = |takes_private| {
            let guarded = Guarded {
                resolver: Arc::clone(&self.resolver),
                takes_private,
            };
            self.settings()
                .dns_resolver(guarded)
                .https_only(!takes_private)
                .build()
                .map_err(|error| HttpClientError::Setup(error.into()))
        };
        Ok(HttpClient {
            inner: Arc::new(Inner {
                public: client(false)?,
                exempt: client(true)?,
                allowed: self.allowed,
                max_bytes: self.max_bytes,
                timeout: self.timeout,
                runtime,
            }),
        })
    }

    /// Said in full, since features that another crate asks of the same client would change its defaults.
    fn settings(&self) -> ClientBuilder {
        Client::builder()
            .user_agent(concat!("gatewright/", env!("CARGO_PKG_VERSION")))
            .tls_backend_rustls()
            .http1_only()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .no_hickory_dns()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .referer(false)
            .timeout(self.timeout)
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
    }
}
