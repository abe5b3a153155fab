//! Pages of other origins.

use std::convert::Infallible;

use bytes::Bytes;
use gatewright_core::cors::Cors;
use gatewright_core::error::ErrorCode;
use gatewright_core::policy::{Policy, Realm};
use gatewright_tower::{GateLayer, HandlerRefusal};
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::authority;

const APP: &str = "https://app.example";

async fn serve(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("served"));
    response
        .headers_mut()
        .insert("vary", "accept".parse().unwrap());
    if request.uri().path() == "/taken" {
        let refusal = HandlerRefusal::new(ErrorCode::Conflict.into());
        response.extensions_mut().insert(refusal);
    }
    Ok(response)
}

async fn call(
    service: impl Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> Response<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    service.oneshot(request.body(()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_preflight_needs_no_credential_and_every_answer_can_be_read() {
    let authority = authority().await;
    let realm = Realm::builder("api")
        .cors(Cors::origins([APP]).build().unwrap())
        .build();
    let gate = authority.gate().clone();
    let policy = gate.compile(&Policy::api_key(), &realm).unwrap();
    let service = GateLayer::new(gate, policy).layer(service_fn(serve));
    let key = authority.key("creator", "links.read").await;

    let asks = ("access-control-request-method", "PUT");
    let preflight = call(service.clone(), "OPTIONS", "/", &[("origin", APP), asks]).await;
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], APP);
    assert!(
        preflight
            .headers()
            .contains_key("access-control-allow-methods")
    );

    // What was refused: before the handler and by it.
    for (path, key, status) in [
        ("/", None, 401),
        ("/", Some("tnx_x"), 401),
        ("/taken", Some(&*key), 409),
    ] {
        let mut fields = vec![("origin", APP)];
        fields.extend(key.map(|key| ("x-api-key", key)));
        let refused = call(service.clone(), "GET", path, &fields).await;
        assert_eq!(refused.status(), status);
        assert_eq!(refused.headers()["access-control-allow-origin"], APP);
        assert_eq!(
            refused.headers().contains_key("www-authenticate"),
            status == 401
        );
    }
    let served = call(
        service.clone(),
        "GET",
        "/",
        &[("origin", APP), ("x-api-key", &key)],
    )
    .await;
    assert_eq!(served.headers()["access-control-allow-origin"], APP);
    let varies: Vec<_> = served.headers().get_all("vary").iter().collect();
    assert_eq!(varies, ["accept", "origin"]);

    let foreign = [("origin", "https://evil.example"), asks];
    let preflight = call(service.clone(), "OPTIONS", "/", &foreign).await;
    assert_eq!(preflight.status(), 204);
    let told = preflight
        .headers()
        .keys()
        .any(|name| name.as_str().starts_with("access-control"));
    assert!(!told);

    // What is no preflight is a request like others.
    let options = call(service, "OPTIONS", "/", &[("origin", APP)]).await;
    assert_eq!(options.status(), 401);
}
