//! The codes that go over the wire, and the one table of what each means.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $message:literal;)*) => {
        /// What a refused caller is told. The name is stable: clients match on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum ErrorCode {
            $($(#[$doc])* #[doc = concat!("\n\n`", $name, "`, status ", $status, ".")] $variant,)*
        }

        impl ErrorCode {
            /// Every code there is, by rising status.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            const fn spec(self) -> Spec {
                match self {
                    $(Self::$variant => Spec { name: $name, status: $status, message: $message },)*
                }
            }
        }
    };
}

struct Spec {
    name: &'static str,
    status: u16,
    message: &'static str,
}

error_codes! {
    /// The request contradicts itself or carries a credential where none may be (RFC 6750 §3.1).
    InvalidRequest = "invalid_request", 400, "The request is malformed";
    /// The body can't be read, or has the wrong shape.
    InvalidPayload = "invalid_payload", 400, "The request body is not valid";
    /// A field of the body or the query is out of range.
    ValidationError = "validation_error", 400, "A field of the request is out of range";
    /// A scope that is unknown, malformed or more than may be granted (RFC 6749 §5.2).
    InvalidScope = "invalid_scope", 400, "The requested scope is not valid";
    /// The grant presented at the token endpoint is not valid (RFC 6749 §5.2).
    InvalidGrant = "invalid_grant", 400, "The grant is not valid";
    /// The client may not use this grant type (RFC 6749 §5.2).
    UnauthorizedClient = "unauthorized_client", 400, "The client may not use this grant type";
    /// The token endpoint doesn't know this grant type (RFC 6749 §5.2).
    UnsupportedGrantType = "unsupported_grant_type", 400, "The grant type is not supported";
    /// A mailed token that is unknown, has expired, or was used before.
    InvalidLink = "invalid_link", 400, "The link is not valid any more";
    /// The `resource` asked for is not ours (RFC 8707 §2).
    InvalidTarget = "invalid_target", 400, "The requested resource is not known";
    /// Nothing was presented.
    MissingBearerToken = "missing_bearer_token", 401, "No credential was presented";
    /// What was presented proves nothing (RFC 6750 §3.1).
    InvalidToken = "invalid_token", 401, "The credential is not valid";
    /// A credential of a form that this operation doesn't take.
    InvalidTokenFormat = "invalid_token_format", 401, "This kind of credential is not accepted here";
    /// A credential that was right and has expired.
    TokenExpired = "token_expired", 401, "The credential has expired";
    /// A credential that was right and has been revoked.
    TokenRevoked = "token_revoked", 401, "The credential has been revoked";
    /// Wrong name or password at a login.
    InvalidCredentials = "invalid_credentials", 401, "The credentials are not valid";
    /// A refresh without its cookie.
    RefreshTokenMissing = "refresh_token_missing", 401, "No refresh token was presented";
    /// A refresh token that is unknown, expired, revoked or used before.
    InvalidRefreshToken = "invalid_refresh_token", 401, "The refresh token is not valid";
    /// The client could not be authenticated (RFC 6749 §5.2).
    InvalidClient = "invalid_client", 401, "Client authentication failed";
    /// The credential doesn't reach this operation (RFC 6750 §3.1).
    InsufficientScope = "insufficient_scope", 403, "Token does not have the required scope";
    /// The user's role in the tenant doesn't reach this operation.
    InsufficientRole = "insufficient_role", 403, "Your role does not allow this";
    /// The tenant's plan doesn't include this feature.
    FeatureLocked = "feature_locked", 403, "The plan does not include this feature";
    /// The request was made by a page of a foreign origin.
    ForbiddenOrigin = "forbidden_origin", 403, "Requests from this origin are not allowed";
    /// Not there, or not to be seen by this caller.
    NotFound = "not_found", 404, "Not found";
    /// The path exists, the method doesn't.
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    /// It exists already, or something stands against the change.
    Conflict = "conflict", 409, "The request conflicts with the present state";
    /// The body is longer than this operation reads.
    PayloadTooLarge = "payload_too_large", 413, "The request body is too large";
    /// The body is of a media type that this operation doesn't read.
    UnsupportedMediaType = "unsupported_media_type", 415, "The media type is not supported";
    /// Too many requests of late.
    RateLimited = "rate_limited", 429, "Too many requests";
    /// The quota of the billing period is used up.
    QuotaExceeded = "quota_exceeded", 429, "The quota is used up";
    /// A mistake of ours. Nothing more is told.
    InternalError = "internal_error", 500, "Internal error";
    /// No decision could be made: a store is out of reach, or there is too much to do.
    TemporarilyUnavailable = "temporarily_unavailable", 503, "Temporarily unavailable";
}

impl ErrorCode {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.spec().status
    }

    /// The sentence for the caller where nothing better is known.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.spec().message
    }

    /// What a client should do about it.
    #[must_use]
    pub const fn retry(self) -> RetryRule {
        RetryRule::of_status(self.status())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ErrorCode {
    type Err = UnknownErrorCode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|code| code.as_str() == name);
        known.copied().ok_or(UnknownErrorCode(()))
    }
}

/// The name is no [`ErrorCode`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownErrorCode(());

impl fmt::Display for UnknownErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name is not a known error code")
    }
}

impl Error for UnknownErrorCode {}

/// Whether the same request may be sent again, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryRule {
    /// It would be refused again.
    Never,
    /// After the time that the `Retry-After` field gives.
    AfterHeader,
    /// After 1, 2, 4, 8 and 16 seconds, then no more.
    Backoff,
}

impl RetryRule {
    /// The rule for an answer of this status, whoever gave it.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            429 => Self::AfterHeader,
            500 | 502 | 503 | 504 => Self::Backoff,
            _ => Self::Never,
        }
    }
}
