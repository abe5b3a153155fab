//! Cookies by RFC 6265bis, and whose pages may bring them.

use gatewright_core::cookie::{
    Cookie, CookieBuilder, CookieError, CookieValue, MAX_AGE_SECS, MAX_COOKIE_LENGTH, SameSite,
    SetCookieError, TrustedOrigins,
};
use gatewright_core::credential::Field;
use gatewright_core::error::Cause;
use gatewright_core::origin::OriginError;
use proptest::prelude::*;

fn lines<'a>(fields: &[(Field, &'a str)]) -> Vec<(Field, &'a [u8])> {
    let bytes = |(field, line): &(Field, &'a str)| (*field, line.as_bytes());
    fields.iter().map(bytes).collect()
}

/// The name that others have fixed.
fn refresh() -> CookieBuilder {
    Cookie::named("_10x_admin_refresh", SameSite::Lax)
        .path("/v2/auth")
        .max_age_secs(2_592_000)
}

#[test]
fn lines_are_written_with_every_attribute() {
    let named = |name| Cookie::named(name, SameSite::Strict);
    for (cookie, set, clear) in [
        (
            refresh(),
            "_10x_admin_refresh=v; Path=/v2/auth; Secure; HttpOnly; SameSite=Lax; Max-Age=2592000",
            "_10x_admin_refresh=; Path=/v2/auth; Secure; HttpOnly; SameSite=Lax; Max-Age=0",
        ),
        (
            Cookie::host("visitor", SameSite::None).max_age_secs(MAX_AGE_SECS),
            "__Host-visitor=v; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=34560000",
            "__Host-visitor=; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=0",
        ),
        (
            named("__Secure-a").domain("example.com"),
            "__Secure-a=v; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Strict",
            "__Secure-a=; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Strict; Max-Age=0",
        ),
        (
            named("a").insecure_for_scripts().insecure_without_tls(),
            "a=v; Path=/; SameSite=Strict",
            "a=; Path=/; SameSite=Strict; Max-Age=0",
        ),
    ] {
        let cookie = cookie.build().unwrap();
        assert_eq!(cookie.set("v").unwrap().expose(), set);
        assert_eq!(cookie.clear().expose(), clear);
        assert!(set.starts_with(cookie.name()));
    }
}

#[test]
fn all_of_one_name_are_found_that_could_be_values() {
    let cookie = Cookie::named("sid", SameSite::Lax).build().unwrap();
    let long = format!("sid={}", "a".repeat(4_097));
    for (lines, expected) in [
        (vec![], vec![]),
        (vec!["sid=a"], vec!["a"]),
        (
            vec!["sid=a; sid=b;sid = c ", "x=y; sid=d"],
            vec!["a", "b", "c", "d"],
        ),
        (vec!["SID=a; sids=b; =sid; sid; xsid=c; sid="], vec![""]),
        (vec!["sid=a b; sid=\"c\"; sid=d,e"], vec!["\"c\""]),
        (vec![&*long, "sid=a"], vec!["a"]),
    ] {
        let fields: Vec<_> = lines
            .iter()
            .map(|line| (Field::Cookie, line.as_bytes()))
            .collect();
        let all: Vec<_> = cookie
            .read_all(&fields[..])
            .map(|value| std::str::from_utf8(value).unwrap())
            .collect();
        assert_eq!(all, expected, "{lines:?}");
    }
}

#[test]
fn a_cookie_keeps_the_rules() {
    use CookieError as E;
    let named = |name: &str| Cookie::named(name, SameSite::Lax);
    let long = "a".repeat(257);
    let (long_path, long_label) = (format!("/{}", "a".repeat(1024)), "a".repeat(64));
    for (section, builder, mistakes) in [
        (
            "§4.1.1 a name is a token",
            named("a!#$%&'*+-.^_`|~9"),
            &[][..],
        ),
        ("§4.1.1", named(""), &[E::Name]),
        ("§4.1.1", named("a b"), &[E::Name]),
        ("§4.1.1", named("a=b"), &[E::Name]),
        ("§4.1.1", named("a;b"), &[E::Name]),
        ("§4.1.1", named("a\r\nb"), &[E::Name]),
        ("§4.1.1", named("\"a\""), &[E::Name]),
        ("§4.1.1", named("caf\u{e9}"), &[E::Name]),
        ("§5.6 room for the value", named(&long), &[E::Name]),
        ("§4.1.1 a path", named("a").path("/v2/auth"), &[]),
        ("§4.1.1", named("a").path("/a b/~!'()*+,=:@%20"), &[]),
        (
            "§5.6.4 not the default path",
            named("a").path(""),
            &[E::Path],
        ),
        ("§5.6.4", named("a").path("v2"), &[E::Path]),
        ("§4.1.1", named("a").path("/a;b"), &[E::Path]),
        ("§4.1.1", named("a").path("/a; Domain=evil"), &[E::Path]),
        ("§4.1.1", named("a").path("/a\r\nb"), &[E::Path]),
        ("§4.1.1", named("a").path("/a\tb"), &[E::Path]),
        ("§4.1.1", named("a").path("/\u{7f}"), &[E::Path]),
        ("§4.1.1", named("a").path("/\u{e9}"), &[E::Path]),
        (
            "§5.6 white space is cut",
            named("a").path("/a "),
            &[E::Path],
        ),
        (
            "§5.6 the attribute is ignored",
            named("a").path(&*long_path),
            &[E::Path],
        ),
        ("§4.1.1 a domain", named("a").domain("a-1.Example.com"), &[]),
        ("§5.6.3 empty", named("a").domain(""), &[E::Domain]),
        (
            "§4.1.2.3 a leading dot",
            named("a").domain(".example.com"),
            &[E::Domain],
        ),
        ("§4.1.1", named("a").domain("example.com."), &[E::Domain]),
        ("§4.1.1", named("a").domain("a..b"), &[E::Domain]),
        ("§4.1.1", named("a").domain("-a.b"), &[E::Domain]),
        ("§4.1.1", named("a").domain("a.b-"), &[E::Domain]),
        ("§4.1.1", named("a").domain("a_b.c"), &[E::Domain]),
        ("§4.1.1", named("a").domain("a.b:80"), &[E::Domain]),
        ("§4.1.1", named("a").domain("a.b; Secure"), &[E::Domain]),
        ("§4.1.1", named("a").domain("*.b"), &[E::Domain]),
        ("§4.1.1", named("a").domain(&*long_label), &[E::Domain]),
        (
            "§5.1.3 an address",
            named("a").domain("10.0.0.1"),
            &[E::Domain],
        ),
        (
            "§4.1.1 non-zero-digit",
            named("a").max_age_secs(0),
            &[E::MaxAge],
        ),
        ("§4.1.1", named("a").max_age_secs(1), &[]),
        ("§5.5 400 days", named("a").max_age_secs(400 * 86_400), &[]),
        (
            "§5.5",
            named("a").max_age_secs(400 * 86_400 + 1),
            &[E::MaxAge],
        ),
        ("§5.5", named("a").max_age_secs(u64::MAX), &[E::MaxAge]),
        (
            "§5.7 SameSite=None",
            Cookie::named("a", SameSite::None).insecure_without_tls(),
            &[E::SameSiteNoneNotSecure],
        ),
        (
            "§4.1.3.1",
            named("__Secure-a").path("/b").domain("a.b"),
            &[],
        ),
        (
            "§4.1.3.1",
            named("__Secure-a").insecure_without_tls(),
            &[E::PrefixNotSecure],
        ),
        (
            "§5.4 any case",
            named("__sEcUrE-a").insecure_without_tls(),
            &[E::PrefixNotSecure],
        ),
        ("§4.1.3.2", Cookie::host("a", SameSite::Lax), &[]),
        (
            "§4.1.3.2",
            Cookie::host("a", SameSite::Lax)
                .path("/b")
                .domain("a.b")
                .insecure_without_tls(),
            &[E::PrefixNotSecure, E::HostPrefixPath, E::HostPrefixDomain],
        ),
        (
            "§5.4 any case",
            named("__HOST-a").path("/b"),
            &[E::HostPrefixPath],
        ),
        ("§5.4 the whole prefix", named("__Host").path("/b"), &[]),
        (
            "__Http-",
            named("__http-a").insecure_for_scripts(),
            &[E::PrefixNotHttpOnly],
        ),
        (
            "__Host-Http-",
            named("__Host-Http-a").path("/b").insecure_for_scripts(),
            &[E::HostPrefixPath, E::PrefixNotHttpOnly],
        ),
        (
            "all at once",
            Cookie::named("", SameSite::None)
                .path("")
                .domain("")
                .max_age_secs(0)
                .insecure_without_tls(),
            &[
                E::Name,
                E::Path,
                E::Domain,
                E::MaxAge,
                E::SameSiteNoneNotSecure,
            ],
        ),
    ] {
        let found = builder.clone().build().err().unwrap_or_default();
        assert_eq!(found, mistakes, "{section}: {builder:?}");
    }
}

#[test]
fn a_value_keeps_the_grammar_and_the_line_its_length() {
    let cookie = refresh().build().unwrap();
    for byte in 0..=0x7F_u8 {
        let value = format!("a{}b", char::from(byte));
        let good = byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        let expected = if good {
            None
        } else {
            Some(SetCookieError::Character)
        };
        assert_eq!(cookie.set(&value).err(), expected, "{byte:#x}");
    }
    assert_eq!(cookie.set("\u{e9}").err(), Some(SetCookieError::Character));
    assert!(cookie.set("").is_ok());
    let room = MAX_COOKIE_LENGTH - cookie.set("").unwrap().expose().len();
    let most = cookie.set(&"a".repeat(room)).unwrap();
    assert_eq!(most.expose().len(), MAX_COOKIE_LENGTH);
    let more = cookie.set(&"a".repeat(room + 1));
    assert_eq!(more.err(), Some(SetCookieError::TooLong));
}

#[test]
fn the_longest_cookie_can_still_be_cleared() {
    let name = "a".repeat(256);
    let cookie = Cookie::named(&name, SameSite::Strict)
        .path(format!("/{}", "a".repeat(1023)))
        .domain(format!("{}a", "a.".repeat(126)))
        .build()
        .unwrap();
    assert!(cookie.clear().expose().len() < MAX_COOKIE_LENGTH);
}

#[test]
fn no_value_is_printed() {
    let cookie = Cookie::host("sid", SameSite::Lax).build().unwrap();
    let fields = lines(&[(Field::Cookie, "__Host-sid=topsecret")]);
    let shown = format!(
        "{:?} {:?}",
        cookie.set("topsecret"),
        cookie.read(&fields[..])
    );
    assert_eq!(shown, "Ok(SetCookie(redacted)) Value(redacted)");
}

#[test]
fn a_cookie_is_read_as_it_came_or_not_at_all() {
    let sid = Cookie::named("sid", SameSite::Lax).build().unwrap();
    let long = format!("sid={}", "a".repeat(MAX_COOKIE_LENGTH + 1));
    for (headers, expected, rule) in [
        (&[][..], CookieValue::Absent, "none"),
        (&["a=1; b=2"][..], CookieValue::Absent, "other names"),
        (&["sid=x"][..], CookieValue::Value(b"x"), "§5.8.3"),
        (&["a=1; sid=x; b=2"][..], CookieValue::Value(b"x"), "§5.8.3"),
        (&["a=1;sid=x"][..], CookieValue::Value(b"x"), "no space"),
        (
            &["a=1", "sid=x"][..],
            CookieValue::Value(b"x"),
            "several lines",
        ),
        (
            &["sid="][..],
            CookieValue::Value(b""),
            "§4.1.1: may be empty",
        ),
        (
            &["sid=a=b"][..],
            CookieValue::Value(b"a=b"),
            "= is a cookie-octet",
        ),
        (
            &["sid=\"x\""][..],
            CookieValue::Value(b"\"x\""),
            "quotes are part of it",
        ),
        (
            &["Sid=x"][..],
            CookieValue::Absent,
            "names are compared by case",
        ),
        (&["xsid=x"][..], CookieValue::Absent, "the whole name"),
        (&["sid"][..], CookieValue::Absent, "no pair"),
        (&["sid=x; sid=y"][..], CookieValue::Duplicate, "twice"),
        (
            &["sid=x; sid=x"][..],
            CookieValue::Duplicate,
            "twice the same",
        ),
        (
            &["sid=x", "sid=y"][..],
            CookieValue::Duplicate,
            "twice, two lines",
        ),
        (&["sid=a b"][..], CookieValue::Malformed, "a space inside"),
        (&["sid=a\"b"][..], CookieValue::Malformed, "a quote inside"),
        (&["sid=a,b"][..], CookieValue::Malformed, "a comma"),
        (&["sid=a\\b"][..], CookieValue::Malformed, "a backslash"),
        (&["sid=\u{e9}"][..], CookieValue::Malformed, "not ASCII"),
        (
            &["sid=a b; sid=x"][..],
            CookieValue::Duplicate,
            "a malformed one counts",
        ),
        (&[long.as_str()][..], CookieValue::Malformed, "too long"),
    ] {
        let fields: Vec<_> = headers
            .iter()
            .map(|line| (Field::Cookie, line.as_bytes()))
            .collect();
        assert_eq!(sid.read(&fields[..]), expected, "{headers:?}: {rule}");
    }
}

/// What a request says of the page that made it, and whether it passes.
#[test]
fn pages_of_ours_and_programs_pass_and_others_do_not() {
    use Field::{Origin, SecFetchSite as Site};
    let trusted = TrustedOrigins::of("https://API.example/v2").unwrap();
    let trusted = trusted.origin("https://app.example:8443").unwrap();
    for (fields, passes) in [
        (&[][..], true),
        (&[(Origin, "https://api.example")], true),
        (&[(Origin, "https://app.example:8443")], true),
        (&[(Site, "same-origin")], true),
        (&[(Site, "none")], true),
        (
            &[(Site, "same-origin"), (Origin, "https://api.example")],
            true,
        ),
        (
            &[(Site, "same-site"), (Origin, "https://app.example:8443")],
            true,
        ),
        (
            &[(Site, "cross-site"), (Origin, "https://app.example:8443")],
            true,
        ),
        (
            &[
                (Origin, "https://api.example"),
                (Origin, "https://api.example"),
            ],
            true,
        ),
        (&[(Origin, "null")], false),
        (&[(Site, "same-origin"), (Origin, "null")], false),
        (&[(Site, "none"), (Origin, "null")], false),
        (&[(Origin, "")], false),
        (&[(Origin, "http://api.example")], false),
        (&[(Origin, "https://api.example:8443")], false),
        (&[(Origin, "https://app.example")], false),
        (&[(Origin, "https://api.example:443")], false),
        (&[(Origin, "https://API.example")], false),
        (&[(Origin, "https://api.example/")], false),
        (&[(Origin, "https://api.example.evil.test")], false),
        (&[(Origin, "https://evil.test https://api.example")], false),
        (
            &[(Origin, "https://api.example, https://api.example")],
            false,
        ),
        (
            &[
                (Origin, "https://api.example"),
                (Origin, "https://evil.test"),
            ],
            false,
        ),
        (
            &[
                (Origin, "https://evil.test"),
                (Origin, "https://api.example"),
            ],
            false,
        ),
        (&[(Site, "same-site")], false),
        (&[(Site, "cross-site")], false),
        (
            &[(Site, "cross-site"), (Origin, "https://evil.test")],
            false,
        ),
        (
            &[(Site, "same-origin"), (Origin, "https://evil.test")],
            false,
        ),
        (&[(Site, "same-origin"), (Site, "cross-site")], false),
        (&[(Site, "cross-site"), (Site, "same-origin")], false),
        (&[(Site, "same-origin, cross-site")], false),
        (&[(Site, "Same-Origin")], false),
        (&[(Site, "")], false),
        (&[(Site, "unknown")], false),
        (&[(Site, "unknown"), (Origin, "https://api.example")], false),
    ] {
        let expected = if passes {
            Ok(())
        } else {
            Err(Cause::ForeignOrigin)
        };
        assert_eq!(trusted.check(&lines(fields)[..]), expected, "{fields:?}");
    }
    assert_eq!(TrustedOrigins::of("api.example"), Err(OriginError::Scheme));
    assert_eq!(trusted.origin("https://a/b"), Err(OriginError::Path));
}

#[test]
fn reading_and_checking_allocate_nothing() {
    let cookie = Cookie::host("sid", SameSite::Lax).build().unwrap();
    let trusted = TrustedOrigins::of("https://api.example").unwrap();
    let fields = lines(&[
        (Field::Cookie, "a=1; __Host-sid=x"),
        (Field::Origin, "https://api.example"),
        (Field::SecFetchSite, "same-origin"),
    ]);
    let counted = allocation_counter::measure(|| {
        assert_eq!(cookie.read(&fields[..]), CookieValue::Value(b"x"));
        assert!(trusted.check(&fields[..]).is_ok());
    });
    assert_eq!(counted.count_total, 0);
}

fn any_cookie() -> impl Strategy<Value = CookieBuilder> {
    let same_site = prop_oneof![
        Just(SameSite::Strict),
        Just(SameSite::Lax),
        Just(SameSite::None)
    ];
    let name = "(__Host-|__Secure-)?[!#$%&'*+.^_`|~A-Za-z0-9-]{1,12}";
    let path = prop_oneof![Just("/".to_owned()), "/[ -:<-~]{0,12}"];
    let domain = proptest::option::of("[a-z0-9-]{1,4}(\\.[a-z]{1,4}){0,2}");
    let age = proptest::option::of(0..2 * MAX_AGE_SECS);
    (
        name,
        same_site,
        path,
        domain,
        age,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(name, same_site, path, domain, age, insecure, scripts)| {
            let mut builder = Cookie::named(&name, same_site).path(path);
            if let Some(domain) = domain {
                builder = builder.domain(domain);
            }
            if let Some(secs) = age {
                builder = builder.max_age_secs(secs);
            }
            if insecure {
                builder = builder.insecure_without_tls();
            }
            if scripts {
                builder = builder.insecure_for_scripts();
            }
            builder
        })
}

proptest! {
    /// What is set comes back, whatever stands around it, and another parser reads the line as it was meant.
    #[test]
    fn what_is_set_is_read_by_us_and_by_others(
        builder in any_cookie(),
        value in "[!#-+./:<-\\[\\]-~0-9-]{0,40}",
        around in ("[a-z]{1,3}x=[a-z]{0,4}", "[a-z]{1,3}y=[a-z]{0,4}"),
    ) {
        let Ok(ours) = builder.build() else {
            return Ok(());
        };
        let line = ours.set(&value).unwrap();
        let pair = line.expose().split(';').next().unwrap();
        let sent = format!("{}; {pair}; {}", around.0, around.1);
        let fields = [(Field::Cookie, sent.as_bytes())];
        prop_assert_eq!(ours.read(&fields[..]), CookieValue::Value(value.as_bytes()));
        let twice = [fields[0], fields[0]];
        prop_assert_eq!(ours.read(&twice[..]), CookieValue::Duplicate);

        for (line, value) in [(line, &*value), (ours.clear(), "")] {
            let text = line.expose();
            let theirs = cookie::Cookie::parse(text).unwrap();
            prop_assert_eq!(theirs.name_value(), (ours.name(), value));
            let flag = |name: &str| text.split("; ").skip(1).any(|part| part == name);
            let attribute = |name: &str| {
                let mut parts = text.split("; ").skip(1).filter_map(|part| part.split_once('='));
                parts.find_map(|(key, value)| (key == name).then(|| value.to_owned()))
            };
            prop_assert_eq!(theirs.secure().unwrap_or(false), flag("Secure"));
            prop_assert_eq!(theirs.http_only().unwrap_or(false), flag("HttpOnly"));
            prop_assert_eq!(theirs.path().map(str::to_owned), attribute("Path"));
            prop_assert_eq!(theirs.domain().map(str::to_owned), attribute("Domain"));
            let site = theirs.same_site().map(|site| site.to_string());
            prop_assert_eq!(site, attribute("SameSite"));
            let age = theirs.max_age().map(|age| age.whole_seconds().to_string());
            prop_assert_eq!(age, attribute("Max-Age"));
            if theirs.name().starts_with("__Host-") {
                let bound = (theirs.path(), theirs.domain(), theirs.secure());
                prop_assert_eq!(bound, (Some("/"), None, Some(true)));
            }
        }
    }

    /// Whatever is in the fields, what is read is a value that could have been set, and a listed origin is needed where any is
    /// named.
    #[test]
    fn any_fields_are_read(
        values in proptest::collection::vec(
            (0..3_usize, prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..24),
                "(sid=)?[ \ta-z,;=\"]{0,12}".prop_map(String::into_bytes),
                "(https://api.example|null|none|same-(site|origin)|cross-site)".prop_map(String::into_bytes),
            ]),
            0..5,
        ),
    ) {
        let kinds = [Field::Cookie, Field::Origin, Field::SecFetchSite];
        let fields: Vec<_> = values.iter().map(|(kind, line)| (kinds[*kind], line.as_slice())).collect();
        let sid = Cookie::named("sid", SameSite::Lax).build().unwrap();
        if let CookieValue::Value(value) = sid.read(&fields[..]) {
            let value = std::str::from_utf8(value).unwrap();
            prop_assert!(sid.set(value.trim_matches('"')).is_ok());
        }
        let trusted = TrustedOrigins::of("https://api.example").unwrap();
        if trusted.check(&fields[..]).is_ok() {
            let of = |field| fields.iter().filter(move |(name, _)| *name == field).map(|(_, line)| line.trim_ascii());
            prop_assert!(of(Field::Origin).all(|line| line == b"https://api.example"));
            let ours: [&[u8]; 2] = [b"same-origin", b"none"];
            let named = of(Field::Origin).next().is_some();
            prop_assert!(named || of(Field::SecFetchSite).all(|line| ours.contains(&line)));
        }
    }
}
