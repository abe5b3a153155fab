//! What orgs have configured, told to those who hold it in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gatewright_core::principal::Tenant;
use gatewright_core::store::{ChangeKey, StoreError};
use gatewright_sqlx::{DEAD_AFTER, SqliteStore};
use tokio::sync::Mutex;

use crate::product::{Connector, Product, SsoConfig};

/// Holds in memory what orgs have configured, so that no request has to read it.
pub(crate) trait OrgListener: Send + Sync + fmt::Debug {
    /// The org trusts this identity provider now; none if `None`. Told before the change is answered.
    fn sso_changed(&self, org: &Tenant, sso: Option<&SsoConfig>);

    /// These are the org's connectors now, oldest first.
    fn connectors_changed(&self, org: &Tenant, connectors: &[Connector]);
}

/// Tells listeners what orgs have configured: all of it at first, and afterwards what has changed.
#[derive(Debug)]
pub(crate) struct Orgs {
    product: Product,
    listeners: Box<[Arc<dyn OrgListener>]>,
    /// Held while it is read and told, so that of two changes the later one is told last.
    told: Mutex<Told>,
}

/// Something of each org, by its slug, which is never another one's.
type ByOrg<T> = BTreeMap<String, (Tenant, T)>;

/// What the listeners know.
#[derive(Debug, Default)]
struct Told {
    version: Option<u64>,
    sso: ByOrg<SsoConfig>,
    connectors: ByOrg<Vec<Connector>>,
}

impl Orgs {
    /// Knows nothing until the first [`refresh`](Self::refresh).
    pub(crate) fn new(
        product: Product,
        listeners: impl IntoIterator<Item = Arc<dyn OrgListener>>,
    ) -> Self {
        Self {
            product,
            listeners: listeners.into_iter().collect(),
            told: Mutex::default(),
        }
    }

    /// Reads what has changed since the last time, by whichever process, and tells the listeners. Where nothing has, that
    /// is one small query.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer; what the listeners know then stays as it is.
    pub(crate) async fn refresh(&self) -> Result<(), StoreError> {
        let mut told = self.told.lock().await;
        // Before the rows: what is changed in between is read once more the next time.
        let version = self.product.versions().await?.orgs;
        if told.version == Some(version) {
            return Ok(());
        }
        let sso = self.product.all_sso().await?.into_iter();
        let sso = sso.map(|(org, config)| (org.slug().to_owned(), (org, config)));
        let sso: ByOrg<SsoConfig> = sso.collect();
        let mut connectors: ByOrg<Vec<Connector>> = BTreeMap::new();
        for (org, connector) in self.product.all_connectors().await? {
            let slug = org.slug().to_owned();
            let (_, of_org) = connectors.entry(slug).or_insert((org, Vec::new()));
            of_org.push(connector);
        }
        for listener in &self.listeners {
            for (org, now) in changed(&told.sso, &sso) {
                listener.sso_changed(org, now);
            }
            for (org, now) in changed(&told.connectors, &connectors) {
                listener.connectors_changed(org, now.map_or(&[], Vec::as_slice));
            }
        }
        *told = Told {
            version: Some(version),
            sso,
            connectors,
        };
        Ok(())
    }
}

/// The orgs that lost what they had, and those that have something new.
fn changed<'a, T: PartialEq>(
    before: &'a ByOrg<T>,
    now: &'a ByOrg<T>,
) -> impl Iterator<Item = (&'a Tenant, Option<&'a T>)> {
    let gone = before.iter().filter(|(slug, _)| !now.contains_key(*slug));
    let new = now
        .iter()
        .filter(|(slug, value)| before.get(*slug) != Some(*value));
    gone.map(|(_, (org, _))| (org, None))
        .chain(new.map(|(_, (org, value))| (org, Some(value))))
}

