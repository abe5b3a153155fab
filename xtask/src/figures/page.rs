//! The table of figures, and its place in a page.

const BEGIN: &str = "<!-- figures: written by `cargo xtask figures --write` -->\n";
const END: &str = "<!-- /figures -->\n";

/// What was counted of one crate.
pub(super) struct Figures {
    pub(super) name: &'static str,
    pub(super) crates: usize,
    pub(super) lines: Option<usize>,
}

/// The table, in Markdown.
pub(super) fn table(rows: &[Figures]) -> String {
    let mut table = String::from(
        "| crate | crates of others it is built on | its own lines |\n|---|---:|---:|\n",
    );
    for Figures {
        name,
        crates,
        lines,
    } in rows
    {
        let lines = lines.map_or_else(String::new, |lines| lines.to_string());
        table.push_str(&format!("| `{name}` | {crates} | {lines} |\n"));
    }
    table
}

/// The page with this table in the place of the one it has; `None` where it has no place for one.
pub(super) fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_crate() {
        let figures = |name, crates, lines| Figures {
            name,
            crates,
            lines,
        };
        let table = table(&[figures("a", 12, None), figures("b", 70, Some(512))]);
        assert_eq!(
            table.lines().skip(2).collect::<Vec<_>>(),
            ["| `a` | 12 |  |", "| `b` | 70 | 512 |"]
        );
    }

    #[test]
    fn the_table_alone_is_replaced() {
        let page = format!("# Page\n\n{BEGIN}old\n{END}\nMore.\n");
        let written = with_table(&page, "new\n").unwrap();
        assert_eq!(written, format!("# Page\n\n{BEGIN}new\n{END}\nMore.\n"));
        assert_eq!(with_table(&written, "new\n").unwrap(), written);
    }

    #[test]
    fn a_page_without_both_marks_has_no_place() {
        for page in ["", BEGIN, END, &format!("{END}{BEGIN}")] {
            assert_eq!(with_table(page, "new\n"), None, "{page}");
        }
    }
}
