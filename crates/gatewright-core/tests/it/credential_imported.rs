//! Keys of other shapes: what is accepted, what names their record, what can't be configured.

use std::ops::RangeInclusive;

use gatewright_core::credential::{
    Credential, FormatError, Formats, FormatsBuilder, ImportedAlphabet, Malformed, MintError,
    SecretFormat, SecretKind,
};
use gatewright_core::hash::ImportedHash;
use proptest::prelude::*;

use crate::credential::JWT;

fn imported(prefix: &str, alphabet: ImportedAlphabet, longest: usize) -> SecretFormat {
    SecretFormat::imported(SecretKind::ApiKey, prefix, alphabet, 32..=longest)
}

fn catch_all() -> SecretFormat {
    SecretFormat::imported_catch_all(SecretKind::ApiKey, ImportedAlphabet::UrlSafe, 32..=40)
}

fn only(format: SecretFormat) -> Formats {
    Formats::builder().secret(format).jwt().build().unwrap()
}

/// The brand and the public id.
fn read(formats: &Formats, text: &str) -> Result<(String, String), Malformed> {
    match formats.classify(text.as_bytes())? {
        Credential::Secret(secret) => {
            assert_eq!(secret.expose(), text);
            Ok((secret.brand().to_owned(), secret.public_id().to_owned()))
        }
        other => panic!("{other:?}"),
    }
}

const UUID: &str = "e5f0b6c2-9d1a-4c37-8a52-0c1d2e3f4a5b";

#[test]
fn a_leading_id_is_read_and_another_is_derived_from_the_whole_text() {
    let body = "Ab3dE0123456789ABCDEFGHIJKLMNOPQ";
    let derived = imported("sk_live_", ImportedAlphabet::Base62, 32);
    let leading = derived.clone().with_id_length(5);
    let text = format!("sk_live_{body}");
    assert_eq!(
        read(&only(leading), &text),
        Ok(("sk_live".to_owned(), "Ab3dE".to_owned()))
    );
    // printf sk_live_Ab3dE0123456789ABCDEFGHIJKLMNOPQ | sha256sum | cut -c 1-32
    let id = "7fcf5a4decdb2b750583bb3f9f1b882a".to_owned();
    assert_eq!(
        read(&only(derived), &text),
        Ok(("sk_live".to_owned(), id.clone()))
    );
    assert_eq!(ImportedHash::of_text(&text).derived_id(), Some(id));
}

#[test]
fn lengths_and_characters_are_those_that_were_configured() {
    use ImportedAlphabet::{Base62, Base64Url, Hex, UrlSafe};
    for (alphabet, fits, foreign) in [
        (Hex, "09afAF", "g-"),
        (Base62, "09azAZ", "-_."),
        (Base64Url, "09azAZ-_", ".~"),
        (UrlSafe, "09azAZ-_.~", "+/="),
    ] {
        let formats = only(imported("acme-", alphabet, 40));
        let of = |body: &str| read(&formats, &format!("acme-{body}")).map(|(brand, _)| brand);
        let body: String = fits.chars().cycle().take(40).collect();
        assert_eq!(of(&body), Ok("acme-".to_owned()));
        assert_eq!(of(&body[..32]), Ok("acme-".to_owned()));
        assert_eq!(of(&body[..31]), Err(Malformed::SecretLength));
        assert_eq!(of(&format!("{body}0")), Err(Malformed::SecretLength));
        for foreign in foreign.chars().chain(['é', '\0', ' ']) {
            let body = format!("{}{foreign}", &body[..32]);
            assert_eq!(of(&body), Err(Malformed::BadCharacter), "{body}");
        }
    }
}

#[test]
fn a_key_without_prefix_is_asked_for_last() {
    let formats = Formats::builder()
        .secret(catch_all())
        .secret(SecretFormat::separated(SecretKind::ApiKey, "tnx"))
        .jwt()
        .build()
        .unwrap();
    assert_eq!(read(&formats, UUID).unwrap().0, "");
    // As a JWT begins, but without its dots.
    assert_eq!(read(&formats, &format!("ey{}", &UUID[2..])).unwrap().0, "");
    assert!(matches!(
        formats.classify(JWT.as_bytes()),
        Ok(Credential::Jwt(_))
    ));
    for (text, expected) in [
        // Final: what begins as another format or as a JWT is nothing else.
        ("tnx_0123456789abcdefghijklmnopqrst", Malformed::Id),
        ("eyJh.0123456789abcdefghijklmnopqrstuv", Malformed::Segments),
        ("hello", Malformed::SecretLength),
        (
            "e5f0b6c2+9d1a-4c37-8a52-0c1d2e3f4a5b",
            Malformed::BadCharacter,
        ),
    ] {
        assert_eq!(read(&formats, text), Err(expected), "{text}");
    }
    let last = formats.iter().last().unwrap();
    assert_eq!((last.brand(), formats.iter().count()), ("", 2));
    assert!(formats.format("").is_some());
}

