//! Tasks of settings that are not enforced here: left out, or rehearsed to see what enforcing would change.
//!
//! Each observed setting has a rehearsal of its own, also in an apply. Its tasks see each other's effects there, and nobody else does: what they
//! write, register and notify stays aside.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use rectify_core::{
    event::{HostEvent, Outcome, SkipReason, TaskReport},
    plan::{Play, Rollout, RolloutMode, RolloutOn, Task, TaskId},
};
use serde_json::Map;

use super::{CheckStage, Run, Stage, results::Done, schedule::Gone, task, vars::Runtime};

/// The settings that are observed in this run.
pub(crate) struct Observed<'a> {
    stage: &'a dyn Stage,
    aside: Mutex<BTreeMap<String, Arc<Aside<'a>>>>,
}

/// What an observed setting has to itself.
struct Aside<'a> {
    stage: CheckStage<'a>,
    runtime: Mutex<Runtime>,
}

/// Hands out what an observed setting has to itself. A trait, so that how long the stage lives does not tie [`Run`] down.
pub(crate) trait Asides: Sync {
    /// Calls `work` with the setting's stage and what its tasks have left behind.
    fn with(&self, setting: &str, task: TaskId, work: &mut dyn FnMut(&dyn Stage, &Mutex<Runtime>));
}

impl<'a> Observed<'a> {
    pub(crate) fn new(stage: &'a dyn Stage) -> Self {
        Observed { stage, aside: Mutex::default() }
    }
}

impl Asides for Observed<'_> {
    fn with(&self, setting: &str, task: TaskId, work: &mut dyn FnMut(&dyn Stage, &Mutex<Runtime>)) {
        let aside = {
            let mut all = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
            let made = || Arc::new(Aside { stage: CheckStage::new(self.stage.aside(task)), runtime: Mutex::default() });
            all.entry(setting.to_owned()).or_insert_with(made).clone()
        };
        work(&aside.stage, &aside.runtime);
    }
}

/// What becomes of a task of a setting instead of being run; `None` if it is to run.
pub(super) fn instead(run: &Run<'_>, play: &Play, task: &Task) -> Option<Gone> {
    let rollout = task.rollout.as_ref().filter(|_| !run.observes)?;
    match (rollout.on, rollout.mode) {
        (RolloutOn::Enforce, RolloutMode::Enforce)
        | (RolloutOn::Observe, RolloutMode::Observe)
        | (RolloutOn::Retired, RolloutMode::Off) => None,
        (RolloutOn::Enforce, RolloutMode::Observe) => Some(rehearse(run, play, task, rollout)),
        _ => Some(leave(run, task, rollout)),
    }
}

fn skipped(rollout: &Rollout, would: Option<&Outcome>) -> Outcome {
    let reason = SkipReason::Rollout {
        setting: rollout.setting.clone(),
        why: rollout.why.clone(),
        would: would.map(Outcome::status),
    };
    Outcome::Skipped { reason }
}

/// The task does not run, and nobody looks.
fn leave(run: &Run<'_>, task: &Task, rollout: &Rollout) -> Gone {
    let done = Done::of(task.id, TaskReport::of(skipped(rollout, None)), Map::new());
    register(run, task, &done);
    (run.emit)(HostEvent::TaskFinished { task: task.id, report: Box::new(done.report) });
    Gone::surely(skipped(rollout, None))
}

/// The task runs aside; whoever comes after it sees that it was skipped.
fn rehearse(run: &Run<'_>, play: &Play, task: &Task, rollout: &Rollout) -> Gone {
    run.observed.with(&rollout.setting, task.id, &mut |stage, runtime| {
        {
            let known = run.runtime();
            runtime.lock().unwrap_or_else(PoisonError::into_inner).adopt(&known);
        }
        let inner = Run {
            stage,
            runtime,
            notified: &Mutex::default(),
            emit: &|event: HostEvent| (run.emit)(as_skipped(event, rollout)),
            observes: true,
            plan: run.plan,
            registry: run.registry,
            templates: run.templates,
            transactions: &Mutex::default(),
            exclusive: run.exclusive,
            cancel: run.cancel,
            observed: run.observed,
        };
        task::run(&inner, play, task.id, None, false);
    });
    let outcome = skipped(rollout, None);
    register(run, task, &Done::of(task.id, TaskReport::of(outcome.clone()), Map::new()));
    Gone::surely(outcome)
}

/// What happened aside, in the words of the run: it was skipped, and this is what it would have come to.
fn as_skipped(event: HostEvent, rollout: &Rollout) -> HostEvent {
    let turned = |mut report: Box<TaskReport>| {
        if let Outcome::Failed { failure } = &report.outcome {
            report.messages.push(format!("could not be observed: {}", failure.message));
        }
        // A task whose own condition does not hold is skipped for that, whatever becomes of its setting.
        if !matches!(report.outcome, Outcome::Skipped { .. }) {
            report.outcome = skipped(rollout, Some(&report.outcome));
        }
        report
    };
    match event {
        HostEvent::ItemFinished { task, item, report } => {
            HostEvent::ItemFinished { task, item, report: turned(report) }
        }
        HostEvent::TaskFinished { task, report } => HostEvent::TaskFinished { task, report: turned(report) },
        other => other,
    }
}

/// Its result outside the rehearsal is that of a skipped task.
fn register(run: &Run<'_>, task: &Task, done: &Done) {
    if let Some(name) = &task.register {
        let mut runtime = run.runtime();
        runtime.set(name, done.result.clone());
    }
}
