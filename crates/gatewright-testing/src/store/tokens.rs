//! What ends signed tokens: epochs, sessions and denied tokens.

use std::sync::Arc;

use gatewright_core::principal::SessionId;
use gatewright_core::store::{ChangeKey, TokenRef, TokenStanding};

use super::Store;
use super::fixture::{NOW, publishing, settled, together, user};

const FINE: TokenStanding = TokenStanding::new(0, false, false);

fn session(id: &str) -> SessionId {
    SessionId::new(id).unwrap()
}

/// Nobody's epoch is anything but 0 before it is raised; each raise answers the epoch that stands from then on.
pub async fn an_epoch_starts_at_zero_and_rises<S: Store>(store: Arc<S>) {
    let token = TokenRef::user("usr_1", Some("ses_1"), Some("jti_1"));
    assert_eq!(store.standing(token).await.unwrap(), FINE);
    let mut before = 0;
    for _ in 0..3 {
        let key = [ChangeKey::User("usr_1".into())];
        let epoch = publishing(&key, store.raise_user_epoch(&user("usr_1"))).await;
        assert!(epoch > before);
        assert_eq!(store.standing(token).await.unwrap(), TokenStanding::new(epoch, false, false));
        before = epoch;
    }
    let other = TokenRef::user("usr_2", None, None);
    assert_eq!(store.standing(other).await.unwrap(), FINE);
    assert_eq!(store.standing(TokenRef::default()).await.unwrap(), FINE);
}

/// A client that is called as a user is keeps its own epoch (RFC 9068 §5).
pub async fn users_and_clients_have_their_own_epochs<S: Store>(store: Arc<S>) {
    let (person, machine) = (TokenRef::user("same", None, None), TokenRef::client("same", None));
    let key = [ChangeKey::Client("same".into())];
    let epoch = publishing(&key, store.raise_client_epoch("same")).await;
    assert!(epoch > 0);
    assert_eq!(store.standing(machine).await.unwrap().epoch, epoch);
    assert_eq!(store.standing(person).await.unwrap().epoch, 0);
    settled(store.raise_user_epoch(&user("same")).await);
    settled(store.raise_user_epoch(&user("same")).await);
    assert_eq!(store.standing(machine).await.unwrap().epoch, epoch);
}

/// No raise is lost: every one of many at the same time answers an epoch of its own, and the highest stands.
pub async fn epochs_raised_at_once_all_count<S: Store>(store: Arc<S>) {
    let mut epochs = together((0..16).map(|_| {
        let store = Arc::clone(&store);
        async move { settled(store.raise_user_epoch(&user("usr_1")).await) }
    }))
    .await;
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 16);
    let token = TokenRef::user("usr_1", None, None);
    assert_eq!(Some(store.standing(token).await.unwrap().epoch), epochs.last().copied());
}

/// An ended session ends its tokens, whoever holds them, and no other session's.
pub async fn an_ended_session_says_so<S: Store>(store: Arc<S>) {
    let key = [ChangeKey::Session("ses_1".into())];
    for _ in 0..2 {
        publishing(&key, store.end_session(&session("ses_1"), NOW)).await;
        let ended = TokenRef::user("usr_1", Some("ses_1"), Some("jti_1"));
        assert_eq!(store.standing(ended).await.unwrap(), TokenStanding::new(0, true, false));
    }
    for fine in [
        TokenRef::user("usr_1", Some("ses_2"), Some("jti_1")),
        TokenRef::user("usr_1", None, Some("jti_1")),
        // A token's id is no session's.
        TokenRef::user("ses_1", None, Some("ses_1")),
    ] {
        assert_eq!(store.standing(fine).await.unwrap(), FINE, "{fine:?}");
    }
}

/// A denied token is refused, a person's or a machine's, and no other one.
pub async fn a_denied_token_says_so<S: Store>(store: Arc<S>) {
    let key = [ChangeKey::Token("jti_1".into())];
    for _ in 0..2 {
        publishing(&key, store.deny_token("jti_1", NOW)).await;
        for denied in [
            TokenRef::user("usr_1", Some("ses_1"), Some("jti_1")),
            TokenRef::client("cli_1", Some("jti_1")),
        ] {
            assert_eq!(store.standing(denied).await.unwrap(), TokenStanding::new(0, false, true));
        }
    }
    for fine in [
        TokenRef::user("usr_1", Some("ses_1"), Some("jti_2")),
        TokenRef::user("jti_1", Some("jti_1"), None),
        TokenRef::client("jti_1", None),
    ] {
        assert_eq!(store.standing(fine).await.unwrap(), FINE, "{fine:?}");
    }
}

/// Notes go when their time has passed and not before; epochs stay for ever.
pub async fn only_what_has_passed_is_forgotten<S: Store>(store: Arc<S>) {
    settled(store.raise_user_epoch(&user("usr_1")).await);
    for keep_for in [10, 20] {
        settled(store.end_session(&session(&format!("ses_{keep_for}")), NOW + keep_for).await);
        settled(store.deny_token(&format!("jti_{keep_for}"), NOW + keep_for).await);
    }
    let sooner = TokenRef::user("usr_1", Some("ses_10"), Some("jti_10"));
    let later = TokenRef::user("usr_1", Some("ses_20"), Some("jti_20"));
    let epoch = store.standing(sooner).await.unwrap().epoch;
    let (refused, forgotten) = (TokenStanding::new(epoch, true, true), TokenStanding::new(epoch, false, false));

    for (now, dropped, expected) in [
        (NOW + 9, 0, [refused, refused]),
        (NOW + 11, 2, [forgotten, refused]),
        (NOW + 12, 0, [forgotten, refused]),
        (NOW + 21, 2, [forgotten, forgotten]),
    ] {
        assert_eq!(store.forget_revocations(now).await.unwrap(), dropped);
        for (token, expected) in [sooner, later].into_iter().zip(expected) {
            assert_eq!(store.standing(token).await.unwrap(), expected, "{token:?} at {now}");
        }
    }
    assert!(epoch > 0);
}

/// Denying again with an earlier end leaves the later one; a later end takes over.
pub async fn a_later_note_never_shortens_an_earlier_one<S: Store>(store: Arc<S>) {
    for keep_for in [20, 30, 10] {
        settled(store.end_session(&session("ses_1"), NOW + keep_for).await);
        settled(store.deny_token("jti_1", NOW + keep_for).await);
    }
    let token = TokenRef::user("usr_1", Some("ses_1"), Some("jti_1"));
    for (now, dropped) in [(NOW + 15, 0), (NOW + 25, 0), (NOW + 31, 2)] {
        let standing = store.standing(token).await.unwrap();
        assert!(standing.session_ended && standing.denied);
        assert_eq!(store.forget_revocations(now).await.unwrap(), dropped, "at {now}");
    }
    assert_eq!(store.standing(token).await.unwrap(), FINE);
}
