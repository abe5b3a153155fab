//! Presents access tokens.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::challenge::BearerChallenge;
use super::presented::wants;
use super::replay::replay;
use super::{Origin, ReplayBody, TokenError, Tokens};

/// Presents the access tokens of a client to the origins that they are bound to, and to nobody else.
///
/// To which requests a token is added, and what must not be below this layer, is as with
/// [`AttachLayer`](super::AttachLayer).
///
/// Where the API answers 401 with `invalid_token` in its challenge (RFC 6750 §3.1), the token is given up, and the request
/// is sent once more with a fresh one if its body can be replayed. At most one token in ten seconds is given up so.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct TokenLayer {
    tokens: Tokens,
    origins: Arc<[Origin]>,
}

impl TokenLayer {
    /// Sends `Authorization: Bearer …` with a token of `tokens` to `origin`.
    pub fn new(origin: Origin, tokens: Tokens) -> Self {
        Self {
            tokens,
            origins: Arc::new([origin]),
        }
    }

    /// Sends the tokens to this origin, too.
    pub fn and_to(mut self, origin: Origin) -> Self {
        self.origins = self.origins.iter().cloned().chain([origin]).collect();
        self
    }
}

impl<S> Layer<S> for TokenLayer {
    type Service = TokenService<S>;

    fn layer(&self, inner: S) -> TokenService<S> {
        TokenService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service whose requests present access tokens; made by [`TokenLayer`].
#[derive(Clone, Debug)]
pub struct TokenService<S> {
    inner: S,
    layer: TokenLayer,
}

/// A call behind a [`TokenLayer`] failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// No token could be obtained, and the request was not sent.
    #[error("no access token")]
    Token(#[source] TokenError),
    /// The service failed.
    #[error(transparent)]
    Service(E),
}

impl<E: Into<Box<dyn Error + Send + Sync>>> CallError<E> {
    /// The error inside, boxed: a [`TokenError`] or the service's own. For services whose error is boxed already, which
    /// `?` doesn't convert.
    pub fn boxed(self) -> Box<dyn Error + Send + Sync> {
        match self {
            Self::Token(error) => error.into(),
            Self::Service(error) => error.into(),
        }
    }
}

impl<S, B, ResBody> Service<Request<B>> for TokenService<S>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: ReplayBody + Send + 'static,
    ResBody: Send + 'static,
{
    type Response = Response<ResBody>;
    type Error = CallError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(CallError::Service)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was made ready is called, and its clone left behind.
        let clone = self.inner.clone();
        let mut service = std::mem::replace(&mut self.inner, clone);
        if wants(&request, &self.layer.origins) {
            let tokens = self.layer.tokens.clone();
            return Box::pin(present(service, tokens, request));
        }
        let future = service.call(request);
        Box::pin(async { future.await.map_err(CallError::Service) })
    }
}

async fn present<S, B, ResBody>(
    mut service: S,
    tokens: Tokens,
    mut request: Request<B>,
) -> Result<Response<ResBody>, CallError<S::Error>>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    B: ReplayBody,
{
    let token = tokens.current().await.map_err(CallError::Token)?;
    let again = replay(&request);
    token.presented.put(request.headers_mut());
    let call = service.call(request);
    let response = call.await.map_err(CallError::Service)?;
    if !refuses_token(&response) {
        return Ok(response);
    }

    tokens.reject(&token);
    let Some(mut again) = again else {
        return Ok(response);
    };
    // Without another token the API's own answer says most.
    let Ok(fresh) = tokens.current().await else {
        return Ok(response);
    };
    if Arc::ptr_eq(&fresh, &token) {
        return Ok(response);
    }
    drop(response);
    fresh.presented.put(again.headers_mut());
    poll_fn(|context| service.poll_ready(context))
        .await
        .map_err(CallError::Service)?;
    let call = service.call(again);
    call.await.map_err(CallError::Service)
}

fn refuses_token<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED
        && matches!(
            BearerChallenge::read(response.headers()).error.as_deref(),
            Some("invalid_token" | "token_expired")
        )
}
