//! What is corrected: policy, holds, hours, and then the budget, over all hosts of the round and before anything is.

use std::collections::HashMap;

use rectify_core::{drift::Known, hold::Hold};

use super::{Step, Worker};
use crate::{
    drift::{Open, open_items},
    schedule::{
        Allowed, Mode, holds,
        lease::Broke,
        news,
        rows::{self, Job, Mark, State},
    },
    told::text::count,
};

/// What may be corrected on each host, and the hosts that are held although something may be.
#[derive(Default)]
struct Wanted {
    hosts: Vec<(Job, Allowed)>,
    held: Vec<(Job, Hold)>,
}

impl Worker {
    /// Decides what is corrected, before anything is.
    pub(super) async fn decide(&mut self) -> Result<Step, Broke> {
        // Whoever asked for a look asked for no more.
        if self.round.author.is_some() || !self.schedule.policy.corrects() {
            return Ok(Step::Over(State::Done, None));
        }
        let wanted = self.wanted().await?;
        self.core.step("decided").await;
        if wanted.hosts.is_empty() && wanted.held.is_empty() {
            return Ok(Step::Over(State::Done, None));
        }
        let ready = match self.prepare().await {
            Ok(ready) => ready,
            Err(trouble) => return Ok(Step::Broken(trouble)),
        };
        if let Some(bound) = self.bound(&*ready, self.core.now()) {
            return Ok(Step::Over(State::Done, Some(format!("nothing is corrected: {bound}"))));
        }
        let hosts = self.hosts().await?;
        if wanted.hosts.len() > self.schedule.most(hosts) {
            let why = format!(
                "{} of {} would be corrected, more than the budget of {} %: nothing is; see what changed, then apply by hand or raise `budget`",
                wanted.hosts.len(),
                count(hosts, "host"),
                self.schedule.budget
            );
            return Ok(Step::Over(State::Stopped, Some(why)));
        }
        self.write_down(&wanted).await?;
        self.core.step("decision written").await;
        for (job, hold) in &wanted.held {
            self.line(format_args!("{} is not corrected: {hold}", job.host));
        }
        let failing = wanted.hosts.iter().filter(|(_, allowed)| allowed.failing);
        let failing: Vec<&str> = failing.map(|(job, _)| job.host.as_str()).collect();
        if !failing.is_empty() {
            self.line(format_args!(
                "{} failing: what depends on the task that failed is not corrected",
                news::are(&failing)
            ));
        }
        Ok(Step::On(State::Correcting))
    }

    async fn write_down(&self, wanted: &Wanted) -> Result<(), Broke> {
        let mut write = self.core.leases.under(&self.lease).await?;
        for (job, _) in &wanted.held {
            rows::mark(&mut write, &self.round.id, &job.host, Mark { state: "held", ..Mark::default() }).await?;
        }
        for (job, allowed) in &wanted.hosts {
            let mark = Mark { state: "to_correct", allowed: Some(allowed), ..Mark::default() };
            rows::mark(&mut write, &self.round.id, &job.host, mark).await?;
        }
        rows::advance(&mut write, &self.round.id, State::Correcting, None, self.core.now()).await?;
        Ok(write.commit().await?)
    }

    /// What the policy would have corrected, on the hosts that came through and on those where a task failed.
    async fn wanted(&self) -> Result<Wanted, Broke> {
        let pool = self.core.store.pool();
        let mut jobs = Vec::new();
        for (state, failing) in [("looked", false), ("failed", true)] {
            let open = rows::jobs(pool, &self.round.id, state).await?.into_iter().filter(|job| !job.open.is_empty());
            jobs.extend(open.map(|job| (job, failing)));
        }
        let patient = self.patient(jobs.iter().map(|(job, _)| job)).await?;
        let mut held = holds::read(pool, self.core.now()).await?;
        let mut wanted = Wanted::default();
        for (job, failing) in jobs {
            let allowed = self.allowed(&job, patient.get(&job.host).map_or(&[], Vec::as_slice));
            if allowed.is_empty() {
                continue;
            }
            match held.remove(&job.host) {
                Some(hold) => wanted.held.push((job, hold)),
                None => wanted.hosts.push((job, Allowed { failing, ..allowed })),
            }
        }
        Ok(wanted)
    }

    /// How many hosts the round has.
    async fn hosts(&self) -> Result<usize, Broke> {
        let row = sqlx::query("SELECT COUNT(*) FROM jobs WHERE round = $1 AND state <> 'gone'").bind(&self.round.id);
        let row = row.fetch_one(self.core.store.pool()).await?;
        let hosts: i64 = sqlx::Row::try_get(&row, 0)?;
        Ok(usize::try_from(hosts).unwrap_or_default())
    }

    /// What is open on the hosts on which the policy counts looks, by host.
    async fn patient(&self, jobs: impl Iterator<Item = &Job>) -> Result<HashMap<String, Vec<Known>>, Broke> {
        let counts = |setting: &Option<String>| match self.schedule.policy.of(setting.as_deref()) {
            Mode::CorrectAfter(looks) => looks.get() > 1,
            Mode::Correct | Mode::Report => false,
        };
        let hosts: Vec<String> = jobs.filter(|job| job.open.iter().any(counts)).map(|job| job.host.clone()).collect();
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
}
