//! A database that is locked or gone is out of reach, and never an answer about a credential.

use std::time::Duration;

use gatewright_core::credential::SecretKind;
use gatewright_core::principal::UserId;
use gatewright_core::store::{
    Changes, CredentialStore, MembershipStore, RevocationStore, StoreError, TokenRef,
};
use gatewright_sqlx::{OpenError, SqlStore, SqliteOptions};

use crate::fixture::{Directory, acme, create_acme, fresh, key, mint};

#[tokio::test]
async fn a_locked_database_refuses_writes_after_a_while_and_still_reads() {
    let (other, directory) = fresh().await;
    create_acme(&other).await;
    mint(&other, "k1").await;
    let options = SqliteOptions::file(directory.database()).busy_timeout(Duration::from_millis(50));
    let store = SqlStore::open_with(&options).await.unwrap();

    let lock = other.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    for outcome in [
        store.insert(key("k2")).await.map(drop),
        store
            .revoke(&acme(), SecretKind::ApiKey, "k1", 1)
            .await
            .map(drop),
        store.raise_client_epoch("cli_1").await.map(drop),
    ] {
        assert!(
            matches!(outcome, Err(StoreError::Unavailable(_))),
            "{outcome:?}"
        );
    }
    let found = store.find(SecretKind::ApiKey, "k1").await.unwrap().unwrap();
    assert_eq!(found.revoked_at, None);
    assert_eq!(
        store
            .standing(TokenRef::client("cli_1", None))
            .await
            .unwrap()
            .epoch,
        0
    );

    lock.rollback().await.unwrap();
    assert!(
        store
            .find(SecretKind::ApiKey, "k2")
            .await
            .unwrap()
            .is_none()
    );
    assert!(store.insert(key("k2")).await.is_ok());
}

#[tokio::test]
async fn a_writer_waits_for_a_lock_that_is_given_back() {
    let (other, directory) = fresh().await;
    create_acme(&other).await;
    let store = directory.open().await;
    let lock = other.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    let waiting = tokio::spawn(async move { mint(&store, "k1").await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    lock.rollback().await.unwrap();
    assert_eq!(
        waiting.await.unwrap(),
        gatewright_core::store::InsertOutcome::Inserted
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_who_wait_leave_connections_for_readers() {
    let (other, directory) = fresh().await;
    create_acme(&other).await;
    mint(&other, "k1").await;
    let options = SqliteOptions::file(directory.database())
        .busy_timeout(Duration::from_secs(2))
        .connections(4);
    let store = SqlStore::open_with(&options).await.unwrap();
    let lock = other.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    let writers: Vec<_> = (0..16)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.insert(key(&format!("w{number}"))).await.map(drop) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let found = store.find(SecretKind::ApiKey, "k1").await;
    assert!(matches!(found, Ok(Some(_))), "{found:?}");
    assert!(writers.iter().all(|writer| !writer.is_finished()));
    lock.rollback().await.unwrap();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_read_before_they_write_take_turns() {
    let (store, directory) = fresh().await;
    create_acme(&store).await;
    let other = directory.open().await;
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let store = if number % 2 == 0 {
                store.clone()
            } else {
                other.clone()
            };
            tokio::spawn(async move {
                let user = UserId::new(format!("usr_{}", number / 4)).unwrap();
                let new = store.put_member(&acme(), &user, "member").await?;
                Ok::<_, StoreError>(Changes::new().publish(new))
            })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += usize::from(task.await.unwrap().unwrap());
    }
    assert_eq!(new, 16);
}

#[tokio::test]
async fn a_closed_store_is_out_of_reach() {
    let (store, _directory) = fresh().await;
    store.close().await;
    let found = store.find(SecretKind::ApiKey, "k1").await;
    assert!(
        matches!(found, Err(StoreError::Unavailable(_))),
        "{found:?}"
    );
    let inserted = store.insert(key("k1")).await;
    assert!(
        matches!(inserted, Err(StoreError::Unavailable(_))),
        "{inserted:?}"
    );
}

#[tokio::test]
async fn what_is_no_database_is_not_opened() {
    let directory = Directory::new();
    std::fs::write(
        directory.database(),
        "this is a letter, not a database; it only has the name of one",
    )
    .unwrap();
    let opened = SqlStore::open(directory.database().to_str().unwrap()).await;
    assert!(matches!(opened, Err(OpenError::Connect(_))), "{opened:?}");
}

#[tokio::test]
async fn a_missing_file_is_created_only_where_that_is_asked_for() {
    let directory = Directory::new();
    let options = SqliteOptions::file(directory.database()).create_if_missing(false);
    assert!(matches!(
        SqlStore::open_with(&options).await,
        Err(OpenError::Connect(_))
    ));
    assert!(!directory.database().exists());
    directory.open().await;
    assert!(directory.database().exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let (store, directory) = fresh().await;
    create_acme(&store).await;
    for file in std::fs::read_dir(directory.database().parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            file.path()
        );
    }
}

#[tokio::test]
async fn answered_changes_are_written_through() {
    let (store, _directory) = fresh().await;
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(journal, "wal");
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(synchronous, 2, "FULL");
}

#[tokio::test]
async fn a_change_whose_caller_hangs_up_is_whole_or_not_at_all() {
    let (store, _directory) = fresh().await;
    create_acme(&store).await;
    for round in 0..64_u32 {
        let id = format!("k{round}");
        let mut insertion = store.insert(key(&id));
        for _ in 0..round % 16 {
            if poll_once(&mut insertion).await {
                break;
            }
        }
        drop(insertion);
        let found = store.find(SecretKind::ApiKey, &id).await.unwrap().is_some();
        let noted: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM changes WHERE id = $1")
            .bind(&id)
            .fetch_one(store.pool())
            .await
            .unwrap();
        if found {
            assert_eq!(noted, 1, "{id}");
        }
    }
    // Nothing is left locked.
    assert!(store.insert(key("last")).await.is_ok());
}

/// Polls once and lets the database's thread work; whether the future was ready.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    let ready = std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_ready())
    })
    .await;
    tokio::time::sleep(Duration::from_micros(200)).await;
    ready
}
