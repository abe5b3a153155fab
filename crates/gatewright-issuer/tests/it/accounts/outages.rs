//! OWASP ASVS 5.0, 16.5: a store that cannot answer is never an answer about anybody.

use std::pin::Pin;

use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::principal::SessionId;
use gatewright_core::store::AccountStore;
use gatewright_issuer::Grant;

use super::{CAROL, HERE, HERS, People, THEIRS, accepted};

type Step<'a> = Pin<Box<dyn Future<Output = Result<(), AuthError>> + 'a>>;

/// What somebody does, given the tokens that they were mailed.
type Act = for<'a> fn(&'a People, &'a Tokens) -> Step<'a>;

struct Tokens {
    verify: String,
    reset: String,
    invite: String,
}

const ACTS: &[(&str, Act)] = &[
    ("log in", |people, _| {
        Box::pin(async { people.accounts.log_in(CAROL, HERS, HERE).await.map(drop) })
    }),
    ("fail to log in", |people, _| {
        Box::pin(async {
            let login = people.accounts.log_in("unknown@example.com", HERS, HERE);
            match login.await {
                Err(refusal) if refusal.code() == ErrorCode::InvalidCredentials => Ok(()),
                other => other.map(drop),
            }
        })
    }),
    ("sign up", |people, _| {
        Box::pin(async {
            let sign_up = people
                .accounts
                .sign_up("x@example.com", accepted(HERS), "", HERE);
            sign_up.await?.await.map(drop)
        })
    }),
    ("sign up again", |people, _| {
        Box::pin(async {
            let sign_up = people
                .accounts
                .sign_up("new@example.com", accepted(HERS), "", HERE);
            sign_up.await?.await.map(drop)
        })
    }),
    ("ask for the link again", |people, _| {
        Box::pin(async {
            let resend = people
                .accounts
                .resend_verification("new@example.com", None, HERE);
            resend.await?.await
        })
    }),
    ("verify", |people, tokens| {
        Box::pin(async {
            let verify = people.accounts.verify_email(&tokens.verify, None, HERE);
            verify.await.map(drop)
        })
    }),
    ("forget the password", |people, _| {
        Box::pin(async { people.accounts.forgot_password(CAROL, HERE).await?.await })
    }),
    ("reset the password", |people, tokens| {
        Box::pin(async {
            let reset = people
                .accounts
                .reset_password(&tokens.reset, accepted(THEIRS), HERE);
            reset.await.map(drop)
        })
    }),
    ("change the password", |people, _| {
        Box::pin(async {
            let carol = people.stored(CAROL).await.id;
            let (accounts, new) = (&people.accounts, accepted(THEIRS));
            accounts
                .change_password(&carol, HERS, new, None, HERE)
                .await
        })
    }),
    ("invite", |people, _| {
        Box::pin(async {
            let by = caller(people).await;
            let roles = people.world.realm.roles();
            let invite = people
                .accounts
                .invite(&by, roles, "x@example.com", "creator", HERE);
            invite.await.map(drop)
        })
    }),
    ("accept", |people, tokens| {
        Box::pin(async {
            let (roles, password) = (people.world.realm.roles(), Some(accepted(HERS)));
            let accounts = &people.accounts;
            let accept = accounts.accept_invite(&tokens.invite, roles, "Dave", password, HERE);
            accept.await.map(drop)
        })
    }),
];

async fn caller(
    people: &People,
) -> gatewright_core::principal::Verified<gatewright_core::principal::Principal> {
    let world = &people.world;
    let session = SessionId::new("ses_1").unwrap();
    let grant = Grant::user(&world.alice, "app", "https://api.example", 0, session);
    let token = world
        .tokens
        .issue(&grant.in_tenant(world.acme.clone()), world.now());
    world.enter(&token.unwrap().access_token).await.unwrap()
}

async fn prepared() -> (People, Tokens) {
    let people = People::new().await;
    let alice = people.world.alice.clone();
    people
        .account_of(alice, "alice@example.com", Some(HERS), true)
        .await;
    people.account(CAROL, Some(HERS), true).await;
    people.signs_up("new@example.com", HERS).await;
    let verify = people.token();
    people
        .accounts
        .forgot_password(CAROL, HERE)
        .await
        .unwrap()
        .await
        .unwrap();
    let reset = people.token();
    let (by, roles) = (caller(&people).await, people.world.realm.roles());
    let invite = people
        .accounts
        .invite(&by, roles, "dave@example.com", "operator", HERE);
    invite.await.unwrap();
    let invite = people.token();
    let tokens = Tokens {
        verify,
        reset,
        invite,
    };
    (people, tokens)
}

#[tokio::test]
async fn asvs_16_5_an_outage_at_any_step_is_503_and_nobodys_fault() {
    for (name, act) in ACTS {
        let mut steps = 0;
        loop {
            let (people, tokens) = prepared().await;
            people.store.fail_after(steps);
            let Err(failure) = act(&people, &tokens).await else {
                break;
            };
            assert_eq!(
                failure.code(),
                ErrorCode::TemporarilyUnavailable,
                "{name}, {steps}"
            );
            assert_eq!(failure.cause(), Some(Cause::StoreUnavailable));
            assert!(failure.retry_after().is_some());
            people.store.recover();
            // Whatever was done by then, nobody stands verified with a password that they did not choose.
            let new = people
                .memory
                .account_by_email("new@example.com")
                .await
                .unwrap();
            let new = new.unwrap();
            assert_eq!(new.verified, new.password.is_some(), "{name}, {steps}");
            steps += 1;
        }
        assert!(steps >= 2, "{name} asks the store");
    }
}

#[tokio::test]
async fn an_outage_counts_for_no_failed_login() {
    let (people, _) = prepared().await;
    people.store.fail_after(0);
    for _ in 0..12 {
        let failed = people.logs_in(CAROL, "a guess").await;
        assert_eq!(failed, Err(ErrorCode::TemporarilyUnavailable));
    }
    people.store.recover();
    assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
}
