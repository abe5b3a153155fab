//! What a policy decides, in which order, and what its compiler refuses.

use std::sync::{Arc, Mutex};

use gatewright_core::audit::{AuditEvent, AuditKind, AuditSink};
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::gate::{Admission, Arrival, Coherence};
use gatewright_core::limit::{BucketKind, Rate};
use gatewright_core::policy::{Limits, Policy, PolicyError, Realm, RouteTable, allowed};
use gatewright_core::principal::{Mode, TenantKind};
use gatewright_core::scope::Scope;
use proptest::prelude::*;

use crate::fixture::{HOME, World, at, cause};

#[tokio::test]
async fn mode_then_tenant_then_scope_then_role_then_plan() {
    let world = World::new().await;
    let policy = world.compile(
        Policy::jwt()
            .scope("webhooks.write")
            .role("platform_admin")
            .or(Policy::pat().scope("webhooks.write"))
            .feature("webhooks")
            .tenant_from("handle"),
    );
    let plain = world.pat("links.read").await;
    let key = world.api_key("*").await;
    // Everything is wrong with each; the first rung is the answer.
    let elsewhere = world.admit(&key.text, &policy, at("trinity")).decided();
    assert_eq!(cause(elsewhere.await), Cause::WrongModeSecret);
    let elsewhere = world.admit(&plain.text, &policy, at("trinity")).decided();
    assert_eq!(cause(elsewhere.await), Cause::ForeignTenant);
    assert_eq!(
        world.refused(&plain.text, &policy).await,
        Cause::MissingScope
    );
    assert_eq!(
        world.refused(&world.jwt("bob"), &policy).await,
        Cause::MissingScope
    );
    assert_eq!(
        world.refused(&world.jwt("alice"), &policy).await,
        Cause::MissingRole
    );
    world
        .put_member("ten_trinity", "alice", "platform_admin")
        .await;
    let free = world.jwt("alice");
    let free = world.admit(&free, &policy, at("trinity")).decided().await;
    assert_eq!(cause(free), Cause::MissingFeature);
}

