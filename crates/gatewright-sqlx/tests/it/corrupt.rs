//! A row that cannot be read is named by its column; it neither passes, nor is missing, nor ends the process.

use gatewright_core::credential::SecretKind;
use gatewright_core::principal::UserId;
use gatewright_core::store::{
    Account, AccountStore, CredentialFilter, CredentialStore, KeyStore, MembershipStore,
    PageRequest, RevocationStore, SessionFilter, SessionStore, StoreError, TenantRef, TokenRef,
};

use crate::fixture::{NOW, acme, alice, create_acme, fresh, hash, mint, tamper};
use crate::sessions::{open, token};

#[tokio::test]
async fn of_a_credential() {
    for (column, sql) in [
        (
            "credentials.hash",
            "UPDATE credentials SET hash = '$argon2id$v=19$m=8$x'",
        ),
        (
            "credentials.hash",
            "UPDATE credentials SET hash = '$sha256$BA7816BF'",
        ),
        (
            "credentials.id",
            "UPDATE credentials SET id = 'k1' || char(10)",
        ),
        ("credentials.owner", "UPDATE credentials SET owner = ''"),
        (
            "credentials.scopes",
            "UPDATE credentials SET scopes = 'links.read not/a/scope'",
        ),
        ("credentials.tag", "UPDATE credentials SET tag = -1"),
        (
            "credentials.tag",
            "UPDATE credentials SET tag = 281474976710656",
        ),
        (
            "credentials.created_at",
            "UPDATE credentials SET created_at = -1",
        ),
        (
            "credentials.expires_at",
            "UPDATE credentials SET expires_at = -1",
        ),
        (
            "credentials.revoked_at",
            "UPDATE credentials SET revoked_at = -1",
        ),
        (
            "credentials.previous_hash",
            "UPDATE credentials SET previous_hash = 'x', previous_ends_at = 1",
        ),
        (
            "credentials.name",
            "UPDATE credentials SET name = CAST(x'ff' AS TEXT)",
        ),
    ] {
        let (store, _directory) = fresh().await;
        create_acme(&store).await;
        mint(&store, "k1").await;
        tamper(&store, sql).await;
        let page = PageRequest::first();
        let listed = store
            .list(&acme(), &CredentialFilter::default(), &page)
            .await;
        assert!(
            matches!(listed, Err(StoreError::Corrupt(named)) if named == column),
            "{sql}: {listed:?}"
        );
        if column != "credentials.id" {
            let found = store.find(SecretKind::ApiKey, "k1").await;
            assert!(
                matches!(found, Err(StoreError::Corrupt(named)) if named == column),
                "{sql}: {found:?}"
            );
        }
    }
}

#[tokio::test]
async fn of_an_account() {
    for (column, sql) in [
        (
            "accounts.password",
            "UPDATE accounts SET password = 'secret'",
        ),
        ("accounts.created_at", "UPDATE accounts SET created_at = -1"),
    ] {
        let (store, _directory) = fresh().await;
        let mut account = Account::new(alice(), "alice@example.com", 1);
        account.password = Some(hash(1));
        store.insert_account(account).await.unwrap();
        tamper(&store, sql).await;
        let found = store.account(&alice()).await;
        assert!(
            matches!(found, Err(StoreError::Corrupt(named)) if named == column),
            "{sql}: {found:?}"
        );
        let found = store.account_by_email("alice@example.com").await;
        assert!(
            matches!(found, Err(StoreError::Corrupt(named)) if named == column),
            "{sql}: {found:?}"
        );
    }
}

#[tokio::test]
async fn of_a_tenant_or_a_member() {
    let (store, _directory) = fresh().await;
    create_acme(&store).await;
    tamper(&store, "UPDATE tenants SET plan = CAST(x'ff' AS TEXT)").await;
    let found = store.membership(&alice(), TenantRef::Id(&acme())).await;
    assert!(
        matches!(found, Err(StoreError::Corrupt("tenants.plan"))),
        "{found:?}"
    );

    tamper(&store, "UPDATE memberships SET user_id = 'a' || char(0)").await;
    let listed = store.members(&acme(), &PageRequest::first()).await;
    assert!(
        matches!(listed, Err(StoreError::Corrupt("memberships.user_id"))),
        "{listed:?}"
    );
}

#[tokio::test]
async fn of_a_session() {
    for (column, sql) in [
        ("sessions.id", "UPDATE sessions SET id = 'a' || char(10)"),
        ("sessions.user_id", "UPDATE sessions SET user_id = ''"),
        ("sessions.tenant", "UPDATE sessions SET tenant = ''"),
        (
            "sessions.label",
            "UPDATE sessions SET label = CAST(x'ff' AS TEXT)",
        ),
        (
            "sessions.idle_expires_at",
            "UPDATE sessions SET idle_expires_at = -1",
        ),
        ("sessions.ended_at", "UPDATE sessions SET ended_at = -1"),
        (
            "refresh_tokens.grace_ends_at",
            "UPDATE refresh_tokens SET place = 'parent', sealed_child = x'00', grace_ends_at = -1",
        ),
        (
            "refresh_tokens.place",
            "PRAGMA ignore_check_constraints = 1; UPDATE refresh_tokens SET place = 'sibling'",
        ),
    ] {
        let (store, _directory) = fresh().await;
        open(&store, "ses_1", 0).await;
        tamper(&store, sql).await;
        let found = store.find_refresh(&token(0)).await;
        assert!(
            matches!(found, Err(StoreError::Corrupt(named)) if named == column),
            "{sql}: {found:?}"
        );
    }
    let (store, _directory) = fresh().await;
    let session = open(&store, "ses_1", 0).await;
    tamper(&store, "UPDATE sessions SET id = 'a' || char(10)").await;
    let listed = store
        .live_sessions(&alice(), NOW, &PageRequest::first())
        .await;
    assert!(
        matches!(listed, Err(StoreError::Corrupt("sessions.id"))),
        "{listed:?}"
    );
    // An end that cannot say what it ended ends nothing.
    let ended = store.end_sessions(&alice(), SessionFilter::All, NOW).await;
    assert!(
        matches!(ended, Err(StoreError::Corrupt("sessions.id"))),
        "{ended:?}"
    );
    tamper(&store, "UPDATE sessions SET id = 'ses_1'").await;
    let found = store.session(&session).await.unwrap().unwrap();
    assert_eq!(found.ended_at, None);
}

#[tokio::test]
async fn of_an_epoch() {
    let (store, _directory) = fresh().await;
    let user = UserId::new("usr_1").unwrap();
    let _ = store.raise_user_epoch(&user).await.unwrap();
    tamper(&store, "UPDATE epochs SET epoch = -1").await;
    let standing = store.standing(TokenRef::user("usr_1", None, None)).await;
    assert!(
        matches!(standing, Err(StoreError::Corrupt("epochs.epoch"))),
        "{standing:?}"
    );
}

#[tokio::test]
async fn of_a_key() {
    let (store, _directory) = fresh().await;
    tamper(
        &store,
        "INSERT INTO signing_keys (kid, algorithm, sealed, published_at, active_from) VALUES ('k', 'none', x'00', 1, 1);
         INSERT INTO tag_keys (id, key) VALUES (4294967296, x'00')",
    )
    .await;
    let keys = store.signing_keys().await;
    assert!(
        matches!(keys, Err(StoreError::Corrupt("signing_keys.algorithm"))),
        "{keys:?}"
    );
    let keys = store.tag_keys().await;
    assert!(
        matches!(keys, Err(StoreError::Corrupt("tag_keys.id"))),
        "{keys:?}"
    );
}
