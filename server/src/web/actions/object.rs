//! Objecting to a setting: it does not advance until somebody answers.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use jiff::Timestamp;
use rectify_core::{rollout::Entry, text::chain};
use serde::Deserialize;
use serde_json::json;

use super::{Action, said};
use crate::{
    rollouts::Store,
    web::{
        Page, PageError,
        answer::{encoded, see},
        guard::Form,
        queries,
    },
};

/// For whom, and why.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Objection {
    #[serde(default)]
    owner: String,
    #[serde(default)]
    reason: String,
}

/// `POST /settings/{setting}/object`.
pub(in crate::web) async fn object(
    State(page): State<Page>,
    Path(id): Path<String>,
    form: Form<Objection>,
) -> Result<Response, PageError> {
    let Some(office) = page.office().await? else {
        let why = "this server knows no settings: name their file by `rollouts` in rectify.toml";
        return Err(PageError::refused(StatusCode::CONFLICT, why));
    };
    let Some(setting) = office.rollouts.settings.get(&id) else {
        return Err(PageError::Missing(format!("{} has no setting {id:?}", office.path.display())));
    };
    let (owner, reason) = (said(&form.fields.owner, "the owner")?, said(&form.fields.reason, "the reason")?);
    if !queries::fleet::names(page.db()).await?.1.contains(&owner) {
        return Err(PageError::refused(StatusCode::BAD_REQUEST, format!("no host belongs to {owner:?}")));
    }
    let detail = json!({ "owner": owner, "reason": reason, "revision": setting.revision.number });
    let action = Action::begin(&page, &form.visitor, &form.who.name, "object", &id, &detail).await?;
    let entry = Entry::Objection { setting: id.clone(), revision: setting.revision.number, owner, reason };
    let at = Timestamp::from_microsecond(page.now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let store = Store::beside(&office.path, form.who.name.as_str());
    let written = tokio::task::spawn_blocking(move || store.write(at, entry)).await;
    let written = written.map_err(|e| e.to_string()).and_then(|done| done.map_err(|e| chain(&e)));
    action.end(written, detail).await?;
    Ok(see(&format!("/settings/{}?told=object", encoded(&id))))
}
