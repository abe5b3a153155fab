//! Reading credentials from a request, telling them apart, minting them.

use gatewright_core::credential::{
    Credential, Field, FormatError, Formats, IdAlphabet, MAX_JWT_LENGTH, MAX_SECRET_LENGTH,
    Malformed, MintError, Presented, SecretFormat, SecretKind, presented, query_has_token,
    random_id,
};

/// 46 characters whose checksum was computed with CPython 3: `zlib.crc32` and `divmod(n, 62)`.
pub(crate) const KEY: &str = "tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ03YRaM";
const PAT: &str = "patv1_k3v9x2m7q1z5.zyxwvutsrqponmlkjihgfedcbaZ21xphn";
pub(crate) const JOINED: &str = "apx_live_sk_Ab3dEf6hIj1LmN4pQrS7uVwX0zAb3dEf";
/// RFC 7515 appendix A.1.1.
pub(crate) const JWT: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn lines<'a>(authorization: &[&'a str], api_key: &[&'a str]) -> Vec<(Field, &'a [u8])> {
    let authorization = authorization
        .iter()
        .map(|line| (Field::Authorization, line.as_bytes()));
    let api_key = api_key.iter().map(|line| (Field::ApiKey, line.as_bytes()));
    authorization.chain(api_key).collect()
}

