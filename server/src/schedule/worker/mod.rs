//! One round, from its due time to its end. Each step is one small transaction under the round's lease: whoever is ended between two of them is gone on
//! for by another server, or by itself when it runs again.

mod decide;
mod runs;
mod turns;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    Ready, Schedule, Scope, Trouble,
    core::Core,
    lease::{Broke, Lease},
    news, offset,
    rows::{self, Round, State},
};
use crate::told::text::count;
use turns::Turn;

/// Into how many parts a window is cut at most: the hosts of a part share a run.
const PARTS: usize = 20;
/// The least that such a part lasts, seconds.
const PART: i64 = 60;

/// Works on a round until it is over.
pub(super) struct Worker {
    core: Arc<Core>,
    round: Round,
    schedule: Schedule,
    lease: Lease,
    ready: Option<Arc<dyn Ready>>,
}

/// How it goes on.
enum Step {
    On(State),
    Over(State, Option<String>),
    /// What keeps it from going on at all.
    Broken(Trouble),
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself.
    Over,
    /// By something that is wrong with the project.
    Broken,
}

impl Worker {
    /// Works on a round whose lease it has until it is over, and gives the lease back.
    pub(super) async fn work(core: Arc<Core>, round: Round, lease: Lease) -> Result<Ended, Broke> {
        let Some(schedule) = core.schedule(&round.schedule) else {
            let mut write = core.leases.under(&lease).await?;
            let why = "the schedule is not defined any more";
            rows::advance(&mut write, &round.id, State::Stopped, Some(why), core.now()).await?;
            write.commit().await?;
            core.say(format!("{}: the round of {} is stopped: {why}", round.schedule, round.due));
            core.leases.release(vec![lease]).await?;
            return Ok(Ended::Broken);
        };
        let mut worker = Worker { core, round, schedule, lease, ready: None };
        let ended = worker.go().await;
        let Worker { core, lease, .. } = worker;
        match ended {
            // Whoever has it now has another number.
            Err(Broke::Lost) => Err(Broke::Lost),
            ended => {
                core.leases.release(vec![lease]).await?;
                ended
            }
        }
    }

    async fn go(&mut self) -> Result<Ended, Broke> {
        loop {
            if self.core.ends() {
                return Err(Broke::Ends);
            }
            let step = match self.round.state {
                State::Waiting => self.begin().await?,
                State::Looking => self.take_turns(Turn::Look).await?,
                State::Deciding => self.decide().await?,
                State::Correcting => self.take_turns(Turn::Correct).await?,
                State::Done | State::Skipped | State::Stopped => return Ok(Ended::Over),
            };
            match step {
                Step::On(state) => self.round.state = state,
                Step::Over(state, why) => {
                    self.end(state, why).await?;
                    return Ok(Ended::Over);
                }
                Step::Broken(trouble) => {
                    self.end(State::Stopped, Some(trouble.0)).await?;
                    return Ok(Ended::Broken);
                }
            }
        }
    }

    fn line(&self, text: impl std::fmt::Display) {
        self.core.say(format!("{}: {text}", self.round.schedule));
    }

    /// The plans; reads the project, unless this worker has. What is wrong with it ends the round.
    async fn prepare(&mut self) -> Result<Arc<dyn Ready>, Trouble> {
        if let Some(ready) = &self.ready {
            return Ok(ready.clone());
        }
        let scope = Scope {
            schedule: self.schedule.name.clone(),
            round: self.round.id.clone(),
            author: self.round.author.clone(),
            playbooks: self.schedule.playbooks.clone(),
            limit: self.schedule.limit.clone(),
            tags: self.schedule.tags.clone(),
            forks: self.schedule.forks,
        };
        let ready: Arc<dyn Ready> = self.core.fleet.prepare(&scope).await?.into();
        self.ready = Some(ready.clone());
        Ok(ready)
    }

    /// Writes down the hosts, and when each has its turn.
    async fn begin(&mut self) -> Result<Step, Broke> {
        let hosts = match self.prepare().await {
            Ok(ready) => ready.hosts(),
            Err(trouble) => return Ok(Step::Broken(trouble)),
        };
        self.core.step("prepared").await;
        let now = self.core.now();
        // Whoever asked for it does not want to wait, and a round that is late has waited.
        let from = self.round.due.max(now);
        let turn = |host: &str| match self.core.at_once || self.round.author.is_some() {
            true => now,
            false => from.checked_add(place(&self.schedule, host)).unwrap_or(now),
        };
        let jobs: Vec<(String, Timestamp)> = hosts.into_iter().map(|h| (h.name.clone(), turn(&h.name))).collect();
        let mut write = self.core.leases.under(&self.lease).await?;
        rows::add_jobs(&mut write, &self.round.id, &jobs).await?;
        rows::advance(&mut write, &self.round.id, State::Looking, None, now).await?;
        write.commit().await?;
        self.core.step("jobs written").await;
        self.line(format_args!("the round of {} begins: {}", self.round.due, count(jobs.len(), "host")));
        Ok(Step::On(State::Looking))
    }

    async fn advance(&self, to: State) -> Result<(), Broke> {
        let mut write = self.core.leases.under(&self.lease).await?;
        rows::advance(&mut write, &self.round.id, to, None, self.core.now()).await?;
        write.commit().await?;
        self.core.step("advanced").await;
        Ok(())
    }

    async fn end(&mut self, state: State, why: Option<String>) -> Result<(), Broke> {
        let mut write = self.core.leases.under(&self.lease).await?;
        rows::advance(&mut write, &self.round.id, state, why.as_deref(), self.core.now()).await?;
        self.core.leases.forget(&mut write, &self.lease).await?;
        write.commit().await?;
        self.core.step("ended").await;
        let word = if state == State::Stopped { "is stopped" } else { "is done" };
        let sum = news::sum(&self.core.store, &self.round.id).await?;
        let why = why.map(|why| format!("; {why}")).unwrap_or_default();
        self.line(format_args!("the round of {} {word}: {sum}{why}", self.round.due));
        Ok(())
    }
}

/// How long after the due time a host has its turn: its place in the window, cut down to the beginning of a part.
fn place(schedule: &Schedule, host: &str) -> SignedDuration {
    let parts = i64::try_from(PARTS).unwrap_or(i64::MAX);
    let part = (schedule.window.as_secs() / parts).max(PART);
    let seconds = offset(&schedule.name, host, schedule.window).as_secs();
    SignedDuration::from_secs(seconds / part * part)
}
