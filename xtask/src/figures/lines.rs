//! How many lines of a file are code.

/// Counts the lines that are neither blank, nor a comment, nor part of an item for tests alone.
///
/// A line is a comment if it begins with `//`. An item for tests begins with the line `#[cfg(test)]` and ends with the
/// first line after it that stands no deeper and ends in `}` or `;`: rustfmt has laid the file out.
pub(super) fn count(text: &str) -> usize {
    let mut lines = text.lines().filter(|line| is_code(line));
    let mut count = 0;
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let depth = indentation(line);
            lines
                .by_ref()
                .find(|line| indentation(line) <= depth && line.ends_with(['}', ';']));
        } else {
            count += 1;
        }
    }
    count
}

fn is_code(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with("//")
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_and_comments_are_no_code() {
        let text = "//! A page.\n\n/// What.\n#[must_use]\nfn f() -> u8 {\n    // Why.\n    1 // one\n}\n   \n";
        assert_eq!(count(text), 4);
    }

    #[test]
    fn what_is_for_tests_is_left_out_and_what_follows_counts() {
        for item in [
            "mod tests {\n    use super::*;\n\n    fn f() {\n    }\n}",
            "mod tests;",
            "#[allow(unused)]\nuse x::{\n    y,\n    z,\n};",
            "fn f() {}",
        ] {
            let text = format!("fn a() {{}}\n#[cfg(test)]\n{item}\nfn b() {{}}\n");
            assert_eq!(count(&text), 2, "{item}");
        }
        let inner =
            "impl A {\n    #[cfg(test)]\n    fn f() {\n        x();\n    }\n\n    fn g() {}\n}\n";
        assert_eq!(count(inner), 3);
    }

    #[test]
    fn only_tests_are_left_out() {
        let text = "#[cfg(feature = \"x\")]\nmod x {\n}\n#[cfg(not(test))]\nfn f() {}\n";
        assert_eq!(count(text), 5);
        assert_eq!(count("#[cfg(test)]\nmod tests {\n    fn f() {}\n"), 0);
    }
}
