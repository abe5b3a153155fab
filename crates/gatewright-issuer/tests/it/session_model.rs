//! Sessions beside a small model of them, while logins, refreshes, logouts and time come in any order and at once.
//!
//! The model knows nothing of stores, seals or clocks: a session is a list of tokens, some times, and whether it ended.
//! Two operations at once have to be answered, and have to leave things, as one after the other in either order would.

use std::collections::BTreeSet;

use futures_util::future::join;
use gatewright_core::credential::Secret;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::hash::Phc;
use gatewright_core::principal::{SessionId, UserId};
use gatewright_core::store::{Account, AccountStore, PasswordChange, RevocationStore, TokenRef};
use gatewright_issuer::{Grant, NewSession};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::runtime::Builder;

use crate::logins::{ABSOLUTE, AUDIENCE, GRACE, IDLE, Logins, cause};
use crate::world::NOW;

/// Of a hash nobody will check.
const PASSWORD: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[derive(Clone, Debug)]
enum Op {
    Open {
        user: usize,
        for_acme: bool,
    },
    /// With a token that was ever given out.
    Refresh(Which),
    Wait(u64),
    SetBack(u64),
    EndBy(Which),
    EndOne(usize, Index),
    EndOthers(usize, Index),
    EndAll(usize),
    EndInAcme(usize),
    /// The user's password changes; the session that it was changed in may stay.
    Password(usize, Option<Index>),
    Forget,
    /// Two at once, whose calls of the store wait for so many turns.
    AtOnce(Box<Op>, Box<Op>, Vec<u8>),
}

/// Which of all tokens.
#[derive(Clone, Copy, Debug)]
struct Which {
    session: Index,
    /// So many before the youngest one, or the first one.
    age: usize,
}

#[derive(Debug)]
enum Answer {
    Opened(SessionId, String),
    Child(String, u64),
    Refused(Cause),
    Ended(BTreeSet<SessionId>),
    Done,
}

#[derive(Clone, Debug)]
struct Line {
    id: SessionId,
    user: usize,
    for_acme: bool,
    tokens: Vec<String>,
    rotated_at: u64,
    idle_end: u64,
    end: u64,
    was_ended: bool,
}

#[derive(Clone, Debug, Default)]
struct Model {
    now: u64,
    lines: Vec<Line>,
}

impl Model {
    fn is_live(&self, line: &Line) -> bool {
        !line.was_ended && self.now < line.idle_end
    }

    /// The token that is meant; `None` before the first login.
    fn token(&self, which: Which) -> Option<String> {
        let lines = &self.lines;
        let line = (!lines.is_empty()).then(|| &lines[which.session.index(lines.len())])?;
        let place = (line.tokens.len() - 1).saturating_sub(which.age);
        Some(line.tokens[place].clone())
    }

    fn session(&self, index: Index) -> Option<SessionId> {
        let lines = &self.lines;
        (!lines.is_empty()).then(|| lines[index.index(lines.len())].id.clone())
    }

    fn end(&mut self, is_meant: impl Fn(&Line) -> bool) -> BTreeSet<SessionId> {
        let now = self.now;
        let live = |line: &&mut Line| !line.was_ended && now < line.idle_end;
        let meant = self.lines.iter_mut().filter(|line| is_meant(line));
        let meant = meant.filter(live).map(|line| {
            line.was_ended = true;
            line.id.clone()
        });
        meant.collect()
    }

