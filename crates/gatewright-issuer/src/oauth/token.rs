//! The token endpoint (RFC 6749 §3.2, §4.4).

use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::gate::Client;
use gatewright_core::jwt::SignError;
use gatewright_core::principal::Subject;
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::TokenRef;
use serde::Serialize;

use super::form::{Form, invalid_request};
use super::{Inner, OAuthAnswer, OAuthRequest};
use crate::credential::{internal, store_failed};
use crate::{Grant, IssueError};

/// RFC 6749 §5.1
#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: u64,
    scope: String,
}

impl Inner {
    pub(super) async fn token(&self, request: &OAuthRequest<'_>) -> Result<OAuthAnswer, AuthError> {
        let form = Form::read(request)?;
        let client = self.authenticate(request, &form).await?;
        match form.one("grant_type") {
            Some("client_credentials") => {}
            Some(_) => return Err(AuthError::new(ErrorCode::UnsupportedGrantType)),
            None => return Err(invalid_request("The parameter grant_type is missing")),
        }
        let now = self.gate.clock().now();
        let about = |kind| {
            AuditEvent::new(kind, now)
                .subject(Subject::Client(client.id().clone()))
                .tenant(client.tenant().id().clone())
                .from(request.source)
        };
        let scopes = scopes(&client, form.one("scope")).inspect_err(|_| {
            let denied = about(AuditKind::Denied).because(Cause::MissingScope);
            self.audit.record(denied);
        })?;
        let resource = self.resource.of(client.tenant());
        let mut audiences: Vec<&str> = vec![&resource];
        audiences.extend(self.audiences.iter().map(|audience| &**audience));
        let asked: Vec<&str> = form.resources().collect();
        if !asked.iter().all(|asked| audiences.contains(asked)) {
            return Err(AuthError::new(ErrorCode::InvalidTarget));
        }
        // RFC 8707 §2.2: who asks for a token for one resource can show it there without arming that one against others.
        audiences.retain(|audience| asked.is_empty() || asked.contains(audience));
        let (first, more) = audiences.split_first().ok_or(ErrorCode::InvalidTarget)?;

        let reference = TokenRef::client(client.id().as_str(), None);
        let standing = self.revocations.standing(reference).await;
        let epoch = standing.map_err(store_failed)?.epoch;
        let mut grant = Grant::client(client.id(), first, scopes.clone(), epoch)
            .in_tenant(client.tenant().id().clone())
            .until(client.expires_at());
        for audience in more {
            grant = grant.also_for(audience);
        }
        let issued = self.tokens.issue(&grant, now).map_err(not_issued)?;
        self.audit.record(about(AuditKind::LoggedIn));
        Ok(OAuthAnswer::json(&TokenAnswer {
            access_token: issued.access_token.expose(),
            token_type: "Bearer",
            expires_in: issued.expires_in,
            scope: scopes.to_string(),
        }))
    }
}

/// The scopes that the token gets: those asked for, or all that the client has (RFC 6749 §3.3).
fn scopes(client: &Client, asked: Option<&str>) -> Result<ScopeSet, AuthError> {
    let invalid = || AuthError::new(ErrorCode::InvalidScope);
    let scopes = match asked {
        None => client.scopes().clone(),
        Some(text) => ScopeSet::parse(text).map_err(|_| invalid())?,
    };
    // A token that may do nothing helps nobody.
    if scopes.is_empty() || !scopes.is_subset_of(client.scopes()) {
        return Err(invalid());
    }
    Ok(scopes)
}

fn not_issued(error: IssueError) -> AuthError {
    match error {
        // Between the end of the one key and the reading of the next.
        IssueError::NoActiveKey => AuthError::from(Cause::KeysUnavailable).with_source(error),
        // Of all that a token says, only the scopes have the length that the client chooses.
        IssueError::Sign(SignError::TooLong) => AuthError::new(ErrorCode::InvalidScope),
        error => internal(error),
    }
}
