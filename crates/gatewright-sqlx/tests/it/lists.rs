//! Lists by cursor, where the database could get them wrong.

use std::collections::BTreeSet;

use gatewright_core::credential::SecretKind;
use gatewright_core::principal::UserId;
use gatewright_core::store::{
    Account, AccountStore, Changes, CredentialFilter, CredentialStore, Cursor, InsertOutcome,
    MembershipStore, PageRequest,
};

use crate::fixture::{acme, alice, create_acme, fresh, key, mint, tamper};

#[tokio::test]
async fn a_list_is_whole_while_rows_come_and_go() {
    let (store, _directory) = fresh().await;
    create_acme(&store).await;
    for number in 0..10 {
        mint(&store, &format!("k{number}")).await;
    }
    let filter = CredentialFilter::default();
    let mut page = PageRequest::new(None, 3).unwrap();
    let mut seen = Vec::new();
    let mut round = 0;
    loop {
        let listed = store.list(&acme(), &filter, &page).await.unwrap();
        seen.extend(listed.items.into_iter().map(|row| row.id.to_string()));
        // The row that the cursor names goes, and so does the newest; another one comes.
        if round == 0 {
            tamper(&store, "DELETE FROM credentials WHERE id IN ('k2', 'k9')").await;
            mint(&store, "late").await;
        }
        round += 1;
        let Some(next) = listed.next else { break };
        page = PageRequest::new(Some(next), 3).unwrap();
    }
    let expected = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "late"];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn what_is_no_cursor_ends_a_list() {
    let (store, _directory) = fresh().await;
    create_acme(&store).await;
    mint(&store, "k1").await;
    let filter = CredentialFilter::kind(SecretKind::ApiKey);
    for cursor in [
        "",
        "x",
        "-1",
        "1.5",
        "99999999999999999999",
        "18446744073709551615",
        "1; DROP TABLE credentials",
    ] {
        let page = PageRequest::new(Some(Cursor::new(cursor)), 10).unwrap();
        let listed = store.list(&acme(), &filter, &page).await.unwrap();
        assert!(listed.items.is_empty() && listed.next.is_none(), "{cursor}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_credential_minted_at_once_is_there_once() {
    let (store, directory) = fresh().await;
    create_acme(&store).await;
    let other = directory.open().await;
    let tasks: Vec<_> = (0..48)
        .map(|number| {
            let store = if number % 2 == 0 {
                store.clone()
            } else {
                other.clone()
            };
            // Each id is tried by three.
            tokio::spawn(async move { mint(&store, &format!("k{}", number / 3)).await })
        })
        .collect();
    let mut inserted = 0;
    for task in tasks {
        inserted += usize::from(task.await.unwrap() == InsertOutcome::Inserted);
    }
    assert_eq!(inserted, 16);
    let page = PageRequest::new(None, 100).unwrap();
    let listed = store
        .list(&acme(), &CredentialFilter::default(), &page)
        .await
        .unwrap();
    let ids: BTreeSet<_> = listed.items.iter().map(|row| row.id.to_string()).collect();
    assert_eq!((listed.items.len(), ids.len()), (16, 16));
}

#[tokio::test]
async fn members_page_by_address_and_then_by_id() {
    let (store, _directory) = fresh().await;
    create_acme(&store).await;
    for name in ["dora", "carl", "bert"] {
        let user = UserId::new(name).unwrap();
        let _ = store.put_member(&acme(), &user, "member").await.unwrap();
    }
    // An account that comes after its membership brings the address along.
    for (name, email) in [("carl", "a@example.com"), ("usr_alice", "Z@example.com")] {
        let account = Account::new(UserId::new(name).unwrap(), email, 1);
        assert_eq!(
            store.insert_account(account).await.unwrap(),
            InsertOutcome::Inserted
        );
    }
    let mut page = PageRequest::new(None, 1).unwrap();
    let mut seen = Vec::new();
    loop {
        let listed = store.members(&acme(), &page).await.unwrap();
        seen.extend(
            listed
                .items
                .into_iter()
                .map(|member| (member.email, member.user.to_string())),
        );
        let Some(next) = listed.next else { break };
        page = PageRequest::new(Some(next), 1).unwrap();
    }
    let expected = [
        ("", "bert"),
        ("", "dora"),
        ("a@example.com", "carl"),
        ("z@example.com", "usr_alice"),
    ];
    assert_eq!(
        seen,
        expected.map(|(email, user)| (email.to_owned(), user.to_owned()))
    );
}

#[tokio::test]
async fn times_beyond_the_database_stay_far_away() {
    let (store, _directory) = fresh().await;
    create_acme(&store).await;
    let mut new = key("k1");
    new.expires_at = Some(u64::MAX);
    assert_eq!(
        Changes::new().publish(store.insert(new).await.unwrap()),
        InsertOutcome::Inserted
    );
    let found = store.find(SecretKind::ApiKey, "k1").await.unwrap().unwrap();
    assert_eq!(found.expires_at, Some(i64::MAX as u64));
    assert_eq!(found.owner, alice());
}
