//! Visitors at the gate: who is new, who is known again, and what both may do.

use std::sync::Arc;

use gatewright_core::audit::{AuditEvent, AuditKind, AuditSink};
use gatewright_core::cookie::{Cookie, SameSite, TrustedOrigins};
use gatewright_core::credential::Field;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::gate::{Admitted, Arrival, Coherence, Gate, Guarded};
use gatewright_core::limit::Rate;
use gatewright_core::policy::{CompiledPolicy, Limits, Policy, PolicyError, Realm};
use gatewright_core::principal::{Mode, Subject, VisitorId};
use gatewright_core::scope::{Scope, ScopeSet};
use gatewright_core::session::{
    Visit, VisitorError, VisitorKey, VisitorKeys, VisitorSeal, VisitorTerms, VisitorTrust, Visitors,
};
use gatewright_core::time::Timestamp;

use crate::fixture::{ELSEWHERE, HOME, NOW, World, cause, roles, set};

const NAME: &str = "__Host-visitor";
const PAGE: Scope = Scope::from_static("pages.read:launch");
const IDLE: u64 = 1_000;
const ABSOLUTE: u64 = 10_000;

fn key(id: u32) -> VisitorKey {
    VisitorKey::from_bytes(id, &[id as u8; 32]).unwrap()
}

/// Keys of these numbers, the newest first.
fn keys(ids: &[u32]) -> Arc<VisitorKeys> {
    let (newest, older) = ids.split_first().unwrap();
    let older = older.iter().map(|id| key(*id));
    Arc::new(VisitorKeys::new(key(*newest), older).unwrap())
}

fn cookie() -> Cookie {
    let cookie = Cookie::host("visitor", SameSite::Lax).max_age_secs(IDLE);
    cookie.build().unwrap()
}

fn origins() -> TrustedOrigins {
    let ours = TrustedOrigins::of("https://api.example/").unwrap();
    ours.origin("https://app.example").unwrap()
}

fn trust(ids: &[u32]) -> VisitorTrust {
    let terms = VisitorTerms::new(IDLE, ABSOLUTE).unwrap();
    VisitorTrust::new(cookie(), keys(ids), terms, origins())
}

/// A site with visitors, and a gate for it.
struct Site {
    world: World,
    realm: Realm,
    policy: Arc<CompiledPolicy>,
}

impl Site {
    async fn new() -> Self {
        Self::with(Limits::none(), World::new().await)
    }

    fn with(limits: Limits, world: World) -> Self {
        let realm = Realm::builder("public").roles(roles()).limits(limits);
        let realm = realm.visitors(trust(&[2, 1])).build();
        let policy = world.gate.compile(&Policy::visitor(), &realm).unwrap();
        Self {
            world,
            realm,
            policy,
        }
    }

    fn compile(&self, policy: Policy) -> Arc<CompiledPolicy> {
        self.world.gate.compile(&policy, &self.realm).unwrap()
    }

    fn visitors(&self) -> &Visitors {
        self.realm.visitors().unwrap()
    }

    /// A cookie as a key sealed it.
    fn cookie(&self, ids: &[u32], visit: &Visit) -> String {
        let seal = VisitorSeal::new(keys(ids), NAME, "public");
        format!("{NAME}={}", seal.seal(visit).unwrap().expose())
    }

    /// A safe request with this `Cookie` line.
    async fn visit(&self, cookie: &str) -> Admitted {
        self.ask(&self.policy, &[(Field::Cookie, cookie)])
            .await
            .unwrap()
    }

    async fn ask(
        &self,
        policy: &Arc<CompiledPolicy>,
        fields: &[(Field, &str)],
    ) -> Result<Admitted, AuthError> {
        let arrival = Arrival::new().source(Some(HOME)).safe_method(true);
        ask(&self.world.gate, policy, fields, &arrival).await
    }
}

