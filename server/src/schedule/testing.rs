//! A clock that stands still, a fleet without hosts, and an end at any step.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};

use super::{Allowed, Clock, Fleet, Member, Ran, Ready, Saw, Scope, Seen, Tell, Trouble, Went};

/// A clock that goes when it is told to.
#[derive(Clone)]
pub(crate) struct FakeClock(Arc<watch::Sender<Timestamp>>);

impl FakeClock {
    pub(crate) fn at(text: &str) -> Self {
        FakeClock(Arc::new(watch::Sender::new(text.parse().unwrap())))
    }

    pub(crate) fn shared(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }

    pub(crate) fn set(&self, to: Timestamp) {
        self.0.send_replace(to);
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.set(self.now() + by);
    }
}

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn doze(&self, until: Timestamp) {
        let mut now = self.0.subscribe();
        if self.now() >= until {
            return;
        }
        // Any change ends it: whoever waits looks again.
        let _ = now.changed().await;
    }
}

/// The places between the steps of a round: one of them is where the server is ended.
#[derive(Clone)]
pub(crate) struct Steps(Arc<Inner>);

struct Inner {
    reached: AtomicUsize,
    end_at: usize,
    name: Mutex<Option<&'static str>>,
    ended: Notify,
}

impl Steps {
    /// Ends it at the `end_at`th step.
    pub(crate) fn end_at(end_at: usize) -> Self {
        Steps(Arc::new(Inner { reached: AtomicUsize::new(0), end_at, name: Mutex::default(), ended: Notify::new() }))
    }

    /// Goes on, or never.
    pub(crate) async fn reach(&self, name: &'static str) {
        if self.0.reached.fetch_add(1, Ordering::SeqCst) == self.0.end_at {
            *self.0.name.lock().unwrap() = Some(name);
            self.0.ended.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the step is reached, with its name.
    pub(crate) async fn reached(&self) -> &'static str {
        self.0.ended.notified().await;
        self.0.name.lock().unwrap().unwrap()
    }
}

/// What hosts of a fleet without hosts are like, and what was done with them.
#[derive(Default)]
pub(crate) struct World {
    /// The hosts, each with the settings that are open on it.
    pub(crate) hosts: BTreeMap<String, BTreeSet<Option<String>>>,
    pub(crate) unreachable: BTreeSet<String>,
    pub(crate) failing: BTreeSet<String>,
    pub(crate) held: BTreeSet<String>,
    pub(crate) looks: Vec<String>,
    pub(crate) corrections: Vec<(String, Allowed)>,
    pub(crate) working: BTreeSet<String>,
    under_way: usize,
    /// How many runs went on side by side, at most.
    pub(crate) most: usize,
    pub(crate) frozen: Option<String>,
    pub(crate) trouble: Option<String>,
    /// By what the last correction hears that no further host begins.
    pub(crate) closed: Option<watch::Receiver<bool>>,
    pub(crate) twice: Vec<String>,
    runs: usize,
}

/// Such a fleet. It notes when a host is worked on twice at a time.
#[derive(Clone, Default)]
pub(crate) struct FakeFleet {
    pub(crate) world: Arc<Mutex<World>>,
    /// While it is there, runs do not end.
    pub(crate) gate: Arc<tokio::sync::RwLock<()>>,
    /// Runs over one of these hosts do not end.
    pub(crate) hanging: Arc<watch::Sender<BTreeSet<String>>>,
    /// The correction of one of these hosts does not end.
    pub(crate) slow: Arc<watch::Sender<BTreeSet<String>>>,
}

impl FakeFleet {
    /// Hosts, each with open settings: `""` is a task without one.
    pub(crate) fn of(hosts: &[(&str, &[&str])]) -> Self {
        let open = |open: &[&str]| open.iter().map(|s| (!s.is_empty()).then(|| (*s).to_owned())).collect();
        let hosts = hosts.iter().map(|(host, settings)| ((*host).to_owned(), open(settings))).collect();
        FakeFleet { world: Arc::new(Mutex::new(World { hosts, ..World::default() })), ..FakeFleet::default() }
    }