#[tokio::test]
async fn all_missing_scopes_are_named_at_once() {
    let world = World::new().await;
    let policy = world.compile(
        Policy::pat()
            .scope("links.read")
            .scope("links.write")
            .scope("analytics.*"),
    );
    let key = world.pat("links.read").await;
    let refusal = world.ask(&key.text, &policy).await.unwrap_err();
    let names: Vec<&str> = policy
        .required_scopes()
        .iter()
        .enumerate()
        .filter(|(bit, _)| refusal.missing() >> bit & 1 == 1)
        .map(|(_, scope)| scope.as_str())
        .collect();
    assert_eq!(names, ["links.write", "analytics.*"]);
    let rendered = policy.refusal(&refusal, false);
    let challenge = rendered
        .fields
        .iter()
        .find(|(name, _)| *name == "www-authenticate");
    assert!(
        challenge
            .unwrap()
            .1
            .contains(r#"scope="links.write analytics.*""#)
    );
}

#[tokio::test]
async fn a_policy_of_another_gate_admits_nobody() {
    let (world, other) = (World::new().await, World::new().await);
    let foreign = [
        other.compile(Policy::pat()),
        other.compile(Policy::public()),
    ];
    let key = world.pat("*").await;
    for policy in foreign {
        let refusal = world.ask(&key.text, &policy).await.unwrap_err();
        assert_eq!(refusal.cause(), Some(Cause::ForeignPolicy));
        assert_eq!(refusal.status(), 500);
    }
}

#[tokio::test]
async fn a_tenant_that_the_adapter_did_not_find_is_our_mistake() {
    let world = World::new().await;
    let key = world.pat("links.read").await;
    let policy = world.read_links();
    let decision = world.admit(&key.text, &policy, Arrival::new()).decided();
    assert_eq!(cause(decision.await).code(), ErrorCode::InternalError);
}

#[tokio::test]
async fn a_refused_call_spends_no_quota() {
    let minute = |limit| Rate::per_minute(limit).unwrap();
    let limits = Limits::none()
        .by_plan()
        .per_credential(minute(5))
        .pat_guard(minute(100))
        .tenant_burst(minute(100));
    let world = World::with(Coherence::SingleProcess, limits, |builder| builder).await;
    let (reading, writing) = (
        world.read_links(),
        world.compile(Policy::pat().scope("links.write").tenant_from("handle")),
    );
    let key = world.pat("links.read").await;
    for _ in 0..5 {
        assert_eq!(
            world.refused(&key.text, &writing).await,
            Cause::MissingScope
        );
    }
    // Refusals have a bucket of their own, and it is full.
    let refusal = world.ask(&key.text, &writing).await.unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::RateLimited);
    assert!(refusal.fields().any(|(_, value)| value.contains("denied")));
    for left in (0..5).rev() {
        let admitted = world.ask(&key.text, &reading).await.unwrap();
        assert_eq!(admitted.limits.unwrap().remaining(), left);
    }
    let refusal = world.ask(&key.text, &reading).await.unwrap_err();
    assert_eq!(refusal.cause(), Some(Cause::RateLimited));
    assert_eq!(refusal.retry_after().unwrap().get(), 12);
    let fields: Vec<_> = refusal.fields().collect();
    assert_eq!(
        fields,
        [
            ("ratelimit-policy", r#""credential";q=5;w=60"#),
            ("ratelimit", r#""credential";r=0;t=60"#)
        ]
    );
}

#[tokio::test]
async fn a_refused_call_leaves_each_limit_as_it_was() {
    let rate = Rate::per_minute(10).unwrap();
    for limits in [
        Limits::none().by_plan(),
        Limits::none().per_credential(rate),
        Limits::none().pat_guard(rate),
        Limits::none().tenant_burst(rate),
    ] {
        let mut left = Vec::new();
        for refused_before in [0, 3] {
            let limits = limits.clone();
            let world = World::with(Coherence::SingleProcess, limits, |builder| builder).await;
            let writing = Policy::pat().scope("links.write").tenant_from("handle");
            let (reading, writing) = (world.read_links(), world.compile(writing));
            let key = world.pat("links.read").await;
            for _ in 0..refused_before {
                let refused = world.refused(&key.text, &writing).await;
                assert_eq!(refused, Cause::MissingScope);
            }
            let admitted = world.ask(&key.text, &reading).await.unwrap();
            left.push(admitted.limits.unwrap().remaining());
        }
        assert_eq!(left[0], left[1], "{limits:?}");
    }
}

#[tokio::test]
async fn each_limit_holds_without_the_others() {
    let rate = Rate::per_minute(1000).unwrap();
    for (limits, admitted, refused) in [
        (Limits::none(), None, None),
        (
            Limits::none().by_plan(),
            Some(BucketKind::Plan),
            Some(BucketKind::Denied),
        ),
        (
            Limits::none().per_credential(rate),
            Some(BucketKind::Credential),
            Some(BucketKind::Denied),
        ),
        (
            Limits::none().pat_guard(rate),
            Some(BucketKind::Pat),
            Some(BucketKind::Denied),
        ),
        (
            Limits::none().tenant_burst(rate),
            Some(BucketKind::Burst),
            Some(BucketKind::Denied),
        ),
        (
            Limits::none().per_source(rate),
            None,
            Some(BucketKind::Denied),
        ),
    ] {
        let said = format!("{limits:?}");
        let world = World::with(Coherence::SingleProcess, limits, |builder| builder).await;
        let (reading, writing) = (
            world.read_links(),
            world.compile(Policy::pat().scope("links.write").tenant_from("handle")),
        );
        let key = world.pat("links.read").await;
        let call = world.ask(&key.text, &reading).await.unwrap();
        assert_eq!(call.limits.map(|state| state.kind()), admitted, "{said}");
        // At the rate of each credential, or 60 a minute.
        let mut charged = None;
        for _ in 0..1001 {
            let refusal = world.ask(&key.text, &writing).await.unwrap_err();
            if refusal.cause() == Some(Cause::RateLimited) {
                let policy = refusal
                    .fields()
                    .find(|(name, _)| *name == "ratelimit-policy");
                charged = policy.map(|(_, value)| value.to_owned());
                break;
            }
        }
        let expected = refused.map(BucketKind::as_str);
        let charged = charged.as_deref().and_then(|value| value.split('"').nth(1));
        assert_eq!(charged, expected, "{said}");
    }
}

#[tokio::test]
async fn calls_without_a_credential_are_charged_to_their_source() {
    let limits = Limits::none().per_source(Rate::per_minute(2).unwrap());
    let world = World::with(Coherence::SingleProcess, limits, |builder| builder).await;
    let policy = world.compile(Policy::public());
    let ask = |source| {
        let arrival = Arrival::new().source(Some(source));
        let fields: [(gatewright_core::credential::Field, &[u8]); 0] = [];
        world
            .gate
            .authenticate(&fields[..], &policy, &arrival)
            .decided()
    };
    for _ in 0..2 {
        let admitted = ask(HOME).await.unwrap();
        assert!(admitted.principal.is_none());
        assert_eq!(admitted.limits.unwrap().kind(), BucketKind::Source);
    }
    assert_eq!(cause(ask(HOME).await), Cause::RateLimited);
    assert!(ask(crate::fixture::ELSEWHERE).await.is_ok());
}

#[tokio::test]
async fn every_mistake_of_a_policy_is_reported_at_once() {
    let world = World::new().await;
    let policy = Policy::jwt()
        .role("emperor")
        .scope("not a scope")
        .or(Policy::pat().role("owner").feature("flight"))
        .or(Policy::pat())
        .or(Policy::public().scope("links.read"))
        .tenant_from("handle")
        .tenant_from("org");
    let bare = Realm::builder("bare").build();
    let mistakes = world.gate.compile(&policy, &bare).unwrap_err();
    for expected in [
        PolicyError::MalformedScope("not a scope".into()),
        PolicyError::DuplicateMode(Mode::Pat),
        PolicyError::PublicWith("scope"),
        PolicyError::TwoTenants,
        PolicyError::NoTenantKind,
        PolicyError::NoIssuer,
        PolicyError::UnknownRole("emperor".into()),
        PolicyError::RoleWithoutMembership(Mode::Pat),
        PolicyError::UnknownFeature("flight".into()),
    ] {
        assert!(mistakes.contains(&expected), "{expected}: {mistakes:?}");
    }
    // A tenant is named in one place, and one name in path and query is two.
    let twice = Policy::pat().tenant_from("org").tenant_from_query("org");
    let mistakes = world.gate.compile(&twice, &bare).unwrap_err();
    assert_eq!(
        mistakes,
        [PolicyError::TwoTenants, PolicyError::NoTenantKind]
    );
    let many = (0..65).fold(Policy::pat(), |policy, n| policy.scope(&format!("s{n}")));
    assert_eq!(
        world.gate.compile(&many, &bare).unwrap_err(),
        [PolicyError::TooManyScopes]
    );
}

#[tokio::test]
async fn the_route_table_reports_every_mistake_of_every_route() {
    let world = World::new().await;
    let guarded = Policy::pat().tenant_from("handle");
    let mut routes = world.gate.routes();
    assert!(
        routes
            .add("GET", "/h/{handle}/links", &guarded, &world.handles)
            .is_some()
    );
    assert!(
        routes
            .add("PUT", "/h/{handle}/links", &guarded, &world.handles)
            .is_some()
    );
    assert!(
        routes
            .add("GET", "/h/{name}/links", &Policy::pat(), &world.handles)
            .is_none()
    );
    assert!(
        routes
            .add("GET", "/h/{org}", &guarded, &world.handles)
            .is_none()
    );
    assert!(
        routes
            .add("GET", "/{handle}/{handle}", &guarded, &world.handles)
            .is_none()
    );
    let wrong = Policy::jwt().role("emperor");
    assert!(routes.add("GET", "/x", &wrong, &world.handles).is_none());
    let errors = routes.finish().unwrap_err();
    let found: Vec<_> = errors
        .errors()
        .iter()
        .map(|e| (e.path.as_str(), &e.error))
        .collect();
    assert_eq!(
        found,
        [
            ("/h/{name}/links", &PolicyError::DuplicateRoute),
            (
                "/h/{org}",
                &PolicyError::TenantParameterAbsent("handle".into())
            ),
            (
                "/{handle}/{handle}",
                &PolicyError::TenantParameterTwice("handle".into())
            ),
            ("/x", &PolicyError::UnknownRole("emperor".into())),
        ]
    );
}

/// What is answered is how it then is, whoever replaced what before, and of which table.
#[tokio::test]
async fn replacing_policies_answers_the_table_that_stands() {
    let world = World::new().await;
    let table = || {
        let mut routes = world.gate.routes();
        for method in ["GET", "PUT"] {
            let path = routes.path("/a", "/b");
            routes.add(method, &path, &Policy::pat(), &world.handles);
        }
        routes.finish().unwrap()
    };
    let read = |scope: &str| Policy::pat().scope(scope);
    let scopes = |table: &RouteTable| -> Vec<Vec<String>> {
        let rows = table.rows().iter();
        rows.map(|row| row.modes[0].scopes.clone()).collect()
    };

    let one = table();
    one.replace([("PUT", "/a/b", read("links.write"))]).unwrap();
    let after = one.replace([("GET", "/a/b", read("links.read"))]).unwrap();
    assert_eq!(scopes(&after), [["links.read"], ["links.write"]]);

    // Named twice, one of the two policies would win without a word.
    let twice = ["links.read", "webhooks.read"].map(|scope| ("GET", "/a/b", read(scope)));
    let errors = one.replace(twice).unwrap_err();
    assert_eq!(errors.errors().len(), 1);
    assert_eq!(errors.errors()[0].error, PolicyError::DuplicateRoute);
    assert_eq!(scopes(&one.replace([]).unwrap()), scopes(&after));

    // Of two services in one table, none keeps the old policy.
    let both = one.merged(table());
    let after = both
        .replace([("GET", "/a/b", read("webhooks.read"))])
        .unwrap();
    let changed = scopes(&after)
        .into_iter()
        .filter(|scopes| *scopes == ["webhooks.read"]);
    assert_eq!(changed.count(), 2);
}

#[test]
fn methods_are_listed_once_and_get_brings_head() {
    for (methods, list) in [
        (&["GET", "PUT"][..], "GET,HEAD,PUT"),
        (&["GET", "HEAD"], "GET,HEAD"),
        (&["HEAD", "GET"], "HEAD,GET"),
        (&["POST"], "POST"),
    ] {
        assert_eq!(allowed(methods.iter().copied()), list);
    }
}

#[tokio::test]
async fn a_policy_guarantees_what_each_alternative_makes_sure_of() {
    let world = World::new().await;
    let scope = |text: &str| text.parse::<Scope>().unwrap();
    let policy = world.compile(
        Policy::pat()
            .scope("links.*")
            .or(Policy::jwt().role("operator")),
    );
    assert!(policy.guarantees(&scope("links.read")));
    assert!(
        !policy.guarantees(&scope("webhooks.read")),
        "PATs need not have it"
    );
    assert!(!policy.guarantees(&scope("*")));
    let jwt = world.compile(Policy::jwt().role("operator"));
    assert!(jwt.guarantees(&scope("webhooks.read")));
    assert!(!jwt.guarantees(&scope("analytics.read")));
    let optional = world.compile(Policy::pat().scope("links.*").or(Policy::public()));
    assert!(!optional.guarantees(&scope("links.read")));
    assert!(
        !world
            .compile(Policy::public())
            .guarantees(&scope("links.read"))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The answers prepared when a record is loaded are those of the scope algebra, for policies compiled before it was
    /// loaded and after.
    #[test]
    fn what_a_key_may_do_is_what_its_scopes_allow(
        granted in proptest::collection::vec("[a-c](\\.[a-c]|:[a-c]|\\.\\*|:\\*)?", 1..4),
        required in proptest::collection::vec("[a-c](\\.[a-c]|:[a-c]|\\.\\*|:\\*)?", 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let key = world.pat(&granted.join(" ")).await;
            let set = crate::fixture::set(&granted.join(" "));
            let half = required.len() / 2;
            let early: Vec<_> = required[..half]
                .iter()
                .map(|scope| world.compile(Policy::pat().scope(scope)))
                .collect();
            world.passes(&key.text, &world.anyone()).await;
            let late = required[half..]
                .iter()
                .map(|scope| world.compile(Policy::pat().scope(scope)));
            for (policy, scope) in early.into_iter().chain(late).zip(&required) {
                let allowed = set.allows(&scope.parse().unwrap());
                assert_eq!(world.ask(&key.text, &policy).await.is_ok(), allowed, "{scope}");
            }
        });
    }
}

#[derive(Default)]
struct Ledger(Mutex<Vec<AuditEvent>>);

impl AuditSink for Ledger {
    fn record(&self, event: AuditEvent) {
        self.0.lock().unwrap().push(event);
    }
}

#[tokio::test]
async fn refusals_of_proven_callers_are_noted_and_guesses_are_not() {
    let ledger = Arc::new(Ledger::default());
    let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.audit(Arc::clone(&ledger) as Arc<dyn AuditSink>)
    })
    .await;
    let policy = world.read_links();
    let (pat, carol) = (world.pat("webhooks.read").await, world.jwt("carol"));
    world.refused(&world.wrong(&pat), &policy).await;
    world.refused("patv1_x", &policy).await;
    assert!(ledger.0.lock().unwrap().is_empty());

    world.refused(&pat.text, &policy).await;
    world.refused(&carol, &policy).await;
    let events = ledger.0.lock().unwrap();
    let found: Vec<_> = events
        .iter()
        .map(|event| {
            let credential = event.credential.as_ref().unwrap().as_str();
            let tenant = event.tenant.as_ref().map(|tenant| tenant.as_str());
            (event.kind, event.cause, credential, tenant, event.source)
        })
        .collect();
    let denied = AuditKind::Denied;
    assert_eq!(
        found,
        [
            (
                denied,
                Some(Cause::MissingScope),
                pat.id.as_str(),
                Some("ten_neo"),
                Some(HOME)
            ),
            (
                denied,
                Some(Cause::NoMembership),
                "jti_carol",
                None,
                Some(HOME)
            ),
        ]
    );
    assert!(!format!("{events:?}").contains(&pat.text));
}

