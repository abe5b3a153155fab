//! A credential goes to its origins and nowhere else.

use bytes::Bytes;
use gatewright_core::credential::Secret;
use gatewright_tower::client::{AttachLayer, ConfigError, Origin};
use http::header::LOCATION;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::client_loopback::{Answer, Reqwest, answer, origin, serve, text};

fn secret() -> Secret {
    Secret::new("hunter2".to_owned())
}

/// Says which credentials came.
async fn echo(request: Request<Incoming>) -> Answer {
    let field = |name| {
        let values = request.headers().get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap())
            .collect::<Vec<_>>()
            .join("|")
    };
    answer(
        200,
        format!("{} {}", field("authorization"), field("x-api-key")),
    )
}

fn get(url: impl AsRef<str>) -> Request<Full<Bytes>> {
    Request::get(url.as_ref()).body(Full::default()).unwrap()
}

#[tokio::test]
async fn over_the_wire_to_the_bound_origins_alone() {
    let (api, second, other) = (serve(echo).await, serve(echo).await, serve(echo).await);
    for (layer, shown) in [
        (
            AttachLayer::bearer(origin(&api), &secret()),
            "Bearer hunter2 ",
        ),
        (AttachLayer::api_key(origin(&api), &secret()), " hunter2"),
    ] {
        let client = layer.unwrap().and_to(origin(&second)).layer(Reqwest::new());
        for (url, expected) in [(&api, shown), (&second, shown), (&other, " ")] {
            let answer = client
                .clone()
                .oneshot(get(format!("{url}/v1")))
                .await
                .unwrap();
            assert_eq!(text(answer.into_body()).await, expected, "{url}");
        }
    }
}

#[tokio::test]
async fn a_redirect_that_is_followed_above_takes_nothing_along() {
    let other = serve(echo).await;
    let target = other.clone();
    let api = serve(move |request: Request<Incoming>| {
        assert_eq!(request.headers()["x-api-key"], "hunter2");
        let mut answer = answer(307, "");
        answer
            .headers_mut()
            .insert(LOCATION, target.parse().unwrap());
        async { answer }
    })
    .await;
    let layer = AttachLayer::api_key(origin(&api), &secret()).unwrap();
    let client = layer.layer(Reqwest::new());

    // As whatever follows redirects does: the same fields go to the new place.
    let request = get(&api);
    let headers = request.headers().clone();
    let redirect = client.clone().oneshot(request).await.unwrap();
    assert_eq!(redirect.status(), 307);
    let mut next = get(redirect.headers()[LOCATION].to_str().unwrap());
    *next.headers_mut() = headers;
    let answer = client.oneshot(next).await.unwrap();
    assert_eq!(text(answer.into_body()).await, " ");
}

#[tokio::test]
async fn what_the_caller_presents_stays_and_stays_alone() {
    let api = serve(echo).await;
    for layer in [
        AttachLayer::bearer(origin(&api), &secret()),
        AttachLayer::api_key(origin(&api), &secret()),
    ] {
        let client = layer.unwrap().layer(Reqwest::new());
        for (name, expected) in [("authorization", "own "), ("x-api-key", " own")] {
            let mut request = get(&api);
            request.headers_mut().insert(name, "own".parse().unwrap());
            let answer = client.clone().oneshot(request).await.unwrap();
            assert_eq!(text(answer.into_body()).await, expected);
        }
    }
}

/// A proxy reads the fields of a CONNECT (RFC 9110 §9.3.6), and whoever answers a TRACE repeats them (§9.3.8).
#[tokio::test]
async fn methods_that_show_their_fields_to_others_have_no_credential() {
    let service = service_fn(async |request: Request<Full<Bytes>>| {
        let shown = request.headers().contains_key("authorization");
        Ok::<_, std::convert::Infallible>(Response::new(shown))
    });
    let origin: Origin = "https://api.example.com".parse().unwrap();
    let client = AttachLayer::bearer(origin, &secret())
        .unwrap()
        .layer(service);
    for (method, shown) in [("CONNECT", false), ("TRACE", false), ("OPTIONS", true)] {
        let mut request = get("https://api.example.com/v1");
        *request.method_mut() = method.parse().unwrap();
        let answer = client.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.into_body(), shown, "{method}");
    }
}

#[tokio::test]
async fn the_field_is_sensitive_and_nothing_prints_it() {
    let service = service_fn(async |request: Request<Full<Bytes>>| {
        assert!(request.headers()["authorization"].is_sensitive());
        let shown = format!("{request:?}");
        Ok::<_, std::convert::Infallible>(Response::new(shown))
    });
    let origin: Origin = "https://api.example.com".parse().unwrap();
    let layer = AttachLayer::bearer(origin, &secret()).unwrap();
    let shown = format!("{layer:?} {:#?}", layer.layer(Reqwest::new()));
    assert!(
        shown.contains("redacted") && !shown.contains("hunter2"),
        "{shown}"
    );
    let request = get("https://api.example.com/v1");
    let shown = layer.layer(service).oneshot(request).await.unwrap();
    assert!(!shown.body().contains("hunter2"), "{shown:?}");
}

#[test]
fn plain_http_has_to_be_asked_for_by_name() {
    assert_eq!(
        "http://api.example.com".parse::<Origin>(),
        Err(ConfigError::PlainHttp)
    );
    assert!(Origin::insecure_http("http://api.example.com").is_ok());
}
