//! Having messages tried anew that were given up.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use jiff::Timestamp;

use super::hold::NoMore;
use crate::{
    notify,
    store::By,
    web::{Page, PageError, answer::see, guard::Form},
};

/// `POST /notices/{notice}/retry`.
pub(in crate::web) async fn retry(
    State(page): State<Page>,
    Path(id): Path<String>,
    form: Form<NoMore>,
) -> Result<Response, PageError> {
    again(&page, &form, Some(&id)).await
}

/// `POST /notices/retry`: all of them.
pub(in crate::web) async fn retry_all(State(page): State<Page>, form: Form<NoMore>) -> Result<Response, PageError> {
    again(&page, &form, None).await
}

async fn again(page: &Page, form: &Form<NoMore>, id: Option<&str>) -> Result<Response, PageError> {
    let now = Timestamp::from_microsecond(page.now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let address = form.visitor.address.to_string();
    let by = By { author: &form.who.name, address: &address };
    if notify::retry(page.db().store(), id, by, now).await? == 0 {
        let why = "it is not given up any more: somebody else had it tried anew";
        return Err(PageError::refused(StatusCode::CONFLICT, why));
    }
    Ok(see("/notices?told=retry"))
}
