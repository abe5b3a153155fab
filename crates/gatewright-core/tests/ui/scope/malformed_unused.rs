// A malformed scope is refused although nothing uses its type.
gatewright_core::scopes! { Fine = "links.read"; Starred = "links.*.read"; }

fn main() {}
