//! Tokens of OAuth clients: got as the gateway's document shows it, and verified by libraries of others.

use crate::gateway::Gateway;
use crate::libraries::{LIBRARIES, verify};
use crate::shell::curl;

/// The document's block, with the host and the placeholders replaced and nothing else.
fn exchanged(gateway: &Gateway) -> String {
    let mut line = r#"curl -X POST https://gateway.apexmcp.ai/oauth/token \
  -H "Content-Type: application/x-www-form-urlencoded" \
  -d "grant_type=client_credentials" \
  -d "client_id=apx_client_xxxxxxxx" \
  -d "client_secret=apx_secret_xxxxxxxxxxxxxxxxxxxxxxxx" \
  -d "scope=mcp:call""#
        .to_owned();
    for (placeholder, value) in [
        ("https://gateway.apexmcp.ai", gateway.server.base.as_str()),
        ("apx_client_xxxxxxxx", gateway.demo("client_id")),
        (
            "apx_secret_xxxxxxxxxxxxxxxxxxxxxxxx",
            gateway.demo("client_secret"),
        ),
    ] {
        line = line.replace(placeholder, value);
    }
    let granted = curl(&line, &[], gateway.directory.path());
    assert_eq!(granted.status, 200, "{granted:?}");
    let granted = granted.json();
    // What the document shows of the answer.
    assert_eq!(granted["token_type"], "Bearer");
    assert_eq!(granted["expires_in"], 3600);
    assert_eq!(granted["scope"], "mcp:call");
    assert_eq!(granted.as_object().unwrap().len(), 4);
    granted["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn libraries_of_others_verify_our_tokens_against_our_keys() {
    let gateway = Gateway::start();
    let base = &gateway.server.base;
    let jwks = format!("{base}/.well-known/jwks.json");
    let token = exchanged(&gateway);
    // The last character of a signature holds four bits of it: another one there may be the same signature.
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let changed = format!("{rest}.{other}{}", &signature[1..]);
    for library in LIBRARIES {
        let claims = verify(library, &jwks, base, &gateway.url(), &token).unwrap();
        assert_eq!(claims["client_id"], gateway.demo("client_id"), "{library}");
        assert_eq!(claims["sub"], claims["client_id"], "{library}");
        for (issuer, audience, token, reason) in [
            (base.as_str(), gateway.url(), &changed, "Signature"),
            (base, format!("{base}/mcp/another"), &token, "aud"),
            ("https://elsewhere.test", gateway.url(), &token, "iss"),
        ] {
            let refused = verify(library, &jwks, issuer, &audience, token).unwrap_err();
            let refused = refused.to_lowercase();
            assert!(
                refused.contains(&reason.to_lowercase()),
                "{library}: {refused}"
            );
        }
    }
}
