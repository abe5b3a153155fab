//! The precise reasons, for logs and metrics.

use super::ErrorCode;

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal => $code:ident;)*) => {
        /// The precise reason of a refusal, for logs and metrics.
        ///
        /// Several causes share a code on purpose: what the caller is told must not help to guess.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Cause {
            $($(#[$doc])* $variant,)*
        }

        impl Cause {
            /// Every cause there is, in the order of the gate's rungs.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name for logs and metrics, in snake case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What the caller is told.
            #[must_use]
            pub const fn code(self) -> ErrorCode {
                match self { $(Self::$variant => ErrorCode::$code,)* }
            }
        }
    };
}

causes! {
    /// No credential in any of the fields that are read.
    NothingPresented = "nothing_presented" => MissingBearerToken;
    /// `Authorization` of a scheme that isn't read here.
    ForeignScheme = "foreign_scheme" => MissingBearerToken;
    /// A field that breaks its own grammar or is too long.
    MalformedField = "malformed_field" => InvalidToken;
    /// Fields that contradict each other, where no order settles which one counts.
    AmbiguousField = "ambiguous_field" => InvalidRequest;
    /// A credential in the query or the body (RFC 6750 §2.3, RFC 9700 §4.3.2).
    TokenInQuery = "token_in_query" => InvalidRequest;
    /// Header fields that say something else than the body.
    HeaderMismatch = "header_mismatch" => InvalidRequest;
    /// A body that is no text of the format that it is sent as, or one that readers differ about.
    UnreadableBody = "unreadable_body" => InvalidPayload;
    /// A request made by a page of a foreign origin.
    ForeignOrigin = "foreign_origin" => ForbiddenOrigin;

    /// The right prefix, but not the form that belongs to it.
    MalformedCredential = "malformed_credential" => InvalidToken;
    /// The checksum doesn't fit: a typing error, or invented.
    BadChecksum = "bad_checksum" => InvalidToken;
    /// No configured format looks like this.
    UnknownFormat = "unknown_format" => InvalidToken;
    /// No record of this public id.
    UnknownCredential = "unknown_credential" => InvalidToken;
    /// The guard tag doesn't fit, so the secret is wrong.
    TagMismatch = "tag_mismatch" => InvalidToken;
    /// The hash doesn't fit.
    WrongSecret = "wrong_secret" => InvalidToken;
    /// A wrong secret that was hashed before.
    RememberedWrongSecret = "remembered_wrong_secret" => InvalidToken;

    /// Not three base64url segments of JSON, or JSON with repeated members.
    JwtMalformed = "jwt_malformed" => InvalidToken;
    /// A header that names or embeds keys, or has critical extensions.
    JwtHeader = "jwt_header" => InvalidToken;
    /// Another `typ` than the one that is accepted.
    JwtType = "jwt_type" => InvalidToken;
    /// An algorithm that isn't allowed, or isn't the key's.
    JwtAlgorithm = "jwt_algorithm" => InvalidToken;
    /// No key of that issuer has this `kid`.
    JwtUnknownKey = "jwt_unknown_key" => InvalidToken;
    /// The signature doesn't verify.
    JwtSignature = "jwt_signature" => InvalidToken;
    /// A claim that is missing or of the wrong type.
    JwtClaims = "jwt_claims" => InvalidToken;
    /// An issuer that isn't trusted here.
    JwtIssuer = "jwt_issuer" => InvalidToken;
    /// An audience that isn't us.
    JwtAudience = "jwt_audience" => InvalidToken;
    /// A good token past its `exp`.
    JwtExpired = "jwt_expired" => TokenExpired;
    /// A good token that is not as the tenant requires: of another client, without a group, bound to a key.
    JwtNotAllowed = "jwt_not_allowed" => InvalidToken;
    /// A token that its issuer says is not active.
    TokenInactive = "token_inactive" => InvalidToken;
    /// A good token before its `nbf`.
    JwtNotYetValid = "jwt_not_yet_valid" => InvalidToken;

    /// The right secret, past its expiry.
    Expired = "expired" => TokenExpired;
    /// The right secret, before its time.
    NotYetValid = "not_yet_valid" => InvalidToken;
    /// The right secret of a revoked record.
    Revoked = "revoked" => TokenRevoked;
    /// Issued before the revocation epoch of its user, session or client.
    EpochRevoked = "epoch_revoked" => TokenRevoked;
    /// Its session has ended.
    SessionEnded = "session_ended" => TokenRevoked;
    /// Its `jti` is on the deny-list.
    TokenDenied = "token_denied" => TokenRevoked;

    /// Wrong name or password at a login.
    WrongPassword = "wrong_password" => InvalidCredentials;
    /// A refresh without its cookie.
    RefreshMissing = "refresh_missing" => RefreshTokenMissing;
    /// A refresh token that is unknown, expired or revoked.
    RefreshInvalid = "refresh_invalid" => InvalidRefreshToken;
    /// A refresh token that was used before.
    RefreshReused = "refresh_reused" => InvalidRefreshToken;

    /// A mailed token that is unknown, has expired, or was used before.
    MailedTokenInvalid = "mailed_token_invalid" => InvalidLink;

    /// A good JWT where only secrets go.
    WrongModeJwt = "wrong_mode_jwt" => InvalidTokenFormat;
    /// A good secret where only a JWT goes, or another kind of secret.
    WrongModeSecret = "wrong_mode_secret" => InsufficientScope;
    /// A good secret of another tenant, whether or not the one asked for exists.
    ForeignTenant = "foreign_tenant" => InsufficientScope;
    /// A user without a role in the tenant.
    NoMembership = "no_membership" => NotFound;
    /// A scope is missing.
    MissingScope = "missing_scope" => InsufficientScope;
    /// The role isn't high enough.
    MissingRole = "missing_role" => InsufficientRole;
    /// The plan lacks the feature.
    MissingFeature = "missing_feature" => FeatureLocked;

    /// Too many requests.
    RateLimited = "rate_limited" => RateLimited;
    /// The quota of the billing period is used up.
    QuotaExceeded = "quota_exceeded" => QuotaExceeded;
    /// Too many failures from this source for this credential.
    FailureLimited = "failure_limited" => RateLimited;

    /// A store could not answer.
    StoreUnavailable = "store_unavailable" => TemporarilyUnavailable;
    /// A distributed limiter could not answer.
    LimiterUnavailable = "limiter_unavailable" => TemporarilyUnavailable;
    /// The issuer's keys can't be had and none are held.
    KeysUnavailable = "keys_unavailable" => TemporarilyUnavailable;
    /// The issuer that has to be asked about a token can't be reached.
    IntrospectionUnavailable = "introspection_unavailable" => TemporarilyUnavailable;
    /// No new visitor could be made: the system has no random bytes.
    VisitorUnavailable = "visitor_unavailable" => TemporarilyUnavailable;
    /// As many secrets wait to be hashed as may wait.
    HashQueueFull = "hash_queue_full" => TemporarilyUnavailable;
    /// The thread that hashed this secret is gone.
    HashWorkerLost = "hash_worker_lost" => TemporarilyUnavailable;

    /// A policy that another gate compiled.
    ForeignPolicy = "foreign_policy" => InternalError;
    /// A guarded handler behind no gate.
    GateMissing = "gate_missing" => InternalError;
    /// A guarded handler behind a gate, but no policy.
    PolicyMissing = "policy_missing" => InternalError;
}
