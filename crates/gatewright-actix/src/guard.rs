//! One gate with one policy: the steps that the middleware and the routes share.

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::EitherBody;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
};
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};
use gatewright_core::cors::Crossing;
use gatewright_core::dialect::wants_problem;
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::gate::{Admission, Admitted, AnswerFields, Arrival, Gate, Guarded, Pending};
use gatewright_core::policy::{CompiledPolicy, LivePolicy};
use gatewright_core::source::TrustedProxies;

use crate::fields::HeaderFields;
use crate::parameter;
use crate::render::{self, HandlerRefusal};

/// Reads the source address of a request.
pub(crate) type ReadSource = Arc<dyn Fn(&HttpRequest) -> Option<IpAddr> + Send + Sync>;

/// Reads the tenant's name, decoded, from a request.
pub(crate) type ReadTenant = Arc<dyn Fn(&HttpRequest) -> Option<String> + Send + Sync>;

/// A gate and the policy that it judges by, and what both read of a request.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) gate: Gate,
    pub(crate) policy: LivePolicy,
    pub(crate) source: ReadSource,
    /// Where it isn't read from the path parameter that the policy names.
    pub(crate) tenant: Option<ReadTenant>,
}

/// The address of the socket's other end. No header says where a request came from.
pub(crate) fn peer(request: &HttpRequest) -> Option<IpAddr> {
    Some(request.peer_addr()?.ip())
}

/// The address that these proxies tell of, or the peer's.
pub(crate) fn behind(proxies: Option<TrustedProxies>) -> ReadSource {
    let Some(proxies) = proxies else {
        return Arc::new(peer);
    };
    Arc::new(move |request| {
        let lines = request.headers().get_all(proxies.field().as_str());
        proxies.source(peer(request), lines.map(HeaderValue::as_bytes))
    })
}

impl Guard {
    /// Admits the request, or answers in its handler's place.
    #[inline]
    pub(crate) async fn admit(
        &self,
        request: &HttpRequest,
        after: &mut After<'_>,
    ) -> Result<(), HttpResponse> {
        match self.judge(request, after) {
            Judged::Admitted => Ok(()),
            Judged::Answered(response) => Err(response),
            Judged::Undecided(pending) => after.decided(request, pending).await,
        }
    }

    /// Judges a request by the policy that stood when it came. Where it is not admitted, it is answered.
    ///
    /// A plain function that finds what is kept of a request in its place: a future that held all it looks at would be moved
    /// with all of it, more than once.
    fn judge(&self, request: &HttpRequest, after: &mut After<'_>) -> Judged {
        if after.crossing.is_some_and(Crossing::is_preflight) {
            return Judged::Answered(after.preflight());
        }
        let query = request.uri().query();
        let tenant = match after.policy.of_query(query) {
            Ok(None) => self.tenant(&after.policy, request),
            Ok(Some(tenant)) => {
                after.policy = Cow::Owned(tenant.policy);
                Ok(Some(tenant.name))
            }
            Err(error) => Err(error),
        };
        let tenant = match tenant {
            Ok(tenant) => tenant,
            Err(error) => return Judged::Answered(after.refusal(request, error)),
        };
        let arrival = Arrival::new()
            .tenant(tenant.as_deref())
            .source((self.source)(request))
            .query(query)
            .safe_method(request.method().is_safe());
        let fields = HeaderFields(request.headers());
        match self.gate.authenticate(&fields, &after.policy, &arrival) {
            Admission::Ready(Ok(admitted)) => {
                after.admit(request, admitted);
                Judged::Admitted
            }
            Admission::Ready(Err(error)) => Judged::Answered(after.refusal(request, error)),
            Admission::Pending(pending) => Judged::Undecided(pending),
            // An answer that isn't known here admits nobody.
            _ => Judged::Answered(after.refusal(request, ErrorCode::InternalError.into())),
        }
    }

    fn tenant<'a>(
        &self,
        policy: &CompiledPolicy,
        request: &'a HttpRequest,
    ) -> Result<Option<Cow<'a, str>>, AuthError> {
        match (policy.tenant_parameter(), &self.tenant) {
            (None, _) => Ok(None),
            (Some(_), Some(read)) => Ok(read(request).map(Cow::Owned)),
            (Some(name), None) => parameter::of(request, name).map(Some),
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// What a guard says of a request.
enum Judged {
    Admitted,
    /// Refused, or a preflight.
    Answered(HttpResponse),
    /// The gate has somebody to ask; for [`After::decided`].
    Undecided(Pending),
}

/// What a request is judged by, from beginning to end, and what is done to its response on its way out.
#[derive(Debug)]
pub(crate) struct After<'g> {
    policy: Cow<'g, Arc<CompiledPolicy>>,
    crossing: Option<Crossing>,
    fields: AnswerFields,
}

