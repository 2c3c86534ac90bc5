//! The log of actions, for what is done and written down in one transaction.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::AnyConnection;

/// Who does something: the account, and from where.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The account.
    pub author: &'a str,
    /// The address, or `terminal`.
    pub address: &'a str,
}

impl<'a> By<'a> {
    /// An account that does it by a command.
    pub const fn at_terminal(author: &'a str) -> Self {
        By { author, address: "terminal" }
    }
}

/// Writes down what is done in this transaction: both or neither.
pub(crate) async fn done(
    write: &mut AnyConnection,
    by: By<'_>,
    now: Timestamp,
    (action, object): (&'static str, &str),
    detail: &Value,
) -> Result<(), sqlx::Error> {
    let at = now.as_microsecond();
    let note = sqlx::query(
        "INSERT INTO actions (id, at, author, address, action, object, detail, outcome) VALUES ($1, $2, $3, $4, $5, $6, $7, 'done')",
    );
    let note = note.bind(format!("{at:016x}{:016x}", rand::random::<u64>())).bind(at).bind(by.author).bind(by.address);
    note.bind(action).bind(object).bind(detail.to_string()).execute(write).await.map(drop)
}