/// Returns once every running server has read anew what was committed before, in tables of which the change feed knows
/// nothing.
///
/// A server reads such tables before each poll of the feed, and acknowledges what the poll finds. The first of two changes
/// may be found by a poll whose reading was too early; the second one is announced after that poll.
///
/// # Errors
/// [`StoreError`] where the database does not answer.
pub(crate) async fn heard(store: &SqliteStore, change: &ChangeKey) -> Result<(), StoreError> {
    for _ in 0..2 {
        store.announce(change).await?;
        store.acknowledged(DEAD_AFTER).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Lock;

    use gatewright_core::principal::{TenantId, UserId};
    use gatewright_core::store::{Account, AccountStore, MembershipStore};
    use gatewright_sqlx::SqliteOptions;

    use super::*;
    use crate::realms::ORG;

    #[derive(Debug, Default)]
    struct Heard(Lock<Vec<String>>);

    impl Heard {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    impl OrgListener for Heard {
        fn sso_changed(&self, org: &Tenant, sso: Option<&SsoConfig>) {
            let org = org.slug();
            let issuer = sso.map_or("none", |sso| &sso.issuer);
            self.0.lock().unwrap().push(format!("{org} {issuer}"));
        }

        fn connectors_changed(&self, org: &Tenant, connectors: &[Connector]) {
            let org = org.slug();
            let ids: Vec<_> = connectors.iter().map(|one| &*one.id).collect();
            self.0
                .lock()
                .unwrap()
                .push(format!("{org} {}", ids.join("+")));
        }
    }

    fn sso(issuer: &str) -> SsoConfig {
        SsoConfig {
            issuer: issuer.to_owned(),
            jwks_uri: None,
            audience: "apexmcp".to_owned(),
            algorithms: vec!["RS256".to_owned()],
            typ: None,
            allowed_clients: Vec::new(),
            max_age_secs: None,
            required_claims: BTreeMap::new(),
            required_groups: Vec::new(),
            groups_claim: "groups".to_owned(),
            scope_claims: vec!["scope".to_owned()],
            default_scope: "mcp:call".to_owned(),
        }
    }

    fn connector(id: &str) -> Connector {
        Connector {
            id: id.to_owned(),
            name: id.to_owned(),
            kind: Connector::BUILT_IN.to_owned(),
            created_at: 1,
        }
    }

    #[tokio::test]
    async fn listeners_hear_all_at_first_and_then_what_changed() {
        let store = SqliteStore::open_with(&SqliteOptions::in_memory())
            .await
            .unwrap();
        let user = UserId::new("usr_1").unwrap();
        store
            .insert_account(Account::new(user.clone(), "a@b.test", 1))
            .await
            .unwrap();
        let org = async |slug: &str| {
            let id = TenantId::new(format!("ten_{slug}")).unwrap();
            let tenant = Tenant::new(id.clone(), ORG.clone(), slug, "free");
            let _ = store.create_tenant(tenant, &user, "admin").await.unwrap();
            id
        };
        let (a, b) = (org("aaa").await, org("bbb").await);
        let product = Product::open(store.pool().clone()).await.unwrap();
        product.put_sso(&a, &sso("https://a"), 1).await.unwrap();
        for id in ["conn_1", "conn_2"] {
            assert!(product.insert_connector(&a, &connector(id)).await.unwrap());
        }
        let heard = Arc::<Heard>::default();
        let orgs = Orgs::new(product.clone(), [heard.clone() as Arc<dyn OrgListener>]);
        orgs.refresh().await.unwrap();
        assert_eq!(heard.take(), ["aaa https://a", "aaa conn_1+conn_2"]);
        orgs.refresh().await.unwrap();
        assert!(heard.take().is_empty());

        product.put_sso(&b, &sso("https://b"), 2).await.unwrap();
        assert!(product.delete_connector(&a, "conn_1", 3).await.unwrap());
        orgs.refresh().await.unwrap();
        assert_eq!(heard.take(), ["bbb https://b", "aaa conn_2"]);
        product.delete_sso(&a).await.unwrap().unwrap();
        product.put_sso(&b, &sso("https://c"), 4).await.unwrap();
        assert!(product.delete_connector(&a, "conn_2", 5).await.unwrap());
        orgs.refresh().await.unwrap();
        assert_eq!(heard.take(), ["aaa none", "bbb https://c", "aaa "]);

        // What one org wrote in another version's way is nothing to this one, and nothing to other orgs.
        sqlx::query("UPDATE sso SET config = '{}'")
            .execute(store.pool())
            .await
            .unwrap();
        product.put_sso(&a, &sso("https://a"), 6).await.unwrap();
        orgs.refresh().await.unwrap();
        assert_eq!(heard.take(), ["bbb none", "aaa https://a"]);

        // An id is never used twice, not even by another org.
        for tenant in [&a, &b] {
            let again = product.insert_connector(tenant, &connector("conn_1")).await;
            assert!(!again.unwrap());
        }
    }
}
