//! OWASP ASVS 5.0, 6.2, 6.3.8, 6.4 and 6.6: sign-ups, and the links that prove an address.

use std::collections::HashSet;

use futures_util::future::{FutureExt as _, join_all};
use gatewright_core::audit::AuditKind;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::hash::{Argon2Settings, PoolConfig};
use gatewright_core::limit::Rate;
use gatewright_core::principal::UserId;
use gatewright_core::store::{Account, AccountStore, BoxFuture, InsertOutcome, PasswordChange};
use gatewright_issuer::SignedUp;

use super::{CAROL, ELSEWHERE, HERE, HERS, People, THEIRS, accepted, code_of, finished, token_of};

const DAY: u64 = 24 * 3_600;
const INVALID: Result<(), ErrorCode> = Err(ErrorCode::InvalidLink);

#[tokio::test]
async fn asvs_6_3_8_a_sign_up_tells_nobody_who_has_an_account() {
    let people = People::new().await;
    people.account("known@example.com", Some(HERS), true).await;
    people.account("new@example.com", None, false).await;
    people.account("sso@example.com", None, true).await;
    for (email, outcome, mailed) in [
        (CAROL, "New", "verify_address"),
        ("new@example.com", "Unverified", "verify_address"),
        ("known@example.com", "Registered", "already_registered"),
        ("SSO@example.com", "Registered", "already_registered"),
    ] {
        let (password, email) = (accepted(THEIRS), email);
        let sign_up = people.accounts.sign_up(email, password, "", HERE);
        let (rest, cost) = people.cost(sign_up).await;
        assert_eq!(cost, [1, 0, 1], "one read, one hash: {email}");
        assert_eq!(people.mails.sent(), [], "before the answer: {email}");
        let became = rest.unwrap().await.unwrap();
        assert!(format!("{became:?}").starts_with(outcome), "{became:?}");
        assert_eq!(people.mails.sent(), [(mailed, email.to_lowercase())]);
    }
    for (email, password) in [("known@example.com", THEIRS), ("sso@example.com", THEIRS)] {
        let refused = people.logs_in(email, password).await;
        assert_eq!(refused, Err(ErrorCode::InvalidCredentials), "{email}");
    }
    assert_eq!(people.logs_in("known@example.com", HERS).await, Ok(()));
}

#[tokio::test]
async fn an_account_can_do_nothing_until_its_address_is_proven() {
    let people = People::new().await;
    let password = accepted(HERS);
    let rest = people
        .accounts
        .sign_up(CAROL, password, " Carol ", HERE)
        .await;
    let SignedUp::New(new) = rest.unwrap().await.unwrap() else {
        panic!("the address is new");
    };
    assert_eq!((&*new.email, &*new.name), (CAROL, "Carol"));
    assert!(!new.verified && new.password.is_none());
    assert!(people.stored(CAROL).await.password.is_none());
    let refused = people.logs_in(CAROL, HERS).await;
    assert_eq!(refused, Err(ErrorCode::InvalidCredentials));

    let token = people.token();
    let proven = people.accounts.verify_email(&token, None, HERE).await;
    let proven = proven.unwrap();
    assert!(proven.verified && proven.password.is_some());
    assert_eq!(proven.id, new.id);
    assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
    let again = people.accounts.verify_email(&token, None, HERE).await;
    assert_eq!(code_of(again), INVALID);
    let kinds = people.world.events.kinds();
    let (signed_up, verified) = (AuditKind::SignedUp, AuditKind::AddressVerified);
    assert_eq!(kinds, [signed_up, AuditKind::LoginFailed, verified]);
}

#[tokio::test]
async fn whose_link_is_followed_their_password_is_valid() {
    // Somebody else signs up with her address, before or after her; she follows her link.
    for hers_first in [true, false] {
        let people = People::new().await;
        let order = if hers_first {
            [HERS, THEIRS]
        } else {
            [THEIRS, HERS]
        };
        let mut links = Vec::new();
        for password in order {
            people.signs_up(CAROL, password).await;
            links.push(people.token());
        }
        let (hers, theirs) = if hers_first { (0, 1) } else { (1, 0) };
        people
            .accounts
            .verify_email(&links[hers], None, HERE)
            .await
            .unwrap();
        assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
        let refused = people.logs_in(CAROL, THEIRS).await;
        assert_eq!(refused, Err(ErrorCode::InvalidCredentials));
        let late = people
            .accounts
            .verify_email(&links[theirs], None, HERE)
            .await;
        assert_eq!(code_of(late), INVALID);
        assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
    }
}

