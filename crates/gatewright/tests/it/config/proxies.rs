//! Proxies in front.

use gatewright::source::TrustedProxies;

use super::{build, least, mistakes, read, toml};

#[test]
fn proxies_are_configured_by_number_field_and_networks() {
    let proxies = |table: &str| build(read(&(least() + table))).proxies().cloned();
    assert_eq!(proxies(""), None);
    assert_eq!(
        proxies("proxies.field = 'forwarded'"),
        TrustedProxies::forwarded(1).ok()
    );
    let two = TrustedProxies::x_forwarded_for(2).unwrap();
    let listed = two.from_peers(["10.0.0.0/8", "::1"].map(|network| network.parse().unwrap()));
    assert_eq!(
        proxies(
            "[proxies]
             trusted = 2
             field = 'x-forwarded-for'
             networks = ['10.0.0.0/8', '::1']"
        ),
        Some(listed.clone())
    );
    let variables = [
        ("APP__PROXIES__TRUSTED", "2"),
        ("APP__PROXIES__FIELD", "x-forwarded-for"),
        ("APP__PROXIES__NETWORKS__0", "10.0.0.0/8"),
        ("APP__PROXIES__NETWORKS__1", "::1"),
    ];
    let by_variables = toml(&least()).overlay_env("APP", variables).read().unwrap();
    assert_eq!(build(by_variables).proxies(), Some(&listed));
}

/// Which field a proxy writes is never guessed, and an empty list is no way to say anywhere.
#[test]
fn what_would_be_guessed_is_a_mistake() {
    assert_eq!(
        mistakes(toml(
            &(least() + "proxies = { trusted = 1, networks = [] }")
        )),
        "proxies.field: is missing\n\
         proxies.networks: must not be empty: no proxy would be believed"
    );
    let variables = [
        ("APP__PROXIES__TRUSTED", "0"),
        ("APP__PROXIES__FIELD", "x-real-ip"),
        ("APP__PROXIES__NETWORKS__0", "here"),
    ];
    assert_eq!(
        mistakes(toml(&least()).overlay_env("APP", variables)),
        "proxies.field (APP__PROXIES__FIELD): must be one of: forwarded, x-forwarded-for\n\
         proxies.networks[0] (APP__PROXIES__NETWORKS__0): a network begins with an IPv4 or IPv6 address\n\
         proxies.trusted (APP__PROXIES__TRUSTED): must be 1 to 16"
    );
}

#[test]
fn other_proxies_take_a_restart() {
    let with = |table: &str| read(&(least() + table));
    let configured = build(with(
        "proxies = { field = 'forwarded', networks = ['::1'] }",
    ));
    let told = configured
        .reload_keys(&with(
            "proxies = { trusted = 2, field = 'x-forwarded-for', networks = ['::2'] }",
        ))
        .unwrap();
    let paths: Vec<_> = told.needs_restart.iter().map(ToString::to_string).collect();
    assert_eq!(
        paths,
        ["proxies.field", "proxies.networks[0]", "proxies.trusted"]
    );
    assert_eq!(
        configured.proxies().map(TrustedProxies::field),
        Some(gatewright::source::ProxyField::Forwarded)
    );
}
