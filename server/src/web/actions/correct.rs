//! Correcting a drift after its difference was seen.
//!
//! First comes a page with the differences; its form carries their digest. What is corrected is what was shown: if the record says something else
//! by then, nothing is done and the page is shown again.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Response},
};
use rectify_core::digest::hex;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{ask, said};
use crate::{
    schedule::{Ask, Item},
    web::{
        Page, PageError,
        answer::{encoded, html, see},
        guard::{Form, Visitor},
        pages::ItemView,
        queries::{
            self,
            host::{ITEMS, ItemRow},
        },
        show::Frame,
    },
};

/// What of a host: a setting's items, or all.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Which {
    setting: Option<String>,
}

#[derive(Template)]
#[template(path = "page/correct.html")]
struct CorrectPage {
    frame: Frame,
    host: String,
    path: String,
    setting: Option<String>,
    items: Vec<ItemView>,
    schedules: Vec<String>,
    digest: String,
    changed: bool,
}

/// What a host has that can be corrected: what moved there. Where only the policy moved, an apply is the way.
async fn found(page: &Page, name: &str, setting: Option<&str>) -> Result<(String, Vec<ItemRow>), PageError> {
    let host = queries::host::host(page.db(), name).await?;
    let mut items = queries::host::items(page.db(), host.id).await?;
    items.truncate(ITEMS);
    items.retain(|item| setting.is_none_or(|id| item.setting.as_deref().unwrap_or_default() == id));
    items.retain(|item| item.cause != "pending");
    Ok((host.name, items))
}

/// What was seen, in 64 digits.
fn digest(host: &str, items: &[ItemRow]) -> String {
    let all: Vec<_> = items
        .iter()
        .map(|i| (&i.thing, &i.property, &i.cause, &i.seen, &i.wanted, &i.remembered, &i.difference))
        .collect();
    let text = serde_json::to_string(&(host, all)).expect("invariant: it is made of texts");
    hex(&Sha256::digest(text))
}

async fn shown(
    page: &Page,
    visitor: &Visitor,
    name: &str,
    setting: Option<String>,
    changed: bool,
) -> Result<Html<String>, PageError> {
    let (host, items) = found(page, name, setting.as_deref()).await?;
    let frame = page.frame(visitor, format!("Correct {host}"), "fleet");
    let digest = digest(&host, &items);
    let looked = queries::host::host(page.db(), name).await?;
    let schedules = page.schedules_of(looked.id).await?;
    let items = items.into_iter().map(ItemView::of).collect();
    html(&CorrectPage { frame, path: encoded(&host), host, setting, items, schedules, digest, changed })
}

/// `GET /hosts/{host}/correct`.
pub(in crate::web) async fn ask_correct(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Result<Html<String>, PageError> {
    if !visitor.who.as_ref().is_some_and(|who| who.operates()) {
        return Err(PageError::refused(StatusCode::FORBIDDEN, "only operators correct"));
    }
    shown(&page, &visitor, &name, which.setting, false).await
}

/// What was shown, and which schedule's playbooks correct it.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Seen {
    #[serde(default)]
    digest: String,
    #[serde(default)]
    schedule: String,
    setting: Option<String>,
}

/// `POST /hosts/{host}/correct`.
pub(in crate::web) async fn correct(
    State(page): State<Page>,
    Path(name): Path<String>,
    form: Form<Seen>,
) -> Result<Response, PageError> {
    let Seen { digest: seen, schedule, setting } = form.fields;
    let schedule = said(&schedule, "the schedule that is to correct")?;
    let (host, items) = found(&page, &name, setting.as_deref()).await?;
    if items.is_empty() || digest(&host, &items) != seen {
        let why = "what was seen is not what is there any more";
        super::refused(&page, &form.visitor, &format!("/hosts/{}/correct", encoded(&host)), why).await?;
        let shown = shown(&page, &form.visitor, &name, setting, true).await?;
        return Ok((StatusCode::CONFLICT, shown).into_response());
    }
    let items: Vec<Item> = items
        .into_iter()
        .map(|i| Item { thing: i.thing, property: i.property, seen: i.seen, wanted: i.wanted })
        .collect();
    let named: Vec<_> = items.iter().map(|i| format!("{} {}", i.thing, i.property)).collect();
    let detail = json!({ "schedule": schedule, "setting": setting, "digest": seen, "items": named });
    let what = Ask::Correct { schedule, host: host.clone(), items };
    ask(&page, &form.visitor, &form.who.name, ("correct", &host), detail, what).await?;
    Ok(see(&format!("/hosts/{}?told=correct", encoded(&host))))
}
