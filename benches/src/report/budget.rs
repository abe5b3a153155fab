//! The budgets, and how a run stands beside them.

use super::amount;
use super::measured::Measured;

/// What is looked up, or reckoned from two of them.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// The median of a benchmark, `group/bench`.
    Time(&'static str),
    /// A figure.
    Figure(&'static str),
    /// The first benchmark's median beyond the second's.
    Over(&'static str, &'static str),
}

/// The most, or the least, that an amount may be.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// So many nanoseconds at most.
    Nanoseconds(f64),
    /// So much at most, of the figure's own unit.
    AtMost(f64),
    /// So much at least, of the figure's own unit.
    AtLeast(f64),
    /// So many times another amount at most, which has a name.
    Times(f64, Amount, &'static str),
}

/// One line of the table of budgets.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// What is measured.
    pub what: &'static str,
    /// Where it stands.
    pub amount: Amount,
    /// What it is allowed.
    pub limit: Limit,
}

/// A budget beside what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What is measured.
    pub what: &'static str,
    /// How much it is.
    pub measured: String,
    /// What it is allowed.
    pub budget: String,
    /// How much of what it is allowed: over 1 is too much.
    pub used: String,
    /// Whether it is allowed.
    pub verdict: Verdict,
}

/// How a budget was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was kept.
    Within,
    /// It was not.
    Over,
    /// Nobody knows: a part of it was not measured.
    Unknown,
}

impl Verdict {
    /// In the words of the table.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Over => "over",
            Self::Unknown => "not measured",
        }
    }
}

use Amount::{Figure, Over, Time};
use Limit::{AtLeast, AtMost, Nanoseconds, Times};

const HS256: (Amount, &str) = (Time("peers/jsonwebtoken_hs256"), "`jsonwebtoken` HS256");
const RS256: (Amount, &str) = (Time("peers/jsonwebtoken_rs256"), "`jsonwebtoken` RS256");
const THIRD: Limit = Times(1.0 / 3.0, HS256.0, HS256.1);
const HUNDREDTH: Limit = Times(0.01, RS256.0, RS256.1);
const WARM: Limit = Nanoseconds(200.0);
const NONE: Limit = AtMost(0.0);

const fn row(what: &'static str, amount: Amount, limit: Limit) -> Budget {
    Budget {
        what,
        amount,
        limit,
    }
}

