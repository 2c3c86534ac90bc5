//! A case: a machine, tasks, and what must come of them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rectify_core::{
    event::{Outcome, TaskReport},
    module::Observe,
    plan::{Mode, TaskId},
};
use rectify_modules::{
    REGISTRY,
    engine::{ApplyStage, CheckStage},
    host::{fake::Fake, rehearsal::Rehearsal},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{play, verdict::Expect};

/// Where the cases are.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");

/// A case as it is written.
///
/// ```yaml
/// why: a mode that is too wide is narrowed         # one line; for a case without a change, why there is none
/// given: {base: debian, files: {/etc/motd: x}}     # the machine; the keys are those of `Fake::from_yaml`
/// files: {files/motd: "hello\n"}                   # the controller's files, beside the playbook
/// vars: {app: shop}                                # variables
/// tasks: |                                         # a list of tasks, as in a playbook
///   - file: {path: /etc/motd, mode: 0600}
/// handlers: |                                      # and of handlers
///   - name: restart
///     service: {name: apache2, state: restarted}
/// expect:                                          # of the only task; a list for several, handlers last
///   changes:                                       # all that changes, by property: before and after (`~`: absent),
///     mode: ["0644", "0600"]                       #   or the lines of a text that change
///     content: |
///       -old
///       +new
/// after:                                           # what is on the machine afterwards (`~`: nothing)
///   /etc/motd: {mode: "0600", content: x}
/// ```
///
/// The other keys of `expect` are those of [`Expect`]. Of every case it is required that the check announces exactly what the
/// apply does, that the check leaves the machine alone, and, of a case with one task, that doing it again changes nothing
/// (`again: changed` for what acts every time).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    why: String,
    #[serde(default)]
    given: serde_yaml::Value,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    vars: Map<String, Value>,
    tasks: String,
    #[serde(default)]
    handlers: String,
    expect: OneOrMany,
    #[serde(default)]
    after: BTreeMap<PathBuf, Option<After>>,
    #[serde(default)]
    again: Again,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Expect>),
    One(Box<Expect>),
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Again {
    #[default]
    Unchanged,
    Changed,
}

/// What is at a path in the end; what is left out does not matter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    content: Option<String>,
    mode: Option<String>,
    owner: Option<u32>,
    group: Option<u32>,
    link: Option<PathBuf>,
}

/// The folders of cases, by their names.
pub(crate) fn folders() -> Vec<(String, PathBuf)> {
    let mut folders: Vec<(String, PathBuf)> = std::fs::read_dir(ROOT)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    folders.sort();
    folders
}

/// The cases of a folder; what else is in it is an error.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().is_some_and(|n| n != "exempt.yaml"));
    for path in &files {
        assert!(path.extension().is_some_and(|e| e == "yaml"), "{} is no case", path.display());
    }
    files.sort();
    files
}

impl Case {
    /// Reads one.
    pub(crate) fn read(path: &Path) -> Result<Case, String> {
        let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
        serde_yaml::from_str(&text).map_err(|e| e.to_string())
    }

    fn machine(&self) -> Result<Fake, String> {
        let text = serde_yaml::to_string(&self.given).map_err(|e| e.to_string())?;
        let empty = self.given.is_null();
        Fake::from_yaml(if empty { "{}" } else { &text }).map_err(|e| format!("given: {e}"))
    }

