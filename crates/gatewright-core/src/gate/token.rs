//! The ladder for signed tokens.
//!
//! A token that was verified before is found again by its signature; only what can change since is looked at: the keys,
//! the revocation epochs and deny-list, the membership.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use super::builder::MAX_TOKEN_LIFE_SECS;
use super::caller::Caller;
use super::place::Place;
use super::shared::{Request, Shared, store_failed};
use super::{Admission, Pending};
use crate::credential::{JwtShape, SecretKind};
use crate::error::{AuthError, Cause};
use crate::jwt::{Claims, JwtError, ScopeClaim, insecure_unverified_issuer};
use crate::limit::Remembered;
use crate::policy::{Grants, Realm, TokenTrust};
use crate::principal::{
    CredentialId, Identity, Mode, Principal, SessionId, Subject, Tenancy, TenantId, UserId,
};
use crate::scope::ScopeSet;
use crate::store::{ChangeKey, Stamp, TenantRef, TokenRef, TokenStanding};
use crate::time::Timestamp;

/// How many sets of scopes are shared by tokens, of which an issuer has few.
pub(super) const SHARED_SCOPES: usize = 1_024;
/// In bytes. Longer ones are each token's own.
const LONGEST_SHARED_SCOPES: usize = 512;

/// A token whose signature and claims hold.
pub(super) struct Token {
    claimed: Claimed,
    seat: ArcSwap<Seat>,
    /// A user in no tenant, where the seat is in one and the token is used elsewhere too.
    alone: OnceLock<Box<Caller>>,
    /// The generations of everything that the standing was read under: user or client, session, token.
    stamps: [Stamp; 3],
    charged: Remembered,
}

/// What a token says besides whose it is.
#[derive(Clone)]
struct Claimed {
    /// Apart, as most tokens are a user's.
    machine: Option<Box<Machine>>,
    /// Apart, as most tokens name no tenant.
    bound: Option<Box<Bound>>,
    /// Whether the token has a `jti`, which then is the identity's credential.
    has_jti: bool,
    epoch: u64,
    /// From when the token is verified again.
    good_until: Timestamp,
}

/// What is known of a machine's token alone.
#[derive(Clone)]
struct Machine {
    /// What its scopes answer; a user's token is judged by role.
    grants: Grants,
    /// The generations of its record and of tenants, under which the standing was read.
    stamps: [Stamp; 2],
}

/// Where a token is good, if not everywhere.
#[derive(Clone)]
struct Bound {
    /// The tenant that the token is bound to.
    tenant: Option<TenantId>,
    /// The slug of the tenant whose audience the token names, where that rule is the one that it was accepted by.
    audience: Option<Box<str>>,
}

impl Claimed {
    fn tenant(&self) -> Option<&TenantId> {
        self.bound.as_ref()?.tenant.as_ref()
    }
}

/// The holder of a token: a machine in the tenant of its record, a user in none until the token is used in one. Most are used
/// in one, and who would be kept for none beside it takes as much memory.
struct Seat {
    /// Of a user in a tenant.
    place: Option<Place>,
    caller: Caller,
}

impl Seat {
    fn identity(&self) -> &Identity {
        self.caller.any().identity()
    }
}

impl Token {
    fn new(
        claimed: Claimed,
        identity: Identity,
        tenancy: Option<Arc<Tenancy>>,
        stamps: [Stamp; 3],
    ) -> Self {
        Self {
            claimed,
            seat: ArcSwap::from_pointee(Seat {
                place: None,
                caller: Caller::new(identity, tenancy),
            }),
            alone: OnceLock::new(),
            stamps,
            charged: Remembered::new(),
        }
    }

    fn jti<'a>(&self, identity: &'a Identity) -> Option<&'a str> {
        self.claimed.has_jti.then(|| identity.credential.as_str())
    }

    /// The holder where no tenant is asked for: a machine in the tenant of its record, a user in none. `seat` is the token's.
    fn alone<'a>(&'a self, seat: &'a Seat) -> &'a Principal {
        let alone = || Box::new(Caller::new(seat.identity().clone(), None));
        match &seat.place {
            None => seat.caller.principal(),
            Some(_) => self.alone.get_or_init(alone).principal(),
        }
    }
}

