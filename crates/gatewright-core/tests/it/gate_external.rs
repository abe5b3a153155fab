//! Tokens of tenants' own identity providers: where they are good, what ends them, and who pays for asking.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use futures_util::future::{join_all, poll_immediate};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::federation::{ClaimPolicy, Federation, Provider, TenantProviders};
use gatewright_core::gate::{Admission, Admitted, Arrival, Coherence};
use gatewright_core::jwt::{Algorithm, KeySet, SigningKey, TypRule, Verifier};
use gatewright_core::limit::Rate;
use gatewright_core::policy::{CompiledPolicy, Limits, Policy, PolicyError, Realm, TokenTrust};
use gatewright_core::principal::{Mode, Subject, Tenant, TenantKind};
use serde_json::{Value, json};

use crate::fixture::{
    ELSEWHERE, HOME, ISSUER, NOW, World, at, cause, plans, roles, set, tenant, user,
};
use crate::fixture_idp::{
    Configured, GATEWAY, IDP, Idp, claims, handle, scopes_alone, trusts, verifier, with, without,
};
use crate::jwt_forge::b64;

/// A [`World`] with a realm that federates; `neo` has one provider.
pub(crate) struct Gateway {
    pub(crate) world: World,
    pub(crate) configured: Arc<Configured>,
    pub(crate) idp: Idp,
    pub(crate) realm: Realm,
    pub(crate) policy: Arc<CompiledPolicy>,
}

impl Gateway {
    pub(crate) async fn new() -> Self {
        Self::with(Coherence::SingleProcess, Limits::none()).await
    }

    pub(crate) async fn with(coherence: Coherence, limits: Limits) -> Self {
        let world = World::with(coherence, Limits::none(), |builder| builder).await;
        let configured = Arc::new(Configured::default());
        let idp = Idp::new();
        configured.put("neo", trusts("neo", [idp.provider(scopes_alone())]));
        let own = Verifier::builder_of_tenants(ISSUER, GATEWAY)
            .algorithms([Algorithm::Es256])
            .rfc9068()
            .private_claims()
            .build()
            .unwrap();
        let realm = Realm::builder("gateway")
            .tenant_kind(TenantKind::from_static("handle"))
            .roles(roles())
            .plans(plans())
            .limits(limits)
            .trust(TokenTrust::new(own, Arc::clone(&world.keys)))
            .federate(Arc::clone(&configured) as Arc<dyn Federation>)
            .build();
        let policy = Policy::external()
            .or(Policy::jwt())
            .or(Policy::api_key())
            .scope("mcp:call")
            .tenant_from("org");
        let policy = world.gate.compile(&policy, &realm).unwrap();
        Self {
            world,
            configured,
            idp,
            realm,
            policy,
        }
    }

    pub(crate) fn admit(&self, text: &str, arrival: Arrival<'_>) -> Admission {
        self.world.admit(text, &self.policy, arrival)
    }

    pub(crate) async fn ask(&self, text: &str) -> Result<Admitted, AuthError> {
        self.admit(text, at("neo")).decided().await
    }

    pub(crate) async fn passes(&self, text: &str) {
        let admitted = self.ask(text).await;
        assert!(admitted.is_ok(), "{admitted:?}");
    }

    pub(crate) async fn refused(&self, text: &str) -> Cause {
        cause(self.ask(text).await)
    }

    /// Has `neo` trust the provider under these rules.
    fn trust(&self, policy: ClaimPolicy) {
        let provider = self.idp.provider(policy);
        self.configured.put("neo", trusts("neo", [provider]));
    }

    fn cached(&self) -> usize {
        self.world.gate.stats().cached_tokens
    }
}

