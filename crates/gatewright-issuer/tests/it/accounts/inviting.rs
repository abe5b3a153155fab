//! Invitations: whose role they may give, and to whom.

use futures_util::future::join_all;
use gatewright_core::audit::AuditKind;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::principal::{Principal, SessionId, UserId, Verified};
use gatewright_core::role::Roles;
use gatewright_core::store::{
    Account, AccountStore, Invite, InviteStore, MembershipStore, PageRequest, TenantRef,
};
use gatewright_issuer::{AcceptedInvite, Grant, Mail};

use super::{CAROL, HERE, HERS, People, THEIRS, accepted, code_of};

const WEEK: u64 = 7 * 24 * 3_600;
const INVALID: Result<(), ErrorCode> = Err(ErrorCode::InvalidLink);

impl People {
    /// Alice owns acme, Bob operates it; both have accounts.
    async fn of_acme() -> Self {
        let people = Self::new().await;
        let (alice, bob) = (people.world.alice.clone(), people.world.bob.clone());
        people
            .account_of(alice, "alice@example.com", Some(HERS), true)
            .await;
        people
            .account_of(bob, "bob@example.com", Some(HERS), true)
            .await;
        people
    }

    async fn caller(&self, user: &UserId) -> Result<Verified<Principal>, AuthError> {
        let session = SessionId::new("ses_1").unwrap();
        let grant = Grant::user(user, "app", "https://api.example", 0, session);
        let grant = grant.in_tenant(self.world.acme.clone());
        let token = self.world.tokens.issue(&grant, self.world.now()).unwrap();
        self.world.enter(&token.access_token).await
    }

    fn roles(&self) -> &Roles {
        self.world.realm.roles()
    }

    async fn invites(&self, by: &UserId, email: &str, role: &str) -> Result<Invite, AuthError> {
        let by = self.caller(by).await.unwrap();
        self.accounts
            .invite(&by, self.roles(), email, role, HERE)
            .await
    }

    async fn invited(&self, role: &str) -> String {
        let alice = self.world.alice.clone();
        self.invites(&alice, CAROL, role).await.unwrap();
        self.token()
    }

    async fn accepts(
        &self,
        token: &str,
        password: Option<&str>,
    ) -> Result<AcceptedInvite, AuthError> {
        let password = password.map(accepted);
        let accounts = &self.accounts;
        accounts
            .accept_invite(token, self.roles(), "Carol", password, HERE)
            .await
    }

    async fn role(&self, user: &UserId) -> Option<Box<str>> {
        let tenant = TenantRef::Id(&self.world.acme);
        let held = self.memory.membership(user, tenant).await.unwrap();
        held.map(|held| held.role)
    }

    async fn joins(&self, user: &UserId, role: &str) {
        let joined = self.memory.put_member(&self.world.acme, user, role).await;
        self.world.gate.changes().publish(joined.unwrap());
    }
}

#[tokio::test]
async fn nobody_offers_a_role_above_their_own() {
    let people = People::of_acme().await;
    let (alice, bob) = (people.world.alice.clone(), people.world.bob.clone());
    for (by, role, code) in [
        (&alice, "owner", Ok(())),
        (&alice, "creator", Ok(())),
        (&bob, "operator", Ok(())),
        (&bob, "owner", Err(ErrorCode::InsufficientRole)),
        (&alice, "emperor", Err(ErrorCode::ValidationError)),
        (&alice, "", Err(ErrorCode::ValidationError)),
        (
            &alice,
            Account::PLATFORM_ADMIN,
            Err(ErrorCode::ValidationError),
        ),
    ] {
        let email = format!("{role}.{by}@example.com");
        let email = if role.is_empty() { CAROL } else { &email };
        people.world.events.take();
        let invited = people.invites(by, email, role).await;
        assert_eq!(code_of(invited), code, "{by} {role}");
        assert_eq!(people.mails.take().len(), usize::from(code.is_ok()));
        let told = match code {
            Ok(()) => vec![AuditKind::Invited],
            Err(ErrorCode::InsufficientRole) => vec![AuditKind::Denied],
            Err(_) => vec![],
        };
        assert_eq!(people.world.events.kinds(), told);
    }
    // The operator alone makes platform administrators, whatever a ladder names.
    let empty = gatewright_core::scope::ScopeSet::new;
    let ladder = Roles::builder()
        .role("owner", empty())
        .role(Account::PLATFORM_ADMIN, empty())
        .build()
        .unwrap();
    people.joins(&alice, Account::PLATFORM_ADMIN).await;
    let by = people.caller(&bob).await.unwrap();
    let top = Account::PLATFORM_ADMIN;
    let refused = people.accounts.invite(&by, &ladder, CAROL, top, HERE).await;
    assert_eq!(code_of(refused), Err(ErrorCode::ValidationError));
}

