//! Gatewright in front of hyper: a route for everybody, one for API keys, one for personal access tokens.

use gatewright::gate::Guarded;
use gatewright::policy::{Policy, Realm};
use gatewright::principal::TenantKind;
use gatewright::testing::TestAuthority;
use gatewright::tower::GateLayer;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};

async fn whoami(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    let caller = Guarded::of(request.extensions().get())?.principal();
    let name = caller.map(|caller| format!("{}\n", caller.subject()));
    Ok(Response::new(name.unwrap_or_default().into()))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // A gate FOR TESTS, with cheap hashes. A service builds its own over its store with `Gate::builder`, and mints
    // credentials with `gatewright::issuer`: the quickstart for axum does.
    let authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
    let key = authority.key("acme", "links.read").await;
    let pat = authority.pat("acme", "links.read").await;

    let (gate, realm) = (authority.gate(), Realm::builder("links").build());
    let guarded = |policy: Policy| match gate.compile(&policy, &realm) {
        Ok(policy) => Ok(GateLayer::new(gate.clone(), policy).layer(service_fn(whoami))),
        Err(mistakes) => Err(format!("{mistakes:?}")),
    };
    let list = guarded(Policy::api_key().scope("links.read"))?;
    let create = guarded(Policy::api_key().scope("links.write"))?;
    let me = guarded(Policy::pat())?;
    let routes = service_fn(move |request: Request<Incoming>| {
        let (list, create, me) = (list.clone(), create.clone(), me.clone());
        async move {
            match (request.method(), request.uri().path()) {
                (&Method::GET, "/health") => Ok(Response::new("fine\n".into())),
                (&Method::GET, "/links") => list.oneshot(request).await,
                (&Method::POST, "/links") => create.oneshot(request).await,
                (&Method::GET, "/me") => me.oneshot(request).await,
                _ => Ok(Response::builder().status(404).body(Full::default())?),
            }
        }
    });

    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:0".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("curl {url}/health\ncurl -H 'authorization: Bearer {key}' {url}/links");
    println!("curl -H 'authorization: Bearer {pat}' {url}/me");
    loop {
        let (stream, service) = (listener.accept().await?.0, routes.clone());
        let service = TowerToHyperService::new(service);
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
