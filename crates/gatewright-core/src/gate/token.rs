//! The ladder for signed tokens.
//!
//! A token that was verified before is found again by its signature; only what can change since is looked at: the keys,
//! the revocation epochs and deny-list, the membership.

use std::sync::Arc;

use super::shared::{Request, Shared, store_failed};
use super::{Admission, Pending};
use crate::credential::{JwtShape, SecretKind};
use crate::error::{AuthError, Cause};
use crate::jwt::{Claims, JwtError, ScopeClaim, insecure_unverified_issuer};
use crate::policy::{Grants, Realm, TokenTrust};
use crate::principal::{
    CredentialId, Identity, Mode, Principal, SessionId, Subject, Tenancy, TenantId, UserId,
};
use crate::scope::ScopeSet;
use crate::store::{ChangeKey, Stamp, TenantRef, TokenRef, TokenStanding};
use crate::time::Timestamp;

/// A token whose signature and claims hold.
pub(super) struct Token {
    identity: Arc<Identity>,
    /// The scopes of a machine's token; a user's token is judged by role.
    grants: Option<Grants>,
    /// The tenant that the token is bound to.
    tenant: Option<TenantId>,
    /// A machine's place in that tenant; a user's is read per request.
    tenancy: Option<Arc<Tenancy>>,
    jti: Option<Box<str>>,
    epoch: u64,
    /// From when the token is verified again.
    good_until: Timestamp,
    /// The generations of everything that the standing was read under: user or client, session, token; for a machine also
    /// its record and tenants.
    stamps: [Stamp; 5],
}

/// Where a proven caller stands: in a tenant, in none, or where it may not be.
type Place = Result<Option<Arc<Tenancy>>, Cause>;

impl Shared {
    pub(super) fn admit_token(
        self: &Arc<Self>,
        presented: JwtShape<'_>,
        request: Request<'_>,
    ) -> Admission {
        let text = presented.expose();
        let realm = request.policy.realm();
        let nanos = self.clock.monotonic_nanos();
        let known = realm.tokens().iter().find_map(|trust| {
            let generation = trust.keys().generation();
            let token = self.tokens.get(text, trust.id(), generation, request.now)?;
            Some((trust, generation, token))
        });
        if let Some((_, _, token)) = &known
            && self.watch.serves_from_memory(nanos)
            && self.is_current(&token.stamps)
            && let Some(place) = self.known_tenancy(token, request)
        {
            return self.conclude_token(token, place, request, nanos);
        }
        let is_cached = known.is_some();
        let (trust, generation, token) = match known {
            Some(known) => known,
            None => match self.verify(realm, text, request.now) {
                Ok(verified) => verified,
                Err(cause) => return Admission::Ready(Err(cause.into())),
            },
        };
        let shared = Arc::clone(self);
        let (text, trust, request) = (Box::<str>::from(text), trust.clone(), request.to_owned());
        Admission::Pending(Pending(Box::pin(async move {
            let (token, is_new) = match shared.read_standing(&token).await? {
                Some(read) => (Arc::new(read), true),
                None => (token, !is_cached),
            };
            if is_new {
                shared.tokens.insert(
                    &text,
                    trust.id(),
                    generation,
                    token.good_until,
                    request.now,
                    Arc::clone(&token),
                );
            }
            let request = request.as_ref();
            let place = shared.read_tenancy(&token, request).await?;
            shared
                .conclude_token(&token, place, request, shared.clock.monotonic_nanos())
                .decided()
                .await
        })))
    }

