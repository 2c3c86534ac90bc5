//! Settings: how far each is rolled out, where hosts stand, who skips it and why, and what of it is not as wanted.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    response::Html,
};
use rectify_core::{
    drift::Key,
    rollout::{Entry, meaning},
};
use serde::Deserialize;

use super::{At, query};
use crate::{
    told::text::{count, names},
    web::{
        Page, PageError,
        answer::{encoded, html},
        db::first,
        guard::Visitor,
        office::Office,
        queries::{
            self,
            fleet::SettingRow,
            setting::{Alike, DRIFTS, SKIPS, Stood},
        },
        show::{Badge, DiffView, Frame, When},
    },
};

/// How many names of hosts are written out.
const NAMES: usize = 8;

struct Line {
    row: SettingRow,
    path: String,
    title: Option<String>,
    step: Option<String>,
    modes: Vec<Badge>,
    open: Vec<Badge>,
}

#[derive(Template)]
#[template(path = "page/settings.html")]
struct SettingsPage {
    frame: Frame,
    lines: Vec<Line>,
}

/// `GET /settings`.
pub(in crate::web) async fn settings(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Html<String>, PageError> {
    let mut rows = queries::fleet::settings(page.db()).await?;
    let office = page.office().await?;
    if let Some(office) = &office {
        let new = office.rollouts.settings.keys().filter(|id| !rows.iter().any(|row| row.id == **id));
        let new: Vec<SettingRow> = new.map(|id| SettingRow { id: id.clone(), ..SettingRow::default() }).collect();
        rows.extend(new);
    }
    rows.retain(|row| !row.id.is_empty());
    let line = |row: SettingRow| {
        let known = office.as_ref().and_then(|o| Some((o, o.rollouts.settings.get(&row.id)?)));
        let modes = ["enforce", "observe", "off"].into_iter().map(|mode| (mode, row.hosts(mode)));
        let open = ["drift", "both", "pending", "new"].into_iter().map(|cause| (cause, row.opened(cause)));
        let said = |(word, n): (&str, i64)| (n > 0).then(|| Badge::saying(word, format!("{n} {word}")));
        Line {
            path: encoded(&row.id),
            title: known.map(|(_, setting)| setting.title.clone()),
            step: known.map(|(office, setting)| setting.steps[office.journal.reached(setting)].name.to_string()),
            modes: modes.filter_map(said).collect(),
            open: open.filter_map(said).collect(),
            row,
        }
    };
    let lines = rows.into_iter().map(line).collect();
    html(&SettingsPage { frame: page.frame(&visitor, "Settings", "settings"), lines })
}

/// What the file of settings says.
struct Described {
    title: String,
    reason: String,
    impact: String,
    skip: String,
    owner: String,
    steps: Vec<Step>,
    objections: Vec<Objection>,
}

struct Step {
    name: String,
    date: String,
    meaning: String,
    reached: bool,
    now: bool,
}

struct Objection {
    owner: String,
    reason: String,
    by: String,
    when: When,
}

impl Described {
    fn of(office: &Office, id: &str, frame: &Frame) -> Option<Self> {
        let setting = office.rollouts.settings.get(id)?;
        let reached = office.journal.reached(setting);
        let step = |(n, step): (usize, &rectify_core::rollout::Step)| Step {
            name: step.name.to_string(),
            date: step.date.to_string(),
            meaning: meaning(step.name),
            reached: n <= reached,
            now: n == reached,
        };
        let objection = |record: &&rectify_core::rollout::Record| match &record.what {
            Entry::Objection { owner, reason, .. } => Some(Objection {
                owner: owner.clone(),
                reason: reason.clone(),
                by: record.by.clone(),
                when: frame.when(&record.at.as_microsecond()),
            }),
            _ => None,
        };
        Some(Described {
            title: setting.title.clone(),
            reason: setting.reason.clone(),
            impact: setting.impact.clone(),
            skip: setting.skip.clone(),
            owner: setting.owner.clone(),
            steps: setting.steps.iter().enumerate().map(step).collect(),
            objections: office.journal.objections(setting).iter().filter_map(objection).collect(),
        })
    }
}

struct Drift {
    row: Alike,
    badge: Badge,
    thing: String,
    property: String,
    hosts: String,
    links: Vec<(String, String)>,
    number: String,
    since: When,
    difference: DiffView,
}

struct HostLine {
    row: Stood,
    path: String,
    state: Badge,
    mode: Badge,
}

impl HostLine {
    fn of(row: Stood) -> Self {
        HostLine { path: encoded(&row.name), state: Badge::of(&row.state), mode: Badge::of(&row.mode), row }
    }
}

struct Count {
    badge: Badge,
    stage: String,
    n: i64,
    link: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "page/setting.html")]
