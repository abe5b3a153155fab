//! Login sessions and their lines of refresh tokens.

use std::sync::Arc;

use gatewright_core::principal::{SessionId, UserId};
use gatewright_core::session::TokenDigest;
use gatewright_core::store::{
    ChangeKey, Cursor, OpenOutcome, PageRequest, PasswordChange, RefreshPlace, RefreshRotation, RemoveOutcome,
    SessionFilter, SessionRecord, TokenRef,
};
use gatewright_core::time::Timestamp;

use super::Store;
use super::fixture::{NOW, World, count, every_page, hash, publishing, settled, together, user};

const IDLE: Timestamp = NOW + 1_000;
const END: Timestamp = NOW + 10_000;

impl<S: Store> World<S> {
    /// Opens a session of the user's, whose first token has this number.
    async fn open(&self, id: &str, user: &UserId, first: u16) -> SessionId {
        self.open_record(record(id, user), first).await
    }

    async fn open_record(&self, record: SessionRecord, first: u16) -> SessionId {
        let id = record.id.clone();
        let opened = self.store.open_session(record, Some(token(first)), None).await;
        assert_eq!(opened.unwrap(), OpenOutcome::Opened);
        id
    }

    /// Replaces one token by another with a grace of ten seconds; what is sealed is the child's number.
    async fn step(&self, session: &SessionId, parent: u16, child: u16, now: Timestamp) -> bool {
        let sealed = child.to_be_bytes();
        let mut rotation = RefreshRotation::new(session, token(parent), token(child), now);
        rotation.sealed_child = &sealed;
        rotation.grace_ends_at = now + 10;
        rotation.idle_expires_at = now + 1_000;
        self.store.rotate_refresh(rotation).await.unwrap()
    }

    async fn record(&self, session: &SessionId) -> SessionRecord {
        self.store.session(session).await.unwrap().unwrap()
    }

    async fn place(&self, number: u16) -> Option<RefreshPlace> {
        let found = self.store.find_refresh(&token(number)).await.unwrap();
        found.map(|found| found.place)
    }

    /// The user's live sessions.
    async fn live(&self, user: &UserId, now: Timestamp) -> Vec<SessionId> {
        let rows = every_page(2, async |page| self.store.live_sessions(user, now, &page).await).await;
        rows.into_iter().map(|row| row.id).collect()
    }

    async fn end(&self, user: &UserId, which: SessionFilter<'_>, now: Timestamp) -> Vec<SessionId> {
        let mut ended = settled(self.store.end_sessions(user, which, now).await);
        ended.sort_unstable();
        ended
    }

    /// Whether the session's access tokens are refused.
    async fn is_noted(&self, session: &SessionId) -> bool {
        let token = TokenRef::user("usr_any", Some(session.as_str()), None);
        self.store.standing(token).await.unwrap().session_ended
    }
}

/// A session that ends when nobody uses it for a thousand seconds, and in ten thousand.
fn record(id: &str, user: &UserId) -> SessionRecord {
    let mut record = SessionRecord::new(session_id(id), user.clone(), "web", NOW, END);
    record.idle_expires_at = IDLE;
    record
}

fn session_id(id: &str) -> SessionId {
    SessionId::new(id).unwrap()
}

fn token(number: u16) -> TokenDigest {
    let mut bytes = [0x5A; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    TokenDigest::from_bytes(&bytes).unwrap()
}

fn parent_of(child: u16, grace_ends_at: Timestamp) -> Option<RefreshPlace> {
    let sealed_child = child.to_be_bytes().into();
    Some(RefreshPlace::Parent { sealed_child, grace_ends_at })
}

fn changed(sessions: &[&SessionId]) -> Vec<ChangeKey> {
    sessions.iter().map(|session| ChangeKey::Session(session.as_str().into())).collect()
}

/// Every field of a session is found again, by its id and by its token. Idle or not, no session outlives its end.
pub async fn a_session_comes_back_whole<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let bare = SessionRecord::new(session_id("ses_bare"), world.alice.clone(), "web", NOW, END);
    let mut full = record("ses_full", &world.alice);
    full.tenant = Some(world.acme.clone());
    full.label = "Lynx’s “browser”".into();
    full.created_at = NOW - 5;
    full.last_used_at = NOW - 3;
    full.ended_at = Some(NOW - 1);
    for (number, record) in [bare, full].into_iter().enumerate() {
        let number = number as u16;
        world.open_record(record.clone(), number).await;
        assert_eq!(world.record(&record.id).await, record);
        let found = world.store.find_refresh(&token(number)).await.unwrap().unwrap();
        assert_eq!((found.session, found.place), (record, RefreshPlace::Current));
    }
    let mut long = record("ses_long", &world.alice);
    long.idle_expires_at = END + 1;
    let opened = world.store.open_session(long, None, None).await.unwrap();
    assert_eq!(opened, OpenOutcome::Opened);
    assert_eq!(world.record(&session_id("ses_long")).await.idle_expires_at, END);

    assert_eq!(world.store.session(&session_id("ses_none")).await.unwrap(), None);
    assert_eq!(world.place(99).await, None);
}