    fn verify<'r>(
        &self,
        realm: &'r Realm,
        text: &str,
        now: Timestamp,
    ) -> Result<(&'r TokenTrust, u64, Arc<Token>), Cause> {
        let trust = trusted(realm, text)?;
        // Taken together: a token checked under keys that are being replaced is not kept under the new ones.
        let (generation, keys) = trust.keys().snapshot();
        let claims = trust
            .verifier()
            .verify(text, &keys, now)
            .map_err(cause_of)?;
        let good_until = trust.verifier().valid_until(&claims);
        let token = self.token(&claims, good_until).ok_or(Cause::JwtClaims)?;
        Ok((trust, generation, Arc::new(token)))
    }

    /// What the claims say; `None` where one of them cannot be an identifier or a scope.
    fn token(&self, claims: &Claims, good_until: Timestamp) -> Option<Token> {
        let name = claims.subject()?;
        // A machine's token names the client twice (RFC 9068 §2.2): that is how it is told from a person's.
        let subject = if claims.client_id() == Some(name) {
            Subject::Client(CredentialId::new(name).ok()?)
        } else {
            Subject::User(UserId::new(name).ok()?)
        };
        let scopes = match claims.scope() {
            ScopeClaim::Absent => ScopeSet::default(),
            ScopeClaim::Text(text) => ScopeSet::parse(text).ok()?,
            ScopeClaim::List(list) => list
                .iter()
                .map(|scope| scope.parse().ok())
                .collect::<Option<_>>()?,
            ScopeClaim::Malformed => return None,
        };
        let grants = matches!(subject, Subject::Client(_))
            .then(|| Grants::new(scopes.clone(), self.compiler.requirements()));
        let session = match claims.session_id() {
            Some(sid) => Some(SessionId::new(sid).ok()?),
            None => None,
        };
        let tenant = match claims.tenant() {
            Some(tenant) => Some(TenantId::new(tenant).ok()?),
            None => None,
        };
        let stamps = self.token_stamps(&subject, session.as_ref(), claims.jti());
        Some(Token {
            identity: Arc::new(Identity {
                mode: Mode::Jwt,
                credential: CredentialId::new(claims.jti().unwrap_or("-")).ok()?,
                subject,
                scopes,
                expires_at: Some(claims.expires_at()),
                session,
            }),
            grants,
            tenant,
            tenancy: None,
            jti: claims.jti().map(Into::into),
            epoch: claims.epoch().unwrap_or(0),
            good_until,
            stamps,
        })
    }

    fn token_stamps(
        &self,
        subject: &Subject,
        session: Option<&SessionId>,
        jti: Option<&str>,
    ) -> [Stamp; 5] {
        let (holder, client) = match subject {
            Subject::User(id) => (ChangeKey::User(id.as_str().into()), None),
            Subject::Client(id) => (ChangeKey::Client(id.as_str().into()), Some(id.as_str())),
        };
        let holder = self.changes.stamp(&holder);
        [
            holder,
            client.map_or(holder, |id| {
                let record = ChangeKey::Credential(SecretKind::Client, id.into());
                self.changes.stamp(&record)
            }),
            client.map_or(holder, |_| {
                self.changes.stamp(&ChangeKey::Tenant("".into()))
            }),
            session.map_or(holder, |id| {
                self.changes.stamp(&ChangeKey::Session(id.as_str().into()))
            }),
            jti.map_or(holder, |id| {
                self.changes.stamp(&ChangeKey::Token(id.into()))
            }),
        ]
    }

    /// Asks whether everything that the token depends on still stands, under generations taken before asking. Answers the
    /// token as it is now known; `None` where that is no news.
    async fn read_standing(&self, token: &Token) -> Result<Option<Token>, AuthError> {
        let identity = &token.identity;
        let jti = token.jti.as_deref();
        let stamps = self.token_stamps(&identity.subject, identity.session.as_ref(), jti);
        let reference = match &identity.subject {
            Subject::User(id) => TokenRef::user(
                id.as_str(),
                identity.session.as_ref().map(SessionId::as_str),
                jti,
            ),
            Subject::Client(id) => TokenRef::client(id.as_str(), jti),
        };
        let standing = self
            .revocations
            .standing(reference)
            .await
            .map_err(store_failed)?;
        still_stands(token.epoch, standing)?;
        let tenancy = match (&identity.subject, &token.tenant) {
            (Subject::Client(client), Some(tenant)) => {
                Some(self.read_client(client, tenant).await?)
            }
            _ => None,
        };
        if stamps == token.stamps && same_tenancy(tenancy.as_deref(), token.tenancy.as_deref()) {
            return Ok(None);
        }
        Ok(Some(Token {
            identity: Arc::clone(identity),
            grants: token
                .grants
                .as_ref()
                .map(|_| Grants::new(identity.scopes.clone(), self.compiler.requirements())),
            tenant: token.tenant.clone(),
            tenancy,
            jti: token.jti.clone(),
            epoch: token.epoch,
            good_until: token.good_until,
            stamps,
        }))
    }

    /// The tenant of a machine, read from its record. A token outlives neither the record nor the record's tenant.
    async fn read_client(
        &self,
        client: &CredentialId,
        tenant: &TenantId,
    ) -> Result<Arc<Tenancy>, AuthError> {
        let record = self
            .credentials
            .find(SecretKind::Client, client.as_str())
            .await
            .map_err(store_failed)?
            .filter(|record| record.revoked_at.is_none() && record.tenant.id() == tenant)
            .ok_or(Cause::Revoked)?;
        Ok(Arc::new(Tenancy::new(record.tenant, None)))
    }

    /// The place, if the request needs none or memory knows it; the outer `None` asks the store.
    fn known_tenancy(&self, token: &Token, request: Request<'_>) -> Option<Place> {
        let Some((user, tenant)) = tenant_of(token, request) else {
            return Some(Ok(token.tenancy.clone()));
        };
        let tenancy = self.known_place(user, tenant, request.policy.realm())?;
        Some(within(token, tenancy))
    }

    async fn read_tenancy(&self, token: &Token, request: Request<'_>) -> Result<Place, AuthError> {
        let Some((user, tenant)) = tenant_of(token, request) else {
            return Ok(Ok(token.tenancy.clone()));
        };
        let tenancy = self
            .read_place(user, tenant, request.policy.realm())
            .await?;
        Ok(tenancy
            .ok_or(Cause::NoMembership)
            .and_then(|tenancy| within(token, tenancy)))
    }

    fn conclude_token(
        self: &Arc<Self>,
        token: &Token,
        place: Place,
        request: Request<'_>,
        nanos: u64,
    ) -> Admission {
        let identity = Arc::clone(&token.identity);
        match place {
            Ok(tenancy) => {
                let principal = Principal { identity, tenancy };
                self.decide(&principal, token.grants.as_ref(), request, nanos)
            }
            Err(cause) => {
                let tenancy = None;
                let principal = Principal { identity, tenancy };
                self.refuse(&principal, cause.into(), request, nanos)
            }
        }
    }
}