    fn play(&self) -> play::Play<'_> {
        play::Play {
            tasks: &self.tasks,
            handlers: &self.handlers,
            vars: self.vars.clone(),
            files: self.files.clone(),
            lenient: false,
        }
    }

    fn expected(&self) -> Vec<&Expect> {
        match &self.expect {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many.iter().collect(),
        }
    }

    /// Everything that does not hold.
    pub(crate) fn hold(&self, kind: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.why.split_whitespace().count() < 3 {
            wrong.push("why: say it in some words".to_owned());
        }
        if self.arguments(kind).is_empty() && !self.uses(kind) {
            wrong.push(format!("no task is a {kind}"));
        }
        if let Err(error) = self.play_it(&mut wrong) {
            wrong.push(error);
        }
        wrong
    }

    fn play_it(&self, wrong: &mut Vec<String>) -> Result<(), String> {
        let play = self.play();
        let expected = self.expected();
        if let Some(text) = expected.first().and_then(|e| e.invalid.as_ref()) {
            match play.compile(Mode::Check) {
                Ok(_) => wrong.push(format!("it compiles, and should not: {text}")),
                Err(error) if error.contains(text.as_str()) => {}
                Err(error) => wrong.push(format!("it says nothing of {text:?}:\n{error}")),
            }
            return Ok(());
        }
        let checked = self.check(&play, wrong)?;
        let machine = self.machine()?;
        let plan = play.compile(Mode::Apply)?;
        lend(&machine, &play, &plan);
        let applied = play::run(&plan, &ApplyStage::new(&machine));
        for (number, (task, done)) in applied.iter().enumerate() {
            let expect = expected.get(number).copied();
            let announced = checked.get(task).ok_or("the check has fewer tasks")?;
            let found = Expect::compare(expect, announced, done);
            wrong.extend(found.into_iter().map(|w| format!("task {}: {w}", number + 1)));
        }
        if expected.len() > applied.len() {
            wrong.push(format!("{} tasks are expected, there are {}", expected.len(), applied.len()));
        }
        self.check_after(&machine, wrong)?;
        if applied.len() == 1 {
            self.apply_again(&machine, &plan, &applied[&TaskId(0)], wrong);
        }
        Ok(())
    }

    /// The check, which must leave the machine alone.
    fn check(&self, play: &play::Play<'_>, wrong: &mut Vec<String>) -> Result<BTreeMap<TaskId, TaskReport>, String> {
        let machine = self.machine()?;
        let plan = play.compile(Mode::Check)?;
        lend(&machine, play, &plan);
        let before = machine.snapshot().map_err(|e| e.to_string())?;
        let rehearsal = Rehearsal::new(&machine).with_blobs(|sha256| machine.blob(sha256));
        let reports = play::run(&plan, &CheckStage::new(rehearsal));
        if machine.snapshot().map_err(|e| e.to_string())? != before || !machine.ran().is_empty() {
            wrong.push("the check changed the machine".into());
        }
        Ok(reports)
    }

    fn check_after(&self, machine: &Fake, wrong: &mut Vec<String>) -> Result<(), String> {
        for (path, after) in &self.after {
            let at = path.display();
            let meta = machine.lstat(path).map_err(|e| e.to_string())?;
            let (Some(after), Some(meta)) = (after, &meta) else {
                if after.is_some() != meta.is_some() {
                    wrong.push(format!("after: {at} is {}", if meta.is_some() { "there" } else { "not there" }));
                }
                continue;
            };
            let mut same = |what: &str, wanted: Option<String>, found: String| {
                if let Some(wanted) = wanted.filter(|w| *w != found) {
                    wrong.push(format!("after: {at}: {what} is {found:?}, not {wanted:?}"));
                }
            };
            same("mode", after.mode.clone(), format!("{:04o}", meta.mode));
            same("owner", after.owner.map(|o| o.to_string()), meta.uid.to_string());
            same("group", after.group.map(|o| o.to_string()), meta.gid.to_string());
            if let Some(link) = &after.link {
                let found = machine.read_link(path).map_err(|e| e.to_string())?;
                same("link", Some(link.display().to_string()), found.display().to_string());
            }
            if let Some(content) = &after.content {
                let found = machine.read(path, 1 << 20).map_err(|e| e.to_string())?.unwrap_or_default();
                same("content", Some(content.clone()), String::from_utf8_lossy(&found).into_owned());
            }
        }
        Ok(())
    }

    /// Doing it once more changes nothing.
    fn apply_again(
        &self,
        machine: &Fake,
        plan: &rectify_core::compile::Compiled,
        first: &TaskReport,
        wrong: &mut Vec<String>,
    ) {
        let action = plan.plan.tasks.first().and_then(|t| REGISTRY.find(&t.module)).is_none_or(|m| m.is_action());
        if action || !matches!(first.outcome, Outcome::Changed | Outcome::Unchanged | Outcome::Finding { .. }) {
            return;
        }
        let second = play::run(plan, &ApplyStage::new(machine)).remove(&TaskId(0));
        let outcome = second.map(|r| r.outcome);
        let changed = !matches!(outcome, Some(Outcome::Unchanged | Outcome::Finding { .. }));
        if changed != (self.again == Again::Changed) {
            wrong.push(format!("done again it is {outcome:?}"));
        }
    }

    fn uses(&self, kind: &str) -> bool {
        self.calls(kind).next().is_some()
    }

    /// What the tasks and handlers give to a module, as text.
    fn calls(&self, kind: &str) -> impl Iterator<Item = (serde_yaml::Value, serde_yaml::Value)> {
        let kind = kind.to_owned();
        let tasks = [&self.tasks, &self.handlers]
            .into_iter()
            .flat_map(|text| serde_yaml::from_str::<Vec<serde_yaml::Mapping>>(text).unwrap_or_default());
        let tasks: Vec<serde_yaml::Mapping> = tasks.collect();
        tasks.into_iter().filter_map(move |task| {
            let of_kind = |word: &serde_yaml::Value| {
                word.as_str().and_then(|w| REGISTRY.find(w)).is_some_and(|m| m.kind() == kind)
            };
            let (_, given) = task.iter().find(|(word, _)| of_kind(word))?;
            Some((given.clone(), task.get("args").cloned().unwrap_or_default()))
        })
    }

    /// The module's arguments that this case gives, by their canonical names.
    pub(crate) fn arguments(&self, kind: &str) -> Vec<String> {
        let module = REGISTRY.find(kind).unwrap();
        let canonical = |name: &str| {
            let alias = module.aliases().iter().find(|(alias, _)| *alias == name);
            alias.map_or(name, |(_, target)| target).to_owned()
        };
        let mut names = Vec::new();
        for (given, args) in self.calls(kind) {
            for mapping in [&given, &args].into_iter().filter_map(serde_yaml::Value::as_mapping) {
                names.extend(mapping.keys().filter_map(serde_yaml::Value::as_str).map(canonical));
            }
            if let Some(text) = given.as_str() {
                names.extend(module.free_form().map(str::to_owned));
                names
                    .extend(text.split_whitespace().filter_map(|w| w.split_once('=')).map(|(name, _)| canonical(name)));
            }
        }
        names
    }
}

/// Gives the machine the blobs that came with the plan.
fn lend(machine: &Fake, play: &play::Play<'_>, compiled: &rectify_core::compile::Compiled) {
    for blob in compiled.blobs.values() {
        machine.add_blob(play.content(&blob.path));
    }
}