async fn ask(
    gate: &Gate,
    policy: &Arc<CompiledPolicy>,
    fields: &[(Field, &str)],
    arrival: &Arrival<'_>,
) -> Result<Admitted, AuthError> {
    let fields: Vec<_> = fields
        .iter()
        .map(|(field, value)| (*field, value.as_bytes()))
        .collect();
    gate.authenticate(&fields[..], policy, arrival)
        .decided()
        .await
}

fn visit_of(minted_at: Timestamp, seen_at: Timestamp, scopes: &str) -> Visit {
    Visit::new(
        VisitorId::generate(minted_at).unwrap(),
        seen_at,
        set(scopes),
    )
}

fn visitor(admitted: &Admitted) -> VisitorId {
    let caller = admitted.principal.as_ref().unwrap();
    assert_eq!(caller.mode(), Mode::Visitor);
    let id = *caller.visitor().unwrap();
    assert_eq!(caller.subject(), &Subject::Visitor(id));
    assert_eq!(caller.credential().as_str(), id.to_string());
    assert_eq!(caller.expires_at(), Some(id.minted_at() + ABSOLUTE));
    assert!(caller.user().is_none() && caller.tenant().is_none() && caller.role().is_none());
    id
}

fn entitlements(admitted: &Admitted) -> &ScopeSet {
    admitted.principal.as_ref().unwrap().scopes()
}

/// The pair that a line sets.
fn pair(line: &str) -> &str {
    line.split_once(';').unwrap().0
}

#[tokio::test]
async fn a_new_visitor_is_known_again() {
    let site = Site::new().await;
    let first = site.ask(&site.policy, &[]).await.unwrap();
    let line = first.set_cookie.clone().unwrap();
    assert!(line.starts_with("__Host-visitor="), "{line}");
    for attribute in [
        "; Path=/",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Lax",
        "; Max-Age=1000",
    ] {
        assert!(line.contains(attribute), "{line}");
    }
    assert_eq!(visitor(&first).minted_at(), NOW);
    assert!(entitlements(&first).is_empty());

    let again = site.visit(pair(&line)).await;
    assert_eq!(visitor(&again), visitor(&first));
    assert_eq!(again.set_cookie, None);

    let other = site.ask(&site.policy, &[]).await.unwrap();
    assert_ne!(visitor(&other), visitor(&first));

    let fields = first.answer_fields(&site.policy);
    assert!(fields.is_private());
    assert_eq!(fields.vary(), Some("cookie"));
    assert_eq!(fields.set_cookie(), Some(&*line));
    let secret = pair(&line).split_once('=').unwrap().1;
    assert!(!format!("{first:?}{fields:?}").contains(secret));
    assert!(
        Guarded::new(Arc::clone(&site.policy), first)
            .caller()
            .is_ok()
    );
}

/// What becomes of a cookie: the same visitor or a new one, and whether the answer sets a cookie.
#[tokio::test]
async fn a_cookie_that_does_not_count_is_replaced_by_an_empty_one() {
    let site = Site::new().await;
    let visit = visit_of(NOW - 50, NOW - 50, "pages.read:launch");
    let good = site.cookie(&[2], &visit);
    let value = good.split_once('=').unwrap().1;
    let last = if value.ends_with('A') { "B" } else { "A" };
    let foreign = VisitorSeal::new(keys(&[2]), NAME, "another realm");
    let foreign = foreign.seal(&visit).unwrap();
    let (known, replaced, ignored) = ((true, false), (false, true), (false, false));
    for (cookie, expected) in [
        (good.clone(), known),
        (format!("theme=dark; {good}; a=b"), known),
        (site.cookie(&[3], &visit), replaced),
        (format!("{NAME}={}", foreign.expose()), replaced),
        (format!("visitor={value}"), replaced),
        (
            format!("{NAME}={}{last}", &value[..value.len() - 1]),
            replaced,
        ),
        (format!("{NAME}="), replaced),
        (format!("{NAME}=\"{value}\""), replaced),
        (format!("{NAME}={value} x"), replaced),
        (format!("{NAME}={}", "A".repeat(5_000)), replaced),
        // Which of two counts nobody knows, and the good one is not taken away for it.
        (format!("{good}; {good}"), ignored),
        (format!("{good}; {NAME}=planted"), ignored),
        (format!("{NAME}=planted; {good}"), ignored),
    ] {
        let admitted = site.visit(&cookie).await;
        let is_known = visitor(&admitted) == visit.visitor;
        assert_eq!(
            (is_known, admitted.set_cookie.is_some()),
            expected,
            "{cookie}"
        );
        assert_eq!(entitlements(&admitted).allows(&PAGE), is_known, "{cookie}");
        if let Some(line) = admitted.set_cookie.as_deref() {
            let next = site.visit(pair(line)).await;
            assert_eq!(visitor(&next), visitor(&admitted));
            assert!(entitlements(&next).is_empty());
        }
    }
}

