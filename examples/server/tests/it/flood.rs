//! A flood of bad credentials beside holders of good ones: what it must not buy, and whom it must not hinder.
//!
//! How long the holders wait is no test's business; `benches/src/bin/flood.rs` measures it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::credential::Formats;
use rand::TryRng as _;
use rand::rngs::SysRng;
use reqwest::Client;
use tokio::task::JoinHandle;

use crate::cost::client_at;
use crate::forge;
use crate::world::{PUBLIC_URL, World, wrong_secret_for};

/// Bad credentials of each kind in one wave.
const EACH: usize = 1_000;
/// The address of the loopback network that the flood comes from, and one of the holders.
const FLOODED: u8 = 201;
/// Where a holder is who shares no address with anybody.
const ELSEWHERE: u8 = 202;
/// By how much the second wave may let the process grow. One that kept a kilobyte of each bad credential would grow by
/// more; what comes and goes (answers, log lines, an allocator's slack) is less than half of it.
const ALLOWANCE: u64 = 4 << 20;

/// What the flood is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Another secret for a real key each time.
    WrongSecret,
    /// Another key each time that nobody minted, with a right checksum.
    UnknownKey,
    /// The same of personal access tokens.
    UnknownPat,
    /// A real token's head and claims, and another signature each time.
    RandomSignature,
    /// Three segments that mean nothing.
    RandomText,
    /// Signed by the server's own key, for a real user and audience; over.
    Expired,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::WrongSecret,
        Self::UnknownKey,
        Self::UnknownPat,
        Self::RandomSignature,
        Self::RandomText,
        Self::Expired,
    ];
}

/// What bad credentials are made from.
#[derive(Clone)]
struct Material {
    key_id: String,
    token: String,
    expired: String,
}

impl Material {
    fn make(&self, kind: Kind) -> String {
        let random = |length: usize| {
            let mut bytes = vec![0; length];
            SysRng.try_fill_bytes(&mut bytes).unwrap();
            URL_SAFE_NO_PAD.encode(bytes)
        };
        match kind {
            Kind::WrongSecret => wrong_secret_for("tnx", &self.key_id),
            Kind::UnknownKey => unknown("tnx"),
            Kind::UnknownPat => unknown("patv1"),
            Kind::RandomSignature => {
                let (signed, signature) = self.token.rsplit_once('.').unwrap();
                let length = URL_SAFE_NO_PAD.decode(signature).unwrap().len();
                format!("{signed}.{}", random(length))
            }
            Kind::RandomText => format!("{}.{}.{}", random(30), random(200), random(256)),
            Kind::Expired => self.expired.clone(),
        }
    }
}

