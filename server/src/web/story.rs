//! What happened in a run, from its folder: identical reports put together over hosts, as in the terminal.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rectify_core::{
    event::{Event, Failure, HostEvent, HostPhase, RunEvent, RunState, Status},
    module::Severity,
};
use tokio::sync::Semaphore;

use super::{
    PageError,
    show::{Badge, DiffView},
};
use crate::{
    store::{Ending, RunFolder},
    told::{
        Groups, Same, TaskGroup,
        text::{count, names},
        words,
    },
};

/// How many runs are kept in memory.
const KEPT: usize = 8;
/// How many groups of reports one page shows.
const SHOWN: usize = 300;
/// How many warnings one page shows.
const WARNINGS: usize = 50;
/// How many names of hosts are written out.
const NAMES: usize = 5;
/// How many messages of one report are shown.
const MESSAGES: usize = 50;

/// A run, told.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    pub(super) plays: Vec<PlayTold>,
    /// Groups of reports that are not shown.
    pub(super) more: usize,
    pub(super) unreachable: Vec<Lost>,
    pub(super) warnings: Vec<String>,
    /// Why it ends where it ends, if that is not the run's end.
    pub(super) ending: Option<String>,
    pub(super) whole: bool,
    pub(super) hosts: usize,
    pub(super) through: usize,
    /// What is worked on, and on which host.
    pub(super) working: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(super) struct PlayTold {
    pub(super) name: String,
    pub(super) tasks: Vec<TaskTold>,
}

#[derive(Debug, Clone)]
pub(super) struct TaskTold {
    pub(super) name: String,
    pub(super) origin: String,
    pub(super) handler: bool,
    pub(super) told: Vec<Told>,
}

/// The same report of several hosts.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) badge: Badge,
    /// What is said of the outcome besides: that it is ignored, or only observed.
    pub(super) besides: String,
    pub(super) hosts: String,
    pub(super) setting: Option<(String, String)>,
    pub(super) lines: Vec<String>,
    pub(super) hint: Option<String>,
    pub(super) subject: String,
    pub(super) changes: Vec<(String, DiffView)>,
    pub(super) findings: Vec<String>,
    pub(super) messages: Vec<String>,
}

/// Hosts that could not be reached for one reason.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) message: String,
    pub(super) causes: Vec<String>,
    pub(super) hint: Option<String>,
    pub(super) hosts: String,
}

/// A run at one moment: its id, how long its folder was, and whether it went on.
type Age = (String, u64, bool);

/// Runs that were read, as they were then.
pub(super) struct Stories {
    folder: PathBuf,
    known: Mutex<Vec<(Age, Arc<Story>)>>,
    /// One is read at a time: a run may have a hundred thousand events.
    reading: Semaphore,
}

impl Stories {
    pub(super) fn new(folder: &Path) -> Self {
        Stories { folder: folder.to_owned(), known: Mutex::default(), reading: Semaphore::new(1) }
    }

    /// The story of a run; `None` where its folder is not on this machine.
    pub(super) async fn of(&self, run: &str) -> Result<Option<Arc<Story>>, PageError> {
        let Some(folder) = RunFolder::of(&self.folder, run).filter(RunFolder::exists) else { return Ok(None) };
        let age = |folder: &RunFolder| (run.to_owned(), folder.size(), folder.is_running());
        if let Some(known) = self.known(&age(&folder)) {
            return Ok(Some(known));
        }
        let _one = self.reading.acquire().await.map_err(|e| PageError::Failed(e.to_string()))?;
        let age = age(&folder);
        if let Some(known) = self.known(&age) {
            return Ok(Some(known));
        }
        let read = tokio::task::spawn_blocking(move || read(&folder)).await;
        let story = Arc::new(read.map_err(|e| PageError::Failed(e.to_string()))??);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|((id, ..), _)| id != run);
        if known.len() >= KEPT {
            known.remove(0);
        }
        known.push((age, Arc::clone(&story)));
        Ok(Some(story))
    }

    fn known(&self, age: &Age) -> Option<Arc<Story>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(known, _)| known == age).map(|(_, story)| Arc::clone(story))
    }
}

