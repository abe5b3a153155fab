//! The seam between the stores and a database.
//!
//! Queries are written once, in the SQL that SQLite and Postgres share: numbered placeholders, `ON CONFLICT`,
//! `RETURNING`, row values. A [`Dialect`] adds what differs: how arguments are bound and columns read, how a
//! writing transaction begins, how many writers there may be, and the migrations. sqlx's own generics would ask for
//! a dozen bounds on every function; three kinds of argument and three readers say the same in one trait.

#[cfg(feature = "sqlite")]
mod sqlite;

use std::future::Future;

use gatewright_core::store::{BoxFuture, StoreError};

#[cfg(feature = "sqlite")]
pub use sqlite::SqliteOptions;

/// A database that [`SqlStore`](crate::SqlStore) can live in. Implemented for the markers of sqlx, such as
/// [`sqlx::Sqlite`], and sealed: what a dialect must promise may grow.
pub trait Dialect: sealed::Driver {}

impl<D: sealed::Driver> Dialect for D {}

pub(crate) mod sealed {
    use super::{Arg, BoxFuture, Future};

    /// What differs between databases.
    pub trait Driver: sqlx::Database {
        /// How a transaction that writes begins.
        const BEGIN: &'static str;
        /// How many transactions of one process may write at a time.
        const WRITERS: usize;

        /// Runs one statement and reads all its rows.
        fn fetch<'c>(
            connection: &'c mut Self::Connection,
            sql: &'static str,
            args: &[Arg<'_>],
        ) -> BoxFuture<'c, Result<Vec<Self::Row>, sqlx::Error>>;

        /// Runs one statement and reads its first row.
        fn fetch_first<'c>(
            connection: &'c mut Self::Connection,
            sql: &'static str,
            args: &[Arg<'_>],
        ) -> BoxFuture<'c, Result<Option<Self::Row>, sqlx::Error>>;

        /// Runs one statement and answers how many rows it changed.
        fn execute<'c>(
            connection: &'c mut Self::Connection,
            sql: &'static str,
            args: &[Arg<'_>],
        ) -> BoxFuture<'c, Result<u64, sqlx::Error>>;

        /// A column of text.
        fn text(row: &Self::Row, column: usize) -> Result<Option<&str>, sqlx::Error>;

        /// A column of whole numbers.
        fn number(row: &Self::Row, column: usize) -> Result<Option<i64>, sqlx::Error>;

        /// A column of bytes.
        fn bytes(row: &Self::Row, column: usize) -> Result<Option<&[u8]>, sqlx::Error>;

        /// Brings the schema up to date, under a lock, in a table of its own beside the service's migrations.
        fn migrate(
            pool: &sqlx::Pool<Self>,
        ) -> impl Future<Output = Result<(), sqlx::migrate::MigrateError>> + Send;
    }
}

/// One argument of a query; `None` is `NULL`.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    /// Text.
    Text(Option<&'a str>),
    /// A whole number; booleans are 0 and 1.
    Number(Option<i64>),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Arg<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Arg<'_> {
    /// A time or a count that the database cannot hold lies beyond all that matter; it becomes the last one it can.
    fn from(number: u64) -> Self {
        Self::Number(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<Option<u64>> for Arg<'_> {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Number(None), Self::from)
    }
}

impl From<u32> for Arg<'_> {
    fn from(number: u32) -> Self {
        Self::Number(Some(number.into()))
    }
}

impl From<Option<u32>> for Arg<'_> {
    fn from(number: Option<u32>) -> Self {
        Self::Number(number.map(i64::from))
    }
}

impl From<bool> for Arg<'_> {
    fn from(flag: bool) -> Self {
        Self::Number(Some(flag.into()))
    }
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// Reads the columns of a row from left to right. Each is named, so that one that cannot be read is reported by name.
pub(crate) struct Columns<'r, D: Dialect> {
    row: &'r D::Row,
    next: usize,
}

impl<'r, D: Dialect> Columns<'r, D> {
    pub(crate) const fn of(row: &'r D::Row) -> Self {
        Self { row, next: 0 }
    }

    fn advance(&mut self) -> usize {
        let column = self.next;
        self.next += 1;
        column
    }

    pub(crate) fn text_or_null(
        &mut self,
        name: &'static str,
    ) -> Result<Option<&'r str>, StoreError> {
        D::text(self.row, self.advance()).map_err(|_| StoreError::Corrupt(name))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<&'r str, StoreError> {
        self.text_or_null(name)?.ok_or(StoreError::Corrupt(name))
    }

    /// A column that a type of ours reads from text.
    pub(crate) fn parse<T, E>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'r str) -> Result<T, E>,
    ) -> Result<T, StoreError> {
        read(self.text(name)?).map_err(|_| StoreError::Corrupt(name))
    }

    /// A number of at most `T`'s range; none of ours is negative.
    pub(crate) fn number_or_null<T: TryFrom<i64>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, StoreError> {
        D::number(self.row, self.advance())
            .map_err(|_| StoreError::Corrupt(name))?
            .map(|number| T::try_from(number).map_err(|_| StoreError::Corrupt(name)))
            .transpose()
    }

    pub(crate) fn number<T: TryFrom<i64>>(&mut self, name: &'static str) -> Result<T, StoreError> {
        self.number_or_null(name)?.ok_or(StoreError::Corrupt(name))
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> Result<bool, StoreError> {
        Ok(self.number::<u64>(name)? != 0)
    }

    pub(crate) fn bytes(&mut self, name: &'static str) -> Result<&'r [u8], StoreError> {
        D::bytes(self.row, self.advance())
            .ok()
            .flatten()
            .ok_or(StoreError::Corrupt(name))
    }
}
