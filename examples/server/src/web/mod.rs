//! What handlers share of HTTP: bodies, pages, fields, failures.

mod cookie;
mod failure;
mod field;
mod json;
mod operation;
mod origin;
mod paging;
pub(crate) mod schema;
mod settle;
mod shown;
mod source;
mod times;
mod under_way;

pub(crate) use cookie::set_cookie;
pub(crate) use failure::Failure;
pub(crate) use field::{MAX_SCOPES, domain, email, name, one_of, scopes, slug, text, url, whole};
pub(crate) use json::{Json, OptionalJson, arrived};
pub(crate) use operation::{Operation, Operations};
pub(crate) use origin::SameOrigin;
pub(crate) use paging::{Listed, Paging, Query};
pub(crate) use settle::settled;
pub(crate) use shown::Shown;
pub(crate) use source::{Source, source};
pub(crate) use times::rfc3339;
pub(crate) use under_way::UnderWay;