fn read(folder: &RunFolder) -> Result<Story, PageError> {
    let mut events = folder.events().map_err(PageError::Record)?;
    let mut fold = Fold::default();
    for event in events.by_ref() {
        if let Err(why) = fold.take(event) {
            fold.story.ending = Some(format!("the record says what cannot be from here on: {why}"));
            break;
        }
    }
    let ending = match events.ending() {
        Ending::Open | Ending::Whole => None,
        Ending::BrokenOff if folder.is_running() => None,
        Ending::BrokenOff => Some("the run broke off here: its program was ended, or its machine went down".to_owned()),
        Ending::Damaged(why) => Some(format!("the record is damaged from here on: {why}")),
    };
    let mut story = fold.end();
    story.ending = story.ending.or(ending);
    Ok(story)
}

#[derive(Default)]
struct Fold {
    state: RunState,
    groups: Groups,
    looped: BTreeSet<(String, rectify_core::plan::TaskId)>,
    story: Story,
}

impl Fold {
    fn take(&mut self, mut event: Event) -> Result<(), String> {
        match &mut event.what {
            RunEvent::Host { host, what } => {
                let host = host.clone();
                self.grouped(&host, what);
            }
            RunEvent::Warning { host, message } if self.story.warnings.len() < WARNINGS => {
                let about = host.as_ref().map(|host| format!("{host}: ")).unwrap_or_default();
                self.story.warnings.push(format!("{about}{message}"));
            }
            _ => {}
        }
        self.state.apply(&event).map_err(|e| e.to_string())
    }

    fn grouped(&mut self, host: &str, what: &mut HostEvent) {
        let Some(known) = self.state.hosts.get(host) else { return };
        let info = |task| known.tasks.iter().find(|t| t.id == task);
        match what {
            HostEvent::TaskStarted { task, name } => {
                info(*task).into_iter().for_each(|info| self.groups.begun(info, name));
            }
            HostEvent::RolledBack { tasks, because } => self.groups.roll_back(host, &known.tasks, tasks, *because),
            HostEvent::ItemFinished { task, item, report } => {
                self.looped.insert((host.to_owned(), *task));
                info(*task).into_iter().for_each(|info| self.groups.take(host, &known.tasks, info, Some(item), report));
            }
            HostEvent::TaskFinished { task, report } => {
                // A loop is shown by its items; the task as a whole adds nothing to them.
                if !self.looped.remove(&(host.to_owned(), *task)) {
                    info(*task).into_iter().for_each(|info| self.groups.take(host, &known.tasks, info, None, report));
                }
                // The groups have it: the state keeps what it counts.
                (report.changes, report.messages, report.result) = Default::default();
            }
            _ => {}
        }
    }

    fn end(mut self) -> Story {
        self.lost();
        let hosts = &self.state.hosts;
        let over = |phase: &HostPhase| matches!(phase, HostPhase::Finished | HostPhase::Unreachable(_));
        self.story.hosts = hosts.len();
        self.story.through = hosts.values().filter(|h| over(&h.phase)).count();
        self.story.whole = self.state.finished;
        let running = hosts.iter().filter(|(_, h)| !over(&h.phase));
        let working = running.filter_map(|(host, h)| h.running.values().next().map(|t| (host.clone(), t.clone())));
        self.story.working = working.take(10).collect();
        let mut left = SHOWN;
        for group in self.groups.in_order() {
            let mut told: Vec<(&Same, &Vec<String>)> =
                group.reports.iter().filter(|(same, _)| is_shown(same)).collect();
            told.sort_by_key(|(_, hosts)| std::cmp::Reverse(hosts.len()));
            let shown = told.len().min(left);
            self.story.more += told.len() - shown;
            left -= shown;
            if shown > 0 {
                let told = told[..shown].iter().map(|(same, of)| told_of(same, of, &self.state)).collect();
                put(&mut self.story.plays, group, told);
            }
        }
        self.story
    }

