//! What changes something.

use axum::{
    extract::{FromRequest, Request},
    http::StatusCode,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    token::same,
    visitor::{Visitor, Who},
};
use crate::web::{Page, PageError, actions};

/// A form that an operator sent from a page of ours. Every handler that changes something takes one; that it exists is the proof.
#[derive(Debug)]
pub(in crate::web) struct Form<T> {
    pub(in crate::web) who: Who,
    pub(in crate::web) visitor: Visitor,
    pub(in crate::web) fields: T,
}

#[derive(Deserialize)]
struct Signed<T> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    fields: T,
}

impl<T: DeserializeOwned + Send> FromRequest<Page> for Form<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, page: &Page) -> Result<Self, PageError> {
        let path = request.uri().path().to_owned();
        let (visitor, who, fields) = signed(request, page).await?;
        if !who.operates() {
            let why = format!("{} may read, and not act", who.name);
            actions::refused(page, &visitor, &path, &why).await?;
            return Err(PageError::refused(StatusCode::FORBIDDEN, why));
        }
        Ok(Form { who, visitor, fields })
    }
}

/// The same for whoever is logged in.
#[derive(Debug)]
pub(in crate::web) struct AnyForm {
    pub(super) visitor: Visitor,
}

#[derive(Deserialize)]
struct Nothing {}

impl FromRequest<Page> for AnyForm {
    type Rejection = PageError;

    async fn from_request(request: Request, page: &Page) -> Result<Self, PageError> {
        let (visitor, _, Nothing {}) = signed(request, page).await?;
        Ok(AnyForm { visitor })
    }
}

async fn signed<T: DeserializeOwned + Send>(request: Request, page: &Page) -> Result<(Visitor, Who, T), PageError> {
    let path = request.uri().path().to_owned();
    let visitor = request.extensions().get::<Visitor>().cloned();
    let Some((visitor, who)) = visitor.and_then(|v| v.who.clone().map(|who| (v, who))) else {
        let why = "this page is read-only: set `users`, `oidc` or `proxy` in [serve] so that people can log in";
        return Err(PageError::refused(StatusCode::FORBIDDEN, why));
    };
    let form = axum::Form::<Signed<T>>::from_request(request, page).await;
    let axum::Form(Signed { csrf, fields }) = form.map_err(|e| PageError::refused(e.status(), e.body_text()))?;
    if !same(&csrf, &who.csrf) {
        let why = "this form was made for another login: load the page again, and send it from there";
        actions::refused(page, &visitor, &path, why).await?;
        return Err(PageError::refused(StatusCode::FORBIDDEN, why));
    }
    Ok((visitor, who, fields))
}