/// An id or a token that is known is refused, whoever comes with it, and leaves nothing of what came with it.
pub async fn a_known_session_or_token_is_not_opened<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let first = world.open("ses_1", &world.alice, 1).await;
    assert!(world.step(&first, 1, 2, NOW).await);
    let before = world.record(&first).await;
    // 1 is a parent by now; 3 is new.
    for (id, number) in [("ses_1", 3), ("ses_2", 1), ("ses_2", 2), ("ses_1", 1)] {
        let refused = world.store.open_session(record(id, &world.bob), Some(token(number)), None).await;
        assert_eq!(refused.unwrap(), OpenOutcome::IdTaken, "{id} with {number}");
    }
    assert_eq!(world.record(&first).await, before);
    assert_eq!(world.store.session(&session_id("ses_2")).await.unwrap(), None);
    assert_eq!(world.place(3).await, None);
    assert!(world.live(&world.bob, NOW).await.is_empty());
}

/// Of many sessions opened with one token at the same time there is one.
pub async fn of_many_sessions_of_one_token_one_is_opened<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let outcomes = together((0..16).map(|number| {
        let world = world.clone();
        let record = record(&format!("ses_{number}"), &world.alice);
        async move { world.store.open_session(record, Some(token(1)), None).await.unwrap() }
    }))
    .await;
    assert_eq!(count(&outcomes, &OpenOutcome::Opened), 1);
    assert_eq!(world.live(&world.alice, NOW).await.len(), 1);
}

/// The child becomes the current token; its parent holds it sealed until it is used in turn, and nothing from then on. The
/// session is carried on, never past its end, and never back in time.
pub async fn a_rotation_replaces_the_current_token<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let session = world.open("ses_1", &world.alice, 1).await;
    assert!(world.step(&session, 1, 2, NOW + 100).await);
    assert_eq!(world.place(1).await, parent_of(2, NOW + 110));
    assert_eq!(world.place(2).await, Some(RefreshPlace::Current));
    let carried = world.record(&session).await;
    assert_eq!((carried.last_used_at, carried.idle_expires_at), (NOW + 100, NOW + 1_100));

    assert!(world.step(&session, 2, 3, NOW + 50).await);
    assert_eq!(world.place(1).await, Some(RefreshPlace::Spent));
    assert_eq!(world.place(2).await, parent_of(3, NOW + 60));
    assert_eq!(world.place(3).await, Some(RefreshPlace::Current));
    assert_eq!(world.record(&session).await.last_used_at, NOW + 100);

    // Without grace, and without a limit of its own.
    let bare = RefreshRotation::new(&session, token(3), token(4), NOW + 200);
    assert!(world.store.rotate_refresh(bare).await.unwrap());
    let (sealed_child, grace_ends_at) = ([].into(), NOW + 200);
    assert_eq!(world.place(3).await, Some(RefreshPlace::Parent { sealed_child, grace_ends_at }));
    for spent in [1, 2] {
        assert_eq!(world.place(spent).await, Some(RefreshPlace::Spent));
    }
    let carried = world.record(&session).await;
    let opened = record("ses_1", &world.alice);
    assert_eq!((carried.idle_expires_at, carried.expires_at), (END, END));
    assert_eq!((carried.created_at, carried.client), (opened.created_at, opened.client));
}

