//! Every statement of the page goes through here.

use std::sync::{Arc, Mutex};

use sqlx::{
    Any, AssertSqlSafe, Row as _,
    any::{AnyArguments, AnyRow},
    query::Query,
};

use super::PageError;
use crate::store::{Store, StoreError};

/// What stands for a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bind {
    Int(i64),
    Text(String),
}

impl From<i64> for Bind {
    fn from(n: i64) -> Self {
        Bind::Int(n)
    }
}

impl From<&str> for Bind {
    fn from(text: &str) -> Self {
        Bind::Text(text.to_owned())
    }
}

impl From<String> for Bind {
    fn from(text: String) -> Self {
        Bind::Text(text)
    }
}

/// Statements as they were run, with what stood for their placeholders.
pub(super) type Statements = Arc<Mutex<Vec<(String, Vec<Bind>)>>>;

/// The index, and in tests the list of what was asked of it.
#[derive(Debug, Clone)]
pub(super) struct Db {
    store: Store,
    asked: Option<Statements>,
}

impl Db {
    pub(super) fn new(store: Store) -> Self {
        Db { store, asked: None }
    }

    /// The same, and every statement is written down.
    #[cfg(test)]
    pub(super) fn listening(store: Store) -> (Self, Statements) {
        let asked = Statements::default();
        (Db { store, asked: Some(asked.clone()) }, asked)
    }

    /// The record itself, for what other parts of this crate do there.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// A statement with what stands for its placeholders.
    fn query<'q>(&self, sql: &str, binds: &[Bind]) -> Query<'q, Any, AnyArguments> {
        if let Some(asked) = &self.asked {
            let mut asked = asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            asked.push((sql.to_owned(), binds.to_vec()));
        }
        let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
        binds.iter().fold(query, |query, bind| match bind {
            Bind::Int(n) => query.bind(*n),
            Bind::Text(text) => query.bind(storable(text)),
        })
    }

    /// All rows of a statement. What comes from outside is in `binds`, never in `sql`.
    pub(super) async fn all(&self, sql: &str, binds: &[Bind]) -> Result<Vec<AnyRow>, PageError> {
        self.query(sql, binds).fetch_all(self.store.pool()).await.map_err(|e| PageError::Record(self.store.error(e)))
    }

    /// The first row.
    pub(super) async fn one(&self, sql: &str, binds: &[Bind]) -> Result<Option<AnyRow>, PageError> {
        Ok(self.all(sql, binds).await?.into_iter().next())
    }

    /// Changes rows, and says how many.
    pub(super) async fn change(&self, sql: &str, binds: &[Bind]) -> Result<u64, PageError> {
        let error = |e| PageError::Record(self.store.error(e));
        let mut write = self.store.write().await.map_err(PageError::Record)?;
        let done = self.query(sql, binds).execute(&mut *write).await.map_err(error)?;
        write.commit().await.map_err(error)?;
        Ok(done.rows_affected())
    }
}

/// PostgreSQL's texts have no NUL.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Columns by name. A column of another type than expected is a record that somebody else wrote: an error, no panic.
pub(super) trait Columns {
    fn int(&self, name: &str) -> Result<i64, PageError>;
    fn maybe_int(&self, name: &str) -> Result<Option<i64>, PageError>;
    fn text(&self, name: &str) -> Result<String, PageError>;
    fn maybe_text(&self, name: &str) -> Result<Option<String>, PageError>;
    /// A JSON list of texts; what is none is empty.
    fn list(&self, name: &str) -> Result<Vec<String>, PageError> {
        Ok(serde_json::from_str(&self.text(name)?).unwrap_or_default())
    }
}

impl Columns for AnyRow {
    fn int(&self, name: &str) -> Result<i64, PageError> {
        self.try_get(name).map_err(|e| PageError::Record(StoreError::from(e)))
    }

    fn maybe_int(&self, name: &str) -> Result<Option<i64>, PageError> {
        self.try_get(name).map_err(|e| PageError::Record(StoreError::from(e)))
    }

    fn text(&self, name: &str) -> Result<String, PageError> {
        self.try_get(name).map_err(|e| PageError::Record(StoreError::from(e)))
    }

    fn maybe_text(&self, name: &str) -> Result<Option<String>, PageError> {
        self.try_get(name).map_err(|e| PageError::Record(StoreError::from(e)))
    }
}

/// Which of two neighbouring pages of a list is asked for, by the name that stands at its edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edge {
    After(String),
    Before(String),
}

/// A page of a list, and whether there is more on either side.
#[derive(Debug, Clone)]
pub(super) struct Slice<T> {
    pub(super) rows: Vec<T>,
    pub(super) earlier: bool,
    pub(super) later: bool,
}

/// The first `most` of some rows, and whether there are more.
pub(super) fn first<T>(mut rows: Vec<T>, most: usize) -> (Vec<T>, bool) {
    let more = rows.len() > most;
    rows.truncate(most);
    (rows, more)
}

impl<T> Slice<T> {
    /// Of `most + 1` rows in the direction of `edge`.
    pub(super) fn cut(rows: Vec<T>, most: usize, edge: Option<&Edge>) -> Self {
        let (mut rows, more) = first(rows, most);
        match edge {
            None => Slice { rows, earlier: false, later: more },
            Some(Edge::After(_)) => Slice { rows, earlier: true, later: more },
            Some(Edge::Before(_)) => {
                rows.reverse();
                Slice { rows, earlier: more, later: true }
            }
        }
    }
}
