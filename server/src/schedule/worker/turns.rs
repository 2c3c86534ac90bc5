//! The hosts of a round, each when its turn has come. Those whose turns come together share a run; runs go on side by side, so that a host that is slow or
//! hangs holds up the end of the round and nobody else's turn.

use std::collections::{BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::{
    Step, Worker,
    runs::{Finished, News, Runs, Work, lease_of},
};
use crate::{
    schedule::{
        Ran, Ready, Saw, Seen, Went, holds,
        lease::Broke,
        news,
        rows::{self, Job, Mark, State},
    },
    told::text::count,
};

/// How long to wait for hosts that another round works on.
const BUSY: SignedDuration = SignedDuration::from_secs(2);

/// How often it is looked whether something has come in the way of corrections that are under way.
const WATCH: SignedDuration = SignedDuration::from_secs(5);

/// What hosts have their turn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// To be looked at.
    Look,
    /// To be corrected as was decided, as long as nothing has come in the way since.
    Correct,
}

impl Turn {
    /// The state of a job that waits for it.
    fn before(self) -> &'static str {
        match self {
            Turn::Look => "waiting",
            Turn::Correct => "to_correct",
        }
    }

    /// The state of a job that had it.
    fn after(self, seen: Seen) -> &'static str {
        match (self, seen) {
            (_, Seen::Failing) => "failed",
            (_, Seen::Unreachable) => "unreachable",
            (Turn::Look, Seen::Through | Seen::Held) => "looked",
            (Turn::Correct, Seen::Through) => "corrected",
            (Turn::Correct, Seen::Held) => "held",
        }
    }

    /// How a job stands that had it.
    fn mark<'a>(self, run: &'a str, saw: &'a Saw) -> Mark<'a> {
        Mark { state: self.after(saw.seen), run: Some(run), open: Some(&saw.open), ..Mark::default() }
    }

    /// What is reached between two steps of it.
    fn steps(self) -> [&'static str; 3] {
        match self {
            Turn::Look => ["hosts claimed", "looked", "looks marked"],
            Turn::Correct => ["hosts claimed to correct", "corrected", "corrections marked"],
        }
    }
}

/// What became of jobs whose turn has come.
enum Tried {
    /// The round does not go on.
    Over(Step),
    /// Something has changed: see again what is left.
    Again,
    /// Others work on these hosts; this changes when some are free again.
    Busy(watch::Receiver<u64>),
}

impl Worker {
    /// Gives every host its turn. What is under way comes to its end before anything else does: no host is left in the middle, and what is decided is decided
    /// over all of them.
    pub(super) async fn take_turns(&mut self, turn: Turn) -> Result<Step, Broke> {
        let mut runs = Runs::default();
        let mut step = self.begin_runs(turn, &mut runs).await;
        while let Some(news) = runs.next().await {
            step = match (step, self.take(turn, news).await) {
                (Ok(Step::Broken(first)), Ok(_)) => Ok(Step::Broken(first)),
                (Ok(_), Ok(Some(broken))) => Ok(broken),
                (step, Ok(_)) | (step @ Err(_), Err(_)) => step,
                (Ok(_), Err(broke)) => Err(broke),
            };
        }
        step
    }

    /// Begins runs until all have had their turn and come to their end, or something keeps it from going on; then some may still be under way.
    async fn begin_runs(&mut self, turn: Turn, runs: &mut Runs) -> Result<Step, Broke> {
        loop {
            // In this order: whoever ends it and then sets the clock has nothing begun.
            let now = self.core.now();
            if self.core.ends() {
                return Err(Broke::Ends);
            }
            let mut left = rows::jobs(self.core.store.pool(), &self.round.id, turn.before()).await?;
            let under_way = runs.hosts();
            left.retain(|job| !under_way.contains(job.host.as_str()));
            if left.is_empty() && runs.is_empty() {
                if turn == Turn::Correct {
                    return Ok(Step::Over(State::Done, None));
                }
                self.advance(State::Deciding).await?;
                return Ok(Step::On(State::Deciding));
            }
            let has_come = |job: &Job| self.core.at_once || job.at <= now;
            let (due, later): (Vec<Job>, Vec<Job>) = left.into_iter().partition(has_come);
            let mut until = later.iter().map(|job| job.at).min().unwrap_or(Timestamp::MAX);
            let mut freed = None;
            if turn == Turn::Correct && !runs.is_empty() && !runs.is_closed() {
                if self.is_in_the_way(runs, now).await? {
                    runs.close();
                } else {
                    until = until.min(now.checked_add(WATCH).unwrap_or(now));
                }
            }
            if !due.is_empty() && !runs.is_full() {
                match self.try_turn(turn, &due, now, runs).await? {
                    Tried::Over(step) => return Ok(step),
                    Tried::Again => continue,
                    Tried::Busy(free) => {
                        freed = Some(free);
                        until = until.min(now.checked_add(BUSY).unwrap_or(now));
                    }
                }
            }
            let news = tokio::select! {
                Some(news) = runs.next() => Some(news),
                () = self.core.doze(until) => None,
                () = changed(freed) => None,
            };
            if let Some(news) = news
                && let Some(step) = self.take(turn, news).await?
            {
                return Ok(step);
            }
        }
    }

