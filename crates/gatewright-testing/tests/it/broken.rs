//! Every broken token is refused for the rule that it names, and for no other.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use gatewright_core::jwt::{Algorithm, ClaimName, JwtError, Verifier, VerifyingKey};
use gatewright_testing::{Broken, TestAuthority, TokenBuilder};

use crate::{anyone, ask, quick};

/// What the verifier finds. A claim is looked at only after the signature held, so an error about one says that all before
/// it was right.
fn found(broken: Broken) -> JwtError {
    use Broken as B;
    match broken {
        B::AlgorithmNone
        | B::AlgorithmNoneMixedCase
        | B::EmptySignature
        | B::MissingSignature
        | B::ExtraSegment
        | B::PaddedSegment
        | B::TrailingBits
        | B::StandardAlphabet => JwtError::Malformed,
        B::AlgorithmNoneSigned
        | B::AlgorithmCase
        | B::HmacWithPublicKeyPem
        | B::HmacWithPublicKeyDer
        | B::HmacWithEmptyKey => JwtError::Algorithm,
        B::AlgorithmMissing => JwtError::Header,
        B::ForeignKey | B::TamperedPayload | B::TruncatedSignature => JwtError::Signature,
        B::UnknownKid => JwtError::UnknownKey,
        B::EmbeddedJwk | B::RemoteJku | B::RemoteX5u | B::CriticalHeader => {
            JwtError::ForbiddenHeader
        }
        B::DuplicateHeaderMember | B::DuplicateMember => JwtError::DuplicateMember,
        B::WrongType | B::MissingType | B::IdToken => JwtError::Type,
        B::WrongIssuer | B::IssuerWithSlash => JwtError::Issuer,
        B::ArrayIssuer => JwtError::MalformedClaim(ClaimName::Issuer),
        B::MissingIssuer => JwtError::MissingClaim(ClaimName::Issuer),
        B::WrongAudience | B::LongerAudience | B::EmptyAudience => JwtError::Audience,
        B::AudienceNotString => JwtError::MalformedClaim(ClaimName::Audience),
        B::MissingAudience => JwtError::MissingClaim(ClaimName::Audience),
        B::Expired => JwtError::Expired,
        B::ExpiryAsText => JwtError::MalformedClaim(ClaimName::ExpiresAt),
        B::MissingExpiry => JwtError::MissingClaim(ClaimName::ExpiresAt),
        B::NotYetValid => JwtError::NotYetValid,
        B::NotBeforeAsText => JwtError::MalformedClaim(ClaimName::NotBefore),
        B::MissingSubject => JwtError::MissingClaim(ClaimName::Subject),
        B::SubjectNotString => JwtError::MalformedClaim(ClaimName::Subject),
        B::NotUtf8Payload | B::PayloadNotObject => JwtError::Payload,
        _ => panic!("{broken:?} has no row here"),
    }
}

async fn of(algorithm: Algorithm) -> TestAuthority {
    let (builder, _) = quick();
    builder.algorithm(algorithm).build().await
}

#[tokio::test]
async fn each_is_refused_at_the_gate_and_the_whole_one_passes() {
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ] {
        let authority = of(algorithm).await;
        let policy = anyone(&authority);
        let token = || authority.token("usr_1").tenant("acme").scope("links.read");
        for broken in Broken::ALL {
            let text = token().broken(*broken).sign();
            assert!(
                text.bytes().all(|byte| byte.is_ascii_graphic()),
                "{broken:?} can be sent"
            );
            let refused = ask(&authority, &policy, &text).await;
            refused
                .map(drop)
                .expect_err(broken.rule())
                .assert_code(broken.code())
                .assert_challenge("Bearer", |challenge| {
                    assert_eq!(challenge.param("error"), Some("invalid_token"));
                })
                .assert_not_stored()
                .assert_hides(&text);
            let whole = ask(&authority, &policy, &token().sign()).await;
            assert!(whole.is_ok(), "{algorithm}: {whole:?}");
        }
    }
}

