//! The plot: one bar a kind of credential, on a logarithmic scale.

use std::fmt::Write as _;

use super::amount;
use super::measured::Measured;
use super::peers::{ALGORITHMS, KEYS, TOKENS};

const WIDTH: f64 = 880.0;
const LEFT: f64 = 200.0;
const RIGHT: f64 = 820.0;
const TOP: f64 = 92.0;
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;
/// What the longest label takes.
const LABEL: f64 = 240.0;
/// Bars begin where a cache-line miss does.
const LEAST: f64 = 10.0;

/// A bar, or the place of one that was not measured.
struct Bar {
    class: &'static str,
    label: String,
    nanoseconds: Option<f64>,
    note: String,
    /// Others of the same kind.
    others: Vec<f64>,
    /// What Gatewright itself takes where it has nothing in memory yet.
    cold: Option<f64>,
}

/// The plot of a run, as SVG.
#[must_use]
pub fn plot(run: &Measured) -> String {
    let bars = bars(run);
    let most = bars
        .iter()
        .flat_map(|bar| bar.nanoseconds.iter().chain(&bar.others))
        .copied()
        .fold(1e6, f64::max);
    let scale = Scale::new(most);
    let bottom = TOP + ROW * bars.len() as f64;
    let height = bottom + 82.0;

    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title desc">
<title id="title">What a credential costs a request</title>
<desc id="desc">{}</desc>
<style>
text {{ font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 13px; fill: #1f2328; }}
.page {{ fill: #ffffff; }} .head {{ font-size: 17px; font-weight: 600; }} .soft {{ fill: #59636e; font-size: 12px; }}
.tick {{ text-anchor: middle; }} .label {{ text-anchor: end; }} .grid {{ stroke: #d1d9e0; stroke-width: 1; }}
.bare {{ fill: #818b98; }} .ours {{ fill: #1a7f5a; }} .peer {{ fill: #c2410c; }} .hash {{ fill: #7c2d5e; }}
.onbar {{ fill: #ffffff; }}
.other {{ stroke: #1f2328; stroke-width: 2; }} .cold {{ stroke: #1a7f5a; stroke-width: 3; }}
.value {{ paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }} .against {{ stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 4 3; }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #f0f6fc; }} .page {{ fill: #0d1117; }} .soft {{ fill: #9198a1; }} .grid {{ stroke: #3d444d; }}
.bare {{ fill: #9198a1; }} .ours {{ fill: #3fb984; }} .peer {{ fill: #f0883e; }} .hash {{ fill: #d2669f; }}
.onbar {{ fill: #0d1117; }} .other {{ stroke: #f0f6fc; }} .cold {{ stroke: #3fb984; }} .value {{ stroke: #0d1117; }} .against {{ stroke: #9198a1; }}
}}
</style>
<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>
<text class="head" x="24" y="34">What a credential costs a request</text>
<text class="soft" x="24" y="56">time to prove one credential, on one core · each step to the right is ten times as long</text>
"##,
        escaped(&described(&bars)),
    );
    for (place, label) in scale.ticks() {
        let _ = writeln!(
            svg,
            r#"<line class="grid" x1="{place:.1}" y1="{:.1}" x2="{place:.1}" y2="{bottom:.1}"/><text class="soft tick" x="{place:.1}" y="{:.1}">{label}</text>"#,
            TOP - 8.0,
            bottom + 20.0,
        );
    }
    for (index, bar) in bars.iter().enumerate() {
        draw(&mut svg, bar, &scale, TOP + ROW * index as f64);
    }
    if let Some(bare) = run.time("adapters/axum_bare") {
        let place = scale.place(bare);
        let _ = writeln!(
            svg,
            r#"<line class="against" x1="{place:.1}" y1="{:.1}" x2="{place:.1}" y2="{bottom:.1}"/>"#,
            TOP - 8.0,
        );
    }
    let _ = writeln!(
        svg,
        r#"<text class="soft" x="24" y="{:.1}">A bar of peers ends at the fastest; ticks are the others, and in green Gatewright when it sees a token for the first time.</text>
<text class="soft" x="24" y="{:.1}">Gatewright's own bars are credentials that it has seen before. Dashed: all that axum itself does for a request.</text>"#,
        bottom + 46.0,
        bottom + 64.0,
    );
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, bar: &Bar, scale: &Scale, top: f64) {
    let base = top + BAR / 2.0 + 4.5;
    let _ = write!(
        svg,
        r#"<text class="label" x="{:.1}" y="{base:.1}">{}</text>"#,
        LEFT - 10.0,
        escaped(&bar.label),
    );
    let Some(nanoseconds) = bar.nanoseconds else {
        let x = LEFT + 6.0;
        let _ = writeln!(
            svg,
            r#"<text class="soft" x="{x:.1}" y="{base:.1}">not measured</text>"#
        );
        return;
    };
    let end = scale.place(nanoseconds);
    let _ = write!(
        svg,
        r#"<rect class="{}" x="{LEFT}" y="{top:.1}" width="{:.1}" height="{BAR}" rx="2"/>"#,
        bar.class,
        (end - LEFT).max(2.0),
    );
    let mut places = Vec::new();
    let others = bar.others.iter().map(|other| ("other", *other));
    for (class, other) in others.chain(bar.cold.map(|cold| ("cold", cold))) {
        let place = scale.place(other);
        places.push(place);
        // A tick of ours stands out of the bar, which it may lie on.
        let out = if class == "cold" { 6.0 } else { 0.0 };
        let _ = write!(
            svg,
            r#"<line class="{class}" x1="{place:.1}" y1="{:.1}" x2="{place:.1}" y2="{:.1}"/>"#,
            top + 3.0 - out,
            top + BAR - 3.0 + out,
        );
    }
    let text = [&amount::time(nanoseconds), &bar.note]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" · ");
    // Beside the bar and the ticks that would lie under the text; in front of its end where the page ends.
    places.sort_by(f64::total_cmp);
    let last = places.into_iter().fold(end, |last, place| {
        if place < last + LABEL {
            last.max(place)
        } else {
            last
        }
    });
    let inside = last + LABEL > WIDTH;
    let (x, anchor, class) = if inside {
        (end - 8.0, "end", r#" class="onbar""#)
    } else {
        (last + 8.0, "start", r#" class="value""#)
    };
    let _ = writeln!(
        svg,
        r#"<text x="{x:.1}" y="{base:.1}" text-anchor="{anchor}"{class}>{}</text>"#,
        escaped(&text),
    );
}

fn bars(run: &Measured) -> Vec<Bar> {
    let one = |class, label: &str, name: &str| Bar {
        class,
        label: label.to_owned(),
        nanoseconds: run.time(name),
        note: String::new(),
        others: Vec::new(),
        cold: None,
    };
    let mut bars = vec![
        one("ours", "Gatewright, API key", "gate/warm_api_key"),
        one("ours", "Gatewright, PAT", "gate/warm_pat"),
        one("ours", "Gatewright, JWT", "gate/warm_jwt_rs256"),
        one("bare", "axum alone", "adapters/axum_bare"),
    ];
    // Without the bare hash, which has a bar of its own.
    let keys = KEYS.iter().filter(|peer| peer.bench != "argon2_verify");
    let keys = keys.map(|peer| (format!("peers/{}", peer.bench), peer.name));
    bars.push(fastest(run, "peers, API key", keys, None));
    for (key, name) in ALGORITHMS {
        let peers = TOKENS
            .iter()
            .map(|peer| (format!("peers/{}_{key}", peer.bench), peer.name));
        let cold = run.time(&format!("gate/cold_{key}"));
        bars.push(fastest(run, &format!("peers, JWT {name}"), peers, cold));
    }
    bars.push(one("hash", "argon2id, each request", "peers/argon2_verify"));
    bars
}

/// The fastest of these peers, by benchmark and name, and the others as ticks.
fn fastest<'a>(
    run: &Measured,
    label: &str,
    peers: impl Iterator<Item = (String, &'a str)>,
    cold: Option<f64>,
) -> Bar {
    let mut times: Vec<(f64, &str)> = peers
        .filter_map(|(bench, name)| Some((run.time(&bench)?, name)))
        .collect();
    times.sort_by(|one, other| one.0.total_cmp(&other.0));
    let first = times.first();
    Bar {
        class: "peer",
        label: label.to_owned(),
        nanoseconds: first.map(|(time, _)| *time),
        note: first.map_or_else(String::new, |(_, name)| (*name).to_owned()),
        others: times.iter().skip(1).map(|(time, _)| *time).collect(),
        cold,
    }
}

/// The plot in words, for who cannot see it.
fn described(bars: &[Bar]) -> String {
    let words: Vec<String> = bars
        .iter()
        .filter_map(|bar| {
            let time = amount::time(bar.nanoseconds?);
            Some(format!("{} {}: {time}", bar.label, bar.note).replace(" :", ":"))
        })
        .collect();
    format!("Bars on a logarithmic scale. {}.", words.join("; "))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Nanoseconds to places on the page.
struct Scale {
    decades: f64,
}

impl Scale {
    /// From [`LEAST`] to the power of ten that `most` fits under.
    fn new(most: f64) -> Self {
        let decades = (most / LEAST).log10().ceil().max(1.0);
        Self { decades }
    }

    fn place(&self, nanoseconds: f64) -> f64 {
        let share = (nanoseconds.max(LEAST) / LEAST).log10() / self.decades;
        LEFT + (RIGHT - LEFT) * share.min(1.0)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        (0..=self.decades as i32)
            .map(|power| LEAST * 10_f64.powi(power))
            .map(|nanoseconds| (self.place(nanoseconds), amount::time(nanoseconds)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decade_has_the_same_width_everywhere() {
        let scale = Scale::new(30e6);
        assert_eq!(scale.decades, 7.0);
        assert_eq!(scale.place(LEAST), LEFT);
        assert_eq!(scale.place(1e8), RIGHT);
        let width = |from: f64| scale.place(from * 10.0) - scale.place(from);
        assert!((width(20.0) - width(2e6)).abs() < 1e-6);
        assert_eq!(scale.place(0.0), LEFT);
        assert_eq!(scale.place(1e12), RIGHT);
        assert_eq!(scale.ticks().len(), 8);
    }

    #[test]
    fn the_fastest_peer_has_the_bar() {
        let run = Measured::of(
            &[
                ("peers/jsonwebtoken_hs256", 5_000.0),
                ("peers/jwt_simple_hs256", 2_000.0),
            ],
            &[],
        );
        let peers = || {
            [
                ("peers/jsonwebtoken_hs256".to_owned(), "jsonwebtoken"),
                ("peers/jwt_simple_hs256".to_owned(), "jwt-simple"),
            ]
            .into_iter()
        };
        let bar = fastest(&run, "HS256", peers(), None);
        assert_eq!(bar.nanoseconds, Some(2_000.0));
        assert_eq!(bar.note, "jwt-simple");
        assert_eq!(bar.others, [5_000.0]);
        let bar = fastest(&Measured::default(), "HS256", peers(), None);
        assert_eq!(bar.nanoseconds, None);
    }

    #[test]
    fn what_was_not_measured_is_said_so() {
        let svg = plot(&Measured::default());
        assert_eq!(svg.matches("not measured").count(), 10);
        assert!(!svg.contains("NaN"));
        let svg = plot(&Measured::of(&[("gate/warm_pat", 41.2)], &[]));
        assert!(svg.contains("Gatewright, PAT: 41.2 ns"));
        assert!(svg.contains(">41.2 ns</text>"));
    }
}
