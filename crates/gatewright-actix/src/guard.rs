//! One gate with one policy: the steps that the middleware and the routes share.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use actix_web::body::EitherBody;
use actix_web::error::InternalError;
use actix_web::http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
};
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};
use gatewright_core::cors::Crossing;
use gatewright_core::dialect::wants_problem;
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::gate::{Admission, Admitted, AnswerFields, Arrival, Gate, Guarded};
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
    /// Judges a request, which keeps the policy that stands now from beginning to end. Where it is not admitted, it is
    /// answered.
    pub(crate) async fn judge(&self, request: &HttpRequest) -> Result<After, HttpResponse> {
        let mut after = After::new(self.policy.current(), request);
        if after.crossing.is_some_and(Crossing::is_preflight) {
            return Err(after.preflight());
        }
        let tenant = match after.policy.of_query(request.uri().query()) {
            Ok(None) => self.tenant(&after.policy, request),
            Ok(Some(tenant)) => {
                after.policy = tenant.policy;
                Ok(Some(tenant.name))
            }
            Err(error) => Err(error),
        };
        let tenant = match tenant {
            Ok(tenant) => tenant,
            Err(error) => return Err(after.refusal(error)),
        };
        let arrival = Arrival::new()
            .tenant(tenant.as_deref())
            .source((self.source)(request))
            .query(request.uri().query())
            .safe_method(request.method().is_safe());
        let fields = HeaderFields(request.headers());
        let decision = match self.gate.authenticate(&fields, &after.policy, &arrival) {
            Admission::Ready(decision) => decision,
            Admission::Pending(pending) => pending.await,
            // An answer that isn't known here admits nobody.
            _ => Err(ErrorCode::InternalError.into()),
        };
        match decision {
            Ok(admitted) => {
                after.admit(request, admitted);
                Ok(after)
            }
            Err(error) => Err(after.refusal(error)),
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

/// What is done to a response on its way out.
#[derive(Debug)]
pub(crate) struct After {
    policy: Arc<CompiledPolicy>,
    problem: bool,
    crossing: Option<Crossing>,
    fields: AnswerFields,
}

impl After {
    fn new(policy: Arc<CompiledPolicy>, request: &HttpRequest) -> Self {
        let headers = request.headers();
        let values = |name| headers.get_all(name).map(HeaderValue::as_bytes);
        let crossing = policy.realm().cors().map(|cors| {
            let asks = headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
            cors.cross(request.method().as_str(), values(ORIGIN), asks)
        });
        Self {
            problem: wants_problem(values(ACCEPT)),
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

    /// The refusal, with its error left in the extensions for the service's own logs.
    fn refusal(&self, error: AuthError) -> HttpResponse {
        let rendered = self.policy.refusal(&error, self.problem);
        let mut response = render::response(rendered, error);
        self.put_cors(response.headers_mut());
        response
    }

    /// Finishes what the service behind the middleware answered. On the right is a refusal, rendered again in the route's dialect.
    pub(crate) fn finish<B>(&self, response: HttpResponse<B>) -> HttpResponse<EitherBody<B>> {
        match self.rendered_again(response) {
            ControlFlow::Continue(mut response) => {
                self.put_fields(&mut response);
                response.map_into_left_body()
            }
            ControlFlow::Break(mut response) => {
                self.put_fields(&mut response);
                response.map_into_right_body()
            }
        }
    }

    /// The same for a handler's answer, whose body is boxed as a refusal's is.
    pub(crate) fn finish_boxed(&self, response: HttpResponse) -> HttpResponse {
        let (ControlFlow::Continue(mut response) | ControlFlow::Break(mut response)) =
            self.rendered_again(response);
        self.put_fields(&mut response);
        response
    }

    /// The response, with the cookie that the gate gives the caller, unless it is a refusal: that is rendered again in the
    /// route's dialect.
    fn rendered_again<B>(
        &self,
        mut response: HttpResponse<B>,
    ) -> ControlFlow<HttpResponse, HttpResponse<B>> {
        let refused = response.extensions_mut().remove::<HandlerRefusal>();
        match refused {
            None => {
                render::put_set_cookie(response.headers_mut(), &self.fields);
                ControlFlow::Continue(response)
            }
            Some(HandlerRefusal(error)) => {
                let rendered = self.policy.refusal(&error, self.problem);
                ControlFlow::Break(render::replace(response, rendered, error))
            }
        }
    }

    fn put_fields<B>(&self, response: &mut HttpResponse<B>) {
        render::put_answer_fields(response.headers_mut(), &self.fields);
        self.put_cors(response.headers_mut());
    }

    /// Finishes what middleware answered as an error: outer middleware sees an error as before, and the caller this response.
    pub(crate) fn finish_error(&self, error: Error) -> Error {
        let said = error.to_string();
        let response = self.finish(HttpResponse::from_error(error));
        InternalError::from_response(said, response.map_into_boxed_body()).into()
    }

    /// The answer to a preflight (Fetch, "CORS-preflight fetch").
    fn preflight(&self) -> HttpResponse {
        let mut response = HttpResponse::NoContent().finish();
        self.put_cors(response.headers_mut());
        response
    }

    fn put_cors(&self, headers: &mut HeaderMap) {
        if let (Some(cors), Some(crossing)) = (self.policy.realm().cors(), self.crossing) {
            render::put_copies(headers, cors.fields(crossing));
        }
    }
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
    async fn with_cookie(line: Option<&str>) -> After {
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
        let mut after = After::new(policy, &request);
        after.admit(&request, admitted);
        after
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
        let behind_middleware = after.finish(answered()).map_into_boxed_body();
        for response in [behind_middleware, after.finish_boxed(answered())] {
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
        assert_eq!(cookies(&after.finish_boxed(answered)), expected);
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
            let response = with_cookie(line).await.finish_boxed(answered);
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
        let response = after.finish_boxed(answered);
        assert_eq!(response.status(), 409);
        assert!(cookies(&response).is_empty());
    }

    #[actix_web::test]
    async fn without_one_and_with_one_that_is_no_field_nothing_is_added() {
        for line in [None, Some("a=b\r\nx-evil: c")] {
            let response = with_cookie(line)
                .await
                .finish_boxed(HttpResponse::Ok().finish());
            assert!(cookies(&response).is_empty(), "{line:?}");
        }
    }
}