#[tokio::test]
async fn a_key_offers_no_role_that_may_more_than_the_key() {
    let people = People::of_acme().await;
    for (scopes, role, code) in [
        ("links.read", "creator", Ok(())),
        ("links.read", "operator", Err(ErrorCode::InsufficientScope)),
        (
            "links.read analytics",
            "owner",
            Err(ErrorCode::InsufficientScope),
        ),
        ("*", "owner", Ok(())),
    ] {
        let key = people.world.minted(scopes).await;
        let by = people.world.enter(&key.secret).await.unwrap();
        let email = format!("{role}{}@example.com", scopes.len());
        let invited = people
            .accounts
            .invite(&by, people.roles(), &email, role, HERE)
            .await;
        assert_eq!(code_of(invited), code, "{scopes} {role}");
    }
}

#[tokio::test]
async fn an_invitation_says_who_invites_whom_and_shows_its_token_to_nobody_else() {
    let people = People::of_acme().await;
    let alice = people.world.alice.clone();
    let invite = people
        .invites(&alice, "Carol@Example.com", "operator")
        .await
        .unwrap();
    let mails = people.mails.take();
    let [
        Mail::Invite {
            to,
            tenant,
            by_email,
            role,
            token,
            ..
        },
    ] = &mails[..]
    else {
        panic!("{mails:?}");
    };
    assert_eq!(
        (&**to, &**by_email, &**role),
        (CAROL, "alice@example.com", "operator")
    );
    assert_eq!(tenant.id(), &people.world.acme);
    assert_eq!(invite.expires_at, people.world.now() + WEEK);
    let shown = format!("{invite:?}{mails:?}");
    assert!(!shown.contains(token.expose()));
    let page = PageRequest::first();
    let open = people
        .memory
        .invites(&people.world.acme, &page)
        .await
        .unwrap();
    assert_eq!(open.items, [invite]);
}

#[tokio::test]
async fn whoever_has_the_token_joins_with_an_account_of_the_address() {
    // (the account so far, the password given, what becomes valid)
    for (before, given, valid) in [
        (Some((HERS, true)), None, HERS),
        (Some((HERS, true)), Some(THEIRS), HERS),
        (Some((THEIRS, false)), Some(HERS), HERS),
        (None, Some(HERS), HERS),
    ] {
        let people = People::of_acme().await;
        if let Some((password, verified)) = before {
            people.account(CAROL, Some(password), verified).await;
        }
        let token = people.invited("operator").await;
        let joined = people.accepts(&token, given).await.unwrap();
        assert_eq!(joined.role.as_deref(), Some("operator"));
        let carol = people.stored(CAROL).await;
        assert!(carol.verified);
        assert_eq!(carol.id, joined.user);
        assert_eq!(people.role(&carol.id).await.as_deref(), Some("operator"));
        for password in [HERS, THEIRS] {
            let comes_in = people.logs_in(CAROL, password).await.is_ok();
            assert_eq!(comes_in, password == valid, "{before:?} {given:?}");
        }
        let again = people.accepts(&token, given).await;
        assert_eq!(code_of(again), INVALID);
    }
}

#[tokio::test]
async fn a_sign_up_of_somebody_elses_is_worth_nothing_after_the_invitation() {
    let people = People::of_acme().await;
    people.signs_up(CAROL, THEIRS).await;
    let theirs = people.token();
    let token = people.invited("operator").await;
    people.accepts(&token, Some(HERS)).await.unwrap();
    let late = people.accounts.verify_email(&theirs, None, HERE).await;
    assert_eq!(code_of(late), INVALID);
    assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
    assert!(people.logs_in(CAROL, THEIRS).await.is_err());
    assert_eq!(people.stored(CAROL).await.name, "Carol");
}

