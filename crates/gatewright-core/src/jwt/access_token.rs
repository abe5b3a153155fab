//! What our own access tokens say.

use serde::Serialize;

use crate::time::Timestamp;

/// The claims of an access token of ours (RFC 9068 §2.2), to be signed with `typ` `at+jwt`.
#[derive(Clone, Debug, Serialize)]
pub struct AccessTokenClaims {
    iss: String,
    sub: String,
    aud: Audience,
    client_id: String,
    jti: String,
    iat: Timestamp,
    exp: Timestamp,
    epoch: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// One audience is written as a string, since some readers know no array.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl AccessTokenClaims {
    /// The claims that every token has. `issued_at` and `expires_at` become `iat` and `exp`; the epoch is 0.
    #[must_use]
    pub fn new(
        issuer: impl Into<String>,
        subject: impl Into<String>,
        audience: impl Into<String>,
        client_id: impl Into<String>,
        jti: impl Into<String>,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            iss: issuer.into(),
            sub: subject.into(),
            aud: Audience::One(audience.into()),
            client_id: client_id.into(),
            jti: jti.into(),
            iat: issued_at,
            exp: expires_at,
            epoch: 0,
            sid: None,
            tenant: None,
            scope: None,
        }
    }

    /// Names one more audience.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.aud = Audience::Many(match self.aud {
            Audience::One(first) => vec![first, audience.into()],
            Audience::Many(mut audiences) => {
                audiences.push(audience.into());
                audiences
            }
        });
        self
    }

    /// The revocation epoch of the user or client now: a later one ends the token.
    #[must_use]
    pub fn with_epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }

    /// The session (`sid`) that the token belongs to, and ends with.
    #[must_use]
    pub fn with_session_id(mut self, session_id: impl Into<String>) -> Self {
        self.sid = Some(session_id.into());
        self
    }

    /// The tenant that the token is bound to.
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// The granted scopes, separated by spaces (RFC 8693 §4.2).
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }
}