impl<'g> After<'g> {
    /// By a policy, the one that stands when the request comes.
    pub(crate) fn new(policy: Cow<'g, Arc<CompiledPolicy>>, request: &HttpRequest) -> Self {
        let crossing = policy.realm().cors().map(|cors| {
            let headers = request.headers();
            let origins = headers.get_all(ORIGIN).map(HeaderValue::as_bytes);
            let asks = headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
            cors.cross(request.method().as_str(), origins, asks)
        });
        Self {
            policy,
            crossing,
            fields: AnswerFields::default(),
        }
    }

    /// Marks an admitted request, and notes what its response will need.
    fn admit(&mut self, request: &HttpRequest, admitted: Admitted) {
        self.fields = admitted.answer_fields(&self.policy);
        request
            .extensions_mut()
            .insert(Guarded::new(Arc::clone(&self.policy), admitted));
    }

    /// What the gate decided once it had asked. An error is the refusal.
    async fn decided(
        &mut self,
        request: &HttpRequest,
        pending: Pending,
    ) -> Result<(), HttpResponse> {
        match pending.await {
            Ok(admitted) => {
                self.admit(request, admitted);
                Ok(())
            }
            Err(error) => Err(self.refusal(request, error)),
        }
    }

    /// The refusal, with its error left in the extensions for the service's own logs.
    fn refusal(&self, request: &HttpRequest, error: AuthError) -> HttpResponse {
        let rendered = self.policy.refusal(&error, asks_for_problem(request));
        let mut response = render::response(rendered, error);
        self.put_cors(response.headers_mut());
        response
    }

    /// Finishes what the service behind the middleware answered. On the right is a refusal, rendered again in the route's
    /// dialect, as a problem if the request asked for one.
    pub(crate) fn finish<B>(
        &self,
        mut response: HttpResponse<B>,
        problem: bool,
    ) -> HttpResponse<EitherBody<B>> {
        match refused(&mut response) {
            None => {
                self.put_fields(response.headers_mut(), true);
                response.map_into_left_body()
            }
            Some(error) => {
                let response = self.rendered_again(response, error, problem);
                response.map_into_right_body()
            }
        }
    }

    /// The same for a handler's answer, whose body is boxed as a refusal's is.
    pub(crate) fn finish_boxed(&self, request: &HttpRequest, response: &mut HttpResponse) {
        match refused(response) {
            None => self.put_fields(response.headers_mut(), true),
            Some(error) => {
                let answered = mem::replace(response, HttpResponse::new(StatusCode::OK));
                *response = self.rendered_again(answered, error, asks_for_problem(request));
            }
        }
    }

    /// A refusal in the route's dialect. It gives no cookie.
    #[cold]
    fn rendered_again<B>(
        &self,
        answered: HttpResponse<B>,
        error: AuthError,
        problem: bool,
    ) -> HttpResponse {
        let rendered = self.policy.refusal(&error, problem);
        let mut response = render::replace(answered, rendered, error);
        self.put_fields(response.headers_mut(), false);
        response
    }

    fn put_fields(&self, headers: &mut HeaderMap, cookie: bool) {
        if cookie {
            render::put_set_cookie(headers, &self.fields);
        }
        render::put_answer_fields(headers, &self.fields);
        self.put_cors(headers);
    }

    /// Finishes what middleware answered as an error: outer middleware sees an error as before, and the caller this response.
    pub(crate) fn finish_error(&self, error: Error, problem: bool) -> Error {
        let said = error.to_string();
        let response = self.finish(HttpResponse::from_error(error), problem);
        InternalError::from_response(said, response.map_into_boxed_body()).into()
    }

    /// The answer to a preflight (Fetch, "CORS-preflight fetch").
    fn preflight(&self) -> HttpResponse {
        let mut response = HttpResponse::NoContent().finish();
        self.put_cors(response.headers_mut());
        response
    }

    fn put_cors(&self, headers: &mut HeaderMap) {
        if let Some(crossing) = self.crossing
            && let Some(cors) = self.policy.realm().cors()
        {
            render::put_copies(headers, cors.fields(crossing));
        }
    }
}

/// Whether a refusal of this request is to be a problem. Only who refuses needs to know.
pub(crate) fn asks_for_problem(request: &HttpRequest) -> bool {
    let accept = request.headers().get_all(ACCEPT);
    wants_problem(accept.map(HeaderValue::as_bytes))
}

