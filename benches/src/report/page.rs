//! The page of results: tables into the marked places of `docs/performance.md`.

use super::amount::{self, digits};
use super::budget::{BUDGETS, Line};
use super::labels;
use super::machine::{Machine, Versions};
use super::measured::Measured;
use super::peers::{ALGORITHMS, KEYS, MIDDLEWARE, Peer, TOKENS};

const MISSING: &str = "not measured";

/// Every table of a run by the name of its place.
#[must_use]
pub fn sections(
    run: &Measured,
    machine: &Machine,
    versions: &Versions,
) -> Vec<(&'static str, String)> {
    vec![
        ("machine", machine_lines(machine, versions)),
        ("budgets", budgets(run)),
        ("tokens", tokens(run)),
        ("keys", keys(run)),
        ("limits", limits(run)),
        ("adapters", adapters(run)),
        ("loopback", loopback(run)),
        (
            "contention",
            figures(run, "contention_", labels::CONTENTION),
        ),
        ("memory", figures(run, "memory_", labels::MEMORY)),
        ("store", figures_of(run, labels::STORE)),
        ("flood", figures(run, "flood_", labels::FLOOD)),
        ("answers", answers(run)),
        ("allocations", figures(run, "alloc_", labels::ALLOC)),
        (
            "instructions",
            figures(run, "instructions_", labels::INSTRUCTIONS),
        ),
        ("peers", peers(versions)),
    ]
}

