// Nothing of the macro leans on what the caller has in scope, or has named alike.
#![deny(missing_docs, dead_code, unused)]
//! Markers.

#[allow(dead_code)]
struct Scope;
#[allow(dead_code)]
trait ScopeMarker {}
#[allow(dead_code)]
mod core {}

mod markers {
    gatewright_core::scopes! {
        /// May see links.
        pub LinksRead = "links.read";
        pub(crate) Everything = "*";
        pub(super) Calls = "mcp:call:*";
    }
}

gatewright_core::scopes! {}

fn text<M: gatewright_core::scope::ScopeMarker>(_: M) -> &'static str {
    M::SCOPE.as_str()
}

fn main() {
    assert_eq!(text(markers::LinksRead), "links.read");
    assert_eq!(text(markers::Everything), "*");
    assert_eq!(text(markers::Calls), "mcp:call:*");
}
