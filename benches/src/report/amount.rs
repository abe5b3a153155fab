//! Numbers as people read them.

/// Nanoseconds in the unit that suits them, with three digits: `41.2 ns`, `5.01 µs`, `19.3 ms`.
#[must_use]
pub fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds.abs() {
        size if size >= 999_500_000.0 => (nanoseconds / 1e9, "s"),
        size if size >= 999_500.0 => (nanoseconds / 1e6, "ms"),
        size if size >= 999.5 => (nanoseconds / 1e3, "µs"),
        _ => (nanoseconds, "ns"),
    };
    format!("{} {unit}", digits(value))
}

/// A number with three digits that count, or all of its whole part, in groups of three.
#[must_use]
pub fn digits(value: f64) -> String {
    // Zero has no sign on a page.
    let value = value + 0.0;
    let decimals = match value.abs() {
        size if size >= 99.95 || size == 0.0 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        size if size >= 0.09995 => 3,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = grouped(whole);
    if fraction.is_empty() || (value.fract() == 0.0) {
        whole
    } else {
        format!("{whole}.{fraction}")
    }
}

/// A figure with its unit.
#[must_use]
pub fn figure(value: f64, unit: &str) -> String {
    match unit {
        "ns" => time(value),
        "us" => time(value * 1e3),
        "bytes" if value.abs() >= 1_048_576.0 => format!("{} MiB", digits(value / 1_048_576.0)),
        "" | "ratio" => digits(value),
        unit => format!("{} {unit}", digits(value)),
    }
}

fn grouped(whole: &str) -> String {
    let (sign, whole) = whole
        .strip_prefix('-')
        .map_or(("", whole), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_takes_the_unit_that_suits_it() {
        for (nanoseconds, want) in [
            (0.0, "0 ns"),
            (2.345, "2.35 ns"),
            (41.26, "41.3 ns"),
            (999.4, "999 ns"),
            (999.6, "1.00 µs"),
            (5_010.0, "5.01 µs"),
            (56_400.0, "56.4 µs"),
            (19_300_000.0, "19.3 ms"),
            (2_000_000_000.0, "2 s"),
            (-12.5, "-12.5 ns"),
        ] {
            assert_eq!(time(nanoseconds), want);
        }
    }

    #[test]
    fn a_figure_takes_the_unit_that_suits_it() {
        for (value, unit, want) in [
            (250.0, "us", "250 µs"),
            (400.0, "bytes", "400 bytes"),
            (-3_145_728.0, "bytes", "-3 MiB"),
            (1.5, "ratio", "1.50"),
            (2.0, "runs", "2 runs"),
        ] {
            assert_eq!(figure(value, unit), want);
        }
    }

    #[test]
    fn a_number_keeps_three_digits_or_its_whole_part() {
        for (value, want) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.00912, "0.0091"),
            (0.3333, "0.333"),
            (1.0512, "1.05"),
            (512.4, "512"),
            (140_213.7, "140,214"),
            (-1_234_567.0, "-1,234,567"),
        ] {
            assert_eq!(digits(value), want);
        }
    }
}