/// The clock goes on, stands, or goes back between two visits.
#[tokio::test]
async fn a_visitor_is_known_for_so_long() {
    let site = Site::new().await;
    let day = 86_400;
    let (known, renewed, forgotten) = ((true, false), (true, true), (false, true));
    for (minted_at, seen_at, expected) in [
        (NOW, NOW, known),
        (NOW - 99, NOW - 99, known),
        (NOW - 100, NOW - 100, renewed),
        (NOW - IDLE + 1, NOW - IDLE + 1, renewed),
        (NOW - IDLE, NOW - IDLE, forgotten),
        (NOW - ABSOLUTE + 1, NOW, known),
        (NOW - ABSOLUTE + 1, NOW - 100, renewed),
        (NOW - ABSOLUTE, NOW, forgotten),
        (0, NOW, forgotten),
        // Another node's clock is ahead, or ours was set back.
        (NOW + 5, NOW + 5, known),
        (NOW - 50, NOW + day, known),
        (NOW + day, NOW + day, known),
        (NOW - 50, NOW + day + 1, forgotten),
        (NOW + day + 1, NOW + day + 1, forgotten),
        (NOW + day + 1, NOW, forgotten),
    ] {
        let visit = visit_of(minted_at, seen_at, "pages.read:launch");
        let admitted = site.visit(&site.cookie(&[2], &visit)).await;
        let found = (visitor_is(&admitted, &visit), admitted.set_cookie.is_some());
        assert_eq!(found, expected, "{minted_at} {seen_at} at {NOW}");
    }
}

fn visitor_is(admitted: &Admitted, visit: &Visit) -> bool {
    admitted.principal.as_ref().unwrap().visitor() == Some(&visit.visitor)
}

#[tokio::test]
async fn a_renewed_cookie_ends_when_the_first_would_have() {
    let site = Site::new().await;
    let visit = visit_of(NOW, NOW, "pages.read:launch");
    let mut cookie = site.cookie(&[2], &visit);
    let mut renewals = 0;
    for _ in (0..ABSOLUTE).step_by(90).skip(1) {
        site.world.clock.advance(90);
        let admitted = site.visit(&cookie).await;
        assert!(visitor_is(&admitted, &visit));
        assert!(entitlements(&admitted).allows(&PAGE));
        if let Some(line) = &admitted.set_cookie {
            renewals += 1;
            cookie = pair(line).to_owned();
        }
    }
    // Every second time, since nothing is written within a tenth of the idle time.
    assert_eq!(renewals, 55);
    site.world.clock.advance(ABSOLUTE % 90);
    let admitted = site.visit(&cookie).await;
    assert!(!visitor_is(&admitted, &visit));
    assert!(entitlements(&admitted).is_empty());
}