/// A caller whose record is in memory is refused at once, any other once the store was asked: with the same words, and
/// counted alike.
#[tokio::test]
async fn a_refusal_that_is_waited_for_is_counted_and_names_its_tenant_as_one_at_once_does() {
    let world = World::new().await;
    let realm = Realm::builder("api")
        .tenant_kind(TenantKind::from_static("handle"))
        .resource_metadata_of_tenants("https://api.example/of/")
        .build();
    let policy = Policy::pat().scope("links.write").tenant_from("handle");
    let policy = world.gate.compile(&policy, &realm).unwrap();
    let (lacking, revoked) = (world.pat("links.read").await, world.pat("*").await);
    world.revoke(&revoked).await;
    for (key, cause) in [(lacking, Cause::MissingScope), (revoked, Cause::Revoked)] {
        for (before, waits) in [(0, true), (1, false)] {
            let counted = |times| {
                let refusals = world.gate.stats().refusals;
                let found = refusals.iter().find(|(counted, _)| *counted == cause);
                assert_eq!(found.map_or(0, |(_, times)| *times), times, "{cause:?}");
            };
            counted(before);
            let admission = world.admit(&key.text, &policy, at("neo"));
            assert_eq!(matches!(admission, Admission::Pending(_)), waits);
            let refusal = admission.decided().await.unwrap_err();
            assert_eq!(refusal.cause(), Some(cause));
            counted(before + 1);
            let fields = policy.refusal(&refusal, false).fields;
            let mut fields = fields.iter();
            let named = fields.any(|(name, value)| {
                *name == "www-authenticate" && value.contains("\"https://api.example/of/neo\"")
            });
            assert!(named, "{cause:?}, {waits}");
        }
    }
}
