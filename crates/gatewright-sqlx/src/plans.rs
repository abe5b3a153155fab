//! How SQLite means to run the queries: each look-up and each list by an index, and no list sorted.

use sqlx::{AssertSqlSafe, Row};

use crate::{SqlStore, SqliteOptions, account, credential, feed, revocation, tenant};

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
        tenant::BY_ID,
        tenant::BY_SLUG,
        tenant::MEMBERSHIPS,
        tenant::MEMBERS,
        tenant::ROLE,
        tenant::OTHERS_WITH_ROLE,
        tenant::REMOVE_MEMBER,
        tenant::SET_PLAN,
        revocation::STANDING,
        revocation::FORGET_SESSIONS,
        revocation::FORGET_TOKENS,
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
