//! The in-memory store keeps every promise that a store gives.

use futures_util::FutureExt;
use gatewright_core::credential::SecretKind;
use gatewright_core::hash::SecretHash;
use gatewright_core::principal::{CredentialId, Tenant, TenantId, TenantKind, UserId};
use gatewright_core::store::{
    Changes, CredentialFilter, CredentialStore, Cursor, MembershipStore, MemoryStore,
    NewCredential, PageRequest, StoreError, StoredSecret,
};

gatewright_testing::store_suite!(MemoryStore::new());

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA\
                    $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn key(tenant: &TenantId) -> NewCredential {
    NewCredential::new(
        SecretKind::ApiKey,
        CredentialId::new("key").unwrap(),
        tenant.clone(),
        UserId::new("usr_1").unwrap(),
        StoredSecret::new(HASH.parse::<SecretHash>().unwrap(), None),
        0,
    )
}

#[test]
fn a_cursor_that_no_page_ended_with_leads_nowhere() {
    let (store, changes) = (MemoryStore::new(), Changes::new());
    let (id, user) = (
        TenantId::new("ten_1").unwrap(),
        UserId::new("usr_1").unwrap(),
    );
    let tenant = Tenant::new(
        id.clone(),
        TenantKind::from_static("workspace"),
        "acme",
        "free",
    );
    let created = store
        .create_tenant(tenant, &user, "owner")
        .now_or_never()
        .unwrap();
    changes.publish(created.unwrap());
    changes.publish(store.insert(key(&id)).now_or_never().unwrap().unwrap());

    let filter = CredentialFilter::default();
    let rows = |cursor: &str| {
        let page = PageRequest::new(Some(Cursor::new(cursor)), 10).unwrap();
        let page = store
            .list(&id, &filter, &page)
            .now_or_never()
            .unwrap()
            .unwrap();
        assert_eq!(page.next, None);
        page.items.len()
    };
    assert_eq!(rows("0"), 1);
    for nonsense in [
        "",
        "-1",
        "1e3",
        "key",
        "18446744073709551615",
        "18446744073709551616",
        "\0",
    ] {
        assert_eq!(rows(nonsense), 0, "{nonsense:?}");
    }
}

#[test]
fn a_row_of_no_tenant_is_an_error_and_not_kept() {
    let (store, nowhere) = (MemoryStore::new(), TenantId::new("ten_none").unwrap());
    let user = UserId::new("usr_1").unwrap();
    let inserted = store.insert(key(&nowhere)).now_or_never().unwrap();
    assert!(matches!(inserted, Err(StoreError::Unavailable(_))));
    let put = store
        .put_member(&nowhere, &user, "owner")
        .now_or_never()
        .unwrap();
    assert!(matches!(put, Err(StoreError::Unavailable(_))));
    assert!(
        store
            .find(SecretKind::ApiKey, "key")
            .now_or_never()
            .unwrap()
            .unwrap()
            .is_none()
    );
}
