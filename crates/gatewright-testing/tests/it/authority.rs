//! Keys, members and what ends them.

use gatewright_core::credential::{Formats, ImportedAlphabet, SecretFormat, SecretKind};
use gatewright_core::error::ErrorCode;
use gatewright_core::gate::Coherence;
use gatewright_core::principal::TenantId;
use gatewright_core::store::{CredentialFilter, CredentialStore as _, PageRequest};

use crate::{anyone, ask, links, quick};

#[tokio::test]
async fn a_key_is_what_was_said() {
    let (builder, clock) = quick();
    let authority = builder.coherence(Coherence::Strict).build().await;
    assert_eq!(authority.gate().coherence(), Coherence::Strict);
    let policy = links(&authority);
    let key = authority
        .new_key("acme")
        .scopes("links.read")
        .name("ci")
        .owned_by("usr_2")
        .not_before_in(10)
        .expires_in(60)
        .mint()
        .await;
    let refused = ask(&authority, &policy, &key).await.unwrap_err();
    refused
        .assert_code(ErrorCode::InvalidToken)
        .assert_hides(&key);
    clock.advance(10);
    assert!(ask(&authority, &policy, &key).await.is_ok());
    clock.advance(50);
    let refused = ask(&authority, &policy, &key).await.unwrap_err();
    refused.assert_code(ErrorCode::TokenExpired);

    let acme = TenantId::new("acme").unwrap();
    let (all, page) = (CredentialFilter::default(), PageRequest::first());
    let rows = authority
        .store()
        .list(&acme, &all, &page)
        .await
        .unwrap()
        .items;
    assert_eq!((&*rows[0].name, rows[0].owner.as_str()), ("ci", "usr_2"));
}

#[tokio::test]
async fn what_is_revoked_is_refused_at_once() {
    let authority = quick().0.build().await;
    let policy = anyone(&authority);
    for text in [
        authority.key("acme", "a").await,
        authority.pat("acme", "a").await,
        authority.token("usr_1").sign(),
    ] {
        assert!(ask(&authority, &policy, &text).await.is_ok());
        authority.revoke(&text).await;
        let refused = ask(&authority, &policy, &text).await.unwrap_err();
        refused.assert_code(ErrorCode::TokenRevoked);
    }
}

#[tokio::test]
async fn keys_are_of_the_formats_that_the_gate_has() {
    let old = SecretFormat::imported(
        SecretKind::ApiKey,
        "old_",
        ImportedAlphabet::Base62,
        22..=30,
    );
    let formats = Formats::builder()
        .secret(old)
        .secret(SecretFormat::separated(SecretKind::ApiKey, "acme"))
        .secret(SecretFormat::joined(SecretKind::ApiKey, "acmetest"))
        .secret(SecretFormat::dotted(SecretKind::Pat, "person"))
        .jwt()
        .build()
        .unwrap();
    let builder = quick().0.configure(|gate| gate.formats(formats));
    let authority = builder.build().await;
    let policy = anyone(&authority);
    authority.client("cli_1", "acme").await;
    let machine = authority.machine_token("cli_1").tenant("acme").sign();
    let other = authority.new_key("acme").brand("acmetest").mint().await;
    for (text, prefix) in [
        (authority.key("acme", "a").await, "acme_"),
        (authority.pat("acme", "a").await, "person_"),
        (other, "acmetest_"),
        (machine, "ey"),
    ] {
        assert!(text.starts_with(prefix), "{prefix}");
        assert!(ask(&authority, &policy, &text).await.is_ok(), "{prefix}");
    }
}

#[tokio::test]
#[should_panic(expected = "expected a format of nobodys that is minted")]
async fn a_brand_that_nobody_has_is_told() {
    let authority = quick().0.build().await;
    let _ = authority.new_key("acme").brand("nobodys").mint().await;
}

#[tokio::test]
async fn a_member_comes_and_goes() {
    let authority = quick().0.build().await;
    let policy = links(&authority);
    let token = authority.token("usr_2").sign();
    let stranger = ask(&authority, &policy, &token).await.unwrap_err();
    stranger
        .assert_code(ErrorCode::NotFound)
        .assert_no_challenge();
    authority.member("usr_2", "globex", "owner").await;
    assert!(ask(&authority, &policy, &token).await.is_err());
    authority.member("usr_2", "acme", "viewer").await;
    let caller = ask(&authority, &policy, &token)
        .await
        .unwrap()
        .principal
        .unwrap();
    assert_eq!(caller.role().unwrap().as_str(), "viewer");
    authority.remove_member("usr_2", "acme").await;
    assert!(ask(&authority, &policy, &token).await.is_err());
}

#[tokio::test]
#[should_panic(expected = "acme is there already")]
async fn a_slug_stands_once() {
    quick().0.tenant("acme", "free").build().await;
}

#[tokio::test]
#[should_panic(expected = "HS256 is none for it")]
async fn a_shared_secret_is_nothing_to_publish() {
    let builder = quick().0;
    builder
        .algorithm(gatewright_core::jwt::Algorithm::Hs256)
        .build()
        .await;
}