/// A token that is bound to a tenant is good in no other, whatever its user may do there.
fn within(token: &Token, tenancy: Arc<Tenancy>) -> Place {
    match &token.tenant {
        Some(bound) if bound != tenancy.tenant().id() => Err(Cause::NoMembership),
        _ => Ok(Some(tenancy)),
    }
}

fn same_tenancy(ours: Option<&Tenancy>, theirs: Option<&Tenancy>) -> bool {
    ours.map(Tenancy::tenant) == theirs.map(Tenancy::tenant)
}

/// The tenant that a user's request is made in: the path's, else the token's. A machine has no membership but its
/// record's tenant.
fn tenant_of<'a>(token: &'a Token, request: Request<'a>) -> Option<(&'a UserId, TenantRef<'a>)> {
    if !request.policy.accepts(Mode::Jwt) {
        return None;
    }
    let user = token.identity.subject.user()?;
    let realm = request.policy.realm();
    if request.policy.tenant_parameter().is_some() {
        return Some((user, TenantRef::Slug(realm.tenant_kind()?, request.tenant?)));
    }
    Some((user, TenantRef::Id(token.tenant.as_ref()?)))
}

/// The issuer to try. With one, its verifier judges `iss`; with several, the claim only picks among those configured.
fn trusted<'a>(realm: &'a Realm, text: &str) -> Result<&'a TokenTrust, Cause> {
    match realm.tokens() {
        // No JWT can be proven here, so none is the right kind of credential.
        [] => Err(Cause::WrongModeJwt),
        [only] => Ok(only),
        several => {
            let issuer = insecure_unverified_issuer(text).ok_or(Cause::JwtMalformed)?;
            several
                .iter()
                .find(|trust| trust.verifier().issuer() == issuer)
                .ok_or(Cause::JwtIssuer)
        }
    }
}

fn still_stands(epoch: u64, standing: TokenStanding) -> Result<(), Cause> {
    if standing.denied {
        return Err(Cause::TokenDenied);
    }
    if standing.session_ended {
        return Err(Cause::SessionEnded);
    }
    if standing.epoch != epoch {
        return Err(Cause::EpochRevoked);
    }
    Ok(())
}

const fn cause_of(error: JwtError) -> Cause {
    match error {
        JwtError::Expired => Cause::JwtExpired,
        JwtError::NotYetValid => Cause::JwtNotYetValid,
        JwtError::Issuer => Cause::JwtIssuer,
        JwtError::Audience => Cause::JwtAudience,
        JwtError::Signature => Cause::JwtSignature,
        JwtError::UnknownKey => Cause::JwtUnknownKey,
        JwtError::Algorithm => Cause::JwtAlgorithm,
        JwtError::Type => Cause::JwtType,
        JwtError::Header | JwtError::ForbiddenHeader => Cause::JwtHeader,
        JwtError::Malformed | JwtError::DuplicateMember => Cause::JwtMalformed,
        _ => Cause::JwtClaims,
    }
}
