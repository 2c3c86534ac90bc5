//! Why a page cannot be shown.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use rectify_core::text::chain;

use super::answer::html;
use crate::store::StoreError;

/// Why a page cannot be shown, or an action was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// The index did not answer, or holds what nobody here wrote.
    #[error("{}", chain(.0))]
    Record(#[from] StoreError),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// The request is not one that is answered.
    #[error("{1}")]
    Refused(StatusCode, String),
    /// It was tried, and did not work.
    #[error("{0}")]
    Failed(String),
    /// A template.
    #[error("the page cannot be made: {0}")]
    Template(#[from] askama::Error),
    /// Nobody is logged in: first there.
    #[error("log in first")]
    LogIn(String),
}

impl PageError {
    pub(super) fn refused(status: StatusCode, why: impl Into<String>) -> Self {
        PageError::Refused(status, why.into())
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            PageError::Record(_) => StatusCode::SERVICE_UNAVAILABLE,
            PageError::Missing(_) => StatusCode::NOT_FOUND,
            PageError::Refused(status, _) => *status,
            PageError::Failed(_) => StatusCode::BAD_GATEWAY,
            PageError::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
            PageError::LogIn(_) => StatusCode::SEE_OTHER,
        }
    }
}

#[derive(Template)]
#[template(path = "page/error.html")]
struct ErrorPage {
    status: u16,
    heading: &'static str,
    message: String,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let PageError::LogIn(to) = &self {
            return super::answer::see(to);
        }
        let status = self.status();
        let heading = match status.as_u16() {
            404 => "Not found",
            503 => "The record does not answer",
            409 => "It has changed",
            429 => "Too many attempts",
            400..=499 => "Refused",
            _ => "It did not work",
        };
        let page = ErrorPage { status: status.as_u16(), heading, message: self.to_string() };
        match html(&page) {
            Ok(page) => (status, page).into_response(),
            Err(_) => (status, self.to_string()).into_response(),
        }
    }
}
