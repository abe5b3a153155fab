//! What the modules of a crate take from its root, read from the text of the crate.
//!
//! Modules are followed from `lib.rs` as the compiler follows them, without what is compiled for
//! tests alone. A path counts if it leads out of its own top-level module: `crate::…`, `super::…`
//! that climbs to the root, and the crate's own name. Names that a path reaches only after a macro
//! has been expanded are not seen, except `$crate::…`.

use std::collections::BTreeMap;

use super::tokens::{Kind, Token, tokens};

/// The function that turns what is asserted into what is proven.
const VOUCH: &str = "vouch";

/// The name by which the crate can speak of itself.
const OWN_NAME: &str = "gatewright_core";

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: usize,
}

/// Something that a top-level module names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// The top-level module whose text names it.
    pub(super) module: String,
    /// What stands directly after the root in its path.
    pub(super) name: String,
    pub(super) place: Place,
}

/// What the text of a crate says.
#[derive(Debug, Default)]
pub(super) struct Crate {
    /// Every top-level module.
    pub(super) modules: Vec<String>,
    /// Every macro by example, and the top-level module that defines it.
    pub(super) macros: BTreeMap<String, String>,
    pub(super) imports: Vec<Import>,
    /// Where a function of the name `vouch` is defined.
    pub(super) vouch: Vec<Place>,
    /// Everything else of that name: its uses, by top-level module.
    pub(super) vouches: Vec<(String, Place)>,
    /// What hides imports from this reading.
    pub(super) blind: Vec<(Place, &'static str)>,
}

/// Reads a crate from its files, by path from the folder of `lib.rs`.
pub(super) fn read(sources: &BTreeMap<String, String>) -> Crate {
    let mut found = Crate::default();
    let mut open = vec![(Vec::new(), "lib.rs".to_owned())];
    while let Some((path, file)) = open.pop() {
        let Some(text) = sources.get(&file) else {
            let place = Place { file, line: 1 };
            found.blind.push((place, "the file is not there"));
            continue;
        };
        let mut reader = Reader {
            tokens: &tokens(text),
            file: &file,
            path,
            children: Vec::new(),
            found: &mut found,
        };
        reader.file();
        for child in reader.children {
            let flat = format!("{}.rs", child.join("/"));
            let folder = format!("{}/mod.rs", child.join("/"));
            let file = if sources.contains_key(&folder) {
                folder
            } else {
                flat
            };
            open.push((child, file));
        }
    }
    found
}

/// Reads one file.
struct Reader<'a> {
    tokens: &'a [Token<'a>],
    file: &'a str,
    /// The module that is being read, from the root.
    path: Vec<String>,
    /// The modules declared here whose text is in files of their own.
    children: Vec<Vec<String>>,
    found: &'a mut Crate,
}