#[tokio::test]
async fn a_cookie_of_an_older_key_is_sealed_anew() {
    let site = Site::new().await;
    let visit = visit_of(NOW - 5, NOW - 5, "pages.read:launch");
    let admitted = site.visit(&site.cookie(&[1], &visit)).await;
    assert!(visitor_is(&admitted, &visit));
    let line = admitted.set_cookie.unwrap();
    // The old key is gone.
    let seal = VisitorSeal::new(keys(&[2]), NAME, "public");
    let opened = seal.open(pair(&line).split_once('=').unwrap().1.as_bytes());
    let renewed = opened.unwrap().visit;
    assert_eq!(renewed, Visit::new(visit.visitor, NOW, visit.entitlements));

    // Where the clock went back, the last visit does not.
    let ahead = visit_of(NOW + 5, NOW + 5, "");
    let admitted = site.visit(&site.cookie(&[1], &ahead)).await;
    let line = admitted.set_cookie.unwrap();
    let opened = seal.open(pair(&line).split_once('=').unwrap().1.as_bytes());
    assert_eq!(opened.unwrap().visit, ahead);
}

/// Whose requests pass that may change something. Neither field: no browser.
#[tokio::test]
async fn a_foreign_page_changes_nothing() {
    let site = Site::new().await;
    let cookie = site.cookie(&[2], &visit_of(NOW, NOW, ""));
    let ours = (Field::Origin, "https://api.example");
    let listed = (Field::Origin, "https://app.example");
    let foreign = (Field::Origin, "https://evil.example");
    let from = |site| (Field::SecFetchSite, site);
    for (fields, passes) in [
        (vec![], true),
        (vec![ours], true),
        (vec![ours, from("same-origin")], true),
        (vec![from("same-origin")], true),
        (vec![from("none")], true),
        (vec![listed, from("same-site")], true),
        (vec![listed, from("cross-site")], true),
        (vec![foreign], false),
        (vec![foreign, from("same-origin")], false),
        (vec![ours, foreign], false),
        (vec![(Field::Origin, "null")], false),
        (vec![from("cross-site")], false),
        (vec![from("same-site")], false),
    ] {
        for with_cookie in [true, false] {
            let mut fields = fields.clone();
            if with_cookie {
                fields.push((Field::Cookie, &cookie));
            }
            let unsafe_method = Arrival::new().source(Some(HOME));
            let changing = ask(&site.world.gate, &site.policy, &fields, &unsafe_method).await;
            match changing {
                Ok(_) => assert!(passes, "{fields:?}"),
                Err(refusal) => {
                    assert!(!passes, "{fields:?}");
                    assert_eq!(refusal.cause(), Some(Cause::ForeignOrigin));
                    assert_eq!(refusal.status(), 403);
                }
            }
            // Whoever only reads is not asked.
            assert!(site.ask(&site.policy, &fields).await.is_ok());
        }
    }
}

/// A WebSocket begins with GET, is opened by pages of any origin with the cookie, and what is said over it afterwards is
/// judged by nobody (RFC 6455 §10.2).
#[tokio::test]
async fn a_foreign_page_opens_no_websocket() {
    let site = Site::new().await;
    let cookie = site.cookie(&[2], &visit_of(NOW, NOW, ""));
    let (cookie, upgrade) = ((Field::Cookie, &*cookie), (Field::Upgrade, "websocket"));
    for (from, passes) in [
        (vec![], true),
        (vec![(Field::Origin, "https://api.example")], true),
        (vec![(Field::Origin, "https://app.example")], true),
        (vec![(Field::Origin, "https://evil.example")], false),
        (vec![(Field::Origin, "null")], false),
        (vec![(Field::SecFetchSite, "cross-site")], false),
    ] {
        let opening = [&[cookie, upgrade], &from[..]].concat();
        let opened = site.ask(&site.policy, &opening).await;
        let expected = (!passes).then_some(Cause::ForeignOrigin);
        assert_eq!(
            opened.err().and_then(|refusal| refusal.cause()),
            expected,
            "{from:?}"
        );
        let reading = [&[cookie], &from[..]].concat();
        assert!(site.ask(&site.policy, &reading).await.is_ok(), "{from:?}");
    }
}