#[tokio::test]
async fn a_missing_or_weak_password_spends_nothing() {
    let people = People::of_acme().await;
    let token = people.invited("operator").await;
    for password in [None, Some("carol@example.com")] {
        let refused = people.accepts(&token, password).await;
        assert_eq!(code_of(refused), Err(ErrorCode::ValidationError));
    }
    assert!(
        people
            .memory
            .account_by_email(CAROL)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(code_of(people.accepts(&token, Some(HERS)).await), Ok(()));
    let kinds = people.world.events.kinds();
    let made = [
        AuditKind::SignedUp,
        AuditKind::AddressVerified,
        AuditKind::RoleChanged,
    ];
    assert_eq!(kinds[1..], made);
}

#[tokio::test]
async fn the_inviters_role_is_judged_again() {
    for (fate, code) in [
        ("stays", Ok(())),
        ("is demoted to the role offered", Ok(())),
        ("is demoted below it", INVALID),
        ("is removed", INVALID),
    ] {
        let people = People::of_acme().await;
        let (alice, bob) = (people.world.alice.clone(), people.world.bob.clone());
        people.joins(&bob, "owner").await;
        people.account(CAROL, Some(HERS), true).await;
        let token = people.invited("operator").await;
        match fate {
            "is demoted to the role offered" => people.joins(&alice, "operator").await,
            "is demoted below it" => people.joins(&alice, "creator").await,
            "is removed" => {
                let acme = &people.world.acme;
                let gone = people.memory.remove_member(acme, &alice, "owner").await;
                people.world.gate.changes().publish(gone.unwrap());
            }
            _ => {}
        }
        let accepted = people.accepts(&token, None).await;
        assert_eq!(code_of(accepted), code, "{fate}");
        let carol = people.stored(CAROL).await.id;
        assert_eq!(people.role(&carol).await.is_some(), code.is_ok(), "{fate}");
    }
}

#[tokio::test]
async fn an_invitation_ends_after_a_week_when_withdrawn_and_by_the_next_one() {
    let people = People::of_acme().await;
    people.account(CAROL, Some(HERS), true).await;
    let alice = people.world.alice.clone();
    let expired = people.invited("operator").await;
    people.world.clock.advance(WEEK);
    assert_eq!(code_of(people.accepts(&expired, None).await), INVALID);

    let withdrawn = people.invites(&alice, CAROL, "operator").await.unwrap();
    let token = people.token();
    let by = people.caller(&alice).await.unwrap();
    for code in [Ok(()), Err(ErrorCode::NotFound)] {
        let taken = people
            .accounts
            .withdraw_invite(&by, &withdrawn.id, HERE)
            .await;
        assert_eq!(code_of(taken), code);
    }
    assert_eq!(code_of(people.accepts(&token, None).await), INVALID);

    let earlier = people.invited("operator").await;
    let later = people.invited("creator").await;
    assert_eq!(code_of(people.accepts(&earlier, None).await), INVALID);
    for wrong in ["", "x", &"A".repeat(43)] {
        let refused = people.accepts(wrong, None).await.unwrap_err();
        assert_eq!(refused.cause(), Some(Cause::MailedTokenInvalid));
    }
    let joined = people.accepts(&later, None).await.unwrap();
    assert_eq!(joined.role.as_deref(), Some("creator"));
}

#[tokio::test]
async fn a_member_keeps_their_role() {
    let people = People::of_acme().await;
    let carol = people.account(CAROL, Some(HERS), true).await;
    people.joins(&carol, "owner").await;
    let token = people.invited("creator").await;
    let joined = people.accepts(&token, None).await.unwrap();
    assert_eq!(
        (joined.role, people.role(&carol).await.as_deref()),
        (None, Some("owner"))
    );
}

#[tokio::test]
async fn the_gate_hears_of_a_new_member() {
    let people = People::of_acme().await;
    let carol = people.account(CAROL, Some(HERS), true).await;
    let stranger = people.caller(&carol).await.unwrap_err();
    assert_eq!(stranger.code(), ErrorCode::NotFound);
    let token = people.invited("operator").await;
    people.accepts(&token, None).await.unwrap();
    let member = people.caller(&carol).await.unwrap();
    assert_eq!(member.role().map(|role| role.as_str()), Some("operator"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_who_accept_at_once_one_succeeds() {
    for has_account in [true, false] {
        let people = People::of_acme().await;
        if has_account {
            people.account(CAROL, Some(HERS), true).await;
        }
        let token = people.invited("operator").await;
        let accept = || {
            let (accounts, token) = (people.accounts.clone(), token.clone());
            let roles = people.roles().clone();
            tokio::spawn(async move {
                let password = Some(accepted(HERS));
                accounts
                    .accept_invite(&token, &roles, "", password, HERE)
                    .await
            })
        };
        let done = join_all((0..20).map(|_| accept())).await;
        let codes: Vec<_> = done.into_iter().map(|one| code_of(one.unwrap())).collect();
        assert_eq!(codes.iter().filter(|code| code.is_ok()).count(), 1);
        assert_eq!(codes.iter().filter(|code| **code == INVALID).count(), 19);
        let carol = people.stored(CAROL).await.id;
        assert_eq!(people.role(&carol).await.as_deref(), Some("operator"));
    }
}

#[tokio::test]
async fn nobody_writes_to_strangers_without_end() {
    let people = People::of_acme().await;
    let (alice, bob) = (people.world.alice.clone(), people.world.bob.clone());
    let mut sent = 0;
    let refusal = loop {
        let stranger = format!("stranger{sent}@example.com");
        match people.invites(&alice, &stranger, "creator").await {
            Ok(_) => sent += 1,
            Err(refusal) => break refusal,
        }
        assert!(sent <= 100, "so many an hour");
    };
    assert_eq!(refusal.code(), ErrorCode::RateLimited);
    assert!(refusal.retry_after().is_some());
    assert_eq!((sent, people.mails.take().len()), (100, 100));
    // Nobody else is kept from it, and nobody for long.
    assert!(people.invites(&bob, CAROL, "creator").await.is_ok());
    people.world.clock.advance(36);
    assert!(people.invites(&alice, CAROL, "creator").await.is_ok());
}

#[tokio::test]
async fn an_address_is_not_flooded_with_invitations() {
    let people = People::of_acme().await;
    let alice = people.world.alice.clone();
    for trial in 0..4 {
        let invited = people.invites(&alice, CAROL, "operator").await;
        if trial < 3 {
            assert!(invited.is_ok());
        } else {
            let limited = invited.unwrap_err();
            assert_eq!(limited.code(), ErrorCode::RateLimited);
            assert!(limited.retry_after().is_some());
        }
    }
    assert_eq!(people.mails.take().len(), 3);
}
