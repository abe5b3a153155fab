//! Tokens of OAuth clients, verified by libraries of others.

use crate::gateway::Gateway;
use crate::libraries::{LIBRARIES, verify};

#[tokio::test]
async fn libraries_of_others_verify_our_tokens_against_our_keys() {
    let gateway = Gateway::start();
    let base = &gateway.server.base;
    let jwks = format!("{base}/.well-known/jwks.json");
    let token = gateway.token().await;
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
