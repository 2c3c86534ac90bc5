//! Reading what has a say about settings: the rollouts file, what stands beside it, and the clock.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rectify_core::{
    diag::{Diagnostic, Diagnostics, SourceMap, did_you_mean, render},
    inventory::Files,
    playbook::Playbook,
    rollout::{self, Assume, Rollouts, StepName},
    text::chain,
};
use rectify_server::rollouts::Store;

use super::Desk;
use crate::{
    args::{Clock, Described, Log},
    config::Config,
    exit::Expected,
    files::Disk,
    project::Project,
};

/// Where a file of settings is looked for beside the playbook, if nobody names one.
const BESIDE: &str = "rollouts.yml";

impl Desk {
    /// Reads the rollouts file and what stands beside it; `None` if the project has none and no task needs one.
    ///
    /// # Errors
    /// Everything that is wrong with the files, with the flags, and with the settings that tasks name.
    pub(crate) fn load(
        config: &Config,
        described: &Described,
        clock: &Clock,
        playbooks: &[PathBuf],
        project: &mut Project,
    ) -> Result<Option<Self>, Expected> {
        let mut found = Diagnostics::new();
        let desk = Self::read(config, described, clock, playbooks, project, &mut found);
        if found.has_errors() {
            return Err(project.expected(&found));
        }
        project.found.extend(found);
        desk
    }

    /// As [`Desk::load`], but what is wrong with the rollouts file and with the settings that tasks name goes to `found`.
    ///
    /// # Errors
    /// What is wrong with the flags and with what stands beside the file.
    pub(crate) fn read(
        config: &Config,
        described: &Described,
        clock: &Clock,
        playbooks: &[PathBuf],
        project: &mut Project,
        found: &mut Diagnostics,
    ) -> Result<Option<Self>, Expected> {
        let Some(path) = place(config, described, playbooks) else {
            without_file(&project.playbook, found);
            if clock.as_of.is_some() || !clock.stage.is_empty() {
                return Err(nowhere());
            }
            return Ok(None);
        };
        let rollouts = parse(&path, &mut project.map, found)?;
        unknown_settings(&project.playbook, &rollouts, found);
        Self::at(path, rollouts, clock).map(Some)
    }

    /// The record alone, for what is noted in it without any host.
    ///
    /// # Errors
    /// Everything that is wrong with the files, and that there are none.
    pub(crate) fn record(config: &Config, log: &Log) -> Result<Self, Expected> {
        let playbooks = match (&log.playbooks.playbooks, &config.playbooks) {
            (given, _) if !given.is_empty() => given,
            (_, usual) => usual,
        };
        let path = place(config, &log.described, playbooks).ok_or_else(nowhere)?;
        let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
        let rollouts = parse(&path, &mut map, &mut found)?;
        if found.has_errors() {
            return Err(Expected::usage(render(&map, &found, false).trim_end()));
        }
        Self::at(path, rollouts, &Clock::default())
    }

    fn at(path: PathBuf, rollouts: Rollouts, clock: &Clock) -> Result<Self, Expected> {
        let store = Store::beside(&path, crate::account::account());
        let journal = store.journal().map_err(|e| Expected::usage(chain(&e)))?;
        let (now, assume) = supposed(clock, &rollouts)?;
        Ok(Desk { path, rollouts, store, journal, assume, now })
    }
}

/// That a verb which needs the file has none.
pub(crate) fn nowhere() -> Expected {
    Expected::usage(format!(
        "there is no rollouts file: put `{BESIDE}` beside the playbook, or name one with --rollouts or in rectify.toml"
    ))
}

/// The rollouts file, if there is one.
pub(crate) fn place(config: &Config, described: &Described, playbooks: &[PathBuf]) -> Option<PathBuf> {
    let named = described.rollouts.clone().or_else(|| config.rollouts.clone());
    named.or_else(|| playbooks.iter().map(|p| p.with_file_name(BESIDE)).find(|p| p.is_file()))
}

fn parse(path: &Path, map: &mut SourceMap, found: &mut Diagnostics) -> Result<Rollouts, Expected> {
    let name = path.display().to_string();
    let bytes = Files::read(&Disk::default(), path).map_err(|e| Expected::usage(format!("reading {name}: {e}")))?;
    match map.add_bytes(name, bytes) {
        Ok(file) => Ok(rollout::read(map, file, found)),
        Err(problem) => {
            found.push(*problem);
            Ok(Rollouts::default())
        }
    }
}

fn without_file(playbook: &Playbook, found: &mut Diagnostics) {
    for (id, at) in playbook.settings() {
        let problem = Diagnostic::error("no-rollouts", format!("`{id}` is a setting, and there is no rollouts file"));
        found.push(problem.at(at, "").help(format!(
            "describe the setting in `{BESIDE}` beside the playbook, or name the file with --rollouts or in rectify.toml"
        )));
    }
}

fn unknown_settings(playbook: &Playbook, rollouts: &Rollouts, found: &mut Diagnostics) {
    for (id, at) in playbook.settings().into_iter().filter(|(id, _)| !rollouts.settings.contains_key(*id)) {
        let mut problem = Diagnostic::error("unknown-setting", format!("no setting is named `{id}`"));
        problem = match did_you_mean(id, rollouts.settings.keys().map(String::as_str)) {
            Some(near) => problem.at(at, "").suggest(at, near, format!("write `{near}`")),
            None => problem.at(at, "").help("describe it in the rollouts file"),
        };
        found.push(problem);
    }
}

/// The time that counts, and what is supposed: `--as-of` and `--stage`.
fn supposed(clock: &Clock, rollouts: &Rollouts) -> Result<(Timestamp, Assume), Expected> {
    let mut assume = Assume { dates: clock.as_of.is_some(), ..Assume::default() };
    for text in &clock.stage {
        let (id, step) =
            text.split_once('=').ok_or_else(|| Expected::usage(format!("--stage {text:?} is not SETTING=STAGE")))?;
        let Some(setting) = rollouts.settings.get(id) else {
            let near = did_you_mean(id, rollouts.settings.keys().map(String::as_str));
            let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            return Err(Expected::usage(format!("--stage: no setting is named {id:?}{near}")));
        };
        let step: StepName = step.parse().map_err(|e| Expected::usage(format!("--stage: {e}")))?;
        if !setting.steps.iter().any(|s| s.name == step) {
            let steps: Vec<String> = setting.steps.iter().map(|s| s.name.to_string()).collect();
            return Err(Expected::usage(format!("--stage: {id} has no step `{step}`, but {}", steps.join(", "))));
        }
        assume.stages.insert(id.to_owned(), step);
    }
    let now = match clock.as_of {
        None => Timestamp::now(),
        // The end of that day: what is dated that day has come.
        Some(day) => last_moment(day, &rollouts.zone)?,
    };
    Ok((now, assume))
}

fn last_moment(day: Date, zone: &TimeZone) -> Result<Timestamp, Expected> {
    let end = day.at(23, 59, 59, 0).to_zoned(zone.clone());
    Ok(end.map_err(|e| Expected::usage(format!("--as-of {day}: {e}")))?.timestamp())
}
