//! What metrics tell.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gatewright_core::credential::Secret;
use gatewright_core::federation::{Introspector as _, KeySource as _};
use gatewright_jwks::{Introspection, RemoteKeys};
use gatewright_testing::FakeClock;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

use crate::server::{Server, answer};
use crate::{allowing, key_set, new_key, still};

/// Counters as they are, gauges as the bits of a float.
#[derive(Default)]
struct Recorded(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Recorded {
    fn cell(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: String = key
            .labels()
            .map(|label| format!("{{{}={}}}", label.key(), label.value()))
            .collect();
        let name = format!("{}{labels}", key.name());
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn counters(&self) -> Vec<(String, u64)> {
        let cells = self.0.lock().unwrap();
        let counters = cells.iter().filter(|(name, _)| name.contains("_total"));
        counters
            .map(|(name, cell)| (name.clone(), cell.load(Ordering::Relaxed)))
            .collect()
    }

    fn keys(&self) -> f64 {
        let cells = self.0.lock().unwrap();
        f64::from_bits(cells["gatewright_jwks_keys"].load(Ordering::Relaxed))
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// A recorder belongs to a thread, so everything runs on this one.
#[test]
fn fetches_keys_and_questions_are_counted() {
    let recorded = Recorded::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    with_local_recorder(&recorded, || runtime.block_on(observe(&recorded)));
    let counters = recorded.counters();
    let expected = [
        ("gatewright_introspections_total{outcome=inactive}", 1),
        ("gatewright_jwks_fetches_total{outcome=changed}", 2),
        ("gatewright_jwks_fetches_total{outcome=status}", 1),
        ("gatewright_jwks_fetches_total{outcome=unchanged}", 1),
    ];
    assert_eq!(counters, expected.map(|(name, n)| (name.to_owned(), n)));
}

async fn observe(recorded: &Recorded) {
    let two = Server::saying(key_set(&[new_key(), new_key()])).await;
    let failing = Server::start(|_| async { answer(500, &[], "") }).await;
    let one = Server::saying(key_set(&[new_key()])).await;
    let clock = FakeClock::at(1_000);
    let mut sources = Vec::new();
    for server in [&two, &failing, &one] {
        let http = allowing(server.url()).build().unwrap();
        let keys = RemoteKeys::from_jwks_url(&http, server.url(), still(&clock)).unwrap();
        let _ = keys.refetch().await;
        sources.push(keys);
    }
    clock.advance(30);
    sources[0].refetch().await.unwrap();
    assert_eq!(recorded.keys(), 3.0);
    sources.remove(0);
    while recorded.keys() != 1.0 {
        tokio::task::yield_now().await;
    }
    let provider = Server::start(|_| async {
        let json = ("content-type", "application/json");
        answer(200, &[json], "{\"active\":false}")
    })
    .await;
    let http = allowing(provider.url()).build().unwrap();
    let secret = Secret::new("s3cret".to_owned());
    let asking = Introspection::new(&http, provider.url(), "app", &secret).unwrap();
    assert_eq!(asking.introspect(&secret).await, Ok(None));
}
