//! Login sessions where several processes share them, and where a caller hangs up.

use gatewright_core::principal::{SessionId, UserId};
use gatewright_core::session::TokenDigest;
use gatewright_core::store::{
    Account, AccountStore, ChangeKey, Changes, MembershipStore, OpenOutcome, PasswordChange,
    RefreshPlace, RefreshRotation, RevocationStore, SessionFilter, SessionRecord, SessionStore,
    TokenRef,
};
use gatewright_sqlx::SqliteStore;

use crate::busy::poll_once;
use crate::fixture::{NOW, acme, alice, create_acme, fresh, hash};

pub(crate) fn token(number: u8) -> TokenDigest {
    TokenDigest::from_bytes(&[number; 32]).unwrap()
}

/// Opens a session of Alice's in `acme`, whose first token has this number.
pub(crate) async fn open(store: &SqliteStore, id: &str, first: u8) -> SessionId {
    let id = SessionId::new(id).unwrap();
    let mut record = SessionRecord::new(id.clone(), alice(), "web", NOW, NOW + 1_000);
    record.tenant = Some(acme());
    let opened = store.open_session(record, Some(token(first)), None).await;
    assert_eq!(opened.unwrap(), OpenOutcome::Opened);
    id
}

fn step(session: &SessionId, parent: u8, child: u8) -> RefreshRotation<'_> {
    let mut rotation = RefreshRotation::new(session, token(parent), token(child), NOW);
    rotation.sealed_child = b"sealed";
    rotation.grace_ends_at = NOW + 10;
    rotation
}

async fn place(store: &SqliteStore, number: u8) -> Option<RefreshPlace> {
    let found = store.find_refresh(&token(number)).await.unwrap();
    found.map(|found| found.place)
}

