//! Keeping schedules from correcting a host.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::{ask, said};
use crate::{
    schedule::Ask,
    web::{
        Page, PageError,
        answer::{encoded, see},
        guard::Form,
        queries,
    },
};

/// How long and why.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct HowLong {
    #[serde(default)]
    hours: String,
    #[serde(default)]
    reason: String,
}

/// Nothing more is said.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct NoMore {}

/// `POST /hosts/{host}/hold`.
pub(in crate::web) async fn hold(
    State(page): State<Page>,
    Path(name): Path<String>,
    form: Form<HowLong>,
) -> Result<Response, PageError> {
    let host = queries::host::host(page.db(), &name).await?.name;
    let reason = said(&form.fields.reason, "the reason")?;
    let hours = form.fields.hours.trim().parse::<i64>().ok().filter(|hours| (1..=720).contains(hours));
    let Some(hours) = hours else {
        return Err(PageError::refused(StatusCode::BAD_REQUEST, "a hold lasts 1 to 720 hours"));
    };
    let now = Timestamp::from_microsecond(page.now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let until = now.saturating_add(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MAX);
    let detail = json!({ "until": until, "reason": reason });
    let what = Ask::Hold { host: host.clone(), until, reason };
    ask(&page, &form.visitor, &form.who.name, ("hold", &host), detail, what).await?;
    Ok(see(&format!("/hosts/{}?told=hold", encoded(&host))))
}

/// `POST /hosts/{host}/release`.
pub(in crate::web) async fn release(
    State(page): State<Page>,
    Path(name): Path<String>,
    form: Form<NoMore>,
) -> Result<Response, PageError> {
    let NoMore {} = form.fields;
    let host = queries::host::host(page.db(), &name).await?.name;
    let what = Ask::Release { host: host.clone() };
    ask(&page, &form.visitor, &form.who.name, ("release", &host), json!({}), what).await?;
    Ok(see(&format!("/hosts/{}?told=release", encoded(&host))))
}