#[tokio::test]
async fn a_link_asked_for_again_carries_nobody_elses_password() {
    for (given, chosen, valid) in [
        (None, None, None),
        (Some(HERS), None, Some(HERS)),
        (None, Some(HERS), Some(HERS)),
        (Some(THEIRS), Some(HERS), Some(HERS)),
    ] {
        let people = People::new().await;
        people.signs_up(CAROL, "of a stranger's choice").await;
        people.mails.take();
        let given = given.map(accepted);
        finished(
            people
                .accounts
                .resend_verification(CAROL, given, HERE)
                .await,
        )
        .await;
        let token = people.token();
        let chosen = chosen.map(accepted);
        let proven = people.accounts.verify_email(&token, chosen, HERE).await;
        assert_eq!(proven.unwrap().password.is_some(), valid.is_some());
        for password in [HERS, THEIRS, "of a stranger's choice"] {
            let comes_in = people.logs_in(CAROL, password).await.is_ok();
            assert_eq!(comes_in, valid == Some(password), "{password}");
        }
    }
}

#[tokio::test]
async fn who_uses_up_the_mails_of_an_address_chooses_no_password_for_it() {
    let people = People::new().await;
    for _ in 0..3 {
        people.signs_up(CAROL, THEIRS).await;
    }
    let links: Vec<_> = people.mails.take().iter().map(token_of).collect();
    // She signs up too, gets no mail of her own, and follows one that is there.
    people.signs_up(CAROL, HERS).await;
    assert_eq!(people.mails.sent(), []);
    let proven = people.accounts.verify_email(&links[2], None, HERE).await;
    assert!(proven.unwrap().password.is_none());
    for password in [THEIRS, HERS] {
        let refused = people.logs_in(CAROL, password).await;
        assert_eq!(refused, Err(ErrorCode::InvalidCredentials), "{password}");
    }
    // What is chosen where the link is followed counts, as ever.
    people.world.clock.advance(DAY);
    let bob = "bob2@example.com";
    for _ in 0..3 {
        people.signs_up(bob, THEIRS).await;
    }
    let link = people
        .mails
        .take()
        .iter()
        .map(token_of)
        .next_back()
        .unwrap();
    people.signs_up(bob, HERS).await;
    let chosen = Some(accepted(HERS));
    let proven = people.accounts.verify_email(&link, chosen, HERE);
    proven.await.unwrap();
    assert_eq!(people.logs_in(bob, HERS).await, Ok(()));
    assert!(people.logs_in(bob, THEIRS).await.is_err());
}

#[tokio::test]
async fn a_password_from_before_the_address_was_proven_gives_way() {
    let people = People::new().await;
    people.account(CAROL, Some(THEIRS), false).await;
    people.signs_up(CAROL, HERS).await;
    people
        .accounts
        .verify_email(&people.token(), None, HERE)
        .await
        .unwrap();
    assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
    assert!(people.logs_in(CAROL, THEIRS).await.is_err());
}

#[tokio::test]
async fn a_password_that_was_chosen_meanwhile_does_not() {
    let people = People::new().await;
    let carol = people.account(CAROL, Some(THEIRS), false).await;
    people.signs_up(CAROL, HERS).await;
    let link = people.token();
    let other = people.passwords.hash(b"another password").unwrap();
    let other = other.await.unwrap();
    // When the account was read, and before its password is set.
    people.store.meanwhile(2, move |memory| {
        let set = memory.set_password(PasswordChange::new(&carol, other, 1));
        drop(set.now_or_never().unwrap().unwrap());
        let verified = memory.verify_account(&carol, None).now_or_never();
        assert!(verified.unwrap().unwrap());
    });
    let late = people.accounts.verify_email(&link, None, HERE).await;
    assert_eq!(code_of(late), INVALID);
    assert_eq!(people.logs_in(CAROL, "another password").await, Ok(()));
    assert!(people.logs_in(CAROL, HERS).await.is_err());
}

