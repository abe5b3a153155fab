//! From a request to an answer: the table of situations, and which bytes count.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use gatewright_core::credential::{Field, SecretKind};
use gatewright_core::error::{AuthError, Cause};
use gatewright_core::gate::{Admitted, Arrival};
use gatewright_core::policy::{CompiledPolicy, Policy, Realm};
use gatewright_core::principal::Mode;
use proptest::prelude::*;

use crate::fixture::{HOME, NOW, World, at, cause};

/// One situation of the handle API: who asks where, and what the answer says.
struct Row<'a> {
    situation: &'a str,
    policy: &'a Arc<CompiledPolicy>,
    line: Option<String>,
    slug: &'a str,
    status: u16,
    code: &'a str,
    cause: Cause,
    message: &'a str,
    challenge: Option<&'a str>,
}

fn bearer(text: &str) -> Option<String> {
    Some(format!("Bearer {text}"))
}

#[tokio::test]
async fn every_situation_has_its_answer() {
    let world = World::new().await;
    let reading = &world.read_links();
    let pats = &world.compile(Policy::pat().scope("links.read").tenant_from("handle"));
    let owners = &world.compile(Policy::jwt().role("owner").tenant_from("handle"));
    let analytics = &world.compile(Policy::pat().scope("analytics.*").tenant_from("handle"));
    let webhooks = &world.compile(
        Policy::pat()
            .scope("webhooks.read")
            .or(Policy::jwt())
            .feature("webhooks")
            .tenant_from("handle"),
    );
    let pat = world.pat("links.read").await;
    let key = world.api_key("*").await;
    let expired = world
        .mint(SecretKind::Pat, "*", |new| new.expires_at = Some(NOW))
        .await;
    let revoked = world.pat("*").await;
    world.revoke(&revoked).await;
    let old = world.sign(&gatewright_core::jwt::AccessTokenClaims::new(
        crate::fixture::ISSUER,
        "alice",
        crate::fixture::HANDLE_AUDIENCE,
        "app",
        "j",
        NOW - 60,
        NOW,
    ));
    let stranger = world
        .gate
        .formats()
        .format("patv1")
        .unwrap()
        .mint()
        .unwrap();
    let carol = world.jwt("carol");

    const INVALID: &str = "The credential is not valid";
    const INVALID_CHALLENGE: Option<&str> = Some(
        r#"Bearer realm="handles", error="invalid_token", error_description="The credential is not valid""#,
    );
    const SCOPE: &str = "Token does not have the required scope";
    const SCOPE_CHALLENGE: Option<&str> = Some(
        r#"Bearer realm="handles", error="insufficient_scope", error_description="Token does not have the required scope""#,
    );
    let row = |situation, policy, line, status, code, cause, message, challenge| Row {
        situation,
        policy,
        line,
        slug: "neo",
        status,
        code,
        cause,
        message,
        challenge,
    };
    let invalid = |situation, line, cause| {
        row(
            situation,
            reading,
            line,
            401,
            "invalid_token",
            cause,
            INVALID,
            INVALID_CHALLENGE,
        )
    };
    let rows = [
        row(
            "no credential",
            reading,
            None,
            401,
            "missing_bearer_token",
            Cause::NothingPresented,
            "No credential was presented",
            Some(r#"Bearer realm="handles""#),
        ),
        row(
            "another scheme",
            reading,
            Some("Basic dTpw".to_owned()),
            401,
            "missing_bearer_token",
            Cause::ForeignScheme,
            "No credential was presented",
            Some(r#"Bearer realm="handles""#),
        ),
        invalid(
            "a malformed field",
            Some("Bearer a b".to_owned()),
            Cause::MalformedField,
        ),
        invalid("no known format", bearer("hello"), Cause::UnknownFormat),
        invalid(
            "a malformed PAT",
            bearer("patv1_x"),
            Cause::MalformedCredential,
        ),
        invalid(
            "an unknown PAT",
            bearer(stranger.secret.expose()),
            Cause::UnknownCredential,
        ),
        invalid(
            "a wrong secret",
            bearer(&world.wrong(&pat)),
            Cause::TagMismatch,
        ),
        row(
            "a JWT where only a PAT goes",
            pats,
            bearer(&world.jwt("alice")),
            401,
            "invalid_token_format",
            Cause::WrongModeJwt,
            "This kind of credential is not accepted here",
            Some(
                r#"Bearer realm="handles", error="invalid_token", error_description="This kind of credential is not accepted here""#,
            ),
        ),
        row(
            "a PAT where only a JWT goes",
            owners,
            bearer(&pat.text),
            403,
            "insufficient_scope",
            Cause::WrongModeSecret,
            SCOPE,
            SCOPE_CHALLENGE,
        ),
        row(
            "a key where only a PAT goes",
            pats,
            bearer(&key.text),
            403,
            "insufficient_scope",
            Cause::WrongModeSecret,
            SCOPE,
            SCOPE_CHALLENGE,
        ),
        Row {
            slug: "trinity",
            ..row(
                "a PAT of another handle",
                pats,
                bearer(&pat.text),
                403,
                "insufficient_scope",
                Cause::ForeignTenant,
                SCOPE,
                SCOPE_CHALLENGE,
            )
        },
        Row {
            slug: "nowhere",
            ..row(
                "a PAT, and no such handle",
                pats,
                bearer(&pat.text),
                403,
                "insufficient_scope",
                Cause::ForeignTenant,
                SCOPE,
                SCOPE_CHALLENGE,
            )
        },
        row(
            "a user without a role on the handle",
            reading,
            bearer(&carol),
            404,
            "not_found",
            Cause::NoMembership,
            "Not found",
            None,
        ),
        Row {
            slug: "nowhere",
            ..row(
                "a user, and no such handle",
                reading,
                bearer(&carol),
                404,
                "not_found",
                Cause::NoMembership,
                "Not found",
                None,
            )
        },
        row(
            "an expired JWT",
            reading,
            bearer(&old),
            401,
            "token_expired",
            Cause::JwtExpired,
            "The credential has expired",
            Some(
                r#"Bearer realm="handles", error="invalid_token", error_description="The credential has expired""#,
            ),
        ),
        row(
            "an expired PAT",
            reading,
            bearer(&expired.text),
            401,
            "token_expired",
            Cause::Expired,
            "The credential has expired",
            Some(
                r#"Bearer realm="handles", error="invalid_token", error_description="The credential has expired""#,
            ),
        ),
        row(
            "a revoked PAT",
            reading,
            bearer(&revoked.text),
            401,
            "token_revoked",
            Cause::Revoked,
            "The credential has been revoked",
            Some(
                r#"Bearer realm="handles", error="invalid_token", error_description="The credential has been revoked""#,
            ),
        ),
        row(
            "a missing scope",
            analytics,
            bearer(&pat.text),
            403,
            "insufficient_scope",
            Cause::MissingScope,
            "Token does not have the required scope: analytics.*",
            Some(
                r#"Bearer realm="handles", error="insufficient_scope", error_description="Token does not have the required scope: analytics.*", scope="analytics.*""#,
            ),
        ),
        row(
            "a role too low",
            owners,
            bearer(&world.jwt("bob")),
            403,
            "insufficient_role",
            Cause::MissingRole,
            "Your role does not allow this",
            None,
        ),
        Row {
            slug: "trinity",
            ..row(
                "a plan without the feature",
                webhooks,
                bearer(&world.sign(&world.claims("carol", "j2"))),
                403,
                "feature_locked",
                Cause::MissingFeature,
                "The plan does not include this feature",
                None,
            )
        },
    ];
    for row in rows {
        let Row {
            situation,
            policy,
            line,
            slug,
            status,
            code,
            cause,
            message,
            challenge,
        } = row;
        let fields: Vec<(Field, &[u8])> = line
            .iter()
            .map(|line| (Field::Authorization, line.as_bytes()))
            .collect();
        // Twice: what is remembered of the first time changes nothing.
        for _ in 0..2 {
            let decision = world
                .gate
                .authenticate(&fields[..], policy, &at(slug))
                .decided()
                .await;
            let refusal = decision.expect_err(situation);
            assert_eq!(refusal.cause(), Some(cause), "{situation}");
            let rendered = policy.refusal(&refusal, false);
            assert_eq!(rendered.status, status, "{situation}");
            let body = format!(
                r#"{{"error":{{"code":"{code}","message":"{message}","statusCode":{status}}}}}"#
            );
            assert_eq!(
                String::from_utf8(rendered.body).unwrap(),
                body,
                "{situation}"
            );
            let field = rendered
                .fields
                .iter()
                .find(|(name, _)| *name == "www-authenticate");
            assert_eq!(
                field.map(|(_, value)| value.as_str()),
                challenge,
                "{situation}"
            );
        }
    }

    world.store.broken.store(true, SeqCst);
    let refusal = world.ask(&world.pat_text(), reading).await.unwrap_err();
    let rendered = reading.refusal(&refusal, false);
    assert_eq!(rendered.status, 503);
    assert!(
        rendered
            .fields
            .iter()
            .any(|(name, _)| *name == "retry-after")
    );
    assert_eq!(
        String::from_utf8(rendered.body).unwrap(),
        r#"{"error":{"code":"temporarily_unavailable","message":"Temporarily unavailable","statusCode":503}}"#
    );
}

impl World {
    /// A well-formed PAT that memory knows nothing of.
    fn pat_text(&self) -> String {
        let minted = self.gate.formats().format("patv1").unwrap().mint().unwrap();
        minted.secret.expose().to_owned()
    }

    async fn send(
        &self,
        fields: &[(Field, &str)],
        policy: &Arc<CompiledPolicy>,
    ) -> Result<Admitted, AuthError> {
        let fields: Vec<(Field, &[u8])> = fields
            .iter()
            .map(|(field, value)| (*field, value.as_bytes()))
            .collect();
        self.gate
            .authenticate(&fields[..], policy, &at("neo"))
            .decided()
            .await
    }
}

fn mode(decision: Result<Admitted, AuthError>) -> Mode {
    decision.unwrap().principal.unwrap().mode()
}

#[tokio::test]
async fn x_api_key_is_unread_in_a_realm_that_reads_authorization_alone() {
    let world = World::new().await;
    let realm = Realm::builder("keys").authorization_only().build();
    let policy = world.gate.compile(&Policy::api_key(), &realm).unwrap();
    let key = world.api_key("*").await;
    let as_key = (Field::ApiKey, key.text.as_str());
    assert_eq!(
        cause(world.send(&[as_key], &policy).await),
        Cause::NothingPresented
    );
    let line = format!("Bearer {}", key.text);
    let both = [
        (Field::ApiKey, "nonsense"),
        (Field::Authorization, line.as_str()),
    ];
    assert_eq!(mode(world.send(&both, &policy).await), Mode::ApiKey);
}

#[tokio::test]
async fn x_api_key_comes_first_where_secrets_go_and_is_unread_elsewhere() {
    let world = World::new().await;
    let (any, jwt_only) = (world.anyone(), world.compile(Policy::jwt()));
    let (pat, jwt) = (world.pat("*").await, world.jwt("alice"));
    let line = format!("Bearer {jwt}");
    let both = [
        (Field::ApiKey, pat.text.as_str()),
        (Field::Authorization, line.as_str()),
    ];
    assert_eq!(mode(world.send(&both, &any).await), Mode::Pat);
    assert_eq!(mode(world.send(&both, &jwt_only).await), Mode::Jwt);
    assert_eq!(
        cause(world.send(&both[..1], &jwt_only).await),
        Cause::NothingPresented
    );
    // No second try with the other field.
    for bad in ["", "patv1_x", "a b"] {
        let both = [(Field::ApiKey, bad), (Field::Authorization, line.as_str())];
        assert_eq!(cause(world.send(&both, &any).await).code().status(), 401);
    }
    let twice = [
        (Field::ApiKey, pat.text.as_str()),
        (Field::ApiKey, pat.text.as_str()),
    ];
    assert_eq!(cause(world.send(&twice, &any).await), Cause::AmbiguousField);
    // What a credential is follows from its text, not from its field.
    let jwt_as_key = [(Field::ApiKey, jwt.as_str())];
    assert_eq!(mode(world.send(&jwt_as_key, &any).await), Mode::Jwt);
    let pats = world.compile(Policy::pat());
    assert_eq!(
        cause(world.send(&jwt_as_key, &pats).await),
        Cause::WrongModeJwt
    );
}

#[tokio::test]
async fn of_several_lines_the_first_well_formed_bearer_counts() {
    let world = World::new().await;
    let any = world.anyone();
    let (pat, jwt) = (world.pat("*").await, world.jwt("alice"));
    let (pat, jwt) = (format!("bEaReR  {}", pat.text), format!("Bearer {jwt}"));
    let lines = |lines: &[&'static str]| lines.to_vec();
    for before in [
        lines(&[]),
        lines(&["Basic dTpw"]),
        lines(&["Bearer a b", "Digest x"]),
    ] {
        let mut fields: Vec<(Field, &str)> = before
            .into_iter()
            .map(|line| (Field::Authorization, line))
            .collect();
        fields.push((Field::Authorization, pat.as_str()));
        fields.push((Field::Authorization, jwt.as_str()));
        assert_eq!(mode(world.send(&fields, &any).await), Mode::Pat);
    }
    let wrong_first = [
        (Field::Authorization, "Bearer patv1_x"),
        (Field::Authorization, jwt.as_str()),
    ];
    assert_eq!(
        cause(world.send(&wrong_first, &any).await),
        Cause::MalformedCredential
    );
    let joined = format!("{pat}, {jwt}");
    let joined = [(Field::Authorization, joined.as_str())];
    assert_eq!(
        cause(world.send(&joined, &any).await),
        Cause::MalformedField
    );
}

#[tokio::test]
async fn a_token_in_the_query_is_refused_whatever_else_is_there() {
    let world = World::new().await;
    let any = world.anyone();
    let pat = world.pat("*").await;
    let line = format!("Bearer {}", pat.text);
    let fields = [(Field::Authorization, line.as_bytes())];
    for query in ["access_token=x", "a=b&access%5Ftoken=", "access_token"] {
        let arrival = Arrival::new().query(Some(query));
        let refusal = world
            .gate
            .authenticate(&fields[..], &any, &arrival)
            .decided()
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.cause(), refusal.status()),
            (Some(Cause::TokenInQuery), 400)
        );
    }
    let arrival = Arrival::new().query(Some("q=access_token"));
    assert!(
        world
            .gate
            .authenticate(&fields[..], &any, &arrival)
            .decided()
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn an_optional_credential_may_be_missing_and_not_wrong() {
    let world = World::new().await;
    let optional = world.compile(Policy::pat().scope("links.read").or(Policy::public()));
    let (pat, other) = (
        world.pat("links.read").await,
        world.pat("webhooks.read").await,
    );
    assert!(
        world
            .send(&[], &optional)
            .await
            .unwrap()
            .principal
            .is_none()
    );
    assert_eq!(mode(world.ask(&pat.text, &optional).await), Mode::Pat);
    for (line, expected) in [
        ("Basic dTpw".to_owned(), Cause::ForeignScheme),
        ("Bearer".to_owned(), Cause::MalformedField),
        ("Bearer nothing-known".to_owned(), Cause::UnknownFormat),
        (format!("Bearer {}", world.wrong(&pat)), Cause::TagMismatch),
        (format!("Bearer {}", other.text), Cause::MissingScope),
        (
            format!("Bearer {}", world.jwt("alice")),
            Cause::WrongModeJwt,
        ),
    ] {
        let fields = [(Field::Authorization, line.as_str())];
        assert_eq!(cause(world.send(&fields, &optional).await), expected);
    }
}

#[tokio::test]
async fn a_public_policy_looks_at_no_credential() {
    let world = World::new().await;
    let public = world.compile(Policy::public());
    for line in ["Bearer patv1_x", "Basic dTpw", "", "Bearer nothing-known"] {
        let admitted = world
            .send(&[(Field::Authorization, line)], &public)
            .await
            .unwrap();
        assert!(admitted.principal.is_none());
    }
    let pat = world.pat("*").await;
    assert!(
        world
            .ask(&pat.text, &public)
            .await
            .unwrap()
            .principal
            .is_none()
    );
    assert_eq!((world.store.reads(), world.hashed()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_are_admitted_by_chance(
        lines in proptest::collection::vec(
            (
                any::<bool>(),
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..80),
                    "(Bearer|bearer|Basic)? ?(tnx_|patv1_|apx_live_sk_|eyJ)?[A-Za-z0-9._=-]{0,90}"
                        .prop_map(String::into_bytes),
                ],
            ),
            1..4,
        ),
        query in proptest::option::of(".{0,20}"),
    ) {
        thread_local! {
            static WORLD: (tokio::runtime::Runtime, World) = {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let world = runtime.block_on(World::new());
                (runtime, world)
            };
        }
        WORLD.with(|(runtime, world)| {
            let fields: Vec<(Field, &[u8])> = lines
                .iter()
                .map(|(key, line)| {
                    (if *key { Field::ApiKey } else { Field::Authorization }, line.as_slice())
                })
                .collect();
            let arrival = Arrival::new().source(Some(HOME)).query(query.as_deref());
            let decision = world.gate.authenticate(&fields[..], &world.anyone(), &arrival);
            let refusal = runtime.block_on(decision.decided()).unwrap_err();
            assert!(matches!(refusal.status(), 400 | 401 | 429));
        });
    }

    /// One character of a right credential changed, and it is right no more.
    #[test]
    fn no_neighbour_of_a_right_credential_is_admitted(place in 0..45_usize, byte in any::<u8>()) {
        thread_local! {
            static WORLD: (tokio::runtime::Runtime, World, String, String) = {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let world = runtime.block_on(World::new());
                let pat = runtime.block_on(world.pat("*")).text;
                let jwt = world.jwt("alice");
                (runtime, world, pat, jwt)
            };
        }
        WORLD.with(|(runtime, world, pat, jwt)| {
            let any = world.anyone();
            for right in [pat, jwt] {
                runtime.block_on(world.passes(right, &any));
                let mut line = format!("Bearer {right}").into_bytes();
                // Counted from the end: of a JWT that is the signature.
                let place = line.len() - 1 - place.min(right.len() - 1);
                if line[place] == byte || matches!(byte, b' ' | b'\t') {
                    continue;
                }
                line[place] = byte;
                let fields = [(Field::Authorization, line.as_slice())];
                let decision = world.gate.authenticate(&fields[..], &any, &Arrival::new());
                assert!(runtime.block_on(decision.decided()).is_err());
            }
        });
    }
}