    /// Does what was asked, and says whether that may be answered so.
    fn agrees(&mut self, asked: &Asked, answer: &Answer) -> bool {
        let now = self.now;
        match (asked, answer) {
            (Asked::Open(user, for_acme), Answer::Opened(id, token)) => {
                self.lines.push(Line {
                    id: id.clone(),
                    user: *user,
                    for_acme: *for_acme,
                    tokens: vec![token.clone()],
                    rotated_at: 0,
                    idle_end: now + IDLE,
                    end: now + ABSOLUTE,
                    was_ended: false,
                });
                true
            }
            (Asked::Refresh(token), answer) => self.agrees_to_refresh(token, answer),
            (Asked::EndBy(token), Answer::Ended(ended)) => {
                self.end(|line| line.tokens.contains(token)) == *ended
            }
            (Asked::EndOne(user, id), Answer::Ended(ended)) => {
                self.end(|line| line.user == *user && line.id == *id) == *ended
            }
            (Asked::EndOthers(user, id), Answer::Ended(ended)) => {
                self.end(|line| line.user == *user && line.id != *id) == *ended
            }
            (Asked::EndAll(user), Answer::Ended(ended)) => {
                self.end(|line| line.user == *user) == *ended
            }
            (Asked::EndInAcme(user), Answer::Ended(ended)) => {
                self.end(|line| line.user == *user && line.for_acme) == *ended
            }
            (Asked::Password(user, keep), Answer::Done) => {
                self.end(|line| line.user == *user && Some(&line.id) != keep.as_ref());
                true
            }
            (Asked::Forget, Answer::Done) => true,
            _ => false,
        }
    }

    fn agrees_to_refresh(&mut self, token: &String, answer: &Answer) -> bool {
        let now = self.now;
        let known = |text| self.lines.iter().any(|line| line.tokens.contains(text));
        let is_new = matches!(answer, Answer::Child(text, _) if !known(text));
        let live = |line: &&mut Line| !line.was_ended && now < line.idle_end;
        let mut lines = self.lines.iter_mut();
        let line = lines.find(|line| line.tokens.contains(token));
        let Some(line) = line.filter(live) else {
            return matches!(answer, Answer::Refused(Cause::RefreshInvalid));
        };
        let age = line.tokens.iter().rev().position(|known| known == token);
        match (age, answer) {
            (Some(0), Answer::Child(child, idle_end)) => {
                line.tokens.push(child.clone());
                line.rotated_at = now;
                line.idle_end = line.end.min(now + IDLE);
                is_new && *idle_end == line.idle_end
            }
            (Some(0), _) => false,
            (Some(1), answer) if now < line.rotated_at + GRACE => {
                matches!(answer, Answer::Child(child, end)
                    if Some(child) == line.tokens.last() && *end == line.idle_end)
            }
            (_, answer) => {
                line.was_ended = true;
                matches!(answer, Answer::Refused(Cause::RefreshReused))
            }
        }
    }
}

/// An operation with its names looked up.
#[derive(Debug)]
enum Asked {
    Open(usize, bool),
    Refresh(String),
    EndBy(String),
    EndOne(usize, SessionId),
    EndOthers(usize, SessionId),
    EndAll(usize),
    EndInAcme(usize),
    Password(usize, Option<SessionId>),
    Forget,
}

impl Asked {
    fn of(op: &Op, model: &Model) -> Option<Self> {
        Some(match op {
            Op::Open { user, for_acme } => Self::Open(*user, *for_acme),
            Op::Refresh(token) => Self::Refresh(model.token(*token)?),
            Op::EndBy(token) => Self::EndBy(model.token(*token)?),
            Op::EndOne(user, session) => Self::EndOne(*user, model.session(*session)?),
            Op::EndOthers(user, session) => Self::EndOthers(*user, model.session(*session)?),
            Op::EndAll(user) => Self::EndAll(*user),
            Op::EndInAcme(user) => Self::EndInAcme(*user),
            Op::Password(user, keep) => {
                Self::Password(*user, keep.and_then(|keep| model.session(keep)))
            }
            Op::Forget => Self::Forget,
            Op::Wait(_) | Op::SetBack(_) | Op::AtOnce(..) => return None,
        })
    }
}

/// What is tested, and what the test remembers of it.
struct Real {
    logins: Logins,
    users: [UserId; 2],
    /// What the wall shows.
    date: u64,
    /// Each session's access token, when it was signed and in which epoch.
    access: Vec<(Secret, u64, u64)>,
}

