//! Runs: the list, and one as it was or as it goes.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    response::Html,
};
use serde::Deserialize;

use super::{earlier, moment, query};
use crate::web::{
    Page, PageError,
    answer::{encoded, html},
    db::first,
    guard::Visitor,
    queries::{
        self, PAGE,
        runs::{RunFilter, RunHost, RunRow},
    },
    show::{Badge, Frame, When, lasted},
    story::Story,
};

/// How often what goes on is asked for again, seconds.
const LIVE: u32 = 3;

/// A run in a list.
struct Line {
    path: String,
    badge: Badge,
    began: When,
    took: Option<String>,
    schedule: Option<String>,
    row: RunRow,
}

impl Line {
    fn of(row: RunRow, frame: &Frame) -> Self {
        Line {
            path: encoded(&row.id),
            badge: Badge::of(came_to(&row)),
            began: frame.when(&row.began),
            took: row.ended.map(|ended| lasted(ended.saturating_sub(row.began))),
            schedule: row.schedule.as_deref().map(encoded),
            row,
        }
    }
}

/// What a run came to, in a word. The codes are those of the command line.
fn came_to(run: &RunRow) -> &'static str {
    match (run.ended, run.exit_code) {
        (None, _) => "running",
        (Some(_), _) if run.interrupted => "interrupted",
        (Some(_), None) => "broke off",
        (Some(_), Some(0)) => "fine",
        (Some(_), Some(2)) => "changes",
        (Some(_), Some(4)) => "unreachable",
        (Some(_), Some(_)) => "failed",
    }
}

#[derive(Template)]
#[template(path = "page/runs.html")]
struct RunsPage {
    frame: Frame,
    asked: Asked,
    schedules: Vec<String>,
    lines: Vec<Line>,
    earlier: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    cause: String,
    mode: String,
    schedule: String,
    before: Option<String>,
}

/// `GET /runs`.
pub(in crate::web) async fn runs(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, PageError> {
    let Asked { cause, mode, schedule, before } = asked.clone();
    let filter = RunFilter { cause, mode, schedule };
    let (rows, more) = first(queries::runs::runs(page.db(), &filter, moment(before.as_deref()).as_ref()).await?, PAGE);
    let mut frame = page.frame(&visitor, "Runs", "runs");
    frame.refresh = if rows.iter().any(|run| run.ended.is_none()) { LIVE } else { 0 };
    let pairs = [("cause", filter.cause.as_str()), ("mode", &filter.mode), ("schedule", &filter.schedule)];
    let earlier = earlier(more, &rows, |row| (row.began, &row.id), "/runs", &query(&pairs));
    let lines = rows.into_iter().map(|row| Line::of(row, &frame)).collect();
    html(&RunsPage { schedules: queries::schedules::names(page.db()).await?, asked, lines, earlier, frame })
}

struct HostLine {
    path: String,
    badge: Badge,
    took: String,
    row: RunHost,
}

struct Count {
    badge: Badge,
    n: i64,
    link: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "page/run.html")]
struct RunPage {
    frame: Frame,
    run: Line,
    counts: Vec<Count>,
    story: Option<Arc<Story>>,
    hosts: Vec<HostLine>,
    later: Option<String>,
}

/// Which hosts are listed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Which {
    state: String,
    after: String,
}

/// `GET /runs/{run}`.
pub(in crate::web) async fn run(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Result<Html<String>, PageError> {
    let row = queries::runs::run(page.db(), &id).await?;
    let mut frame = page.frame(&visitor, format!("Run {}", row.id), "runs");
    frame.refresh = if row.ended.is_none() { LIVE } else { 0 };
    let path = encoded(&row.id);
    let states = queries::runs::states(page.db(), &row.id).await?;
    let counts = states.into_iter().map(|(state, n)| {
        let chosen = which.state == state;
        let link = format!("/runs/{path}?{}#hosts", query(&[("state", if chosen { "" } else { &state })]));
        Count { badge: Badge::of(&state), n, link, chosen }
    });
    let (hosts, more) = first(queries::runs::hosts(page.db(), &row.id, &which.state, &which.after).await?, PAGE);
    let later = hosts.last().filter(|_| more);
    let later =
        later.map(|last| format!("/runs/{path}?{}#hosts", query(&[("state", &which.state), ("after", &last.name)])));
    let hosts = hosts.into_iter().map(|row| HostLine {
        path: encoded(&row.name),
        badge: Badge::of(&row.state),
        took: lasted(row.took),
        row,
    });
    let story = page.stories().of(&row.id).await?;
    let mut run = Line::of(row, &frame);
    if run.row.ended.is_none() && story.as_ref().is_some_and(|story| story.ending.is_some()) {
        // The index learns of it later.
        (run.badge, frame.refresh) = (Badge::of("broke off"), 0);
    }
    html(&RunPage { counts: counts.collect(), story, hosts: hosts.collect(), later, run, frame })
}
