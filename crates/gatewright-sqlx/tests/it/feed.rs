//! How one process hears what another one changed.

use std::time::Duration;

use gatewright_core::credential::SecretKind;
use gatewright_core::principal::SessionId;
use gatewright_core::store::{
    Account, AccountStore, ChangeKey, Changes, CredentialStore, MembershipStore, PasswordChange,
    RevocationStore, Rotation, Stamp, StoredSecret,
};
use gatewright_sqlx::{DEAD_AFTER, SqliteStore};

use crate::fixture::{acme, alice, create_acme, fresh, hash, mint, tamper};

const LONG_AGO: Duration = Duration::from_secs(1_000_000_000);

fn k1() -> ChangeKey {
    ChangeKey::Credential(SecretKind::ApiKey, "k1".into())
}

/// The stamps of everything that the next test changes.
fn stamps(changes: &Changes, keys: &[ChangeKey]) -> Vec<Stamp> {
    keys.iter().map(|key| changes.stamp(key)).collect()
}

async fn revoke_k1(store: &SqliteStore) {
    let _ = store
        .revoke(&acme(), SecretKind::ApiKey, "k1", 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_one_process_changes_another_forgets() {
    let (writer, directory) = fresh().await;
    create_acme(&writer).await;
    mint(&writer, "k1").await;
    writer
        .insert_account(Account::new(alice(), "a@example.com", 1))
        .await
        .unwrap();
    let reader = directory.open().await;
    let changes = Changes::new();
    let mut feed = reader.join(changes.clone()).await.unwrap();

    let user = ChangeKey::User(alice().as_str().into());
    let session = SessionId::new("ses_1").unwrap();
    for round in 0..12 {
        let key = match round {
            0..5 => k1(),
            5..9 => user.clone(),
            9 => ChangeKey::Client("cli_1".into()),
            10 => ChangeKey::Session("ses_1".into()),
            _ => ChangeKey::Token("jti_1".into()),
        };
        assert_eq!(feed.poll().await.unwrap(), 0, "{round}");
        let stamp = changes.stamp(&key);
        let next = StoredSecret::new(hash(2), None);
        match round {
            0 => drop(
                writer
                    .swap_hash(
                        SecretKind::ApiKey,
                        "k1",
                        &hash(0).into(),
                        StoredSecret::new(hash(1), None),
                    )
                    .await
                    .unwrap(),
            ),
            1 => drop(
                writer
                    .rotate(&acme(), SecretKind::ApiKey, "k1", Rotation::new(next, 9, 1))
                    .await
                    .unwrap(),
            ),
            2 => drop(
                writer
                    .swap_hash(
                        SecretKind::ApiKey,
                        "k1",
                        &hash(1).into(),
                        StoredSecret::new(hash(3), None),
                    )
                    .await
                    .unwrap(),
            ),
            3 | 4 => revoke_k1(&writer).await,
            5 => drop(writer.raise_user_epoch(&alice()).await.unwrap()),
            6 => drop(
                writer
                    .set_password(PasswordChange::new(&alice(), hash(4), 0))
                    .await
                    .unwrap(),
            ),
            7 => drop(
                writer
                    .put_member(&acme(), &alice(), "member")
                    .await
                    .unwrap(),
            ),
            8 => drop(writer.set_platform_admin(&alice(), true).await.unwrap()),
            9 => drop(writer.raise_client_epoch("cli_1").await.unwrap()),
            10 => drop(writer.end_session(&session, 9).await.unwrap()),
            _ => drop(writer.deny_token("jti_1", 9).await.unwrap()),
        }
        assert!(
            changes.is_current(stamp),
            "{round}: nothing is heard before the poll"
        );
        assert_eq!(feed.poll().await.unwrap(), 1, "{round}");
        assert!(!changes.is_current(stamp), "{round}");
    }
}

#[tokio::test]
async fn joining_forgets_what_was_cached_before() {
    let (store, _directory) = fresh().await;
    let changes = Changes::new();
    let stamp = changes.stamp(&k1());
    let _feed = store.join(changes.clone()).await.unwrap();
    assert!(!changes.is_current(stamp));
}

#[tokio::test]
async fn many_changes_are_heard_in_one_poll() {
    let (store, _directory) = fresh().await;
    let changes = Changes::new();
    let mut feed = store.join(changes.clone()).await.unwrap();
    tamper(
        &store,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
         INSERT INTO changes (kind, id, at) SELECT 'user', 'usr_' || i, 1 FROM n",
    )
    .await;
    let keys = [1, 1000, 1001, 2500].map(|number| ChangeKey::User(format!("usr_{number}").into()));
    let before = stamps(&changes, &keys);
    assert_eq!(feed.poll().await.unwrap(), 2500);
    assert!(before.iter().all(|&stamp| !changes.is_current(stamp)));
    assert_eq!(feed.poll().await.unwrap(), 0);
}

#[tokio::test]
async fn a_change_that_this_version_does_not_know_is_one_of_everything() {
    let (store, _directory) = fresh().await;
    let changes = Changes::new();
    let mut feed = store.join(changes.clone()).await.unwrap();
    let stamp = changes.stamp(&k1());
    tamper(
        &store,
        "INSERT INTO changes (kind, id, at) VALUES ('planet', 'mars', 1)",
    )
    .await;
    feed.poll().await.unwrap();
    assert!(!changes.is_current(stamp));
}

#[tokio::test]
async fn whoever_waits_returns_only_after_the_live_node_has_forgotten() {
    let (server, directory) = fresh().await;
    create_acme(&server).await;
    mint(&server, "k1").await;
    let changes = Changes::new();
    let mut feed = server.join(changes.clone()).await.unwrap();

    let command = directory.open().await;
    revoke_k1(&command).await;
    let stamp = changes.stamp(&k1());
    let seen = changes.clone();
    let waiting = tokio::spawn(async move {
        let nodes = command.acknowledged(LONG_AGO).await.unwrap();
        (nodes, seen.is_current(stamp))
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "the server has not polled");
    feed.poll().await.unwrap();
    assert_eq!(waiting.await.unwrap(), (1, false));
}

#[tokio::test]
async fn nobody_waits_for_the_dead_or_for_who_has_left() {
    let (store, directory) = fresh().await;
    create_acme(&store).await;
    assert_eq!(
        store.acknowledged(DEAD_AFTER).await.unwrap(),
        0,
        "nobody is there"
    );

    let dead = store.join(Changes::new()).await.unwrap();
    tamper(&store, "UPDATE nodes SET heartbeat = heartbeat - 60000").await;
    let other = directory.open().await;
    let left = other.join(Changes::new()).await.unwrap();
    assert_eq!(store.live_nodes(DEAD_AFTER).await.unwrap(), 1);
    assert_eq!(store.live_nodes(LONG_AGO).await.unwrap(), 2);
    left.leave().await.unwrap();

    mint(&store, "k1").await;
    assert_eq!(store.acknowledged(DEAD_AFTER).await.unwrap(), 0);
    drop(dead);
}

/// The clock was ahead when a node died, and was set right since.
#[tokio::test]
async fn nobody_waits_for_a_heartbeat_of_the_future() {
    let (store, directory) = fresh().await;
    create_acme(&store).await;
    let dead = store.join(Changes::new()).await.unwrap();
    tamper(
        &store,
        "UPDATE nodes SET heartbeat = heartbeat + 315360000000",
    )
    .await;
    mint(&store, "k1").await;
    assert_eq!(store.live_nodes(DEAD_AFTER).await.unwrap(), 0);
    let waited = store.acknowledged(DEAD_AFTER);
    let waited = tokio::time::timeout(Duration::from_secs(5), waited).await;
    assert_eq!(waited.expect("nobody is waited for").unwrap(), 0);

    let other = directory.open().await;
    let _feed = other.join(Changes::new()).await.unwrap();
    let nodes: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM nodes")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(nodes, 1, "the dead one is dropped");
    drop(dead);
}

#[tokio::test]
async fn a_living_node_corrects_a_heartbeat_of_the_future() {
    let (store, _directory) = fresh().await;
    let mut feed = store.join(Changes::new()).await.unwrap();
    tamper(&store, "UPDATE nodes SET heartbeat = heartbeat + 60000").await;
    assert_eq!(store.live_nodes(DEAD_AFTER).await.unwrap(), 0);
    create_acme(&store).await;
    feed.poll().await.unwrap();
    assert_eq!(store.live_nodes(DEAD_AFTER).await.unwrap(), 1);
}

#[tokio::test]
async fn a_node_never_takes_another_for_itself() {
    let (store, directory) = fresh().await;
    let late = store.join(Changes::new()).await.unwrap();
    tamper(&store, "UPDATE nodes SET heartbeat = 0").await;
    assert_eq!(late.others(DEAD_AFTER).await.unwrap(), 0);
    let other = directory.open().await;
    // Pruning drops the silent node, who doesn't know it yet.
    let feed = other.join(Changes::new()).await.unwrap();
    assert_eq!(store.live_nodes(DEAD_AFTER).await.unwrap(), 1);
    assert_eq!(late.others(DEAD_AFTER).await.unwrap(), 1);
    assert_eq!(feed.others(DEAD_AFTER).await.unwrap(), 0);
}

#[tokio::test]
async fn a_node_that_says_it_is_alive_is_alive() {
    let (store, _directory) = fresh().await;
    let mut feed = store.join(Changes::new()).await.unwrap();
    tamper(&store, "UPDATE nodes SET heartbeat = 0").await;
    assert_eq!(store.live_nodes(DEAD_AFTER).await.unwrap(), 0);
    create_acme(&store).await;
    feed.poll().await.unwrap();
    assert_eq!(store.live_nodes(DEAD_AFTER).await.unwrap(), 1);
}

#[tokio::test]
async fn a_node_that_was_given_up_forgets_everything_and_joins_anew() {
    let (store, _directory) = fresh().await;
    let changes = Changes::new();
    let mut feed = store.join(changes.clone()).await.unwrap();
    create_acme(&store).await;
    let stamp = changes.stamp(&k1());
    tamper(&store, "DELETE FROM nodes; DELETE FROM changes").await;
    create_second_change(&store).await;
    feed.poll().await.unwrap();
    assert!(!changes.is_current(stamp));
    assert_eq!(store.live_nodes(DEAD_AFTER).await.unwrap(), 1);
    assert_eq!(
        feed.poll().await.unwrap(),
        0,
        "it begins from the newest change"
    );
}

async fn create_second_change(store: &SqliteStore) {
    let _ = store.set_plan(&acme(), "pro").await.unwrap();
}

#[tokio::test]
async fn old_changes_go_when_every_node_has_read_them() {
    let (store, _directory) = fresh().await;
    let slow = store.join(Changes::new()).await.unwrap();
    create_acme(&store).await;
    for id in ["k1", "k2"] {
        mint(&store, id).await;
    }
    tamper(&store, "UPDATE changes SET at = 0").await;
    let count = || async {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM changes")
            .fetch_one(store.pool())
            .await
            .unwrap();
        count
    };
    let all = count().await;
    let _second = store.join(Changes::new()).await.unwrap();
    assert_eq!(count().await, all, "one has not read them");
    slow.leave().await.unwrap();
    let _third = store.join(Changes::new()).await.unwrap();
    assert_eq!(count().await, 1, "the newest keeps the place");
}

#[tokio::test]
async fn nothing_tells_what_the_database_holds() {
    let (store, _directory) = fresh().await;
    create_acme(&store).await;
    mint(&store, "k1").await;
    let feed = store.join(Changes::new()).await.unwrap();
    let shown = format!("{store:?} {feed:?}");
    assert!(
        !shown.contains("argon2") && !shown.contains("k1"),
        "{shown}"
    );
}
