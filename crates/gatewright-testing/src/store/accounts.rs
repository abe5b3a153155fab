//! People's accounts and passwords.

use std::sync::Arc;

use gatewright_core::principal::UserId;
use gatewright_core::store::{Account, ChangeKey, InsertOutcome, PasswordChange, TokenRef};

use super::Store;
use super::fixture::{NOW, World, count, hash, publishing, settled, together, user};

impl<S: Store> World<S> {
    /// Alice's password, only where the expected one stands. Answers whether it was done.
    async fn replace(&self, expected: u16, number: u16) -> bool {
        let expected = hash(expected);
        let mut change = PasswordChange::new(&self.alice, hash(number), NOW);
        change.expected = Some(&expected);
        settled(self.store.set_password(change).await)
    }

    async fn password(&self, user: &UserId) -> Option<String> {
        let account = self.store.account(user).await.unwrap().unwrap();
        account.password.map(|hash| hash.as_str().to_owned())
    }

    async fn stored(&self, account: Account) -> UserId {
        let user = account.id.clone();
        assert_eq!(self.store.insert_account(account).await.unwrap(), InsertOutcome::Inserted);
        user
    }

    async fn epoch(&self, user: &UserId) -> u64 {
        let token = TokenRef::user(user.as_str(), None, None);
        self.store.standing(token).await.unwrap().epoch
    }
}

fn is(number: u16) -> Option<String> {
    Some(hash(number).as_str().to_owned())
}

/// Every field of an account is found again, by its id and by its mail address.
pub async fn a_stored_account_comes_back_whole<S: Store>(store: Arc<S>) {
    let mut full = Account::new(user("usr_full"), "full@example.com", NOW);
    full.name = "Zoë O’Hara".to_owned();
    full.verified = true;
    full.platform_admin = true;
    full.password = Some(hash(1));
    let bare = Account::new(user("usr_bare"), "bare@example.com", NOW + 1);
    for account in [full, bare] {
        assert_eq!(store.insert_account(account.clone()).await.unwrap(), InsertOutcome::Inserted);
        let by_id = store.account(&account.id).await.unwrap();
        let by_email = store.account_by_email(&account.email).await.unwrap();
        for found in [by_id, by_email] {
            let found = found.unwrap();
            assert_eq!(found.id, account.id);
            assert_eq!(found.email, account.email);
            assert_eq!(found.name, account.name);
            assert_eq!(found.verified, account.verified);
            assert_eq!(found.platform_admin, account.platform_admin);
            assert_eq!(
                found.password.map(|hash| hash.as_str().to_owned()),
                account.password.as_ref().map(|hash| hash.as_str().to_owned()),
            );
            assert_eq!(found.created_at, account.created_at);
        }
    }
    assert!(store.account(&user("usr_none")).await.unwrap().is_none());
    assert!(store.account_by_email("none@example.com").await.unwrap().is_none());
}

/// Upper and lower case make no second account and hide none, also where a caller set the address by hand. An id is
/// taken once as well.
pub async fn a_mail_address_is_one_in_any_case<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for email in ["alice@example.com", "Alice@Example.COM", "ALICE@EXAMPLE.COM"] {
        let found = world.store.account_by_email(email).await.unwrap();
        assert_eq!(found.map(|account| account.id), Some(world.alice.clone()), "{email}");
        let mut second = Account::new(user("usr_second"), email, NOW);
        second.email = email.to_owned();
        assert_eq!(world.store.insert_account(second).await.unwrap(), InsertOutcome::IdTaken, "{email}");
    }
    let again = Account::new(world.alice.clone(), "free@example.com", NOW);
    assert_eq!(world.store.insert_account(again).await.unwrap(), InsertOutcome::IdTaken);
    assert!(world.store.account_by_email("free@example.com").await.unwrap().is_none());
    assert!(world.store.account(&user("usr_second")).await.unwrap().is_none());
}

