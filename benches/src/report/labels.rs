//! What figures are called on the page, by their names without the kind.

/// Two threads on one credential.
pub const CONTENTION: &[(&str, &str)] = &[
    ("threads", "threads"),
    ("pure_slowdown", "pure computation slows by"),
    ("key_slowdown", "one API key slows by"),
    ("pat_slowdown", "one PAT slows by"),
    ("jwt_slowdown", "one JWT slows by"),
    ("key_ratio", "API key, beside pure computation"),
    ("pat_ratio", "PAT, beside pure computation"),
    ("jwt_ratio", "JWT, beside pure computation"),
];

/// Bytes.
pub const MEMORY: &[(&str, &str)] = &[
    ("key", "a cached API key"),
    ("jwt", "a cached JWT, beyond the token"),
    ("flood_entries", "tokens kept of a flood of distinct ones"),
    ("flood_growth", "what that flood grows memory by"),
];

/// Allocations.
pub const ALLOC: &[(&str, &str)] = &[
    ("api_key", "gate, warm API key"),
    ("pat", "gate, warm PAT"),
    ("jwt", "gate, warm JWT"),
    ("api_key_limited", "gate, warm API key, two limits"),
    ("jwt_limited", "gate, warm JWT, two limits"),
    ("malformed", "gate, malformed credentials"),
    ("charge_two_buckets", "limiter, two buckets"),
    ("tower", "tower layer over bare, API key"),
    ("tower_jwt", "tower layer over bare, JWT"),
    ("axum", "axum over bare, API key"),
    ("axum_jwt", "axum over bare, JWT"),
    ("actix", "actix-web over bare, API key"),
    ("actix_jwt", "actix-web over bare, JWT"),
];

/// Instructions.
pub const INSTRUCTIONS: &[(&str, &str)] = &[
    ("warm_api_key", "warm API key"),
    ("warm_pat", "warm PAT"),
    ("warm_jwt", "warm JWT"),
    ("warm_api_key_limited", "warm API key, two limits"),
    ("refused_malformed", "malformed credential"),
    ("refused_wrong_secret", "wrong secret"),
    ("cold_hs256", "cold JWT, HS256"),
    ("cold_rs256", "cold JWT, RS256"),
    ("cold_es256", "cold JWT, ES256"),
    ("cold_eddsa", "cold JWT, EdDSA"),
    ("jsonwebtoken_hs256", "jsonwebtoken, HS256"),
    ("jsonwebtoken_rs256", "jsonwebtoken, RS256"),
    ("jsonwebtoken_es256", "jsonwebtoken, ES256"),
    ("jsonwebtoken_eddsa", "jsonwebtoken, EdDSA"),
];

/// Keys in SQLite.
pub const STORE: &[(&str, &str)] = &[
    ("thousand_cold_ns", "the store alone, 1,000 keys"),
    ("million_cold_ns", "the store alone, 1,000,000 keys"),
    ("million_cold_ratio", "… beside 1,000"),
    (
        "thousand_gate_cold_ns",
        "the gate without a cache, 1,000 keys",
    ),
    (
        "million_gate_cold_ns",
        "the gate without a cache, 1,000,000 keys",
    ),
    ("million_db_bytes", "the database of 1,000,000 keys"),
];

/// Good callers beside bad credentials.
pub const FLOOD: &[(&str, &str)] = &[
    ("quiet_p50_us", "a good call, quiet, median"),
    ("quiet_p99_us", "a good call, quiet, p99"),
    ("p50_us", "a good call in the flood, median"),
    ("p99_us", "a good call in the flood, p99"),
    ("p99_ratio", "p99 in the flood beside quiet"),
    ("urgent", "good callers that ran before the server"),
    ("attack_rps", "bad credentials a second"),
    ("memory_growth_bytes", "memory at the end less at half time"),
    ("argon2_runs", "argon2 runs for credentials"),
    ("queue_full", "times that argon2's queue was full"),
];

/// Answers that must not tell whether there is an account: those of a table's part, the one that they are compared with
/// first.
pub const ANSWERS: &[&[(&str, &str)]] = &[
    &[
        ("log_in_wrong", "log in, wrong password"),
        ("log_in_unknown", "… unknown address"),
        ("log_in_unverified", "… unverified account"),
    ],
    &[("right_right", "log in, right password")],
    &[
        ("sign_up_registered", "sign up, registered address"),
        ("sign_up_new", "… new address"),
        ("sign_up_unverified", "… unverified account"),
    ],
    &[
        ("forgot_registered", "ask for a reset, registered address"),
        ("forgot_unknown", "… unknown address"),
        ("forgot_unverified", "… unverified account"),
    ],
    &[
        ("naive_wrong", "no hash for nobody: wrong password"),
        ("naive_unknown", "… unknown address"),
    ],
];
