//! What the server says of its own work: one log line a request, and metrics. No secret, no query string and no id of
//! anybody is in either.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use gatewright_axum::Refusal;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::gate::Gate;
use gatewright_core::hash::{HashStats, Passwords};
use metrics::{counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusRecorder};
use tracing_subscriber::EnvFilter;

use crate::audit::AuditLog;
use crate::background::Chain;
use crate::config::LogForm;
use crate::mail::{MailStats, Mailer};

/// Seconds, from a warm call to one that waited for argon2 in a queue.
const BUCKETS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// The label of requests that no route matched. What was asked for is the caller's to choose, so it is no label.
const UNMATCHED: &str = "unmatched";

/// What is logged if nobody says otherwise. rmcp begins and ends a service for each request, and says so.
const LOGGED: &str = "info,rmcp=warn";

/// Sends log lines to standard error. `RUST_LOG` says which; [`LOGGED`] if it says nothing.
pub(crate) fn init_log(form: LogForm) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // There can be only one; a second attempt would change nothing.
    let _already_there = match form {
        LogForm::Text => log.with_ansi(false).try_init(),
        LogForm::Json => log.json().flatten_event(true).try_init(),
    };
}

/// The server's metrics. They live in no global, unless they are to [take in](Metrics::take_in) what libraries count.
pub(crate) struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    gate: Gate,
    passwords: Passwords,
    audit: Arc<AuditLog>,
    mailer: Mailer,
}

impl Metrics {
    /// Metrics of these parts and of the requests that [`observe`] sees.
    ///
    /// # Errors
    /// [`BuildError`] where the buckets of the histogram make none.
    pub(crate) fn new(
        gate: Gate,
        passwords: Passwords,
        audit: Arc<AuditLog>,
        mailer: Mailer,
    ) -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(BUCKETS)?
            .build_recorder();
        Ok(Self {
            recorder: Arc::new(recorder),
            gate,
            passwords,
            audit,
            mailer,
        })
    }

    /// Takes in what libraries count by themselves, such as fetches of key sets. There can be only one who does.
    pub(crate) fn take_in(&self) {
        if metrics::set_global_recorder(Arc::clone(&self.recorder)).is_err() {
            tracing::error!("what libraries count goes elsewhere");
        }
    }

    /// The text that a scrape gets.
    pub(crate) fn render(&self) -> String {
        with_local_recorder(&*self.recorder, || {
            let stats = self.gate.stats();
            for (cause, count) in stats.refusals {
                counter!("gatewright_refusals_total", "code" => cause.code().as_str(), "cause" => cause.as_str())
                    .absolute(count);
            }
            for (cache, entries) in [
                ("records", stats.cached_records),
                ("tokens", stats.cached_tokens),
                ("memberships", stats.cached_memberships),
            ] {
                gauge!("gatewright_cache_entries", "cache" => cache).set(entries as f64);
            }
            pool("credentials", stats.hashing);
            counter!("gatewright_imported_verifications_total").absolute(stats.hashing.imported);
            pool("passwords", self.passwords.stats());
            counter!("gatewright_audit_dropped_total").absolute(self.audit.dropped());
            mails(self.mailer.stats());
        });
        self.recorder.handle().render()
    }

    /// Moves what the histograms have gathered into their buckets; call it every few seconds.
    pub(crate) fn run_upkeep(&self) {
        self.recorder.handle().run_upkeep();
    }

    fn request(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        with_local_recorder(&*self.recorder, || {
            histogram!(
                "http_request_duration_seconds",
                "route" => route.to_owned(),
                "method" => method,
                "status" => status.to_string(),
            )
            .record(took);
        });
    }
}

fn pool(name: &'static str, stats: HashStats) {
    for (outcome, count) in [
        ("verified", stats.verifications),
        ("hashed", stats.hashes),
        ("refused", stats.refused),
        ("skipped", stats.skipped),
        ("failed", stats.failed),
    ] {
        counter!("gatewright_argon2_jobs_total", "pool" => name, "outcome" => outcome)
            .absolute(count);
    }
    gauge!("gatewright_argon2_queued", "pool" => name).set(stats.queued as f64);
}

fn mails(stats: MailStats) {
    for (outcome, count) in [
        ("delivered", stats.delivered),
        ("refused", stats.refused),
        ("given_up", stats.given_up),
        ("dropped", stats.dropped),
    ] {
        counter!("gatewright_mails_total", "outcome" => outcome).absolute(count);
    }
    counter!("gatewright_mail_failed_attempts_total").absolute(stats.failed_attempts);
    gauge!("gatewright_mails_waiting").set(stats.waiting as f64);
}

/// Around every request: measures it and writes its line.
pub(crate) async fn observe(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let method = method_label(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let response = caught(next.run(request)).await.unwrap_or_else(|| {
        // What panicked, and where, has gone to standard error already.
        tracing::error!(target: "gatewright_server::request", method, "a handler panicked");
        Refusal::from(ErrorCode::InternalError).into_response()
    });
    let took = began.elapsed();

    let route = matched.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
    let status = response.status().as_u16();
    metrics.request(route, method, status, took);

    let error = response.extensions().get::<AuthError>();
    tracing::info!(
        target: "gatewright_server::request",
        method,
        route,
        status,
        latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        code = error.map(|error| error.code().as_str()),
        cause = error.and_then(AuthError::cause).map(Cause::as_str),
        "request"
    );
    if let Some(error) = error.filter(|_| status >= 500) {
        tracing::error!(target: "gatewright_server::request", method, route, error = %Chain(error), "request failed");
    }
    response
}

/// What the future becomes; `None` if it panicked. A bug is answered as one, and costs no other request.
async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // Whatever was half done when it panicked is dropped with it: it is not polled again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

/// A method is any token that a caller likes; those that no route has share a label.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_no_answer_and_goes_no_further() {
        assert_eq!(caught(async { 1 }).await, Some(1));
        let panics = async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        };
        assert_eq!(caught::<u8>(panics).await, None);
    }
}
