//! Which connectors each org has, in memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use gatewright_core::principal::Tenant;

use super::{Connector, ConnectorKind};
use crate::orgs::OrgListener;
use crate::product::{self, SsoConfig};

/// The connectors of all orgs, by the org's slug. The lock is held for moments, and never while something is waited for.
#[derive(Debug, Default)]
pub(crate) struct OrgConnectors(RwLock<HashMap<Box<str>, Arc<[Connector]>>>);

impl OrgConnectors {
    /// Those of this org, oldest first.
    pub(crate) fn of(&self, org: &Tenant) -> Arc<[Connector]> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(org.slug()).map_or_else(Arc::default, Arc::clone)
    }
}

impl OrgListener for OrgConnectors {
    fn sso_changed(&self, _: &Tenant, _: Option<&SsoConfig>) {}

    fn connectors_changed(&self, org: &Tenant, connectors: &[product::Connector]) {
        let known = connectors.iter().filter_map(|connector| {
            let kind = ConnectorKind::named(&connector.kind);
            if kind.is_none() {
                // Another version of the server knew it.
                tracing::error!(id = connector.id, "a connector is of no known kind");
            }
            Some(Connector {
                id: connector.id.as_str().into(),
                kind: kind?,
            })
        });
        let known: Arc<[Connector]> = known.collect();
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            all.remove(org.slug());
        } else {
            all.insert(org.slug().into(), known);
        }
    }
}