#[tokio::test]
async fn a_customers_token_passes_in_its_tenant_and_reads_nothing() {
    let gateway = Gateway::new().await;
    let token = gateway.idp.token("alice");
    for _ in 0..3 {
        // The first time as well: all that it takes is in memory.
        let Admission::Ready(admitted) = gateway.admit(&token, at("neo")) else {
            panic!("has to wait");
        };
        let caller = admitted.unwrap().principal.unwrap();
        assert_eq!(caller.mode(), Mode::External);
        assert_eq!(caller.user(), None);
        assert_eq!(caller.role(), None);
        assert_eq!(caller.scopes(), &set("mcp:call"));
        assert_eq!(caller.tenant(), Some(&handle("neo", "pro")));
        assert_eq!(caller.credential().as_str(), "j1");
        assert_eq!(caller.expires_at(), Some(NOW + 3600));
        let name = format!("external:ten_neo/{IDP}#alice");
        assert_eq!(caller.subject().to_string(), name);
        assert_ne!(caller.subject(), &Subject::User(user("alice")));
    }
    assert_eq!(gateway.world.store.reads(), 0);
    assert_eq!(gateway.cached(), 1);
    // The others look at what is configured without a count that all cores would write.
    assert_eq!(gateway.configured.shared.load(SeqCst), 1);
    assert_eq!(gateway.idp.keys.fetches.load(SeqCst), 0);
}

#[tokio::test]
async fn what_a_token_must_be() {
    let gateway = Gateway::new().await;
    let good = claims;
    let table: [(&str, Value, Cause); 14] = [
        (
            "another issuer",
            with(good(), "iss", json!("https://evil.example")),
            Cause::JwtIssuer,
        ),
        (
            "an issuer that begins so",
            with(good(), "iss", json!(format!("{IDP}/"))),
            Cause::JwtIssuer,
        ),
        ("no issuer", without(good(), "iss"), Cause::JwtType),
        (
            "another audience",
            with(good(), "aud", json!("https://gateway.example/mcp/trinity")),
            Cause::JwtAudience,
        ),
        ("no audience", without(good(), "aud"), Cause::JwtClaims),
        (
            "expired",
            with(good(), "exp", json!(NOW)),
            Cause::JwtExpired,
        ),
        ("no end", without(good(), "exp"), Cause::JwtClaims),
        (
            "not yet",
            with(good(), "nbf", json!(NOW + 1)),
            Cause::JwtNotYetValid,
        ),
        (
            "bound to a key",
            with(good(), "cnf", json!({"jkt": "x"})),
            Cause::JwtNotAllowed,
        ),
        (
            "bound to nothing",
            with(good(), "cnf", Value::Null),
            Cause::JwtNotAllowed,
        ),
        (
            "a malformed scope",
            with(good(), "scope", json!(7)),
            Cause::JwtNotAllowed,
        ),
        (
            "a list with a number",
            with(good(), "scope", json!(["mcp:call", 7])),
            Cause::JwtNotAllowed,
        ),
        ("nobody", without(good(), "sub"), Cause::JwtClaims),
        (
            "a subject that is no name",
            with(good(), "sub", json!("a\nb")),
            Cause::JwtClaims,
        ),
    ];
    for (what, claims, wanted) in table {
        assert_eq!(
            gateway.refused(&gateway.idp.sign(&claims)).await,
            wanted,
            "{what}"
        );
        assert!(
            matches!(
                wanted.code(),
                ErrorCode::InvalidToken | ErrorCode::TokenExpired
            ),
            "{what}"
        );
    }
    assert_eq!(gateway.cached(), 0, "nothing that was refused is kept");
    // The same without what is wrong, so that nothing else was.
    gateway.passes(&gateway.idp.sign(&claims())).await;
    // A machine that has no `sub` is its client (RFC 9068 §2.2).
    let machine = with(without(claims(), "sub"), "client_id", json!("cli_1"));
    let admitted = gateway.ask(&gateway.idp.sign(&machine)).await.unwrap();
    let name = admitted.principal.unwrap().subject().to_string();
    assert_eq!(name, format!("external:ten_neo/{IDP}#cli_1"));
}