/// The page with these tables in their places, or the name of a place that it lacks.
///
/// # Errors
///
/// The name of the section whose marks are missing.
pub fn filled(page: &str, sections: &[(&'static str, String)]) -> Result<String, &'static str> {
    let mut page = page.to_owned();
    for (name, table) in sections {
        let begin = format!("<!-- bench: {name} -->\n");
        let (before, rest) = page.split_once(&begin).ok_or(*name)?;
        let (_, after) = rest.split_once("<!-- /bench -->").ok_or(*name)?;
        page = format!("{before}{begin}{table}<!-- /bench -->{after}");
    }
    Ok(page)
}

/// The budgets as a table for a terminal.
#[must_use]
pub fn budgets_in_columns(run: &Measured) -> String {
    let mut rows = vec![["what", "measured", "budget", "used", ""].map(str::to_owned)];
    for budget in BUDGETS {
        let Line {
            what,
            measured,
            budget,
            used,
            verdict,
        } = budget.beside(run);
        rows.push([
            what.to_owned(),
            measured,
            budget.replace('`', ""),
            used,
            verdict.words().to_owned(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let [what, measured, budget, used, verdict] = row;
        let line = format!(
            "{what:<a$}  {measured:>b$}  {budget:<c$}  {used:>d$}  {verdict}",
            a = widths[0],
            b = widths[1],
            c = widths[2],
            d = widths[3],
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn machine_lines(machine: &Machine, versions: &Versions) -> String {
    let Machine {
        processor,
        cores,
        kernel,
        compiler,
    } = machine;
    let threads = if *cores == 1 { "thread" } else { "threads" };
    let of = |name: &str| format!("{name} {}", versions.get(name).unwrap_or("—"));
    let frameworks = ["axum", "actix-web", "tower", "tokio", "aws-lc-rs"]
        .map(of)
        .join(", ");
    format!("{processor}, {cores} hardware {threads}; {kernel}; {compiler}; {frameworks}.\n")
}

fn budgets(run: &Measured) -> String {
    let mut table = head(&["what", "measured", "budget", "used", ""], ":---:");
    for budget in BUDGETS {
        let line = budget.beside(run);
        table.push_str(&row(&[
            line.what,
            &line.measured,
            &line.budget,
            &line.used,
            line.verdict.words(),
        ]));
    }
    table
}

/// One row an algorithm. The fastest of those that verify is set in bold.
fn tokens(run: &Measured) -> String {
    let mut columns = vec!["", "Gatewright, warm", "Gatewright, cold"];
    columns.extend(TOKENS.iter().map(|peer| peer.name));
    columns.push("the bare verification");
    let mut table = head(&columns, "---:");
    for (key, name) in ALGORITHMS {
        let time = |peer: &Peer| run.time(&format!("peers/{}_{key}", peer.bench));
        let cold = run.time(&format!("gate/cold_{key}"));
        let all = TOKENS.iter().map(time).chain([cold]).flatten();
        let best = all.fold(f64::INFINITY, f64::min);
        let verified = |time: Option<f64>| match time {
            Some(time) if time == best => format!("**{}**", amount::time(time)),
            time => cell(time),
        };
        let bare = if key == "hs256" { "hmac" } else { "verify" };
        let mut cells = vec![
            name.to_owned(),
            cell(run.time(&format!("gate/warm_jwt_{key}"))),
            verified(cold),
        ];
        cells.extend(TOKENS.iter().map(|peer| match key {
            "hs256" if !peer.shares_secrets => "refused".to_owned(),
            _ => verified(time(peer)),
        }));
        cells.push(cell(run.time(&format!("floor/{key}_{bare}"))));
        table.push_str(&row(&cells));
    }
    table
}

fn keys(run: &Measured) -> String {
    let mut rows = vec![
        (
            "Gatewright, warm API key",
            "gate/warm_api_key".to_owned(),
            "argon2id",
        ),
        (
            "Gatewright, warm PAT",
            "gate/warm_pat".to_owned(),
            "argon2id",
        ),
        (
            "Gatewright, wrong secret",
            "gate/wrong_secret".to_owned(),
            "argon2id",
        ),
        (
            "Gatewright, malformed",
            "gate/malformed".to_owned(),
            "argon2id",
        ),
    ];
    rows.extend(KEYS.iter().map(|peer| {
        let rest = match peer.bench {
            "prefixed_api_key" => "SHA-256",
            "api_keys_simplified" => "argon2id, 46 MiB",
            _ => "argon2id",
        };
        (peer.name, format!("peers/{}", peer.bench), rest)
    }));
    let mut table = head(&["", "kept as", "time"], "---:");
    for (name, bench, rest) in rows {
        table.push_str(&row(&[name, rest, &cell(run.time(&bench))]));
    }
    table
}

fn limits(run: &Measured) -> String {
    let mut table = head(&["", "time"], "---:");
    for (name, bench) in [
        ("Gatewright, two buckets, hot", "gate/charge_two_buckets"),
        (
            "Gatewright, two buckets among 100,000 keys",
            "gate/charge_two_buckets_100k",
        ),
        ("governor, one quota", "peers/governor_check"),
        ("governor, two quotas, hot", "peers/governor_check_two"),
        (
            "governor, two quotas among 100,000 keys",
            "peers/governor_check_two_100k",
        ),
    ] {
        table.push_str(&row(&[name, &cell(run.time(bench))]));
    }
    table
}

/// The frameworks: the benchmark of the bare one first.
const ADAPTERS: &[(&str, &[(&str, &str)])] = &[
    (
        "adapters/tower_bare",
        &[
            ("tower service, bare", "adapters/tower_bare"),
            ("… Gatewright's layer, API key", "adapters/tower_gate_key"),
            ("… Gatewright's layer, JWT", "adapters/tower_gate_jwt"),
        ],
    ),
    (
        "adapters/axum_bare",
        &[
            ("axum 0.8, bare", "adapters/axum_bare"),
            ("… the least that a guard does", "adapters/axum_least"),
            ("… `GuardedRouter`, API key", "adapters/axum_gate_key"),
            ("… `GuardedRouter`, PAT", "adapters/axum_gate_pat"),
            ("… `GuardedRouter`, JWT", "adapters/axum_gate_jwt"),
            ("… axum-jwt-auth", "adapters/axum_jwt_auth"),
            (
                "… oauth-resource-server",
                "adapters/axum_oauth_resource_server",
            ),
        ],
    ),
    (
        "adapters/axum07_bare",
        &[
            ("axum 0.7, bare", "adapters/axum07_bare"),
            ("… jwt-authorizer", "adapters/axum07_jwt_authorizer"),
        ],
    ),
    (
        "adapters/actix_bare",
        &[
            ("actix-web, bare", "adapters/actix_bare"),
            ("… `GuardedScope`, API key", "adapters/actix_gate_key"),
            ("… `GuardedScope`, JWT", "adapters/actix_gate_jwt"),
            (
                "… `GateMiddleware`, API key",
                "adapters/actix_middleware_key",
            ),
            ("… `GateMiddleware`, JWT", "adapters/actix_middleware_jwt"),
            (
                "… actix-web-httpauth and jsonwebtoken",
                "adapters/actix_httpauth",
            ),
        ],
    ),
];

fn adapters(run: &Measured) -> String {
    let mut table = head(&["", "a request", "over bare"], "---:");
    for (bare, rows) in ADAPTERS {
        for (name, bench) in *rows {
            let time = run.time(bench);
            let over = match (time, run.time(bare)) {
                _ if bench == bare => String::new(),
                (Some(time), Some(bare)) => amount::time(time - bare),
                _ => MISSING.to_owned(),
            };
            table.push_str(&row(&[*name, &cell(time), &over]));
        }
    }
    table
}

const LOOPBACK: &[(&str, &str)] = &[
    ("axum, bare", "bare"),
    ("the least that a guard does", "least"),
    ("Gatewright, API key", "key"),
    ("Gatewright, PAT", "pat"),
    ("Gatewright, JWT RS256", "jwt"),
    ("jsonwebtoken HS256 in an extractor", "jsonwebtoken_hs256"),
    ("jsonwebtoken RS256 in an extractor", "jsonwebtoken_rs256"),
    ("jsonwebtoken ES256 in an extractor", "jsonwebtoken_es256"),
    ("argon2id on every request", "argon2"),
];

fn loopback(run: &Measured) -> String {
    let mut table = head(&["", "requests a second", "of bare"], "---:");
    for (name, key) in LOOPBACK {
        let value = |what| {
            run.figure(&format!("loopback_{key}_{what}"))
                .map(|figure| figure.value)
        };
        let rate = value("rps").map_or_else(|| MISSING.to_owned(), digits);
        let share = match value("ratio") {
            _ if *key == "bare" => String::new(),
            Some(ratio) => format!("{} %", digits(ratio * 100.0)),
            None => MISSING.to_owned(),
        };
        table.push_str(&row(&[*name, &rate, &share]));
    }
    table
}

/// Every figure of a kind, those with a label first and in the labels' order.
fn figures(run: &Measured, prefix: &str, labels: &[(&str, &str)]) -> String {
    let place = |name: &str| labels.iter().position(|(known, _)| *known == name);
    let mut found: Vec<_> = run
        .figures(prefix)
        .map(|(name, figure)| (place(name).unwrap_or(labels.len()), name, figure))
        .collect();
    found.sort_by_key(|(place, name, _)| (*place, *name));
    if found.is_empty() {
        return format!("{MISSING}\n");
    }
    let mut table = head(&["", "figure"], "---:");
    for (place, name, figure) in found {
        let label = labels
            .get(place)
            .map_or_else(|| name.replace('_', " "), |(_, label)| (*label).to_owned());
        table.push_str(&row(&[
            &*label,
            &amount::figure(figure.value, &figure.unit),
        ]));
    }
    table
}

/// The figures of these names, each with its label.
fn figures_of(run: &Measured, labels: &[(&str, &str)]) -> String {
    let mut table = head(&["", "figure"], "---:");
    for (name, label) in labels {
        let figure = run.figure(name);
        let figure = figure.map(|figure| amount::figure(figure.value, &figure.unit));
        let figure = figure.unwrap_or_else(|| MISSING.to_owned());
        table.push_str(&row(&[*label, &figure]));
    }
    table
}

/// How long each answer takes, and how well it is told by that from the first one of its part.
fn answers(run: &Measured) -> String {
    let mut table = head(&["", "median", "p90", "p99", "AUC", "distance"], "---:");
    for part in labels::ANSWERS {
        for (place, (name, label)) in part.iter().enumerate() {
            let value = |what| {
                let figure = run.figure(&format!("answers_{name}_{what}"));
                figure.map(|figure| figure.value)
            };
            let beside = |what| match place {
                0 => String::new(),
                _ => value(what).map_or_else(|| MISSING.to_owned(), digits),
            };
            table.push_str(&row(&[
                *label,
                &cell(value("p50_ns")),
                &cell(value("p90_ns")),
                &cell(value("p99_ns")),
                &beside("auc"),
                &beside("distance"),
            ]));
        }
    }
    table
}

fn peers(versions: &Versions) -> String {
    let mut table = head(&["crate", "version", "configured"], "---");
    for Peer {
        name, configured, ..
    } in TOKENS.iter().chain(KEYS).chain(MIDDLEWARE)
    {
        let version = versions.get(name).unwrap_or("—");
        table.push_str(&row(&[&format!("`{name}`"), version, *configured]));
    }
    table
}

fn cell(time: Option<f64>) -> String {
    time.map_or_else(|| MISSING.to_owned(), amount::time)
}

fn head(columns: &[&str], rest: &str) -> String {
    let mut rule = vec!["---"];
    rule.resize(columns.len(), rest);
    format!("{}{}", row(columns), row(&rule).replace(' ', ""))
}

fn row<T: AsRef<str>>(cells: &[T]) -> String {
    let mut row = String::from("|");
    for cell in cells {
        row.push(' ');
        row.push_str(cell.as_ref());
        row.push_str(" |");
    }
    row.push('\n');
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Measured {
        Measured::of(
            &[
                ("gate/cold_rs256", 26_500.0),
                ("peers/jsonwebtoken_rs256", 26_000.0),
                ("gate/warm_jwt_rs256", 90.0),
                ("adapters/axum_bare", 800.0),
                ("adapters/axum_gate_key", 1_000.0),
            ],
            &[
                ("loopback_key_rps", 120_400.0, "requests/s"),
                ("loopback_key_ratio", 0.973, "ratio"),
                ("memory_key", 512.0, "bytes"),
                ("memory_another", 1.0, "bytes"),
            ],
        )
    }

    #[test]
    fn the_fastest_that_verifies_is_bold_whoever_it_is() {
        let table = tokens(&run());
        let line = table
            .lines()
            .find(|line| line.starts_with("| RS256"))
            .unwrap();
        assert!(
            line.starts_with("| RS256 | 90 ns | 26.5 µs | **26 µs** | not measured |"),
            "{line}"
        );
        assert_eq!(table.matches("**").count(), 2);
    }

    #[test]
    fn an_adapter_stands_beside_its_bare_framework() {
        let table = adapters(&run());
        assert!(
            table.contains("| axum 0.8, bare | 800 ns |  |\n"),
            "{table}"
        );
        assert!(
            table.contains("| … `GuardedRouter`, API key | 1 µs | 200 ns |\n"),
            "{table}"
        );
        assert!(
            table.contains("| … axum-jwt-auth | not measured | not measured |\n"),
            "{table}"
        );
    }

    #[test]
    fn throughput_is_a_share_of_bare() {
        let table = loopback(&run());
        assert!(
            table.contains("| Gatewright, API key | 120,400 | 97.3 % |\n"),
            "{table}"
        );
    }

    #[test]
    fn a_figure_without_a_label_comes_last() {
        let table = figures(&run(), "memory_", &[("key", "a cached key")]);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            ["| a cached key | 512 bytes |", "| another | 1 bytes |"]
        );
        assert_eq!(figures(&run(), "alloc_", &[]), "not measured\n");
    }

    #[test]
    fn an_answer_stands_beside_the_first_one_of_its_part() {
        let run = Measured::of(
            &[],
            &[
                ("answers_log_in_wrong_p50_ns", 17_000_000.0, "ns"),
                ("answers_log_in_wrong_auc", 0.5, "ratio"),
                ("answers_log_in_unknown_auc", 0.513, "ratio"),
            ],
        );
        let table = answers(&run);
        let starts = |start: &str| table.lines().any(|line| line.starts_with(start));
        assert!(starts("| log in, wrong password | 17 ms |"), "{table}");
        assert!(table.contains("| … unknown address | not measured |"));
        assert!(table.contains("| 0.513 | not measured |\n"), "{table}");
        assert!(table.contains("| not measured |  |  |\n"), "{table}");
    }

    #[test]
    fn figures_of_these_names_are_shown_or_said_to_be_missing() {
        let labels = &[("memory_key", "a key"), ("nothing", "another")];
        let table = figures_of(&run(), labels);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            ["| a key | 512 bytes |", "| another | not measured |"]
        );
    }

    #[test]
    fn a_table_is_as_wide_as_its_head() {
        let machine = Machine::here();
        for (name, text) in sections(&run(), &machine, &Versions::of("")) {
            let cells = |line: &str| line.matches('|').count();
            let head = text.lines().next().map_or(0, cells);
            assert!(
                text.lines().all(|line| cells(line) == head),
                "{name}: {text}"
            );
        }
        let lines = budgets_in_columns(&run());
        assert_eq!(lines.lines().count(), BUDGETS.len() + 1);
    }

    #[test]
    fn only_what_stands_in_its_place_is_replaced() {
        let page = "# P\n\n<!-- bench: a -->\nold\n<!-- /bench -->\nprose\n<!-- bench: b -->\n<!-- /bench -->\n";
        let tables = [("a", "A\n".to_owned()), ("b", "B\n".to_owned())];
        let want = "# P\n\n<!-- bench: a -->\nA\n<!-- /bench -->\nprose\n<!-- bench: b -->\nB\n<!-- /bench -->\n";
        assert_eq!(filled(page, &tables).as_deref(), Ok(want));
        assert_eq!(filled(want, &tables).as_deref(), Ok(want));
        assert_eq!(filled(page, &[("c", String::new())]), Err("c"));
    }
}
