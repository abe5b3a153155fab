//! Tokens that were sent by mail.

use std::sync::Arc;

use gatewright_core::hash::Phc;
use gatewright_core::principal::UserId;
use gatewright_core::store::{MailedPurpose, MailedToken};
use gatewright_core::time::Timestamp;

use super::Store;
use super::fixture::{NOW, World, digest_of, hash, together, user};

const VERIFY: MailedPurpose = MailedPurpose::VerifyEmail;
const RESET: MailedPurpose = MailedPurpose::ResetPassword;
/// When the tokens of these cases expire.
const END: Timestamp = NOW + 3_600;

impl<S: Store> World<S> {
    /// Keeps the token of this number.
    async fn mail(&self, number: u8, purpose: MailedPurpose, user: &UserId, expires_at: Timestamp) {
        let token = MailedToken::new(digest_of(number), purpose, user.clone(), expires_at);
        self.store.put_mailed_token(token).await.unwrap();
    }

    async fn spend(&self, number: u8, purpose: MailedPurpose, now: Timestamp) -> Option<MailedToken> {
        self.store.spend_mailed_token(&digest_of(number), purpose, now).await.unwrap()
    }

    async fn is_good(&self, number: u8, purpose: MailedPurpose) -> bool {
        self.spend(number, purpose, NOW).await.is_some()
    }
}

/// Every field of a token is found again by who spends it, with the password that was chosen together with it and
/// without one.
pub async fn a_mailed_token_comes_back_whole<S: Store>(store: Arc<S>) {
    let mut full = MailedToken::new(digest_of(1), VERIFY, user("usr_full"), END);
    full.password = Some(hash(1));
    let bare = MailedToken::new(digest_of(2), RESET, user("usr_bare"), END + 1);
    for token in [&full, &bare] {
        store.put_mailed_token(token.clone()).await.unwrap();
    }
    for token in [full, bare] {
        let spent = store.spend_mailed_token(&token.digest, token.purpose, NOW).await.unwrap().unwrap();
        assert_eq!(spent.digest, token.digest);
        assert_eq!(spent.purpose, token.purpose);
        assert_eq!(spent.user, token.user);
        assert_eq!(spent.password.as_ref().map(Phc::as_str), token.password.as_ref().map(Phc::as_str));
        assert_eq!(spent.expires_at, token.expires_at);
    }
}

/// A token is spent once, for its own purpose; coming with it for another one neither succeeds nor costs it. Others of the
/// same user stay good, earlier and later ones alike.
pub async fn a_mailed_token_is_spent_once_for_its_purpose<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for number in 1..=3 {
        world.mail(number, VERIFY, &world.alice, END).await;
    }
    world.mail(4, RESET, &world.alice, END).await;
    assert!(world.spend(9, VERIFY, NOW).await.is_none(), "an unknown token");
    assert!(world.spend(2, RESET, NOW).await.is_none(), "another purpose");
    assert!(world.spend(2, VERIFY, NOW).await.is_some());
    assert!(world.spend(2, VERIFY, NOW).await.is_none(), "spent before");
    for (number, purpose) in [(1, VERIFY), (3, VERIFY), (4, RESET)] {
        assert!(world.is_good(number, purpose).await, "token {number}");
    }
}

/// Who keeps a token again, because the answer was lost, changes nothing.
pub async fn a_mailed_token_that_is_kept_stays_as_it_is<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.mail(1, VERIFY, &world.alice, END).await;
    world.mail(1, VERIFY, &world.alice, END).await;
    world.mail(1, RESET, &world.bob, END + 1).await;
    assert!(world.spend(1, RESET, NOW).await.is_none());
    let spent = world.spend(1, VERIFY, NOW).await.unwrap();
    assert_eq!((spent.user, spent.expires_at), (world.alice.clone(), END));
    assert!(world.spend(1, VERIFY, NOW).await.is_none());
}

/// At the second of its expiry a token is worth nothing; in the one before it is good.
pub async fn an_expired_mailed_token_is_worth_nothing<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.mail(1, VERIFY, &world.alice, END).await;
    for now in [END, END + 1, Timestamp::MAX] {
        assert!(world.spend(1, VERIFY, now).await.is_none(), "at {now}");
    }
    assert!(world.spend(1, VERIFY, END - 1).await.is_some());
}

/// Of twenty who come with one token at once one gets it.
pub async fn of_many_who_spend_one_mailed_token_one_succeeds<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for number in 0..8 {
        world.mail(number, RESET, &world.alice, END).await;
        let spent = together((0..20).map(|_| {
            let world = world.clone();
            async move { world.spend(number, RESET, NOW).await.is_some() }
        }))
        .await;
        assert_eq!(spent.iter().filter(|spent| **spent).count(), 1);
    }
}

/// Passwords are taken out of the tokens of one user for one purpose, and the tokens stay good.
pub async fn passwords_are_stripped_by_user_and_purpose<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for (number, purpose, user) in
        [(1, VERIFY, &world.alice), (2, VERIFY, &world.alice), (3, RESET, &world.alice), (4, VERIFY, &world.bob)]
    {
        let mut token = MailedToken::new(digest_of(number), purpose, user.clone(), END);
        token.password = Some(hash(u16::from(number)));
        world.store.put_mailed_token(token).await.unwrap();
    }
    world.mail(5, VERIFY, &world.alice, END).await;
    for stripped in [2, 0] {
        assert_eq!(world.store.strip_mailed_passwords(&world.alice, VERIFY).await.unwrap(), stripped);
    }
    for (number, purpose, kept) in [(1, VERIFY, false), (2, VERIFY, false), (3, RESET, true), (4, VERIFY, true), (5, VERIFY, false)] {
        let spent = world.spend(number, purpose, NOW).await.unwrap();
        assert_eq!(spent.password.is_some(), kept, "token {number}");
    }
}

/// Voided are the tokens of one user for one purpose, expired ones among them, and no others.
pub async fn mailed_tokens_are_voided_by_user_and_purpose<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.mail(1, RESET, &world.alice, END).await;
    world.mail(2, RESET, &world.alice, END).await;
    world.mail(3, RESET, &world.alice, NOW - 1).await;
    world.mail(4, VERIFY, &world.alice, END).await;
    world.mail(5, RESET, &world.bob, END).await;
    for voided in [3, 0] {
        assert_eq!(world.store.void_mailed_tokens(&world.alice, RESET).await.unwrap(), voided);
    }
    for (number, purpose, good) in [
        (1, RESET, false),
        (2, RESET, false),
        (4, VERIFY, true),
        (5, RESET, true),
    ] {
        assert_eq!(world.is_good(number, purpose).await, good, "token {number}");
    }
}

/// Forgotten is what has expired, at the very second too, and nothing that is good.
pub async fn only_expired_mailed_tokens_are_forgotten<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for (number, expires_at) in [(1, NOW - 1), (2, NOW), (3, NOW + 1), (4, END)] {
        world.mail(number, VERIFY, &world.alice, expires_at).await;
    }
    for forgotten in [2, 0] {
        assert_eq!(world.store.forget_mailed_tokens(NOW).await.unwrap(), forgotten);
    }
    // Forgotten ones are gone, not only worth nothing.
    for (number, kept) in [(1, false), (2, false), (3, true), (4, true)] {
        assert_eq!(world.spend(number, VERIFY, 0).await.is_some(), kept, "token {number}");
    }
}
