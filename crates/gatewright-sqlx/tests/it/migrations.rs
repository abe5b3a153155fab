//! Migrations: again, at once, and beside somebody else's.

use std::borrow::Cow;

use gatewright_core::credential::SecretKind;
use gatewright_core::store::CredentialStore;
use gatewright_sqlx::{OpenError, SqlStore};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::fixture::{Directory, create_acme, fresh, mint, tamper};

#[tokio::test]
async fn a_second_migration_changes_nothing() {
    let (store, directory) = fresh().await;
    create_acme(&store).await;
    mint(&store, "k1").await;
    store.migrate().await.unwrap();
    let again = directory.open().await;
    assert!(
        again
            .find(SecretKind::ApiKey, "k1")
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_database_at_once() {
    let directory = Directory::new();
    let openings: Vec<_> = (0..8)
        .map(|_| {
            let path = directory.database().to_str().unwrap().to_owned();
            tokio::spawn(async move { SqlStore::open(&path).await })
        })
        .collect();
    for opening in openings {
        opening.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_bring_an_old_database_up_to_date_at_once() {
    let (store, directory) = fresh().await;
    for _ in 0..4 {
        // Back to before the first migration, the books kept.
        tamper(
            &store,
            "DELETE FROM _gatewright_migrations;
             DROP TABLE invites;
             DROP TABLE credentials; DROP TABLE memberships; DROP TABLE tenants; DROP TABLE accounts; DROP TABLE epochs;
             DROP TABLE ended_sessions; DROP TABLE denied_tokens; DROP TABLE signing_keys; DROP TABLE tag_keys;
             DROP TABLE changes; DROP TABLE nodes;
             DROP TABLE mailed_tokens; DROP TABLE linked_logins",
        )
        .await;
        let openings: Vec<_> = (0..8)
            .map(|_| {
                let path = directory.database().to_str().unwrap().to_owned();
                tokio::spawn(async move { SqlStore::open(&path).await.map(drop) })
            })
            .collect();
        for opening in openings {
            opening.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn the_services_own_migrations_go_their_own_way() {
    let (store, _directory) = fresh().await;
    let theirs = Migrator::with_migrations(vec![Migration::new(
        1,
        Cow::Borrowed("links"),
        MigrationType::Simple,
        "CREATE TABLE links (id TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenants (id)) STRICT".into_sql_str(),
        false,
    )]);
    theirs.run(store.pool()).await.unwrap();
    store.migrate().await.unwrap();
    theirs.run(store.pool()).await.unwrap();
    create_acme(&store).await;
    tamper(&store, "INSERT INTO links VALUES ('lnk_1', 'ten_acme')").await;
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_left_alone() {
    let (store, directory) = fresh().await;
    tamper(
        &store,
        "INSERT INTO _gatewright_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .await;
    let opened = SqlStore::open(directory.database().to_str().unwrap()).await;
    assert!(matches!(opened, Err(OpenError::Migrate(_))), "{opened:?}");
}