impl<'a> Reader<'a> {
    fn file(&mut self) {
        let mut at = 0;
        let mut depth = 0usize;
        // The depth at which each module written in this file began.
        let mut inline = Vec::new();
        while at < self.tokens.len() {
            if self.mark(at, '#') {
                let inner = self.mark(at + 1, '!');
                let list = if inner { at + 2 } else { at + 1 };
                let end = self.group(list);
                if self.mark(list, '[') && self.is_for_tests(list, end) {
                    if inner {
                        return;
                    }
                    at = self.item(end);
                    continue;
                }
                if self.mark(list, '[') && self.moves_a_file(list, end) {
                    self.blind(at, "`#[path]` hides a module from this check");
                }
            }
            if self.mark(at, '{') {
                depth += 1;
            }
            if self.mark(at, '}') {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                    self.path.pop();
                }
            }
            if self.word(at) == Some("mod")
                && let Some(name) = self.word(at + 1)
            {
                if self.path.is_empty() {
                    self.found.modules.push(name.to_owned());
                }
                let mut child = self.path.clone();
                child.push(name.to_owned());
                if self.mark(at + 2, ';') {
                    self.children.push(child);
                } else if self.mark(at + 2, '{') {
                    inline.push(depth);
                    self.path = child;
                }
                at += 2;
                continue;
            }
            if self.word(at) == Some("macro_rules")
                && self.mark(at + 1, '!')
                && let (Some(name), Some(owner)) = (self.word(at + 2), self.path.first())
            {
                self.found.macros.insert(name.to_owned(), owner.clone());
            }
            if self.word(at) == Some(VOUCH) {
                self.vouch(at);
            }
            at = match self.head(at) {
                Some(base) => self.after_head(at, base),
                None => at + 1,
            };
        }
    }

    fn vouch(&mut self, at: usize) {
        let place = self.place(at);
        let before = at.checked_sub(1).and_then(|before| self.word(before));
        if before == Some("fn") {
            self.found.vouch.push(place);
        } else {
            let module = self.path.first().cloned().unwrap_or_default();
            self.found.vouches.push((module, place));
        }
    }

    /// The module in which a path that begins here begins; the empty one is the root.
    fn head(&self, at: usize) -> Option<Vec<String>> {
        let before = at.checked_sub(1);
        if before.is_some_and(|before| self.separator(before)) {
            return None;
        }
        // `pub(crate)` and `pub(super)` name no import.
        let visibility = before.is_some_and(|before| self.mark(before, '('))
            && at.checked_sub(2).and_then(|pub_| self.word(pub_)) == Some("pub");
        if visibility && self.mark(at + 1, ')') {
            return None;
        }
        match self.word(at)? {
            "crate" => Some(Vec::new()),
            OWN_NAME if self.separator(at + 1) => Some(Vec::new()),
            "self" if self.separator(at + 1) => Some(self.path.clone()),
            "super" => Some(parent(&self.path)),
            _ => None,
        }
    }

    fn after_head(&mut self, at: usize, base: Vec<String>) -> usize {
        if self.separator(at + 1) {
            return self.tree(at + 2, base);
        }
        self.alias(at, &base);
        at + 1
    }

    /// Reads what stands after `base::`; returns where to go on.
    fn tree(&mut self, at: usize, base: Vec<String>) -> usize {
        if self.mark(at, '{') {
            let end = self.group(at);
            let mut element = at + 1;
            while element + 1 < end {
                self.tree(element, base.clone());
                element = self.comma(element, end) + 1;
            }
            return end;
        }
        if self.mark(at, '*') && base.is_empty() {
            self.blind(at, "a glob of the crate's root hides what is imported");
            return at + 1;
        }
        match self.word(at) {
            Some("super") => {
                let base = parent(&base);
                if self.separator(at + 1) {
                    return self.tree(at + 2, base);
                }
                self.alias(at, &base);
            }
            Some("self") => self.alias(at, &base),
            Some(name) if base.is_empty() => {
                if let Some(module) = self.path.first() {
                    self.found.imports.push(Import {
                        module: module.clone(),
                        name: name.to_owned(),
                        place: self.place(at),
                    });
                }
            }
            _ => {}
        }
        at + 1
    }

    fn alias(&mut self, at: usize, base: &[String]) {
        if base.is_empty() {
            self.blind(
                at,
                "another name for the crate's root hides what is imported",
            );
        }
    }

    fn blind(&mut self, at: usize, why: &'static str) {
        // The root itself stands above every module and may use them all.
        if !self.path.is_empty() || why.starts_with("`#[path]`") {
            let place = self.place(at);
            self.found.blind.push((place, why));
        }
    }

    /// Whether the attribute list says `cfg(test)`, or `cfg(all(test, …))`, without a `not`.
    fn is_for_tests(&self, list: usize, end: usize) -> bool {
        let words = || (list..end).filter_map(|at| self.word(at));
        words().next() == Some("cfg")
            && words().any(|word| word == "test")
            && !words().any(|word| word == "not" || word == "any")
    }

    fn moves_a_file(&self, list: usize, end: usize) -> bool {
        (list..end).any(|at| self.word(at) == Some("path") && self.mark(at + 1, '='))
    }

    /// Where the item, field or arm that begins here, with its further attributes, has ended.
    fn item(&self, mut at: usize) -> usize {
        while self.mark(at, '#') {
            at = self.group(at + 1);
        }
        let mut first = at;
        if self.word(first) == Some("pub") {
            first += 1;
            if self.mark(first, '(') {
                first = self.group(first);
            }
        }
        let is_item = self.word(first).is_some_and(|word| ITEMS.contains(&word));
        let is_use = self.word(first) == Some("use");
        while at < self.tokens.len() {
            match self.tokens[at].kind {
                Kind::Mark(';') => return at + 1,
                Kind::Mark(',') if !is_item => return at + 1,
                Kind::Mark('}' | ')' | ']') => return at,
                Kind::Mark('{') if is_item && !is_use => return self.group(at),
                Kind::Mark('{' | '(' | '[') => at = self.group(at),
                _ => at += 1,
            }
        }
        at
    }

    /// Where the bracket that opens here has closed again; the next token if none opens.
    fn group(&self, start: usize) -> usize {
        let mut depth = 0usize;
        for at in start..self.tokens.len() {
            match self.tokens[at].kind {
                Kind::Mark('{' | '(' | '[') => depth += 1,
                Kind::Mark('}' | ')' | ']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.tokens.len()
    }

    /// The next comma of the same group, or its end.
    fn comma(&self, mut at: usize, end: usize) -> usize {
        while at < end {
            if self.mark(at, ',') {
                return at;
            }
            at = if self.mark(at, '{') {
                self.group(at)
            } else {
                at + 1
            };
        }
        end
    }

    fn word(&self, at: usize) -> Option<&'a str> {
        match self.tokens.get(at)?.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn mark(&self, at: usize, mark: char) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|t| t.kind == Kind::Mark(mark))
    }

    fn separator(&self, at: usize) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|t| t.kind == Kind::Separator)
    }

    fn place(&self, at: usize) -> Place {
        Place {
            file: self.file.to_owned(),
            line: self.tokens.get(at).map_or(1, |token| token.line),
        }
    }
}

