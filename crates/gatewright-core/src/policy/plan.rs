//! What a tenant pays for: features, a rate and a quota.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::limit::{Quota, Rate};

/// The plans of a service, as data. A plan may have a rate, a monthly quota, both or neither.
///
/// ```
/// use gatewright_core::limit::{Quota, Rate};
/// use gatewright_core::policy::Plans;
///
/// # fn main() -> Result<(), gatewright_core::limit::RateError> {
/// let plans = Plans::builder()
///     .plan("free", [], Some(Rate::per_minute(60)?))
///     .quota("free", Quota::per_month(10_000)?)
///     .plan("pro", ["webhooks"], Some(Rate::per_minute(300)?))
///     .build();
/// assert_eq!(plans.quota("free").map(Quota::limit), Some(10_000));
/// assert!(plans.quota("pro").is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Plans {
    plans: BTreeMap<Box<str>, Terms>,
    /// What a tenant on no known plan is held to.
    least: Terms,
}

#[derive(Clone, Debug, Default)]
struct Terms {
    features: BTreeSet<Box<str>>,
    rate: Option<Rate>,
    quota: Option<Quota>,
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
        self.of(plan).rate.as_ref()
    }

    /// The calls that tenants on `plan` share in a month. A tenant on a plan that is not known is held to the lowest quota of
    /// all.
    #[must_use]
    pub fn quota(&self, plan: &str) -> Option<&Quota> {
        self.of(plan).quota.as_ref()
    }

    /// Both.
    pub(crate) fn terms(&self, plan: &str) -> (Option<Rate>, Option<Quota>) {
        let terms = self.of(plan);
        (terms.rate, terms.quota)
    }

    pub(crate) fn any_quota(&self) -> bool {
        self.plans.values().any(|terms| terms.quota.is_some())
    }

    fn of(&self, plan: &str) -> &Terms {
        self.plans.get(plan).unwrap_or(&self.least)
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
    /// Adds a plan with its features and its rate; the same name again replaces both.
    ///
    /// Give all plans rates of one window: what a tenant used on its last plan is still owed on the next one, in
    /// [time](Rate), and who used up a day waits for a day to pass. A [`quota`](Self::quota) is a number of calls, and a
    /// higher one gives the rest at once.
    #[must_use]
    pub fn plan<'a>(
        mut self,
        name: &str,
        features: impl IntoIterator<Item = &'a str>,
        rate: Option<Rate>,
    ) -> Self {
        let terms = self.terms(name);
        terms.features = features.into_iter().map(Into::into).collect();
        terms.rate = rate;
        self
    }

    /// Gives a plan a monthly quota, or another one. A plan that was not added is, without features or a rate.
    #[must_use]
    pub fn quota(mut self, name: &str, quota: Quota) -> Self {
        self.terms(name).quota = Some(quota);
        self
    }

    /// The plans.
    #[must_use]
    pub fn build(mut self) -> Plans {
        let plans = self.0.plans.values();
        let rates = plans.clone().filter_map(|terms| terms.rate);
        let quotas = plans.filter_map(|terms| terms.quota);
        self.0.least = Terms {
            features: BTreeSet::new(),
            rate: rates.max_by_key(|rate| (rate.step_nanos(), Reverse(rate.burst()))),
            quota: quotas.min_by_key(Quota::limit),
        };
        self.0
    }

    fn terms(&mut self, name: &str) -> &mut Terms {
        self.0.plans.entry(name.into()).or_default()
    }
}