#[tokio::test]
async fn no_signature_but_the_providers_counts() {
    let gateway = Gateway::new().await;
    let jwk = gateway.idp.signer.public_jwk().unwrap();
    let kid = gateway.idp.signer.kid();
    // A shared secret that everybody knows, under the public key's name (RFC 8725 §2.1).
    let secret = SigningKey::hmac(kid, jwk.to_string().as_bytes()).unwrap();
    let forged = secret.sign("JWT", &claims()).unwrap();
    assert_eq!(gateway.refused(&forged).await, Cause::JwtAlgorithm);

    let header = b64(json!({"alg": "none", "kid": kid}).to_string());
    let payload = b64(claims().to_string());
    let unsigned = gateway.refused(&format!("{header}.{payload}.")).await;
    assert_eq!(unsigned, Cause::MalformedCredential);
    let unsigned = gateway.refused(&format!("{header}.{payload}.AA")).await;
    assert_eq!(unsigned, Cause::JwtAlgorithm);

    let header = b64(json!({"alg": "ES256", "kid": kid}).to_string());
    let stranger = gateway
        .refused(&format!("{header}.{payload}.{}", b64([1; 64])))
        .await;
    assert_eq!(stranger, Cause::JwtSignature);
    assert_eq!(
        gateway.idp.keys.fetches.load(SeqCst),
        0,
        "none is about a key"
    );
}

#[tokio::test]
async fn what_else_a_tenant_may_require() {
    let gateway = Gateway::new().await;
    let token = gateway.idp.sign(&claims());
    let rules = || ClaimPolicy::builder().scopes_at("scope");
    for (what, policy, passes) in [
        ("its client", rules().client("other").client("agent"), true),
        ("a foreign client", rules().client("other"), false),
        (
            "its group",
            rules().require("groups", ["admins", "mcp-users"]),
            true,
        ),
        (
            "another group",
            rules().require("groups", ["admins"]),
            false,
        ),
        (
            "a claim that is not there",
            rules().require("hd", ["acme.example"]),
            false,
        ),
        (
            "one of two",
            rules().require("groups", ["staff"]).require("azp", ["x"]),
            false,
        ),
    ] {
        gateway.trust(policy.build().unwrap());
        if passes {
            gateway.passes(&token).await;
        } else {
            let refusal = gateway.ask(&token).await.unwrap_err();
            assert_eq!(refusal.cause(), Some(Cause::JwtNotAllowed), "{what}");
            // For the log, and not for the caller.
            let rule = std::error::Error::source(&refusal).unwrap().to_string();
            assert!(
                rule.contains("client") || rule.contains("required"),
                "{rule}"
            );
            assert_eq!(refusal.message(), ErrorCode::InvalidToken.message());
        }
    }
    // What the verifier knows to ask for holds here too.
    let verifier = |typ, age| {
        let builder = Verifier::builder(IDP, format!("{GATEWAY}neo"));
        builder
            .algorithms([Algorithm::Es256])
            .typ(typ)
            .max_age_secs(age)
            .build()
            .unwrap()
    };
    let trust = |verifier| {
        let keys = Arc::clone(&gateway.idp.keys);
        let provider = Provider::new(verifier, keys, scopes_alone()).unwrap();
        gateway.configured.put("neo", trusts("neo", [provider]));
    };
    trust(verifier(TypRule::AccessToken, 600));
    assert_eq!(gateway.refused(&token).await, Cause::JwtType);
    trust(verifier(TypRule::Any, 600));
    gateway.passes(&token).await;
    gateway.world.clock.advance(601);
    assert_eq!(gateway.refused(&token).await, Cause::JwtClaims);
}