async fn is_noted(store: &SqliteStore, session: &SessionId) -> bool {
    let token = TokenRef::user("usr_alice", Some(session.as_str()), None);
    store.standing(token).await.unwrap().session_ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_processes_that_rotate_one_token_one_wins() {
    let (store, directory) = fresh().await;
    let other = directory.open().await;
    let session = open(&store, "ses_1", 0).await;
    let tasks: Vec<_> = (1..=20_u8)
        .map(|child| {
            let store = [&store, &other][usize::from(child % 2)].clone();
            let session = session.clone();
            tokio::spawn(async move { store.rotate_refresh(step(&session, 0, child)).await })
        })
        .collect();
    let mut won = Vec::new();
    for (child, task) in (1..).zip(tasks) {
        if task.await.unwrap().unwrap() {
            won.push(child);
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(place(&other, won[0]).await, Some(RefreshPlace::Current));
    let line: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM refresh_tokens")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(line, 2);
}

/// Waits, as a writer, for what the database still does for somebody who hung up.
async fn settle(store: &SqliteStore) {
    drop(store.raise_client_epoch("cli_1").await.unwrap());
}

/// What a line holds is one sealed child, however long it is.
#[tokio::test]
async fn a_spent_token_holds_nothing_of_its_child() {
    let (store, _directory) = fresh().await;
    let session = open(&store, "ses_1", 0).await;
    for parent in 0..5 {
        let rotated = store.rotate_refresh(step(&session, parent, parent + 1));
        assert!(rotated.await.unwrap());
        let sealed: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM refresh_tokens WHERE sealed_child NOT NULL")
                .fetch_one(store.pool())
                .await
                .unwrap();
        assert_eq!(sealed, 1);
    }
}

#[tokio::test]
async fn a_rotation_whose_caller_hangs_up_is_whole_or_not_at_all() {
    let (store, _directory) = fresh().await;
    let session = open(&store, "ses_1", 0).await;
    let mut current = 0;
    for round in 0..64_u8 {
        let child = round + 1;
        let mut rotation = store.rotate_refresh(step(&session, current, child));
        for _ in 0..round % 16 {
            if poll_once(&mut rotation).await {
                break;
            }
        }
        drop(rotation);
        settle(&store).await;
        let parent = place(&store, current).await;
        if place(&store, child).await.is_some() {
            assert!(matches!(parent, Some(RefreshPlace::Parent { .. })));
            current = child;
        } else {
            assert_eq!(parent, Some(RefreshPlace::Current));
        }
    }
    // Nothing is left locked.
    let last = store.rotate_refresh(step(&session, current, 200)).await;
    assert!(last.unwrap());
}

#[tokio::test]
async fn a_new_password_whose_caller_hangs_up_is_whole_or_not_at_all() {
    let (store, _directory) = fresh().await;
    let alice = alice();
    let account = Account::new(alice.clone(), "alice@example.com", NOW);
    store.insert_account(account).await.unwrap();
    // As many as there are hashes.
    for round in 0..26_u8 {
        let session = open(&store, &format!("ses_{round}"), round).await;
        let mut setting = store.set_password(PasswordChange::new(&alice, hash(round), NOW));
        // The last one stays on the line.
        let patience = if round == 25 {
            u32::MAX
        } else {
            u32::from(round) * 3
        };
        for _ in 0..patience {
            if poll_once(&mut setting).await {
                break;
            }
        }
        drop(setting);
        settle(&store).await;
        let account = store.account(&alice).await.unwrap().unwrap();
        let is_new = account
            .password
            .is_some_and(|set| set.as_str() == hash(round).as_str());
        let ended = store.session(&session).await.unwrap().unwrap().ended_at;
        assert_eq!(ended.is_some(), is_new, "{round}");
        assert_eq!(is_noted(&store, &session).await, is_new, "{round}");
        assert!(is_new || round < 25);
    }
}

/// Every way to end sessions is heard by the other processes, session by session.
#[tokio::test]
async fn other_processes_hear_of_each_session_that_ended() {
    let (writer, directory) = fresh().await;
    let account = Account::new(alice(), "alice@example.com", NOW);
    writer.insert_account(account).await.unwrap();
    create_acme(&writer).await;
    let bob = UserId::new("usr_bob").unwrap();
    drop(writer.put_member(&acme(), &bob, "owner").await.unwrap());
    let changes = Changes::new();
    let mut feed = directory.open().await.join(changes.clone()).await.unwrap();
    feed.poll().await.unwrap();
    for round in 0..3 {
        let ids = [format!("ses_{round}_a"), format!("ses_{round}_b")];
        let first = open(&writer, &ids[0], 2 * round).await;
        let second = open(&writer, &ids[1], 2 * round + 1).await;
        let stamps = ids.map(|id| changes.stamp(&ChangeKey::Session(id.into())));
        match round {
            0 => drop(
                writer
                    .end_sessions(&alice(), SessionFilter::All, NOW)
                    .await
                    .unwrap(),
            ),
            1 => drop(
                writer
                    .set_password(PasswordChange::new(&alice(), hash(1), NOW))
                    .await
                    .unwrap(),
            ),
            _ => drop(
                writer
                    .remove_member(&acme(), &alice(), "owner")
                    .await
                    .unwrap(),
            ),
        }
        assert_eq!(feed.poll().await.unwrap(), 3, "{round}");
        for stamp in stamps {
            assert!(!changes.is_current(stamp), "{round}");
        }
        for session in [first, second] {
            assert!(is_noted(&writer, &session).await, "{round}");
        }
    }
}

/// The schema itself refuses a second current token, a second parent, and a sealed child in the wrong place.
#[tokio::test]
async fn the_schema_keeps_a_line_a_line() {
    let (store, _directory) = fresh().await;
    let session = open(&store, "ses_1", 0).await;
    for parent in 0..2 {
        let rotated = store.rotate_refresh(step(&session, parent, parent + 1));
        assert!(rotated.await.unwrap());
    }
    for sql in [
        "UPDATE refresh_tokens SET place = 'current' WHERE place IS NULL",
        "UPDATE refresh_tokens SET place = 'parent', sealed_child = x'00', grace_ends_at = 1
            WHERE place IS NULL",
        "UPDATE refresh_tokens SET sealed_child = x'00', grace_ends_at = 1 WHERE place IS NULL",
        "UPDATE refresh_tokens SET sealed_child = x'00', grace_ends_at = 1 WHERE place = 'current'",
        "UPDATE refresh_tokens SET grace_ends_at = NULL WHERE place = 'parent'",
        "UPDATE refresh_tokens SET place = NULL WHERE place = 'parent'",
        "UPDATE refresh_tokens SET place = 'sibling' WHERE place IS NULL",
        "UPDATE sessions SET idle_expires_at = expires_at + 1",
        "DELETE FROM sessions",
    ] {
        let refused = sqlx::query(sql).execute(store.pool()).await;
        let refused = refused.unwrap_err();
        let constraint = refused.as_database_error().map(|error| error.message());
        assert!(
            constraint.is_some_and(|message| message.contains("constraint failed")),
            "{sql}: {refused}"
        );
    }
}
