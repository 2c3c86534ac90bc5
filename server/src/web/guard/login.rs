//! Logging in and out.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    form::AnyForm,
    next::local,
    session::{self, Session},
    token::{self, Token, same},
    visitor::Visitor,
};
use crate::web::{Page, PageError, actions, answer};

#[derive(Template)]
#[template(path = "page/login.html")]
struct LoginPage {
    csrf: String,
    next: String,
    name: String,
    message: String,
    users: bool,
    provider: bool,
}

/// Where somebody wanted to go.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Next {
    #[serde(default)]
    pub(super) next: String,
}

/// `GET /login`.
pub(in crate::web) async fn login_page(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Query(next): Query<Next>,
) -> Result<Response, PageError> {
    if visitor.who.is_some() || !page.site().settings.is_closed() {
        return Ok(answer::see(local(&next.next)));
    }
    show(&page, visitor.token, &next.next, "", "")
}

fn show(page: &Page, token: Option<Token>, next: &str, name: &str, message: &str) -> Result<Response, PageError> {
    // Whoever gets the form has a token before he has a session, so that nobody can be logged in with another's password by a page from elsewhere.
    let token = token.unwrap_or_else(Token::new);
    let shown = LoginPage {
        csrf: token.csrf(),
        next: local(next).to_owned(),
        name: name.to_owned(),
        message: message.to_owned(),
        users: page.users().is_some(),
        provider: page.provider().is_some(),
    };
    let mut answer = answer::html(&shown)?.into_response();
    answer.headers_mut().insert(header::SET_COOKIE, token::cookie(page.site(), Some(&token)));
    Ok(answer)
}

/// What the form says.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Credentials {
    #[serde(default)]
    csrf: String,
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /login`.
pub(in crate::web) async fn log_in(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    form: Result<axum::Form<Credentials>, axum::extract::rejection::FormRejection>,
) -> Result<Response, PageError> {
    let axum::Form(sent) = form.map_err(|e| PageError::refused(e.status(), e.body_text()))?;
    let Some(users) = page.users() else {
        return Err(PageError::refused(StatusCode::FORBIDDEN, "nobody logs in here with a password"));
    };
    let Some(token) = visitor.token.clone().filter(|token| same(&token.csrf(), &sent.csrf)) else {
        return Err(PageError::refused(StatusCode::FORBIDDEN, "the form is too old: go to /login and try again"));
    };
    let name: String = sent.name.trim().chars().take(100).collect();
    if !page.limits().attempt(page.now(), visitor.address, &name) {
        actions::logged(&page, &visitor, &name, "login", "too many attempts", "refused").await?;
        let why = "too many attempts: wait five minutes, then try again";
        let mut answer = PageError::refused(StatusCode::TOO_MANY_REQUESTS, why).into_response();
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("300"));
        return Ok(answer);
    }
    match users.verify(&name, sent.password).await? {
        Some(user) => {
            page.limits().succeeded(visitor.address, &name);
            let session = Session { author: name, role: user.role, proof: user.proof() };
            begin(&page, &visitor, session, &sent.next, "with a password").await
        }
        None => {
            actions::logged(&page, &visitor, &name, "login", "wrong name or password", "refused").await?;
            let mut answer = show(&page, Some(token), &sent.next, &name, "The name or the password is wrong.")?;
            *answer.status_mut() = StatusCode::UNAUTHORIZED;
            Ok(answer)
        }
    }
}

/// Begins a session with a token that nobody has seen before, and goes on.
pub(super) async fn begin(
    page: &Page,
    visitor: &Visitor,
    session: Session,
    next: &str,
    how: &str,
) -> Result<Response, PageError> {
    actions::logged(page, visitor, &session.author, "login", how, "done").await?;
    if let Some(old) = &visitor.token {
        session::end(page.db(), old).await?;
    }
    let token = session::begin(page.db(), session, page.now()).await?;
    let mut answer = answer::see(local(next));
    answer.headers_mut().insert(header::SET_COOKIE, token::cookie(page.site(), Some(&token)));
    Ok(answer)
}

/// `POST /logout`.
pub(in crate::web) async fn log_out(State(page): State<Page>, form: AnyForm) -> Result<Response, PageError> {
    let name = form.visitor.who.as_ref().map_or("", |who| who.name.as_str());
    actions::logged(&page, &form.visitor, name, "logout", "", "done").await?;
    if let Some(token) = &form.visitor.token {
        session::end(page.db(), token).await?;
    }
    let mut answer = answer::see("/");
    answer.headers_mut().insert(header::SET_COOKIE, token::cookie(page.site(), None));
    Ok(answer)
}
