//! `rectify rollout advance SETTING`: the next step, if nothing is missing.

use std::{collections::BTreeMap, io::Write};

use rectify_core::{
    rollout::{Entry, Gate, Missing, Setting, Step, StepName, Subject},
    text::chain,
};

use super::{Office, note::said};
use crate::{
    args::{Common, Scope},
    display::text::{count, line, names},
    exit::{self, Expected},
    theme::Meaning,
};

pub(super) fn run(
    id: &str,
    to: Option<StepName>,
    force: Option<&str>,
    scope: &Scope,
    common: &Common,
) -> anyhow::Result<u8> {
    let force = force.map(|reason| said(reason, "--force")).transpose()?;
    let mut office = Office::open(scope, None, common)?;
    let setting = office.desk.setting(id)?.clone();
    let verdict = office.gate(&setting);
    let Some(next) = verdict.to else {
        return Err(Expected::usage(format!("{id} has reached `{}`, its last step", verdict.from)).into());
    };
    if let Some(other) = to.filter(|to| *to != next) {
        let steps: Vec<String> = setting.steps.iter().map(|s: &Step| s.name.to_string()).collect();
        let steps = steps.join(", ");
        return Err(
            Expected::usage(format!("the next step of {id} is `{next}`, not `{other}` (its steps: {steps})")).into()
        );
    }
    if !verdict.missing.is_empty() && force.is_none() {
        return refuse(&office, id, next, &verdict, common);
    }
    let forced = force.filter(|_| !verdict.missing.is_empty());
    let hosts = if forced.is_some() { covered(&verdict, office.subjects(&setting)) } else { BTreeMap::new() };
    let revision = setting.revision.number;
    let entry = Entry::Advance { setting: id.to_owned(), revision, to: next, forced: forced.clone(), hosts };
    let record = office.desk.store.write(office.desk.now, entry).map_err(|e| Expected::failed(chain(&e)))?;
    office.desk.journal.push(record);
    report(&office, &setting, &verdict, next, forced.as_deref())
}

/// The hosts that a forced advance changes whether or not their owners were told in time.
fn covered(verdict: &Gate, subjects: &BTreeMap<String, Subject>) -> BTreeMap<String, String> {
    let print = |host: &String| Some((host.clone(), subjects.get(host)?.prints.now.clone()));
    verdict.affected.iter().filter_map(print).collect()
}

fn refuse(office: &Office, id: &str, next: StepName, verdict: &Gate, common: &Common) -> anyhow::Result<u8> {
    let (mut err, theme) = (std::io::stderr(), crate::theme(common, false));
    let refused = theme.paint(Meaning::Failed, "refused:");
    writeln!(err, "{refused} {id} stays at `{}`. For `{next}` it lacks:", verdict.from)?;
    for missing in &verdict.missing {
        writeln!(err, "  - {}", line(&missing.to_string()))?;
    }
    let help = theme.paint(Meaning::Hint, "help:");
    if verdict.missing.iter().any(|missing| matches!(missing, Missing::NotTold { .. })) {
        writeln!(err, "{help} `rectify announce{} {id}` tells the owners", office.again)?;
    }
    writeln!(err, "{help} --force REASON takes the step all the same; the reason is recorded and announced")?;
    Ok(exit::FAILED)
}

fn report(
    office: &Office,
    setting: &Setting,
    verdict: &Gate,
    target: StepName,
    forced: Option<&str>,
) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} has reached `{target}` (before: `{}`)", setting.id, verdict.from)?;
    if !verdict.affected.is_empty() && target.stage >= rectify_core::rollout::Stage::OptOut {
        let hosts = names(&verdict.affected, 10);
        writeln!(out, "  the next apply changes {}: {hosts}", count(verdict.affected.len(), "host"))?;
    }
    if let Some(reason) = forced {
        writeln!(out, "  forced: {}", line(reason))?;
        for missing in &verdict.missing {
            writeln!(out, "  although: {}", line(&missing.to_string()))?;
        }
        writeln!(out, "  announce it now: rectify announce{} {}", office.again, setting.id)?;
    }
    writeln!(out, "  recorded in {}", office.desk.store.journal_path().display())?;
    Ok(exit::OK)
}
