//! What operators do on the page. Each action is written down with its author before it is done; what became of it is written afterwards.

mod check;
mod correct;
mod hold;
mod object;
mod retry;

use serde_json::{Value, json};

pub(super) use check::{check_host, check_schedule};
pub(super) use correct::{ask_correct, correct};
pub(super) use hold::{hold, release};
pub(super) use object::object;
pub(super) use retry::{retry, retry_all};

use super::{Page, PageError, guard::Visitor};
use crate::schedule::{Ask, Begun, Commands};

/// The longest text that an action keeps, characters.
const LONGEST: usize = 1_000;

/// An action that is written down and not yet done.
struct Action<'p> {
    page: &'p Page,
    id: String,
}

impl<'p> Action<'p> {
    /// Writes an action down. What cannot be written down is not done.
    async fn begin(
        page: &'p Page,
        visitor: &Visitor,
        author: &str,
        action: &str,
        object: &str,
        detail: &Value,
    ) -> Result<Self, PageError> {
        let id = insert(page, visitor, author, action, object, detail, "begun").await?;
        Ok(Action { page, id })
    }

    /// Writes down what became of it.
    async fn end<T>(self, done: Result<T, String>, detail: Value) -> Result<T, PageError> {
        let (outcome, detail) = match &done {
            Ok(_) => ("done", detail),
            Err(why) => ("refused", json!({ "asked": detail, "why": why })),
        };
        let sql = "UPDATE actions SET outcome = $2, detail = $3 WHERE id = $1";
        let written = self.page.db().change(sql, &[self.id.into(), outcome.into(), detail.to_string().into()]).await;
        match done {
            // It was done: that its outcome could not be written is said, and does not undo it.
            Ok(value) => written.map(|_| value),
            Err(why) => Err(PageError::refused(axum::http::StatusCode::CONFLICT, why)),
        }
    }
}

async fn insert(
    page: &Page,
    visitor: &Visitor,
    author: &str,
    action: &str,
    object: &str,
    detail: &Value,
    outcome: &str,
) -> Result<String, PageError> {
    let id = format!("{:016x}{:016x}", page.now(), rand::random::<u64>());
    let object: String = object.chars().take(LONGEST).collect();
    let sql = "INSERT INTO actions (id, at, author, address, action, object, detail, outcome) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let address = visitor.address.to_string();
    let texts =
        [author.into(), address.into(), action.into(), object.into(), detail.to_string().into(), outcome.into()];
    let binds: Vec<_> = [id.as_str().into(), page.now().into()].into_iter().chain(texts).collect();
    page.db().change(sql, &binds).await?;
    Ok(id)
}

/// Writes down what is over already: a login, a logout.
pub(super) async fn logged(
    page: &Page,
    visitor: &Visitor,
    author: &str,
    action: &str,
    detail: &str,
    outcome: &str,
) -> Result<(), PageError> {
    insert(page, visitor, author, action, "page", &json!({ "how": detail }), outcome).await.map(drop)
}

/// Writes down that somebody wanted what he may not have.
pub(super) async fn refused(page: &Page, visitor: &Visitor, path: &str, why: &str) -> Result<(), PageError> {
    let author = visitor.who.as_ref().map_or("", |who| who.name.as_str());
    insert(page, visitor, author, "refused", path, &json!({ "why": why }), "refused").await.map(drop)
}

/// Where a running server is asked.
fn server(page: &Page) -> Result<&Commands, PageError> {
    page.commands().ok_or_else(|| {
        PageError::refused(axum::http::StatusCode::CONFLICT, "this server runs no schedules: it can show, and not act")
    })
}

/// Writes an action down, asks for it, and writes down what became of it.
async fn ask(
    page: &Page,
    visitor: &Visitor,
    author: &str,
    (action, object): (&str, &str),
    detail: Value,
    what: Ask,
) -> Result<Begun, PageError> {
    let commands = server(page)?;
    let written = Action::begin(page, visitor, author, action, object, &detail).await?;
    let done = commands.ask(author, what).await.map_err(|e| e.to_string());
    written.end(done, detail).await
}

/// A text that somebody has to give, without blanks around it.
fn said(text: &str, what: &str) -> Result<String, PageError> {
    let text: String = text.trim().chars().take(LONGEST).collect();
    if text.is_empty() {
        return Err(PageError::refused(axum::http::StatusCode::BAD_REQUEST, format!("{what} is empty")));
    }
    Ok(text)
}