#[tokio::test]
async fn scopes_are_cut_to_the_ceiling_and_defaults_are_for_silence() {
    let gateway = Gateway::new().await;
    let rules = ClaimPolicy::builder()
        .scopes_at("scope")
        .scopes_at("realm_access.roles")
        .role("caller", set("mcp:call:crm links.*"))
        .default_scopes(set("mcp:call"));
    gateway.trust(rules.build().unwrap());
    let silent = without(claims(), "scope");
    for (claims, granted) in [
        (claims(), "mcp:call"),
        (with(claims(), "scope", json!("*")), "mcp:call"),
        (
            with(claims(), "scope", json!("mcp:call:crm billing")),
            "mcp:call:crm",
        ),
        (with(claims(), "scope", json!("links.read openid")), ""),
        (with(claims(), "scope", json!("")), ""),
        (with(claims(), "scope", json!([])), ""),
        (silent.clone(), "mcp:call"),
        (with(silent.clone(), "realm_access", json!({})), "mcp:call"),
        (
            with(
                silent.clone(),
                "realm_access",
                json!({"roles": ["caller", "x"]}),
            ),
            "mcp:call:crm",
        ),
        (
            with(claims(), "realm_access", json!({"roles": ["caller"]})),
            "mcp:call mcp:call:crm",
        ),
    ] {
        let anything = gateway
            .world
            .gate
            .compile(&Policy::external().tenant_from("org"), &gateway.realm);
        let token = gateway.idp.sign(&claims);
        let admitted = gateway.world.admit(&token, &anything.unwrap(), at("neo"));
        let caller = admitted.decided().await.unwrap().principal.unwrap();
        assert_eq!(caller.scopes(), &set(granted), "{claims}");
        let decision = gateway.ask(&token).await;
        if set(granted).allows(&"mcp:call".parse().unwrap()) {
            assert!(decision.is_ok());
        } else {
            assert_eq!(cause(decision), Cause::MissingScope, "{claims}");
        }
    }
}

#[tokio::test]
async fn a_token_is_good_in_no_other_tenant() {
    let gateway = Gateway::new().await;
    let token = gateway.idp.token("ext_1");
    gateway.passes(&token).await;
    let at_trinity = || async { gateway.admit(&token, at("trinity")).decided().await };
    assert_eq!(cause(at_trinity().await), Cause::JwtIssuer, "it has none");

    // Another tenant with a provider that says the same of itself.
    let impostor = Idp::new();
    let provider = impostor.provider_for("trinity", scopes_alone());
    gateway
        .configured
        .put("trinity", trusts("trinity", [provider]));
    assert_eq!(cause(at_trinity().await), Cause::JwtUnknownKey);
    assert_eq!(
        gateway.refused(&impostor.token("ext_1")).await,
        Cause::JwtUnknownKey
    );

    // Both trust the same one; the token names `neo`'s audience.
    let provider = gateway.idp.provider_for("trinity", scopes_alone());
    gateway
        .configured
        .put("trinity", trusts("trinity", [provider]));
    assert_eq!(cause(at_trinity().await), Cause::JwtAudience);
    let both = json!([format!("{GATEWAY}neo"), format!("{GATEWAY}trinity")]);
    let both = gateway.idp.sign(&with(claims(), "aud", both));
    let mut subjects = Vec::new();
    for slug in ["neo", "trinity", "neo", "trinity"] {
        let admitted = gateway.admit(&both, at(slug)).decided().await.unwrap();
        let caller = admitted.principal.unwrap();
        assert_eq!(caller.tenant().unwrap().slug(), slug);
        subjects.push(caller.subject().clone());
    }
    assert_ne!(
        subjects[0], subjects[1],
        "a name means nothing without its tenant"
    );
    assert_eq!(subjects[..2], subjects[2..]);
}

#[tokio::test]
async fn a_slug_of_another_kind_and_a_wrong_answer_are_nobodys() {
    let gateway = Gateway::new().await;
    let token = gateway.idp.token("ext_1");
    let put = |tenant: Tenant| {
        let provider = gateway.idp.provider(scopes_alone());
        let providers = TenantProviders::new(tenant, set("mcp:call"), [provider]).unwrap();
        gateway.configured.put("neo", providers);
    };
    let workspace = TenantKind::from_static("workspace");
    put(Tenant::new(tenant("ten_neo"), workspace, "neo", "pro"));
    assert_eq!(gateway.refused(&token).await, Cause::JwtIssuer);
    put(handle("trinity", "pro"));
    assert_eq!(gateway.refused(&token).await, Cause::JwtIssuer);
    put(handle("neo", "pro"));
    gateway.passes(&token).await;
}

