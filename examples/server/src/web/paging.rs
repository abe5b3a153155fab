//! Lists by cursor.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use gatewright_core::error::ErrorCode;
use gatewright_core::store::{Cursor, Page, PageRequest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Failure;

/// The longest cursor that a list answers, with room to spare.
const MAX_CURSOR_LENGTH: usize = 1_024;

/// The parameters of a query. Those that the type does not know are passed over; one that is there twice is an error.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|_| {
            Failure::because(
                ErrorCode::ValidationError,
                "A parameter of the query is missing or malformed",
            )
        })
    }
}

/// Which page of a list is asked for: `?cursor=&limit=`, 1 to 100 items, 20 unless said.
#[derive(Clone, Debug)]
pub(crate) struct Paging(pub(crate) PageRequest);

#[derive(Debug, Deserialize)]
struct Asked {
    cursor: Option<String>,
    limit: Option<String>,
}

impl Paging {
    /// The page that these ask for, the first one of 20 items unless they say something else.
    pub(crate) fn of(cursor: Option<String>, limit: Option<u64>) -> Result<Self, Failure> {
        let limit = limit.map(|limit| limit.to_string());
        page_request(Asked { cursor, limit }).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Query(asked) = Query::from_request_parts(parts, state).await?;
        page_request(asked).map(Self)
    }
}

fn page_request(asked: Asked) -> Result<PageRequest, Failure> {
    let limit = match asked.limit.as_deref() {
        None | Some("") => Some(PageRequest::DEFAULT_LIMIT),
        Some(text) => text.parse().ok(),
    };
    let after = match asked.cursor.as_deref() {
        None | Some("") => None,
        Some(text) => Some(decode(text).ok_or_else(|| {
            Failure::out_of_range("cursor", "is not one that a list of ours answered")
        })?),
    };
    limit
        .and_then(|limit| PageRequest::new(after, limit))
        .ok_or_else(|| Failure::out_of_range("limit", "must be a whole number from 1 to 100"))
}

/// Cursors are the keys of rows; the encoding keeps clients from relying on that.
fn decode(text: &str) -> Option<Cursor> {
    if text.len() > MAX_CURSOR_LENGTH {
        return None;
    }
    let key = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
    Some(Cursor::new(key))
}

/// One page of a list, `{"items": […], "next_cursor": …}`.
#[derive(Debug, Serialize)]
pub(crate) struct Listed<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> From<Page<T>> for Listed<T> {
    fn from(page: Page<T>) -> Self {
        Self {
            items: page.items,
            next_cursor: page.next.map(|cursor| BASE64.encode(cursor.as_str())),
        }
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        axum::Json(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(cursor: Option<&str>, limit: Option<&str>) -> Result<PageRequest, ErrorCode> {
        page_request(Asked {
            cursor: cursor.map(str::to_owned),
            limit: limit.map(str::to_owned),
        })
        .map_err(|failure| failure.code())
    }

    #[test]
    fn limits_are_1_to_100_and_20_unless_said() {
        assert_eq!(ask(None, None).unwrap(), PageRequest::first());
        assert_eq!(ask(Some(""), Some("")).unwrap(), PageRequest::first());
        assert_eq!(ask(None, Some("1")).unwrap().limit(), 1);
        assert_eq!(ask(None, Some("100")).unwrap().limit(), 100);
        for limit in ["0", "101", "-1", "1.5", "many", "99999999999999999999"] {
            assert_eq!(ask(None, Some(limit)), Err(ErrorCode::ValidationError));
        }
    }

    #[test]
    fn the_cursor_of_a_page_asks_for_the_next_one() {
        let request = PageRequest::new(None, 1).unwrap();
        let page = Page::cut(vec!["ä 1", "b"], &request, |key| (*key).to_owned());
        let listed = Listed::from(page);
        assert_eq!(listed.items, ["ä 1"]);
        let next = ask(listed.next_cursor.as_deref(), Some("1")).unwrap();
        assert_eq!(next.after(), Some(&Cursor::new("ä 1")));
    }

    #[test]
    fn foreign_cursors_are_refused() {
        for cursor in ["!", "a", "_w", &"A".repeat(2_000)] {
            assert_eq!(ask(Some(cursor), None), Err(ErrorCode::ValidationError));
        }
    }
}