/// Nothing but the current token of that very session is replaced, and only by a token that nobody knows. What is refused
/// changes nothing.
pub async fn only_the_current_token_is_replaced<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let session = world.open("ses_1", &world.alice, 1).await;
    let other = world.open("ses_2", &world.alice, 11).await;
    assert!(world.step(&session, 1, 2, NOW).await);
    assert!(world.step(&session, 2, 3, NOW + 1).await);
    let before = (world.record(&session).await, world.record(&other).await);
    for (case, session, parent, child) in [
        ("spent", &session, 1, 20),
        ("a parent", &session, 2, 20),
        ("unknown", &session, 99, 20),
        ("of another session", &session, 11, 20),
        ("in another session", &other, 3, 20),
        ("in no session", &session_id("ses_none"), 3, 20),
        ("by itself", &session, 3, 3),
        ("by an ancestor", &session, 3, 1),
        ("by another session's", &session, 3, 11),
    ] {
        assert!(!world.step(session, parent, child, NOW + 2).await, "{case}");
        assert_eq!(world.place(20).await, None, "{case}");
        assert_eq!(world.place(1).await, Some(RefreshPlace::Spent), "{case}");
        assert_eq!(world.place(2).await, parent_of(3, NOW + 11), "{case}");
        for current in [3, 11] {
            assert_eq!(world.place(current).await, Some(RefreshPlace::Current), "{case}");
        }
        assert_eq!((world.record(&before.0.id).await, world.record(&before.1.id).await), before, "{case}");
    }
}

/// Of twenty who come with one token at the same time one goes on, and the parent holds that one's child.
pub async fn of_twenty_rotations_of_one_token_one_wins<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let session = world.open("ses_1", &world.alice, 1).await;
    assert!(world.step(&session, 1, 2, NOW).await);
    let children = 100..120;
    let won = together(children.clone().map(|child| {
        let (world, session) = (world.clone(), session.clone());
        async move { world.step(&session, 2, child, NOW + 5).await }
    }))
    .await;
    assert_eq!(count(&won, &true), 1);
    for (child, won) in children.zip(won) {
        let expected = won.then_some(RefreshPlace::Current);
        assert_eq!(world.place(child).await, expected, "{child}");
        if won {
            assert_eq!(world.place(2).await, parent_of(child, NOW + 15));
        }
    }
    assert_eq!(world.place(1).await, Some(RefreshPlace::Spent));
}

/// A session that was ended, or that ended by itself a second ago or this very second, is not carried on.
pub async fn a_session_that_is_over_is_not_carried_on<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let ended = world.open("ses_1", &world.alice, 1).await;
    let idle = world.open("ses_2", &world.bob, 2).await;
    let mut short = record("ses_3", &world.bob);
    short.idle_expires_at = Timestamp::MAX;
    short.expires_at = NOW + 10;
    let short = world.open_record(short, 3).await;
    assert_eq!(world.end(&world.alice, SessionFilter::All, NOW).await, std::slice::from_ref(&ended));
    for (session, number, now) in [(&ended, 1, NOW), (&idle, 2, IDLE), (&idle, 2, END), (&short, 3, NOW + 10)] {
        assert!(!world.step(session, number, 50, now).await, "{session} at {now}");
        assert_eq!(world.place(number).await, Some(RefreshPlace::Current));
        assert_eq!(world.record(session).await.last_used_at, NOW);
    }
    assert!(world.step(&idle, 2, 50, IDLE - 1).await);
    assert!(world.step(&short, 3, 51, NOW + 9).await);
    assert_eq!(world.record(&short).await.idle_expires_at, NOW + 10);
}

/// The list has the user's own sessions that are live, the oldest first, in pages of any size. What is no cursor ends it.
pub async fn live_sessions_are_listed_oldest_first<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let ids: Vec<String> = (0..9).map(|number| format!("ses_{}", number * 5 % 9)).collect();
    for (number, id) in ids.iter().enumerate() {
        let mut record = record(id, &world.alice);
        record.idle_expires_at = NOW + 100 + number as u64;
        world.open_record(record, number as u16).await;
        world.open(&format!("bobs_{number}"), &world.bob, 100 + number as u16).await;
    }
    world.end(&world.alice, SessionFilter::One(&session_id(&ids[6])), NOW).await;
    for (now, expected) in [(NOW, [0, 1, 2, 3, 4, 5, 7, 8].as_slice()), (NOW + 103, &[4, 5, 7, 8]), (END, &[])] {
        let expected: Vec<_> = expected.iter().map(|number| ids[*number].as_str()).collect();
        for limit in [1, 3, 8, 100] {
            let rows = every_page(limit, async |page| world.store.live_sessions(&world.alice, now, &page).await).await;
            let seen: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(seen, expected, "at {now} in pages of {limit}");
        }
    }
    for cursor in ["", "x", "-1", "99999999999999999999"] {
        let page = PageRequest::new(Some(Cursor::new(cursor)), 10).unwrap();
        let page = world.store.live_sessions(&world.alice, NOW, &page).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none(), "{cursor}");
    }
}