fn unknown(brand: &str) -> String {
    let formats = Formats::standard();
    let minted = formats.format(brand).unwrap().mint().unwrap();
    minted.secret.expose().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_buys_no_argon2_and_no_memory_and_hinders_nobody() {
    let world = World::new().await;
    let key = world.key().await;
    let pat = world.pat(&["links.read"]).await;
    let token = world.owner.v2.clone();
    let user = world.api.get("/whoami").bearer(&token).send().await;
    let user = user.is(200).string("subject");
    let user = user.strip_prefix("user:").unwrap();
    let material = Material {
        key_id: key.id.clone(),
        expired: forge::token(&world.home, user, &format!("{PUBLIC_URL}/v2"), 0).await,
        token: token.clone(),
    };
    world.server.keep_secret(&material.expired);

    // Everybody is proven before the flood; from then on memory answers for them.
    let good = [key.secret.clone(), pat.secret.clone(), token];
    for credential in &good {
        let call = world.api.get("/whoami").bearer(credential);
        call.send().await.is(200);
    }
    let proofs = world.proofs().await;
    let known = cached(&world).await;

    let over = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let holders = [FLOODED, ELSEWHERE].map(|address| {
        let client = client_at(address);
        let (url, good) = (format!("{}/whoami", world.server.base), good.clone());
        hold(client, url, good, Arc::clone(&over), Arc::clone(&answered))
    });

    wave(&world, &material).await;
    let before = (world.server.resident_bytes(), cached(&world).await);
    let answered_before = answered.load(Ordering::Relaxed);
    wave(&world, &material).await;
    let after = (world.server.resident_bytes(), cached(&world).await);
    assert!(
        answered.load(Ordering::Relaxed) > answered_before,
        "the holders were not there"
    );
    over.store(true, Ordering::Relaxed);
    for holder in holders {
        holder.await.unwrap();
    }

    // One wrong secret in 65,536 has the right guard tag.
    assert!(world.proofs().await - proofs <= 3);
    for pool in ["credentials", "passwords"] {
        let labels = [("pool", pool), ("outcome", "refused")];
        let refused = world.sample("gatewright_argon2_jobs_total", &labels).await;
        assert_eq!(refused, 0, "the queue of {pool} was full");
    }
    assert_eq!(after.1, known, "bad credentials are kept in memory");
    assert!(
        after.0 <= before.0 + ALLOWANCE,
        "grew from {} to {} bytes",
        before.0,
        after.0
    );

    // Whoever comes now is not held to account for it, not even where the flood came from.
    let url = format!("{}/whoami", world.server.base);
    let fresh = world.key().await;
    let first = client_at(FLOODED).get(url).bearer_auth(&fresh.secret);
    assert_eq!(first.send().await.unwrap().status(), 200);
}

/// Calls with good credentials, one after another, until it is over. Every one of them is answered as if nothing were.
fn hold(
    client: Client,
    url: String,
    good: [String; 3],
    over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        for credential in good.iter().cycle() {
            if over.load(Ordering::Relaxed) {
                return;
            }
            let answer = client.get(&url).bearer_auth(credential);
            let answer = answer.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
            answer.bytes().await.unwrap();
            answered.fetch_add(1, Ordering::Relaxed);
        }
    })
}

/// Some thousand bad credentials, all kinds at once, each as fast as the answers come.
async fn wave(world: &World, material: &Material) {
    let tasks = Kind::ALL.map(|kind| {
        let (client, url) = (client_at(FLOODED), format!("{}/whoami", world.server.base));
        let (material, secrets) = (material.clone(), world.server.secrets());
        tokio::spawn(async move {
            let mut answers = BTreeMap::<u16, usize>::new();
            for round in 0..EACH {
                let bad = material.make(kind);
                if round % 500 == 0 {
                    // Looked for in all that the server prints. What signs nothing is a part of a good token too.
                    let secret = bad.rsplit('.').next().unwrap().to_owned();
                    secrets.lock().unwrap().push(secret);
                }
                let answer = client.get(&url).bearer_auth(bad).send().await.unwrap();
                *answers.entry(answer.status().as_u16()).or_default() += 1;
                answer.bytes().await.unwrap();
            }
            answers
        })
    });
    for (kind, task) in Kind::ALL.into_iter().zip(tasks) {
        let answers = task.await.unwrap();
        let refused = answers.get(&401).copied().unwrap_or(0);
        let limited = answers.get(&429).copied().unwrap_or(0);
        assert_eq!(refused + limited, EACH, "{kind:?}: {answers:?}");
        if kind == Kind::WrongSecret {
            // Ten a minute for one address and one id: this would be enough for an hour.
            assert!(limited > 0 && refused <= 500, "{kind:?}: {answers:?}");
        } else {
            assert_eq!(limited, 0, "{kind:?}: {answers:?}");
        }
    }
}

/// What the gate keeps of credentials, by cache.
async fn cached(world: &World) -> [u64; 2] {
    let mut entries = [0; 2];
    for (place, cache) in entries.iter_mut().zip(["records", "tokens"]) {
        let labels = [("cache", cache)];
        *place = world.sample("gatewright_cache_entries", &labels).await;
    }
    entries
}
