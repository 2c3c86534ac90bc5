//! One round, from its due time to its end. Each step is one small transaction under the round's lease: whoever is ended between two of them is gone on
//! for by another server, or by itself when it runs again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use rectify_core::drift::Known;
use sqlx::AnyConnection;
use tokio::sync::watch;

use super::{
    Allowed, Mode, Ran, Ready, Schedule, Scope, Seen, Trouble,
    core::Core,
    lease::{Broke, Lease},
    news, offset,
    rows::{self, Job, Mark, Round, State},
};
use crate::{
    drift::{Open, open_items},
    told::text::count,
};

/// How long to wait for hosts that another round works on.
const BUSY: SignedDuration = SignedDuration::from_secs(2);
/// Into how many parts a window is cut at most: the hosts of a part share a run.
const PARTS: i64 = 20;
/// The least that such a part lasts.
const PART: i64 = 60;

/// Works on a round until it is over.
pub(super) struct Worker {
    core: Arc<Core>,
    round: Round,
    schedule: Schedule,
    lease: Lease,
    ready: Option<Box<dyn Ready>>,
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
                State::Looking => self.look().await?,
                State::Deciding => self.decide().await?,
                State::Correcting => self.correct().await?,
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

    /// Reads the project, unless this worker has; what is wrong with it ends the round.
    async fn prepare(&mut self) -> Result<&dyn Ready, Trouble> {
        if self.ready.is_none() {
            let scope = Scope {
                schedule: self.schedule.name.clone(),
                round: self.round.id.clone(),
                author: self.round.author.clone(),
                playbooks: self.schedule.playbooks.clone(),
                limit: self.schedule.limit.clone(),
                tags: self.schedule.tags.clone(),
                forks: self.schedule.forks,
            };
            self.ready = Some(self.core.fleet.prepare(&scope).await?);
        }
        Ok(self.ready.as_deref().expect("invariant: it was just made"))
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
            false => from.checked_add(turn(&self.schedule, host)).unwrap_or(now),
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

    /// Looks at every host when its turn has come and nobody else works on it.
    async fn look(&mut self) -> Result<Step, Broke> {
        loop {
            if self.core.ends() {
                return Err(Broke::Ends);
            }
            let waiting = rows::jobs(self.core.store.pool(), &self.round.id, "waiting").await?;
            if waiting.is_empty() {
                self.advance(State::Deciding).await?;
                return Ok(Step::On(State::Deciding));
            }
            let now = self.core.now();
            let come = |job: &&Job| self.core.at_once || job.at <= now;
            let due: Vec<&Job> = waiting.iter().filter(come).collect();
            if due.is_empty() {
                let first = waiting.iter().map(|job| job.at).min().unwrap_or(now);
                self.core.doze(first).await;
                continue;
            }
            if let Err(trouble) = self.prepare().await {
                return Ok(Step::Broken(trouble));
            }
            if self.let_go(&due).await? {
                continue;
            }
            let freed = self.core.leases.freed();
            let leases = self.claim(&due).await?;
            if leases.is_empty() {
                self.wait(freed, now).await;
                continue;
            }
            self.core.step("hosts claimed").await;
            let hosts: Vec<String> = leases.iter().map(|lease| host_of(lease).to_owned()).collect();
            let ran = self.prepared().look(&hosts).await;
            self.core.step("looked").await;
            let marked = match ran {
                Ok(ran) => self.mark_looks(&hosts, &ran).await.map(|()| None),
                Err(trouble) => Ok(Some(Step::Broken(trouble))),
            };
            self.core.step("looks marked").await;
            self.core.leases.release(leases).await?;
            if let Some(over) = marked? {
                return Ok(over);
            }
        }
    }

    fn prepared(&self) -> &dyn Ready {
        self.ready.as_deref().expect("invariant: nothing is run before the plans are made")
    }

    /// Lets hosts go that are not in the inventory any more; whether there were any.
    async fn let_go(&mut self, jobs: &[&Job]) -> Result<bool, Broke> {
        let there: std::collections::BTreeSet<String> = self.prepared().hosts().into_iter().map(|h| h.name).collect();
        let gone: Vec<&str> = jobs.iter().map(|job| job.host.as_str()).filter(|host| !there.contains(*host)).collect();
        if gone.is_empty() {
            return Ok(false);
        }
        let mut write = self.core.leases.under(&self.lease).await?;
        for host in &gone {
            rows::mark(&mut write, &self.round.id, host, Mark { state: "gone", ..Mark::default() }).await?;
        }
        write.commit().await?;
        self.line(format_args!("{} not in its playbooks and inventory: left out", news::are(&gone)));
        Ok(true)
    }

    /// Waits for hosts that others work on: one here gives them back, or one elsewhere may have.
    async fn wait(&self, mut freed: watch::Receiver<u64>, now: Timestamp) {
        tokio::select! {
            () = self.core.doze(now.checked_add(BUSY).unwrap_or(now)) => {}
            _ = freed.changed() => {}
        }
    }

    async fn claim(&self, jobs: &[&Job]) -> Result<Vec<Lease>, Broke> {
        let names = jobs.iter().map(|job| format!("{HOST}{}", job.host));
        Ok(self.core.leases.claim(names).await?)
    }

    async fn mark_looks(&self, hosts: &[String], ran: &Ran) -> Result<(), Broke> {
        self.mark(hosts, ran, |seen| match seen {
            Seen::Through | Seen::Held => "looked",
            Seen::Failing => "failed",
            Seen::Unreachable => "unreachable",
        })
        .await
    }

    /// Writes down how hosts went in a run. One that is not in it had no turn because the server ends; otherwise it would be asked again and again.
    async fn mark(&self, hosts: &[String], ran: &Ran, word: impl Fn(Seen) -> &'static str) -> Result<(), Broke> {
        let mut write = self.core.leases.under(&self.lease).await?;
        for host in hosts {
            match ran.hosts.get(host) {
                Some(saw) => {
                    let mark =
                        Mark { state: word(saw.seen), run: Some(&ran.run), open: Some(&saw.open), ..Mark::default() };
                    rows::mark(&mut write, &self.round.id, host, mark).await?;
                }
                None if self.core.ends() => {}
                None => {
                    let mark = Mark { state: "failed", run: Some(&ran.run), ..Mark::default() };
                    rows::mark(&mut write, &self.round.id, host, mark).await?;
                }
            }
        }
        write.commit().await?;
        for line in news::of_run(&self.core.store, &ran.run).await? {
            self.line(line);
        }
        Ok(())
    }

    async fn advance(&self, to: State) -> Result<(), Broke> {
        let mut write = self.core.leases.under(&self.lease).await?;
        rows::advance(&mut write, &self.round.id, to, None, self.core.now()).await?;
        write.commit().await?;
        self.core.step("advanced").await;
        Ok(())
    }

    /// Decides what is corrected: policy, holds, hours, and then the budget, before anything is.
    async fn decide(&mut self) -> Result<Step, Broke> {
        // Whoever asked for a look asked for no more.
        if self.round.author.is_some() || !self.schedule.policy.corrects() {
            return Ok(Step::Over(State::Done, None));
        }
        let looked = rows::jobs(self.core.store.pool(), &self.round.id, "looked").await?;
        let now = self.core.now();
        let held: BTreeMap<String, String> = rows::held(self.core.store.pool(), now).await?.into_iter().collect();
        let (mut wanted, mut kept) = (Vec::new(), Vec::new());
        let patient = self.patient(&looked).await?;
        for job in looked.iter().filter(|job| !job.open.is_empty()) {
            let allowed = self.allowed(job, patient.get(&job.host).map_or(&[], Vec::as_slice));
            match held.get(&job.host) {
                _ if allowed.is_empty() => {}
                Some(_) => kept.push(job),
                None => wanted.push((job, allowed)),
            }
        }
        self.core.step("decided").await;
        if wanted.is_empty() && kept.is_empty() {
            return Ok(Step::Over(State::Done, None));
        }
        let bound = match self.schedule.bound(now) {
            Some(bound) => Some(bound.0),
            None => match self.prepare().await {
                Ok(ready) => ready.frozen(now),
                Err(trouble) => return Ok(Step::Broken(trouble)),
            },
        };
        if let Some(bound) = bound {
            return Ok(Step::Over(State::Done, Some(format!("nothing is corrected: {bound}"))));
        }
        let hosts = self.hosts().await?;
        if wanted.len() > self.schedule.most(hosts) {
            let why = format!(
                "{} of {} would be corrected, more than the budget of {} %: nothing is; see what changed, then apply by hand or raise `budget`",
                wanted.len(),
                count(hosts, "host"),
                self.schedule.budget
            );
            return Ok(Step::Over(State::Stopped, Some(why)));
        }
        let mut write = self.core.leases.under(&self.lease).await?;
        for job in &kept {
            rows::mark(&mut write, &self.round.id, &job.host, Mark { state: "held", ..Mark::default() }).await?;
        }
        for (job, allowed) in &wanted {
            let mark = Mark { state: "to_correct", allowed: Some(allowed), ..Mark::default() };
            rows::mark(&mut write, &self.round.id, &job.host, mark).await?;
        }
        rows::advance(&mut write, &self.round.id, State::Correcting, None, now).await?;
        write.commit().await?;
        self.core.step("decision written").await;
        for job in kept {
            self.line(format_args!("{} is not corrected: {}", job.host, held[&job.host]));
        }
        Ok(Step::On(State::Correcting))
    }

    async fn hosts(&self) -> Result<usize, Broke> {
        let row = sqlx::query("SELECT COUNT(*) FROM jobs WHERE round = $1 AND state <> 'gone'").bind(&self.round.id);
        let row = row.fetch_one(self.core.store.pool()).await?;
        let hosts: i64 = sqlx::Row::try_get(&row, 0)?;
        Ok(usize::try_from(hosts).unwrap_or_default())
    }

    /// What is open on the hosts on which the policy counts looks, by host.
    async fn patient(&self, looked: &[Job]) -> Result<HashMap<String, Vec<Known>>, Broke> {
        let counts = |setting: &Option<String>| match self.schedule.policy.of(setting.as_deref()) {
            Mode::CorrectAfter(looks) => looks.get() > 1,
            Mode::Correct | Mode::Report => false,
        };
        let hosts: Vec<String> =
            looked.iter().filter(|job| job.open.iter().any(counts)).map(|job| job.host.clone()).collect();
        let mut all: HashMap<String, Vec<Known>> = HashMap::new();
        for Open { host, known, .. } in open_items(&self.core.store, &hosts).await? {
            all.entry(host).or_default().push(known);
        }
        Ok(all)
    }

    /// Which tasks the policy lets correct a host; `items` is what is open there, where looks count.
    fn allowed(&self, job: &Job, items: &[Known]) -> Allowed {
        let mut allowed = Allowed::default();
        for setting in &job.open {
            match self.schedule.policy.of(setting.as_deref()) {
                Mode::Correct => drop(allowed.settings.insert(setting.clone())),
                Mode::CorrectAfter(looks) if looks.get() == 1 => drop(allowed.settings.insert(setting.clone())),
                Mode::CorrectAfter(_) | Mode::Report => {}
            }
        }
        for item in items {
            if let Mode::CorrectAfter(looks) = self.schedule.policy.of(item.setting.as_deref())
                && item.looks >= looks.get()
            {
                allowed.origins.insert(item.origin.clone());
            }
        }
        allowed
    }

    /// Corrects what was decided, as long as nothing has come in the way since.
    async fn correct(&mut self) -> Result<Step, Broke> {
        loop {
            if self.core.ends() {
                return Err(Broke::Ends);
            }
            let open = rows::jobs(self.core.store.pool(), &self.round.id, "to_correct").await?;
            if open.is_empty() {
                return Ok(Step::Over(State::Done, None));
            }
            if let Err(trouble) = self.prepare().await {
                return Ok(Step::Broken(trouble));
            }
            let now = self.core.now();
            if let Some(bound) = self.schedule.bound(now).map(|b| b.0).or_else(|| self.prepared().frozen(now)) {
                return self.give_up(&open, &bound).await;
            }
            if self.let_go(&open.iter().collect::<Vec<_>>()).await? || self.keep_held(&open, now).await? {
                continue;
            }
            let freed = self.core.leases.freed();
            let leases = self.claim(&open.iter().collect::<Vec<_>>()).await?;
            if leases.is_empty() {
                self.wait(freed, now).await;
                continue;
            }
            self.core.step("hosts claimed to correct").await;
            let hosts: Vec<String> = leases.iter().map(|lease| host_of(lease).to_owned()).collect();
            let chosen = open.into_iter().filter(|job| hosts.contains(&job.host));
            let chosen: BTreeMap<String, Allowed> = chosen.map(|job| (job.host, job.allowed)).collect();
            let ran = self.prepared().correct(&chosen).await;
            self.core.step("corrected").await;
            let marked = match ran {
                Ok(ran) => self.mark_corrections(&hosts, &ran).await.map(|()| None),
                Err(trouble) => Ok(Some(Step::Broken(trouble))),
            };
            self.core.step("corrections marked").await;
            self.core.leases.release(leases).await?;
            if let Some(over) = marked? {
                return Ok(over);
            }
        }
    }

    async fn mark_corrections(&self, hosts: &[String], ran: &Ran) -> Result<(), Broke> {
        self.mark(hosts, ran, |seen| match seen {
            Seen::Through => "corrected",
            Seen::Held => "held",
            Seen::Failing => "failed",
            Seen::Unreachable => "unreachable",
        })
        .await
    }

    /// The hours are over, or a freeze began: what is left stays as it was seen.
    async fn give_up(&self, jobs: &[Job], bound: &str) -> Result<Step, Broke> {
        let mut write = self.core.leases.under(&self.lease).await?;
        for job in jobs {
            back(&mut write, &self.round.id, &job.host).await?;
        }
        write.commit().await?;
        let left = count(jobs.len(), "host");
        Ok(Step::Over(State::Done, Some(format!("{left} not corrected: {bound}"))))
    }

    /// Leaves out hosts that somebody has put on hold since; whether there were any.
    async fn keep_held(&self, jobs: &[Job], now: Timestamp) -> Result<bool, Broke> {
        let held: BTreeMap<String, String> = rows::held(self.core.store.pool(), now).await?.into_iter().collect();
        let kept: Vec<&Job> = jobs.iter().filter(|job| held.contains_key(&job.host)).collect();
        if kept.is_empty() {
            return Ok(false);
        }
        let mut write = self.core.leases.under(&self.lease).await?;
        for job in &kept {
            rows::mark(&mut write, &self.round.id, &job.host, Mark { state: "held", ..Mark::default() }).await?;
        }
        write.commit().await?;
        for job in kept {
            self.line(format_args!("{} is not corrected: {}", job.host, held[&job.host]));
        }
        Ok(true)
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

/// What leases of hosts begin with.
const HOST: &str = "host:";

fn host_of(lease: &Lease) -> &str {
    lease.what().strip_prefix(HOST).unwrap_or(lease.what())
}

async fn back(db: &mut AnyConnection, round: &str, host: &str) -> Result<(), Broke> {
    Ok(rows::mark(db, round, host, Mark { state: "looked", ..Mark::default() }).await?)
}

/// How long after the due time a host has its turn: its place in the window, cut down to the beginning of a part.
fn turn(schedule: &Schedule, host: &str) -> SignedDuration {
    let part = (schedule.window.as_secs() / PARTS).max(PART);
    let seconds = offset(&schedule.name, host, schedule.window).as_secs();
    SignedDuration::from_secs(seconds / part * part)
}