impl Real {
    async fn new() -> Self {
        let logins = Logins::new().await;
        let users = [logins.world.alice.clone(), logins.world.bob.clone()];
        for user in &users {
            let account = Account::new(user.clone(), &format!("{user}@example.com"), NOW);
            logins
                .world
                .store
                .memory
                .insert_account(account)
                .await
                .unwrap();
        }
        Self {
            logins,
            users,
            date: NOW,
            access: Vec::new(),
        }
    }

    async fn answer(&self, asked: &Asked, model: &Model) -> Answer {
        let sessions = &self.logins.sessions;
        let ended = |ended: Vec<SessionId>| Answer::Ended(ended.into_iter().collect());
        match asked {
            Asked::Open(user, for_acme) => {
                let mut new = NewSession::new(self.users[*user].clone(), "app");
                if *for_acme {
                    new = new.in_tenant(self.logins.world.acme.clone());
                }
                let opened = sessions.open(new).await.unwrap();
                Answer::Opened(opened.session.id, opened.refresh.expose().to_owned())
            }
            Asked::Refresh(token) => match sessions.refresh(token.as_bytes(), None).await {
                Ok(carried) => {
                    Answer::Child(carried.refresh.expose().to_owned(), carried.expires_at())
                }
                Err(refused) => Answer::Refused(cause(refused)),
            },
            Asked::EndBy(token) => {
                let done = sessions.end(token.as_bytes(), None).await.unwrap();
                let mut lines = model.lines.iter();
                let line = lines.find(|line| line.tokens.contains(token)).unwrap();
                Answer::Ended(done.then(|| line.id.clone()).into_iter().collect())
            }
            Asked::EndOne(user, id) => {
                let done = sessions
                    .end_one(&self.users[*user], id, None)
                    .await
                    .unwrap();
                Answer::Ended(done.then(|| id.clone()).into_iter().collect())
            }
            Asked::EndOthers(user, id) => ended(
                sessions
                    .end_others(&self.users[*user], id, None)
                    .await
                    .unwrap(),
            ),
            Asked::EndAll(user) => ended(sessions.end_all(&self.users[*user], None).await.unwrap()),
            Asked::EndInAcme(user) => {
                let acme = &self.logins.world.acme;
                ended(
                    sessions
                        .end_in_tenant(&self.users[*user], acme, None)
                        .await
                        .unwrap(),
                )
            }
            Asked::Password(user, keep) => {
                let password = PASSWORD.parse::<Phc>().unwrap();
                let memory = &self.logins.world.store.memory;
                let mut change = PasswordChange::new(&self.users[*user], password, model.now);
                change.keep = keep.as_ref();
                let changed = memory.set_password(change);
                let changes = self.logins.world.gate.changes();
                assert!(changes.publish(changed.await.unwrap()));
                Answer::Done
            }
            Asked::Forget => {
                sessions.forget(IDLE).await.unwrap();
                Answer::Done
            }
        }
    }

    /// Whether everything that can be seen is as the model has it.
    async fn looks_like(&mut self, model: &Model) -> Result<(), TestCaseError> {
        for (place, user) in self.users.iter().enumerate() {
            let lines = model.lines.iter();
            let live = lines.filter(|line| line.user == place && model.is_live(line));
            let live: Vec<SessionId> = live.map(|line| line.id.clone()).collect();
            prop_assert_eq!(self.logins.live(user).await, live);
        }
        for (place, line) in model.lines.iter().enumerate() {
            let user = &self.users[line.user];
            let token = TokenRef::user(user.as_str(), None, None);
            let standing = self
                .logins
                .world
                .store
                .memory
                .standing(token)
                .await
                .unwrap();
            // Signed anew where it has to be, else the one that the gate may have in memory.
            let signed = self.access.get(place);
            if signed.is_none_or(|(_, at, epoch)| (*at, *epoch) != (self.date, standing.epoch)) {
                let world = &self.logins.world;
                let id = line.id.clone();
                let grant = Grant::user(user, "app", AUDIENCE, standing.epoch, id);
                let grant = grant.in_tenant(world.acme.clone());
                let issued = world.tokens.issue(&grant, self.date).unwrap();
                let signed = (issued.access_token, self.date, standing.epoch);
                match self.access.get_mut(place) {
                    Some(old) => *old = signed,
                    None => self.access.push(signed),
                }
            }
            let verdict = self.logins.world.verdict(&self.access[place].0).await;
            let expected = if line.was_ended {
                Err(ErrorCode::TokenRevoked)
            } else {
                Ok(())
            };
            prop_assert_eq!(verdict, expected, "{:?}", line);
        }
        Ok(())
    }
}

