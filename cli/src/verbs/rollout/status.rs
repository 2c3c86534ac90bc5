//! `rectify rollout status`: settings, their steps, and how many hosts stand where.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use rectify_core::{
    plan::RolloutMode,
    rollout::{Assume, Gate, Setting, Stance, Step, own_skips, skip_uses},
};
use serde_json::json;

use super::Office;
use crate::{
    args::{Common, Scope},
    display::text::{count, line, names},
    exit::{self, Expected},
    theme::Meaning,
};

pub(super) fn run(only: Option<&str>, scope: &Scope, common: &Common, as_json: bool) -> anyhow::Result<u8> {
    let office = Office::open(scope, None, common)?;
    if let Some(id) = only {
        office.desk.setting(id)?;
    }
    let settings = office.desk.rollouts.settings.values().filter(|s| only.is_none_or(|id| s.id == id));
    let mut out = std::io::stdout().lock();
    if as_json {
        let all: Vec<_> = settings.map(|s| to_json(&office, s)).collect();
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
        return Ok(exit::OK);
    }
    for (number, setting) in settings.enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        show(&office, setting, only.is_some(), &mut out)?;
    }
    let unused = unused(&office);
    if only.is_none() && !unused.is_empty() {
        writeln!(out, "\nno task belongs to {}", unused.join(", "))?;
    }
    if office.standing.subjects.is_empty() {
        return Err(Expected::usage("no host has a task of a setting: check -p, -l and `hosts` of the plays").into());
    }
    Ok(exit::OK)
}

fn unused(office: &Office) -> Vec<&str> {
    let used: BTreeSet<&str> = office.project.playbook.settings().into_iter().map(|(id, _)| id).collect();
    office.desk.rollouts.settings.keys().map(String::as_str).filter(|id| !used.contains(id)).collect()
}

fn stances<'o>(office: &'o Office, setting: &Setting) -> impl Iterator<Item = (&'o String, &'o Stance)> {
    office.standing.stances.get(&setting.id).into_iter().flatten()
}

fn show(office: &Office, setting: &Setting, whole: bool, out: &mut impl Write) -> std::io::Result<()> {
    let theme = office.theme;
    let gate = office.gate(setting);
    writeln!(out, "{}  {}", theme.paint(Meaning::Heading, &setting.id), line(&setting.title))?;
    let reached = setting.steps[office.desk.view(&office.project.inventory).reached(setting)].name;
    let step = |s: &Step| match s.name == reached {
        true => theme.paint(Meaning::Ok, format!("[{}]", s.name)).to_string(),
        false => format!("{} {}", s.name, s.date),
    };
    writeln!(out, "  {}", setting.steps.iter().map(step).collect::<Vec<_>>().join(" → "))?;
    if let Some(emergency) = setting.revision.emergency.as_ref().filter(|_| !office.desk.journal.reviewed(setting)) {
        let (reason, review) = (line(&emergency.reason), emergency.review);
        let finding = theme.paint(Meaning::Finding, "finding:");
        writeln!(out, "  {finding} emergency {reason}: to be reviewed by {review}")?;
    }
    let mut groups: BTreeMap<(RolloutMode, String), Vec<&str>> = BTreeMap::new();
    for (host, stance) in stances(office, setting) {
        groups.entry((stance.mode, stance.reason.to_string())).or_default().push(host);
    }
    for ((mode, reason), hosts) in groups.iter().rev() {
        let (meaning, word) = match mode {
            RolloutMode::Enforce => (Meaning::Ok, "enforced"),
            RolloutMode::Observe => (Meaning::Quiet, "observed"),
            RolloutMode::Off => (Meaning::Quiet, "left out"),
        };
        let most = if whole { usize::MAX } else { 5 };
        let on = count(hosts.len(), "host");
        writeln!(out, "  {} on {on}, {}: {}", theme.paint(meaning, word), line(reason), names(hosts, most))?;
    }
    seen(office, setting, whole, out)?;
    for (host, stance) in stances(office, setting) {
        for finding in &stance.findings {
            writeln!(out, "  {} {host}: {}", theme.paint(Meaning::Finding, "finding:"), line(finding))?;
        }
        for warning in &stance.warnings {
            writeln!(out, "  {} {host}: {}", theme.paint(Meaning::Unsure, "warning:"), line(warning))?;
        }
    }
    skips(office, setting, out)?;
    next(office, setting, &gate, whole, out)
}