/// Every budget.
pub const BUDGETS: &[Budget] = &[
    row("warm API key", Time("gate/warm_api_key"), THIRD),
    row("warm API key", Time("gate/warm_api_key"), WARM),
    row("warm PAT", Time("gate/warm_pat"), THIRD),
    row("warm PAT", Time("gate/warm_pat"), WARM),
    row("warm JWT, HS256", Time("gate/warm_jwt_hs256"), HUNDREDTH),
    row("warm JWT, RS256", Time("gate/warm_jwt_rs256"), HUNDREDTH),
    row("warm JWT, ES256", Time("gate/warm_jwt_es256"), HUNDREDTH),
    row("warm JWT, EdDSA", Time("gate/warm_jwt_eddsa"), HUNDREDTH),
    row("1,000 hot JWTs", Time("gate/warm_jwt_1000"), HUNDREDTH),
    row("1,000 hot JWTs", Time("gate/warm_jwt_1000"), WARM),
    row(
        "cold JWT, RS256",
        Time("gate/cold_rs256"),
        Times(1.10, Time("floor/rs256_verify"), "the bare verification"),
    ),
    row(
        "cold JWT, ES256",
        Time("gate/cold_es256"),
        Times(1.10, Time("floor/es256_verify"), "the bare verification"),
    ),
    row(
        "cold JWT, EdDSA",
        Time("gate/cold_eddsa"),
        Times(1.10, Time("floor/eddsa_verify"), "the bare verification"),
    ),
    row(
        "cold JWT, HS256",
        Time("gate/cold_hs256"),
        Times(3.0, Time("floor/hs256_hmac"), "the bare HMAC"),
    ),
    row(
        "wrong secret for a real prefix",
        Time("gate/wrong_secret"),
        Nanoseconds(1_000.0),
    ),
    row(
        "argon2 runs in 60,000 wrong secrets",
        Figure("wrong_secret_argon2"),
        AtMost(1.0),
    ),
    row("allocations, warm API key", Figure("alloc_api_key"), NONE),
    row("allocations, warm PAT", Figure("alloc_pat"), NONE),
    row("allocations, warm JWT", Figure("alloc_jwt"), NONE),
    row(
        "allocations, tower layer over bare",
        Figure("alloc_tower"),
        AtMost(1.0),
    ),
    row(
        "allocations, actix-web over bare",
        Figure("alloc_actix"),
        AtMost(1.0),
    ),
    row(
        "allocations, axum over bare",
        Figure("alloc_axum"),
        AtMost(2.0),
    ),
    row(
        "malformed credential",
        Time("gate/malformed"),
        Nanoseconds(100.0),
    ),
    row(
        "allocations, malformed credential",
        Figure("alloc_malformed"),
        NONE,
    ),
    row(
        "store calls, malformed credential",
        Figure("malformed_store_calls"),
        NONE,
    ),
    row(
        "scope check, 16 grants",
        Time("gate/scope_16"),
        Nanoseconds(20.0),
    ),
    row(
        "charge over two buckets, hot",
        Time("gate/charge_two_buckets"),
        Nanoseconds(120.0),
    ),
    row(
        "tower layer over bare, API key",
        Over("adapters/tower_gate_key", "adapters/tower_bare"),
        Nanoseconds(400.0),
    ),
    row(
        "tower layer over bare, JWT",
        Over("adapters/tower_gate_jwt", "adapters/tower_bare"),
        Nanoseconds(400.0),
    ),
    row(
        "axum over bare, API key",
        Over("adapters/axum_gate_key", "adapters/axum_bare"),
        Nanoseconds(400.0),
    ),
    row(
        "axum over bare, JWT",
        Over("adapters/axum_gate_jwt", "adapters/axum_bare"),
        Nanoseconds(400.0),
    ),
    row(
        "actix-web over bare, API key",
        Over("adapters/actix_gate_key", "adapters/actix_bare"),
        Nanoseconds(400.0),
    ),
    row(
        "actix-web over bare, JWT",
        Over("adapters/actix_gate_jwt", "adapters/actix_bare"),
        Nanoseconds(400.0),
    ),
    row(
        "loopback throughput of bare, API key",
        Figure("loopback_key_ratio"),
        AtLeast(0.95),
    ),
    row(
        "loopback throughput of bare, PAT",
        Figure("loopback_pat_ratio"),
        AtLeast(0.95),
    ),
    row(
        "loopback throughput of bare, JWT",
        Figure("loopback_jwt_ratio"),
        AtLeast(0.95),
    ),
    row(
        "two threads on one hot API key",
        Figure("contention_key_ratio"),
        AtMost(1.15),
    ),
    row(
        "two threads on one hot JWT",
        Figure("contention_jwt_ratio"),
        AtMost(1.15),
    ),
    row(
        "memory of a cached API key",
        Figure("memory_key"),
        AtMost(600.0),
    ),
    row(
        "memory of a cached JWT, beyond the token",
        Figure("memory_jwt"),
        AtMost(600.0),
    ),
    row(
        "cold look-up among 1,000,000 keys in SQLite",
        Figure("million_cold_ns"),
        Times(1.5, Figure("thousand_cold_ns"), "among 1,000"),
    ),
    row(
        "a good caller's p99 in a flood",
        Figure("flood_p99_us"),
        Times(2.0, Figure("flood_quiet_p99_us"), "its quiet p99"),
    ),
    row(
        "argon2 queue full in a flood",
        Figure("flood_queue_full"),
        NONE,
    ),
    row(
        "telling refused log-ins apart by time (AUC)",
        Figure("answers_log_in_auc"),
        AtMost(0.55),
    ),
    row(
        "telling sign-ups apart by time (AUC)",
        Figure("answers_sign_up_auc"),
        AtMost(0.55),
    ),
    row(
        "telling requests for a reset apart by time (AUC)",
        Figure("answers_forgot_auc"),
        AtMost(0.55),
    ),
    row(
        "the same of a log-in without a hash for nobody",
        Figure("answers_naive_auc"),
        AtLeast(0.99),
    ),
];

impl Budget {
    /// This budget beside a run.
    #[must_use]
    pub fn beside(&self, run: &Measured) -> Line {
        let found = self.amount.of(run);
        let allowed = self.limit.of(run);
        let verdict = match (found, allowed) {
            (Some(found), Some(allowed)) => {
                let kept = match self.limit {
                    Limit::AtLeast(_) => found >= allowed,
                    _ => found <= allowed,
                };
                if kept { Verdict::Within } else { Verdict::Over }
            }
            _ => Verdict::Unknown,
        };
        let used = match (found, allowed, self.limit) {
            (Some(found), Some(allowed), Limit::AtLeast(_)) if found > 0.0 => Some(allowed / found),
            (
                Some(found),
                Some(allowed),
                Limit::Nanoseconds(_) | Limit::AtMost(_) | Limit::Times(..),
            ) if allowed > 0.0 => Some(found / allowed),
            _ => None,
        };
        Line {
            what: self.what,
            measured: found.map_or_else(dash, |found| amount::figure(found, self.amount.unit(run))),
            budget: self.limit.words(run, self.amount.unit(run)),
            used: used.map_or_else(dash, |used| format!("{used:.2}")),
            verdict,
        }
    }
}

