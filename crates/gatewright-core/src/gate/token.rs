//! The ladder for signed tokens.
//!
//! A token that was verified before is found again by its signature; only what can change since is looked at: the keys,
//! the revocation epochs and deny-list, the membership.

use std::sync::{Arc, OnceLock};

use super::builder::MAX_TOKEN_LIFE_SECS;
use super::caller::Caller;
use super::decide::Answer;
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

/// A token whose signature and claims hold, and its holder: a machine in the tenant of its record, a user in none until the token
/// is used in one. Nothing of it changes. What is read anew takes its place in the cache, so that a hit looks at all of it where it
/// lies, and asks nobody whether it still counts.
pub(super) struct Token {
    claimed: Claimed,
    /// The generations of everything that the standing was read under: user or client, session, token.
    stamps: [Stamp; 3],
    /// Of a user in a tenant.
    place: Option<Place>,
    /// Most tokens are used in one tenant, and who would be kept for none beside it takes as much memory.
    caller: Caller,
    /// A user in no tenant, where the caller is in one and the token is used elsewhere too.
    alone: OnceLock<Box<Caller>>,
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

impl Token {
    fn new(
        claimed: Claimed,
        identity: Identity,
        tenancy: Option<Arc<Tenancy>>,
        stamps: [Stamp; 3],
    ) -> Self {
        Self {
            claimed,
            stamps,
            place: None,
            caller: Caller::new(identity, tenancy),
            alone: OnceLock::new(),
            charged: Remembered::new(),
        }
    }

    /// The same token, used in a tenant.
    fn seated(&self, place: Place) -> Self {
        let tenancy = Some(Arc::clone(&place.tenancy));
        let claimed = self.claimed.clone();
        Self {
            place: Some(place),
            ..Self::new(claimed, self.identity().clone(), tenancy, self.stamps)
        }
    }

    /// Of this thread's copy: what lies beside the count of another's is passed from core to core.
    #[inline]
    fn identity(&self) -> &Identity {
        self.caller.principal().identity()
    }

    /// What the scopes of a machine's token answer; a user's is judged by role.
    #[inline]
    fn grants(&self) -> Option<&Grants> {
        let machine = self.claimed.machine.as_deref();
        machine.map(|machine| &machine.grants)
    }

    fn jti(&self) -> Option<&str> {
        let has_jti = self.claimed.has_jti;
        has_jti.then(|| self.identity().credential.as_str())
    }

    /// The holder where no tenant is asked for: a machine in the tenant of its record, a user in none.
    #[inline]
    fn alone(&self) -> &Principal {
        let alone = || Box::new(Caller::new(self.identity().clone(), None));
        match &self.place {
            None => self.caller.principal(),
            Some(_) => self.alone.get_or_init(alone).principal(),
        }
    }

    /// The place, where the token is good in it: one that is bound to a tenant is good in no other, whatever its user may do
    /// there.
    fn within(&self, place: Option<Place>) -> Option<Place> {
        let bound = self.claimed.tenant();
        place.filter(|place| bound.is_none_or(|bound| bound == place.tenancy.tenant().id()))
    }
}

impl Shared {
    /// The answer to a token that was verified before, if memory knows all that it takes. `text` need not be a token at all.
    pub(super) fn admit_known_token(
        &self,
        text: &[u8],
        request: &Request<'_>,
        answer: &mut Answer,
    ) {
        if !self.watch.serves_from_memory(request.nanos) {
            return;
        }
        for trust in request.policy.realm().tokens() {
            let generation = trust.keys().generation();
            let judge = |token: &Arc<Token>| {
                let keep = |token| {
                    // It is text, as the token that was found is.
                    if let Ok(text) = std::str::from_utf8(text) {
                        self.keep(text, trust, generation, token, request.now);
                    }
                };
                self.judge_known_token(token, keep, request, answer);
            };
            let found = self
                .tokens
                .look(text, trust.id(), generation, request.now, judge);
            if found.is_some() {
                return;
            }
        }
        if let Some(admission) = self.admit_known_external(text, request) {
            *answer = Answer::Other(admission);
        }
    }

