//! Asking a provider what a token is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use form_urlencoded::{Serializer, byte_serialize};
use gatewright_core::credential::Secret;
use gatewright_core::federation::{Introspector, Unreachable};
use gatewright_core::store::BoxFuture;
use gatewright_core::time::{Clock, SystemClock};
use reqwest::StatusCode;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::document::read_object;
use crate::http::{Answer, Failure, FetchError, HttpClient, RemoteUrl, UrlError};
use crate::telemetry::{self, IntrospectionOutcome};

/// How many questions are under way at once.
const CONCURRENCY: usize = 64;
const RETRY_SECS: u32 = 5;
const MAX_RETRY: Duration = Duration::from_secs(60);

/// A provider's introspection endpoint (RFC 7662), asked as a client with a secret (`client_secret_basic`).
///
/// An answer counts if its status is 200, its media type `application/json`, and its body an object whose `active` is
/// `true` or `false`, once. Everything else is [`Unreachable`], a refusal of our own client secret included: it says nothing
/// of the token. So are more than 64 questions at once, since a provider that hangs would gather them all.
///
/// Nothing is remembered here: each call is a request. Who waits no longer ends it.
pub struct Introspection {
    inner: Arc<Inner>,
}

struct Inner {
    http: HttpClient,
    endpoint: RemoteUrl,
    /// Both form-encoded, as RFC 6749 §2.3.1 has it.
    client_id: String,
    client_secret: Secret,
    slots: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
struct Activity {
    active: bool,
}

impl Introspection {
    /// Asks `endpoint` as this client.
    ///
    /// # Errors
    ///
    /// A [`UrlError`], by what is wrong with the endpoint.
    pub fn new(
        http: &HttpClient,
        endpoint: &str,
        client_id: &str,
        client_secret: &Secret,
    ) -> Result<Self, UrlError> {
        let encoded = byte_serialize(client_secret.expose().as_bytes()).collect();
        Ok(Self {
            inner: Arc::new(Inner {
                http: http.clone(),
                endpoint: http.url(endpoint)?,
                client_id: byte_serialize(client_id.as_bytes()).collect(),
                client_secret: Secret::new(encoded),
                slots: Arc::new(Semaphore::new(CONCURRENCY)),
                clock: Arc::new(SystemClock::new()),
            }),
        })
    }
}

impl Introspector for Introspection {
    fn introspect(
        &self,
        token: &Secret,
    ) -> BoxFuture<'static, Result<Option<String>, Unreachable>> {
        let inner = Arc::clone(&self.inner);
        let form = Serializer::new(String::new())
            .append_pair("token", token.expose())
            .append_pair("token_type_hint", "access_token")
            .finish();
        Box::pin(async move {
            let Ok(slot) = Arc::clone(&inner.slots).try_acquire_owned() else {
                telemetry::introspected(IntrospectionOutcome::Busy);
                return Err(Unreachable::new(1));
            };
            // The pool's connections live on the client's runtime, not on whichever the caller has.
            let runtime = inner.http.runtime().clone();
            let mut asking = Asking(runtime.spawn(async move {
                let answer = inner.ask(form).await;
                drop(slot);
                answer
            }));
            let stopped = Unreachable::new(RETRY_SECS);
            (&mut asking.0).await.unwrap_or(Err(stopped))
        })
    }
}

/// Ends the question with whoever waits for the answer.
struct Asking(JoinHandle<Result<Option<String>, Unreachable>>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inner {
    async fn ask(&self, form: String) -> Result<Option<String>, Unreachable> {
        let (url, name, secret) = (&self.endpoint, &self.client_id, &self.client_secret);
        let posted = self.http.post_form(
            url,
            Some((name, secret)),
            form,
            self.clock.now(),
            &[StatusCode::OK],
        );
        let read = match posted.await {
            Ok(answer) => read(answer).map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        match read {
            Ok(text) => {
                telemetry::introspected(match text {
                    Some(_) => IntrospectionOutcome::Active,
                    None => IntrospectionOutcome::Inactive,
                });
                Ok(text)
            }
            Err(failure) => {
                telemetry::introspected(IntrospectionOutcome::Failed(failure.error));
                tracing::warn!(host = url.authority(), error = %failure.error, "introspection failed");
                let asked = failure
                    .retry_after
                    .map(|after| after.min(MAX_RETRY).as_secs());
                let secs = asked.and_then(|secs| u32::try_from(secs).ok());
                Err(Unreachable::new(secs.unwrap_or(RETRY_SECS).max(1)))
            }
        }
    }
}

/// The text of an answer for an active token.
fn read(answer: Answer) -> Result<Option<String>, FetchError> {
    answer.require_json()?;
    let activity: Activity = read_object(&answer.body).ok_or(FetchError::Malformed)?;
    let text = String::from_utf8(answer.body).map_err(|_| FetchError::Malformed)?;
    Ok(activity.active.then_some(text))
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("endpoint", &self.inner.endpoint)
            .finish_non_exhaustive()
    }
}
