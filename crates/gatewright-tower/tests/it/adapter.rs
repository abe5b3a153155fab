//! The guard as adapters of frameworks call it.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use gatewright_core::cors::Cors;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::limit::Rate;
use gatewright_core::policy::{Limits, Policy, Realm};
use gatewright_tower::Guard;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Service, service_fn};

use crate::{HANDLE, authority};

const APP: &str = "https://app.example";

type Answer = Response<Full<Bytes>>;

/// A service, and how often it was called.
fn counted() -> (
    impl Service<Request<()>, Response = Answer, Error = Infallible> + Clone,
    Arc<AtomicU32>,
) {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let service = service_fn(move |_: Request<()>| {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Answer::default()) }
    });
    (service, calls)
}

fn head(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// Whatever the caller presents, and whatever the memory knows of it.
#[tokio::test]
async fn where_the_adapter_finds_no_tenant_nobody_passes() {
    let authority = authority().await;
    let cors = Cors::origins([APP]).build().unwrap();
    let realm = Realm::builder("api").tenant_kind(HANDLE).cors(cors).build();
    let gate = authority.gate().clone();
    let policy = Policy::pat().tenant_from("handle");
    let guard = Guard::new(gate.clone(), gate.compile(&policy, &realm).unwrap());
    let pat = format!("Bearer {}", authority.pat("creator", "*").await);
    let caller = ("authorization", &*pat);
    let asks = ("access-control-request-method", "PUT");
    let (mut service, calls) = counted();
    for (method, fields, tenant, status) in [
        ("GET", &[caller][..], Ok(Some("creator")), 200),
        ("GET", &[caller], Ok(Some("creator")), 200),
        ("GET", &[caller], Err(Cause::PolicyMissing.into()), 500),
        ("GET", &[caller], Err(ErrorCode::InvalidRequest.into()), 400),
        ("GET", &[caller], Ok(None), 500),
        // A browser is told which pages may call even then.
        (
            "OPTIONS",
            &[("origin", APP), asks],
            Err(ErrorCode::InvalidRequest.into()),
            204,
        ),
    ] {
        let said = format!("{method} {tenant:?}");
        let head = head(method, "/", fields);
        let judged = guard.judge(&head, guard.policy(), tenant, || None);
        let answer = judged.proceed(&mut service, head, ()).await.unwrap();
        assert_eq!(answer.status(), status, "{said}");
        let tells = answer
            .headers()
            .contains_key("access-control-allow-methods");
        assert_eq!(tells, status == 204, "{said}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn not_even_where_the_query_names_one() {
    let authority = authority().await;
    let realm = Realm::builder("api").tenant_kind(HANDLE).build();
    let gate = authority.gate().clone();
    let policy = Policy::pat().tenant_from_query("org");
    let guard = Guard::new(gate.clone(), gate.compile(&policy, &realm).unwrap());
    let pat = format!("Bearer {}", authority.pat("creator", "*").await);
    let (mut service, calls) = counted();
    for (uri, status) in [("/?org=creator", 409), ("/?org=a&org=a", 400), ("/", 409)] {
        let head = head("GET", uri, &[("authorization", &pat)]);
        let error = Err(AuthError::new(ErrorCode::Conflict));
        let judged = guard.judge(&head, guard.policy(), error, || None);
        let answer = judged.proceed(&mut service, head, ()).await.unwrap();
        assert_eq!(answer.status(), status, "{uri}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_was_judged_and_left_calls_nothing_and_tells_no_secret() {
    let authority = authority().await;
    let gate = authority.gate().clone();
    let realm = Realm::builder("api").build();
    let guard = Guard::new(
        gate.clone(),
        gate.compile(&Policy::api_key(), &realm).unwrap(),
    );
    let key = authority.key("creator", "*").await;
    let (mut service, calls) = counted();
    for _cold_then_warm in 0..2 {
        let head = head("GET", "/", &[("x-api-key", &key)]);
        let judged = guard.judge(&head, guard.policy(), Ok(None), || None);
        assert!(!format!("{judged:?}").contains(&key));
        drop(judged);
        let judged = guard.judge(&head, guard.policy(), Ok(None), || None);
        let answer = judged.proceed(&mut service, head, ()).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(calls.swap(0, Ordering::Relaxed), 1);
    }
}

/// Behind proxies, reading the address is parsing a field.
#[tokio::test]
async fn where_a_request_comes_from_is_read_only_where_it_matters() {
    let authority = authority().await;
    let gate = authority.gate().clone();
    let rate = Rate::new(1_000, 60, 1_000).unwrap();
    let compile = |policy: Policy, limits: Limits| {
        let realm = Realm::builder("api").limits(limits).build();
        Guard::new(gate.clone(), gate.compile(&policy, &realm).unwrap())
    };
    let secrets = || Policy::api_key().or(Policy::pat());
    let free = compile(secrets(), Limits::none());
    let limited = compile(secrets(), Limits::none().per_credential(rate));
    let guarded = compile(secrets(), Limits::none().pat_guard(rate));
    let public = compile(Policy::public(), Limits::none());
    let by_source = compile(Policy::public(), Limits::none().per_source(rate));
    let (key, pat) = (
        authority.key("creator", "*").await,
        authority.pat("creator", "*").await,
    );
    let (mut service, _) = counted();
    let reads = AtomicU32::new(0);
    for (guard, presented, status, read) in [
        (&free, &*key, 200, true),
        (&free, &key, 200, false),
        (&limited, &key, 200, false),
        (&guarded, &key, 200, false),
        (&guarded, &pat, 200, true),
        (&guarded, &pat, 200, true),
        (&free, &pat, 200, false),
        (&free, "tnx_", 401, false),
        (&public, "", 200, false),
        (&by_source, "", 200, true),
    ] {
        let head = head("GET", "/", &[("x-api-key", presented)]);
        let source = || {
            reads.fetch_add(1, Ordering::Relaxed);
            Some(Ipv4Addr::LOCALHOST.into())
        };
        let judged = guard.judge(&head, guard.policy(), Ok(None), source);
        let answer = judged.proceed(&mut service, head, ()).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(reads.swap(0, Ordering::Relaxed) > 0, read, "{guard:?}");
    }
}