#[tokio::test]
async fn our_own_issuer_is_never_found_among_a_tenants() {
    let gateway = Gateway::new().await;
    let own = Verifier::builder(ISSUER, format!("{GATEWAY}neo"))
        .algorithms([Algorithm::Es256])
        .typ(TypRule::Any)
        .build()
        .unwrap();
    let provider = Provider::new(own, Arc::clone(&gateway.idp.keys) as _, scopes_alone()).unwrap();
    gateway.configured.put("neo", trusts("neo", [provider]));
    let token = gateway.idp.sign(&with(claims(), "iss", json!(ISSUER)));
    for _ in 0..2 {
        // By the rules for our own tokens.
        assert_eq!(gateway.refused(&token).await, Cause::JwtType);
    }
    assert_eq!(gateway.idp.keys.fetches.load(SeqCst), 0);
    // Nor is it remembered from another realm, in which the issuer is nobody's but the tenant's.
    let elsewhere = Realm::builder("customers")
        .tenant_kind(TenantKind::from_static("handle"))
        .federate(Arc::clone(&gateway.configured) as Arc<dyn Federation>)
        .build();
    let policy = Policy::external().scope("mcp:call").tenant_from("org");
    let policy = gateway.world.gate.compile(&policy, &elsewhere).unwrap();
    let admitted = gateway.world.admit(&token, &policy, at("neo"));
    assert!(admitted.decided().await.is_ok());
    assert_eq!(gateway.refused(&token).await, Cause::JwtType);
}

#[tokio::test]
async fn where_they_are_accepted() {
    let gateway = Gateway::new().await;
    let token = gateway.idp.token("ext_1");
    let compile = |policy: Policy| gateway.world.gate.compile(&policy, &gateway.realm);
    // A route that names no tenant in its path, and a request that names one all the same.
    let whoami = compile(Policy::external().or(Policy::jwt())).unwrap();
    let ask = |arrival| gateway.world.admit(&token, &whoami, arrival).decided();
    let refused = cause(ask(Arrival::new()).await);
    assert_eq!(
        (refused, refused.code()),
        (Cause::JwtIssuer, ErrorCode::InvalidToken)
    );
    assert!(ask(at("neo")).await.is_ok());
    assert_eq!(cause(ask(at("trinity")).await), Cause::JwtIssuer);
    assert_eq!(
        cause(ask(Arrival::new()).await),
        Cause::JwtIssuer,
        "cached or not"
    );

    // A route that does not say so, in the same realm.
    let ours = compile(Policy::jwt().tenant_from("org")).unwrap();
    let refused = cause(
        gateway
            .world
            .admit(&token, &ours, at("neo"))
            .decided()
            .await,
    );
    assert_eq!(refused.code(), ErrorCode::InvalidToken);

    let elsewhere = gateway
        .world
        .gate
        .compile(&Policy::external(), &gateway.world.handles);
    assert_eq!(elsewhere.unwrap_err(), [PolicyError::NoFederation]);
    let mistakes = compile(Policy::external().role("owner")).unwrap_err();
    assert_eq!(
        mistakes,
        [PolicyError::RoleWithoutMembership(Mode::External)]
    );
}

/// A realm of customers alone.
#[tokio::test]
async fn a_realm_needs_no_issuer_of_its_own() {
    let gateway = Gateway::new().await;
    let realm = Realm::builder("customers")
        .tenant_kind(TenantKind::from_static("handle"))
        .federate(Arc::clone(&gateway.configured) as Arc<dyn Federation>)
        .build();
    let policy = Policy::external().scope("mcp:call").tenant_from("org");
    let policy = gateway.world.gate.compile(&policy, &realm).unwrap();
    let ask = async |text: &str| {
        gateway
            .world
            .admit(text, &policy, at("neo"))
            .decided()
            .await
    };
    assert!(ask(&gateway.idp.token("ext_1")).await.is_ok());
    assert_eq!(
        cause(ask(&gateway.world.jwt("alice")).await),
        Cause::JwtIssuer
    );
    let nothing = gateway.idp.sign(&without(claims(), "iss"));
    assert_eq!(cause(ask(&nothing).await), Cause::JwtMalformed);
}

