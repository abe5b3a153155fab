//! An org that brings its own identity provider: a real one, which rotates, fails and is impersonated.

use std::time::Duration;

use futures_util::future::join_all;

use crate::call::Api;
use crate::gateway::Gateway;
use crate::provider::{FAULTS, Provider};

const AUDIENCE: &str = "apexmcp";

/// Longer than a fetch may take, and much shorter than anybody would call quick.
const QUICK: Duration = Duration::from_secs(10);

async fn start() -> (Provider, Gateway) {
    let provider = Provider::start(AUDIENCE);
    let gateway = Gateway::beside(&provider);
    gateway.trust(&provider, AUDIENCE).await;
    (provider, gateway)
}

async fn passes(gateway: &Gateway, token: &str) {
    let listed = gateway.list().bearer(token).send().await.is(200).json();
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert!(!tools.is_empty(), "{listed}");
}

#[tokio::test]
async fn its_tokens_pass_and_still_pass_when_it_has_rotated() {
    let (mut provider, gateway) = start().await;
    let old = provider.token("machine").await;
    passes(&gateway, &old).await;
    provider.rotate();
    let new = provider.token("machine").await;
    passes(&gateway, &new).await;
    passes(&gateway, &old).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_token_refuses_it() {
    let (mut provider, gateway) = start().await;
    let right = provider.right();
    passes(&gateway, &right).await;
    for fault in FAULTS {
        // Providers differ in what they call their tokens; which `typ` is good is for the org to say.
        if fault == "typ of an ID token" {
            continue;
        }
        let token = provider.forge(fault);
        let answer = gateway.list().bearer(&token).send().await;
        let code = if fault == "expired" {
            "token_expired"
        } else {
            "invalid_token"
        };
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, code),
            "{fault}: {answer:?}"
        );
    }
    passes(&gateway, &right).await;
}

#[tokio::test]
async fn an_outage_refuses_nobody_whose_key_is_held() {
    let (mut provider, gateway) = start().await;
    let known = provider.token("machine").await;
    passes(&gateway, &known).await;
    // Never seen before the outage, and of a key that is held.
    let unseen = provider.token("machine").await;
    let unknown = provider.forge("unknown kid");
    provider.stop();
    passes(&gateway, &known).await;
    passes(&gateway, &unseen).await;
    let call = gateway.list().bearer(&unknown);
    let answer = tokio::time::timeout(QUICK, call.send()).await;
    let answer = answer.expect("it waits for a provider that is gone");
    assert!(matches!(answer.status, 401 | 503), "{answer:?}");
    passes(&gateway, &known).await;
}

#[tokio::test]
async fn a_hundred_unknown_keys_at_once_cause_one_fetch() {
    let (mut provider, gateway) = start().await;
    let right = provider.right();
    passes(&gateway, &right).await;
    let before = (provider.fetches(), counted(&gateway).await);
    let tokens: Vec<String> = (0..100).map(|_| provider.forge("unknown kid")).collect();
    let calls = tokens.iter().map(|token| {
        let call = gateway.list().bearer(token);
        async move { call.send().await }
    });
    // Whoever is wrong sixty times a minute is told to wait, where the answer is not on its way by then.
    let (refused, limited): (Vec<_>, Vec<_>) = join_all(calls)
        .await
        .into_iter()
        .partition(|answer| answer.status == 401);
    assert!(refused.len() >= 60, "{refused:?} {limited:?}");
    for answer in refused {
        answer.refuses(401, "invalid_token");
    }
    for answer in limited {
        answer.refuses(429, "rate_limited");
    }
    let after = (provider.fetches(), counted(&gateway).await);
    assert_eq!(after, (before.0 + 1, before.1 + 1));
    passes(&gateway, &right).await;
}

/// How often the server has fetched a key set, by its own count.
async fn counted(gateway: &Gateway) -> u64 {
    let metrics = Api::new(&gateway.server).get("/metrics").send().await;
    let text = metrics.is(200).text();
    let counts = text
        .lines()
        .filter(|line| line.starts_with("gatewright_jwks_fetches_total"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
    counts.sum()
}
