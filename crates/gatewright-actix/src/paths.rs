//! Paths in axum's syntax, served by actix as axum serves them.

/// What actix is told for a path.
pub(crate) fn pattern(path: &str) -> String {
    match path
        .strip_suffix('}')
        .and_then(|path| path.split_once("/{*"))
    {
        // A wildcard of axum's matches no nothing.
        Some((stem, name)) => format!("{stem}/{{{name}:.+}}"),
        None => path.to_owned(),
    }
}

/// Sorts paths so that the first that matches is the one that axum would choose: at each segment the literal one before a
/// parameter, and that before a wildcard.
pub(crate) fn rank(path: &str) -> Vec<u8> {
    let rank = |segment: &str| match segment.as_bytes() {
        [b'{', b'*', ..] => 2,
        [b'{', ..] => 1,
        _ => 0,
    };
    path.split('/').map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_come_first_at_each_segment() {
        let mut paths = [
            "/{*r}", "/{x}/b", "/a/{*r}", "/a/{x}/c", "/a/b", "/{x}", "/",
        ];
        paths.sort_by_key(|path| rank(path));
        assert_eq!(
            paths,
            [
                "/", "/a/b", "/a/{x}/c", "/a/{*r}", "/{x}", "/{x}/b", "/{*r}"
            ]
        );
    }

    #[test]
    fn a_wildcard_is_the_rest_and_not_nothing() {
        for (path, told) in [
            ("/", "/"),
            ("/a/{x}", "/a/{x}"),
            ("/a/{x}/{*rest}", "/a/{x}/{rest:.+}"),
            ("/{*rest}", "/{rest:.+}"),
        ] {
            assert_eq!(pattern(path), told);
        }
    }
}