/// Of many accounts with one address created at the same time one succeeds, and that one is found.
pub async fn of_many_accounts_of_one_address_one_is_created<S: Store>(store: Arc<S>) {
    let outcomes = together((0..16).map(|task| {
        let store = Arc::clone(&store);
        async move {
            let account = Account::new(user(&format!("usr_{task}")), "wanted@example.com", NOW);
            store.insert_account(account).await.unwrap()
        }
    }))
    .await;
    assert_eq!(count(&outcomes, &InsertOutcome::Inserted), 1);
    let winner = outcomes.iter().position(|outcome| *outcome == InsertOutcome::Inserted).unwrap();
    let found = store.account_by_email("wanted@example.com").await.unwrap().unwrap();
    assert_eq!(found.id, user(&format!("usr_{winner}")));
}

/// With a new password the user's epoch is another one, and that is published. Nobody else's changes.
pub async fn a_new_password_ends_every_token<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let key = [ChangeKey::User("usr_alice".into())];
    for number in 1..=2 {
        let before = world.epoch(&world.alice).await;
        assert!(publishing(&key, world.store.set_password(PasswordChange::new(&world.alice, hash(number), 0))).await);
        assert_eq!(world.password(&world.alice).await, is(number));
        assert!(world.epoch(&world.alice).await > before);
    }
    assert_eq!((world.password(&world.bob).await, world.epoch(&world.bob).await), (None, 0));
    let nobody = user("usr_none");
    assert!(!settled(world.store.set_password(PasswordChange::new(&nobody, hash(1), 0)).await));
    let expected = hash(1);
    let mut change = PasswordChange::new(&nobody, hash(1), 0);
    change.expected = Some(&expected);
    assert!(!settled(world.store.set_password(change).await));
    assert!(world.store.account(&nobody).await.unwrap().is_none());
}

/// A change that names the password it was judged by is done only where that one stands: neither epoch nor sessions change
/// otherwise, and of many at the same time one is done.
pub async fn a_password_is_changed_only_where_the_expected_one_stands<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    assert!(!world.replace(1, 2).await, "there is none so far");
    settled(world.store.set_password(PasswordChange::new(&world.alice, hash(1), 0)).await);
    let epoch = world.epoch(&world.alice).await;
    assert!(!world.replace(2, 3).await);
    assert_eq!((world.password(&world.alice).await, world.epoch(&world.alice).await), (is(1), epoch));
    assert!(world.replace(1, 2).await);
    assert_eq!((world.password(&world.alice).await, world.epoch(&world.alice).await), (is(2), epoch + 1));

    let changed = together((3..19).map(|number| {
        let world = world.clone();
        async move { world.replace(2, number).await }
    }))
    .await;
    assert_eq!(count(&changed, &true), 1);
    let winner = changed.iter().position(|won| *won).unwrap() as u16 + 3;
    assert_eq!((world.password(&world.alice).await, world.epoch(&world.alice).await), (is(winner), epoch + 2));
}

/// A newer hash of the same password replaces the one it was made from, no other, and ends no token.
pub async fn a_password_is_swapped_only_where_it_stands<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    assert!(!world.store.swap_password(&world.alice, &hash(1), hash(2)).await.unwrap());
    assert_eq!(world.password(&world.alice).await, None);

    settled(world.store.set_password(PasswordChange::new(&world.alice, hash(1), 0)).await);
    let epoch = world.epoch(&world.alice).await;
    assert!(world.store.swap_password(&world.alice, &hash(1), hash(2)).await.unwrap());
    assert!(!world.store.swap_password(&world.alice, &hash(1), hash(3)).await.unwrap());
    assert!(!world.store.swap_password(&world.bob, &hash(2), hash(3)).await.unwrap());
    assert!(!world.store.swap_password(&user("usr_none"), &hash(2), hash(3)).await.unwrap());
    assert_eq!(world.password(&world.alice).await, is(2));
    assert_eq!(world.epoch(&world.alice).await, epoch);
}

