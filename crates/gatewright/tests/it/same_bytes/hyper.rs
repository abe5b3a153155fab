//! The service on hyper alone, as one would write it with the layer of `gatewright::tower`: a layer for each route, and a
//! small router.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use gatewright::error::{AuthError, ErrorCode};
use gatewright::gate::{Gate, Guarded};
use gatewright::policy::{CompiledPolicy, Policy, Realm, allowed};
use gatewright::source::TrustedProxies;
use gatewright::tower::{GateLayer, Guard, HandlerRefusal, HttpRefusal, ReadTenant};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::service::{FIELDS, Family, Handler, Verb, introduced, root};

type Answer = Response<Full<Bytes>>;
type Service = BoxCloneSyncService<Request<Incoming>, Answer, Infallible>;

/// The parameters of the path, decoded.
#[derive(Clone)]
struct Parameters(Vec<(&'static str, String)>);

#[derive(Clone, Copy)]
struct Peer(SocketAddr);

struct Router {
    routes: Vec<Entry>,
    /// By prefix; the root's is the last.
    unknown: Vec<(&'static str, Service)>,
}

struct Entry {
    path: String,
    verbs: Vec<(Verb, Guard, Service)>,
    otherwise: Service,
}

/// Serves it; the task ends with the runtime.
pub(crate) async fn serve(gate: Gate, families: Vec<Family>) -> SocketAddr {
    let router = Arc::new(Router::new(&gate, families));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let router = Arc::clone(&router);
            let service = hyper::service::service_fn(move |mut request| {
                request.extensions_mut().insert(Peer(peer));
                let router = Arc::clone(&router);
                async move { router.answer(request).await }
            });
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

impl Router {
    fn new(gate: &Gate, families: Vec<Family>) -> Self {
        let mut routes = Vec::new();
        let mut unknown = Vec::new();
        for Family {
            prefix,
            realm,
            proxies,
            routes: family,
        } in families
        {
            for route in family {
                let verbs = route.methods.into_iter().map(|(verb, policy, handler)| {
                    let guard = Guard::new(gate.clone(), gate.compile(&policy, &realm).unwrap());
                    (verb, guard.clone(), guarded(guard, &proxies, handler))
                });
                routes.push(Entry {
                    path: format!("{prefix}{}", route.path),
                    verbs: verbs.collect(),
                    otherwise: refuses(gate, &realm, &proxies, ErrorCode::MethodNotAllowed),
                });
            }
            unknown.push((prefix, refuses(gate, &realm, &proxies, ErrorCode::NotFound)));
        }
        unknown.push(("", refuses(gate, &root(), &None, ErrorCode::NotFound)));
        Self { routes, unknown }
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Result<Answer, Infallible> {
        let path = request.uri().path().to_owned();
        let found = self
            .routes
            .iter()
            .find_map(|route| Some((route, parameters(&route.path, &path)?)));
        let Some((route, parameters)) = found else {
            let unknown = self
                .unknown
                .iter()
                .find(|(prefix, _)| is_under(&path, prefix));
            return unknown.unwrap().1.clone().oneshot(request).await;
        };
        let verb = route
            .verbs
            .iter()
            .find(|(verb, _, _)| name(*verb) == request.method().as_str())
            .or_else(|| {
                let get =
                    |(verb, _, _): &&_| *verb == Verb::Get && request.method() == Method::HEAD;
                route.verbs.iter().find(get)
            });
        let Some((_, guard, service)) = verb else {
            let mut answer = route.otherwise.clone().oneshot(request).await?;
            answer.headers_mut().insert(ALLOW, route.allow());
            return Ok(answer);
        };
        match parameters {
            Ok(parameters) => {
                request.extensions_mut().insert(Parameters(parameters));
                service.clone().oneshot(request).await
            }
            Err(error) => {
                let (head, body) = request.into_parts();
                let judged = guard.judge(&head, guard.policy(), Err(error), || None);
                judged.proceed(&mut service.clone(), head, body).await
            }
        }
    }
}

impl Entry {
    fn allow(&self) -> HeaderValue {
        let names = self.verbs.iter().map(|(verb, _, _)| name(*verb));
        HeaderValue::from_str(&allowed(names)).unwrap()
    }
}

fn handle_in_path(parts: &Parts) -> Option<Cow<'_, str>> {
    let Parameters(parameters) = parts.extensions.get()?;
    let (_, handle) = parameters.iter().find(|(name, _)| *name == "handle")?;
    Some(handle.into())
}

fn layer(
    guard: Guard,
    proxies: Option<TrustedProxies>,
) -> GateLayer<ReadTenant, impl Fn(&Parts) -> Option<IpAddr> + Clone + Send + Sync + 'static> {
    GateLayer::guarding(guard)
        .tenant_from(handle_in_path as ReadTenant)
        .behind_proxies(proxies, |parts: &Parts| {
            parts.extensions.get().map(|Peer(peer)| peer.ip())
        })
}

fn guarded(
    guard: Guard<HttpRefusal>,
    proxies: &Option<TrustedProxies>,
    handler: Handler,
) -> Service {
    let handler = service_fn(move |request: Request<Incoming>| async move {
        Ok(handle(handler, &request).unwrap_or_else(refusal))
    });
    BoxCloneSyncService::new(layer(guard, proxies.clone()).layer(handler))
}

/// Refuses everybody, behind the gate all the same: asking for what isn't there is charged to the source.
fn refuses(
    gate: &Gate,
    realm: &Realm,
    proxies: &Option<TrustedProxies>,
    code: ErrorCode,
) -> Service {
    let public: Arc<CompiledPolicy> = gate.compile(&Policy::public(), realm).unwrap();
    guarded(
        Guard::new(gate.clone(), public),
        proxies,
        Handler::Refuses(code),
    )
}

fn handle(handler: Handler, request: &Request<Incoming>) -> Result<Answer, AuthError> {
    let guarded = Guarded::of(request.extensions().get())?;
    let caller = guarded.principal().map(|caller| &**caller);
    match handler {
        Handler::Caller if caller.is_none() => {
            // As the extractors of the adapters do.
            let mistaken = guarded.policy().modes().next().is_none();
            let code = if mistaken {
                ErrorCode::InternalError
            } else {
                ErrorCode::MissingBearerToken
            };
            Err(code.into())
        }
        Handler::Caller | Handler::Visitor => Ok(text(request.method(), introduced(caller))),
        Handler::Fine => Ok(text(request.method(), "fine".to_owned())),
        Handler::Refuses(code) => Err(code.into()),
        Handler::Says => Ok(says(text(request.method(), "fine".to_owned()))),
        Handler::RefusesAndSays(code) => Ok(says(refusal(code.into()))),
    }
}

fn refusal(error: AuthError) -> Answer {
    let mut answer = Answer::default();
    answer.extensions_mut().insert(HandlerRefusal::new(error));
    answer
}

fn says(mut answer: Answer) -> Answer {
    for (name, value) in FIELDS {
        answer
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    answer
}

fn text(method: &Method, text: String) -> Answer {
    let mut answer = Answer::default();
    let fields = answer.headers_mut();
    fields.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    fields.insert(CONTENT_LENGTH, text.len().into());
    // Over HTTP/2 hyper leaves it to the service that a `HEAD` has no body.
    if method != Method::HEAD {
        *answer.body_mut() = text.into();
    }
    answer
}

fn name(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::Head => "HEAD",
        Verb::Post => "POST",
        Verb::Put => "PUT",
        Verb::Delete => "DELETE",
        Verb::Options => "OPTIONS",
    }
}

fn is_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

type Decoded = Result<Vec<(&'static str, String)>, AuthError>;

/// The parameters of a path that fits the pattern.
fn parameters(pattern: &str, path: &str) -> Option<Decoded> {
    let mut segments = path.split('/');
    let mut parameters = Ok(Vec::new());
    for part in pattern.split('/') {
        let segment = segments.next()?;
        if part == "{*rest}" {
            // The service reads no more of it than whether it is text.
            let rest = segments.fold(segment.to_owned(), |rest, segment| rest + "/" + segment);
            return (!rest.is_empty()).then(|| decoded(&rest).and(parameters));
        }
        if part == "{handle}" {
            if segment.is_empty() {
                return None;
            }
            parameters = decoded(segment).map(|handle| vec![("handle", handle)]);
        } else if part != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(parameters)
}

/// Percent-decoding (RFC 3986 §2.1); what is no escape stands for itself.
fn decoded(segment: &str) -> Result<String, AuthError> {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let value = escaped
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            Some(value) => {
                bytes.push(value);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| {
        AuthError::new(ErrorCode::InvalidRequest).with_message("The path is not UTF-8")
    })
}
