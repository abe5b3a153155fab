//! The layer around a plain service.

use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use gatewright_core::error::{AuthError, Cause};
use gatewright_core::gate::Guarded;
use gatewright_core::limit::Rate;
use gatewright_core::policy::{Limits, Policy, Realm};
use gatewright_core::source::TrustedProxies;
use gatewright_tower::GateLayer;
use http::{Extensions, Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

use crate::{HANDLE, authority};

type Answer = Response<Full<Bytes>>;

/// Answers who is calling.
async fn whoami(request: Request<()>) -> Result<Answer, Infallible> {
    let guarded = Guarded::of(request.extensions().get()).unwrap();
    let who = guarded
        .principal()
        .map_or("nobody".to_owned(), |principal| {
            principal.credential().to_string()
        });
    Ok(Response::new(Full::from(who)))
}

fn request(fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::get("/handles/creator/links?page=2");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

async fn text(answer: Answer) -> String {
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn cause(answer: &Answer) -> Option<Cause> {
    answer.extensions().get::<AuthError>()?.cause()
}

#[tokio::test]
async fn a_pass_and_a_refusal_cold_and_warm() {
    let authority = authority().await;
    let realm = Realm::builder("api").build();
    let policy = authority
        .gate()
        .compile(&Policy::api_key().scope("links.read"), &realm)
        .unwrap();
    let service = GateLayer::new(authority.gate().clone(), policy).layer(service_fn(whoami));

    let key = authority.key("creator", "links.*").await;
    for _cold_then_warm in 0..2 {
        let answer = service
            .clone()
            .oneshot(request(&[("x-api-key", &key)]))
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(key.contains(&text(answer).await));
    }
    let poor = authority.key("creator", "links.write").await;
    for _cold_then_warm in 0..2 {
        let answer = service
            .clone()
            .oneshot(request(&[("x-api-key", &poor)]))
            .await
            .unwrap();
        assert_eq!(answer.status(), 403);
        assert_eq!(cause(&answer), Some(Cause::MissingScope));
        assert!(text(answer).await.contains("links.read"));
    }
    let answer = service.oneshot(request(&[])).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(
        answer.headers()["www-authenticate"],
        r#"Bearer realm="api""#
    );
    assert_eq!(cause(&answer), Some(Cause::NothingPresented));
}

#[tokio::test]
async fn a_tenant_is_what_the_closure_reads() {
    let authority = authority().await;
    let realm = Realm::builder("api").tenant_kind(HANDLE).build();
    let policy = authority
        .gate()
        .compile(&Policy::pat().tenant_from("handle"), &realm)
        .unwrap();
    let pat = format!("Bearer {}", authority.pat("creator", "*").await);
    let fields = [("authorization", &*pat)];
    let layer = GateLayer::new(authority.gate().clone(), policy);

    let of_path = layer
        .clone()
        .tenant_from(|parts: &http::request::Parts| {
            parts.uri.path().split('/').nth(2).map(Into::into)
        })
        .layer(service_fn(whoami));
    assert_eq!(
        of_path.oneshot(request(&fields)).await.unwrap().status(),
        200
    );

    let foreign = layer
        .clone()
        .tenant_from(|_: &_| Some("other".into()))
        .layer(service_fn(whoami));
    let answer = foreign.oneshot(request(&fields)).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), cause(&answer)),
        (403, Some(Cause::ForeignTenant))
    );

    // A policy that names a tenant never passes where nobody reads one.
    let unread = layer.layer(service_fn(whoami));
    let answer = unread.oneshot(request(&fields)).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), cause(&answer)),
        (500, Some(Cause::PolicyMissing))
    );
}

