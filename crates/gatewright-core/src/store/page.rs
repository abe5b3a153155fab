//! Lists by cursor: complete and without repeats while rows come and go.

/// Where a page ended. Opaque to clients; a store writes into it the key of the last row it returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor from the key of the last row returned, or from what a client sent back.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key after which the next page begins.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which part of a list to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    after: Option<Cursor>,
    limit: u32,
}

impl PageRequest {
    /// The fewest rows a page may be asked to hold.
    pub const MIN_LIMIT: u32 = 1;
    /// The most rows a page may be asked to hold.
    pub const MAX_LIMIT: u32 = 100;
    /// The rows of a page when nothing is said.
    pub const DEFAULT_LIMIT: u32 = 20;

    /// A page of at most `limit` rows after `after`; `None` when `limit` is outside
    /// [`MIN_LIMIT`](Self::MIN_LIMIT)`..=`[`MAX_LIMIT`](Self::MAX_LIMIT).
    #[must_use]
    pub fn new(after: Option<Cursor>, limit: u32) -> Option<Self> {
        (Self::MIN_LIMIT..=Self::MAX_LIMIT)
            .contains(&limit)
            .then_some(Self { after, limit })
    }

    /// The first page, of the default size.
    #[must_use]
    pub const fn first() -> Self {
        Self {
            after: None,
            limit: Self::DEFAULT_LIMIT,
        }
    }

    /// The cursor after which to begin.
    #[must_use]
    pub const fn after(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }

    /// The most rows to return.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Cuts `rows`, read with one more than the limit asked for, to a page.
    #[must_use]
    pub fn cut(mut rows: Vec<T>, request: &PageRequest, key: impl Fn(&T) -> String) -> Self {
        let limit = request.limit() as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more {
            rows.last().map(|row| Cursor::new(key(row)))
        } else {
            None
        };
        Self { items: rows, next }
    }

    /// The same page with other items.
    #[must_use]
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            next: self.next,
        }
    }
}