impl Amount {
    fn of(self, run: &Measured) -> Option<f64> {
        match self {
            Self::Time(name) => run.time(name),
            Self::Figure(name) => run.figure(name).map(|figure| figure.value),
            Self::Over(name, bare) => Some(run.time(name)? - run.time(bare)?),
        }
    }

    fn unit(self, run: &Measured) -> &str {
        match self {
            Self::Time(_) | Self::Over(..) => "ns",
            Self::Figure(name) => run.figure(name).map_or("", |figure| &figure.unit),
        }
    }
}

impl Limit {
    fn of(self, run: &Measured) -> Option<f64> {
        match self {
            Self::Nanoseconds(limit) | Self::AtMost(limit) | Self::AtLeast(limit) => Some(limit),
            Self::Times(times, other, _) => Some(times * other.of(run)?),
        }
    }

    fn words(self, run: &Measured, unit: &str) -> String {
        match self {
            Self::Nanoseconds(limit) => format!("≤ {}", amount::time(limit)),
            Self::AtMost(limit) => format!("≤ {}", amount::figure(limit, unit)),
            Self::AtLeast(limit) => format!("≥ {}", amount::figure(limit, unit)),
            Self::Times(times, other, name) => {
                let factor = if times < 1.0 {
                    format!("1/{:.0}", 1.0 / times)
                } else {
                    format!("{} ×", amount::digits(times))
                };
                let of = other.of(run).map_or_else(String::new, |of| {
                    format!(" ({})", amount::figure(of, other.unit(run)))
                });
                format!("≤ {factor} {name}{of}")
            }
        }
    }
}

fn dash() -> String {
    "—".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(budget: Budget, run: &Measured) -> (String, String, String, Verdict) {
        let line = budget.beside(run);
        (line.measured, line.budget, line.used, line.verdict)
    }

    #[test]
    fn a_ratio_is_reckoned_within_one_run() {
        let budget = row("", Time("gate/a"), Times(0.01, Time("peers/b"), "B"));
        let run = Measured::of(&[("gate/a", 40.0), ("peers/b", 8_000.0)], &[]);
        let want = (
            "40 ns".into(),
            "≤ 1/100 B (8 µs)".into(),
            "0.50".into(),
            Verdict::Within,
        );
        assert_eq!(line(budget, &run), want);
        let run = Measured::of(&[("gate/a", 81.0), ("peers/b", 8_000.0)], &[]);
        assert_eq!(budget.beside(&run).verdict, Verdict::Over);
    }

    #[test]
    fn at_least_is_the_other_way_round() {
        let budget = row("", Figure("f"), AtLeast(0.95));
        let of = |value| Measured::of(&[], &[("f", value, "ratio")]);
        let want = (
            "0.900".into(),
            "≥ 0.950".into(),
            "1.06".into(),
            Verdict::Over,
        );
        assert_eq!(line(budget, &of(0.9)), want);
        assert_eq!(budget.beside(&of(0.95)).verdict, Verdict::Within);
    }

    #[test]
    fn nothing_allowed_has_no_share() {
        let budget = row("", Figure("f"), NONE);
        let of = |value| Measured::of(&[], &[("f", value, "")]);
        let want = ("0".into(), "≤ 0".into(), "—".into(), Verdict::Within);
        assert_eq!(line(budget, &of(0.0)), want);
        assert_eq!(budget.beside(&of(1.0)).verdict, Verdict::Over);
    }

    #[test]
    fn what_lacks_a_part_was_not_measured() {
        let budget = row("", Over("adapters/a", "adapters/b"), WARM);
        let run = Measured::of(&[("adapters/a", 40.0)], &[]);
        let want = ("—".into(), "≤ 200 ns".into(), "—".into(), Verdict::Unknown);
        assert_eq!(line(budget, &run), want);
        for budget in BUDGETS {
            assert_eq!(
                budget.beside(&Measured::default()).verdict,
                Verdict::Unknown
            );
        }
    }
}