#[tokio::test]
async fn a_page_asks_for_an_entitlement() {
    let site = Site::new().await;
    let reading = site.compile(Policy::visitor().scope("pages.read:launch"));
    for fields in [vec![], vec![(Field::Cookie, "__Host-visitor=x")]] {
        let refusal = site.ask(&reading, &fields).await.unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::InsufficientScope);
        let rendered = reading.refusal(&refusal, false);
        let challenge = rendered
            .fields
            .iter()
            .find(|(name, _)| *name == "www-authenticate");
        assert!(challenge.unwrap().1.contains("pages.read:launch"));
    }
    let first = site.ask(&site.policy, &[]).await.unwrap();
    let caller = first.principal.as_ref().unwrap();
    let page = |name: &str| format!("pages.read:{name}").parse::<Scope>().unwrap();
    let line = site.visitors().entitle(caller, page("press"), NOW).unwrap();
    let press = site.visit(pair(line.expose())).await;
    let caller = press.principal.as_ref().unwrap();
    let line = site
        .visitors()
        .entitle(caller, page("launch"), NOW)
        .unwrap();
    let cookie = pair(line.expose());

    let admitted = site
        .ask(&reading, &[(Field::Cookie, cookie)])
        .await
        .unwrap();
    assert_eq!(visitor(&admitted), visitor(&first));
    assert_eq!(
        entitlements(&admitted),
        &set("pages.read:launch pages.read:press")
    );
    assert_eq!(admitted.set_cookie, None);
    let other = site.compile(Policy::visitor().scope("pages.read:other"));
    let refused = site.ask(&other, &[(Field::Cookie, cookie)]).await;
    assert_eq!(cause(refused), Cause::MissingScope);

    // One that covers them takes their place.
    let caller = admitted.principal.as_ref().unwrap();
    let all = "pages.read".parse().unwrap();
    let line = site.visitors().entitle(caller, all, NOW).unwrap();
    let admitted = site
        .ask(&other, &[(Field::Cookie, pair(line.expose()))])
        .await
        .unwrap();
    assert_eq!(entitlements(&admitted), &set("pages.read"));
}

#[tokio::test]
async fn entitlements_are_so_many_and_for_visitors_alone() {
    let site = Site::new().await;
    let mut admitted = site.ask(&site.policy, &[]).await.unwrap();
    let mut count = 0;
    let error = loop {
        let scope = format!("pages.read:{count:0>200}").parse().unwrap();
        let caller = admitted.principal.as_ref().unwrap();
        match site.visitors().entitle(caller, scope, NOW + 900) {
            Ok(line) => {
                assert!(line.expose().len() < 4_096);
                // The clock of the gate is behind, which is nobody's loss.
                admitted = site.visit(pair(line.expose())).await;
            }
            Err(error) => break error,
        }
        count += 1;
    };
    assert_eq!(count, 12);
    assert!(matches!(error, VisitorError::TooMany(_)), "{error}");
    let world = &site.world;
    let jwt = world.jwt("alice");
    let user = world
        .ask(&jwt, &world.compile(Policy::jwt().tenant_from("handle")))
        .await
        .unwrap();
    let refused = site
        .visitors()
        .entitle(user.principal.as_ref().unwrap(), PAGE, NOW);
    assert!(matches!(refused, Err(VisitorError::NoVisitor)));
}

