//! The quickstart as its reader runs it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "also in the functions that tests share"
)]

#[path = "../../running.rs"]
mod running;

use running::Running;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

async fn check(
    client: &mut HealthClient<Channel>,
    field: Option<(&'static str, &str)>,
) -> Result<ServingStatus, Status> {
    let mut request = Request::new(HealthCheckRequest::default());
    if let Some((name, value)) = field {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    Ok(client.check(request).await?.into_inner().status())
}

fn text<'a>(metadata: &'a MetadataMap, name: &str) -> &'a str {
    metadata.get(name).unwrap().to_str().unwrap()
}

#[tokio::test]
async fn it_guards_its_service() {
    let running = Running::start(env!("CARGO_BIN_EXE_quickstart-tonic"), "Bearer", 3);
    let printed = running.printed.iter();
    let [address, key, pat, poor] = &printed.map(String::as_str).collect::<Vec<_>>()[..] else {
        panic!("an address and three credentials: {:#?}", running.printed);
    };
    let url = address.split_once(" at ").unwrap().1.to_owned();
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);

    // As they are printed.
    for (line, expected) in [
        (key, Ok(ServingStatus::Serving)),
        (pat, Ok(ServingStatus::Serving)),
        (poor, Err(Code::PermissionDenied)),
    ] {
        let (field, outcome) = line.split_once(" gets ").unwrap();
        let value = field.strip_prefix("authorization: ").unwrap();
        let answer = check(&mut client, Some(("authorization", value))).await;
        assert_eq!(answer.map_err(|status| status.code()), expected);
        assert_eq!(outcome == "OK", expected.is_ok(), "{line}");
    }
    let secret = |line: &str| line.split(' ').nth(2).unwrap().to_owned();
    let answer = check(&mut client, Some(("x-api-key", &secret(key)))).await;
    assert_eq!(answer.unwrap(), ServingStatus::Serving);

    // Refusals, as gRPC tells them.
    let refused = check(&mut client, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(refused.message(), "No credential was presented");
    let metadata = refused.metadata();
    assert_eq!(text(metadata, "gatewright-code"), "missing_bearer_token");
    assert_eq!(
        text(metadata, "www-authenticate"),
        r#"Bearer realm="health""#
    );
    assert_eq!(text(metadata, "cache-control"), "no-store");

    let refused = check(&mut client, Some(("x-api-key", "tnx_nonsense"))).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(text(refused.metadata(), "gatewright-code"), "invalid_token");

    let refused = check(&mut client, Some(("x-api-key", &secret(poor)))).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(
        refused.message(),
        "Token does not have the required scope: health.read"
    );
    let metadata = refused.metadata();
    assert_eq!(text(metadata, "gatewright-code"), "insufficient_scope");
    assert!(text(metadata, "www-authenticate").ends_with(r#"scope="health.read""#));

    // A stream is refused before it begins.
    let watch = client.watch(HealthCheckRequest::default()).await;
    assert_eq!(watch.unwrap_err().code(), Code::Unauthenticated);
}

#[test]
fn it_is_short() {
    running::assert_short(include_str!("../src/main.rs"));
}
