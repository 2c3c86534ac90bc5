//! Walks a host's plan and decides how each task went.
//!
//! ```text
//! plan ─► schedule (the DAG, a bounded pool of threads)
//!            └─► task: when, loop, retries ─► item: render ─► instance ─► look ─► apply ─► look again ─► outcome
//!                                                                  │                                      │
//!                                  stage: the machine, or a rehearsal of it                     emit(HostEvent)
//! ```
//!
//! The engine is the same for a check and an apply: what differs is the [`Stage`] that it is handed. It prints nothing and
//! is never asked anything.

mod args;
mod blocks;
mod handlers;
mod hold;
mod include;
mod item;
mod kept;
mod observe;
mod play;
mod results;
mod schedule;
mod stage;
mod task;
mod transaction;
mod vars;

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU8, Ordering},
};

use rectify_core::{
    event::HostEvent,
    mask::Secrets,
    module::{Operate, Registry},
    plan::{Mode, Plan, TaskId},
    template::Engine as Templates,
};

pub use stage::{ApplyStage, CheckStage, HostRef, Stage};

use self::{handlers::Notified, vars::Runtime};
use crate::host::rehearsal::Rehearsal;

/// How far a run on this host has been cancelled; shared with whoever listens for it.
#[derive(Debug, Default)]
pub struct Cancel(AtomicU8);

impl Cancel {
    /// Begins no further task; running ones finish.
    pub fn stop(&self) {
        self.0.fetch_max(1, Ordering::SeqCst);
    }

    /// Begins no further task; whoever owns running commands ends them.
    pub fn kill(&self) {
        self.0.store(2, Ordering::SeqCst);
    }

    /// Whether no further task may begin.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

/// What every part of a run on one host shares.
pub(crate) struct Run<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) registry: Registry,
    pub(crate) stage: &'a dyn Stage,
    pub(crate) templates: &'a Templates,
    pub(crate) runtime: &'a Mutex<Runtime>,
    pub(crate) notified: &'a Mutex<Notified>,
    pub(crate) transactions: &'a transaction::Open,
    pub(crate) exclusive: &'a Mutex<Exclusive>,
    pub(crate) cancel: &'a Cancel,
    pub(crate) emit: &'a (dyn Fn(HostEvent) + Sync),
    /// The settings whose tasks are only observed, each with a rehearsal of its own.
    pub(crate) observed: &'a dyn observe::Asides,
    /// Whether this is such a rehearsal.
    pub(crate) observes: bool,
}

/// A lock per class of things that only one task at a time may touch.
pub(crate) type Exclusive = std::collections::BTreeMap<&'static str, std::sync::Arc<Mutex<()>>>;

impl Run<'_> {
    /// Whether nothing may be changed.
    pub(crate) fn checks(&self) -> bool {
        self.observes || self.plan.mode == Mode::Check
    }

    /// What the tasks that are done have left behind.
    pub(crate) fn runtime(&self) -> MutexGuard<'_, Runtime> {
        self.runtime.lock().expect("no thread panics while it holds the runtime")
    }

    pub(crate) fn task(&self, id: TaskId) -> &rectify_core::plan::Task {
        &self.plan.tasks[id.0 as usize]
    }
}

/// Runs a plan on a machine: for real, or as a rehearsal if the plan is a check or the host is held, by its own operators or by the plan. Called once
/// per host, by the helper or by a test.
pub fn perform(
    mut plan: Plan,
    registry: Registry,
    machine: &dyn Operate,
    cancel: &Cancel,
    emit: &(dyn Fn(HostEvent) + Sync),
) {
    let secrets = Secrets::default();
    plan.secrets.iter().for_each(|text| secrets.keep(text));
    let (hold, finding) = hold::look(machine);
    if let Some(finding) = finding {
        emit(HostEvent::Found { finding }.masked(&secrets.masker()));
    }
    if let Some(hold) = hold.or_else(|| plan.options.hold.take()) {
        emit(HostEvent::Held { hold }.masked(&secrets.masker()));
        // From here on it is a check in every respect.
        plan.mode = Mode::Check;
        plan.inventory_vars.insert("ansible_check_mode".into(), true.into());
    }
    match plan.mode {
        Mode::Apply => run(&plan, registry, &ApplyStage::new(machine), cancel, emit),
        Mode::Check => {
            let rehearsal = Rehearsal::new(machine).with_blobs(|sha256| machine.blob(sha256));
            run(&plan, registry, &CheckStage::new(rehearsal), cancel, emit);
        }
    }
}

/// Runs a plan on a stage.
///
/// Every task of the plan gets exactly one [`HostEvent::TaskFinished`], whatever happens; `emit` may be called from several
/// threads at once. Returns when all is done or, once cancelled, when the running tasks have finished.
pub fn run(plan: &Plan, registry: Registry, stage: &dyn Stage, cancel: &Cancel, emit: &(dyn Fn(HostEvent) + Sync)) {
    let secrets = Arc::new(Secrets::default());
    plan.secrets.iter().for_each(|text| secrets.keep(text));
    // The one way out of this host: what is secret does not take it.
    let emit = |event: HostEvent| {
        emit(if secrets.is_empty() { event } else { event.masked(&secrets.masker()) });
    };
    let run = Run {
        plan,
        registry,
        stage,
        templates: &vars::templates(&secrets),
        runtime: &Mutex::default(),
        notified: &Mutex::default(),
        transactions: &transaction::Open::default(),
        exclusive: &Mutex::default(),
        cancel,
        emit: &emit,
        observed: &observe::Observed::new(stage),
        observes: false,
    };
    let mut ended = None;
    for play in &plan.plays {
        play::run(&run, play, &mut ended);
    }
}
