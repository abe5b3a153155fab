//! How SQLite means to run the queries: each look-up and each list by an index, and no list sorted.

use sqlx::{AssertSqlSafe, Row};

use crate::{
    SqlStore, SqliteOptions, account, credential, feed, people, revocation, session, tenant,
};

#[tokio::test]
async fn every_query_goes_by_an_index_and_no_list_is_sorted() {
    let store = SqlStore::open_with(&SqliteOptions::in_memory())
        .await
        .unwrap();
    for sql in [
        credential::FIND,
        credential::LIST,
        credential::LIST_KIND,
        credential::LIST_OWNER,
        credential::LIST_OWNER_AND_KIND,
        credential::STATE,
        credential::REVOKE,
        credential::ROTATE,
        credential::SWAP,
        credential::SWAP_PREVIOUS,
        credential::TOUCH,
        account::BY_EMAIL,
        account::BY_ID,
        account::NAME_MEMBER,
        account::SET_PASSWORD,
        account::SWAP_PASSWORD,
        account::VERIFY,
        account::SET_NAME,
        tenant::BY_ID,
        tenant::BY_SLUG,
        tenant::MEMBERSHIPS,
        tenant::MEMBERS,
        tenant::ROLE,
        tenant::OTHERS_WITH_ROLE,
        tenant::REMOVE_MEMBER,
        tenant::SET_PLAN,
        revocation::STANDING,
        revocation::USER_EPOCH,
        revocation::FORGET_SESSIONS,
        revocation::FORGET_TOKENS,
        people::SPEND_MAILED,
        people::STRIP_MAILED,
        people::VOID_MAILED,
        people::FORGET_MAILED,
        people::INVITES,
        people::INVITE,
        people::REPLACE_INVITE,
        people::WITHDRAW_INVITE,
        people::SPEND_INVITE,
        people::JOIN_TENANT,
        people::FORGET_INVITES,
        people::LINK,
        people::LINKS,
        people::UNLINK,
        people::OWN_LINK,
        session::BY_ID,
        session::BY_TOKEN,
        session::LIVE,
        session::CARRY_ON,
        session::SPEND_PARENT,
        session::REPLACE,
        session::END_ALL,
        session::END_ONE,
        session::END_OTHERS,
        session::END_IN_TENANT,
        session::END_MEMBER,
        session::END_GRACE,
        session::DROP_TOKENS_ENDED,
        session::DROP_TOKENS_IDLE,
        session::DROP_ENDED,
        session::DROP_IDLE,
        feed::LATEST,
        feed::AFTER,
        feed::ACKNOWLEDGE,
    ] {
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
            .fetch_all(store.pool())
            .await
            .unwrap();
        assert!(!plan.is_empty(), "{sql}");
        for step in &plan {
            let step: &str = step.get("detail");
            // A subquery without tables is a `SCAN CONSTANT ROW`.
            let scans = step.starts_with("SCAN") && step != "SCAN CONSTANT ROW";
            assert!(!scans && !step.contains("TEMP B-TREE"), "{step}\n{sql}");
        }
    }
}

/// A list by more than the tenant reads no row that it leaves out.
#[tokio::test]
async fn a_filtered_list_has_an_index_of_its_own() {
    let store = SqlStore::open_with(&SqliteOptions::in_memory())
        .await
        .unwrap();
    for (sql, index) in [
        (credential::LIST, "credentials_of_tenant"),
        (credential::LIST_KIND, "credentials_of_kind"),
        (credential::LIST_OWNER, "credentials_of_owner"),
        (
            credential::LIST_OWNER_AND_KIND,
            "credentials_of_owner_and_kind",
        ),
        (tenant::MEMBERSHIPS, "memberships_by_slug"),
        (tenant::MEMBERS, "memberships_by_email"),
        (people::STRIP_MAILED, "mailed_tokens_of_user"),
        (people::VOID_MAILED, "mailed_tokens_of_user"),
        (people::FORGET_MAILED, "mailed_tokens_by_time"),
        (people::INVITES, "invites_of_tenant"),
        (people::FORGET_INVITES, "invites_by_time"),
        (people::LINKS, "linked_logins_of_user"),
        (session::LIVE, "sessions_open"),
        (session::END_ALL, "sessions_open"),
        (session::END_GRACE, "refresh_tokens_by_grace"),
        (session::DROP_ENDED, "sessions_by_end"),
        (session::DROP_IDLE, "sessions_by_idle"),
    ] {
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
            .fetch_all(store.pool())
            .await
            .unwrap();
        let named = format!(" INDEX {index} ");
        assert!(
            plan.iter()
                .any(|step| step.get::<&str, _>("detail").contains(&named)),
            "{sql}"
        );
    }
}

