//! The life of OAuth clients: register, rotate, revoke.

use std::fmt;
use std::sync::Arc;

use gatewright_core::credential::SecretKind;
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::principal::{TenantId, UserId};
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::{ChangeKey, RevocationStore};

use crate::credential::store_failed;
use crate::told::TellOnDrop;
use crate::{
    Authority, CredentialIssuer, MintRequest, MintedCredential, RotatedCredential, RotationGrace,
};

/// Registers confidential OAuth clients (RFC 6749 §2.1), rotates their secrets and revokes them.
///
/// A client is a `client_id` such as `apx_client_…` and a secret such as `apx_secret_…`, which it exchanges for short-lived
/// tokens. The gate must know the [format](gatewright_core::credential::SecretFormat::unnamed) of the secrets.
#[derive(Clone)]
pub struct OAuthClients {
    issuer: CredentialIssuer,
    revocations: Arc<dyn RevocationStore>,
    id_prefix: Box<str>,
    brand: Box<str>,
}

impl OAuthClients {
    /// Clients with ids `apx_client_…` and secrets `apx_secret_…`. `revocations` is the store that the issuer's gate reads.
    #[must_use]
    pub fn new(issuer: CredentialIssuer, revocations: Arc<dyn RevocationStore>) -> Self {
        Self {
            issuer,
            revocations,
            id_prefix: "apx_client".into(),
            brand: "apx_secret".into(),
        }
    }

    /// Begins ids with `id_prefix` and an underscore, and secrets as the format of this `brand` says.
    #[must_use]
    pub fn branded(mut self, id_prefix: &str, brand: &str) -> Self {
        self.id_prefix = id_prefix.into();
        self.brand = brand.into();
        self
    }

    /// A request to [register](Self::register) a client for these scopes: the most that its tokens may have, and what they
    /// have where it asks for none in particular.
    #[must_use]
    pub fn request(&self, tenant: TenantId, owner: UserId, scopes: ScopeSet) -> MintRequest {
        MintRequest::new(&*self.brand, tenant, owner, scopes)
    }

    /// Registers a client that can do no more than `authority` allows. The minted id is its `client_id`.
    ///
    /// # Errors
    /// As [`CredentialIssuer::mint`]; `internal_error` also for a brand of another kind of secret.
    pub async fn register(
        &self,
        request: MintRequest,
        authority: &Authority,
    ) -> Result<MintedCredential, AuthError> {
        if self.issuer.format(&request.brand)?.kind() != SecretKind::Client {
            return Err(AuthError::new(ErrorCode::InternalError));
        }
        let prefix = Some(&*self.id_prefix);
        self.issuer.mint_named(request, authority, prefix).await
    }

    /// Gives the tenant's client a new secret; the one before it is honoured for the grace. Tokens live on.
    ///
    /// # Errors
    /// As [`CredentialIssuer::rotate`].
    pub async fn rotate(
        &self,
        tenant: &TenantId,
        id: &str,
        grace: RotationGrace,
        authority: &Authority,
    ) -> Result<RotatedCredential, AuthError> {
        let issuer = &self.issuer;
        issuer
            .rotate(&self.brand, tenant, id, grace, authority)
            .await
    }

    /// Revokes the tenant's client and with it every token that it holds: requests that start after this returns are
    /// refused. Revoking it again changes nothing, but completes what failed half-way.
    ///
    /// Run it to its end, as [`CredentialIssuer::revoke`].
    ///
    /// # Errors
    /// `not_found` where the tenant has no such client, `temporarily_unavailable` when the store cannot answer.
    pub async fn revoke(
        &self,
        tenant: &TenantId,
        id: &str,
        by: Option<&UserId>,
    ) -> Result<(), AuthError> {
        let issuer = &self.issuer;
        issuer.revoke(SecretKind::Client, tenant, id, by).await?;
        // The epoch last: a token that is signed in between has the old one. One that is signed by a request which was
        // proven before and reads the epoch after has a dead record, which the gate looks at as well.
        let changes = issuer.gate().changes();
        let told = TellOnDrop::new(changes, ChangeKey::Client(id.into()));
        let raised = self.revocations.raise_client_epoch(id).await;
        changes.publish(raised.map_err(store_failed)?);
        told.done();
        Ok(())
    }
}

impl fmt::Debug for OAuthClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClients")
            .field("id_prefix", &self.id_prefix)
            .field("brand", &self.brand)
            .finish_non_exhaustive()
    }
}
