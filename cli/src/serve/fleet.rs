//! The fleet as rounds see it: runs in this process, recorded, without a display.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use jiff::Timestamp;
use rectify_core::{compile::Compiled, plan::Mode, rollout::owners};
use rectify_modules::REGISTRY;
use rectify_remote::fleet::{Gate, gate};
use rectify_server::{
    schedule::{Allowed, Fleet, Member, Ran, Ready, Say, Scope, Tell, Trouble, restrict},
    store::Cause,
};
use tokio::sync::watch;

use super::{
    plans::{Compiles, Plans},
    telling::{Telling, saw},
};
use crate::{
    args::Serve,
    display::text::line,
    record::{Index, Keep},
    rollouts::{Standing, evidence},
    run::{Halt, Interrupts, What, run_id},
};

/// Hosts by SSH, or this machine.
#[derive(Clone)]
pub(super) struct Hosts {
    pub(super) args: Arc<Serve>,
    pub(super) index: Index,
    pub(super) halt: watch::Receiver<Halt>,
    pub(super) say: Say,
}

/// The plans of a round.
struct Round {
    hosts: Hosts,
    plans: Arc<Plans>,
    looks: Arc<Compiles>,
    scope: Scope,
    /// For all its runs together.
    gate: Gate,
}

#[async_trait]
impl Fleet for Hosts {
    async fn prepare(&self, scope: &Scope) -> Result<Box<dyn Ready>, Trouble> {
        let (args, wanted) = (self.args.clone(), scope.clone());
        let (plans, looks) = blocking(move || Plans::read(&args, &wanted)).await?;
        let (plans, looks) = (Arc::new(plans), Arc::new(looks));
        Ok(Box::new(Round { hosts: self.clone(), plans, looks, scope: scope.clone(), gate: gate(scope.forks) }))
    }
}

/// Reads and compiles where nobody waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::exit::Expected> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|e| Trouble(e.message)),
        Err(panic) => Err(Trouble(format!("a defect of this program: {panic}"))),
    }
}

#[async_trait]
impl Ready for Round {
    fn hosts(&self) -> Vec<Member> {
        let inventory = &self.plans.shared.0.inventory;
        let names = self.looks.0.keys();
        names
            .map(|name| Member {
                name: name.clone(),
                owners: owners(inventory, name).into_iter().map(|(owner, _)| owner).collect(),
                groups: inventory.group_names(name).into_iter().map(str::to_owned).collect(),
            })
            .collect()
    }

    fn frozen(&self, now: Timestamp) -> Option<String> {
        let rollouts = &self.plans.desk.as_ref()?.rollouts;
        let freeze = rollouts.freeze(rollouts.day(now))?;
        Some(format!("the rollouts are frozen until {}: {}", freeze.to, freeze.reason))
    }

    async fn look(&self, hosts: &[String], tell: Tell) -> Result<Ran, Trouble> {
        let chosen = hosts.iter().filter_map(|host| self.looks.0.get(host).cloned()).collect();
        self.run(Mode::Check, chosen, &self.looks.1, watch::channel(false).1, tell).await
    }

    async fn correct(
        &self,
        hosts: &BTreeMap<String, Allowed>,
        closed: watch::Receiver<bool>,
        tell: Tell,
    ) -> Result<Ran, Trouble> {
        let (plans, wanted) = (self.plans.clone(), hosts.clone());
        let (chosen, standing) = blocking(move || {
            let (mut all, standing) = plans.compile(Mode::Apply)?;
            let is_pure = |module: &str| REGISTRY.find(module).is_some_and(|module| module.is_pure());
            let mut chosen = Vec::new();
            for (host, allowed) in &wanted {
                let Some(mut compiled) = all.remove(host) else { continue };
                restrict(&mut compiled.plan, allowed, is_pure);
                chosen.push(compiled);
            }
            Ok((chosen, standing))
        })
        .await?;
        self.run(Mode::Apply, chosen, &standing, closed, tell).await
    }
}

impl Round {
    /// Runs these plans; once `closed` is true, no further host begins.
    async fn run(
        &self,
        mode: Mode,
        mut compiled: Vec<Compiled>,
        standing: &Standing,
        closed: watch::Receiver<bool>,
        tell: Tell,
    ) -> Result<Ran, Trouble> {
        let run = unique();
        for plan in compiled.iter_mut().map(|c| &mut c.plan) {
            plan.run.clone_from(&run);
            plan.options.traces = mode == Mode::Check;
        }
        let keep = Keep {
            index: self.hosts.index.clone(),
            cause: if self.scope.author.is_some() { Cause::Page } else { Cause::Schedule },
            author: self.scope.author.clone().unwrap_or_else(|| self.scope.schedule.clone()),
            schedule: Some(self.scope.schedule.clone()),
            inventory: self.hosts.args.sources.chosen(),
            partial: !self.plans.is_whole(),
        };
        let what = What { mode, gate: self.gate.clone(), names: self.plans.names.clone(), keep: Some(&keep) };
        let mut telling = Telling::new(run.clone(), tell);
        let interrupts = Interrupts::Told { halt: self.hosts.halt.clone(), closed };
        let ran = what.stream(&mut telling, &self.plans.shared, compiled, interrupts).await;
        let (gather, recorded) = ran.map_err(|e| Trouble(format!("a defect of this program: {e:#}")))?;
        if let Err(e) = recorded {
            self.warn(&rectify_core::text::chain(&e));
        }
        if let Some(desk) = self.plans.desk.as_ref().filter(|_| self.plans.is_whole())
            && let Err(problem) = evidence::keep(desk, standing, &gather)
        {
            self.warn(&problem);
        }
        match self.hosts.index.catch_up().await {
            Ok(said) => said.iter().for_each(|what| self.warn(what)),
            Err(e) => self.warn(&format!("run {run} is not in the index yet: {}", rectify_core::text::chain(&e))),
        }
        let mut ran = Ran { run, ..Ran::default() };
        for (name, host) in &telling.state.hosts {
            match saw(host) {
                Some(saw) => drop(ran.hosts.insert(name.clone(), saw)),
                None => drop(ran.left.insert(name.clone())),
            }
        }
        Ok(ran)
    }

    fn warn(&self, what: &str) {
        (self.hosts.say)(&format!("{}: warning: {}", self.scope.schedule, line(what)));
    }
}

/// Two runs may begin in one second.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", run_id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