#[tokio::test]
async fn asvs_6_3_8_resending_tells_nobody_who_has_an_account() {
    let people = People::new().await;
    people.account("known@example.com", Some(HERS), true).await;
    people.account("new@example.com", None, false).await;
    for (email, mails) in [
        ("known@example.com", 0),
        ("new@example.com", 1),
        ("unknown@example.com", 0),
    ] {
        let resend = people.accounts.resend_verification(email, None, HERE);
        let (rest, cost) = people.cost(resend).await;
        assert_eq!(cost, [1, 0, 0], "{email}");
        finished(rest).await;
        assert_eq!(people.mails.take().len(), mails, "{email}");
    }
}

/// A row takes longer to read than none, so that even the same one call would tell.
#[tokio::test]
async fn asvs_6_3_8_the_store_is_asked_about_an_address_when_the_answer_is_given() {
    let people = People::new().await;
    people.account("known@example.com", Some(HERS), true).await;
    people.account("new@example.com", None, false).await;
    let accounts = &people.accounts;
    let way = async |way: &str, email: &str| -> Result<_, AuthError> {
        let password = accepted(THEIRS);
        let rest: BoxFuture<'_, Result<(), AuthError>> = match way {
            "sign up" => {
                let rest = accounts.sign_up(email, password, "", HERE).await?;
                Box::pin(async { rest.await.map(drop) })
            }
            "resend" => Box::pin(accounts.resend_verification(email, None, HERE).await?),
            "resend with a password" => Box::pin(
                accounts
                    .resend_verification(email, Some(password), HERE)
                    .await?,
            ),
            _ => Box::pin(accounts.forgot_password(email, HERE).await?),
        };
        Ok(rest)
    };
    for name in ["forget", "resend", "resend with a password", "sign up"] {
        for email in ["known@example.com", "new@example.com", CAROL] {
            people.store.asked();
            let rest = way(name, email).await.unwrap();
            // The same words, whoever it is; something, or an outage would be told that all is well.
            let before = people.store.asked();
            assert_eq!(before, ["account(UserId(\"nobody\"),)"], "{name}, {email}");
            rest.await.unwrap();
            let after = people.store.asked();
            let look_up = format!("account_by_email({email:?},)");
            assert_eq!(after.first(), Some(&look_up), "{name}, {email}");
        }
    }
    people.store.fail_after(0);
    for name in ["forget", "resend", "resend with a password", "sign up"] {
        let refusal = way(name, CAROL).await.map(drop);
        let outage = Err(ErrorCode::TemporarilyUnavailable);
        assert_eq!(code_of(refusal), outage, "{name}");
    }
}

