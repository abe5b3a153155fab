//! What holds of every input.

use gatewright_core::jwt::{
    AccessTokenClaims, Algorithm, KeySet, ScopeClaim, SigningKey, TypRule, VerifyingKey,
    insecure_unverified_issuer,
};
use proptest::prelude::*;

use crate::jwt_forge::{AUDIENCE, CLAIMS, Forge, HEADER, ISSUER, NOW, rules};

proptest! {
    #[test]
    fn verification_is_total(token in ".{0,80}", segments in prop::collection::vec("[A-Za-z0-9_=-]{0,40}", 0..5)) {
        let forge = Forge::new();
        let verifier = rules().build().unwrap();
        prop_assert!(verifier.verify(&token, &forge.keys, NOW).is_err());
        prop_assert!(verifier.verify(&segments.join("."), &forge.keys, NOW).is_err());
        prop_assert_eq!(insecure_unverified_issuer(&token), None);
    }

    #[test]
    fn signed_rubbish_is_refused(header in prop::collection::vec(any::<u8>(), 0..60), payload in prop::collection::vec(any::<u8>(), 0..60)) {
        let forge = Forge::new();
        let verifier = rules().typ(TypRule::Any).build().unwrap();
        prop_assert!(verifier.verify(&forge.sign(header, CLAIMS), &forge.keys, NOW).is_err());
        prop_assert!(verifier.verify(&forge.sign(HEADER, payload), &forge.keys, NOW).is_err());
    }

    #[test]
    fn keys_of_any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..80), n in "[A-Za-z0-9_-]{0,400}", e in "[A-Za-z0-9_-]{0,8}") {
        let _ = KeySet::from_jwks(&bytes);
        let _ = VerifyingKey::from_jwk(&bytes);
        let _ = VerifyingKey::from_jwk(format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#));
        let _ = VerifyingKey::from_jwk(format!(r#"{{"kty":"EC","crv":"P-256","x":"{e}","y":"{n}"}}"#));
        let _ = SigningKey::from_pkcs8_der(Algorithm::Es256, &bytes);
    }

    #[test]
    fn what_was_signed_is_what_is_read(
        sub in ".{1,20}", jti in ".{1,20}", sid in ".{1,20}", tenant in ".{1,20}", scope in ".{0,20}",
        epoch in any::<u64>(), life in 1..10_000_u64,
    ) {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let written = AccessTokenClaims::new(ISSUER, &sub, "first", "app", &jti, NOW, NOW + life)
            .with_audience(AUDIENCE)
            .with_audience("third")
            .with_epoch(epoch)
            .with_session_id(&sid)
            .with_tenant(&tenant)
            .with_scope(&scope);
        let token = key.sign("at+jwt", &written).unwrap();
        let keys = KeySet::from_keys([key.verifying_key()]).unwrap();
        let verifier = rules().rfc9068().private_claims().build().unwrap();
        let read = verifier.verify(&token, &keys, NOW).unwrap();
        prop_assert_eq!(read.subject(), Some(&*sub));
        prop_assert_eq!(read.jti(), Some(&*jti));
        prop_assert_eq!(read.session_id(), Some(&*sid));
        prop_assert_eq!(read.tenant(), Some(&*tenant));
        prop_assert_eq!(read.epoch(), Some(epoch));
        prop_assert_eq!(read.scope(), &ScopeClaim::Text(scope));
        prop_assert_eq!(read.client_id(), Some("app"));
        prop_assert_eq!(read.audiences().collect::<Vec<_>>(), ["first", AUDIENCE, "third"]);
        prop_assert_eq!((read.issued_at(), read.expires_at()), (Some(NOW), NOW + life));
        prop_assert!(verifier.verify(&token, &keys, NOW + life).is_err());
        let claimed = insecure_unverified_issuer(&token);
        prop_assert_eq!(claimed.as_deref(), Some(ISSUER));
    }
}

/// The decoded payload is all that is kept, and nothing else is allocated.
#[test]
fn verification_allocates_little() {
    let forge = Forge::new();
    let verifier = rules().rfc9068().build().unwrap();
    let token = forge.sign(HEADER, CLAIMS);
    let verify = || drop(verifier.verify(&token, &forge.keys, NOW));
    verify();
    let info = allocation_counter::measure(verify);
    assert_eq!(info.count_total, 1);
}

/// Every bit of every byte of a token counts, for a scheme of each kind.
#[test]
fn a_token_with_one_bit_changed_is_refused() {
    let keys = [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::EdDsa,
    ]
    .map(|algorithm| SigningKey::generate(algorithm).unwrap());
    for key in keys
        .into_iter()
        .chain([SigningKey::hmac("s", &[3; 32]).unwrap()])
    {
        let claims = AccessTokenClaims::new(ISSUER, "u", AUDIENCE, "app", "j", NOW, NOW + 10);
        let token = key.sign("at+jwt", &claims).unwrap();
        let keys = KeySet::from_keys([key.verifying_key()]).unwrap();
        let verifier = rules().algorithms([key.algorithm()]).build().unwrap();
        assert!(verifier.verify(&token, &keys, NOW).is_ok());
        for at in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(
                    verifier.verify(&changed, &keys, NOW).is_err(),
                    "{} {at} {bit}",
                    key.algorithm()
                );
            }
        }
    }
}