#[test]
fn imported_keys_are_not_minted() {
    for format in [
        catch_all(),
        imported("sk_", ImportedAlphabet::Hex, 32).with_id_length(8),
    ] {
        assert!(matches!(format.mint(), Err(MintError::Imported)));
        let rotated = format.mint_secret_for("01234567");
        assert!(matches!(rotated, Err(MintError::Imported)));
    }
}

#[test]
fn what_cannot_be_told_apart_or_would_be_guessed_is_not_built() {
    use ImportedAlphabet::{Base62, Hex, UrlSafe};
    let of = |prefix, alphabet, lengths| {
        SecretFormat::imported(SecretKind::ApiKey, prefix, alphabet, lengths)
    };
    let good = || of("sk_live_", Base62, 32..=32);
    let build = |builder: FormatsBuilder| -> Vec<FormatError> {
        match builder.jwt().build() {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().cloned().collect(),
        }
    };
    let alone = |format| build(Formats::builder().secret(format));
    let name = |prefix: &str| prefix.to_owned();

    assert_eq!(alone(good()), []);
    assert_eq!(alone(good().with_id_length(16)), []);
    assert_eq!(alone(of("sk_", Base62, 22..=22)), []);
    for (format, mistake) in [
        (of("", Base62, 32..=32), FormatError::Prefix(name(""))),
        (of("a b", Base62, 32..=32), FormatError::Prefix(name("a b"))),
        (
            of("sk_", Base62, 21..=32),
            FormatError::TooGuessable(name("sk")),
        ),
        (
            of("sk_", Hex, 31..=32),
            FormatError::TooGuessable(name("sk")),
        ),
        (
            of("sk_", UrlSafe, 31..=32),
            FormatError::TooGuessable(name("sk")),
        ),
        (
            good().with_id_length(17),
            FormatError::TooGuessable(name("sk_live")),
        ),
        (
            good().with_id_length(3),
            FormatError::IdLength(name("sk_live")),
        ),
        (
            of("sk_", Base62, 32..=254),
            FormatError::TooLong(name("sk")),
        ),
        (
            of("sk_", Base62, 32..=usize::MAX),
            FormatError::TooLong(name("sk")),
        ),
        (
            of("sk_", Base62, RangeInclusive::new(33, 32)),
            FormatError::ImportedLengths(name("sk")),
        ),
        (
            good().with_random_length(27),
            FormatError::ImportedLengths(name("sk_live")),
        ),
        (
            good().accept_unchecked(22..=30),
            FormatError::Unchecked(name("sk_live")),
        ),
        (
            of("e", Base62, 32..=32),
            FormatError::BeginsAsJwt(name("e")),
        ),
        (
            of("ey-", Base62, 32..=32),
            FormatError::BeginsAsJwt(name("ey-")),
        ),
    ] {
        assert_eq!(alone(format.clone()), [mistake], "{format:?}");
    }
    let overlap = |one: &str, two: &str| [FormatError::Overlap(name(one), name(two))];
    let ours = SecretFormat::separated(SecretKind::ApiKey, "sk");
    for (one, two) in [(of("sk_", Base62, 32..=32), good()), (good(), ours)] {
        let expected = overlap(one.brand(), two.brand());
        assert_eq!(build(Formats::builder().secret(one).secret(two)), expected);
    }
    let two_last = Formats::builder().secret(catch_all()).secret(catch_all());
    assert_eq!(build(two_last), [FormatError::SecondCatchAll]);
}

#[test]
fn reading_one_allocates_nothing() {
    let formats = only(catch_all());
    let counted = allocation_counter::measure(|| {
        let Ok(Credential::Secret(secret)) = formats.classify(UUID.as_bytes()) else {
            panic!("a key");
        };
        assert_eq!(secret.public_id().len(), 32);
    });
    assert_eq!(counted.count_total, 0);
}

proptest! {
    #[test]
    fn any_bytes_are_read_totally_and_an_accepted_key_is_as_configured(
        token in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "(sk_live_|acme-|)[A-Za-z0-9._~-]{28,44}".prop_map(String::into_bytes),
        ],
    ) {
        let formats = Formats::builder()
            .secret(imported("sk_live_", ImportedAlphabet::Base62, 40).with_id_length(8))
            .secret(imported("acme-", ImportedAlphabet::Base64Url, 40))
            .secret(catch_all())
            .build()
            .unwrap();
        let Ok(Credential::Secret(secret)) = formats.classify(&token) else {
            return Ok(());
        };
        prop_assert_eq!(secret.expose().as_bytes(), &token);
        let (prefix, id) = match secret.brand() {
            "sk_live" => ("sk_live_", secret.expose()[8..16].to_owned()),
            brand => (brand, ImportedHash::of_text(secret.expose()).derived_id().unwrap()),
        };
        prop_assert_eq!(secret.public_id(), id);
        let body = secret.expose().strip_prefix(prefix).unwrap();
        prop_assert!((32..=40).contains(&body.len()));
    }
}
