//! The service on actix-web.

use std::net::{SocketAddr, TcpListener};
use std::thread;

use actix_web::dev::{self, ServerHandle};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, FromRequest, HttpResponse, HttpServer, Responder, ResponseError as _};
use gatewright::actix::{
    Authenticated, GuardedMethods, GuardedRoutes, GuardedScope, MaybeAuthenticated, Refusal,
    delete, get, head, options, post, put,
};
use gatewright::gate::Gate;
use gatewright::policy::Policy;

use super::service::{FIELDS, Family, Handler, Verb, introduced, root};

/// A server in a thread of its own: actix-web brings its runtime. It ends when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
}

impl Server {
    pub(crate) async fn start(gate: Gate, families: Vec<Family>) -> Self {
        let mut whole = GuardedScope::new(gate.clone(), root());
        for Family {
            prefix,
            realm,
            proxies,
            routes,
        } in families
        {
            let mut scope = GuardedScope::new(gate.clone(), realm).behind_proxies(proxies);
            for route in routes {
                for (verb, policy, handler) in route.methods {
                    scope = scope.route(route.path, method(verb, policy, handler));
                }
            }
            whole = whole.nest(prefix, scope);
        }
        let (routes, _) = whole.finish().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (started, handle) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = server(listener, routes);
                started
                    .send(server.handle())
                    .unwrap_or_else(|_| panic!("nobody waits"));
                server.await
            })
        });
        let handle = handle.await.unwrap();
        Self { address, handle }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The order is given at once; there is nothing to wait for.
        drop(self.handle.stop(false));
    }
}

fn server(listener: TcpListener, routes: GuardedRoutes) -> dev::Server {
    HttpServer::new(move || App::new().configure(|config| routes.register(config)))
        .workers(1)
        .disable_signals()
        .listen_auto_h2c(listener)
        .unwrap()
        .run()
}

fn method(verb: Verb, policy: Policy, handler: Handler) -> GuardedMethods {
    match handler {
        Handler::Caller => attach(verb, policy, async |caller: Authenticated| {
            introduced(Some(&caller))
        }),
        Handler::Visitor => attach(verb, policy, async |caller: MaybeAuthenticated| {
            introduced(caller.as_deref())
        }),
        Handler::Fine => attach(verb, policy, async || "fine"),
        Handler::Refuses(code) => attach(verb, policy, move || async move {
            Err::<&str, _>(Refusal::from(code))
        }),
        Handler::Says => attach(verb, policy, async || {
            let mut answer = HttpResponse::Ok();
            for field in FIELDS {
                answer.append_header(field);
            }
            answer
                .content_type("text/plain; charset=utf-8")
                .body("fine")
        }),
        Handler::RefusesAndSays(code) => attach(verb, policy, move || async move {
            let mut answer = Refusal::from(code).error_response();
            for (name, value) in FIELDS {
                let name = HeaderName::from_static(name);
                answer
                    .headers_mut()
                    .append(name, HeaderValue::from_static(value));
            }
            answer
        }),
    }
}

fn attach<H, Args>(verb: Verb, policy: Policy, handler: H) -> GuardedMethods
where
    H: dev::Handler<Args> + Send + Sync,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    match verb {
        Verb::Get => get(policy, handler),
        Verb::Head => head(policy, handler),
        Verb::Options => options(policy, handler),
        Verb::Post => post(policy, handler),
        Verb::Put => put(policy, handler),
        Verb::Delete => delete(policy, handler),
    }
}
