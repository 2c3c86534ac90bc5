//! Looking now.

use axum::{
    extract::{Path, State},
    response::Response,
};
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

/// Which schedule looks.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct ByWhich {
    #[serde(default)]
    schedule: String,
}

/// `POST /hosts/{host}/check`.
pub(in crate::web) async fn check_host(
    State(page): State<Page>,
    Path(name): Path<String>,
    form: Form<ByWhich>,
) -> Result<Response, PageError> {
    let host = queries::host::host(page.db(), &name).await?.name;
    let schedule = said(&form.fields.schedule, "the schedule that is to look")?;
    let what = Ask::CheckHost { schedule: schedule.clone(), host: host.clone() };
    ask(&page, &form.visitor, &form.who.name, ("check", &host), json!({ "schedule": schedule }), what).await?;
    Ok(see(&format!("/hosts/{}?told=check", encoded(&host))))
}

/// `POST /schedules/{schedule}/check`.
pub(in crate::web) async fn check_schedule(
    State(page): State<Page>,
    Path(name): Path<String>,
    form: Form<ByWhich>,
) -> Result<Response, PageError> {
    let schedule = queries::schedules::one(page.db(), &name).await?.name;
    let what = Ask::Check { schedule: schedule.clone() };
    ask(&page, &form.visitor, &form.who.name, ("check", &schedule), json!({ "schedule": schedule }), what).await?;
    Ok(see(&format!("/schedules/{}?told=check", encoded(&schedule))))
}