/// The error of a refusal that the service answered by itself.
fn refused<B>(response: &mut HttpResponse<B>) -> Option<AuthError> {
    let refusal = response.extensions_mut().remove::<HandlerRefusal>();
    refusal.map(|HandlerRefusal(error)| error)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::SET_COOKIE;
    use actix_web::test::TestRequest;
    use gatewright_core::credential::Field;
    use gatewright_core::policy::{Policy, Realm};
    use gatewright_core::principal::TenantKind;
    use gatewright_testing::TestAuthority;

    use super::*;

    /// What the guard does to answers for a caller to whom the gate gives a cookie.
    async fn with_cookie(line: Option<&str>) -> After<'static> {
        let authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
        let gate = authority.gate();
        let policy = gate
            .compile(&Policy::public(), &Realm::builder("api").build())
            .unwrap();
        let nothing: &[(Field, &[u8])] = &[];
        let admission = gate.authenticate(nothing, &policy, &Arrival::new());
        let mut admitted = admission.decided().await.unwrap();
        admitted.set_cookie = line.map(Into::into);
        let request = TestRequest::default().to_http_request();
        let mut after = After::new(Cow::Owned(policy), &request);
        after.admit(&request, admitted);
        after
    }

    fn finished(after: &After<'_>, mut response: HttpResponse) -> HttpResponse {
        after.finish_boxed(&TestRequest::default().to_http_request(), &mut response);
        response
    }

    fn cookies(response: &HttpResponse) -> Vec<&[u8]> {
        let lines = response.headers().get_all(SET_COOKIE);
        lines.map(HeaderValue::as_bytes).collect()
    }

    #[actix_web::test]
    async fn a_cookie_is_added_to_those_of_the_service() {
        let after = with_cookie(Some("__Host-visitor=topsecret; Secure")).await;
        let answered = || {
            HttpResponse::Ok()
                .insert_header((SET_COOKIE, "theme=dark"))
                .finish()
        };
        let behind_middleware = after.finish(answered(), false).map_into_boxed_body();
        for response in [behind_middleware, finished(&after, answered())] {
            let expected: [&[u8]; 2] = [b"theme=dark", b"__Host-visitor=topsecret; Secure"];
            assert_eq!(cookies(&response), expected);
            assert!(!format!("{:?} {after:?}", response.headers()).contains("topsecret"));
        }
    }

    #[actix_web::test]
    async fn a_cookie_that_the_service_sets_by_itself_is_the_only_one_of_its_name() {
        let after = with_cookie(Some("__Host-visitor=old; Secure")).await;
        let answered = HttpResponse::Ok()
            .append_header((SET_COOKIE, "theme=dark"))
            .append_header((SET_COOKIE, "__Host-visitor=new; Secure"))
            .finish();
        let expected: [&[u8]; 2] = [b"theme=dark", b"__Host-visitor=new; Secure"];
        assert_eq!(cookies(&finished(&after, answered)), expected);
    }

    /// RFC 9111 §7.3, RFC 9213 §2.2: a cache would hand the cookie to others.
    #[actix_web::test]
    async fn no_cache_keeps_an_answer_with_the_gates_cookie() {
        for (line, expected) in [
            (Some("__Host-visitor=v"), (Some("no-store"), None)),
            (None, (Some("public, max-age=60"), Some("max-age=600"))),
            (
                Some("theme=v"),
                (Some("public, max-age=60"), Some("max-age=600")),
            ),
        ] {
            let answered = HttpResponse::Ok()
                .append_header(("cache-control", "public"))
                .append_header(("cache-control", "max-age=60"))
                .append_header(("cdn-cache-control", "max-age=600"))
                .append_header(("set-cookie", "theme=dark"))
                .finish();
            let response = finished(&with_cookie(line).await, answered);
            let said = |name: &str| {
                let lines = response.headers().get_all(name);
                let lines: Vec<_> = lines.map(|line| line.to_str().unwrap()).collect();
                (!lines.is_empty()).then(|| lines.join(", "))
            };
            let said = (said("cache-control"), said("cdn-cache-control"));
            let said = (said.0.as_deref(), said.1.as_deref());
            assert_eq!(said, expected, "{line:?}");
        }
    }

    #[actix_web::test]
    async fn a_refusal_by_the_handler_gives_no_cookie() {
        let after = with_cookie(Some("__Host-visitor=v")).await;
        let mut answered = HttpResponse::Ok().finish();
        let refusal = HandlerRefusal(ErrorCode::Conflict.into());
        answered.extensions_mut().insert(refusal);
        let response = finished(&after, answered);
        assert_eq!(response.status(), 409);
        assert!(cookies(&response).is_empty());
    }

    #[actix_web::test]
    async fn without_one_and_with_one_that_is_no_field_nothing_is_added() {
        for line in [None, Some("a=b\r\nx-evil: c")] {
            let response = finished(&with_cookie(line).await, HttpResponse::Ok().finish());
            assert!(cookies(&response).is_empty(), "{line:?}");
        }
    }
}