/// Sessions that stand from the first page to the last are listed once each while others are opened, ended and forgotten.
pub async fn a_list_of_sessions_is_whole_while_they_come_and_go<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let mut standing = Vec::new();
    for number in 0..20 {
        standing.push(world.open(&format!("standing_{number:02}"), &world.alice, number).await);
        // One that goes stands between each two.
        world.open(&format!("going_{number}"), &world.alice, 100 + number).await;
    }
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let world = world.clone();
            tokio::spawn(async move {
                for number in (writer..20).step_by(4) {
                    let going = session_id(&format!("going_{number}"));
                    world.end(&world.alice, SessionFilter::One(&going), NOW + 1).await;
                    world.open(&format!("late_{number}"), &world.alice, 200 + number).await;
                    world.store.forget_sessions(NOW + 1, 0).await.unwrap();
                }
            })
        })
        .collect();
    for limit in [1, 3, 7] {
        let rows = every_page(limit, async |page| world.store.live_sessions(&world.alice, NOW, &page).await).await;
        let mut seen: Vec<_> = rows.into_iter().map(|row| row.id).collect();
        seen.sort_unstable();
        assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "a session was listed twice");
        seen.retain(|id| id.as_str().starts_with("standing"));
        assert_eq!(seen, standing);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(world.live(&world.alice, NOW).await.len(), 40);

    // The place of one that was forgotten, which a cursor may name, is nobody else's.
    for number in 300..303 {
        world.open(&format!("bobs_{number}"), &world.bob, number).await;
    }
    let page = PageRequest::new(None, 2).unwrap();
    let first = world.store.live_sessions(&world.bob, NOW, &page).await.unwrap();
    for gone in [301, 302] {
        let gone = session_id(&format!("bobs_{gone}"));
        world.end(&world.bob, SessionFilter::One(&gone), NOW + 1).await;
    }
    assert_eq!(world.store.forget_sessions(NOW + 1, 0).await.unwrap(), 2);
    let late = world.open("bobs_303", &world.bob, 303).await;
    let page = PageRequest::new(first.next, 2).unwrap();
    let second = world.store.live_sessions(&world.bob, NOW, &page).await.unwrap();
    assert!(second.items.iter().any(|row| row.id == late), "a session was left out");
}

/// Of the user's live sessions those that are meant end, and no others: their access tokens are refused until the session's
/// own end, which is published; their refresh tokens stay known.
pub async fn an_end_takes_the_sessions_that_are_meant<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let bobs = world.open("bobs", &world.bob, 1).await;
    let mut sessions = Vec::new();
    for (number, tenant) in [(2, None), (3, Some(&world.acme)), (4, Some(&world.globex)), (5, None), (6, None)] {
        let mut record = record(&format!("ses_{number}"), &world.alice);
        record.tenant = tenant.cloned();
        sessions.push(world.open_record(record, number).await);
    }
    let [plain, in_acme, in_globex, kept, last] = sessions.try_into().unwrap();
    // Somebody else's session, one that is not there, and one that expired are not the user's to end.
    for (which, now) in [
        (SessionFilter::One(&bobs), NOW),
        (SessionFilter::One(&session_id("ses_none")), NOW),
        (SessionFilter::One(&plain), IDLE),
        (SessionFilter::All, IDLE),
    ] {
        assert!(world.end(&world.alice, which, now).await.is_empty(), "{which:?}");
    }
    assert!(!world.is_noted(&plain).await && !world.is_noted(&bobs).await);
    for (which, expected) in [
        (SessionFilter::InTenant(&world.acme), vec![&in_acme]),
        (SessionFilter::One(&last), vec![&last]),
        (SessionFilter::Except(&kept), vec![&plain, &in_globex]),
        (SessionFilter::All, vec![&kept]),
        (SessionFilter::All, vec![]),
    ] {
        let end = world.store.end_sessions(&world.alice, which, NOW + 7);
        let mut ended = publishing(&changed(&expected), end).await;
        ended.sort_unstable();
        assert_eq!(ended.iter().collect::<Vec<_>>(), expected, "{which:?}");
        for session in expected {
            assert_eq!(world.record(session).await.ended_at, Some(NOW + 7));
            assert!(world.is_noted(session).await, "{session}");
            assert!(!world.live(&world.alice, NOW).await.contains(session));
        }
    }
    let found = world.store.find_refresh(&token(2)).await.unwrap().unwrap();
    assert_eq!((found.session.ended_at, found.place), (Some(NOW + 7), RefreshPlace::Current));
    assert_eq!(world.live(&world.bob, NOW).await, std::slice::from_ref(&bobs));

    assert_eq!(world.store.forget_revocations(END).await.unwrap(), 0);
    assert!(world.is_noted(&plain).await && !world.is_noted(&bobs).await);
    assert_eq!(world.store.forget_revocations(END + 1).await.unwrap(), 5);
}

