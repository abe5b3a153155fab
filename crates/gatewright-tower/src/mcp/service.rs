//! The service.

use std::error::Error;
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright_core::dialect::RpcId;
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::gate::Guarded;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tower_service::Service;

use super::layer::Rules;
use super::media::{is_json, normalise_accept};
use super::message::{LIST, Message};
use super::{McpBody, McpFuture, ToolPolicies, answer, list};

/// An MCP server behind its rules; made by [`McpLayer`](super::McpLayer).
pub struct McpService<S, P> {
    inner: S,
    rules: Arc<Rules<P>>,
}

impl<S, P> McpService<S, P> {
    pub(super) const fn new(inner: S, rules: Arc<Rules<P>>) -> Self {
        Self { inner, rules }
    }
}

impl<S, P, ReqBody, ResBody> Service<Request<ReqBody>> for McpService<S, P>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send + 'static,
    P: ToolPolicies + 'static,
    ReqBody: Body + Send + 'static,
    ReqBody::Data: Send,
    ReqBody::Error: Into<Box<dyn Error + Send + Sync>>,
    ResBody: Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Send,
{
    type Response = Response<McpBody<ResBody>>;
    type Error = S::Error;
    type Future = McpFuture<ResBody, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let guarded = match Guarded::of(request.extensions().get()) {
            Ok(guarded) => guarded.clone(),
            Err(error) => return McpFuture::new(ready(Ok(answer::unguarded(error)))),
        };
        // The service that was ready is the one called.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let rules = Arc::clone(&self.rules);
        McpFuture::new(async move { serve(inner, &rules, &guarded, request).await })
    }
}

async fn serve<S, P, ReqBody, ResBody>(
    mut inner: S,
    rules: &Rules<P>,
    guarded: &Guarded,
    request: Request<ReqBody>,
) -> Result<Response<McpBody<ResBody>>, S::Error>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>>,
    P: ToolPolicies,
    ReqBody: Body,
    ReqBody::Error: Into<Box<dyn Error + Send + Sync>>,
    ResBody: Body<Data = Bytes>,
{
    let refuse = |error, id: RpcId<'_>| Ok(answer::refusal(error, guarded.policy(), id));
    let (mut parts, body) = request.into_parts();
    if let Err(error) = rules.head(&parts) {
        return refuse(error, RpcId::Null);
    }
    let body = match read(body, rules.max_body_bytes).await {
        Ok(body) => body,
        Err(error) => return refuse(error, RpcId::Null),
    };
    let message = match Message::read(&body) {
        Ok(message) => message,
        Err(error) => return refuse(error, RpcId::Null),
    };
    if let Err(error) = message.agrees_with(&parts.headers) {
        return refuse(error, message.id());
    }
    if let Some(tool) = message.tool() {
        let Some(policy) = rules.tools.policy(tool, guarded) else {
            return Ok(answer::unknown_tool(message.id()));
        };
        if let Err(error) = guarded.judge(&policy) {
            return Ok(answer::refusal(error, &policy, message.id()));
        }
    }
    normalise_accept(&mut parts.headers);
    let hints = message.knows_cache_hints(&parts.headers);
    let request = Request::from_parts(parts, Full::new(body));
    let response = inner.call(request).await?;
    if !message.is(LIST) {
        return Ok(response.map(McpBody::served));
    }
    match list::cut(response, &rules.tools, guarded, hints).await {
        Ok(response) => Ok(response),
        Err(error) => refuse(error, message.id()),
    }
}

impl<P> Rules<P> {
    /// What the head of a request tells.
    fn head(&self, parts: &Parts) -> Result<(), AuthError> {
        self.sites.check(&parts.uri, &parts.headers)?;
        if parts.method != Method::POST {
            // There is no stream to open and no session to end.
            return Err(AuthError::new(ErrorCode::MethodNotAllowed).with_field("allow", "POST"));
        }
        if is_plain_json(&parts.headers) {
            Ok(())
        } else {
            Err(ErrorCode::UnsupportedMediaType.into())
        }
    }
}

/// Whether the body is JSON as it stands: what would have to be decoded first is not what was judged.
fn is_plain_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let json = types.next().is_some_and(is_json);
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    json && types.next().is_none() && codings.all(|coding| coding == "identity")
}

async fn read<B>(body: B, most: usize) -> Result<Bytes, AuthError>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let most_said = u64::try_from(most).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most_said {
        return Err(ErrorCode::PayloadTooLarge.into());
    }
    let body = Limited::new(body, most).collect().await;
    body.map(|body| body.to_bytes()).map_err(|error| {
        if error.is::<LengthLimitError>() {
            ErrorCode::PayloadTooLarge.into()
        } else {
            AuthError::new(ErrorCode::InvalidPayload).with_message("The body could not be read")
        }
    })
}

impl<S: Clone, P> Clone for McpService<S, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            rules: Arc::clone(&self.rules),
        }
    }
}

impl<S: fmt::Debug, P> fmt::Debug for McpService<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpService")
            .field("inner", &self.inner)
            .field("sites", &self.rules.sites)
            .finish_non_exhaustive()
    }
}
