//! The server: writes down what is due, works on rounds, hears commands, until it is told to end.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rectify_core::text::chain;
use sqlx::Row as _;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::{Id, JoinError, JoinSet},
};

use super::{
    Clock, Command, Commands, Fleet, LockError, Say, Schedule, asks,
    core::Core,
    due,
    lease::{Broke, LENGTH, Leases},
    lock::{self, Lock},
    rows,
    worker::{Ended, Worker},
};
use crate::{
    notify::metrics::Pulse,
    store::{Kind, Store, StoreError},
};

/// How often it is looked for rounds that another server left behind.
const POLL: SignedDuration = SignedDuration::from_secs(10);
/// By how much this machine's clock may differ from the record's before it is said, seconds.
const APART: i64 = 5;
/// How long a round rests that could not go on.
const REST: SignedDuration = SignedDuration::from_secs(30);

/// What a server is made of.
pub struct Parts {
    /// The record.
    pub store: Store,
    /// The fleet, and the way to it.
    pub fleet: Arc<dyn Fleet>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The schedules.
    pub schedules: Vec<Schedule>,
    /// Takes lines about what it does.
    pub say: Say,
    /// Becomes true when it is to end: nothing new begins, what runs comes to its end.
    pub halt: watch::Receiver<bool>,
    /// Is beaten as long as it lives.
    pub pulse: Pulse,
}

/// A server that has its record.
pub struct Server {
    core: Arc<Core>,
    commands: Commands,
    from: mpsc::Receiver<Command>,
    reload: Arc<Notify>,
    _lock: Option<Lock>,
}

/// Replaces the schedules of a running server.
#[derive(Clone)]
pub struct Reload {
    core: Arc<Core>,
    notify: Arc<Notify>,
}

impl Reload {
    /// From now on these are in force, and in the record; rounds that have begun go on as they began.
    pub async fn replace(&self, schedules: Vec<Schedule>) {
        *self.core.schedules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(schedules);
        // A record that cannot be written is said by the server's next turn, which tries again.
        let _ = due::write_down(&self.core).await;
        self.notify.notify_one();
    }
}

/// What came of the rounds that were due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// How many rounds there were.
    pub rounds: usize,
    /// Whether a host is not as declared at the end.
    pub open: bool,
    /// Whether a task failed on a host.
    pub failing: bool,
    /// Whether a host was not reached.
    pub unreachable: bool,
    /// Whether a round was stopped by something that is wrong with its playbooks or inventory.
    pub broken: bool,
    /// Whether a round is not over: the server was told to end, or another one works on it.
    pub unfinished: bool,
}

type Workers = JoinSet<Result<Ended, Broke>>;

/// The rounds that are worked on here, and those that rest until some time.
#[derive(Default)]
struct Busy {
    by_task: HashMap<Id, String>,
    resting: HashMap<String, Timestamp>,
    ended: Vec<String>,
    broken: bool,
}

impl Server {
    /// Takes the record for this server, and writes its schedules into it. With `at_once`, hosts do not wait for their turns within a window.
    ///
    /// # Errors
    /// A record that cannot be had, and one in SQLite that another server has.
    pub async fn new(parts: Parts, at_once: bool) -> Result<Self, LockError> {
        let Parts { store, fleet, clock, schedules, say, halt, pulse } = parts;
        let lock = lock::take(&store)?;
        let holder = format!("{}/{:016x}", std::process::id(), rand::random::<u64>());
        let leases = Leases::new(store.clone(), clock.clone(), holder);
        if store.kind() == Kind::Sqlite {
            // The lock is ours alone: whoever held them is gone.
            leases.clear().await?;
        }
        if let Some(warning) = apart(clock.now(), clock.agreed(&store).await?) {
            say(&warning);
        }
        let core = Core {
            store,
            fleet,
            clock,
            leases,
            say,
            halt,
            pulse,
            at_once,
            schedules: RwLock::new(Arc::new(schedules)),
            #[cfg(test)]
            steps: None,
        };
        due::write_down(&core).await?;
        let (commands, from) = Commands::channel();
        Ok(Server { core: Arc::new(core), commands, from, reload: Arc::default(), _lock: lock })
    }

    #[cfg(test)]
    pub(super) fn with_steps(mut self, steps: super::testing::Steps) -> Self {
        Arc::get_mut(&mut self.core).expect("invariant: nobody else has it yet").steps = Some(steps);
        self
    }

    /// Where it is asked.
    pub fn commands(&self) -> Commands {
        self.commands.clone()
    }

    /// How its schedules are replaced.
    pub fn reload(&self) -> Reload {
        Reload { core: self.core.clone(), notify: self.reload.clone() }
    }

