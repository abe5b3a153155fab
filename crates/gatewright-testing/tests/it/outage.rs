//! A store behind an outage: while it is in reach it is the store, and while it is not, nothing of it is.

use std::sync::Arc;

use gatewright_core::hash::Phc;
use gatewright_core::principal::{SessionId, Tenant, TenantId, UserId};
use gatewright_core::session::RefreshToken;
use gatewright_core::store::{
    Account, AccountStore, Invite, InviteStore, KeyStore, LinkedLogin, LinkedLoginStore,
    MailedPurpose, MailedToken, MailedTokenStore, MemoryStore, PageRequest, PasswordChange,
    RefreshRotation, SessionFilter, SessionRecord, SessionStore, StoreError,
};
use gatewright_testing::Outage;

use crate::{NOW, WORKSPACE};

mod in_reach {
    use super::*;

    gatewright_testing::store_suite!(Outage::new(Arc::new(MemoryStore::new())));
}

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA\
                    $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn out_of_reach_nothing_about_people_is_answered() {
    let store = Outage::new(Arc::new(MemoryStore::new()));
    store.put_out_of_reach(true);

    let user = &UserId::new("usr_1").unwrap();
    let tenant = &TenantId::new("ten_1").unwrap();
    let session = &SessionId::new("ses_1").unwrap();
    let token = RefreshToken::generate().unwrap().digest();
    let hash: Phc = HASH.parse().unwrap();
    let page = &PageRequest::first();
    let reset = MailedPurpose::ResetPassword;

    let account = Account::new(user.clone(), "alice@example.com", NOW);
    let record = SessionRecord::new(session.clone(), user.clone(), "web", NOW, NOW + 60);
    let rotation = RefreshRotation::new(session, token, token, NOW);
    let mailed = MailedToken::new(token, reset, user.clone(), NOW + 60);
    let acme = Tenant::new(tenant.clone(), WORKSPACE, "acme", "free");
    let invite = Invite::new(
        "inv_1",
        acme,
        "b@example.com",
        "viewer",
        user.clone(),
        NOW,
        NOW + 60,
    );
    let link = LinkedLogin::new(
        "lnk_1",
        user.clone(),
        "https://id",
        "sub",
        "a@example.com",
        NOW,
    );

    let refusals = [
        (
            "account_by_email",
            store.account_by_email("alice@example.com").await.err(),
        ),
        ("account", store.account(user).await.err()),
        ("insert_account", store.insert_account(account).await.err()),
        (
            "verify_account",
            store.verify_account(user, None).await.err(),
        ),
        ("set_name", store.set_name(user, "Alice").await.err()),
        (
            "set_password",
            store
                .set_password(PasswordChange::new(user, hash.clone(), NOW))
                .await
                .err(),
        ),
        (
            "swap_password",
            store.swap_password(user, &hash, hash.clone()).await.err(),
        ),
        (
            "open_session",
            store.open_session(record, Some(token), None).await.err(),
        ),
        ("session", store.session(session).await.err()),
        ("find_refresh", store.find_refresh(&token).await.err()),
        ("rotate_refresh", store.rotate_refresh(rotation).await.err()),
        (
            "live_sessions",
            store.live_sessions(user, NOW, page).await.err(),
        ),
        (
            "end_sessions",
            store
                .end_sessions(user, SessionFilter::All, NOW)
                .await
                .err(),
        ),
        ("forget_sessions", store.forget_sessions(NOW, 0).await.err()),
        (
            "put_mailed_token",
            store.put_mailed_token(mailed).await.err(),
        ),
        (
            "spend_mailed_token",
            store.spend_mailed_token(&token, reset, NOW).await.err(),
        ),
        (
            "strip_mailed_passwords",
            store.strip_mailed_passwords(user, reset).await.err(),
        ),
        (
            "void_mailed_tokens",
            store.void_mailed_tokens(user, reset).await.err(),
        ),
        (
            "forget_mailed_tokens",
            store.forget_mailed_tokens(NOW).await.err(),
        ),
        (
            "insert_invite",
            store.insert_invite(invite, token).await.err(),
        ),
        ("invites", store.invites(tenant, page).await.err()),
        (
            "invite_by_token",
            store.invite_by_token(&token, NOW).await.err(),
        ),
        (
            "withdraw_invite",
            store.withdraw_invite(tenant, "inv_1").await.err(),
        ),
        (
            "accept_invite",
            store.accept_invite(&token, user, NOW).await.err(),
        ),
        ("forget_invites", store.forget_invites(NOW).await.err()),
        (
            "linked_login",
            store.linked_login("https://id", "sub").await.err(),
        ),
        ("link_login", store.link_login(link).await.err()),
        ("linked_logins", store.linked_logins(user, page).await.err()),
        (
            "unlink_login",
            store.unlink_login(user, "lnk_1").await.err(),
        ),
        ("signing_keys", store.signing_keys().await.err()),
        ("tag_keys", store.tag_keys().await.err()),
    ];
    for (method, refusal) in refusals {
        assert!(
            matches!(refusal, Some(StoreError::Unavailable(_))),
            "{method}: {refusal:?}"
        );
    }

    // Nothing of it happened meanwhile.
    store.put_out_of_reach(false);
    assert!(store.account(user).await.unwrap().is_none());
    assert!(
        store
            .linked_login("https://id", "sub")
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .spend_mailed_token(&token, reset, NOW)
            .await
            .unwrap()
            .is_none()
    );
}
