//! Realms.

use std::sync::Arc;

use super::{LiveTrust, Trusted};
use crate::config::mistake::Notes;
use crate::config::{CorsConfig, LimitsConfig, Path, PlanConfig, RealmConfig};
use crate::cors::{Cors, CorsError};
use crate::jwt::LiveKeys;
use crate::limit::Quota;
use crate::policy::{Limits, Plans, Realm, TokenTrust};
use crate::principal::TenantKind;
use crate::role::{RoleMistake, Roles};
use crate::scope::ScopeSet;

impl RealmConfig {
    pub(super) fn judge(
        &self,
        name: &str,
        at: &Path,
        trusted: &mut Trusted,
        notes: &mut Notes,
    ) -> Realm {
        let mut realm = Realm::builder(name)
            .dialect(self.dialect)
            .roles(self.roles(&at.field("roles"), notes))
            .plans(self.plans())
            .limits(limits(&self.limits));
        let is_free = |plan: &PlanConfig| plan.rate.is_none() && plan.quota.is_none();
        if self.limits.by_plan && self.plans.values().all(is_free) {
            let by_plan = at.field("limits").field("by_plan");
            if !notes.is_wrong(&at.field("plans")) {
                notes.refuse(&by_plan, "needs a plan with a rate or a quota");
            }
        }
        if let Some(kind) = &self.tenant_kind {
            if kind.is_empty() {
                notes.refuse(&at.field("tenant_kind"), "must not be empty");
            }
            realm = realm.tenant_kind(TenantKind::new(kind.clone()));
        }
        if let Some(url) = &self.resource_metadata {
            if !is_absolute_url(url) {
                let message = "must be an absolute http or https URL";
                notes.refuse(&at.field("resource_metadata"), message);
            }
            realm = realm.resource_metadata(url);
        }
        if self.authorization_only {
            realm = realm.authorization_only();
        }
        if let Some(cors) = cors(&self.cors, &at.field("cors"), notes) {
            realm = realm.cors(cors);
        }
        for (index, trust) in self.trust.iter().enumerate() {
            let at = at.field("trust").element(index);
            let earlier = self.trust.iter().take(index);
            if earlier
                .into_iter()
                .any(|earlier| earlier.issuer == trust.issuer)
            {
                let message = "another trust of this realm has the same issuer";
                notes.refuse(&at.field("issuer"), message);
            }
            let keys = trust.keys(&at, &mut trusted.ignored, notes);
            let verifier = trust.verifier(&at, notes);
            if let (Some(keys), Some(verifier)) = (keys, verifier) {
                let keys = Arc::new(LiveKeys::new(keys));
                realm = realm.trust(TokenTrust::new(verifier, Arc::clone(&keys)));
                trusted.live.push(LiveTrust {
                    realm: name.to_owned(),
                    issuer: trust.issuer.clone(),
                    keys,
                });
            }
        }
        realm.build()
    }

    fn roles(&self, at: &Path, notes: &mut Notes) -> Roles {
        if self.roles.is_empty() {
            return Roles::none();
        }
        let ladder = self.roles.iter().fold(Roles::builder(), |ladder, role| {
            let permissions: ScopeSet = role.permissions.iter().cloned().collect();
            ladder.role(role.name.as_str(), permissions)
        });
        let errors = match ladder.build() {
            Ok(roles) => return roles,
            Err(errors) => errors,
        };
        for mistake in errors.mistakes() {
            let named = |name: &str| {
                let index = self.roles.iter().rposition(|role| role.name == name);
                at.element(index.unwrap_or_default()).field("name")
            };
            match mistake {
                RoleMistake::BadName { name, source } => notes.judge(&named(name), source),
                RoleMistake::Duplicate { role } => notes.judge(&named(role.as_str()), mistake),
                _ => notes.refuse(at, mistake),
            }
        }
        Roles::none()
    }

    fn plans(&self) -> Plans {
        let plans = self
            .plans
            .iter()
            .fold(Plans::builder(), |plans, (name, plan)| {
                let plans = plans.plan(name, plan.features.iter().map(String::as_str), plan.rate);
                // Not above zero is out of bounds, and noted where it was read.
                let quota = plan.quota.and_then(|limit| Quota::per_month(limit).ok());
                match quota {
                    Some(quota) => plans.quota(name, quota),
                    None => plans,
                }
            });
        plans.build()
    }
}

fn limits(configured: &LimitsConfig) -> Limits {
    let mut limits = Limits::none();
    if configured.by_plan {
        limits = limits.by_plan();
    }
    if let Some(rate) = configured.per_credential {
        limits = limits.per_credential(rate);
    }
    if let Some(rate) = configured.per_source {
        limits = limits.per_source(rate);
    }
    if let Some(rate) = configured.pat_guard {
        limits = limits.pat_guard(rate);
    }
    if let Some(rate) = configured.tenant_burst {
        limits = limits.tenant_burst(rate);
    }
    limits
}

/// The rules, if any origin is given and nothing is wrong.
fn cors(configured: &CorsConfig, at: &Path, notes: &mut Notes) -> Option<Cors> {
    let builder = match configured.origins.as_slice() {
        [] => return None,
        [all] if all == "*" => Cors::any_origin(),
        listed => Cors::origins(listed.iter().map(String::as_str)),
    };
    let mut builder = builder
        .methods(configured.methods.iter().map(String::as_str))
        .max_age_secs(configured.max_age_secs);
    if configured.credentials {
        builder = builder.credentials();
    }
    for name in &configured.headers {
        builder = builder.header(name.as_str());
    }
    for name in &configured.expose {
        builder = builder.expose(name.as_str());
    }
    let mistakes = match builder.build() {
        Ok(cors) => return Some(cors),
        Err(mistakes) => mistakes,
    };
    for mistake in mistakes {
        let named = |list: &str, names: &[String], wrong: &str| {
            let index = names.iter().position(|name| name == wrong)?;
            Some(at.field(list).element(index))
        };
        let place = match &mistake {
            CorsError::Origin(text) => named("origins", &configured.origins, text),
            CorsError::Method(text) => named("methods", &configured.methods, text),
            CorsError::Field(text) => named("headers", &configured.headers, text)
                .or_else(|| named("expose", &configured.expose, text)),
            CorsError::CredentialsForAll => Some(at.field("credentials")),
            _ => None,
        };
        notes.refuse(place.as_ref().unwrap_or(at), mistake);
    }
    None
}

/// Enough to be followed: RFC 9728 §5.1 wants an absolute URL, and a header field visible ASCII without quotes.
fn is_absolute_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