    fn lost(&mut self) {
        let mut all: Vec<(&Failure, Vec<&str>)> = Vec::new();
        for (host, state) in &self.state.hosts {
            if let HostPhase::Unreachable(failure) = &state.phase {
                match all.iter_mut().find(|(known, _)| *known == failure) {
                    Some((_, hosts)) => hosts.push(host),
                    None => all.push((failure, vec![host])),
                }
            }
        }
        let lost = all.into_iter().map(|(failure, hosts)| Lost {
            message: failure.message.clone(),
            causes: failure.causes.clone(),
            hint: failure.hint.clone(),
            hosts: names(&hosts, NAMES),
        });
        self.story.unreachable = lost.collect();
    }
}

fn put(plays: &mut Vec<PlayTold>, group: &TaskGroup, told: Vec<Told>) {
    if plays.last().is_none_or(|play| play.name != group.info.play) {
        plays.push(PlayTold { name: group.info.play.clone(), tasks: Vec::new() });
    }
    let role = group.info.role.as_ref().map(|role| format!("{role} : ")).unwrap_or_default();
    let name = format!("{role}{}", group.name());
    let task = TaskTold { name, origin: group.info.origin.to_string(), handler: group.info.handler, told };
    plays.last_mut().expect("invariant: one was put there").tasks.push(task);
}

fn is_shown(same: &Same) -> bool {
    match same.outcome.status {
        Status::Unchanged => !same.messages.is_empty() || same.blocked.is_some(),
        Status::Skipped => same.outcome.stands.as_ref().is_some_and(|stands| stands.open().is_some()),
        _ => true,
    }
}

fn told_of(same: &Same, hosts: &[String], state: &RunState) -> Told {
    let said = &same.outcome;
    let would = said.stands.as_ref().and_then(|stands| stands.would);
    let word = would.map_or_else(|| words::status(said.status), words::would);
    let marks = [(would.is_some(), "observed"), (said.rescued, "rescued"), (said.ignored, "ignored")];
    let marks: Vec<&str> = marks.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    let left = said.stands.as_ref().is_some_and(|stands| said.lines.first() == Some(&stands.why));
    let finding = |f: &crate::told::Shown| {
        let severity = match f.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        let about = if f.subject.is_empty() { String::new() } else { format!(" {}", f.subject) };
        format!("{severity}{about}: {}", f.message)
    };
    let changes = same.changes.iter().map(|change| {
        let name = if change.property.is_empty() { "state" } else { &change.property };
        (name.to_owned(), DiffView::of(&change.diff))
    });
    Told {
        badge: Badge::of(word),
        besides: marks.join(", "),
        hosts: whereabouts(hosts, state),
        setting: said.stands.as_ref().map(|stands| (stands.setting.clone(), stands.why.clone())),
        lines: if left { Vec::new() } else { said.lines.clone() },
        hint: said.hint.clone(),
        subject: subject(same),
        changes: changes.collect(),
        findings: same.findings.iter().map(finding).chain(same.blocked.clone()).collect(),
        messages: same.messages.iter().take(MESSAGES).cloned().collect(),
    }
}

/// `on all 10 hosts`, `on 2 of 10 hosts: web1, web2`.
fn whereabouts(hosts: &[String], state: &RunState) -> String {
    let mut hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    hosts.sort_by_key(|host| state.hosts.get_index_of(*host));
    hosts.dedup();
    match (hosts.len(), state.hosts.len()) {
        (1, _) => format!("on {}", names(&hosts, 1)),
        (n, all) if n == all => format!("on all {}", count(all, "host")),
        (n, all) => format!("on {n} of {}: {}", count(all, "host"), names(&hosts, NAMES)),
    }
}

/// What a task manages, and the loop's item where that says something else.
fn subject(same: &Same) -> String {
    match same.about() {
        (subject, None) => subject.to_owned(),
        (subject, Some(item)) => format!("{subject} ({item})"),
    }
}