#[tokio::test]
async fn what_a_tenant_changes_counts_from_the_next_request() {
    for coherence in [Coherence::SingleProcess, Coherence::Strict] {
        let gateway = Gateway::with(coherence, Limits::none()).await;
        let token = gateway.idp.sign(&claims());
        let warm = || gateway.passes(&token);

        warm().await;
        gateway.configured.remove("neo");
        assert_eq!(gateway.refused(&token).await, Cause::JwtIssuer, "removed");

        gateway.trust(scopes_alone());
        warm().await;
        gateway.trust(ClaimPolicy::builder().client("other").build().unwrap());
        assert_eq!(
            gateway.refused(&token).await,
            Cause::JwtNotAllowed,
            "other rules"
        );

        gateway.trust(scopes_alone());
        warm().await;
        let low = |ceiling: &str| {
            let provider = gateway.idp.provider(scopes_alone());
            TenantProviders::new(handle("neo", "pro"), set(ceiling), [provider]).unwrap()
        };
        gateway.configured.put("neo", low("mcp:call:crm"));
        assert_eq!(
            gateway.refused(&token).await,
            Cause::MissingScope,
            "a lower ceiling"
        );
        gateway.configured.put("neo", low("mcp:*"));
        warm().await;

        let other = Verifier::builder(IDP, "https://elsewhere.example")
            .algorithms([Algorithm::Es256])
            .typ(TypRule::Any)
            .build()
            .unwrap();
        let keys = Arc::clone(&gateway.idp.keys);
        let provider = Provider::new(other, keys, scopes_alone()).unwrap();
        gateway.configured.put("neo", trusts("neo", [provider]));
        assert_eq!(
            gateway.refused(&token).await,
            Cause::JwtAudience,
            "another audience"
        );

        gateway.trust(scopes_alone());
        warm().await;
        gateway.idp.keys.live.replace(KeySet::default());
        gateway.idp.keys.is_down.store(true, SeqCst);
        assert_eq!(
            gateway.refused(&token).await,
            Cause::KeysUnavailable,
            "no keys"
        );
    }
}

#[tokio::test]
async fn a_cached_token_ends_with_its_last_second() {
    let gateway = Gateway::new().await;
    let token = gateway.idp.sign(&with(claims(), "exp", json!(NOW + 10)));
    gateway.passes(&token).await;
    gateway.world.clock.advance(9);
    gateway.passes(&token).await;
    gateway.world.clock.advance(1);
    assert_eq!(gateway.refused(&token).await, Cause::JwtExpired);
}

#[tokio::test]
async fn the_plan_and_the_limits_are_the_tenants_and_the_subjects() {
    let rate = Rate::per_minute(3).unwrap();
    let limits = Limits::none().per_credential(rate);
    let gateway = Gateway::with(Coherence::SingleProcess, limits).await;
    let provider = gateway.idp.provider_for("trinity", scopes_alone());
    gateway
        .configured
        .put("trinity", trusts("trinity", [provider]));
    let aud = json!([format!("{GATEWAY}neo"), format!("{GATEWAY}trinity")]);
    let token = |sub: &str, jti: &str| {
        let claims = with(with(claims(), "aud", aud.clone()), "jti", json!(jti));
        gateway.idp.sign(&with(claims, "sub", json!(sub)))
    };
    // As many tokens as one likes are one caller's.
    for jti in ["a", "b", "c"] {
        gateway.passes(&token("ext_1", jti)).await;
    }
    assert_eq!(
        gateway.refused(&token("ext_1", "d")).await,
        Cause::RateLimited
    );
    // Neither another subject nor the same name in another tenant is.
    gateway.passes(&token("ext_2", "a")).await;
    let elsewhere = gateway
        .admit(&token("ext_1", "a"), at("trinity"))
        .decided()
        .await;
    assert!(elsewhere.is_ok());

    let gateway = Gateway::with(Coherence::SingleProcess, Limits::none().by_plan()).await;
    let policy = Policy::external().feature("webhooks").tenant_from("org");
    let policy = gateway.world.gate.compile(&policy, &gateway.realm).unwrap();
    let token = gateway.idp.token("ext_1");
    let ask = || gateway.world.admit(&token, &policy, at("neo")).decided();
    assert_eq!(ask().await.unwrap().limits.unwrap().limit(), 300);
    let provider = gateway.idp.provider(scopes_alone());
    let free = TenantProviders::new(handle("neo", "free"), set("mcp:call"), [provider]);
    gateway.configured.put("neo", free.unwrap());
    assert_eq!(cause(ask().await), Cause::MissingFeature);
    assert_eq!(
        gateway.ask(&token).await.unwrap().limits.unwrap().limit(),
        60
    );
}