#[tokio::test]
async fn each_breaks_the_rule_that_it_names_and_no_other() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps384, Algorithm::EdDsa] {
        let authority = of(algorithm).await;
        let verifier = Verifier::builder(authority.issuer(), authority.audience())
            .algorithms([algorithm])
            .rfc9068()
            .build()
            .unwrap();
        let now = authority.gate().clock().now();
        let keys = authority.keys().load();
        let shapes: [fn(TokenBuilder<'_>) -> TokenBuilder<'_>; 3] = [
            |token| token,
            |token| token.audiences(["https://api.example", "https://b.example"]),
            |token| token.scope("*").claim("many", vec![1, 2, 3]),
        ];
        for shape in shapes {
            for broken in Broken::ALL {
                let text = shape(authority.token("usr_1")).broken(*broken).sign();
                let error = verifier.verify(&text, &keys, now).unwrap_err();
                assert_eq!(error, found(*broken), "{broken:?} with {algorithm}");
            }
            let whole = shape(authority.token("usr_1")).sign();
            assert!(verifier.verify(&whole, &keys, now).is_ok());
        }
    }
}

/// Whether the last segment is a signature of what stands before it, as the key says.
fn is_signed_with(key: &VerifyingKey, token: &str) -> bool {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    key.verify(signed.as_bytes(), &signature)
}

/// What is wrong in these stands under a signature that holds, so that nothing else refuses them.
#[tokio::test]
async fn what_is_written_wrongly_was_signed_so() {
    let authority = of(Algorithm::Es256).await;
    let keys = authority.keys().load();
    let key = keys.iter().next().unwrap();
    for broken in [
        Broken::AlgorithmNoneSigned,
        Broken::AlgorithmMissing,
        Broken::AlgorithmCase,
        Broken::UnknownKid,
        Broken::CriticalHeader,
        Broken::DuplicateHeaderMember,
        Broken::WrongType,
        Broken::MissingType,
        Broken::IdToken,
        Broken::DuplicateMember,
        Broken::NotUtf8Payload,
        Broken::PayloadNotObject,
        Broken::PaddedSegment,
        Broken::TrailingBits,
        Broken::StandardAlphabet,
    ] {
        let token = authority.token("usr_1").broken(broken).sign();
        assert!(is_signed_with(key, &token), "{broken:?}");
    }
    for broken in [Broken::ForeignKey, Broken::TamperedPayload] {
        let token = authority.token("usr_1").broken(broken).sign();
        assert!(!is_signed_with(key, &token), "{broken:?}");
    }
}

/// Whoever decodes leniently reads the claims that were meant.
#[tokio::test]
async fn what_is_encoded_wrongly_is_read_by_a_lenient_decoder() {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let url_safe = GeneralPurpose::new(&URL_SAFE, lenient);
    let standard = GeneralPurpose::new(&STANDARD, lenient);
    let authority = of(Algorithm::EdDsa).await;
    for (broken, engine) in [
        (Broken::PaddedSegment, &url_safe),
        (Broken::TrailingBits, &url_safe),
        (Broken::StandardAlphabet, &standard),
    ] {
        let token = authority.token("usr_1").broken(broken).sign();
        let payload = token.split('.').nth(1).unwrap();
        assert!(URL_SAFE_NO_PAD.decode(payload).is_err(), "{broken:?}");
        let claims: serde_json::Value =
            serde_json::from_slice(&engine.decode(payload).unwrap()).unwrap();
        assert_eq!(claims["sub"], "usr_1", "{broken:?}");
    }
}

/// Whoever trusts the key that the token brings along finds it signed well.
#[tokio::test]
async fn an_embedded_key_is_the_one_that_signed() {
    let authority = of(Algorithm::Es256).await;
    let token = authority.token("usr_1").broken(Broken::EmbeddedJwk).sign();
    let header = URL_SAFE_NO_PAD
        .decode(token.split('.').next().unwrap())
        .unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    let key = VerifyingKey::from_jwk(header["jwk"].to_string()).unwrap();
    assert_eq!(key.kid(), header["kid"].as_str());
    assert!(is_signed_with(&key, &token));
}

#[test]
fn rules_are_told_apart_and_name_their_source() {
    let mut rules: Vec<_> = Broken::ALL.iter().map(|broken| broken.rule()).collect();
    assert!(
        rules
            .iter()
            .all(|rule| rule.starts_with("RFC ") && rule.contains('§'))
    );
    rules.sort_unstable();
    rules.dedup();
    assert_eq!(rules.len(), Broken::ALL.len());
}
