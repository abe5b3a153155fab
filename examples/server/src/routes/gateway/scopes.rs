//! What may be granted in an org.

use gatewright_core::error::ErrorCode;
use gatewright_core::principal::TenantId;
use gatewright_core::scope::{Scope, ScopeSet};

use crate::product::Product;
use crate::realms::MCP_CALL;
use crate::web::{Failure, scopes};

/// The scopes asked for: `mcp:call`, or that of connectors which the org has. `mcp:call` where nothing is asked for.
///
/// # Errors
/// `invalid_scope` for any other, `validation_error` for an empty list.
pub(super) async fn granted(
    product: &Product,
    tenant: &TenantId,
    asked: Option<&[String]>,
) -> Result<ScopeSet, Failure> {
    let Some(asked) = asked else {
        return Ok(ScopeSet::from(MCP_CALL.clone()));
    };
    let set = scopes(asked)?;
    for scope in set.iter().filter(|scope| *scope != MCP_CALL) {
        if !is_there(product, tenant, scope).await? {
            return Err(ErrorCode::InvalidScope.into());
        }
    }
    Ok(set)
}

async fn is_there(product: &Product, tenant: &TenantId, scope: &Scope) -> Result<bool, Failure> {
    let narrowed = scope.as_str().strip_prefix(MCP_CALL.as_str());
    match narrowed.and_then(|rest| rest.strip_prefix(':')) {
        Some(connector) => Ok(product.has_connector(tenant, connector).await?),
        None => Ok(false),
    }
}