/// Skips that nothing needs any more, and those that the inventory does not know.
fn skips(office: &Office, setting: &Setting, out: &mut impl Write) -> std::io::Result<()> {
    let (view, subjects) = (office.desk.view(&office.project.inventory), office.subjects(setting));
    for skip in skip_uses(&view, setting, subjects, &office.evidence).iter().filter(|s| s.is_unneeded()) {
        writeln!(out, "  {} {}", office.theme.paint(Meaning::Unsure, "warning:"), line(&skip.to_string()))?;
    }
    for own in own_skips(setting, subjects, &office.evidence) {
        let text = format!("{}: {} defines {}, and the inventory has no skip", own.host, own.place, own.name);
        let how = format!("rectify rollout import{}", office.again);
        writeln!(out, "  {} {} ({how})", office.theme.paint(Meaning::Finding, "finding:"), line(&text))?;
    }
    Ok(())
}

/// What looks at the hosts saw.
fn seen(office: &Office, setting: &Setting, whole: bool, out: &mut impl Write) -> std::io::Result<()> {
    let known = |host: &str| office.evidence.of(setting, host);
    let looked: Vec<_> = stances(office, setting).filter_map(|(host, _)| Some((host, known(host)?))).collect();
    let Some(last) = looked.iter().map(|(_, e)| e.last).max() else { return Ok(()) };
    let day = |at: jiff::Timestamp| office.desk.rollouts.day(at);
    let change: Vec<&str> = looked.iter().filter(|(_, e)| e.since.is_some()).map(|(h, _)| h.as_str()).collect();
    let most = if whole { usize::MAX } else { 5 };
    let hosts = looked.iter().map(|(host, _)| host.as_str());
    if let Some(n) = office.evidence.blocked(&setting.id, setting.revision.number, hosts, office.desk.now) {
        writeln!(
            out,
            "  counted: in 30 days it would have blocked something {}",
            count(usize::try_from(n).unwrap_or(usize::MAX), "time")
        )?;
    }
    match looked.iter().filter_map(|(_, e)| e.since).min() {
        Some(since) => writeln!(
            out,
            "  seen: it would change {} of {} (since {}, last look {}): {}",
            change.len(),
            count(looked.len(), "host"),
            day(since),
            day(last),
            names(&change, most)
        ),
        None => {
            writeln!(out, "  seen: {} as declared already (last look {})", count(looked.len(), "host"), day(last))
        }
    }
}

fn next(office: &Office, setting: &Setting, gate: &Gate, whole: bool, out: &mut impl Write) -> std::io::Result<()> {
    let Some(next) = gate.to else { return Ok(()) };
    // What is supposed has no next step of its own.
    if stances(office, setting).next().is_none() || office.desk.assume != Assume::default() {
        return Ok(());
    }
    if gate.missing.is_empty() {
        let how = format!("rectify rollout advance{} {}", office.again, setting.id);
        return writeln!(out, "  next: `{next}`, and nothing is missing: {how}");
    }
    writeln!(out, "  next: `{next}`, which lacks:")?;
    let most = if whole { usize::MAX } else { 5 };
    for missing in gate.missing.iter().take(most) {
        let text = if whole { format!("{missing:#}") } else { missing.to_string() };
        writeln!(out, "    - {}", line(&text))?;
    }
    match gate.missing.len().saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(out, "    - and {more} more: rectify rollout status{} {}", office.again, setting.id),
    }
}

fn to_json(office: &Office, setting: &Setting) -> serde_json::Value {
    let gate = office.gate(setting);
    let hosts: serde_json::Map<String, serde_json::Value> = stances(office, setting)
        .map(|(host, s)| {
            let known = office.evidence.of(setting, host);
            let stand = json!({
                "mode": s.mode, "why": s.reason.to_string(), "revision": s.revision,
                "findings": s.findings, "warnings": s.warnings,
                "would_change_since": known.and_then(|e| e.since), "last_look": known.map(|e| e.last),
            });
            (host.clone(), stand)
        })
        .collect();
    json!({
        "id": setting.id, "title": setting.title, "owner": setting.owner, "revision": setting.revision.number,
        "step": gate.from, "next": gate.to,
        "missing": gate.missing.iter().map(|missing| format!("{missing:#}")).collect::<Vec<_>>(),
        "hosts": hosts,
    })
}
