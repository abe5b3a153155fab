//! The scopes that are worth asking for.

use crate::policy::RouteTable;

/// Every scope that some route requires, once, in order: the `scopes_supported` of a service's metadata (RFC 9728 §2).
#[must_use]
pub fn scopes_supported(table: &RouteTable) -> Vec<String> {
    of(table, |_| true)
}

/// The same for the routes of one realm, by its name.
#[must_use]
pub fn scopes_supported_in(table: &RouteTable, realm: &str) -> Vec<String> {
    of(table, |name| name == realm)
}

fn of(table: &RouteTable, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let rows = table.rows().iter().filter(|row| wanted(&row.realm));
    let mut scopes: Vec<String> = rows
        .flat_map(|row| &row.modes)
        .flat_map(|alternative| alternative.scopes.iter().cloned())
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}
