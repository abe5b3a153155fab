//! Laws of the credential parsers, over generated input.

use gatewright_core::credential::{
    Credential, Field, Formats, MAX_SECRET_LENGTH, Malformed, Presented, SecretFormat, SecretKind,
    Source, presented, query_has_token,
};
use proptest::prelude::*;

use crate::credential::{JOINED, JWT, KEY};

fn any_format() -> impl Strategy<Value = SecretFormat> {
    (0..4_u8, "[a-z]{1,8}").prop_map(|(layout, brand)| match layout {
        0 => SecretFormat::separated(SecretKind::ApiKey, &brand),
        1 => SecretFormat::dotted(SecretKind::Pat, &brand),
        2 => SecretFormat::joined(SecretKind::ApiKey, &brand),
        _ => SecretFormat::unnamed(SecretKind::Client, &brand),
    })
}

/// Bytes that get past the first checks: a known beginning, then anything.
fn token_like() -> impl Strategy<Value = Vec<u8>> {
    let beginning = prop_oneof![
        Just(""),
        Just("tnx_"),
        Just("tnx_a1b2c3d4_"),
        Just("patv1_"),
        Just("apx_live_sk_"),
        Just("eyJ"),
        Just(KEY),
        Just(JWT),
    ];
    let rest = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        "[A-Za-z0-9._=-]{0,80}".prop_map(String::into_bytes),
    ];
    (beginning, rest).prop_map(|(beginning, rest)| [beginning.as_bytes(), &rest].concat())
}

proptest! {
    #[test]
    fn header_parsers_are_total(
        values in proptest::collection::vec(
            (0..2_u8, prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                "(Bearer|bearer|Basic)?[ \ta-z,;=\"]{0,20}".prop_map(String::into_bytes),
            ]),
            0..5,
        ),
        read_api_key: bool,
        query in prop_oneof![
            ".{0,60}",
            "((a|%61)(ccess|c%63ess)(_|%5F|%5f|%)token|[a&=%5_F]){0,3}[&=%]?",
        ],
    ) {
        let fields: Vec<_> = values
            .iter()
            .map(|(field, value)| {
                let field = [Field::Authorization, Field::ApiKey][usize::from(*field)];
                (field, value.as_slice())
            })
            .collect();
        if let Presented::Token { source, bytes } = presented(&fields[..], read_api_key) {
            let field = if source == Source::ApiKey { Field::ApiKey } else { Field::Authorization };
            prop_assert!(!bytes.is_empty());
            let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
            prop_assert!(bytes.iter().all(allowed));
            // It is part of a line that was there, and nothing is left after it but white space.
            let holds_it = |(name, value): &(Field, &[u8])| {
                *name == field && value.trim_ascii_end().ends_with(bytes)
            };
            prop_assert!(fields.iter().any(holds_it));
        }
        let plain = url_names(&query).any(|name| name == b"access_token");
        prop_assert_eq!(query_has_token(&query), plain);
    }

    #[test]
    fn classification_is_total_and_says_what_it_read(token in token_like()) {
        match Formats::standard().classify(&token) {
            Ok(Credential::Secret(secret)) => {
                prop_assert_eq!(secret.expose().as_bytes(), &token[..]);
                prop_assert!(token.len() <= MAX_SECRET_LENGTH);
                let start = format!("{}_{}", secret.brand(), secret.public_id());
                prop_assert!(token.starts_with(start.as_bytes()));
            }
            Ok(Credential::Jwt(jwt)) => {
                let whole = [jwt.header(), jwt.payload(), jwt.signature()].join(".");
                prop_assert_eq!(whole.as_bytes(), &token[..]);
            }
            Ok(_) => prop_assert!(false, "a kind that is not configured"),
            Err(_) => {}
        }
    }

    /// Final: behind a prefix there is nothing but that format, however the rest looks.
    #[test]
    fn a_prefix_is_never_tried_as_something_else(
        brand in prop_oneof![Just("tnx"), Just("patv1"), Just("apx_live_sk"), Just("apx_test_sk")],
        rest in prop_oneof![
            "[A-Za-z0-9_-]{1,40}\\.[A-Za-z0-9_-]{1,40}\\.[A-Za-z0-9_-]{1,40}",
            Just(JWT.to_owned()),
            Just(KEY.to_owned()),
            Just(JOINED.to_owned()),
        ],
    ) {
        let token = format!("{brand}_{rest}");
        match Formats::standard().classify(token.as_bytes()) {
            Ok(Credential::Secret(secret)) => prop_assert_eq!(secret.brand(), brand),
            Ok(other) => prop_assert!(false, "{other:?}"),
            Err(malformed) => prop_assert_ne!(malformed, Malformed::UnknownFormat),
        }
    }

    #[test]
    fn what_is_minted_is_read_again(format in any_format()) {
        let minted = format.mint().unwrap();
        let formats = Formats::builder().secret(format.clone()).build().unwrap();
        let Ok(Credential::Secret(read)) = formats.classify(minted.secret.expose().as_bytes()) else {
            return Err(TestCaseError::fail("a minted credential is refused"));
        };
        prop_assert_eq!(read.public_id(), &minted.public_id);
        prop_assert_eq!((read.kind(), read.brand()), (format.kind(), format.brand()));
        prop_assert_eq!(read.expose(), minted.secret.expose());

        let rotated = format.mint_secret_for(&minted.public_id).unwrap();
        prop_assert_ne!(rotated.secret.expose(), minted.secret.expose());
    }

    /// CRC-32 finds every change within 32 bits, so every change of one character.
    #[test]
    fn no_single_character_of_a_separated_secret_can_change(
        pat: bool,
        place: prop::sample::Index,
        replacement in "[A-Za-z0-9._~-]",
    ) {
        let formats = Formats::standard();
        let format = formats.format(if pat { "patv1" } else { "tnx" }).unwrap();
        let minted = format.mint().unwrap();
        let mut changed = minted.secret.expose().as_bytes().to_vec();
        let place = place.index(changed.len());
        prop_assume!(changed[place] != replacement.as_bytes()[0]);
        changed[place] = replacement.as_bytes()[0];
        prop_assert!(formats.classify(&changed).is_err());
    }
}

/// The names of a query as an independent decoder sees them: all of a name is decoded first, then compared.
fn url_names(query: &str) -> impl Iterator<Item = Vec<u8>> {
    query.split('&').map(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default().as_bytes();
        let mut decoded = Vec::new();
        let mut rest = name;
        while let Some((first, after)) = rest.split_first() {
            let digits = after
                .get(..2)
                .filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
            if let Some(digits) = digits {
                let digits = std::str::from_utf8(digits).unwrap();
                decoded.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &after[2..];
            } else {
                decoded.push(*first);
                rest = after;
            }
        }
        decoded
    })
}
