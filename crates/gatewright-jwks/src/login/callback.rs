//! What the browser brings back from the provider.

use form_urlencoded::parse;
use gatewright_core::credential::Secret;
use subtle::ConstantTimeEq as _;

use super::attempt::Attempt;
use super::error::{LoginError, ProviderAnswer};
use super::metadata::Endpoints;

const MAX_QUERY_BYTES: usize = 8 * 1024;

/// An answer that belongs to a login of this browser. Whose it is, the metadata say.
pub(super) struct Callback {
    issuer: Option<String>,
    outcome: Result<Secret, ProviderAnswer>,
}

impl Callback {
    /// Reads the query of the redirect URI (RFC 6749 §4.1.2), in which no parameter may be twice (§3.1).
    pub(super) fn read(query: &str, attempt: &Attempt<'_>) -> Result<Self, LoginError> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(LoginError::Query);
        }
        let mut parameters: Vec<_> = parse(query.as_bytes()).collect();
        parameters.sort_by(|(one, _), (other, _)| one.cmp(other));
        let names = || parameters.iter().map(|(name, _)| name);
        if names().zip(names().skip(1)).any(|(one, next)| one == next) {
            return Err(LoginError::Query);
        }
        let get = |wanted: &str| {
            let mut found = parameters.iter().filter(|(name, _)| name == wanted);
            found.next().map(|(_, value)| &**value)
        };
        let state = get("state").ok_or(LoginError::State)?;
        if !bool::from(state.as_bytes().ct_eq(attempt.state().as_bytes())) {
            return Err(LoginError::State);
        }
        let outcome = match (get("code"), get("error")) {
            (Some(code), None) if !code.is_empty() => Ok(Secret::new(code.to_owned())),
            (None, Some(error)) => Err(ProviderAnswer::named(error)),
            _ => return Err(LoginError::Query),
        };
        Ok(Self {
            issuer: get("iss").map(str::to_owned),
            outcome,
        })
    }

    /// The code, if the answer is this issuer's and holds one.
    pub(super) fn code(self, issuer: &str, endpoints: &Endpoints) -> Result<Secret, LoginError> {
        // RFC 9207 §2.4: before anything else of the answer is believed, its errors included.
        match self.issuer {
            Some(named) if named == issuer => {}
            None if !endpoints.names_issuer => {}
            _ => return Err(LoginError::ResponseIssuer),
        }
        self.outcome.map_err(LoginError::Refused)
    }
}