#[tokio::test]
async fn asvs_6_6_a_link_is_good_once_for_a_day_and_for_its_purpose() {
    let people = People::new().await;
    people.signs_up(CAROL, HERS).await;
    let token = people.token();
    let other = accepted(THEIRS);
    let reset = people.accounts.reset_password(&token, other, HERE).await;
    assert_eq!(code_of(reset), INVALID);
    people.world.clock.advance(DAY);
    let late = people.accounts.verify_email(&token, None, HERE).await;
    assert_eq!(code_of(late), INVALID);

    people.signs_up(CAROL, HERS).await;
    let token = people.token();
    people.world.clock.advance(DAY - 1);
    for wrong in ["", "x", &token[1..], &format!("{token} "), &"A".repeat(43)] {
        let error = people.accounts.verify_email(wrong, None, HERE).await;
        let error = error.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::MailedTokenInvalid));
    }
    let in_time = people.accounts.verify_email(&token, None, HERE).await;
    assert_eq!(code_of(in_time), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_who_spend_one_link_one_succeeds() {
    let people = People::new().await;
    people.signs_up(CAROL, HERS).await;
    let token = people.token();
    let spend = || {
        let (accounts, token) = (people.accounts.clone(), token.clone());
        tokio::spawn(async move { accounts.verify_email(&token, None, HERE).await })
    };
    let spent = join_all((0..20).map(|_| spend())).await;
    let codes: Vec<_> = spent.into_iter().map(|one| code_of(one.unwrap())).collect();
    assert_eq!(codes.iter().filter(|code| code.is_ok()).count(), 1);
    assert_eq!(codes.iter().filter(|code| **code == INVALID).count(), 19);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_links_at_once_the_password_of_the_one_that_succeeds_is_valid() {
    for _ in 0..16 {
        let people = People::new().await;
        let passwords = [HERS, THEIRS];
        let mut links = Vec::new();
        for password in passwords {
            people.signs_up(CAROL, password).await;
            links.push(people.token());
        }
        let spent = join_all(links.into_iter().map(|token| {
            let accounts = people.accounts.clone();
            tokio::spawn(async move { accounts.verify_email(&token, None, HERE).await })
        }));
        for (spent, password) in spent.await.into_iter().zip(passwords) {
            let valid = people.logs_in(CAROL, password).await.is_ok();
            assert_eq!(spent.unwrap().is_ok(), valid);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_sign_ups_at_once_one_makes_an_account() {
    let people = People::new().await;
    let sign_up = || people.accounts.sign_up(CAROL, accepted(HERS), "", HERE);
    let rest = join_all((0..20).map(|_| sign_up())).await;
    let became = join_all(rest.into_iter().map(|rest| tokio::spawn(rest.unwrap()))).await;
    let became: Vec<_> = became
        .into_iter()
        .map(|one| one.unwrap().unwrap())
        .collect();
    let new = became.iter().filter(|one| matches!(one, SignedUp::New(_)));
    assert_eq!(new.count(), 1);
    assert_eq!(people.mails.take().len(), 3, "so many an hour");
}

#[tokio::test]
async fn an_address_that_somebody_takes_meanwhile_is_signed_up_for_once_more() {
    for verified in [false, true] {
        let people = People::new().await;
        let mut theirs = Account::new(UserId::new("usr_theirs").unwrap(), CAROL, 1);
        theirs.verified = verified;
        // When it was read that nobody has it.
        people.store.meanwhile(2, move |memory| {
            let inserted = memory.insert_account(theirs).now_or_never();
            assert_eq!(inserted.unwrap().unwrap(), InsertOutcome::Inserted);
        });
        let became = people.signs_up(CAROL, HERS).await;
        assert_eq!(matches!(became, SignedUp::Registered), verified);
        assert_eq!(matches!(became, SignedUp::Unverified), !verified);
        assert_eq!(people.stored(CAROL).await.id.as_str(), "usr_theirs");
    }
}

#[tokio::test]
async fn an_address_is_not_flooded_and_nobody_is_told() {
    let people = People::new().await;
    people.account("known@example.com", Some(HERS), true).await;
    for hour in 0..2 {
        for email in [CAROL, "known@example.com"] {
            for trial in 0..5 {
                people.signs_up(email, THEIRS).await;
                assert_eq!(people.mails.take().len(), usize::from(trial < 3), "{email}");
            }
        }
        // Mails about other things get through.
        let forgot = people.accounts.forgot_password("known@example.com", HERE);
        finished(forgot.await).await;
        assert_eq!(people.mails.sent()[0].0, "reset_password");
        people.world.clock.advance(3_600);
        assert!(hour < 2);
    }
}

#[tokio::test]
async fn a_source_that_asks_too_often_is_told_whatever_it_asks_about() {
    let people = People::new().await;
    let rate = Rate::new(2, 3_600, 2).unwrap();
    let accounts = people.accounts.clone().with_limits(rate, rate);
    for (email, from) in [
        ("a@b.example", HERE),
        ("c@d.example", HERE),
        (CAROL, ELSEWHERE),
    ] {
        accounts
            .forgot_password(email, from)
            .await
            .unwrap()
            .await
            .unwrap();
    }
    let limited = || Err(ErrorCode::RateLimited);
    let password = || accepted(HERS);
    let (accounts, from) = (&accounts, HERE);
    assert_eq!(
        code_of(accounts.sign_up(CAROL, password(), "", from).await),
        limited()
    );
    assert_eq!(
        code_of(accounts.forgot_password(CAROL, from).await),
        limited()
    );
    assert_eq!(
        code_of(accounts.resend_verification(CAROL, None, from).await),
        limited()
    );
    let token = "A".repeat(43);
    let reset = accounts.reset_password(&token, password(), from).await;
    assert_eq!(code_of(reset), limited());
    let verify = accounts.verify_email(&token, Some(password()), from).await;
    assert_eq!(code_of(verify), limited());
    assert_eq!(
        code_of(accounts.verify_email(&token, None, from).await),
        INVALID
    );
}

#[tokio::test]
async fn asvs_6_2_11_nobodys_password_is_their_address_or_name() {
    let people = People::new().await;
    let refused = Err(ErrorCode::ValidationError);
    let own = || accepted("carol2026!");
    let sign_up = people.accounts.sign_up(CAROL, own(), "", HERE).await;
    assert_eq!(code_of(sign_up), refused);
    let named = people
        .accounts
        .sign_up("c@b.example", own(), "Carol", HERE)
        .await;
    assert_eq!(code_of(named), refused);
    for (email, name) in [
        ("not an address", ""),
        ("c@b.example\r\nBcc: d@e", ""),
        (CAROL, "a\nb"),
    ] {
        let error = people
            .accounts
            .sign_up(email, accepted(HERS), name, HERE)
            .await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError, "{email}");
        assert!(!format!("{error} {error:?}").contains("example"));
    }
    people.signs_up(CAROL, HERS).await;
    let token = people.token();
    let chosen = people
        .accounts
        .verify_email(&token, Some(own()), HERE)
        .await;
    assert_eq!(code_of(chosen), refused);
    assert!(!people.stored(CAROL).await.verified);
}

#[tokio::test]
async fn what_is_not_spawned_changes_nothing_and_shows_nothing() {
    let people = People::new().await;
    let rest = people
        .accounts
        .sign_up(CAROL, accepted(HERS), "", HERE)
        .await
        .unwrap();
    assert_eq!(format!("{rest:?}"), "Afterwards { .. }");
    drop(rest);
    assert!(
        people
            .memory
            .account_by_email(CAROL)
            .await
            .unwrap()
            .is_none()
    );
    people.signs_up(CAROL, HERS).await;
    let mails = people.mails.take();
    assert_eq!(format!("{:?}", mails[0]), "Mail(verify_address, redacted)");
    let tokens: HashSet<_> = mails.iter().map(token_of).collect();
    assert_eq!(tokens.len(), 1);
}

#[tokio::test]
async fn a_full_queue_is_an_overload_for_everybody() {
    let pool = PoolConfig::new(Argon2Settings::insecure_for_tests());
    let people = People::with(pool.with_queue(0)).await;
    people.account("known@example.com", None, true).await;
    for email in [CAROL, "known@example.com"] {
        let full = people
            .accounts
            .sign_up(email, accepted(HERS), "", HERE)
            .await;
        let full = full.unwrap_err();
        assert_eq!(full.cause(), Some(Cause::HashQueueFull));
        assert!(full.retry_after().is_some());
    }
}

#[tokio::test]
async fn a_link_that_is_overtaken_while_it_is_spent_says_so() {
    let people = People::new().await;
    people.signs_up(CAROL, THEIRS).await;
    let token = people.token();
    let carol = people.stored(CAROL).await.id;
    let hers = people.passwords.hash(HERS.as_bytes()).unwrap().await;
    people.store.meanwhile(2, move |memory| {
        let verified = memory.verify_account(&carol, hers).now_or_never();
        assert!(verified.unwrap().unwrap());
    });
    let late = people.accounts.verify_email(&token, None, HERE).await;
    assert_eq!(code_of(late), INVALID);
    assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
    assert!(people.logs_in(CAROL, THEIRS).await.is_err());
}
