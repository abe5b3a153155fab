//! Why a login did not come about. Never what was presented.

use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::jwt::JwtError;

use crate::http::FetchError;

/// After how many seconds to try a provider again that is out of reach.
const RETRY_SECS: u32 = 5;

/// Why a login was not begun or not finished.
///
/// As an [`AuthError`] it is `temporarily_unavailable` where the provider could not be asked, `internal_error` where this
/// client is configured wrongly, and `invalid_credentials` for all the rest, which a page tells apart for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// There is no cookie, or none that was made here for this provider.
    #[error("the browser brought no cookie of a login that was begun here")]
    Cookie,
    /// The login was begun more than 10 minutes ago.
    #[error("the login took too long")]
    Expired,
    /// `state` is missing or that of another login (RFC 6749 §10.12).
    #[error("the answer belongs to another login")]
    State,
    /// The answer is too long, names a parameter twice (RFC 6749 §3.1), or holds neither `code` nor `error`, or both.
    #[error("the provider's answer is malformed")]
    Query,
    /// `iss` of the answer is another issuer's, or is missing though the provider's metadata promise it (RFC 9207 §2.4).
    #[error("the answer comes from another provider")]
    ResponseIssuer,
    /// The provider, or its user, refused.
    #[error("the provider refused: {0}")]
    Refused(ProviderAnswer),
    /// The provider does not take the code: it was spent, has expired, or was issued for another login (RFC 6749 §5.2).
    #[error("the provider does not take the code")]
    Code,
    /// The ID token is not valid.
    #[error("the ID token is not valid: {0}")]
    IdToken(JwtError),
    /// `azp` names another client, or is missing though there are several audiences (OpenID Connect Core §3.1.3.7).
    #[error("the ID token was issued to another client")]
    AuthorizedParty,
    /// `nonce` is missing or that of another login (OpenID Connect Core §3.1.3.7).
    #[error("the ID token belongs to another login")]
    Nonce,
    /// `at_hash` does not fit the access token (OpenID Connect Core §3.1.3.6).
    #[error("the ID token does not belong to the access token")]
    AccessTokenHash,
    /// `sub` is longer than 255 bytes or not ASCII (OpenID Connect Core §2), or `email` or `name` is no string.
    #[error("the ID token says what cannot be read")]
    Claims,
    /// The provider can't be reached, or its metadata or its keys can't be used.
    #[error("the provider is out of reach: {0}")]
    Unreachable(FetchError),
    /// The provider's keys can't be had.
    #[error("the provider's keys are out of reach")]
    Keys,
    /// The token endpoint's answer is not the one of RFC 6749 §5 with an ID token.
    #[error("the provider's token endpoint answered otherwise than the protocol says")]
    TokenResponse,
    /// As many logins are being finished as may be at once.
    #[error("too many logins are under way")]
    Busy,
    /// The provider does not take this client or its secret: the configuration is wrong.
    #[error("the provider does not take this client's secret")]
    Client,
    /// The provider takes neither `client_secret_basic` nor `client_secret_post`.
    #[error("the provider authenticates clients in no way that is known here")]
    Authentication,
    /// The system has no random bytes.
    #[error("the system has no random bytes")]
    Random,
}

/// What a provider said instead of a code (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6). Its words are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderAnswer {
    /// `access_denied`: the user said no.
    #[error("access was denied")]
    AccessDenied,
    /// `login_required`, `interaction_required`, `consent_required` or `account_selection_required`.
    #[error("the user has to do something first")]
    InteractionRequired,
    /// `server_error` or `temporarily_unavailable`.
    #[error("the provider is not available")]
    Unavailable,
    /// Anything else, which says that the request was wrong.
    #[error("the request was not taken")]
    Other,
}

impl ProviderAnswer {
    pub(super) fn named(error: &str) -> Self {
        match error {
            "access_denied" => Self::AccessDenied,
            "login_required"
            | "interaction_required"
            | "consent_required"
            | "account_selection_required" => Self::InteractionRequired,
            "server_error" | "temporarily_unavailable" => Self::Unavailable,
            _ => Self::Other,
        }
    }
}

impl LoginError {
    /// What the caller is told.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Unreachable(_)
            | Self::Keys
            | Self::TokenResponse
            | Self::Busy
            | Self::Refused(ProviderAnswer::Unavailable) => ErrorCode::TemporarilyUnavailable,
            Self::Client | Self::Authentication | Self::Random => ErrorCode::InternalError,
            _ => ErrorCode::InvalidCredentials,
        }
    }
}

impl From<LoginError> for AuthError {
    fn from(error: LoginError) -> Self {
        let code = error.code();
        let refusal = Self::new(code).with_source(error);
        if code == ErrorCode::TemporarilyUnavailable {
            return refusal.with_retry_after(RETRY_SECS);
        }
        refusal
    }
}