/// A second end changes nothing, but each of the user's tokens hears of it: whoever was first may not have published yet.
pub async fn a_second_end_changes_nothing_but_is_published<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let session = world.open("ses_1", &world.alice, 1).await;
    let key = [ChangeKey::User("usr_alice".into())];
    for which in [SessionFilter::All, SessionFilter::One(&session), SessionFilter::All] {
        publishing(&key, world.store.end_sessions(&world.alice, which, NOW + 1)).await;
    }
    assert!(world.end(&world.alice, SessionFilter::All, NOW + 2).await.is_empty());
    assert_eq!(world.record(&session).await.ended_at, Some(NOW + 1));
}

/// Of many who end a user's sessions at the same time one is told of each.
pub async fn of_many_ends_one_takes_each_session<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let mut opened = Vec::new();
    for number in 0..6 {
        opened.push(world.open(&format!("ses_{number}"), &world.alice, number).await);
    }
    let ended = together((0..12_u64).map(|task| {
        let (world, one) = (world.clone(), opened[task as usize % 6].clone());
        async move {
            let which = if task < 6 { SessionFilter::One(&one) } else { SessionFilter::Except(&one) };
            world.end(&world.alice, which, NOW + task).await
        }
    }))
    .await;
    let mut ended = ended.concat();
    ended.sort_unstable();
    assert_eq!(ended, opened);
}

/// Who rotates while the session is ended may go one step further, and then no more: neither the parent nor the child
/// leads on, and the access tokens are refused.
pub async fn a_rotation_does_not_outlive_an_end<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for round in 0..16_u16 {
        let session = world.open(&format!("ses_{round}"), &world.alice, 2 * round).await;
        together([true, false].map(|ends| {
            let (world, session) = (world.clone(), session.clone());
            async move {
                if ends {
                    let ended = world.end(&world.alice, SessionFilter::One(&session), NOW + 1).await;
                    assert_eq!(ended, [session]);
                } else {
                    world.step(&session, 2 * round, 2 * round + 1, NOW + 1).await;
                }
            }
        }))
        .await;
        assert!(world.is_noted(&session).await);
        assert_eq!(world.record(&session).await.ended_at, Some(NOW + 1));
        for parent in [2 * round, 2 * round + 1] {
            assert!(!world.step(&session, parent, 500, NOW + 1).await);
        }
    }
}

/// A new password ends the user's sessions but the one that is kept, with their access tokens, and publishes each.
pub async fn a_new_password_ends_the_other_sessions<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let bobs = world.open("bobs", &world.bob, 1).await;
    let kept = world.open("ses_2", &world.alice, 2).await;
    let (first, second) = (world.open("ses_3", &world.alice, 3).await, world.open("ses_4", &world.alice, 4).await);
    let mut change = PasswordChange::new(&world.alice, hash(1), NOW + 5);
    change.keep = Some(&kept);
    let mut keys = changed(&[&first, &second]);
    keys.push(ChangeKey::User("usr_alice".into()));
    assert!(publishing(&keys, world.store.set_password(change)).await);
    assert_eq!(world.live(&world.alice, NOW).await, std::slice::from_ref(&kept));
    for (session, ended) in [(&first, true), (&second, true), (&kept, false), (&bobs, false)] {
        assert_eq!(world.is_noted(session).await, ended, "{session}");
        assert_eq!(world.record(session).await.ended_at, ended.then_some(NOW + 5), "{session}");
    }
    assert!(world.step(&kept, 2, 22, NOW + 6).await);

    // Somebody else's session is not kept by naming it.
    let mut change = PasswordChange::new(&world.alice, hash(2), NOW + 7);
    change.keep = Some(&bobs);
    assert!(settled(world.store.set_password(change).await));
    assert!(world.live(&world.alice, NOW).await.is_empty());
    assert!(world.is_noted(&kept).await);
    assert_eq!(world.live(&world.bob, NOW).await, std::slice::from_ref(&bobs));
    assert!(settled(world.store.set_password(PasswordChange::new(&world.bob, hash(3), NOW + 8)).await));
    assert!(world.live(&world.bob, NOW).await.is_empty());

    // Who has no account has no password; the sessions stay for whoever opened them.
    let guest = user("usr_guest");
    world.open("guests", &guest, 5).await;
    assert!(!settled(world.store.set_password(PasswordChange::new(&guest, hash(4), NOW + 9)).await));
    assert_eq!(world.live(&guest, NOW).await.len(), 1);
}