/// What was presented, in a form that can be compared: `authorization:token` and the like.
fn read(authorization: &[&str], api_key: &[&str], read_api_key: bool) -> String {
    match presented(&lines(authorization, api_key)[..], read_api_key) {
        Presented::Token { source, bytes } => {
            format!("{source:?}:{}", std::str::from_utf8(bytes).unwrap())
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn one_authorization_line() {
    for (line, expected, rule) in [
        ("Bearer abc", "Authorization:abc", "RFC 6750 §2.1"),
        (
            "bearer abc",
            "Authorization:abc",
            "RFC 9110 §11.1: scheme in any case",
        ),
        (
            "BEARER abc",
            "Authorization:abc",
            "RFC 9110 §11.1: scheme in any case",
        ),
        ("Bearer   abc", "Authorization:abc", "RFC 9110 §11.4: 1*SP"),
        (
            " \tBearer abc \t",
            "Authorization:abc",
            "RFC 9110 §5.5: OWS around a value",
        ),
        (
            "Bearer aZ09-._~+/==",
            "Authorization:aZ09-._~+/==",
            "RFC 9110 §11.2: token68",
        ),
        ("Bearer", "Malformed(Authorization)", "no token"),
        ("Bearer ", "Malformed(Authorization)", "no token"),
        (
            "Bearer ==",
            "Malformed(Authorization)",
            "token68 is not only padding",
        ),
        ("Bearer a=b", "Malformed(Authorization)", "padding inside"),
        ("Bearer a b", "Malformed(Authorization)", "two tokens"),
        (
            "Bearer\tabc",
            "Malformed(Authorization)",
            "a tab is not a space",
        ),
        (
            "Bearer/abc",
            "Malformed(Authorization)",
            "no space; a slash is a token68 character but not one of a scheme",
        ),
        (
            "Bearer \tabc",
            "Malformed(Authorization)",
            "a tab is not a space",
        ),
        (
            "Bearer abc,def",
            "Malformed(Authorization)",
            "joined values are not split",
        ),
        (
            "Bearer abc, Bearer def",
            "Malformed(Authorization)",
            "joined values are not split",
        ),
        (
            "Bearer,Bearer abc",
            "Malformed(Authorization)",
            "joined values are not split",
        ),
        ("Bearer \"abc\"", "Malformed(Authorization)", "quotes"),
        ("Bearer caf\u{e9}", "Malformed(Authorization)", "not ASCII"),
        (
            "",
            "Malformed(Authorization)",
            "an empty value names no scheme",
        ),
        (
            ", Bearer abc",
            "Malformed(Authorization)",
            "a comma is no scheme",
        ),
        ("Basic dXNlcjpwYXNz", "Foreign", "another scheme"),
        ("Bearers abc", "Foreign", "another scheme"),
        ("Bea", "Foreign", "another scheme"),
        ("DPoP abc", "Foreign", "another scheme"),
    ] {
        assert_eq!(read(&[line], &[], false), expected, "{line:?}: {rule}");
    }
}

#[test]
fn several_lines() {
    let nothing: &[&str] = &[];
    for (authorization, api_key, read_api_key, expected) in [
        (nothing, nothing, true, "Nothing"),
        // The first well-formed bearer, and no other.
        (
            &["Bearer a", "Bearer b"][..],
            nothing,
            false,
            "Authorization:a",
        ),
        (
            &["Basic x", "Bearer b"][..],
            nothing,
            false,
            "Authorization:b",
        ),
        (
            &["Bearer a,", "Bearer b"][..],
            nothing,
            false,
            "Authorization:b",
        ),
        (
            &["Bearer a,", "Basic x"][..],
            nothing,
            false,
            "Malformed(Authorization)",
        ),
        (
            &["Basic x", "Bearer a,"][..],
            nothing,
            false,
            "Malformed(Authorization)",
        ),
        (&["Basic x", "Digest y"][..], nothing, false, "Foreign"),
        // X-API-Key decides where it is read, and is not looked at elsewhere.
        (&["Bearer a"][..], &["k"][..], true, "ApiKey:k"),
        (&["Bearer a"][..], &["k"][..], false, "Authorization:a"),
        (nothing, &["k"][..], false, "Nothing"),
        (&["Bearer a"][..], &["k,l"][..], true, "Malformed(ApiKey)"),
        (&["Bearer a"][..], &[""][..], true, "Malformed(ApiKey)"),
        (&["Bearer a"][..], &["k", "l"][..], true, "Ambiguous"),
        (&["Bearer a"][..], &["k", "k"][..], true, "Ambiguous"),
        (nothing, &[" k "][..], true, "ApiKey:k"),
        (&["Bearer a"][..], nothing, true, "Authorization:a"),
    ] {
        assert_eq!(
            read(authorization, api_key, read_api_key),
            expected,
            "{authorization:?} {api_key:?} {read_api_key}"
        );
    }
}

#[test]
fn a_token_above_the_longest_credential_is_malformed() {
    let fits = format!("Bearer {}", "a".repeat(MAX_JWT_LENGTH));
    let long = format!("Bearer {}", "a".repeat(MAX_JWT_LENGTH + 1));
    assert!(read(&[&fits], &[], false).starts_with("Authorization:"));
    assert_eq!(read(&[&long], &[], false), "Malformed(Authorization)");
}

#[test]
fn a_token_in_the_query_is_seen_however_it_is_written() {
    for query in [
        "access_token=x",
        "access_token",
        "a=b&access_token=",
        "access%5Ftoken=x",
        "access%5ftoken=x",
        "%61%63%63%65%73%73_token=x",
        "&&access_token=x",
    ] {
        assert!(query_has_token(query), "{query}");
    }
    for query in [
        "",
        "token=access_token",
        "access_tokens=x",
        "access_toke=x",
        "Access_Token=x",
        "access%_token=x",
        "access%5",
        "access%255Ftoken=x",
        "a=b;access_token=x",
    ] {
        assert!(!query_has_token(query), "{query}");
    }
}

#[test]
fn the_four_standard_forms() {
    let formats = Formats::standard();
    for (text, kind, brand, id) in [
        (KEY, SecretKind::ApiKey, "tnx", "a1b2c3d4"),
        (PAT, SecretKind::Pat, "patv1", "k3v9x2m7q1z5"),
        (JOINED, SecretKind::ApiKey, "apx_live_sk", "Ab3dEf6h"),
        (
            &JOINED.replace("live", "test"),
            SecretKind::ApiKey,
            "apx_test_sk",
            "Ab3dEf6h",
        ),
    ] {
        let Ok(Credential::Secret(secret)) = formats.classify(text.as_bytes()) else {
            panic!("{text} is a secret");
        };
        assert_eq!(
            (
                secret.kind(),
                secret.brand(),
                secret.public_id(),
                secret.expose()
            ),
            (kind, brand, id, text)
        );
    }

    let Ok(Credential::Jwt(jwt)) = formats.classify(JWT.as_bytes()) else {
        panic!("RFC 7515's example is a JWT");
    };
    let [header, payload, signature] = JWT.split('.').collect::<Vec<_>>()[..] else {
        unreachable!()
    };
    assert_eq!(
        (jwt.header(), jwt.payload(), jwt.signature()),
        (header, payload, signature)
    );
    assert_eq!(jwt.signing_input(), format!("{header}.{payload}"));
    assert_eq!(jwt.expose(), JWT);
}

#[test]
fn refusals() {
    let formats = Formats::standard();
    let long_key = format!("tnx_{}", "a".repeat(MAX_SECRET_LENGTH));
    let long_jwt = format!("eyJ{}", "a".repeat(MAX_JWT_LENGTH));
    for (token, expected) in [
        ("", Malformed::Empty),
        ("hello", Malformed::UnknownFormat),
        (
            "TNX_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ03YRaM",
            Malformed::UnknownFormat,
        ),
        ("tnx", Malformed::UnknownFormat),
        ("tnx_", Malformed::Id),
        ("tnx_a1b2c3d4", Malformed::Id),
        (
            "tnx_a1b2c3d_0123456789ABCDEFGHIJKLMNOPQ03YRaM",
            Malformed::Id,
        ),
        (
            "tnx_A1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ03YRaM",
            Malformed::Id,
        ),
        (
            "tnx_a1b2c3d4.0123456789ABCDEFGHIJKLMNOPQ03YRaM",
            Malformed::Id,
        ),
        (
            "tnx_a1b2c3d\u{e9}_0123456789ABCDEFGHIJKLMNOPQ03YRaM",
            Malformed::Id,
        ),
        (
            "tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ03YRaN",
            Malformed::Checksum,
        ),
        (
            "tnx_a1b2c3d4_1123456789ABCDEFGHIJKLMNOPQ03YRaM",
            Malformed::Checksum,
        ),
        (
            "tnx_b1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ03YRaM",
            Malformed::Checksum,
        ),
        (
            "tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ03YRa",
            Malformed::SecretLength,
        ),
        (
            "tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ03YRaMM",
            Malformed::SecretLength,
        ),
        ("tnx_a1b2c3d4_", Malformed::SecretLength),
        (
            "tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOP-03YRaM",
            Malformed::BadCharacter,
        ),
        // Final: three segments behind a known prefix are no JWT.
        ("tnx_a1b2.c3d4.e5f6", Malformed::Id),
        ("apx_live_sk_short", Malformed::Id),
        (
            "apx_live_sk_Ab3dEf6hIj1LmN4pQrS7uVwX0zAb3dE",
            Malformed::SecretLength,
        ),
        (
            "apx_live_sk_Ab3dEf6h_j1LmN4pQrS7uVwX0zAb3dEf",
            Malformed::BadCharacter,
        ),
        (
            "patv1_k3v9x2m7q1z5_zyxwvutsrqponmlkjihgfedcbaZ21xphn",
            Malformed::Id,
        ),
        ("eyJh", Malformed::Segments),
        ("eyJh.eyJh", Malformed::Segments),
        ("eyJh.eyJh.", Malformed::Segments),
        ("eyJh..c2ln", Malformed::Segments),
        ("eyJh.eyJh.c2ln.c2ln", Malformed::Segments),
        // A JWE has five segments, RFC 7516 §3.1.
        ("eyJh.a.b.c.d", Malformed::Segments),
        ("eyJh.eyJh.c2ln=", Malformed::BadCharacter),
        ("eyJh.eyJh.c2+n", Malformed::BadCharacter),
        ("eyJh.ey\u{e9}h.c2ln", Malformed::BadCharacter),
        ("abcd.eyJh.c2ln", Malformed::UnknownFormat),
        (&long_key, Malformed::TooLong),
        (&long_jwt, Malformed::TooLong),
    ] {
        assert_eq!(
            formats.classify(token.as_bytes()).err(),
            Some(expected),
            "{token}"
        );
    }
    assert_eq!(
        formats.classify(b"tnx_\xff\xfe").err(),
        Some(Malformed::BadCharacter)
    );
}

#[test]
fn a_jwt_is_refused_where_none_is_configured() {
    let formats = Formats::builder()
        .secret(SecretFormat::separated(SecretKind::ApiKey, "tnx"))
        .build()
        .unwrap();
    assert_eq!(
        formats.classify(JWT.as_bytes()).err(),
        Some(Malformed::UnknownFormat)
    );
}

#[test]
fn older_secrets_without_checksum_are_accepted_where_configured() {
    let format = SecretFormat::separated(SecretKind::ApiKey, "tnx").accept_unchecked(32..=32);
    let formats = Formats::builder().secret(format).build().unwrap();
    let old = format!("tnx_abc12345_{}", "x".repeat(32));
    assert!(formats.classify(old.as_bytes()).is_ok());
    assert_eq!(
        Formats::standard().classify(old.as_bytes()).err(),
        Some(Malformed::SecretLength)
    );
    // One character more is the length of new secrets, and those have a checksum.
    let new = format!("tnx_abc12345_{}", "x".repeat(33));
    assert_eq!(
        formats.classify(new.as_bytes()).err(),
        Some(Malformed::Checksum)
    );
}

#[test]
fn every_mistake_of_a_registry_is_reported_at_once() {
    let key = |brand: &str| SecretFormat::separated(SecretKind::ApiKey, brand);
    let mistakes = |builder: gatewright_core::credential::FormatsBuilder| {
        builder
            .build()
            .map(|_| ())
            .map_err(|errors| errors.iter().cloned().collect::<Vec<_>>())
    };
    let name = |brand: &str| brand.to_owned();

    assert_eq!(mistakes(Formats::builder()), Err(vec![FormatError::Empty]));
    assert_eq!(
        mistakes(
            Formats::builder()
                .secret(key("tnx"))
                .secret(key("tnx_live"))
                .secret(key("a-b").with_id_length(3))
                .secret(SecretFormat::dotted(SecretKind::Pat, "tnx"))
                .secret(key("eyJ"))
                .jwt()
        ),
        Err(vec![
            FormatError::Overlap(name("tnx"), name("tnx_live")),
            FormatError::Overlap(name("tnx"), name("tnx")),
            FormatError::Overlap(name("tnx_live"), name("tnx")),
            FormatError::Brand(name("a-b")),
            FormatError::IdLength(name("a-b")),
            FormatError::BeginsAsJwt(name("eyJ")),
        ])
    );
    // `tnx` and `tnxlive` are apart: the underscore belongs to the prefix.
    assert_eq!(
        mistakes(Formats::builder().secret(key("tnx")).secret(key("tnxlive"))),
        Ok(())
    );
    assert_eq!(mistakes(Formats::builder().secret(key("eyJ"))), Ok(()));

    for (format, expected) in [
        (key(""), FormatError::Brand(name(""))),
        (key(&"b".repeat(33)), FormatError::Brand("b".repeat(33))),
        (
            key("b").with_random_length(26),
            FormatError::TooGuessable(name("b")),
        ),
        (
            SecretFormat::joined(SecretKind::ApiKey, "b").with_random_length(21),
            FormatError::TooGuessable(name("b")),
        ),
        (
            key("b").with_random_length(300),
            FormatError::TooLong(name("b")),
        ),
        (
            key("b").with_random_length(usize::MAX),
            FormatError::TooLong(name("b")),
        ),
        (
            key("b").accept_unchecked(32..=33),
            FormatError::Unchecked(name("b")),
        ),
        (
            key("b").accept_unchecked(21..=24),
            FormatError::TooGuessable(name("b")),
        ),
        (
            SecretFormat::joined(SecretKind::ApiKey, "b").accept_unchecked(30..=32),
            FormatError::Unchecked(name("b")),
        ),
        (
            SecretFormat::unnamed(SecretKind::Client, "b").with_id_length(8),
            FormatError::IdLength(name("b")),
        ),
    ] {
        assert_eq!(
            mistakes(Formats::builder().secret(format)),
            Err(vec![expected])
        );
    }
}

#[test]
fn the_standard_registry_passes_its_own_build() {
    let standard = Formats::standard();
    let mut builder = Formats::builder();
    for format in standard.iter() {
        builder = builder.secret(format.clone());
    }
    assert!(standard.accepts_jwt());
    assert!(builder.jwt().build().is_ok());
}

#[test]
fn minting_takes_only_ids_and_formats_that_can_be_read_again() {
    let format = SecretFormat::separated(SecretKind::ApiKey, "tnx");
    for id in ["", "a1b2c3d", "a1b2c3d45", "A1b2c3d4", "a1b2_3d4"] {
        assert!(
            matches!(format.mint_secret_for(id), Err(MintError::PublicId)),
            "{id}"
        );
    }
    let first = format.mint_secret_for("a1b2c3d4").unwrap();
    let second = format.mint_secret_for("a1b2c3d4").unwrap();
    assert_eq!(first.public_id, second.public_id);
    assert_ne!(first.secret.expose(), second.secret.expose());
    assert!(matches!(
        format.with_id_length(2).mint(),
        Err(MintError::Format(_))
    ));
}

#[test]
fn a_client_secret_has_no_id_of_its_own() {
    let format = SecretFormat::unnamed(SecretKind::Client, "apx_secret");
    let minted = format.mint().unwrap();
    assert_eq!(minted.public_id, "");
    assert_eq!(minted.secret.expose().len(), "apx_secret_".len() + 24);
    let formats = Formats::builder().secret(format).build().unwrap();
    assert!(formats.classify(minted.secret.expose().as_bytes()).is_ok());

    let id = random_id(IdAlphabet::LowerAlphanumeric, 8).unwrap();
    assert_eq!(id.len(), 8);
}

#[test]
fn nothing_presented_is_printed() {
    let formats = Formats::standard();
    let fields = lines(&["Bearer tnx_topsecret"], &[]);
    let shown = format!(
        "{:?} {:?} {:?}",
        presented(&fields[..], false),
        formats.classify(KEY.as_bytes()),
        formats.classify(JWT.as_bytes()),
    );
    for secret in ["topsecret", "0123456789ABC", "03YRaM", "eyJ", "dBjft"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("a1b2c3d4"), "the public id may be logged");
    assert!(!format!("{:?}", formats.format("tnx").unwrap().mint().unwrap()).contains("tnx_"));
}

#[test]
fn reading_allocates_nothing() {
    let formats = Formats::standard();
    let value = format!("Bearer {KEY}");
    let fields = [
        (Field::Authorization, value.as_bytes()),
        (Field::ApiKey, PAT.as_bytes()),
    ];
    let counted = allocation_counter::measure(|| {
        for read_api_key in [false, true] {
            let Presented::Token { bytes, .. } = presented(&fields[..], read_api_key) else {
                panic!("a token is there");
            };
            assert!(formats.classify(bytes).is_ok());
        }
        for token in [JWT, JOINED, "tnx_bad", "eyJ.x", "nothing"] {
            let _ = std::hint::black_box(formats.classify(token.as_bytes()));
        }
        assert!(query_has_token("a=b&access%5Ftoken=x"));
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn formats_take_one_more_unless_it_could_be_taken_for_another() {
    let standard = Formats::standard();
    let client = SecretFormat::unnamed(SecretKind::Client, "apx_secret");
    assert!(!client.has_id());
    assert!(standard.iter().all(SecretFormat::has_id));
    let more = standard.clone().with(client).unwrap();
    assert_eq!(more.iter().count(), standard.iter().count() + 1);
    assert!(more.accepts_jwt());
    for format in more.iter() {
        let minted = format.mint().unwrap();
        assert!(more.classify(minted.secret.expose().as_bytes()).is_ok());
    }
    let twice = standard.with(SecretFormat::dotted(SecretKind::Pat, "tnx_old"));
    assert!(twice.is_err());
}
