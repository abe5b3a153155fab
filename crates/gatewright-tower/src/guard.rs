//! One gate with one policy, in front of a service: the steps that every adapter of http 1.x shares.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use gatewright_core::cors::Crossing;
use gatewright_core::dialect::wants_problem;
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::gate::{Admission, Admitted, AnswerFields, Arrival, Gate, Guarded};
use gatewright_core::policy::{CompiledPolicy, LivePolicy};
use http::header::{ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{Extensions, Method, Request, Response, StatusCode};
use tower_service::Service;

use crate::HeaderFields;
use crate::gate::GateFuture;
use crate::render::{self, HandlerRefusal, HttpRefusal, RenderRefusal};

/// A gate and the policy that it judges by. Cheap to clone.
///
/// [`GateLayer`](crate::GateLayer) puts it around a service; adapters for frameworks call it directly.
pub struct Guard<R = HttpRefusal>(Arc<Inner<R>>);

struct Inner<R> {
    gate: Gate,
    policy: LivePolicy,
    refusals: R,
}

impl Guard {
    /// A guard whose refusals are rendered in the dialect of the policy's realm.
    ///
    /// `policy` must have been compiled by `gate`; otherwise every request is refused as `internal_error`. A [`LivePolicy`]
    /// may be replaced while requests run.
    #[must_use]
    pub fn new(gate: Gate, policy: impl Into<LivePolicy>) -> Self {
        Self::rendering(gate, policy, HttpRefusal)
    }
}

impl<R: Clone> Guard<R> {
    /// A guard whose refusals `refusals` renders. Every response has a clone of it until it is answered.
    #[must_use]
    pub fn rendering(gate: Gate, policy: impl Into<LivePolicy>, refusals: R) -> Self {
        Self(Arc::new(Inner {
            gate,
            policy: policy.into(),
            refusals,
        }))
    }

    /// The policy that a request which arrives now is judged by, from beginning to end.
    #[must_use]
    pub fn policy(&self) -> Arc<CompiledPolicy> {
        self.0.policy.current()
    }

    /// Judges a request by its head; [`Judged::proceed`] goes on with it.
    ///
    /// `policy` is this guard's [`policy`](Self::policy), as it stood when the request arrived. `tenant` is the decoded value of
    /// the path parameter that it names (one of the query is read here), or why there is none, which refuses all but a
    /// preflight. `source` reads the address that the request came from, as far as it is known and trusted: not for a caller whom
    /// memory knows, unless a limit goes by it.
    #[inline]
    pub fn judge(
        &self,
        head: &Parts,
        policy: Arc<CompiledPolicy>,
        tenant: Result<Option<&str>, AuthError>,
        source: impl Fn() -> Option<IpAddr> + Sync,
    ) -> Judged<R> {
        let query = head.uri.query();
        let (policy, named) = match policy.of_query(query) {
            Ok(None) => (policy, Ok(None)),
            Ok(Some(tenant)) => (tenant.policy, Ok(Some(tenant.name))),
            Err(error) => (policy, Err(error)),
        };
        let after = After::new(self.0.refusals.clone(), policy, head);
        if after.crossing.is_some_and(Crossing::is_preflight) {
            return Judged {
                after,
                admission: None,
            };
        }
        let admission = match (named, tenant) {
            (Ok(named), Ok(tenant)) => {
                let arrival = Arrival::new()
                    .tenant(named.as_deref().or(tenant))
                    .source_from(&source)
                    .query(query)
                    .safe_method(head.method.is_safe());
                let fields = HeaderFields::new(&head.headers);
                self.0.gate.authenticate(&fields, &after.policy, &arrival)
            }
            (Err(error), _) | (_, Err(error)) => Admission::Ready(Err(error)),
        };
        Judged {
            after,
            admission: Some(admission),
        }
    }
}

impl<R> Clone for Guard<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> fmt::Debug for Guard<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}

/// A request's admission, to go on with.
#[must_use = "a request that was judged waits for its answer"]
pub struct Judged<R = HttpRefusal> {
    after: After<R>,
    /// `None` is for a preflight.
    admission: Option<Admission>,
}