#[tokio::test]
async fn a_new_key_is_fetched_once_for_all_who_need_it() {
    let mut gateway = Gateway::new().await;
    let old = gateway.idp.token("old");
    gateway.passes(&old).await;
    gateway.idp.rotate();
    let keys = Arc::clone(&gateway.idp.keys);
    for round in 1..=3 {
        let held = keys.held.write().await;
        let tokens: Vec<String> = (0..100)
            .map(|n| gateway.idp.token(&format!("ext_{n}")))
            .collect();
        let mut waiting: Vec<_> = tokens
            .iter()
            .map(|token| match gateway.admit(token, at("neo")) {
                Admission::Pending(pending) => pending,
                other => panic!("{other:?}"),
            })
            .collect();
        for one in &mut waiting {
            assert!(poll_immediate(one).await.is_none());
        }
        drop(held);
        for decision in join_all(waiting).await {
            assert!(decision.is_ok(), "{decision:?}");
        }
        assert_eq!(keys.fetches.load(SeqCst), round);
        // One who was told to wait before, and whose key came in the meantime, asks for no other.
        gateway.idp.rotate();
    }
    assert_eq!(
        gateway.refused(&old).await,
        Cause::JwtUnknownKey,
        "its key is gone"
    );
}

#[tokio::test]
async fn who_comes_late_needs_no_fetch_of_its_own() {
    let mut gateway = Gateway::new().await;
    gateway.idp.rotate();
    let (first, second) = (gateway.idp.token("a"), gateway.idp.token("b"));
    // Both saw the old keys; the second waits until the first has fetched.
    let [first, second] = [&first, &second].map(|token| gateway.admit(token, at("neo")));
    assert!(first.decided().await.is_ok());
    assert!(second.decided().await.is_ok());
    assert_eq!(gateway.idp.keys.fetches.load(SeqCst), 1);
}

#[tokio::test]
async fn a_caller_who_goes_away_takes_nobody_along() {
    let mut gateway = Gateway::new().await;
    gateway.idp.rotate();
    let keys = Arc::clone(&gateway.idp.keys);
    let held = keys.held.write().await;
    let (first, second) = (gateway.idp.token("a"), gateway.idp.token("b"));
    let wait = |token: &str| match gateway.admit(token, at("neo")) {
        Admission::Pending(pending) => pending,
        other => panic!("{other:?}"),
    };
    let (mut first, mut second) = (wait(&first), wait(&second));
    assert!(poll_immediate(&mut first).await.is_none());
    assert!(poll_immediate(&mut second).await.is_none());
    drop(first);
    drop(held);
    assert!(second.await.is_ok());
    assert_eq!(keys.fetches.load(SeqCst), 1);
}

#[tokio::test]
async fn a_provider_out_of_reach_is_neither_a_yes_nor_a_no() {
    let mut gateway = Gateway::new().await;
    let known = gateway.idp.token("known");
    gateway.idp.keys.is_down.store(true, SeqCst);
    gateway.idp.rotate();
    let token = gateway.idp.token("new");
    for _ in 0..200 {
        let refusal = gateway.ask(&token).await.unwrap_err();
        assert_eq!(refusal.cause(), Some(Cause::KeysUnavailable));
        assert_eq!(refusal.code(), ErrorCode::TemporarilyUnavailable);
        assert_eq!(refusal.retry_after().unwrap().get(), 30);
    }
    gateway.passes(&known).await;
    gateway.idp.keys.is_down.store(false, SeqCst);
    gateway.passes(&token).await;
}

#[tokio::test]
async fn a_provider_that_is_removed_while_its_keys_are_fetched_is_gone() {
    let mut gateway = Gateway::new().await;
    gateway.idp.rotate();
    let keys = Arc::clone(&gateway.idp.keys);
    let held = keys.held.write().await;
    let token = gateway.idp.token("a");
    let Admission::Pending(mut waiting) = gateway.admit(&token, at("neo")) else {
        panic!("the key is not known");
    };
    assert!(poll_immediate(&mut waiting).await.is_none());
    gateway.configured.remove("neo");
    drop(held);
    assert_eq!(cause(waiting.await), Cause::JwtIssuer);
}