#[tokio::test]
async fn limits_by_source_go_by_what_the_closure_reads() {
    let authority = authority().await;
    let limits = Limits::none().per_source(Rate::new(1, 60, 1).unwrap());
    let realm = Realm::builder("api").limits(limits).build();
    let policy = authority.gate().compile(&Policy::public(), &realm).unwrap();
    let service = GateLayer::new(authority.gate().clone(), policy)
        .source_from(|parts: &http::request::Parts| {
            parts.headers.get("x-real-ip")?.to_str().ok()?.parse().ok()
        })
        .layer(service_fn(whoami));
    let mut answers = Vec::new();
    for address in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        answers.push(
            service
                .clone()
                .oneshot(request(&[("x-real-ip", address)]))
                .await
                .unwrap(),
        );
    }
    let statuses: Vec<_> = answers
        .iter()
        .map(|answer| answer.status().as_u16())
        .collect();
    assert_eq!(statuses, [200, 429, 200]);
    for answer in answers {
        assert_eq!(answer.headers()["ratelimit-policy"], r#""source";q=1;w=60"#);
        assert!(
            answer.headers()["ratelimit"]
                .to_str()
                .unwrap()
                .starts_with(r#""source";r=0;t="#)
        );
    }
}

#[tokio::test]
async fn behind_proxies_the_source_is_what_they_tell_of_or_the_peer() {
    let authority = authority().await;
    let limits = Limits::none().per_source(Rate::new(1, 60, 1).unwrap());
    let realm = Realm::builder("api").limits(limits).build();
    let policy = authority.gate().compile(&Policy::public(), &realm).unwrap();
    let peer = |_: &http::request::Parts| Some([10, 0, 0, 7].into());
    let layer = GateLayer::new(authority.gate().clone(), policy);
    let proxies = TrustedProxies::forwarded(1).unwrap();
    let behind = layer.clone().behind_proxies(proxies, peer);
    let behind = behind.layer(service_fn(whoami));
    for (fields, status) in [
        (
            &[("forwarded", "for=192.0.2.1, for=\"192.0.2.2:80\"")][..],
            200,
        ),
        (
            &[("forwarded", "for=\""), ("forwarded", "for=192.0.2.2")],
            429,
        ),
        (&[("forwarded", "for=192.0.2.3")], 200),
        (&[("forwarded", "for=unknown")], 200),
        (&[("x-forwarded-for", "192.0.2.4")], 429),
    ] {
        let answer = behind.clone().oneshot(request(fields)).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{fields:?}");
    }
    // Without proxies, the peer, who has had the one call.
    let alone = layer.behind_proxies(None, peer);
    let alone = alone.layer(service_fn(whoami));
    let answer = alone.oneshot(request(&[("forwarded", "for=192.0.2.5")]));
    assert_eq!(answer.await.unwrap().status().as_u16(), 429);
}

#[test]
fn without_a_layer_there_is_no_caller_but_an_error() {
    let error = Guarded::of(Extensions::new().get()).unwrap_err();
    assert_eq!(
        (error.status(), error.cause()),
        (500, Some(Cause::GateMissing))
    );
}

/// What a warm call costs: one box in the request's extensions, and where a limit was charged, the values of its two fields.
#[tokio::test]
async fn a_warm_call_allocates_once_and_twice_more_for_a_limit() {
    let authority = authority().await;
    let plenty = Rate::per_minute(1_000).unwrap();
    for (limits, allocated) in [
        (Limits::none(), 1),
        (Limits::none().per_credential(plenty), 3),
    ] {
        let realm = Realm::builder("api").limits(limits).build();
        let policy = authority
            .gate()
            .compile(&Policy::api_key().scope("links.read"), &realm)
            .unwrap();
        let prepared = || {
            let response = Response::builder().header("x-any", "1");
            Mutex::new(Some(response.body(Full::<Bytes>::default()).unwrap()))
        };
        let (first, second) = (prepared(), prepared());
        let mut service =
            GateLayer::new(authority.gate().clone(), policy).layer(service_fn(|_| {
                let prepared = [&first, &second]
                    .into_iter()
                    .find_map(|place| place.lock().unwrap().take());
                ready(Ok::<_, Infallible>(prepared.unwrap()))
            }));
        let key = authority.key("creator", "links.read").await;
        let warm = || {
            let mut request = request(&[("x-api-key", &key), ("accept", "text/html, */*")]);
            request.extensions_mut().insert("a server's own");
            request
        };
        service.ready().await.unwrap().call(warm()).await.unwrap();

        let request = warm();
        let mut answered = None;
        let counted = allocation_counter::measure(|| {
            let future = pin!(service.call(request));
            if let Poll::Ready(answer) = future.poll(&mut Context::from_waker(Waker::noop())) {
                answered = Some(answer.unwrap());
            }
        });
        let answered = answered.unwrap();
        assert_eq!(answered.headers()["cache-control"], "no-store");
        assert_eq!(answered.headers().contains_key("ratelimit"), allocated > 1);
        assert_eq!(counted.count_total, allocated, "{counted:?}");
    }
}

/// It is moved and kept for as long as the service takes.
#[tokio::test]
async fn the_future_is_small_beside_the_services_own() {
    let authority = authority().await;
    let realm = Realm::builder("api").build();
    let policy = authority.gate().compile(&Policy::public(), &realm).unwrap();
    let large = async |_: Request<()>| {
        let held = [0_u8; 1000];
        tokio::task::yield_now().await;
        std::hint::black_box(held);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    };
    let own = size_of_val(&large(request(&[])));
    let mut service = GateLayer::new(authority.gate().clone(), policy).layer(service_fn(large));
    let future = service.ready().await.unwrap().call(request(&[]));
    let added = size_of_val(&future) - own;
    assert!(added <= 96, "{added} beside {own}");
}

#[tokio::test]
async fn a_tenant_in_the_query_needs_no_closure() {
    let authority = authority().await;
    let realm = Realm::builder("api").tenant_kind(HANDLE).build();
    let policy = Policy::pat().tenant_from_query("org");
    let policy = authority.gate().compile(&policy, &realm).unwrap();
    let pat = format!("Bearer {}", authority.pat("creator", "*").await);
    let service = GateLayer::new(authority.gate().clone(), policy).layer(service_fn(whoami));
    for (query, status) in [
        ("", 200),
        ("?org=creator", 200),
        ("?org=other", 403),
        ("?org=creator&org=creator", 400),
    ] {
        let request = Request::get(format!("/audit{query}")).header("authorization", &pat);
        let answer = service.clone().oneshot(request.body(()).unwrap()).await;
        assert_eq!(answer.unwrap().status(), status, "{query}");
    }
}
