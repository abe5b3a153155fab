//! The introspection endpoint (RFC 7662).

use gatewright_core::error::AuthError;
use gatewright_core::jwt::{Claims, ScopeClaim};
use gatewright_core::time::Timestamp;
use serde::Serialize;

use super::form::Form;
use super::{Inner, OAuthAnswer, OAuthRequest};

/// RFC 7662 §2.2
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    client_id: Option<&'a str>,
    token_type: &'a str,
    exp: Timestamp,
    iat: Option<Timestamp>,
    sub: Option<&'a str>,
    aud: Audience<'a>,
    iss: &'a str,
    jti: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Many(Vec<&'a str>),
}

/// All that is told of a token that is unknown, expired, revoked or none of the caller's business (RFC 7662 §2.2).
#[derive(Serialize)]
struct Inactive {
    active: bool,
}

impl Inner {
    pub(super) async fn introspect(
        &self,
        request: &OAuthRequest<'_>,
    ) -> Result<OAuthAnswer, AuthError> {
        let form = Form::read(request)?;
        let client = self.authenticate(request, &form).await?;
        let now = self.gate.clock().now();
        let claims = self.issued.read(form.required("token")?, now);
        let claims = claims.filter(|claims| {
            claims.client_id() == Some(client.id().as_str())
                || self
                    .may_introspect
                    .as_ref()
                    .is_some_and(|may| may(&client, claims))
        });
        match claims {
            Some(claims) if self.issued.stands(&claims, now).await? => {
                Ok(OAuthAnswer::json(&describe(&claims)))
            }
            _ => Ok(OAuthAnswer::json(&Inactive { active: false })),
        }
    }
}

fn describe(claims: &Claims) -> Active<'_> {
    let audiences: Vec<&str> = claims.audiences().collect();
    Active {
        active: true,
        scope: match claims.scope() {
            ScopeClaim::Text(text) => Some(text.clone()),
            ScopeClaim::List(list) => Some(list.join(" ")),
            _ => None,
        },
        client_id: claims.client_id(),
        token_type: "Bearer",
        exp: claims.expires_at(),
        iat: claims.issued_at(),
        sub: claims.subject(),
        aud: match *audiences {
            [only] => Audience::One(only),
            _ => Audience::Many(audiences),
        },
        iss: claims.issuer(),
        jti: claims.jti(),
    }
}