/// Of many rehashes at the same time one is stored; a password set meanwhile is never undone by one.
pub async fn of_many_swaps_of_one_password_one_succeeds<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    settled(world.store.set_password(PasswordChange::new(&world.alice, hash(1), 0)).await);
    let swapped = together((2..18).map(|number| {
        let world = world.clone();
        async move { world.store.swap_password(&world.alice, &hash(1), hash(number)).await.unwrap() }
    }))
    .await;
    assert_eq!(count(&swapped, &true), 1);
    let winner = swapped.iter().position(|won| *won).unwrap() as u16 + 2;
    assert_eq!(world.password(&world.alice).await, is(winner));

    together([true, false].map(|sets| {
        let world = world.clone();
        async move {
            if sets {
                assert!(settled(world.store.set_password(PasswordChange::new(&world.alice, hash(30), 0)).await));
            } else {
                let old = hash(winner);
                world.store.swap_password(&world.alice, &old, hash(31)).await.unwrap();
            }
        }
    }))
    .await;
    assert_eq!(world.password(&world.alice).await, is(30));
}

/// An address is proven once. A password that comes with the proof becomes the account's where it has none; nothing of an
/// account that was proven changes, and nobody else's.
pub async fn an_address_is_proven_once<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let dora = world.account("usr_dora", "dora@example.com").await;
    let mut carol = Account::new(user("usr_carol"), "carol@example.com", NOW);
    carol.password = Some(hash(9));
    let carol = world.stored(carol).await;
    for (user, given, kept) in [
        (&world.alice, Some(hash(1)), is(1)),
        (&world.bob, None, None),
        (&carol, Some(hash(3)), is(9)),
    ] {
        let before = world.epoch(user).await;
        assert!(world.store.verify_account(user, given).await.unwrap(), "{user}");
        for _ in 0..2 {
            assert!(world.store.account(user).await.unwrap().unwrap().verified, "{user}");
            assert_eq!(world.password(user).await, kept, "{user}");
            assert_eq!(world.epoch(user).await, before, "{user}");
            assert!(!world.store.verify_account(user, Some(hash(4))).await.unwrap(), "{user}");
        }
    }
    let dora = world.store.account(&dora).await.unwrap().unwrap();
    assert!(!dora.verified && dora.password.is_none());
    assert!(!world.store.verify_account(&user("usr_none"), Some(hash(1))).await.unwrap());
    assert!(world.store.account(&user("usr_none")).await.unwrap().is_none());
}

/// Of many who prove one address at once one does, and it is that one's password that counts.
pub async fn of_many_proofs_of_one_address_one_counts<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let proven = together((0..20).map(|number| {
        let world = world.clone();
        async move { world.store.verify_account(&world.alice, Some(hash(number))).await.unwrap() }
    }))
    .await;
    assert_eq!(count(&proven, &true), 1);
    let winner = proven.iter().position(|won| *won).unwrap() as u16;
    assert_eq!(world.password(&world.alice).await, is(winner));
}

/// A new name is the account's alone, and nothing else of it changes.
pub async fn a_name_changes_and_nothing_else<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let mut full = Account::new(user("usr_full"), "full@example.com", NOW);
    full.verified = true;
    full.password = Some(hash(1));
    let full = world.stored(full).await;
    for name in ["Zoë O’Hara", "", "Zoë"] {
        assert!(world.store.set_name(&full, name).await.unwrap());
        let found = world.store.account(&full).await.unwrap().unwrap();
        assert_eq!((&*found.name, &*found.email), (name, "full@example.com"));
        assert_eq!((found.verified, found.platform_admin, found.created_at), (true, false, NOW));
        assert_eq!((world.password(&full).await, world.epoch(&full).await), (is(1), 0));
    }
    assert_eq!(world.store.account(&world.alice).await.unwrap().unwrap().name, "");
    assert!(!world.store.set_name(&user("usr_none"), "Nobody").await.unwrap());
    assert!(world.store.account(&user("usr_none")).await.unwrap().is_none());
}
