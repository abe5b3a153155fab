//! Tokens that must be refused, by the one rule that each breaks.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use gatewright_core::error::ErrorCode;
use gatewright_core::time::Timestamp;
use serde_json::{Map, Value, json};

use super::draft::{Draft, Signer, encode};
use super::keys::TestKeys;

const ATTACKER: &str = "https://attacker.example";

macro_rules! broken {
    ($($(#[$doc:meta])* $variant:ident = $rule:literal;)*) => {
        /// A rule that a token breaks, while it keeps all others: what it is refused for is this.
        ///
        /// ```
        /// use gatewright_core::principal::TenantKind;
        /// use gatewright_testing::{Broken, TestAuthority};
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() {
        /// let authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
        /// for broken in Broken::ALL {
        ///     let token = authority.token("usr_1").broken(*broken).sign();
        ///     // The service answers 401 and `broken.code()` to this one, or else `broken.rule()` does not hold there.
        /// #   assert!(!token.is_empty());
        /// }
        /// # }
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Broken {
            $($(#[$doc])* #[doc = concat!("\n\n", $rule, ".")] $variant,)*
        }

        impl Broken {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The rule that the token breaks, and where it stands.
            #[must_use]
            pub const fn rule(self) -> &'static str {
                match self {
                    $(Self::$variant => $rule,)*
                }
            }
        }
    };
}

broken! {
    /// `alg` is `none`, and the signature is empty.
    AlgorithmNone = "RFC 8725 §3.2: an unsecured token is not accepted";
    /// `alg` is `nOnE`, and the signature is empty.
    AlgorithmNoneMixedCase = "RFC 8725 §3.2: an unsecured token is not accepted, in no spelling";
    /// `alg` is `none`, and there is a signature all the same.
    AlgorithmNoneSigned = "RFC 8725 §3.1: only an algorithm that is allowed is used";
    /// There is no `alg`.
    AlgorithmMissing = "RFC 7515 §4.1.1: `alg` is there";
    /// `alg` is written in the wrong case.
    AlgorithmCase = "RFC 7515 §4.1.1: the name of an algorithm is case-sensitive";
    /// `alg` is `HS256`; the secret is the text of the public key, as a file would hold it.
    HmacWithPublicKeyPem = "RFC 8725 §3.1: a key is used with its own algorithm, never as a secret";
    /// `alg` is `HS256`; the secret is the public key in DER.
    HmacWithPublicKeyDer = "RFC 8725 §3.1: a public key in DER is no secret either";
    /// `alg` is `HS256`, and the secret is empty.
    HmacWithEmptyKey = "RFC 8725 §3.5: an empty secret keys nothing";
    /// Signed by another key under our `kid`.
    ForeignKey = "RFC 7515 §5.2: the signature holds under the key that is trusted";
    /// Signed by our key under a `kid` that nobody published.
    UnknownKid = "RFC 8725 §3.10: a `kid` is only compared with those of trusted keys";
    /// Signed by another key, which the header brings along as `jwk`.
    EmbeddedJwk = "RFC 8725 §3.10: a key that a token brings along is not trusted";
    /// Signed by another key, which the header refers to by `jku`.
    RemoteJku = "RFC 8725 §3.10: `jku` is not followed";
    /// Signed by another key, whose certificate the header refers to by `x5u`.
    RemoteX5u = "RFC 7515 §4.1.5: `x5u` is not followed to keys that are not trusted";
    /// `crit` names an extension that nobody knows.
    CriticalHeader = "RFC 7515 §4.1.11: a critical extension is understood, or the token refused";
    /// The header names `alg` twice.
    DuplicateHeaderMember = "RFC 7515 §4: the header names each member once";
    /// `typ` is that of a logout token.
    WrongType = "RFC 9068 §4: `typ` is `at+jwt`";
    /// There is no `typ`.
    MissingType = "RFC 8725 §3.11: a token says of what type it is";
    /// An ID token: `typ` is `JWT`, and it holds a `nonce`.
    IdToken = "RFC 8725 §3.12: tokens of different kinds are not taken for each other";
    /// `iss` is somebody else.
    WrongIssuer = "RFC 9068 §4: `iss` is the issuer whose keys are used";
    /// `iss` is the issuer with a slash at its end.
    IssuerWithSlash = "RFC 9068 §4: `iss` is exactly the issuer";
    /// `iss` is an array of the issuer.
    ArrayIssuer = "RFC 7519 §4.1.1: `iss` is a string";
    /// There is no `iss`.
    MissingIssuer = "RFC 9068 §2.2: `iss` is there";
    /// `aud` is another service.
    WrongAudience = "RFC 8725 §3.9: a token for somebody else is refused";
    /// `aud` begins with the audience, and goes on.
    LongerAudience = "RFC 7519 §4.1.3: an audience matches as a whole";
    /// `aud` is an empty array.
    EmptyAudience = "RFC 7519 §4.1.3: one of `aud` is ours";
    /// `aud` is an array of the audience and a number.
    AudienceNotString = "RFC 7519 §4.1.3: `aud` holds strings alone";
    /// There is no `aud`.
    MissingAudience = "RFC 8725 §3.9: `aud` is there";
    /// `exp` was an hour ago.
    Expired = "RFC 7519 §4.1.4: not to be accepted on or after `exp`";
    /// `exp` is a string of digits.
    ExpiryAsText = "RFC 7519 §4.1.4: `exp` is a number";
    /// There is no `exp`.
    MissingExpiry = "RFC 9068 §2.2: `exp` is there";
    /// `nbf` is in an hour.
    NotYetValid = "RFC 7519 §4.1.5: not to be accepted before `nbf`";
    /// `nbf` is a string of digits.
    NotBeforeAsText = "RFC 7519 §4.1.5: `nbf` is a number";
    /// There is no `sub`.
    MissingSubject = "RFC 9068 §2.2: `sub` is there";
    /// `sub` is a number.
    SubjectNotString = "RFC 7519 §4.1.2: `sub` is a string";
    /// The payload names `sub` twice.
    DuplicateMember = "RFC 7519 §4: the payload names each claim once";
    /// A string of the payload holds a byte that is not UTF-8.
    NotUtf8Payload = "RFC 7519 §7.2: the payload is UTF-8";
    /// The payload is an array of the claims.
    PayloadNotObject = "RFC 7519 §7.2: the payload is a JSON object";
    /// `scope` was raised after the token was signed.
    TamperedPayload = "RFC 7515 §5.2: the signature is over what the token says";
    /// The signature is there but for its last byte.
    TruncatedSignature = "RFC 7515 §5.2: the signature is whole";
    /// The signature is empty.
    EmptySignature = "RFC 7515 §5.2: there is a signature";
    /// The second dot and the signature are missing.
    MissingSignature = "RFC 7515 §7.1: a token has three segments";
    /// A fourth segment follows.
    ExtraSegment = "RFC 7515 §7.1: a token has no more than three segments";
    /// The payload's segment ends in `=`, and was signed so.
    PaddedSegment = "RFC 7515 §2: base64url is written without padding";
    /// The payload's segment ends in bits that mean nothing and are not 0, and was signed so.
    TrailingBits = "RFC 4648 §3.5: the bits after the last byte are 0";
    /// The payload's segment is in the alphabet with `+` and `/`, and was signed so.
    StandardAlphabet = "RFC 7515 §2: base64url has `-` and `_` in its alphabet";
}

impl Broken {
    /// What the caller is told: [`ErrorCode::TokenExpired`] or [`ErrorCode::InvalidToken`].
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Expired => ErrorCode::TokenExpired,
            _ => ErrorCode::InvalidToken,
        }
    }

    pub(super) fn edit(self, draft: &mut Draft, keys: &TestKeys, now: Timestamp) {
        match self {
            Self::AlgorithmNone => {
                set(&mut draft.header, "alg", "none");
                draft.signer = Signer::Nobody;
            }
            Self::AlgorithmNoneMixedCase => {
                set(&mut draft.header, "alg", "nOnE");
                draft.signer = Signer::Nobody;
            }
            Self::AlgorithmNoneSigned => set(&mut draft.header, "alg", "none"),
            Self::AlgorithmMissing => unset(&mut draft.header, "alg"),
            Self::AlgorithmCase => {
                let name = keys.algorithm().as_str().to_ascii_lowercase();
                set(&mut draft.header, "alg", name);
            }
            Self::HmacWithPublicKeyPem => hmac(draft, keys.active().public_pem().into_bytes()),
            Self::HmacWithPublicKeyDer => hmac(draft, keys.active().public_der()),
            Self::HmacWithEmptyKey => hmac(draft, Vec::new()),
            Self::ForeignKey => draft.signer = Signer::Key(keys.foreign()),
            Self::UnknownKid => set(&mut draft.header, "kid", "unknown"),
            Self::EmbeddedJwk => {
                let jwk = keys.foreign().jwk();
                foreign(draft, keys, "jwk", jwk);
            }
            Self::RemoteJku => foreign(draft, keys, "jku", format!("{ATTACKER}/jwks.json").into()),
            Self::RemoteX5u => foreign(draft, keys, "x5u", format!("{ATTACKER}/x5u.pem").into()),
            Self::CriticalHeader => {
                let extension = "https://attacker.example/extension";
                set(&mut draft.header, "crit", json!([extension]));
                set(&mut draft.header, extension, true);
            }
            Self::DuplicateHeaderMember => {
                draft.bend_header = |json| with_first(br#""alg":"none""#, &json);
            }
            Self::WrongType => set(&mut draft.header, "typ", "logout+jwt"),
            Self::MissingType => unset(&mut draft.header, "typ"),
            Self::IdToken => {
                set(&mut draft.header, "typ", "JWT");
                set(&mut draft.claims, "nonce", "n-0S6_WzA2Mj");
            }
            Self::WrongIssuer => set(&mut draft.claims, "iss", ATTACKER),
            Self::IssuerWithSlash => {
                let issuer = text(&draft.claims, "iss") + "/";
                set(&mut draft.claims, "iss", issuer);
            }
            Self::ArrayIssuer => {
                let issuer = json!([draft.claims.get("iss")]);
                set(&mut draft.claims, "iss", issuer);
            }
            Self::MissingIssuer => unset(&mut draft.claims, "iss"),
            Self::WrongAudience => set(&mut draft.claims, "aud", ATTACKER),
            Self::LongerAudience => {
                let audience = text(&draft.claims, "aud") + ".attacker.example";
                set(&mut draft.claims, "aud", audience);
            }
            Self::EmptyAudience => set(&mut draft.claims, "aud", json!([])),
            Self::AudienceNotString => {
                let audience = json!([text(&draft.claims, "aud"), 1]);
                set(&mut draft.claims, "aud", audience);
            }
            Self::MissingAudience => unset(&mut draft.claims, "aud"),
            Self::Expired => {
                set(&mut draft.claims, "iat", now.saturating_sub(2 * HOUR));
                set(&mut draft.claims, "exp", now.saturating_sub(HOUR));
            }
            Self::ExpiryAsText => set(
                &mut draft.claims,
                "exp",
                now.saturating_add(HOUR).to_string(),
            ),
            Self::MissingExpiry => unset(&mut draft.claims, "exp"),
            Self::NotYetValid => {
                set(&mut draft.claims, "nbf", now.saturating_add(HOUR));
                set(&mut draft.claims, "exp", now.saturating_add(2 * HOUR));
            }
            Self::NotBeforeAsText => set(&mut draft.claims, "nbf", now.to_string()),
            Self::MissingSubject => unset(&mut draft.claims, "sub"),
            Self::SubjectNotString => set(&mut draft.claims, "sub", 1),
            Self::DuplicateMember => {
                draft.bend_payload = |json| with_first(br#""sub":"somebody_else""#, &json);
            }
            Self::NotUtf8Payload => {
                draft.bend_payload = |json| with_first(b"\"not_utf8\":\"\xff\"", &json);
            }
            Self::PayloadNotObject => {
                draft.bend_payload = |json| [b"[", json.as_slice(), b"]"].concat();
            }
            Self::TamperedPayload => draft.swap_payload = |segment| raised(&segment),
            Self::TruncatedSignature => {
                draft.bend_signature = |mut signature| {
                    signature.pop();
                    signature
                };
            }
            Self::EmptySignature => draft.signer = Signer::Nobody,
            Self::MissingSignature => {
                draft.finish = |token| {
                    let end = token.rfind('.').unwrap_or_default();
                    token[..end].to_owned()
                };
            }
            Self::ExtraSegment => draft.finish = |token| token + ".e30",
            Self::PaddedSegment => {
                draft.bend_payload = with_one_left;
                draft.encode_payload = |json| URL_SAFE.encode(json);
            }
            Self::TrailingBits => {
                draft.bend_payload = with_one_left;
                draft.encode_payload = |json| next_last(&encode(json));
            }
            Self::StandardAlphabet => {
                // Five of them fill at least one group of three bytes, whose last six bits are all 1.
                set(&mut draft.claims, "slashes", "?????");
                draft.encode_payload = |json| STANDARD_NO_PAD.encode(json);
            }
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule())
    }
}

const HOUR: Timestamp = 3600;

fn set(members: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    members.insert(name.to_owned(), value.into());
}

fn unset(members: &mut Map<String, Value>, name: &str) {
    members.remove(name);
}

/// The first string under the name: a token may have been given an array of audiences.
fn text(members: &Map<String, Value>, name: &str) -> String {
    let value = members.get(name);
    let first = value.and_then(|value| value.get(0).or(Some(value)));
    first.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn hmac(draft: &mut Draft, secret: Vec<u8>) {
    set(&mut draft.header, "alg", "HS256");
    draft.signer = Signer::Hmac(secret);
}

/// Has another key sign, and the header say under `name` where to find it.
fn foreign(draft: &mut Draft, keys: &TestKeys, name: &str, value: Value) {
    let key = keys.foreign();
    set(&mut draft.header, "kid", key.kid());
    set(&mut draft.header, name, value);
    draft.signer = Signer::Key(key);
}

/// The object with one more member in front.
fn with_first(member: &[u8], json: &[u8]) -> Vec<u8> {
    let rest = json.strip_prefix(b"{").unwrap_or(json);
    [b"{", member, b",", rest].concat()
}

/// White space after the object until a last group of one byte is left, which base64 writes with four bits to spare.
fn with_one_left(mut json: Vec<u8>) -> Vec<u8> {
    while json.len() % 3 != 1 {
        json.push(b' ');
    }
    json
}

/// The segment with the lowest of its spare bits set.
fn next_last(segment: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (before, last) = segment.split_at(segment.len().saturating_sub(1));
    let place = ALPHABET
        .iter()
        .position(|character| last.as_bytes() == [*character])
        .unwrap();
    format!("{before}{}", char::from(ALPHABET[place | 1]))
}

/// The claims with every scope beside those that they had.
fn raised(segment: &str) -> String {
    let json = URL_SAFE_NO_PAD.decode(segment).unwrap();
    let mut claims: Value = serde_json::from_slice(&json).unwrap();
    let scope = claims["scope"].as_str().unwrap_or_default();
    claims["scope"] = format!("{scope} *").trim_start().into();
    encode(claims.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gatewright_core::jwt::{Algorithm, KeySet, Verifier, VerifyingKey};
    use gatewright_core::time::Clock;

    use super::*;
    use crate::{FakeClock, TokenBuilder};

    /// The attack is a real one: whoever takes the public key for a secret accepts the token.
    #[test]
    fn a_public_key_taken_for_a_secret_verifies() {
        let keys = TestKeys::new(Algorithm::Rs256);
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::at(1_000));
        let token = TokenBuilder::new(&keys, &clock, "issuer", "audience", "usr_1");
        let verifier = Verifier::builder("issuer", "audience")
            .algorithms([Algorithm::Hs256])
            .build()
            .unwrap();
        let key = keys.active();
        for (broken, secret) in [
            (Broken::HmacWithPublicKeyPem, key.public_pem().into_bytes()),
            (Broken::HmacWithPublicKeyDer, key.public_der()),
        ] {
            let secret = VerifyingKey::hmac(Some(key.kid()), &secret).unwrap();
            let secret = KeySet::from_keys([secret]).unwrap();
            let text = token.clone().broken(broken).sign();
            assert!(verifier.verify(&text, &secret, 1_000).is_ok(), "{broken:?}");
        }
    }
}