/// What an item begins with, after its visibility.
const ITEMS: &[&str] = &[
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "impl",
    "let",
    "macro_rules",
    "mod",
    "static",
    "struct",
    "trait",
    "type",
    "union",
    "unsafe",
    "use",
];

fn parent(path: &[String]) -> Vec<String> {
    let above = path.len().saturating_sub(1);
    path[..above].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that `role/mod.rs` imports in a crate of the modules `role` and `scope`.
    fn imports(text: &str) -> Vec<String> {
        let names = read_role(text).imports.into_iter();
        names.map(|import| import.name).collect()
    }

    fn read_role(text: &str) -> Crate {
        read(&files(&[
            ("lib.rs", "pub mod role; pub mod scope;"),
            ("role/mod.rs", text),
            ("scope/mod.rs", ""),
        ]))
    }

    fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |&(file, text): &(&str, &str)| (file.to_owned(), text.to_owned());
        files.iter().map(owned).collect()
    }

    #[test]
    fn every_way_to_say_it_is_seen() {
        for text in [
            "use crate::gate::Gate;",
            "pub(crate) use crate::gate;",
            "use crate::gate as g;",
            "use crate::{gate::Gate};",
            "use crate::{gate};",
            "use {crate::gate::Gate};",
            "use super::gate::Gate;",
            "use super::{gate::Gate};",
            "use self::super::gate::Gate;",
            "use gatewright_core::gate::Gate;",
            "fn f(g: &crate::gate::Gate) {}",
            "fn f() -> Vec<crate::gate::Gate> { Vec::new() }",
            "fn f() { crate::gate::open() }",
            "fn f() { crate::gate!() }",
            "impl crate::gate::Open for X {}",
            "macro_rules! m { () => { $crate::gate::open() } }",
            "mod inner { use super::super::gate::Gate; }",
            "mod inner { use super::{super::gate::Gate}; }",
            "mod inner {} use super::gate::Gate;",
            "#[cfg(test)] mod tests {} use crate::gate::Gate;",
            "#[cfg(test)] use x::{a, b}; use crate::gate::Gate;",
            "#[cfg(test)] const N: [u8; 1] = [0]; use crate::gate::Gate;",
            "struct S { #[cfg(test)] a: u8, b: crate::gate::Gate }",
            "struct S { #[cfg(test)] a: u8 } use crate::gate::Gate;",
            "#[cfg(not(test))] use crate::gate::Gate;",
            "#[cfg(any(test, unix))] use crate::gate::Gate;",
            "const C: char = '\"'; use crate::gate::Gate;",
            "fn f<'a>() { crate::gate::open() }",
        ] {
            assert_eq!(imports(text), ["gate"], "{text}");
        }
        assert_eq!(
            imports("use crate::{a::{self, B}, c, d::{e::F, G}, h as i,};"),
            ["a", "c", "d", "h"]
        );
    }

    #[test]
    fn what_is_no_import_is_not_taken_for_one() {
        for text in [
            "// use crate::gate::Gate;",
            "/// [`Gate`](crate::gate::Gate)\nstruct S;",
            "//! use crate::gate::Gate;",
            "/* crate::gate */",
            "const S: &str = \"crate::gate\";",
            "const S: &str = r#\"\"crate::gate\"#;",
            "pub(crate) fn f(&self) { self.gate() }",
            "pub(super) struct S;",
            "use std::{self, fmt};",
            "use other::gate::Gate;",
            "mod inner { use super::gate; }",
            "use self::gate::Gate;",
            "#[cfg(test)] mod tests { use crate::gate::Gate; }",
            "#[cfg(test)] #[allow(unused)] mod tests { fn f() { crate::gate::open() } }",
            "#[cfg(all(test, unix))] use crate::{gate::Gate};",
            "#[cfg(test)] pub(crate) fn f(x: [u8; 1]) { crate::gate::open() }",
            "#[cfg(test)] mod tests;",
            "#![cfg(test)] use crate::gate::Gate;",
        ] {
            let found = read_role(text);
            assert_eq!(found.imports, [], "{text}");
            assert_eq!(found.blind, [], "{text}");
        }
    }

    #[test]
    fn what_hides_an_import_is_reported() {
        for text in [
            "use crate::*;",
            "use super::*;",
            "use crate::{*};",
            "use crate as root;",
            "use crate::{self as root};",
            "use super::{self as root};",
            "#[path = \"elsewhere.rs\"] mod inner {}",
            "mod lost;",
        ] {
            assert_eq!(read_role(text).blind.len(), 1, "{text}");
        }
    }

    #[test]
    fn files_are_followed_and_know_where_they_stand() {
        let found = read(&files(&[
            ("lib.rs", "pub mod role;\npub use role::Roles;"),
            ("role.rs", "mod order;\nmod set;"),
            (
                "role/order.rs",
                "use super::gate;\n\nuse super::super::gate;",
            ),
            ("role/set/mod.rs", "mod deep;"),
            ("role/set/deep.rs", "use super::super::super::scope;"),
            ("role/stray.rs", "use crate::stray;"),
        ]));
        assert_eq!(found.modules, ["role"]);
        assert_eq!(found.blind, []);
        let mut seen: Vec<_> = found
            .imports
            .iter()
            .map(|i| (i.name.as_str(), i.place.file.as_str(), i.place.line))
            .collect();
        seen.sort_unstable();
        assert_eq!(
            seen,
            [
                ("gate", "role/order.rs", 3),
                ("scope", "role/set/deep.rs", 1)
            ]
        );
    }

    #[test]
    fn vouching_is_seen_outside_of_tests() {
        let found = read_role(
            "impl<T> Verified<T> { pub(crate) const fn vouch(value: T) -> Self { Self(value) } }\n\
             fn f() { Verified::vouch(1) }\n\
             fn g() { numbers.map(Verified::<u8>::vouch) }\n\
             #[cfg(test)] mod tests { fn f() { Verified::vouch(1) } }\n\
             // vouch\n",
        );
        assert_eq!(found.vouch.len(), 1);
        let lines: Vec<_> = found.vouches.iter().map(|(_, place)| place.line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn a_macro_belongs_to_the_module_that_defines_it() {
        let found = read_role("macro_rules! roles { () => {} }");
        assert_eq!(found.macros.get("roles").map(String::as_str), Some("role"));
    }
}
