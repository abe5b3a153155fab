//! The peers: where their results are, and how they were configured.

/// A crate beside ours.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its name on crates.io.
    pub name: &'static str,
    /// How the names of its benchmarks begin.
    pub bench: &'static str,
    /// How it was configured.
    pub configured: &'static str,
    /// Whether it takes tokens by a shared secret.
    pub shares_secrets: bool,
}

/// The algorithms that tokens are signed with: in the names of benchmarks, and in words.
pub const ALGORITHMS: [(&str, &str); 4] = [
    ("hs256", "HS256"),
    ("rs256", "RS256"),
    ("es256", "ES256"),
    ("eddsa", "EdDSA"),
];

const fn peer(name: &'static str, bench: &'static str, configured: &'static str) -> Peer {
    Peer {
        name,
        bench,
        configured,
        shares_secrets: true,
    }
}

/// Refuses shared secrets for access tokens, on purpose.
const fn without_hs256(name: &'static str, bench: &'static str, configured: &'static str) -> Peer {
    Peer {
        shares_secrets: false,
        ..peer(name, bench, configured)
    }
}

/// Who verifies signed tokens.
pub const TOKENS: &[Peer] = &[
    peer(
        "jsonwebtoken",
        "jsonwebtoken",
        "over aws-lc-rs; one `DecodingKey` and one `Validation` made once; claims into a struct",
    ),
    peer(
        "jwt-simple",
        "jwt_simple",
        if cfg!(feature = "boringssl") {
            "its default back end, BoringSSL; a key parsed once; `VerificationOptions` with issuer, audience and `typ`"
        } else {
            "its back end in Rust (feature `pure-rust`): the default, BoringSSL, is built with cmake and libclang, which a run \
             should not need; a key parsed once; `VerificationOptions` with issuer, audience and `typ`"
        },
    ),
    peer(
        "jwt-authorizer",
        "jwt_authorizer",
        "`jsonwebtoken` 9 over ring; an `Authorizer` from a key set in memory, no refresh; `check_auth`",
    ),
    without_hs256(
        "oauth-resource-server",
        "oauth_resource_server",
        "`jsonwebtoken` 9 over ring; an `OAuthValidator` with its key set in memory, `typ` and a scope required; `validate`",
    ),
    without_hs256(
        "huskarl-resource-server",
        "huskarl",
        "its native verifiers (RustCrypto); an `Rfc9068Validator` whose key set comes from memory; `validate_request`",
    ),
];

/// Who verifies opaque keys.
pub const KEYS: &[Peer] = &[
    peer(
        "prefixed-api-key",
        "prefixed_api_key",
        "`seam_defaults`; the text is parsed, then `check_hash`; the record is at hand",
    ),
    peer(
        "api-keys-simplified",
        "api_keys_simplified",
        "`init_default_config`; the record is at hand",
    ),
    peer(
        "argon2",
        "argon2_verify",
        "its default, which is also Gatewright's: 19 MiB, two passes, one lane",
    ),
];

/// Who guards inside a framework, and who limits.
pub const MIDDLEWARE: &[Peer] = &[
    peer(
        "axum-jwt-auth",
        "axum_jwt_auth",
        "the extractor `Claims` over a `LocalDecoder`, which is `jsonwebtoken` 10 over RustCrypto",
    ),
    peer(
        "actix-web-httpauth",
        "actix_httpauth",
        "`HttpAuthentication::bearer`, whose validator decodes with `jsonwebtoken` 11 over aws-lc-rs",
    ),
    peer(
        "governor",
        "governor_check",
        "a keyed limiter over its default store and clock; `check_key`",
    ),
];