/// `Policy::visitor().or(…)`: the cookie counts where nothing else is presented.
#[tokio::test]
async fn a_presented_credential_decides() {
    let world = World::new().await;
    let realm = Realm::builder("public")
        .roles(roles())
        .trust(gatewright_core::policy::TokenTrust::new(
            crate::fixture::verifier(crate::fixture::HANDLE_AUDIENCE)
                .build()
                .unwrap(),
            Arc::clone(&world.keys),
        ))
        .visitors(trust(&[2, 1]))
        .build();
    let compile = |policy| world.gate.compile(&policy, &realm).unwrap();
    let (either, alone) = (
        compile(Policy::visitor().or(Policy::jwt())),
        compile(Policy::visitor()),
    );
    let keys_too = compile(Policy::visitor().or(Policy::api_key()));
    let visit = visit_of(NOW, NOW, "");
    let seal = VisitorSeal::new(keys(&[2]), NAME, "public")
        .seal(&visit)
        .unwrap();
    let cookie = format!("{NAME}={}", seal.expose());
    let jwt = format!("Bearer {}", world.jwt("alice"));
    let key = world.api_key("*").await;
    let foreign = (Field::Origin, "https://evil.example");
    fn bearer(line: &str) -> (Field, &str) {
        (Field::Authorization, line)
    }
    let visits = (Field::Cookie, &*cookie);
    // Not safe: a bearer token is not sent by a foreign page, and is not asked where it comes from.
    let arrival = Arrival::new().source(Some(HOME));
    for (policy, fields, expected) in [
        (&either, vec![bearer(&jwt), visits, foreign], Ok(Mode::Jwt)),
        (&either, vec![bearer(&jwt)], Ok(Mode::Jwt)),
        (&either, vec![visits], Ok(Mode::Visitor)),
        (&either, vec![], Ok(Mode::Visitor)),
        (&either, vec![visits, foreign], Err(Cause::ForeignOrigin)),
        (
            &either,
            vec![bearer("Bearer x.y.z"), visits],
            Err(Cause::UnknownFormat),
        ),
        (
            &either,
            vec![bearer("Basic eA=="), visits],
            Err(Cause::ForeignScheme),
        ),
        (
            &either,
            vec![bearer("Bearer "), visits],
            Err(Cause::MalformedField),
        ),
        (
            &either,
            vec![(Field::ApiKey, &*key.text), visits],
            Ok(Mode::Visitor),
        ),
        (
            &keys_too,
            vec![(Field::ApiKey, &*key.text), visits],
            Ok(Mode::ApiKey),
        ),
        (&alone, vec![bearer(&jwt), visits], Err(Cause::WrongModeJwt)),
    ] {
        let decision = ask(&world.gate, policy, &fields, &arrival).await;
        let mode = decision.map(|admitted| {
            let caller = admitted.principal.unwrap();
            assert_eq!(
                admitted.set_cookie.is_some(),
                caller.mode() == Mode::Visitor && !fields.contains(&visits)
            );
            caller.mode()
        });
        assert_eq!(
            mode.map_err(|refusal| refusal.cause().unwrap()),
            expected,
            "{fields:?}"
        );
    }
    let vary = async |policy: &Arc<CompiledPolicy>, fields: &[(Field, &str)]| {
        let admitted = ask(&world.gate, policy, fields, &arrival).await.unwrap();
        let answer = admitted.answer_fields(policy);
        assert!(answer.is_private());
        answer.vary()
    };
    assert_eq!(
        vary(&either, &[visits]).await,
        Some("cookie, authorization")
    );
    assert_eq!(
        vary(&keys_too, &[]).await,
        Some("cookie, authorization, x-api-key")
    );
    assert_eq!(vary(&either, &[bearer(&jwt)]).await, None);
}