    /// Begins a run over the hosts of these jobs that nobody works on.
    async fn try_turn(&mut self, turn: Turn, due: &[Job], now: Timestamp, runs: &mut Runs) -> Result<Tried, Broke> {
        let ready = match self.prepare().await {
            Ok(ready) => ready,
            Err(trouble) => return Ok(Tried::Over(Step::Broken(trouble))),
        };
        if turn == Turn::Correct
            && let Some(bound) = self.bound(&*ready, now)
        {
            return self.give_up(due, &bound).await.map(Tried::Over);
        }
        if self.let_go(&*ready, due).await? || (turn == Turn::Correct && self.keep_held(due, now).await?) {
            return Ok(Tried::Again);
        }
        let freed = self.core.leases.freed();
        let leases = self.core.leases.claim(due.iter().map(|job| lease_of(&job.host))).await?;
        if leases.is_empty() {
            return Ok(Tried::Busy(freed));
        }
        self.core.step(turn.steps()[0]).await;
        let claimed: HashSet<&str> = leases.iter().map(|lease| lease.what()).collect();
        let mine = due.iter().filter(|job| claimed.contains(lease_of(&job.host).as_str()));
        let work = match turn {
            Turn::Look => Work::Look(mine.map(|job| job.host.clone()).collect()),
            Turn::Correct => Work::Correct(mine.map(|job| (job.host.clone(), job.allowed.clone())).collect()),
        };
        runs.begin(ready, work, leases);
        Ok(Tried::Again)
    }

    /// Takes what comes of a run; what it says keeps the round from going on, if it does.
    async fn take(&self, turn: Turn, news: News) -> Result<Option<Step>, Broke> {
        match news {
            News::Hosts(hosts) => self.mark_hosts(turn, &hosts).await.map(|()| None),
            News::Run(finished) => self.take_run(turn, finished).await,
        }
    }

    /// Writes down how hosts went in runs that go on with others: whoever takes the round over need not begin them again. They stay theirs until the run is over,
    /// as nobody finds in the record before what it saw.
    async fn mark_hosts(&self, turn: Turn, hosts: &[Went]) -> Result<(), Broke> {
        let mut write = self.core.leases.under(&self.lease).await?;
        for Went { run, host, saw } in hosts {
            rows::mark(&mut write, &self.round.id, host, turn.mark(run, saw)).await?;
        }
        write.commit().await?;
        self.core.step("hosts marked").await;
        Ok(())
    }

    /// Takes what a run says of its hosts, and gives them back.
    async fn take_run(&self, turn: Turn, finished: Finished) -> Result<Option<Step>, Broke> {
        let Finished { hosts, leases, ran } = finished;
        self.core.step(turn.steps()[1]).await;
        let marked = match ran {
            Ok(ran) => self.mark(turn, &hosts, &ran).await.map(|()| None),
            Err(trouble) => Ok(Some(Step::Broken(trouble))),
        };
        self.core.step(turn.steps()[2]).await;
        self.core.leases.release(leases).await?;
        marked
    }

    /// Writes down how hosts went in a run. One that did not begin still has its turn before it; any other that is not in it would be asked again and again.
    async fn mark(&self, turn: Turn, hosts: &[String], ran: &Ran) -> Result<(), Broke> {
        let mut write = self.core.leases.under(&self.lease).await?;
        for host in hosts {
            let mark = match ran.hosts.get(host) {
                Some(saw) => turn.mark(&ran.run, saw),
                None if ran.left.contains(host) => continue,
                None => Mark { state: "failed", run: Some(&ran.run), ..Mark::default() },
            };
            rows::mark(&mut write, &self.round.id, host, mark).await?;
        }
        write.commit().await?;
        for line in news::of_run(&self.core.store, &ran.run).await? {
            self.line(line);
        }
        Ok(())
    }

    /// What keeps everything from being corrected now.
    pub(super) fn bound(&self, ready: &dyn Ready, now: Timestamp) -> Option<String> {
        self.schedule.bound(now).map(|bound| bound.0).or_else(|| ready.frozen(now))
    }

    /// Whether no further host may be corrected by the runs that are under way: the hours are over, a freeze began, or somebody put one of their hosts on hold.
    async fn is_in_the_way(&self, runs: &Runs, now: Timestamp) -> Result<bool, Broke> {
        if self.ready.as_ref().is_some_and(|ready| self.bound(&**ready, now).is_some()) {
            return Ok(true);
        }
        let hosts = runs.hosts();
        let held = holds::read(self.core.store.pool(), now).await?;
        Ok(held.keys().any(|host| hosts.contains(host.as_str())))
    }

    /// Lets hosts go that are not in the inventory any more; whether there were any.
    async fn let_go(&self, ready: &dyn Ready, jobs: &[Job]) -> Result<bool, Broke> {
        let there: BTreeSet<String> = ready.hosts().into_iter().map(|h| h.name).collect();
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

    /// The hours are over, or a freeze began: what is left stays as it was seen.
    async fn give_up(&self, jobs: &[Job], bound: &str) -> Result<Step, Broke> {
        let mut write = self.core.leases.under(&self.lease).await?;
        for job in jobs {
            let seen = if job.allowed.failing { Seen::Failing } else { Seen::Through };
            let mark = Mark { state: Turn::Look.after(seen), ..Mark::default() };
            rows::mark(&mut write, &self.round.id, &job.host, mark).await?;
        }
        write.commit().await?;
        let left = count(jobs.len(), "host");
        Ok(Step::Over(State::Done, Some(format!("{left} not corrected: {bound}"))))
    }

    /// Leaves out hosts that somebody has put on hold since; whether there were any.
    async fn keep_held(&self, jobs: &[Job], now: Timestamp) -> Result<bool, Broke> {
        let held = holds::read(self.core.store.pool(), now).await?;
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
}

/// Returns when what is watched has changed; never, if nothing is.
async fn changed(watched: Option<watch::Receiver<u64>>) {
    let Some(mut watched) = watched else { return std::future::pending().await };
    let _ = watched.changed().await;
}