/// What a request waits for reads one row of a table at most, however many there are: every table is searched by all
/// columns of a unique key.
#[tokio::test]
async fn a_request_reads_by_whole_keys() {
    const CREDENTIAL: &str = "(kind=? AND id=?)";
    const MEMBERSHIP: &str = "(tenant=? AND user_id=?)";
    const ID: &str = "(id=?)";
    let store = SqlStore::open_with(&SqliteOptions::in_memory())
        .await
        .unwrap();
    for (sql, keys) in [
        (credential::FIND, &[("c", CREDENTIAL), ("t", ID)][..]),
        (
            revocation::STANDING,
            &[
                ("epochs", CREDENTIAL),
                ("ended_sessions", ID),
                ("denied_tokens", "(jti=?)"),
            ],
        ),
        (tenant::BY_ID, &[("t", ID), ("m", MEMBERSHIP), ("a", ID)]),
        (
            tenant::BY_SLUG,
            &[("t", "(kind=? AND slug=?)"), ("m", MEMBERSHIP), ("a", ID)],
        ),
        (revocation::USER_EPOCH, &[("epochs", CREDENTIAL)]),
        (account::BY_EMAIL, &[("accounts", "(email=?)")]),
        (people::SPEND_MAILED, &[("mailed_tokens", "(digest=?)")]),
        (people::INVITE, &[("i", "(digest=?)"), ("t", ID)]),
        (people::SPEND_INVITE, &[("invites", "(digest=?)")]),
        (
            people::REPLACE_INVITE,
            &[("invites", "(tenant=? AND email=?)")],
        ),
        (people::WITHDRAW_INVITE, &[("invites", ID)]),
        (
            people::LINK,
            &[("linked_logins", "(issuer=? AND subject=?)")],
        ),
        (session::BY_ID, &[("s", ID)]),
        (
            session::BY_TOKEN,
            &[("t", "(digest=?)"), ("s", "(rowid=?)")],
        ),
        (session::CARRY_ON, &[("sessions", ID)]),
        (
            session::SPEND_PARENT,
            &[("refresh_tokens", "(session=? AND place=?)")],
        ),
        (
            session::REPLACE,
            &[("refresh_tokens", "(session=? AND place=?)")],
        ),
        (session::END_ONE, &[("sessions", ID)]),
    ] {
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
            .fetch_all(store.pool())
            .await
            .unwrap();
        let steps: Vec<&str> = plan.iter().map(|step| step.get("detail")).collect();
        let searches = steps.iter().filter(|step| step.starts_with("SEARCH"));
        assert_eq!(searches.count(), keys.len(), "{steps:?}\n{sql}");
        for (table, key) in keys {
            let by_key = |step: &&str| {
                step.strip_prefix("SEARCH ")
                    .and_then(|step| step.strip_prefix(table))
                    .is_some_and(|step| step.starts_with(" USING ") && step.contains(key))
            };
            let unique =
                |step: &&str| step.contains(" PRIMARY KEY ") || step.contains(" sqlite_autoindex_");
            assert!(
                steps.iter().any(|step| by_key(step) && unique(step)),
                "{table} by {key}: {steps:?}\n{sql}"
            );
        }
    }
}