/// A login is of the epoch that it was judged under: what was proven before the password changed opens nothing after it.
pub async fn a_login_of_an_epoch_that_is_over_opens_nothing<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let open = async |id: &str, number, epoch| {
        let opened = world.store.open_session(record(id, &world.alice), Some(token(number)), epoch).await;
        opened.unwrap()
    };
    assert_eq!(open("ses_1", 1, Some(0)).await, OpenOutcome::Opened);
    settled(world.store.raise_user_epoch(&world.bob).await);
    assert_eq!(open("ses_2", 2, Some(0)).await, OpenOutcome::Opened, "it is Bob's that was raised");
    settled(world.store.set_password(PasswordChange::new(&world.alice, hash(1), NOW)).await);
    for epoch in [0, 2] {
        assert_eq!(open("ses_3", 3, Some(epoch)).await, OpenOutcome::EpochOver, "{epoch}");
    }
    assert_eq!(world.store.session(&session_id("ses_3")).await.unwrap(), None);
    assert_eq!(world.place(3).await, None);
    assert_eq!(open("ses_3", 3, Some(1)).await, OpenOutcome::Opened);
    assert_eq!(open("ses_4", 4, None).await, OpenOutcome::Opened);
}

/// No session of an older login is open after a new password, however the two race.
pub async fn no_login_outlives_a_new_password<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for round in 0..8_u16 {
        together((0..9_u16).map(|task| {
            let world = world.clone();
            async move {
                if task == 4 {
                    assert!(settled(world.store.set_password(PasswordChange::new(&world.alice, hash(round), NOW)).await));
                    return;
                }
                let record = record(&format!("ses_{round}_{task}"), &world.alice);
                let first = token(round * 100 + task);
                world.store.open_session(record, Some(first), Some(u64::from(round))).await.unwrap();
            }
        }))
        .await;
        assert!(world.live(&world.alice, NOW).await.is_empty());
    }
}

/// No session that was open before a new password is carried on after it, however the two race.
pub async fn no_rotation_outlives_a_new_password<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for round in 0..8_u16 {
        let mut sessions = Vec::new();
        for number in 0..4 {
            sessions.push(world.open(&format!("ses_{round}_{number}"), &world.alice, round * 100 + number).await);
        }
        together((0..5_u16).map(|task| {
            let (world, session) = (world.clone(), sessions.get(usize::from(task)).cloned());
            async move {
                let Some(session) = session else {
                    assert!(settled(world.store.set_password(PasswordChange::new(&world.alice, hash(round), NOW + 1)).await));
                    return;
                };
                for step in 0..10 {
                    let parent = round * 100 + task + step * 4;
                    if !world.step(&session, parent, parent + 4, NOW + 1).await {
                        break;
                    }
                }
            }
        }))
        .await;
        assert!(world.live(&world.alice, NOW).await.is_empty());
        for (number, session) in sessions.iter().enumerate() {
            assert!(world.is_noted(session).await);
            for step in 0..=10 {
                let parent = round * 100 + number as u16 + step * 4;
                assert!(!world.step(session, parent, 5_000, NOW + 1).await);
            }
        }
    }
}

