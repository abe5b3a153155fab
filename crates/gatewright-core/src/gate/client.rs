//! The ladder for OAuth clients, who prove themselves to the authorization server and nowhere else.
//!
//! The rungs are those of [other secrets](super::secret) up to the state: shape, failure limiter, record, guard tag, proof.
//! No policy is asked and nothing is charged, since a proven client is let in nowhere: it gets a token.

use std::net::IpAddr;
use std::sync::Arc;

use super::Gate;
use super::record::{Record, RecordKeyRef};
use super::secret::Presented;
use super::shared::Shared;
use crate::credential::{Credential, Secret, SecretKind};
use crate::error::{AuthError, Cause};
use crate::principal::{CredentialId, Tenant, Verified};
use crate::scope::ScopeSet;
use crate::time::Timestamp;

/// An OAuth client as its record has it. Behind [`Verified`] it has proven its secret.
#[derive(Clone, Debug)]
pub struct Client {
    id: CredentialId,
    tenant: Tenant,
    scopes: ScopeSet,
    expires_at: Option<Timestamp>,
}

impl Client {
    fn of(record: &Record) -> Option<Self> {
        let principal = record.caller.any();
        Some(Self {
            id: principal.credential().clone(),
            tenant: principal.tenant()?.clone(),
            scopes: principal.scopes().clone(),
            expires_at: principal.expires_at(),
        })
    }

    /// The `client_id`.
    #[must_use]
    pub const fn id(&self) -> &CredentialId {
        &self.id
    }

    /// The tenant that the client is bound to, with its plan as it is now.
    #[must_use]
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The scopes that the client is registered for: the most that a token of it may have.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// When the registration expires; `None` for never.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

impl Gate {
    /// Proves an OAuth client by its id and its secret (RFC 6749 §2.3.1). The secret is of a
    /// [format](crate::credential::Formats) of the kind [`Client`](SecretKind::Client).
    ///
    /// # Errors
    /// A 401 that means `invalid_client`, whatever its own code, for a client that is unknown, whose secret is wrong, or
    /// which is revoked, expired or not yet valid; the cause tells logs which. `rate_limited` after too many failures from
    /// this source for this id. `temporarily_unavailable` where the store or the hashing pool cannot answer.
    pub async fn authenticate_client(
        &self,
        id: &str,
        secret: &str,
        source: Option<IpAddr>,
    ) -> Result<Verified<Client>, AuthError> {
        let proven = self.0.prove_client(id, secret, source).await;
        proven.inspect_err(|refusal| self.count(refusal))
    }
}

impl Shared {
    async fn prove_client(
        self: &Arc<Self>,
        id: &str,
        secret: &str,
        source: Option<IpAddr>,
    ) -> Result<Verified<Client>, AuthError> {
        if CredentialId::new(id).is_err() {
            return Err(Cause::MalformedCredential.into());
        }
        let taggable = match self.formats.classify(secret.as_bytes()) {
            Ok(Credential::Secret(shape)) if shape.kind() == SecretKind::Client => {
                shape.holds_128_bits()
            }
            _ => return Err(Cause::UnknownFormat.into()),
        };
        let moment = self.clock.moment();
        let digest = self.proof_key.digest(secret.as_bytes());
        let kind = SecretKind::Client;
        // What memory proves is no guess, whatever others have tried from this address.
        let key = RecordKeyRef {
            kind,
            id: id.as_bytes(),
        };
        let is_proven = self.records.look(&key, |record| {
            record.proven_by(&digest, moment.unix).is_some()
        });
        if is_proven != Some(true) {
            self.not_blocked(source, id, moment.nanos)?;
        }
        let presented = Arc::new(Presented {
            kind,
            id: id.into(),
            text: Secret::new(secret.to_owned()),
            digest,
            taggable,
        });
        let record = self.prove(&presented, source, moment.unix).await?;
        record.state(moment.unix)?;
        if record.usage.note(moment.unix) {
            self.used(Arc::clone(&record.usage));
        }
        let client = Client::of(&record).ok_or(Cause::UnknownCredential)?;
        Ok(Verified::vouch(client))
    }
}