    pub(super) fn admit_token(
        self: &Arc<Self>,
        presented: JwtShape<'_>,
        request: &Request<'_>,
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
            let (mut token, mut is_new) = match shared.read_standing(&token).await? {
                Some(read) => (Arc::new(read), true),
                None => (token, !is_cached),
            };
            let asked = request.at(shared.clock.monotonic_nanos());
            let place = match tenant_of(&token, &asked) {
                Some((user, tenant)) => {
                    let realm = asked.policy.realm();
                    let place = shared.read_place(user, tenant, realm).await;
                    place.map(|place| Some(token.within(place)))
                }
                None => Ok(None),
            };
            if let Ok(Some(Some(place))) = &place
                && let Some(seated) = shared.seat(&token, place)
            {
                (token, is_new) = (seated, true);
            }
            if is_new {
                let (kept, now) = (Arc::clone(&token), request.now);
                shared.keep(&text, &trust, generation, kept, now);
            }
            let asked = request.at(shared.clock.monotonic_nanos());
            let concluded = match place? {
                Some(place) => shared.conclude_in(&token, place, &asked),
                None => shared.conclude_token(&token, token.alone(), &asked),
            };
            concluded.decided().await
        })))
    }

    /// Keeps a token. It carries the generations that it was read under, so that what is overtaken by a change, or takes the place
    /// of something newer, is worthless and not wrong.
    fn keep(
        &self,
        text: &str,
        trust: &TokenTrust,
        generation: u64,
        token: Arc<Token>,
        now: Timestamp,
    ) {
        let good_until = token.claimed.good_until;
        self.tokens
            .insert(text, trust.id(), generation, good_until, now, token);
    }

    /// The answer, if memory knows all that it takes. The token is looked at where it lies: a warm call copies nothing and
    /// counts no reference. `keep` puts another token in its place.
    #[inline]
    fn judge_known_token(
        &self,
        token: &Token,
        keep: impl FnOnce(Arc<Token>),
        request: &Request<'_>,
        answer: &mut Answer,
    ) {
        let machine = token.claimed.machine.as_deref();
        if !self.is_current(&token.stamps)
            || machine.is_some_and(|machine| !self.is_current(&machine.stamps))
        {
            return;
        }
        let holder = match tenant_of(token, request) {
            None => token.alone(),
            Some((_, tenant)) if self.is_seated(token, tenant, request) => token.caller.principal(),
            Some((user, tenant)) => {
                let elsewhere = self.judge_elsewhere(token, user, tenant, keep, request);
                if let Some(admission) = elsewhere {
                    *answer = Answer::Other(admission);
                }
                return;
            }
        };
        if !is_meant_for(token, holder, request) {
            *answer = Answer::Other(Admission::Ready(Err(Cause::JwtAudience.into())));
            return;
        }
        self.decide_known(holder, token.grants(), &token.charged, request, answer);
    }

    /// Whether the place that is kept with the token is that in this tenant, and still counts.
    #[inline]
    fn is_seated(&self, token: &Token, tenant: TenantRef<'_>, request: &Request<'_>) -> bool {
        let place = token.place.as_ref();
        place.is_some_and(|place| {
            place.is_in(tenant, request.policy.realm()) && self.is_current(&place.stamps)
        })
    }

    /// The answer in another place than the one that is kept with the token.
    #[inline(never)]
    fn judge_elsewhere(
        &self,
        token: &Token,
        user: &UserId,
        tenant: TenantRef<'_>,
        keep: impl FnOnce(Arc<Token>),
        request: &Request<'_>,
    ) -> Option<Admission> {
        let place = self.known_place(user, tenant, request.policy.realm())?;
        let place = token.within(Some(place));
        if let Some(place) = &place
            && let Some(seated) = self.seat(token, place)
        {
            keep(seated);
        }
        Some(self.conclude_in(token, place, request))
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
        let (identity, claimed) = (token.identity(), &token.claimed);
        let jti = token.jti();
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
        let is_known = token.place.is_some() || tenant == token.caller.any().tenant();
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

    /// The token with this place beside it, unless the one that it has still counts: a token that is used in many tenants at once
    /// keeps the first, and would otherwise be kept anew at every call.
    fn seat(&self, token: &Token, place: &Place) -> Option<Arc<Token>> {
        let counts = |kept: &Place| self.is_current(&kept.stamps);
        let is_seated = token.place.as_ref().is_some_and(counts);
        (!is_seated).then(|| Arc::new(token.seated(place.clone())))
    }

    /// Judges a user in a place that was read; `None` where the user has none that the token is good in.
    #[inline(never)]
    fn conclude_in(&self, token: &Token, place: Option<Place>, request: &Request<'_>) -> Admission {
        let Some(Place { tenancy, .. }) = place else {
            let cause = Cause::NoMembership;
            return self.refuse(token.alone(), cause.into(), &token.charged, request);
        };
        let kept = token.place.as_ref();
        if kept.is_some_and(|kept| Arc::ptr_eq(&kept.tenancy, &tenancy)) {
            return self.conclude_token(token, token.caller.principal(), request);
        }
        let caller = Principal::new(token.identity().clone(), Some(tenancy));
        self.conclude_token(token, &caller, request)
    }

    fn conclude_token(
        &self,
        token: &Token,
        holder: &Principal,
        request: &Request<'_>,
    ) -> Admission {
        if !is_meant_for(token, holder, request) {
            return Admission::Ready(Err(Cause::JwtAudience.into()));
        }
        self.decide(holder, token.grants(), &token.charged, request)
    }
}

/// Whether a token that is for one tenant's audience, if it is, is used there.
#[inline]
fn is_meant_for(token: &Token, holder: &Principal, request: &Request<'_>) -> bool {
    let bound = token.claimed.bound.as_deref();
    let audience = bound.and_then(|bound| bound.audience.as_deref());
    audience.is_none_or(|audience| is_audience(audience, holder, request))
}

/// The tenant that a user's request is made in: the path's, else the token's. A machine has no membership but its
/// record's tenant.
#[inline]
fn tenant_of<'a>(token: &'a Token, request: &Request<'a>) -> Option<(&'a UserId, TenantRef<'a>)> {
    if !request.policy.accepts(Mode::Jwt) {
        return None;
    }
    let user = token.identity().subject.user()?;
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
fn is_audience(slug: &str, holder: &Principal, request: &Request<'_>) -> bool {
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