    /// Runs until it is told to end, and then until what runs is over.
    pub async fn run(mut self) {
        let _renewer = renewer(&self.core);
        let (mut workers, mut busy) = (Workers::new(), Busy::default());
        let mut trouble: Option<String> = None;
        while !self.core.ends() {
            let now = self.core.now();
            self.core.pulse.beat(now);
            let next = match self.turn(&mut workers, &mut busy).await {
                Ok(next) => {
                    if trouble.take().is_some() {
                        self.core.say("the record can be used again");
                    }
                    next
                }
                Err(error) => {
                    let text = chain(&error);
                    if trouble.as_ref() != Some(&text) {
                        self.core.say(format!("nothing new begins: {text}"));
                    }
                    trouble = Some(text);
                    None
                }
            };
            let poll = now.checked_add(POLL).unwrap_or(now);
            tokio::select! {
                () = self.core.doze(next.map_or(poll, |next| next.min(poll))) => {}
                () = self.reload.notified() => {}
                Some(command) = self.from.recv() => asks::answer(&self.core, command).await,
                Some(ended) = workers.join_next_with_id(), if !workers.is_empty() => busy.ended(&self.core, ended),
            }
        }
        // Whoever asks from here on is told that it is about to end.
        self.from.close();
        while let Some(ended) = workers.join_next_with_id().await {
            busy.ended(&self.core, ended);
        }
    }

    /// Runs every round that is due now, and those that were begun and never came to their end.
    ///
    /// # Errors
    /// A record that cannot be read or written.
    pub async fn once(self) -> Result<Outcome, StoreError> {
        let _renewer = renewer(&self.core);
        let (mut workers, mut busy) = (Workers::new(), Busy::default());
        let next = self.turn(&mut workers, &mut busy).await?;
        if let (true, Some(next)) = (workers.is_empty(), next) {
            self.core.say(format!("nothing is due; the next round is at {next}"));
        }
        while let Some(ended) = workers.join_next_with_id().await {
            busy.ended(&self.core, ended);
        }
        let mut outcome = Outcome { rounds: busy.ended.len(), broken: busy.broken, ..Outcome::default() };
        outcome.unfinished = !rows::unfinished(self.core.store.pool()).await?.is_empty();
        for round in &busy.ended {
            let query = sqlx::query(
                "SELECT DISTINCT state, CASE WHEN open = '[]' THEN 0 ELSE 1 END FROM jobs WHERE round = $1",
            );
            for row in query.bind(round).fetch_all(self.core.store.pool()).await? {
                let state: String = row.try_get(0)?;
                outcome.failing |= state == "failed";
                outcome.unreachable |= state == "unreachable";
                outcome.open |= number(&row, 1)? == 1;
            }
        }
        Ok(outcome)
    }

    /// Writes down what is due, and takes on every round that nobody works on.
    async fn turn(&self, workers: &mut Workers, busy: &mut Busy) -> Result<Option<Timestamp>, StoreError> {
        let next = due::tick(&self.core).await?;
        let now = self.core.now();
        busy.resting.retain(|_, until| *until > now);
        for round in rows::unfinished(self.core.store.pool()).await? {
            if busy.by_task.values().any(|id| *id == round.id) || busy.resting.contains_key(&round.id) {
                continue;
            }
            let Some(lease) = self.core.leases.claim([format!("round:{}", round.id)]).await?.pop() else { continue };
            self.core.step("round claimed").await;
            // What it has become since it was looked up: another server may just have ended it.
            let Some(round) = rows::round(self.core.store.pool(), &round.id).await? else { continue };
            let id = round.id.clone();
            let task = workers.spawn(Worker::work(self.core.clone(), round, lease));
            busy.by_task.insert(task.id(), id);
        }
        Ok(next)
    }
}

/// What is said where this machine's clock is not that of the record: due times, hours and holds go by this machine's.
fn apart(here: Timestamp, there: Timestamp) -> Option<String> {
    let apart = here.duration_since(there).as_secs();
    let word = if apart < 0 { "behind" } else { "ahead of" };
    (apart.abs() >= APART).then(|| {
        format!(
            "warning: the clock of this machine is {} s {word} the database's: rounds begin and hours end by it; have both synchronised",
            apart.abs()
        )
    })
}

/// A number that one database has as 32 bits and the other as 64.
fn number(row: &sqlx::any::AnyRow, at: usize) -> Result<i64, StoreError> {
    Ok(row.try_get::<i64, _>(at).or_else(|_| row.try_get::<i32, _>(at).map(i64::from))?)
}

impl Busy {
    fn ended(&mut self, core: &Core, ended: Result<(Id, Result<Ended, Broke>), JoinError>) {
        let (id, why) = match ended {
            Ok((id, Ok(ended))) => {
                self.broken |= ended == Ended::Broken;
                self.ended.extend(self.by_task.remove(&id));
                return;
            }
            Ok((id, Err(broke))) => (id, chain(&broke)),
            Err(panic) => (panic.id(), format!("a defect of this program: {panic}")),
        };
        let Some(round) = self.by_task.remove(&id) else { return };
        core.say(format!("{round}: not over: {why}"));
        self.resting.insert(round, core.now().checked_add(REST).unwrap_or(Timestamp::MAX));
    }
}

/// Renews the leases for as long as it lives.
fn renewer(core: &Arc<Core>) -> JoinSet<()> {
    let leases = core.leases.clone();
    let mut renewer = JoinSet::new();
    renewer.spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(LENGTH.unsigned_abs().as_secs() / 3)).await;
            // What cannot be renewed is noticed by whoever writes under it.
            let _ = leases.renew().await;
        }
    });
    renewer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_differs_from_the_record_s_is_said() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        assert_eq!(apart(at(0), at(4)), None);
        assert!(apart(at(0), at(90)).unwrap().contains("90 s behind the database's"));
        assert!(apart(at(5), at(0)).unwrap().contains("5 s ahead of the database's"));
    }
}