impl<R> Judged<R> {
    /// Calls `service` if the request is admitted, and answers the refusal otherwise. A preflight is answered where the realm
    /// says which pages of other origins may call.
    ///
    /// `head` is the one that was judged: nothing of it is looked at again, and another would be admitted in its place.
    /// `service` must be ready. It is replaced by its clone only where the decision has to be waited for, so that the
    /// service that was ready is the one called.
    #[inline]
    pub fn proceed<S, B>(self, service: &mut S, mut head: Parts, body: B) -> GateFuture<S, B, R>
    where
        S: Service<Request<B>> + Clone,
    {
        let Self {
            mut after,
            admission,
        } = self;
        match admission {
            Some(Admission::Ready(Ok(admitted))) => {
                after.admit(&mut head.extensions, admitted);
                GateFuture::serving(service.call(Request::from_parts(head, body)), after)
            }
            Some(Admission::Ready(Err(error))) => GateFuture::refused(error, after),
            Some(Admission::Pending(pending)) => {
                let clone = service.clone();
                let ready = std::mem::replace(service, clone);
                GateFuture::waiting(pending, ready, Request::from_parts(head, body), after)
            }
            None => GateFuture::preflight(after),
            // An answer that isn't known here admits nobody.
            _ => GateFuture::refused(ErrorCode::InternalError.into(), after),
        }
    }
}

impl<R> fmt::Debug for Judged<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judged")
            .field("after", &self.after)
            .field("admission", &self.admission)
            .finish()
    }
}

/// What is done to a response on its way out.
pub(crate) struct After<R> {
    /// Its own and not the guard, so that a warm call doesn't write the count of references to that one.
    refusals: R,
    policy: Arc<CompiledPolicy>,
    problem: bool,
    head: bool,
    crossing: Option<Crossing>,
    fields: AnswerFields,
}

impl<R> After<R> {
    fn new(refusals: R, policy: Arc<CompiledPolicy>, head: &Parts) -> Self {
        let Parts {
            method, headers, ..
        } = head;
        let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let crossing = policy.realm().cors().map(|cors| {
            let asks = headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
            cors.cross(method.as_str(), values(ORIGIN), asks)
        });
        Self {
            refusals,
            problem: wants_problem(values(ACCEPT)),
            head: *method == Method::HEAD,
            policy,
            crossing,
            fields: AnswerFields::default(),
        }
    }

    /// Marks an admitted request, and notes what its response will need.
    #[inline]
    pub(crate) fn admit(&mut self, extensions: &mut Extensions, admitted: Admitted) {
        self.fields = admitted.answer_fields(&self.policy);
        extensions.insert(Guarded::new(Arc::clone(&self.policy), admitted));
    }

    /// The refusal, with its error left in the extensions for the service's own logs.
    pub(crate) fn refusal<B>(&self, error: AuthError) -> Response<B>
    where
        R: RenderRefusal<B>,
    {
        let mut response = self.render(error);
        self.put_cors(&mut response);
        response
    }

    /// Finishes what the service answered.
    #[inline]
    pub(crate) fn finish<B>(&self, response: &mut Response<B>)
    where
        R: RenderRefusal<B>,
    {
        match HandlerRefusal::take(response) {
            Some(error) => render::replace(response, self.render(error)),
            None => render::put_set_cookie(response, &self.fields),
        }
        render::put_answer_fields(response, &self.fields);
        self.put_cors(response);
    }

    /// The answer to a preflight (Fetch, "CORS-preflight fetch").
    pub(crate) fn preflight<B>(&self) -> Response<B>
    where
        R: RenderRefusal<B>,
    {
        let mut response = self.refusals.empty();
        *response.status_mut() = StatusCode::NO_CONTENT;
        self.put_cors(&mut response);
        response
    }

    fn render<B>(&self, error: AuthError) -> Response<B>
    where
        R: RenderRefusal<B>,
    {
        let mut response = self.refusals.render(&error, &self.policy, self.problem);
        if self.head {
            // RFC 9110 §9.3.2. Over HTTP/2 hyper would send the body, which breaks the stream.
            *response.body_mut() = self.refusals.empty().into_body();
        }
        response.extensions_mut().insert(error);
        response
    }

    fn put_cors<B>(&self, response: &mut Response<B>) {
        if let (Some(cors), Some(crossing)) = (self.policy.realm().cors(), self.crossing) {
            render::put_copies(response, cors.fields(crossing));
        }
    }
}