    pub(crate) fn with<T>(&self, what: impl FnOnce(&mut World) -> T) -> T {
        what(&mut self.world.lock().unwrap())
    }
}

/// Hosts that are worked on; whoever ends in the middle works on them no longer.
struct Working(FakeFleet, Vec<String>);

impl Working {
    fn on(fleet: &FakeFleet, hosts: &[String]) -> Self {
        fleet.with(|world| {
            world.under_way += 1;
            world.most = world.most.max(world.under_way);
            for host in hosts {
                if !world.working.insert(host.clone()) {
                    world.twice.push(host.clone());
                }
            }
        });
        Working(fleet.clone(), hosts.to_vec())
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.with(|world| {
            world.under_way -= 1;
            world.working.retain(|host| !self.1.contains(host));
        });
    }
}

#[async_trait]
impl Fleet for FakeFleet {
    async fn prepare(&self, _scope: &Scope) -> Result<Box<dyn Ready>, Trouble> {
        match self.with(|world| world.trouble.clone()) {
            Some(trouble) => Err(Trouble(trouble)),
            None => Ok(Box::new(self.clone())),
        }
    }
}

impl FakeFleet {
    /// Waits for as long as runs over these hosts do not end.
    async fn hang(&self, hosts: &[String]) {
        drop(self.gate.read().await);
        let mut hanging = self.hanging.subscribe();
        let _ = hanging.wait_for(|hanging| hosts.iter().all(|host| !hanging.contains(host))).await;
    }

    fn ran(&self, hosts: impl Iterator<Item = (String, Option<Allowed>)>) -> Ran {
        self.with(|world| {
            world.runs += 1;
            let mut ran = Ran { run: format!("run{}", world.runs), ..Ran::default() };
            for (host, allowed) in hosts {
                let Some(open) = world.hosts.get_mut(&host) else { continue };
                let fails = world.failing.contains(&host);
                let (mut seen, mut changed) = (if fails { Seen::Failing } else { Seen::Through }, 0);
                if world.unreachable.contains(&host) {
                    seen = Seen::Unreachable;
                } else if let Some(allowed) = allowed {
                    if world.held.contains(&host) {
                        seen = Seen::Held;
                    } else {
                        let before = open.len();
                        open.retain(|setting| !allowed.has(setting.as_deref(), "site.yml:3"));
                        changed = u64::try_from(before - open.len()).unwrap();
                        world.corrections.push((host.clone(), allowed));
                    }
                } else {
                    world.looks.push(host.clone());
                }
                let open = if seen == Seen::Unreachable { BTreeSet::new() } else { open.clone() };
                ran.hosts.insert(host, Saw { seen, open, changed });
            }
            ran
        })
    }
}

#[async_trait]
impl Ready for FakeFleet {
    fn hosts(&self) -> Vec<Member> {
        let member = |name: &String| Member { name: name.clone(), ..Member::default() };
        self.with(|world| world.hosts.keys().map(member).collect())
    }

    fn frozen(&self, _now: Timestamp) -> Option<String> {
        self.with(|world| world.frozen.clone())
    }

    async fn look(&self, hosts: &[String], tell: Tell) -> Result<Ran, Trouble> {
        let _working = Working::on(self, hosts);
        drop(self.gate.read().await);
        let look = |host: &String| (host.clone(), None);
        let hanging = self.hanging.borrow().clone();
        let (hang, free): (Vec<_>, Vec<_>) = hosts.iter().cloned().partition(|host| hanging.contains(host));
        let mut ran = self.ran(free.iter().map(look));
        if !hang.is_empty() {
            for (host, saw) in &ran.hosts {
                drop(tell.send(Went { run: ran.run.clone(), host: host.clone(), saw: saw.clone() }));
            }
            self.hang(&hang).await;
            ran.hosts.extend(self.ran(hang.iter().map(look)).hosts);
        }
        Ok(ran)
    }

    async fn correct(
        &self,
        hosts: &BTreeMap<String, Allowed>,
        closed: watch::Receiver<bool>,
        _tell: Tell,
    ) -> Result<Ran, Trouble> {
        let names: Vec<String> = hosts.keys().cloned().collect();
        let _working = Working::on(self, &names);
        self.hang(&names).await;
        self.with(|world| world.closed = Some(closed.clone()));
        let (mut begun, mut left) = (Vec::new(), BTreeSet::new());
        for (host, allowed) in hosts {
            if *closed.borrow() {
                left.insert(host.clone());
                continue;
            }
            let _ = self.slow.subscribe().wait_for(|slow| !slow.contains(host)).await;
            begun.push((host.clone(), Some(allowed.clone())));
        }
        Ok(Ran { left, ..self.ran(begun.into_iter()) })
    }
}

impl FakeClock {
    /// Waits until a query finds a row. The clock does not move, so whoever dozes goes on dozing.
    pub(crate) async fn doze_until_row(&self, store: &crate::store::Store, query: &'static str) {
        while sqlx::query(query).fetch_optional(store.pool()).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    }
}
