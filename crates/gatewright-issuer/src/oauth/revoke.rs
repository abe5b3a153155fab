//! The revocation endpoint (RFC 7009).

use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::principal::Subject;
use gatewright_core::store::ChangeKey;

use super::form::Form;
use super::{Inner, OAuthAnswer, OAuthRequest};
use crate::credential::store_failed;
use crate::told::TellOnDrop;

impl Inner {
    /// `token_type_hint` is not looked at: there is one kind of token, and a wrong hint must not end the search
    /// (RFC 7009 §2.1).
    pub(super) async fn revoke(
        &self,
        request: &OAuthRequest<'_>,
    ) -> Result<OAuthAnswer, AuthError> {
        let form = Form::read(request)?;
        let client = self.authenticate(request, &form).await?;
        let now = self.gate.clock().now();
        let claims = self.issued.read(form.required("token")?, now);
        // RFC 7009 §2.2: a token that is not there is as good as revoked.
        let Some((claims, jti)) = claims
            .as_ref()
            .and_then(|claims| Some((claims, claims.jti()?)))
        else {
            return Ok(OAuthAnswer::ok());
        };
        // RFC 7009 §2.1
        if claims.client_id() != Some(client.id().as_str()) {
            return Err(AuthError::new(ErrorCode::InvalidGrant)
                .with_message("The token was issued to another client"));
        }
        let changes = self.gate.changes();
        let told = TellOnDrop::new(changes, ChangeKey::Token(jti.into()));
        let denied = self.revocations.deny_token(jti, claims.expires_at()).await;
        changes.publish(denied.map_err(store_failed)?);
        told.done();
        self.audit.record(
            AuditEvent::new(AuditKind::Revoked, now)
                .subject(Subject::Client(client.id().clone()))
                .tenant(client.tenant().id().clone())
                .target(jti)
                .from(request.source),
        );
        Ok(OAuthAnswer::ok())
    }
}
