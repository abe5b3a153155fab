//! What a tenant pays for: features and a rate.

use std::collections::{BTreeMap, BTreeSet};

use crate::limit::Rate;

/// The plans of a service, as data.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    plans: BTreeMap<Box<str>, Terms>,
}

#[derive(Clone, Debug)]
struct Terms {
    features: BTreeSet<Box<str>>,
    rate: Option<Rate>,
}

impl Plans {
    /// No plans: no feature is ever had, no rate is ever set.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Starts a list of plans.
    #[must_use]
    pub fn builder() -> PlansBuilder {
        PlansBuilder(Self::default())
    }

    /// Whether `plan` has `feature`. A plan that is not known has none.
    #[must_use]
    pub fn has(&self, plan: &str, feature: &str) -> bool {
        self.plans
            .get(plan)
            .is_some_and(|terms| terms.features.contains(feature))
    }

    /// The rate that tenants on `plan` share over all their credentials. A tenant on a plan that is not known is held to
    /// the lowest rate of all.
    #[must_use]
    pub fn rate(&self, plan: &str) -> Option<&Rate> {
        match self.plans.get(plan) {
            Some(terms) => terms.rate.as_ref(),
            None => self
                .plans
                .values()
                .filter_map(|terms| terms.rate.as_ref())
                .min_by_key(|rate| rate.limit()),
        }
    }

    /// Whether there is such a plan.
    #[must_use]
    pub fn knows(&self, plan: &str) -> bool {
        self.plans.contains_key(plan)
    }

    pub(super) fn any_has(&self, feature: &str) -> bool {
        self.plans
            .values()
            .any(|terms| terms.features.contains(feature))
    }
}

/// Collects [`Plans`].
#[derive(Clone, Debug)]
pub struct PlansBuilder(Plans);

impl PlansBuilder {
    /// Adds a plan with its features and its rate; the same name again replaces it.
    #[must_use]
    pub fn plan<'a>(
        mut self,
        name: &str,
        features: impl IntoIterator<Item = &'a str>,
        rate: Option<Rate>,
    ) -> Self {
        let features = features.into_iter().map(Into::into).collect();
        self.0.plans.insert(name.into(), Terms { features, rate });
        self
    }

    /// The plans.
    #[must_use]
    pub fn build(self) -> Plans {
        self.0
    }
}