impl Shared {
    /// The answer to a token that was verified before, if memory knows all that it takes. `text` need not be a token at all.
    pub(super) fn admit_known_token(&self, text: &[u8], request: Request<'_>) -> Option<Admission> {
        if !self.watch.serves_from_memory(request.nanos) {
            return None;
        }
        let judge = |token: &Arc<Token>| self.judge_known_token(token, request);
        let trusts = request.policy.realm().tokens();
        let found = trusts.iter().find_map(|trust| {
            let generation = trust.keys().generation();
            self.tokens
                .look(text, trust.id(), generation, request.now, judge)
        });
        found
            .flatten()
            .or_else(|| self.admit_known_external(text, request))
    }

    pub(super) fn admit_token(
        self: &Arc<Self>,
        presented: JwtShape<'_>,
        request: Request<'_>,
    ) -> Admission {
        if let Some(admission) = self.admit_external(presented, request) {
            return admission;
        }
        let text = presented.expose();
        let realm = request.policy.realm();
        let known = realm.tokens().iter().find_map(|trust| {
            let generation = trust.keys().generation();
            let token = self.tokens.get(text, trust.id(), generation, request.now)?;
            Some((trust, generation, token))
        });
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
                    token.claimed.good_until,
                    request.now,
                    Arc::clone(&token),
                );
            }
            let asked = request.at(shared.clock.monotonic_nanos());
            let seat = token.seat.load_full();
            let place = match tenant_of(&token, &seat, asked) {
                Some((user, tenant)) => {
                    let realm = asked.policy.realm();
                    Some(shared.read_place(user, tenant, realm).await?)
                }
                None => None,
            };
            let asked = request.at(shared.clock.monotonic_nanos());
            let concluded = match place {
                Some(place) => shared.conclude_in(&token, place, asked),
                None => shared.conclude_token(&token, token.alone(&seat), asked),
            };
            concluded.decided().await
        })))
    }

    /// The answer, if memory knows all that it takes. The token is looked at where it lies: a warm call copies nothing and
    /// counts no reference.
    fn judge_known_token(&self, token: &Token, request: Request<'_>) -> Option<Admission> {
        let machine = token.claimed.machine.as_deref();
        if !self.is_current(&token.stamps)
            || machine.is_some_and(|machine| !self.is_current(&machine.stamps))
        {
            return None;
        }
        let seat = token.seat.load();
        let Some((user, tenant)) = tenant_of(token, &seat, request) else {
            return Some(self.conclude_token(token, token.alone(&seat), request));
        };
        let realm = request.policy.realm();
        if let Some(place) = &seat.place
            && place.is_in(tenant, realm)
            && self.is_current(&place.stamps)
        {
            return Some(self.conclude_token(token, seat.caller.principal(), request));
        }
        let place = self.known_place(user, tenant, realm)?;
        Some(self.conclude_in(token, Some(place), request))
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
        // The longest life counts from here: a later reading of the standing does not prolong it.
        let longest = now.saturating_add(MAX_TOKEN_LIFE_SECS);
        let good_until = trust.verifier().valid_until(&claims).min(longest);
        let audience = trust.verifier().tenant_in_audience(&claims);
        let token = self
            .token(&claims, audience, good_until)
            .ok_or(Cause::JwtClaims)?;
        Ok((trust, generation, Arc::new(token)))
    }

    /// What the claims say; `None` where one of them cannot be an identifier or a scope.
    fn token(
        &self,
        claims: &Claims,
        audience: Option<&str>,
        good_until: Timestamp,
    ) -> Option<Token> {
        let name = claims.subject()?;
        // A machine's token names the client twice (RFC 9068 §2.2): that is how it is told from a person's.
        let subject = if claims.client_id() == Some(name) {
            Subject::Client(CredentialId::new(name).ok()?)
        } else {
            Subject::User(UserId::new(name).ok()?)
        };
        let scopes = match claims.scope() {
            ScopeClaim::Absent => ScopeSet::default(),
            ScopeClaim::Text(text) => self.scopes(text)?,
            ScopeClaim::List(list) => list
                .iter()
                .map(|scope| scope.parse().ok())
                .collect::<Option<_>>()?,
            ScopeClaim::Malformed => return None,
        };
        let machine = match &subject {
            Subject::Client(id) => Some(Box::new(Machine {
                grants: Grants::new(&scopes, self.compiler.requirements()),
                stamps: self.machine_stamps(id),
            })),
            _ => None,
        };
        let session = match claims.session_id() {
            Some(sid) => Some(SessionId::new(sid).ok()?),
            None => None,
        };
        let tenant = match claims.tenant() {
            Some(tenant) => Some(TenantId::new(tenant).ok()?),
            None => None,
        };
        let stamps = self.token_stamps(&subject, session.as_ref(), claims.jti());
        let identity = Identity {
            mode: Mode::Jwt,
            credential: CredentialId::new(claims.jti().unwrap_or("-")).ok()?,
            subject,
            scopes,
            expires_at: Some(claims.expires_at()),
            session,
        };
        let audience = audience.map(Box::from);
        let is_bound = tenant.is_some() || audience.is_some();
        let claimed = Claimed {
            machine,
            bound: is_bound.then(|| Box::new(Bound { tenant, audience })),
            has_jti: claims.jti().is_some(),
            epoch: claims.epoch().unwrap_or(0),
            good_until,
        };
        Some(Token::new(claimed, identity, None, stamps))
    }

    /// The scopes that a token names; one copy for all whose issuer wrote the same.
    fn scopes(&self, text: &str) -> Option<ScopeSet> {
        if text.len() > LONGEST_SHARED_SCOPES {
            return ScopeSet::parse(text).ok();
        }
        if let Some(known) = self.scopes.get(text) {
            return Some(known);
        }
        let scopes = ScopeSet::parse(text).ok()?;
        self.scopes.insert(text.into(), scopes.clone());
        Some(scopes)
    }

    fn token_stamps(
        &self,
        subject: &Subject,
        session: Option<&SessionId>,
        jti: Option<&str>,
    ) -> [Stamp; 3] {
        let holder = self.changes.stamp(&match subject {
            Subject::User(id) => ChangeKey::User(id.as_str().into()),
            Subject::Client(id) => ChangeKey::Client(id.as_str().into()),
            // Never the subject of a token of ours.
            Subject::External(_) | Subject::Visitor(_) => ChangeKey::Everything,
        });
        [
            holder,
            session.map_or(holder, |id| {
                self.changes.stamp(&ChangeKey::Session(id.as_str().into()))
            }),
            jti.map_or(holder, |id| {
                self.changes.stamp(&ChangeKey::Token(id.into()))
            }),
        ]
    }

    fn machine_stamps(&self, client: &CredentialId) -> [Stamp; 2] {
        let record = ChangeKey::Credential(SecretKind::Client, client.as_str().into());
        [record, ChangeKey::Tenant("".into())].map(|key| self.changes.stamp(&key))
    }

    /// Asks whether everything that the token depends on still stands, under generations taken before asking. Answers the
    /// token as it is now known; `None` where that is no news.
    async fn read_standing(&self, token: &Token) -> Result<Option<Token>, AuthError> {
        let seat = token.seat.load_full();
        let (identity, claimed) = (seat.identity(), &token.claimed);
        let jti = token.jti(identity);
        let stamps = self.token_stamps(&identity.subject, identity.session.as_ref(), jti);
        let mut claimed = claimed.clone();
        let mut is_news = stamps != token.stamps;
        if let (Subject::Client(client), Some(machine)) = (&identity.subject, &mut claimed.machine)
        {
            let read_under = self.machine_stamps(client);
            is_news |= machine.stamps != read_under;
            machine.stamps = read_under;
        }
        let reference = match &identity.subject {
            Subject::User(id) => TokenRef::user(
                id.as_str(),
                identity.session.as_ref().map(SessionId::as_str),
                jti,
            ),
            Subject::Client(id) => TokenRef::client(id.as_str(), jti),
            Subject::External(_) | Subject::Visitor(_) => return Err(Cause::JwtIssuer.into()),
        };
        let standing = self
            .revocations
            .standing(reference)
            .await
            .map_err(store_failed)?;
        still_stands(claimed.epoch, standing)?;
        let tenancy = match (&identity.subject, claimed.tenant()) {
            (Subject::Client(client), Some(tenant)) => {
                Some(self.read_client(client, tenant).await?)
            }
            _ => None,
        };
        // A user has no tenant by the token alone, and the place of one is not asked for here.
        let tenant = tenancy.as_deref().map(Tenancy::tenant);
        let is_known = seat.place.is_some() || tenant == seat.caller.any().tenant();
        if !is_news && is_known {
            return Ok(None);
        }
        Ok(Some(Token::new(claimed, identity.clone(), tenancy, stamps)))
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
        Ok(self.tenancy(record.tenant, None))
    }

    /// Judges a user in a place that was read; `None` where the user has none.
    fn conclude_in(&self, token: &Token, place: Option<Place>, request: Request<'_>) -> Admission {
        let kept = token.seat.load();
        let bound = token.claimed.tenant();
        // A token that is bound to a tenant is good in no other, whatever its user may do there.
        let place =
            place.filter(|place| bound.is_none_or(|bound| bound == place.tenancy.tenant().id()));
        let Some(place) = place else {
            let cause = Cause::NoMembership;
            let alone = token.alone(&kept);
            return self.refuse(alone, cause.into(), &token.charged, request);
        };
        let (identity, tenancy) = (kept.identity().clone(), Some(Arc::clone(&place.tenancy)));
        // A token that is used in many tenants at once keeps the first: it would otherwise write at every call.
        let keeps = |kept: &Place| self.is_current(&kept.stamps);
        if kept.place.as_ref().is_some_and(keeps) {
            return self.conclude_token(token, &Principal::new(identity, tenancy), request);
        }
        let seat = Arc::new(Seat {
            place: Some(place),
            caller: Caller::new(identity, tenancy),
        });
        token.seat.store(Arc::clone(&seat));
        self.conclude_token(token, seat.caller.principal(), request)
    }

    fn conclude_token(&self, token: &Token, holder: &Principal, request: Request<'_>) -> Admission {
        let bound = token.claimed.bound.as_deref();
        if let Some(audience) = bound.and_then(|bound| bound.audience.as_deref())
            && !is_audience(audience, holder, request)
        {
            return Admission::Ready(Err(Cause::JwtAudience.into()));
        }
        self.decide(
            holder,
            token
                .claimed
                .machine
                .as_deref()
                .map(|machine| &machine.grants),
            &token.charged,
            request,
        )
    }
}

/// The tenant that a user's request is made in: the path's, else the token's. A machine has no membership but its
/// record's tenant.
fn tenant_of<'a>(
    token: &'a Token,
    seat: &'a Seat,
    request: Request<'a>,
) -> Option<(&'a UserId, TenantRef<'a>)> {
    if !request.policy.accepts(Mode::Jwt) {
        return None;
    }
    let user = seat.identity().subject.user()?;
    let realm = request.policy.realm();
    if request.policy.tenant_parameter().is_some() {
        return Some((user, TenantRef::Slug(realm.tenant_kind()?, request.tenant?)));
    }
    Some((user, TenantRef::Id(token.claimed.tenant()?)))
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

/// Whether a token for this tenant's audience is used by somebody of that tenant, and there.
fn is_audience(slug: &str, holder: &Principal, request: Request<'_>) -> bool {
    holder.tenant().is_some_and(|tenant| tenant.slug() == slug)
        && request.tenant.is_none_or(|named| named == slug)
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

pub(super) const fn cause_of(error: JwtError) -> Cause {
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
