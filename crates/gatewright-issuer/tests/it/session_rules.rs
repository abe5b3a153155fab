//! What becomes of a refresh token, by its place in its session's line: a table.

use gatewright_core::error::Cause;
use gatewright_core::session::RefreshToken;

use crate::logins::{ABSOLUTE, GRACE, IDLE, Logins, sessions};
use crate::world::NOW;

/// Tokens are numbered in the order in which they are first seen; the login gives number 0.
enum Step {
    /// Time passes, in seconds.
    Wait(u64),
    /// The date is set back by so many seconds; time goes on all the same.
    SetBack(u64),
    /// This token is presented: it gets that one.
    Gives(usize, usize),
    /// This token is presented, and ends the session.
    IsReuse(usize),
    /// This token is presented, and is good for nothing.
    IsInvalid(usize),
    /// The user logs out with this token.
    Logout(usize),
}

#[tokio::test]
async fn every_token_is_answered_by_its_place_in_the_line() {
    use Step::{Gives, IsInvalid, IsReuse, Logout, SetBack, Wait};
    let table: &[(&str, &[Step])] = &[
        (
            "RFC 9700 §4.14.2: a new token with every use",
            &[Gives(0, 1), Gives(1, 2), Wait(IDLE - 1), Gives(2, 3)],
        ),
        (
            "the parent gets the same child, within the grace",
            &[
                Gives(0, 1),
                Gives(0, 1),
                Wait(GRACE - 1),
                Gives(0, 1),
                Gives(1, 2),
            ],
        ),
        (
            "each parent has its own grace",
            &[
                Gives(0, 1),
                Wait(GRACE),
                Gives(1, 2),
                Wait(GRACE - 1),
                Gives(1, 2),
            ],
        ),
        (
            "ASVS 10.4.5: the parent after its grace ends the family",
            &[
                Gives(0, 1),
                Wait(GRACE),
                IsReuse(0),
                IsInvalid(1),
                IsInvalid(0),
            ],
        ),
        (
            "ASVS 10.4.5: the parent of a child that was used ends the family",
            &[
                Gives(0, 1),
                Gives(1, 2),
                IsReuse(0),
                IsInvalid(2),
                IsInvalid(1),
            ],
        ),
        (
            "ASVS 10.4.5: a grandparent ends the family, however late",
            &[
                Gives(0, 1),
                Wait(900),
                Gives(1, 2),
                Wait(900),
                Gives(2, 3),
                IsReuse(0),
                IsInvalid(3),
            ],
        ),
        (
            "asking again does not make the grace longer",
            &[
                Gives(0, 1),
                Wait(GRACE - 1),
                Gives(0, 1),
                Wait(1),
                IsReuse(0),
            ],
        ),
        (
            "RFC 9700 §4.14.2: tokens expire when the client is idle",
            &[Wait(IDLE), IsInvalid(0)],
        ),
        (
            "idle time begins anew with every use",
            &[
                Wait(IDLE - 1),
                Gives(0, 1),
                Wait(IDLE - 1),
                Gives(1, 2),
                Wait(IDLE),
                IsInvalid(2),
            ],
        ),
        (
            "ASVS 10.4.8: an absolute end that no use moves",
            &[
                Wait(IDLE - 1),
                Gives(0, 1),
                Wait(IDLE - 1),
                Gives(1, 2),
                Wait(IDLE - 1),
                Gives(2, 3),
                Wait(ABSOLUTE - 3 * (IDLE - 1) - 1),
                Gives(3, 4),
                Wait(1),
                IsInvalid(4),
            ],
        ),
        (
            "an expired session's old token is no longer reuse",
            &[Gives(0, 1), Gives(1, 2), Wait(IDLE), IsInvalid(0)],
        ),
        (
            "ASVS 7.4.1: a logout ends the line",
            &[Gives(0, 1), Logout(1), IsInvalid(1), IsInvalid(0)],
        ),
        (
            "a logout with an older token ends the line",
            &[Gives(0, 1), Logout(0), IsInvalid(1), IsInvalid(0)],
        ),
        (
            "a date that is set back prolongs no grace",
            &[Gives(0, 1), SetBack(500), Wait(GRACE), IsReuse(0)],
        ),
        (
            "a date that is set back prolongs no idle time",
            &[SetBack(5_000), Wait(IDLE), IsInvalid(0)],
        ),
        (
            "a date that is set back moves no absolute end",
            &[
                Wait(900),
                Gives(0, 1),
                SetBack(900),
                Wait(900),
                Gives(1, 2),
                SetBack(900),
                Wait(900),
                Gives(2, 3),
                Wait(ABSOLUTE - 2_700),
                IsInvalid(3),
            ],
        ),
    ];
    for (rule, steps) in table {
        let logins = Logins::new().await;
        let mut tokens = vec![logins.opened().await.refresh.expose().to_owned()];
        let mut date = NOW;
        for (place, step) in steps.iter().enumerate() {
            let at = format!("{rule}, step {place}");
            match *step {
                Wait(secs) => {
                    date += secs;
                    logins.world.clock.advance(secs);
                }
                SetBack(secs) => {
                    date -= secs;
                    logins.world.clock.set(date);
                }
                Gives(token, expected) => {
                    let child = logins.child(&tokens[token]).await.expect(&at);
                    let known = tokens.iter().position(|token| *token == child);
                    assert_eq!(known.unwrap_or(tokens.len()), expected, "{at}");
                    if known.is_none() {
                        tokens.push(child);
                    }
                }
                IsReuse(token) => {
                    let refused = logins.child(&tokens[token]).await;
                    assert_eq!(refused, Err(Cause::RefreshReused), "{at}");
                }
                IsInvalid(token) => {
                    let refused = logins.child(&tokens[token]).await;
                    assert_eq!(refused, Err(Cause::RefreshInvalid), "{at}");
                }
                Logout(token) => {
                    let ended = logins.sessions.end(tokens[token].as_bytes(), None).await;
                    assert!(ended.unwrap(), "{at}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_no_login_gave_out_is_invalid() {
    let logins = Logins::new().await;
    let opened = logins.opened().await;
    let token = opened.refresh.expose();
    let unknown = RefreshToken::generate().unwrap();
    for presented in [
        &b""[..],
        b"\xff",
        &[0; 43],
        &[b'A'; 100_000],
        &token.as_bytes()[..42],
        format!("{token}=").as_bytes(),
        format!(" {token}").as_bytes(),
        token.to_lowercase().as_bytes(),
        unknown.expose().as_bytes(),
        opened.session.id.as_str().as_bytes(),
    ] {
        let refused = logins.sessions.refresh(presented, None).await.unwrap_err();
        assert_eq!(refused.cause(), Some(Cause::RefreshInvalid));
        assert!(!format!("{refused:?}{refused}").contains(token));
    }
    assert!(logins.child(token).await.is_ok());
}

#[tokio::test]
async fn another_process_grants_the_grace_while_its_clock_is_about_right() {
    // Behind the process that rotated, by so many seconds: is the parent still answered?
    for (behind, answered) in [
        (0, true),
        (1, true),
        (GRACE, true),
        (GRACE + 1, false),
        (900, false),
    ] {
        let logins = Logins::new().await;
        let token = logins.opened().await.refresh.expose().to_owned();
        let child = logins.child(&token).await.unwrap();
        logins.world.clock.set(NOW - behind);
        let there = sessions(&logins.world, &logins.store);
        let carried = there.refresh(token.as_bytes(), None).await;
        match carried {
            Ok(carried) => assert!(answered && carried.refresh.expose() == child, "{behind}"),
            Err(refused) => {
                assert!(!answered, "{behind}");
                assert_eq!(refused.cause(), Some(Cause::RefreshReused));
            }
        }
    }
}
