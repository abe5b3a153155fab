//! Each rule of the standards, with a token that breaks just that one.

use gatewright_core::jwt::{
    Algorithm, ClaimName, Claims, JwtError, KeySet, ScopeClaim, TypRule, Verifier, VerifierError,
    VerifyingKey, insecure_unverified_issuer,
};

use crate::jwt_forge::{AUDIENCE, CLAIMS, Forge, HEADER, ISSUER, NOW, b64, rules};

/// As the forge's usual header, with more members.
fn header(more: &str) -> String {
    format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"k",{more}}}"#)
}

/// The usual claims with one replaced, or left out.
fn claims_with(name: &str, value: Option<&str>) -> String {
    let usual = [
        ("iss", r#""https://idp.example""#),
        ("aud", r#""https://api.example""#),
        ("exp", "2000"),
        ("iat", "900"),
        ("sub", r#""u""#),
        ("client_id", r#""c""#),
        ("jti", r#""j""#),
    ];
    let mut members: Vec<String> = usual
        .iter()
        .filter(|(usual, _)| *usual != name)
        .map(|(name, value)| format!(r#""{name}":{value}"#))
        .collect();
    members.extend(value.map(|value| format!(r#""{name}":{value}"#)));
    format!("{{{}}}", members.join(","))
}

fn verify(forge: &Forge, token: &str) -> Result<Claims, JwtError> {
    rules()
        .rfc9068()
        .private_claims()
        .build()
        .unwrap()
        .verify(token, &forge.keys, NOW)
}

#[test]
fn the_usual_token_is_accepted() {
    let forge = Forge::new();
    let claims = verify(&forge, &forge.sign(HEADER, CLAIMS)).unwrap();
    assert_eq!(claims.issuer(), ISSUER);
    assert_eq!((claims.expires_at(), claims.issued_at()), (2000, Some(900)));
    assert_eq!((claims.client_id(), claims.jti()), (Some("c"), Some("j")));
    assert_eq!(claims.scope(), &ScopeClaim::Absent);
    // RFC 8725 §3.11 and RFC 9068 §4: the type in any case, with its media type's prefix or without.
    for typ in ["AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        let header =
            format!(r#"{{"alg":"EdDSA","typ":"{typ}","x5t":"unknown members are ignored"}}"#);
        assert!(verify(&forge, &forge.sign(header, CLAIMS)).is_ok(), "{typ}");
    }
    assert!(
        verify(
            &forge,
            &forge.sign(r#"{"alg":"Ed25519","typ":"at+jwt"}"#, CLAIMS)
        )
        .is_ok()
    );
}

#[test]
fn headers() {
    use JwtError::*;
    let forge = Forge::new();
    let table = [
        (
            "RFC 8725 §3.1: no `none`",
            r#"{"alg":"none","typ":"at+jwt"}"#.to_owned(),
            Algorithm,
        ),
        (
            "RFC 8725 §3.1: in no spelling",
            r#"{"alg":"NonE","typ":"at+jwt"}"#.to_owned(),
            Algorithm,
        ),
        (
            "RFC 8725 §3.1: allow-list",
            r#"{"alg":"RS256","typ":"at+jwt","kid":"k"}"#.to_owned(),
            Algorithm,
        ),
        (
            "RFC 7515 §4.1.1: names are exact",
            r#"{"alg":"eddsa","typ":"at+jwt","kid":"k"}"#.to_owned(),
            Algorithm,
        ),
        (
            "RFC 7515 §4.1.1: `alg` is there",
            r#"{"typ":"at+jwt","kid":"k"}"#.to_owned(),
            Header,
        ),
        (
            "RFC 7515 §4.1.1: `alg` is a string",
            r#"{"alg":["EdDSA"],"typ":"at+jwt"}"#.to_owned(),
            Header,
        ),
        (
            "RFC 7515 §4.1.4: `kid` is a string",
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":1}"#.to_owned(),
            Header,
        ),
        (
            "RFC 7515 §4.1.4: `kid` is a string, not null",
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":null}"#.to_owned(),
            Header,
        ),
        (
            "RFC 8725 §3.10: `kid` is only compared",
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":"../k"}"#.to_owned(),
            UnknownKey,
        ),
        (
            "RFC 7517 §4.5: `kid` is case-sensitive",
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":"K"}"#.to_owned(),
            UnknownKey,
        ),
        (
            "RFC 7515 §4.1.11: `crit`",
            header(r#""crit":["exp"]"#),
            ForbiddenHeader,
        ),
        (
            "RFC 7515 §4.1.11: `crit`, though empty",
            header(r#""crit":[]"#),
            ForbiddenHeader,
        ),
        ("RFC 7797: `b64`", header(r#""b64":false"#), ForbiddenHeader),
        (
            "RFC 8725 §3.10: embedded `jwk`",
            header(r#""jwk":{"kty":"OKP"}"#),
            ForbiddenHeader,
        ),
        (
            "RFC 8725 §3.10: `jku`",
            header(r#""jku":"https://idp.example/jwks""#),
            ForbiddenHeader,
        ),
        (
            "RFC 8725 §3.10: `x5u`",
            header(r#""x5u":"https://idp.example/x""#),
            ForbiddenHeader,
        ),
        (
            "RFC 8725 §3.10: `x5c`",
            header(r#""x5c":[]"#),
            ForbiddenHeader,
        ),
        (
            "RFC 8725 §3.10: `jwk`, though null",
            header(r#""jwk":null"#),
            ForbiddenHeader,
        ),
        (
            "RFC 8725 §3.11: `typ` is there",
            r#"{"alg":"EdDSA","kid":"k"}"#.to_owned(),
            Type,
        ),
        (
            "RFC 8725 §3.12: kinds exclude each other",
            r#"{"alg":"EdDSA","typ":"JWT","kid":"k"}"#.to_owned(),
            Type,
        ),
        (
            "RFC 9068 §4: no other media type",
            r#"{"alg":"EdDSA","typ":"text/at+jwt","kid":"k"}"#.to_owned(),
            Type,
        ),
        (
            "RFC 7515 §4.1.9: `typ` is a string",
            r#"{"alg":"EdDSA","typ":7,"kid":"k"}"#.to_owned(),
            Header,
        ),
        (
            "RFC 7515 §4: members once",
            header(r#""alg":"EdDSA""#),
            DuplicateMember,
        ),
        (
            "RFC 7515 §4: once through escapes",
            header(r#""\u0061lg":"EdDSA""#),
            DuplicateMember,
        ),
        ("RFC 7515 §4: an object", r#"["EdDSA"]"#.to_owned(), Header),
        ("RFC 7515 §4: JSON", r#"{"alg":"EdDSA"#.to_owned(), Header),
    ];
    for (rule, header, error) in table {
        assert_eq!(
            verify(&forge, &forge.sign(header, CLAIMS)).unwrap_err(),
            error,
            "{rule}"
        );
    }
    let not_utf8 = [
        b"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"x\":\"".as_slice(),
        &[0xff],
        b"\"}",
    ]
    .concat();
    assert_eq!(
        verify(&forge, &forge.sign(not_utf8, CLAIMS)).unwrap_err(),
        Header,
        "RFC 8725 §3.7: UTF-8 only"
    );
}

#[test]
fn claims() {
    use ClaimName::*;
    use JwtError::{
        Audience as WrongAudience, Expired, Issuer as WrongIssuer, MalformedClaim, MissingClaim,
        NotYetValid,
    };
    let forge = Forge::new();
    let table = [
        (
            "RFC 8725 §3.8: `iss` is there",
            "iss",
            None,
            MissingClaim(Issuer),
        ),
        (
            "RFC 9068 §4: `iss` is exact",
            "iss",
            Some(r#""https://idp.example/""#),
            WrongIssuer,
        ),
        (
            "RFC 9068 §4: `iss` is exact in case",
            "iss",
            Some(r#""https://IDP.example""#),
            WrongIssuer,
        ),
        (
            "CVE-2026-25537's rest: array `iss`",
            "iss",
            Some(r#"["https://idp.example"]"#),
            MalformedClaim(Issuer),
        ),
        (
            "CVE-2026-25537's rest: `iss` null",
            "iss",
            Some("null"),
            MalformedClaim(Issuer),
        ),
        (
            "CVE-2026-25537's rest: `iss` a number",
            "iss",
            Some("1"),
            MalformedClaim(Issuer),
        ),
        (
            "RFC 8725 §3.9: `aud` is required",
            "aud",
            None,
            MissingClaim(Audience),
        ),
        (
            "RFC 8725 §3.9: `aud` matches",
            "aud",
            Some(r#""https://other.example""#),
            WrongAudience,
        ),
        (
            "RFC 8725 §3.9: `aud` matches whole",
            "aud",
            Some(r#""https://api.example.evil""#),
            WrongAudience,
        ),
        (
            "RFC 7519 §4.1.3: one of `aud` is ours",
            "aud",
            Some("[]"),
            WrongAudience,
        ),
        (
            "RFC 7519 §4.1.3: `aud` holds strings",
            "aud",
            Some(r#"["https://api.example",1]"#),
            MalformedClaim(Audience),
        ),
        (
            "CVE-2026-25537's rest: `aud` an object",
            "aud",
            Some(r#"{"0":"https://api.example"}"#),
            MalformedClaim(Audience),
        ),
        (
            "CVE-2026-25537's rest: `aud` null",
            "aud",
            Some("null"),
            MalformedClaim(Audience),
        ),
        (
            "RFC 9068 §2.2: `exp` is there",
            "exp",
            None,
            MissingClaim(ExpiresAt),
        ),
        (
            "RFC 7519 §4.1.4: not on `exp`",
            "exp",
            Some("1000"),
            Expired,
        ),
        (
            "RFC 7519 §4.1.4: a fraction doesn't prolong",
            "exp",
            Some("1000.9"),
            Expired,
        ),
        ("RFC 7519 §4.1.4: nor after it", "exp", Some("1"), Expired),
        (
            "CVE-2026-25537: `exp` a string",
            "exp",
            Some(r#""2000""#),
            MalformedClaim(ExpiresAt),
        ),
        (
            "CVE-2026-25537: `exp` null",
            "exp",
            Some("null"),
            MalformedClaim(ExpiresAt),
        ),
        (
            "CVE-2026-25537: `exp` negative",
            "exp",
            Some("-1"),
            MalformedClaim(ExpiresAt),
        ),
        (
            "CVE-2026-25537: `exp` too large",
            "exp",
            Some("1e30"),
            MalformedClaim(ExpiresAt),
        ),
        (
            "CVE-2026-25537: `exp` an array",
            "exp",
            Some("[2000]"),
            MalformedClaim(ExpiresAt),
        ),
        (
            "serde_json's private number",
            "exp",
            Some(r#"{"$serde_json::private::Number":"2000"}"#),
            JwtError::Payload,
        ),
        (
            "RFC 7519 §4.1.5: `nbf` is judged",
            "nbf",
            Some("1001"),
            NotYetValid,
        ),
        (
            "CVE-2026-25537: `nbf` a string",
            "nbf",
            Some(r#""1""#),
            MalformedClaim(NotBefore),
        ),
        (
            "CVE-2026-25537: `nbf` null",
            "nbf",
            Some("null"),
            MalformedClaim(NotBefore),
        ),
        (
            "RFC 9068 §2.2: `iat` is there",
            "iat",
            None,
            MissingClaim(IssuedAt),
        ),
        (
            "RFC 7519 §4.1.6: `iat` is a number",
            "iat",
            Some(r#""900""#),
            MalformedClaim(IssuedAt),
        ),
        (
            "RFC 9068 §2.2: `sub` is there",
            "sub",
            None,
            MissingClaim(Subject),
        ),
        (
            "RFC 7519 §4.1.2: `sub` is a string",
            "sub",
            Some("7"),
            MalformedClaim(Subject),
        ),
        (
            "an empty `sub` names nobody",
            "sub",
            Some(r#""""#),
            MalformedClaim(Subject),
        ),
        (
            "RFC 9068 §2.2: `client_id` is there",
            "client_id",
            None,
            MissingClaim(ClientId),
        ),
        (
            "RFC 8693 §4.3: `client_id` is a string",
            "client_id",
            Some("[]"),
            MalformedClaim(ClientId),
        ),
        (
            "RFC 9068 §2.2: `jti` is there",
            "jti",
            None,
            MissingClaim(Id),
        ),
        (
            "RFC 7519 §4.1.7: `jti` is a string",
            "jti",
            Some("{}"),
            MalformedClaim(Id),
        ),
        (
            "`sid` is a string",
            "sid",
            Some("1"),
            MalformedClaim(SessionId),
        ),
        (
            "`tenant` is a string",
            "tenant",
            Some("1"),
            MalformedClaim(Tenant),
        ),
        (
            "`epoch` is a whole number",
            "epoch",
            Some("1.5"),
            MalformedClaim(Epoch),
        ),
        (
            "`epoch` is not negative",
            "epoch",
            Some("-1"),
            MalformedClaim(Epoch),
        ),
        (
            "RFC 7519 §4: members once",
            "x",
            Some(r#"1,"x":1"#),
            JwtError::DuplicateMember,
        ),
        (
            "RFC 7519 §4: once, in depth",
            "x",
            Some(r#"[{"y":1,"\u0079":1}]"#),
            JwtError::DuplicateMember,
        ),
        (
            "RFC 7519 §4: a second `sub`",
            "x",
            Some(r#"1,"sub":"admin""#),
            JwtError::DuplicateMember,
        ),
    ];
    for (rule, name, value, error) in table {
        let token = forge.with_claims(&claims_with(name, value));
        assert_eq!(verify(&forge, &token).unwrap_err(), error, "{rule}");
    }
    for (name, value) in [
        ("aud", r#"["x","https://api.example"]"#),
        ("exp", "1000.5e3"),
        ("nbf", "1000"),
        ("nbf", "1000.5"),
    ] {
        assert!(
            verify(&forge, &forge.with_claims(&claims_with(name, Some(value)))).is_ok(),
            "{name} {value}"
        );
    }
    for payload in ["[]", "null", "\"x\"", "{", ""] {
        let expected = if payload.is_empty() {
            JwtError::Malformed
        } else {
            JwtError::Payload
        };
        assert_eq!(
            verify(&forge, &forge.with_claims(payload)).unwrap_err(),
            expected,
            "{payload}"
        );
    }
}

#[test]
fn shapes() {
    let forge = Forge::new();
    let token = forge.sign(HEADER, CLAIMS);
    let mut parts = token.split('.');
    let (h, p, s) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let long = forge.with_claims(&claims_with(
        "x",
        Some(&format!("\"{}\"", "x".repeat(13_000))),
    ));
    let table = [
        ("empty", String::new()),
        ("two segments", format!("{h}.{p}")),
        ("four segments", format!("{h}.{p}.{s}.")),
        ("five segments, a JWE", format!("{h}.{p}.{s}.{s}.{s}")),
        ("no signature", format!("{h}.{p}.")),
        ("no header", format!(".{p}.{s}")),
        ("no payload", format!("{h}..{s}")),
        ("RFC 7515 §2: padding", format!("{h}.{p}.{s}==")),
        ("white space", format!(" {token}")),
        ("a line break", format!("{token}\n")),
        ("over 16 KiB", long),
    ];
    for (rule, token) in table {
        assert_eq!(
            verify(&forge, &token).unwrap_err(),
            JwtError::Malformed,
            "{rule}"
        );
    }
    // The last character of 64 bytes carries four bits that mean nothing; they must be zero.
    let last = s.chars().last().unwrap();
    assert!("AQgw".contains(last));
    let sloppy = char::from(u8::try_from(last).unwrap() + 1);
    let sloppy = format!("{h}.{p}.{}{sloppy}", &s[..s.len() - 1]);
    assert_eq!(
        verify(&forge, &sloppy).unwrap_err(),
        JwtError::Malformed,
        "RFC 4648 §3.5: bits left over"
    );
    let padded = forge.sign_segments(h, &format!("{p}="));
    assert_eq!(
        verify(&forge, &padded).unwrap_err(),
        JwtError::Malformed,
        "a signed payload with padding"
    );
}

/// RFC 8725 §2.1: a public key is no HMAC secret, whoever signs with it.
#[test]
fn a_public_key_is_never_a_secret() {
    let forge = Forge::new();
    let header = r#"{"alg":"HS256","typ":"at+jwt","kid":"k"}"#;
    let signed = format!("{}.{}", b64(header), b64(CLAIMS));
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, forge.public_key());
    let token = format!(
        "{signed}.{}",
        b64(aws_lc_rs::hmac::sign(&secret, signed.as_bytes()))
    );
    assert_eq!(verify(&forge, &token).unwrap_err(), JwtError::Algorithm);
    let fooled = rules().algorithms([Algorithm::Hs256]).build().unwrap();
    assert_eq!(
        fooled.verify(&token, &forge.keys, NOW).unwrap_err(),
        JwtError::Algorithm
    );
    assert_eq!(
        rules()
            .algorithms([Algorithm::Hs256, Algorithm::EdDsa])
            .build()
            .unwrap_err(),
        VerifierError::MixedAlgorithms
    );
    // Were it a secret on purpose, the same token would hold.
    let key = VerifyingKey::hmac(Some("k"), forge.public_key()).unwrap();
    assert!(
        fooled
            .verify(&token, &KeySet::from_keys([key]).unwrap(), NOW)
            .is_ok()
    );
}

/// RFC 8725 §3.1: the caller's list decides, not the token and not the key.
#[test]
fn a_key_does_not_allow_its_algorithm() {
    let forge = Forge::new();
    let token = forge.sign(HEADER, CLAIMS);
    for verifier in [
        Verifier::builder(ISSUER, AUDIENCE),
        rules().algorithms([Algorithm::Es256, Algorithm::Ps256]),
    ] {
        let error = verifier
            .build()
            .unwrap()
            .verify(&token, &forge.keys, NOW)
            .unwrap_err();
        assert_eq!(error, JwtError::Algorithm);
    }
}

#[test]
fn the_signature_is_judged_before_any_claim() {
    let forge = Forge::new();
    let token = forge.with_claims(&claims_with("exp", Some("1")));
    let (signed, _) = token.rsplit_once('.').unwrap();
    let broken = format!("{signed}.{}", b64([0; 64]));
    assert_eq!(verify(&forge, &broken).unwrap_err(), JwtError::Signature);
    let rubbish = format!("{}.{}.{}", b64(HEADER), b64("rubbish"), b64([0; 64]));
    assert_eq!(verify(&forge, &rubbish).unwrap_err(), JwtError::Signature);
    assert_eq!(
        verify(&forge, &format!("{signed}.{}", b64([0; 63]))).unwrap_err(),
        JwtError::Signature
    );
}

#[test]
fn without_a_kid_only_a_sole_key_is_meant() {
    let forge = Forge::new();
    let token = forge.sign(r#"{"alg":"EdDSA","typ":"at+jwt"}"#, CLAIMS);
    assert!(verify(&forge, &token).is_ok());
    let jwk = |kid: &str| {
        format!(
            r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{}"}}"#,
            b64(forge.public_key())
        )
    };
    let two =
        KeySet::from_keys(["a", "b"].map(|kid| VerifyingKey::from_jwk(jwk(kid)).unwrap())).unwrap();
    let verifier = rules().build().unwrap();
    assert_eq!(
        verifier.verify(&token, &two, NOW).unwrap_err(),
        JwtError::UnknownKey
    );
    assert_eq!(
        verifier
            .verify(&token, &KeySet::default(), NOW)
            .unwrap_err(),
        JwtError::UnknownKey
    );
}

#[test]
fn leeway_and_age() {
    let forge = Forge::new();
    let at = |rules: gatewright_core::jwt::VerifierBuilder, now| {
        let token = forge.with_claims(&claims_with("nbf", Some("950")));
        rules
            .build()
            .unwrap()
            .verify(&token, &forge.keys, now)
            .map(|_| ())
    };
    assert_eq!(at(rules(), 949), Err(JwtError::NotYetValid));
    assert_eq!(at(rules(), 1999), Ok(()));
    assert_eq!(at(rules(), 2000), Err(JwtError::Expired));
    assert_eq!(at(rules().leeway_secs(60), 889), Err(JwtError::NotYetValid));
    assert_eq!(at(rules().leeway_secs(60), 890), Ok(()));
    assert_eq!(at(rules().leeway_secs(60), 2059), Ok(()));
    assert_eq!(at(rules().leeway_secs(60), 2060), Err(JwtError::Expired));
    assert_eq!(at(rules().max_age_secs(100), 1000), Ok(()));
    assert_eq!(at(rules().max_age_secs(100), 1001), Err(JwtError::TooOld));
    for (verifier, until) in [
        (rules(), 2000),
        (rules().max_age_secs(100), 1001),
        (rules().max_age_secs(5000), 2000),
    ] {
        let verifier = verifier.build().unwrap();
        let token = forge.sign(HEADER, CLAIMS);
        let claims = verifier.verify(&token, &forge.keys, NOW).unwrap();
        assert_eq!(verifier.valid_until(&claims), until);
        assert!(verifier.verify(&token, &forge.keys, until - 1).is_ok());
        assert!(verifier.verify(&token, &forge.keys, until).is_err());
    }
    let future = forge.with_claims(&claims_with("iat", Some("1001")));
    let young = rules().max_age_secs(100).build().unwrap();
    assert_eq!(
        young.verify(&future, &forge.keys, NOW).unwrap_err(),
        JwtError::NotYetValid
    );
    let none = forge.with_claims(&claims_with("iat", None));
    assert_eq!(
        young.verify(&none, &forge.keys, NOW).unwrap_err(),
        JwtError::MissingClaim(ClaimName::IssuedAt)
    );
    assert!(
        rules()
            .build()
            .unwrap()
            .verify(&none, &forge.keys, u64::MAX)
            .is_err()
    );
}

#[test]
fn configured_claims_audiences_and_types() {
    let forge = Forge::new();
    let verify = |rules: gatewright_core::jwt::VerifierBuilder, token: &str| {
        rules.build().unwrap().verify(token, &forge.keys, NOW)
    };
    let token = forge.with_claims(&claims_with("azp", Some(r#""c""#)));
    assert!(verify(rules().require("azp"), &token).is_ok());
    for value in [None, Some("null")] {
        let token = forge.with_claims(&claims_with("azp", value));
        assert_eq!(
            verify(rules().require("azp"), &token).unwrap_err(),
            JwtError::MissingClaim(ClaimName::Other)
        );
    }
    let second = forge.with_claims(&claims_with("aud", Some(r#""https://second.example""#)));
    assert!(verify(rules().audience("https://second.example"), &second).is_ok());
    assert!(verify(rules().insecure_any_audience(), &second).is_ok());
    let nobodys = forge.with_claims(&claims_with("aud", None));
    assert_eq!(
        verify(rules().insecure_any_audience(), &nobodys).unwrap_err(),
        JwtError::MissingClaim(ClaimName::Audience)
    );
    let untyped = forge.sign(r#"{"alg":"EdDSA","kid":"k"}"#, CLAIMS);
    assert!(verify(rules().typ(TypRule::Any), &untyped).is_ok());
    let id_token = forge.sign(r#"{"alg":"EdDSA","kid":"k","typ":"JWT"}"#, CLAIMS);
    assert!(verify(rules().typ(TypRule::Exactly("jwt".into())), &id_token).is_ok());
    assert_eq!(
        verify(rules().typ(TypRule::Exactly("jwt".into())), &token).unwrap_err(),
        JwtError::Type
    );
}

/// In somebody else's token our private names may mean anything, and are never taken for ours.
#[test]
fn private_claims_are_read_only_where_asked() {
    let forge = Forge::new();
    let token = forge.with_claims(&claims_with("tenant", Some(r#"{"id":"t"}"#)));
    let theirs = rules()
        .build()
        .unwrap()
        .verify(&token, &forge.keys, NOW)
        .unwrap();
    assert_eq!(theirs.tenant(), None);
    assert_eq!(
        theirs.other("tenant"),
        Some(&serde_json::json!({"id": "t"}))
    );
    let token = forge.with_claims(&claims_with("tenant", Some(r#""t""#)));
    assert_eq!(
        rules()
            .build()
            .unwrap()
            .verify(&token, &forge.keys, NOW)
            .unwrap()
            .tenant(),
        None
    );
    let ours = rules()
        .private_claims()
        .require("tenant")
        .require("epoch")
        .build()
        .unwrap();
    assert_eq!(
        ours.verify(&token, &forge.keys, NOW).unwrap_err(),
        JwtError::MissingClaim(ClaimName::Epoch)
    );
    let token = forge.with_claims(&claims_with("tenant", Some(r#""t","epoch":3"#)));
    let claims = ours.verify(&token, &forge.keys, NOW).unwrap();
    assert_eq!((claims.tenant(), claims.epoch()), (Some("t"), Some(3)));
}

#[test]
fn a_malformed_scope_is_not_an_absent_one() {
    let forge = Forge::new();
    let table = [
        (None, ScopeClaim::Absent),
        (Some(r#""a b""#), ScopeClaim::Text("a b".to_owned())),
        (Some(r#""""#), ScopeClaim::Text(String::new())),
        (
            Some(r#"["a","b"]"#),
            ScopeClaim::List(vec!["a".to_owned(), "b".to_owned()]),
        ),
        (Some(r#"["a",1]"#), ScopeClaim::Malformed),
        (Some("null"), ScopeClaim::Malformed),
        (Some(r#"{"a":true}"#), ScopeClaim::Malformed),
    ];
    for (value, scope) in table {
        let claims = verify(&forge, &forge.with_claims(&claims_with("scope", value))).unwrap();
        assert_eq!(claims.scope(), &scope, "{value:?}");
    }
}

#[test]
fn configurations_that_check_nothing_are_refused() {
    let built = |rules: gatewright_core::jwt::VerifierBuilder| rules.build().map(|_| ());
    assert_eq!(
        built(Verifier::builder("", AUDIENCE)),
        Err(VerifierError::Issuer)
    );
    assert_eq!(
        built(Verifier::builder(ISSUER, "")),
        Err(VerifierError::Audience)
    );
    assert_eq!(built(rules().audience("")), Err(VerifierError::Audience));
    assert_eq!(
        built(rules().algorithms([])),
        Err(VerifierError::NoAlgorithm)
    );
    assert_eq!(built(rules().leeway_secs(61)), Err(VerifierError::Leeway));
}

#[test]
fn the_unverified_issuer_is_read_as_strictly() {
    let forge = Forge::new();
    assert_eq!(
        insecure_unverified_issuer(&forge.sign(HEADER, CLAIMS)).as_deref(),
        Some(ISSUER)
    );
    for value in [
        None,
        Some("null"),
        Some(r#"["https://idp.example"]"#),
        Some(r#""a","iss":"b""#),
    ] {
        let token = forge.with_claims(&claims_with("iss", value));
        assert_eq!(insecure_unverified_issuer(&token), None, "{value:?}");
    }
    assert_eq!(insecure_unverified_issuer("a.b.c"), None);
}