impl<R> fmt::Debug for After<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("After")
            .field("policy", &self.policy)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gatewright_core::credential::Field;
    use gatewright_core::policy::{Policy, Realm};
    use gatewright_core::principal::TenantKind;
    use gatewright_testing::TestAuthority;
    use http::header::SET_COOKIE;

    use super::*;
    use crate::render::HttpRefusal;

    /// What the guard does to answers for a caller to whom the gate gives a cookie.
    async fn with_cookie(line: Option<&str>) -> After<HttpRefusal> {
        let authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
        let gate = authority.gate();
        let policy = gate
            .compile(&Policy::public(), &Realm::builder("api").build())
            .unwrap();
        let nothing: &[(Field, &[u8])] = &[];
        let admission = gate.authenticate(nothing, &policy, &Arrival::new());
        let mut admitted = admission.decided().await.unwrap();
        admitted.set_cookie = line.map(Into::into);
        let (mut head, ()) = Request::new(()).into_parts();
        let mut after = After::new(HttpRefusal::default(), policy, &head);
        after.admit(&mut head.extensions, admitted);
        after
    }

    fn finished(after: &After<HttpRefusal>, mut response: Response<Bytes>) -> Response<Bytes> {
        after.finish(&mut response);
        response
    }

    fn cookies(response: &Response<Bytes>) -> Vec<&[u8]> {
        let lines = response.headers().get_all(SET_COOKIE).iter();
        lines.map(HeaderValue::as_bytes).collect()
    }

    #[tokio::test]
    async fn a_cookie_is_added_to_those_of_the_service() {
        let after = with_cookie(Some("__Host-visitor=topsecret; Secure")).await;
        let mut answered = Response::new(Bytes::new());
        let own = HeaderValue::from_static("theme=dark");
        answered.headers_mut().insert(SET_COOKIE, own);
        let response = finished(&after, answered);
        let expected: [&[u8]; 2] = [b"theme=dark", b"__Host-visitor=topsecret; Secure"];
        assert_eq!(cookies(&response), expected);
        assert!(!format!("{:?} {after:?}", response.headers()).contains("topsecret"));
    }

    #[tokio::test]
    async fn a_cookie_that_the_service_sets_by_itself_is_the_only_one_of_its_name() {
        let after = with_cookie(Some("__Host-visitor=old; Secure")).await;
        let mut answered = Response::new(Bytes::new());
        for own in ["theme=dark", "__Host-visitor=new; Secure"] {
            let own = HeaderValue::from_static(own);
            answered.headers_mut().append(SET_COOKIE, own);
        }
        let expected: [&[u8]; 2] = [b"theme=dark", b"__Host-visitor=new; Secure"];
        assert_eq!(cookies(&finished(&after, answered)), expected);
    }

    /// RFC 9111 §7.3, RFC 9213 §2.2: a cache would hand the cookie to others.
    #[tokio::test]
    async fn no_cache_keeps_an_answer_with_the_gates_cookie() {
        for (line, expected) in [
            (Some("__Host-visitor=v"), (Some("no-store"), None)),
            (None, (Some("public, max-age=60"), Some("max-age=600"))),
            (
                Some("theme=v"),
                (Some("public, max-age=60"), Some("max-age=600")),
            ),
        ] {
            let mut answered = Response::new(Bytes::new());
            for (name, value) in [
                ("cache-control", "public"),
                ("cache-control", "max-age=60"),
                ("cdn-cache-control", "max-age=600"),
                ("set-cookie", "theme=dark"),
            ] {
                let value = HeaderValue::from_static(value);
                answered.headers_mut().append(name, value);
            }
            let response = finished(&with_cookie(line).await, answered);
            let said = |name| {
                let lines = response.headers().get_all(name).iter();
                let lines: Vec<_> = lines.map(|line| line.to_str().unwrap()).collect();
                (!lines.is_empty()).then(|| lines.join(", "))
            };
            let said = (said("cache-control"), said("cdn-cache-control"));
            let said = (said.0.as_deref(), said.1.as_deref());
            assert_eq!(said, expected, "{line:?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_by_the_handler_gives_no_cookie() {
        let after = with_cookie(Some("__Host-visitor=v")).await;
        let mut answered = Response::new(Bytes::new());
        let refusal = HandlerRefusal::new(ErrorCode::Conflict.into());
        answered.extensions_mut().insert(refusal);
        let response = finished(&after, answered);
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert!(cookies(&response).is_empty());
    }

    #[tokio::test]
    async fn without_one_and_with_one_that_is_no_field_nothing_is_added() {
        for line in [None, Some("a=b\r\nx-evil: c")] {
            let after = with_cookie(line).await;
            let response = finished(&after, Response::new(Bytes::new()));
            assert!(cookies(&response).is_empty(), "{line:?}");
        }
    }
}
