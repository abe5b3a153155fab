//! What happened in an org.

use axum::extract::State;
use gatewright_core::audit::AuditKind;
use gatewright_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::audit_trail::{self, Noted, Wanted};
use crate::routes::Site;
use crate::routes::caller::Member;
use crate::web::{Failure, Listed, Paging, Query, one_of, rfc3339, schema, text};

const SUCCESS: &str = "success";
const FAILURE: &str = "failure";
const MAX_LENGTH: usize = 256;

/// Which events to list.
#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    actor: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
    from: Option<String>,
    to: Option<String>,
    target: Option<String>,
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventView {
    /// Grows from event to event.
    id: i64,
    #[schema(value_type = schema::Time)]
    at: String,
    /// On whose behalf: `user:` or `client:`, and the id.
    #[schema(required = true)]
    actor: Option<String>,
    action: String,
    #[schema(value_type = schema::Outcome)]
    outcome: &'static str,
    /// What it happened to: the public id of a credential, a user, a connector, an issuer.
    #[schema(required = true)]
    target: Option<String>,
    /// By which kind of credential: `JWT`, `PAT`, `API_KEY`.
    #[schema(required = true)]
    mode: Option<String>,
    /// The public part of the credential.
    #[schema(required = true)]
    credential: Option<String>,
    /// The address that the request came from.
    #[schema(required = true)]
    source: Option<String>,
    /// Why it came to nothing.
    #[schema(required = true)]
    cause: Option<String>,
}

/// `GET /api/audit`: newest first.
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Query(filter): Query<Filter>,
    Paging(page): Paging,
) -> Result<Listed<EventView>, Failure> {
    let (pool, tenant) = (site.app.store.pool(), member.tenant.id());
    let events = audit_trail::events(pool, tenant, &filter.wanted()?, &page).await?;
    Ok(events.map(EventView::from).into())
}

/// The filters as the OpenAPI document says them.
pub(super) fn parameters() -> [(&'static str, &'static str, Value); 6] {
    let time = json!({
        "type": "string",
        "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$",
        "examples": ["2026-01-31T12:00:00Z"],
    });
    let text = || json!({"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": "^[!-~]+$"});
    [
        (
            "actor",
            "On whose behalf: `user:` or `client:`, and the id",
            text(),
        ),
        (
            "action",
            "What happened",
            json!({"enum": AuditKind::ALL.map(AuditKind::as_str)}),
        ),
        (
            "outcome",
            "Whether it came to something",
            json!({"enum": [SUCCESS, FAILURE]}),
        ),
        ("from", "Not before this time (RFC 3339)", time.clone()),
        ("to", "Before this time (RFC 3339)", time),
        ("target", "What it happened to", text()),
    ]
}

impl Filter {
    fn wanted(self) -> Result<Wanted, Failure> {
        for (field, value) in [("actor", &self.actor), ("target", &self.target)] {
            if let Some(value) = value {
                text(field, value, 1..=MAX_LENGTH)?;
            }
        }
        if let Some(action) = &self.action {
            one_of("action", action, &AuditKind::ALL.map(AuditKind::as_str))?;
        }
        if let Some(outcome) = &self.outcome {
            one_of("outcome", outcome, &[SUCCESS, FAILURE])?;
        }
        let time =
            |field, value: Option<String>| value.map(|value| self::time(field, &value)).transpose();
        Ok(Wanted {
            actor: self.actor,
            kind: self.action,
            failed: self.outcome.map(|outcome| outcome == FAILURE),
            from: time("from", self.from)?,
            to: time("to", self.to)?,
            target: self.target,
        })
    }
}

/// A time of RFC 3339, in whole seconds: events have no parts of one.
fn time(field: &str, value: &str) -> Result<Timestamp, Failure> {
    let moment: jiff::Timestamp = value
        .parse()
        .map_err(|_| Failure::out_of_range(field, "must be a time such as 2026-01-31T12:00:00Z"))?;
    Ok(u64::try_from(moment.as_second()).unwrap_or(0))
}

impl From<Noted> for EventView {
    fn from(event: Noted) -> Self {
        Self {
            id: event.number(),
            at: rfc3339(event.at()),
            actor: event.subject,
            action: event.kind,
            outcome: if event.cause.is_some() {
                FAILURE
            } else {
                SUCCESS
            },
            target: event.target,
            mode: event.mode,
            credential: event.credential,
            source: event.source,
            cause: event.cause,
        }
    }
}
