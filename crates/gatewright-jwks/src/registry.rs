//! The providers of each tenant.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gatewright_core::federation::{Federation, TenantProviders};

/// Which providers each tenant has configured, by the tenant's slug. Reads take no lock; a change copies the table of
/// pointers, and the request that starts after it sees it.
///
/// ```
/// use gatewright_core::federation::Federation;
/// use gatewright_jwks::TenantRegistry;
///
/// let registry = TenantRegistry::new();
/// assert!(registry.providers("acme").is_none(), "nothing of a tenant that has configured nothing is accepted");
/// ```
#[derive(Debug, Default)]
pub struct TenantRegistry {
    tenants: Slugs<TenantProviders>,
}

impl TenantRegistry {
    /// No tenant has configured anything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a tenant's providers in place of those it had.
    pub fn put(&self, slug: &str, providers: Arc<TenantProviders>) {
        self.tenants.put(slug, providers);
    }

    /// Takes a tenant's providers away. Whether it had any.
    pub fn remove(&self, slug: &str) -> bool {
        self.tenants.remove(slug)
    }
}

/// All tenants at once, as when a service starts.
impl<S: Into<Box<str>>> FromIterator<(S, Arc<TenantProviders>)> for TenantRegistry {
    fn from_iter<I: IntoIterator<Item = (S, Arc<TenantProviders>)>>(tenants: I) -> Self {
        let slugs = tenants
            .into_iter()
            .map(|(slug, providers)| (slug.into(), providers));
        Self {
            tenants: Slugs {
                table: ArcSwap::from_pointee(slugs.collect()),
            },
        }
    }
}

impl Federation for TenantRegistry {
    fn providers(&self, tenant: &str) -> Option<Arc<TenantProviders>> {
        self.tenants.get(tenant)
    }

    fn look(&self, tenant: &str, look: &mut dyn FnMut(&TenantProviders)) {
        if let Some(providers) = self.tenants.table.load().get(tenant) {
            look(providers);
        }
    }
}

struct Slugs<T> {
    table: ArcSwap<Table<T>>,
}

type Table<T> = HashMap<Box<str>, Arc<T>>;

impl<T> Slugs<T> {
    fn get(&self, slug: &str) -> Option<Arc<T>> {
        self.table.load().get(slug).map(Arc::clone)
    }

    fn put(&self, slug: &str, value: Arc<T>) {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            table.insert(slug.into(), Arc::clone(&value));
            table
        });
    }

    fn remove(&self, slug: &str) -> bool {
        if !self.table.load().contains_key(slug) {
            return false;
        }
        let before = self.table.rcu(|table| {
            let mut table = Table::clone(table);
            table.remove(slug);
            table
        });
        before.contains_key(slug)
    }
}

impl<T> Default for Slugs<T> {
    fn default() -> Self {
        Self {
            table: ArcSwap::from_pointee(Table::new()),
        }
    }
}

impl<T> fmt::Debug for Slugs<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slugs")
            .field("tenants", &self.table.load().len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_tenant_has_what_was_put_last() {
        let slugs = Slugs::default();
        assert_eq!(slugs.get("acme"), None);
        slugs.put("acme", Arc::new(1));
        slugs.put("umbrella", Arc::new(2));
        slugs.put("acme", Arc::new(3));
        assert_eq!(slugs.get("acme").as_deref(), Some(&3));
        assert_eq!(slugs.get("ACME"), None);
        assert_eq!(slugs.get("acm"), None);
        assert!(slugs.remove("acme"));
        assert!(!slugs.remove("acme"));
        assert_eq!(slugs.get("acme"), None);
        assert_eq!(slugs.get("umbrella").as_deref(), Some(&2));
    }

    #[test]
    fn no_change_is_lost_among_others() {
        let slugs = Slugs::default();
        thread::scope(|scope| {
            for thread in 0..4 {
                let slugs = &slugs;
                scope.spawn(move || {
                    for n in 0..50 {
                        slugs.put(&format!("{thread}-{n}"), Arc::new(n));
                        assert!(n % 2 == 0 || slugs.remove(&format!("{thread}-{n}")));
                    }
                });
            }
        });
        for (thread, n) in (0..4).flat_map(|t| (0..50).map(move |n| (t, n))) {
            let expected = (n % 2 == 0).then(|| Arc::new(n));
            assert_eq!(slugs.get(&format!("{thread}-{n}")), expected);
        }
    }
}