struct SettingPage {
    frame: Frame,
    told: bool,
    id: String,
    path: String,
    described: Option<Described>,
    counts: Vec<Count>,
    drifts: Vec<Drift>,
    more_drifts: bool,
    skips: Vec<HostLine>,
    more_skips: bool,
    hosts: Vec<HostLine>,
    earlier: Option<String>,
    later: Option<String>,
    owners: Vec<String>,
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    mode: String,
    after: Option<String>,
    before: Option<String>,
    told: Option<String>,
}

/// `GET /settings/{setting}`.
pub(in crate::web) async fn setting(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, PageError> {
    let db = page.db();
    let frame = page.frame(&visitor, id.clone(), "settings");
    let office = page.office().await?;
    let described = office.as_ref().and_then(|office| Described::of(office, &id, &frame));
    let counts = queries::setting::counts(db, &id).await?;
    let (drifts, more_drifts) = first(queries::setting::drifts(db, &id).await?, DRIFTS);
    if counts.is_empty() && drifts.is_empty() && described.is_none() {
        return Err(PageError::Missing(format!("no run has seen a setting called {id:?}")));
    }
    let (skips, more_skips) = first(queries::setting::skips(db, &id).await?, SKIPS);
    let edge = At { after: asked.after, before: asked.before }.edge();
    let hosts = queries::setting::hosts(db, &id, &asked.mode, edge.as_ref()).await?;
    let path = encoded(&id);
    let link = |key: &str, name: Option<&Stood>| {
        name.map(|s| format!("/settings/{path}?{}#hosts", query(&[("mode", &asked.mode), (key, &s.name)])))
    };
    let owners = match frame.operates() && described.is_some() {
        true => queries::fleet::names(db).await?.1.into_iter().collect(),
        false => Vec::new(),
    };
    html(&SettingPage {
        told: asked.told.as_deref() == Some("object"),
        counts: counts.into_iter().map(|(stage, mode, n)| counted(&path, &asked.mode, stage, &mode, n)).collect(),
        drifts: drifts.into_iter().map(|row| drift(row, &frame)).collect(),
        more_drifts,
        skips: skips.into_iter().map(HostLine::of).collect(),
        more_skips,
        earlier: hosts.earlier.then(|| link("before", hosts.rows.first())).flatten(),
        later: hosts.later.then(|| link("after", hosts.rows.last())).flatten(),
        hosts: hosts.rows.into_iter().map(HostLine::of).collect(),
        described,
        owners,
        path,
        id,
        frame,
    })
}

fn counted(path: &str, asked: &str, stage: String, mode: &str, n: i64) -> Count {
    let chosen = asked == mode;
    let link = format!("/settings/{path}?{}#hosts", query(&[("mode", if chosen { "" } else { mode })]));
    Count { badge: Badge::of(mode), stage, n, link, chosen }
}

fn drift(row: Alike, frame: &Frame) -> Drift {
    Drift {
        badge: Badge::of(&row.cause),
        thing: Key::new(&row.thing, "").to_string(),
        property: if row.property.is_empty() { "state".to_owned() } else { row.property.clone() },
        hosts: names(&row.hosts, NAMES),
        links: row.hosts.iter().take(NAMES).map(|name| (encoded(name), name.clone())).collect(),
        number: count(row.hosts.len(), "host"),
        since: frame.when(&row.since),
        difference: DiffView::of_json(row.difference.as_deref(), None, None),
        row,
    }
}