/// Who is removed from a tenant loses the sessions that were opened for it, and no others; nobody loses one to a removal
/// that changes nothing.
pub async fn a_removed_member_loses_the_tenants_sessions<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    settled(world.store.put_member(&world.acme, &world.bob, "viewer").await);
    let mut opened = Vec::new();
    let places = [(&world.bob, Some(&world.acme)), (&world.bob, Some(&world.globex)), (&world.bob, None), (&world.alice, Some(&world.acme))];
    for (number, (user, tenant)) in places.into_iter().enumerate() {
        let mut record = record(&format!("ses_{number}"), user);
        record.tenant = tenant.cloned();
        opened.push(world.open_record(record, number as u16).await);
    }
    for (user, outcome) in [(&world.alice, RemoveOutcome::LastOfRole), (&user("usr_none"), RemoveOutcome::NotAMember)] {
        assert_eq!(settled(world.store.remove_member(&world.acme, user, "owner").await), outcome);
        assert_eq!(world.live(&world.alice, NOW).await.len() + world.live(&world.bob, NOW).await.len(), 4);
    }
    let removal = world.store.remove_member(&world.acme, &world.bob, "owner");
    let mut keys = changed(&[&opened[0]]);
    keys.push(ChangeKey::User("usr_bob".into()));
    assert_eq!(publishing(&keys, removal).await, RemoveOutcome::Removed);
    for (number, session) in opened.iter().enumerate() {
        assert_eq!(world.is_noted(session).await, number == 0, "{session}");
        assert_eq!(world.record(session).await.is_live(NOW), number != 0, "{session}");
    }
    assert_eq!(world.live(&world.bob, NOW).await, opened[1..3]);
    assert!(!world.step(&opened[0], 0, 50, NOW).await);
}

/// Sessions that ended long enough ago are forgotten with all their tokens, however they ended; others stay, and so does the
/// note that refuses the access tokens of one that ended early.
pub async fn what_ended_long_ago_is_forgotten<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let early = world.open("ses_1", &world.alice, 1).await;
    assert!(world.step(&early, 1, 2, NOW + 1).await);
    let idle = world.open("ses_2", &world.bob, 3).await;
    let carried = world.open("ses_3", &world.bob, 4).await;
    assert!(world.step(&carried, 4, 5, NOW + 900).await);
    world.end(&world.alice, SessionFilter::All, NOW + 10).await;
    // Ended and idle by then: counted once.
    let both = world.open("ses_4", &world.alice, 6).await;
    world.end(&world.alice, SessionFilter::All, IDLE - 1).await;
    for (now, keep_secs, forgotten, known) in [
        (NOW + 9, 0, 0, vec![1, 2, 3, 4, 5, 6]),
        (NOW + 109, 100, 0, vec![1, 2, 3, 4, 5, 6]),
        (NOW + 110, 100, 1, vec![3, 4, 5, 6]),
        (NOW + 110, 100, 0, vec![3, 4, 5, 6]),
        (IDLE, u64::MAX, 0, vec![3, 4, 5, 6]),
        (IDLE, 0, 2, vec![4, 5]),
        (NOW + 1_899, 0, 0, vec![4, 5]),
        (NOW + 1_900, 0, 1, vec![]),
    ] {
        assert_eq!(world.store.forget_sessions(now, keep_secs).await.unwrap(), forgotten, "at {now}");
        for number in 1..=6 {
            assert_eq!(world.place(number).await.is_some(), known.contains(&number), "{number} at {now}");
        }
    }
    for session in [&early, &idle, &carried, &both] {
        assert_eq!(world.store.session(session).await.unwrap(), None);
    }
    assert!(world.is_noted(&early).await && world.is_noted(&both).await);
    assert!(!world.is_noted(&idle).await);
    // Nothing of a line is left behind.
    for number in 1..=6 {
        world.open(&format!("new_{number}"), &world.bob, number).await;
    }
}

/// A sealed child is deleted once its grace has ended, not before; its parent is spent from then on, and the line goes on.
pub async fn a_sealed_child_goes_with_its_grace<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let session = world.open("ses_1", &world.alice, 1).await;
    assert!(world.step(&session, 1, 2, NOW).await);
    for (now, expected) in [
        (NOW + 9, parent_of(2, NOW + 10)),
        (NOW + 10, Some(RefreshPlace::Spent)),
    ] {
        assert_eq!(world.store.forget_sessions(now, u64::MAX).await.unwrap(), 0);
        assert_eq!(world.place(1).await, expected, "at {now}");
        assert_eq!(world.place(2).await, Some(RefreshPlace::Current));
    }
    assert!(world.step(&session, 2, 3, NOW + 20).await);
    assert_eq!(world.place(2).await, parent_of(3, NOW + 30));
    assert_eq!(world.place(1).await, Some(RefreshPlace::Spent));
}