async fn run(ops: &[Op]) -> Result<(), TestCaseError> {
    let mut real = Real::new().await;
    let mut model = Model {
        now: NOW,
        ..Model::default()
    };
    for op in ops {
        match op {
            Op::Wait(secs) => {
                model.now += secs;
                real.date += secs;
                real.logins.world.clock.advance(*secs);
            }
            Op::SetBack(secs) => {
                // The keys that sign begin then.
                real.date = NOW.max(real.date - secs);
                real.logins.world.clock.set(real.date);
            }
            Op::AtOnce(first, second, pauses) => {
                let asked = (Asked::of(first, &model), Asked::of(second, &model));
                let (Some(first), Some(second)) = asked else {
                    continue;
                };
                real.logins.store.pauses.lock().unwrap().extend(pauses);
                let answers = join(real.answer(&first, &model), real.answer(&second, &model)).await;
                real.logins.store.pauses.lock().unwrap().clear();
                let (mut one, mut other) = (model.clone(), model.clone());
                let in_order = one.agrees(&first, &answers.0) && one.agrees(&second, &answers.1);
                let in_other_order =
                    other.agrees(&second, &answers.1) && other.agrees(&first, &answers.0);
                prop_assert!(
                    in_order || in_other_order,
                    "{first:?} and {second:?} at once got {answers:?}"
                );
                model = if in_order { one } else { other };
            }
            op => {
                let Some(asked) = Asked::of(op, &model) else {
                    continue;
                };
                let answer = real.answer(&asked, &model).await;
                prop_assert!(model.agrees(&asked, &answer), "{asked:?} got {answer:?}");
            }
        }
        real.looks_like(&model).await?;
    }
    Ok(())
}

fn one() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    let age = || prop_oneof![3 => Just(0_usize), 2 => Just(1), 1 => 2..5_usize];
    let token = || (index(), age()).prop_map(|(session, age)| Which { session, age });
    prop_oneof![
        8 => token().prop_map(Op::Refresh),
        1 => token().prop_map(Op::EndBy),
        1 => (0..2_usize, index()).prop_map(|(user, session)| Op::EndOne(user, session)),
        1 => (0..2_usize, index()).prop_map(|(user, session)| Op::EndOthers(user, session)),
        1 => (0..2_usize).prop_map(Op::EndAll),
        1 => (0..2_usize).prop_map(Op::EndInAcme),
        1 => (0..2_usize, proptest::option::of(index())).prop_map(|(user, keep)| Op::Password(user, keep)),
        1 => Just(Op::Forget),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let wait = prop_oneof![3 => 0..3_u64, 3 => 8..12_u64, 2 => 500..IDLE + 1, 1 => Just(ABSOLUTE)];
    let pauses = vec(0..4_u8, 12);
    prop_oneof![
        3 => (0..2_usize, any::<bool>()).prop_map(|(user, for_acme)| Op::Open { user, for_acme }),
        8 => one(),
        5 => (one(), one(), pauses)
            .prop_map(|(a, b, pauses)| Op::AtOnce(Box::new(a), Box::new(b), pauses)),
        4 => wait.prop_map(Op::Wait),
        1 => (1..2_000_u64).prop_map(Op::SetBack),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn sessions_do_as_the_model_does(ops in vec(op(), 1..40)) {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(&ops))?;
    }
}
