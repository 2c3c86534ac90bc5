//! Schedules: when the next round is due, and how the past ones went.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    response::Html,
};
use serde::Deserialize;
use serde_json::Value;

use crate::web::{
    Page, PageError,
    answer::{encoded, html},
    db::first,
    guard::Visitor,
    queries::{
        self, PAGE,
        schedules::{RoundRow, ScheduleRow},
    },
    show::{Badge, Frame, When, lasted},
};

/// How often a round that goes on is asked for again, seconds.
const LIVE: u32 = 5;

struct Round {
    row: RoundRow,
    badge: Badge,
    due: When,
    took: Option<String>,
}

impl Round {
    fn of(row: RoundRow, frame: &Frame) -> Self {
        let took = row.began.zip(row.ended).map(|(began, ended)| lasted(ended.saturating_sub(began)));
        Round { badge: Badge::of(&row.state), due: frame.when(&row.due), took, row }
    }

    fn goes_on(&self) -> bool {
        self.row.ended.is_none() && !matches!(self.row.state.as_str(), "done" | "skipped" | "stopped")
    }
}

struct Line {
    name: String,
    path: String,
    cron: String,
    due: Option<When>,
    last: Option<Round>,
}

#[derive(Template)]
#[template(path = "page/schedules.html")]
struct SchedulesPage {
    frame: Frame,
    lines: Vec<Line>,
}

/// `GET /schedules`.
pub(in crate::web) async fn schedules(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Html<String>, PageError> {
    let mut frame = page.frame(&visitor, "Schedules", "schedules");
    let line = |row: ScheduleRow| {
        let facts = facts(&row.definition);
        let cron = facts.into_iter().find(|(key, _)| key == "cron").map(|(_, value)| value);
        Line {
            path: encoded(&row.name),
            cron: cron.unwrap_or_default(),
            due: row.due.as_ref().map(|due| frame.when(due)),
            last: row.last.map(|round| Round::of(round, &frame)),
            name: row.name,
        }
    };
    let lines: Vec<Line> = queries::schedules::schedules(page.db()).await?.into_iter().map(line).collect();
    frame.refresh = if lines.iter().any(|l| l.last.as_ref().is_some_and(Round::goes_on)) { LIVE } else { 0 };
    html(&SchedulesPage { frame, lines })
}

#[derive(Template)]
#[template(path = "page/schedule.html")]
struct SchedulePage {
    frame: Frame,
    told: bool,
    name: String,
    path: String,
    due: Option<When>,
    facts: Vec<(String, String)>,
    rounds: Vec<Round>,
    earlier: Option<String>,
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    before: Option<i64>,
    told: Option<String>,
}

/// `GET /schedules/{schedule}`.
pub(in crate::web) async fn schedule(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, PageError> {
    let row = queries::schedules::one(page.db(), &name).await?;
    let (rounds, more) = first(queries::schedules::rounds(page.db(), &row.name, asked.before).await?, PAGE);
    let path = encoded(&row.name);
    let mut frame = page.frame(&visitor, row.name.clone(), "schedules");
    let earlier = rounds.last().filter(|_| more).map(|last| format!("/schedules/{path}?before={}", last.due));
    let rounds: Vec<Round> = rounds.into_iter().map(|round| Round::of(round, &frame)).collect();
    frame.refresh = if rounds.iter().any(Round::goes_on) { LIVE } else { 0 };
    html(&SchedulePage {
        told: asked.told.as_deref() == Some("check"),
        due: row.due.as_ref().map(|due| frame.when(due)),
        facts: facts(&row.definition),
        rounds,
        earlier,
        name: row.name,
        path,
        frame,
    })
}

/// What the definition says, fact by fact; what is empty says nothing.
fn facts(definition: &str) -> Vec<(String, String)> {
    let Ok(Value::Object(all)) = serde_json::from_str::<Value>(definition) else { return Vec::new() };
    let told = |key: &str, value: &Value| match (key, value.as_i64(), value.as_f64()) {
        ("window", Some(0), _) => String::new(),
        ("window", Some(seconds), _) => lasted(seconds.saturating_mul(1_000_000)),
        ("budget", _, Some(percent)) => format!("at most {percent} % of a round's hosts are corrected"),
        ("forks", Some(n), _) => format!("{n} at a time"),
        ("policy", ..) => policy(value),
        _ => said(value),
    };
    let facts = all.into_iter().filter(|(key, _)| key != "name").map(|(key, value)| {
        let said = told(&key, &value);
        (key.replace('_', " ").replace("forks", "hosts"), said)
    });
    facts.filter(|(_, value)| !value.is_empty()).collect()
}

/// What is done about drift: `report; motd: correct after 2 looks`.
fn policy(value: &Value) -> String {
    let mode = |value: &Value| match value["correct_after"].as_i64() {
        Some(n) => format!("correct after {n} looks"),
        None => said(value),
    };
    let settings = value["settings"].as_object().into_iter().flatten();
    let settings = settings.map(|(setting, value)| format!("{setting}: {}", mode(value)));
    let all = std::iter::once(mode(&value["default"])).filter(|text| !text.is_empty()).chain(settings);
    all.collect::<Vec<_>>().join("; ")
}

/// JSON in words.
pub(super) fn said(value: &Value) -> String {
    let join = |all: Vec<String>, by: &str| all.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(by);
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => join(all.iter().map(said).collect(), ", "),
        Value::Object(all) => {
            let pairs = all.iter().map(|(key, value)| (key, said(value))).filter(|(_, value)| !value.is_empty());
            join(pairs.map(|(key, value)| format!("{}: {value}", key.replace('_', " "))).collect(), "; ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, civil::Weekday, tz::TimeZone};

    use super::*;
    use crate::schedule::{Cron, Freeze, Maintenance, Missed, Mode, Policy, Schedule};

    #[test]
    fn a_definition_is_told_in_words() {
        let schedule = Schedule {
            name: "n".into(),
            playbooks: vec!["a".into(), "b".into()],
            limit: None,
            tags: vec![],
            cron: Cron::new("0 4 * * *", TimeZone::get("Europe/Berlin").unwrap()).unwrap(),
            window: SignedDuration::from_mins(30),
            missed: Missed::Skip,
            policy: Policy {
                default: Mode::Report,
                settings: [("motd".to_owned(), Mode::CorrectAfter(2.try_into().unwrap()))].into(),
            },
            maintenance: vec![Maintenance {
                days: vec![Weekday::Monday, Weekday::Friday],
                from: jiff::civil::time(22, 0, 0, 0),
                to: jiff::civil::time(4, 30, 0, 0),
                zone: TimeZone::UTC,
            }],
            freezes: vec![Freeze {
                from: jiff::civil::date(2027, 12, 20),
                to: jiff::civil::date(2028, 1, 5),
                reason: "holidays".into(),
            }],
            budget: 5.0,
            forks: 20.try_into().unwrap(),
        };
        let told = facts(&serde_json::to_string(&schedule).unwrap());
        let told: Vec<String> = told.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
        assert_eq!(
            told,
            [
                "playbooks: a, b",
                "cron: 0 4 * * * Europe/Berlin",
                "window: 30 min",
                "missed: skip",
                "policy: report; motd: correct after 2 looks",
                "maintenance: mon, fri 22:00 to 04:30 UTC",
                "freezes: 2027-12-20 to 2028-01-05: holidays",
                "budget: at most 5 % of a round's hosts are corrected",
                "hosts: 20 at a time",
            ]
        );
        assert!(facts("broken").is_empty());
    }
}