/// Where no visitor goes, a cookie is not looked at and none is set.
#[tokio::test]
async fn other_policies_know_no_visitors() {
    let site = Site::new().await;
    let cookie = site.cookie(&[2], &visit_of(NOW, NOW, "*"));
    let visits = (Field::Cookie, &*cookie);
    let foreign = (Field::Origin, "https://evil.example");
    let refused = site.ask(&site.compile(Policy::pat()), &[visits]).await;
    assert_eq!(cause(refused), Cause::NothingPresented);
    let arrival = Arrival::new();
    for policy in [Policy::public(), Policy::pat().or(Policy::public())] {
        let policy = site.compile(policy);
        let admitted = ask(&site.world.gate, &policy, &[visits, foreign], &arrival)
            .await
            .unwrap();
        assert!(admitted.principal.is_none() && admitted.set_cookie.is_none());
    }
    // Judged once more, by what a body asks for.
    let admitted = site.visit(&cookie).await;
    let guarded = Guarded::new(Arc::clone(&site.policy), admitted);
    assert!(
        guarded
            .judge(&site.compile(Policy::visitor().scope("any.thing")))
            .is_ok()
    );
    let refusal = guarded.judge(&site.compile(Policy::pat())).unwrap_err();
    assert_eq!(refusal.cause(), Some(Cause::NothingPresented));
}

#[tokio::test]
async fn what_visitors_never_have_cannot_be_required() {
    let site = Site::new().await;
    let mistakes = |policy| site.world.gate.compile(&policy, &site.realm).unwrap_err();
    for (policy, expected) in [
        (
            Policy::visitor().role("owner"),
            vec![PolicyError::RoleWithoutMembership(Mode::Visitor)],
        ),
        (
            Policy::visitor().or(Policy::public()),
            vec![PolicyError::PublicVisitors],
        ),
        (
            Policy::visitor().or(Policy::visitor()),
            vec![PolicyError::DuplicateMode(Mode::Visitor)],
        ),
    ] {
        assert_eq!(mistakes(policy), expected);
    }
    let world = &site.world;
    let realm = Realm::builder("handles")
        .tenant_kind(gatewright_core::principal::TenantKind::from_static(
            "handle",
        ))
        .plans(crate::fixture::plans())
        .visitors(trust(&[1]))
        .build();
    for (policy, expected) in [
        (Policy::visitor().tenant_from("handle"), "tenant"),
        (
            Policy::pat()
                .or(Policy::visitor())
                .tenant_from_query("handle"),
            "tenant",
        ),
        (Policy::visitor().feature("webhooks"), "plan"),
    ] {
        let mistakes = world.gate.compile(&policy, &realm).unwrap_err();
        assert_eq!(mistakes, [PolicyError::VisitorWith(expected)]);
    }
    let mistakes = world.gate.compile(&Policy::visitor(), &world.handles);
    assert_eq!(mistakes.unwrap_err(), [PolicyError::NoVisitors]);
}

#[tokio::test]
async fn visitors_share_the_limit_of_their_address() {
    let minute = |limit| Rate::per_minute(limit).unwrap();
    let limits = Limits::none()
        .per_source(minute(3))
        .per_credential(minute(2));
    let site = Site::with(limits, World::new().await);
    let cookie = site.cookie(&[2], &visit_of(NOW, NOW, ""));
    let open = site.compile(Policy::public());
    // A known one, a new one, and nobody in particular.
    assert_eq!(site.visit(&cookie).await.limits.unwrap().remaining(), 2);
    let new = site.ask(&site.policy, &[]).await.unwrap();
    assert_eq!(new.limits.unwrap().remaining(), 1);
    assert!(new.set_cookie.is_some());
    let nobody = site.ask(&open, &[]).await.unwrap();
    assert_eq!(nobody.limits.unwrap().remaining(), 0);
    let limited = site.ask(&site.policy, &[]).await;
    assert_eq!(cause(limited), Cause::RateLimited);
    let elsewhere = Arrival::new().source(Some(ELSEWHERE)).safe_method(true);
    assert!(
        ask(&site.world.gate, &site.policy, &[], &elsewhere)
            .await
            .is_ok()
    );

    // Refusals fill a bucket of their own, which new visitors don't come round.
    let paid = site.compile(Policy::visitor().scope("pages.read:launch"));
    let elsewhere = Arrival::new().source(Some(ELSEWHERE)).safe_method(true);
    for expected in [Cause::MissingScope, Cause::MissingScope, Cause::RateLimited] {
        let refused = ask(&site.world.gate, &paid, &[], &elsewhere).await;
        assert_eq!(cause(refused), expected);
    }
    assert!(
        ask(&site.world.gate, &site.policy, &[], &elsewhere)
            .await
            .is_ok()
    );
}

