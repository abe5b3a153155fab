//! How a client authenticates itself (RFC 6749 §2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::gate::{Client, Gate};
use gatewright_core::principal::Verified;
use zeroize::Zeroizing;

use super::OAuthRequest;
use super::form::{Form, decode, invalid_request, split_once};

/// The longest `Authorization` line that is looked at, in bytes: an id and a secret of which every character is escaped.
const MAX_LINE: usize = 4 * 1024;

/// Authenticates confidential clients by `client_secret_basic` or `client_secret_post`.
///
/// Secrets are proven by the gate: a right one costs argon2 once, guesses are limited by source address and client
/// together, and nobody locks a client out from elsewhere.
#[derive(Clone, Debug)]
pub struct ClientAuthenticator {
    gate: Gate,
}

impl ClientAuthenticator {
    /// Proves secrets at this gate.
    #[must_use]
    pub const fn new(gate: Gate) -> Self {
        Self { gate }
    }

    /// The client that sends this request, for an endpoint of the embedder's own.
    ///
    /// # Errors
    /// `invalid_request` for a request that presents credentials in two ways or in the query, or that is no form;
    /// `invalid_client` where nothing is presented or it does not prove a client, whatever the reason; `rate_limited` after
    /// too many failures; `temporarily_unavailable` when the store or the hashing pool cannot answer.
    pub async fn authenticate(
        &self,
        request: &OAuthRequest<'_>,
    ) -> Result<Verified<Client>, AuthError> {
        let form = Form::read(request)?;
        self.authenticate_form(request, &form).await
    }

    pub(super) async fn authenticate_form(
        &self,
        request: &OAuthRequest<'_>,
        form: &Form,
    ) -> Result<Verified<Client>, AuthError> {
        let (id, secret) = presented(request, form)?;
        let proven = self
            .gate
            .authenticate_client(&id, &secret, request.source)
            .await;
        // What was wrong with it is for the log: an unknown client and a wrong secret are answered alike.
        proven.map_err(|refusal| match refusal.cause() {
            Some(cause) if refusal.status() == 401 => invalid_client(cause),
            _ => refusal,
        })
    }
}

type Presented = (Zeroizing<String>, Zeroizing<String>);

/// The id and the secret, presented in one of the two ways and not in the other (RFC 6749 §2.3).
fn presented(request: &OAuthRequest<'_>, form: &Form) -> Result<Presented, AuthError> {
    let (id, secret) = (form.one("client_id"), form.one("client_secret"));
    let asserts = form.one("client_assertion").is_some();
    let several = || invalid_request("The client authenticates itself in more than one way");
    match request.authorization {
        [] => match (id, secret) {
            (_, Some(_)) if asserts => Err(several()),
            (Some(id), Some(secret)) => Ok((id.to_owned().into(), secret.to_owned().into())),
            _ => Err(invalid_client(Cause::NothingPresented)),
        },
        [_] if secret.is_some() || asserts => Err(several()),
        [line] => {
            let (basic_id, secret) = basic(line).map_err(invalid_client)?;
            // The body may say who it is from (RFC 6749 §3.2.1), but not that it is from somebody else.
            if id.is_some_and(|id| *id != **basic_id) {
                return Err(several());
            }
            Ok((basic_id, secret))
        }
        _ => Err(several()),
    }
}

/// Reads `Basic` credentials (RFC 7617 §2) of which both parts are form-encoded (RFC 6749 §2.3.1).
fn basic(line: &[u8]) -> Result<Presented, Cause> {
    if line.len() > MAX_LINE {
        return Err(Cause::MalformedField);
    }
    let line = line.trim_ascii();
    let (scheme, encoded) = split_once(line, b' ').unwrap_or((line, b""));
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Err(Cause::ForeignScheme);
    }
    let read = || {
        let decoded = Zeroizing::new(STANDARD.decode(encoded.trim_ascii()).ok()?);
        let (id, secret) = split_once(&decoded, b':')?;
        Some((decode(id)?, decode(secret)?))
    };
    read().ok_or(Cause::MalformedField)
}

fn invalid_client(cause: Cause) -> AuthError {
    AuthError::new(ErrorCode::InvalidClient).with_cause(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(String, String), Cause> {
        basic(line.as_bytes()).map(|(id, secret)| (id.to_string(), secret.to_string()))
    }

    #[test]
    fn basic_credentials_are_form_decoded() {
        let pair = |id: &str, secret: &str| Ok((id.to_owned(), secret.to_owned()));
        // RFC 6749 §2.3.1
        let example = read("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
        assert_eq!(example, pair("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"));
        let encode = |plain: &str| format!("bAsIc   {} ", STANDARD.encode(plain));
        assert_eq!(read(&encode("a%3Ab:c%20d+e:f")), pair("a:b", "c d e:f"));
        assert_eq!(read(&encode(":")), pair("", ""));
    }

    #[test]
    fn what_is_no_basic_is_told_from_what_is_broken() {
        for foreign in ["", "Bearer YTpi", "Basically YTpi", "Digest a=b"] {
            assert_eq!(read(foreign), Err(Cause::ForeignScheme), "{foreign}");
        }
        let encode = |plain: &[u8]| format!("Basic {}", STANDARD.encode(plain));
        for broken in [
            "Basic".to_owned(),
            "Basic YTpi YTpi".to_owned(),
            "Basic YTpi,".to_owned(),
            "Basic YT".to_owned(),
            encode(b"no colon"),
            encode(b"a%zz:b"),
            encode(b"a:\xff"),
            format!("Basic {}", "A".repeat(MAX_LINE)),
        ] {
            assert_eq!(read(&broken), Err(Cause::MalformedField), "{broken}");
        }
    }
}