#[tokio::test]
async fn garbage_from_one_address_does_not_hammer_a_provider() {
    let mut gateway = Gateway::new().await;
    let known = gateway.idp.token("known");
    let stranger = Idp::new();
    let mut answers = Vec::new();
    for n in 0..200 {
        answers.push(gateway.refused(&stranger.token(&format!("x{n}"))).await);
    }
    let tried = answers
        .iter()
        .filter(|cause| **cause == Cause::JwtUnknownKey);
    assert_eq!(tried.count(), 60);
    assert!(
        answers[60..]
            .iter()
            .all(|cause| *cause == Cause::FailureLimited)
    );
    assert_eq!(gateway.idp.keys.fetches.load(SeqCst), 60);
    // What the keys at hand can prove is not asked about.
    gateway.passes(&known).await;
    // Nor is anybody else's address counted.
    gateway.idp.rotate();
    let arrival = Arrival::new().tenant(Some("neo")).source(Some(ELSEWHERE));
    assert!(
        gateway
            .admit(&gateway.idp.token("new"), arrival)
            .decided()
            .await
            .is_ok()
    );
    // All at once they buy no more than in turn.
    let gateway = Gateway::new().await;
    let held = gateway.idp.keys.held.write().await;
    let tokens: Vec<String> = (0..200).map(|n| stranger.token(&format!("y{n}"))).collect();
    for token in &tokens {
        // Given up as soon as it is asked for.
        let arrival = Arrival::new().tenant(Some("neo")).source(Some(HOME));
        if let Admission::Pending(mut pending) = gateway.admit(token, arrival) {
            let _ = poll_immediate(&mut pending).await;
        }
    }
    drop(held);
    assert_eq!(gateway.idp.keys.fetches.load(SeqCst), 60);
}

#[test]
fn what_cannot_stand_side_by_side() {
    use gatewright_core::federation::{ProviderError, TenantProvidersError};

    let idp = Idp::new();
    let twice = [idp.provider(scopes_alone()), idp.provider(scopes_alone())];
    let twice = TenantProviders::new(handle("neo", "pro"), set("mcp:call"), twice);
    assert_eq!(
        twice.unwrap_err(),
        TenantProvidersError::IssuerTwice(IDP.into())
    );

    let build = |issuer: &str, policy: ClaimPolicy| {
        let verifier = Verifier::builder(issuer, "a").build().unwrap();
        Provider::new(verifier, Arc::clone(&idp.keys) as _, policy).map(|_| ())
    };
    let google = "https://accounts.google.com";
    let shared = ProviderError::SharedIssuer(google.into());
    assert!(shared.to_string().contains(google));
    assert_eq!(build(google, scopes_alone()), Err(shared));
    let client = ClaimPolicy::builder().client("agent").build().unwrap();
    assert_eq!(build(google, client), Ok(()));
    let group = ClaimPolicy::builder().require("hd", ["acme.example"]);
    assert_eq!(build(google, group.build().unwrap()), Ok(()));

    let keys = || Arc::clone(&idp.keys) as _;
    let secrets = Verifier::builder(IDP, "a")
        .algorithms([Algorithm::Hs256])
        .build();
    let refused = Provider::new(secrets.unwrap(), keys(), scopes_alone());
    assert_eq!(refused.unwrap_err(), ProviderError::SharedSecret);
    for own in [
        Verifier::builder(IDP, "a").private_claims(),
        Verifier::builder(IDP, "a").audience_of_tenant(GATEWAY),
        Verifier::builder(IDP, "a").insecure_any_audience(),
    ] {
        let refused = Provider::new(own.build().unwrap(), keys(), scopes_alone());
        assert_eq!(refused.unwrap_err(), ProviderError::OwnRules);
    }
    assert!(Provider::new(verifier("neo"), keys(), scopes_alone()).is_ok());
}