#[derive(Default)]
struct Noted(std::sync::Mutex<Vec<AuditEvent>>);

impl AuditSink for Noted {
    fn record(&self, event: AuditEvent) {
        self.0.lock().unwrap().push(event);
    }
}

#[tokio::test]
async fn a_refusal_of_a_known_visitor_is_noted() {
    let noted = Arc::new(Noted::default());
    let sink = Arc::clone(&noted);
    let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.audit(sink)
    });
    let site = Site::with(Limits::none(), world.await);
    let paid = site.compile(Policy::visitor().scope("pages.read:launch"));
    let visit = visit_of(NOW, NOW, "");
    let cookie = site.cookie(&[2], &visit);
    assert!(site.ask(&paid, &[]).await.is_err());
    assert!(site.ask(&paid, &[(Field::Cookie, &cookie)]).await.is_err());
    let noted = noted.0.lock().unwrap();
    let [event] = &noted[..] else {
        panic!("{noted:?}")
    };
    assert_eq!(
        (event.kind, event.mode),
        (AuditKind::Denied, Some(Mode::Visitor))
    );
    assert_eq!(event.subject, Some(Subject::Visitor(visit.visitor)));
    assert_eq!(event.cause, Some(Cause::MissingScope));
    let subject = event.subject.as_ref().unwrap();
    assert_eq!(subject.to_string(), format!("visitor:{}", visit.visitor));
}

/// A cookie is free to have, so the notes of refusals are as many as the bucket of refusals lets through: nobody without a
/// credential fills the log, or crowds out what others do.
#[tokio::test]
async fn no_more_refusals_of_visitors_are_noted_than_are_let_through() {
    let noted = Arc::new(Noted::default());
    let sink = Arc::clone(&noted);
    let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.audit(sink)
    });
    let limits = Limits::none().per_credential(Rate::per_minute(3).unwrap());
    let site = Site::with(limits, world.await);
    let paid = site.compile(Policy::visitor().scope("pages.read:launch"));
    for number in 0..10 {
        let cookie = site.cookie(&[2], &visit_of(NOW, NOW, ""));
        let refused = site.ask(&paid, &[(Field::Cookie, &cookie)]).await;
        let limited = number >= 3;
        let expected = if limited {
            Cause::RateLimited
        } else {
            Cause::MissingScope
        };
        assert_eq!(cause(refused), expected);
    }
    assert_eq!(noted.0.lock().unwrap().len(), 3);
}

/// RFC 6265bis §4.1.1: not two cookies of one name in an answer. The service's own is the newer one.
#[tokio::test]
async fn the_services_own_cookie_stands_before_the_gates() {
    let site = Site::new().await;
    let answer = site
        .ask(&site.policy, &[])
        .await
        .unwrap()
        .answer_fields(&site.policy);
    let line = answer.set_cookie().unwrap();
    for (others, set) in [
        (vec![], true),
        (
            vec![
                "theme=dark; Path=/",
                "__Host-visitors=x",
                "x=__Host-visitor=x",
            ],
            true,
        ),
        (vec!["__host-visitor=x"], true),
        (vec!["theme=dark", "__Host-visitor=x; Path=/"], false),
        (vec!["__Host-visitor = x"], false),
        (vec!["__Host-visitor"], false),
    ] {
        let beside = answer.set_cookie_beside(others.iter().map(|line| line.as_bytes()));
        assert_eq!(beside, set.then_some(line), "{others:?}");
    }
}
