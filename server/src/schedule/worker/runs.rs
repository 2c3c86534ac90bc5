//! The runs of a round that are under way side by side, each with the leases of its hosts.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use tokio::{
    sync::{mpsc, watch},
    task::{Id, JoinError, JoinSet},
};

use super::PARTS;
use crate::schedule::{Allowed, Ran, Ready, Tell, Trouble, Went, lease::Lease};

/// What leases of hosts begin with.
const HOST: &str = "host:";

/// The lease of a host.
pub(super) fn lease_of(host: &str) -> String {
    format!("{HOST}{host}")
}

/// What a run does.
pub(super) enum Work {
    /// Looks at these hosts.
    Look(Vec<String>),
    /// Corrects on each host what may be.
    Correct(BTreeMap<String, Allowed>),
}

/// How many hosts are taken at a time.
const HOSTS: usize = 200;

/// What comes of runs that are under way.
pub(super) enum News {
    /// Hosts ended in runs that go on with others.
    Hosts(Vec<Went>),
    /// A run came to its end.
    Run(Finished),
}

/// A run that came to its end.
pub(super) struct Finished {
    pub(super) hosts: Vec<String>,
    /// Of these hosts; none if the run broke off by a defect: nobody has them any more, and they expire.
    pub(super) leases: Vec<Lease>,
    pub(super) ran: Result<Ran, Trouble>,
}

/// Runs that are under way. Whoever drops it ends them in their middle.
pub(super) struct Runs {
    tasks: JoinSet<Over>,
    hosts: HashMap<Id, Vec<String>>,
    closed: watch::Sender<bool>,
    tell: Tell,
    told: mpsc::UnboundedReceiver<Went>,
}

type Over = (Vec<Lease>, Result<Ran, Trouble>);

impl Default for Runs {
    fn default() -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        Runs { tasks: JoinSet::new(), hosts: HashMap::new(), closed: watch::Sender::default(), tell, told }
    }
}

impl Runs {
    pub(super) fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Whether no other should begin: the parts of a window have a run each, and what is left waits for one of them; or for all, once they are closed.
    pub(super) fn is_full(&self) -> bool {
        self.hosts.len() >= PARTS || self.is_closed()
    }

    /// Whether no further host begins in those that are under way.
    pub(super) fn is_closed(&self) -> bool {
        *self.closed.borrow() && !self.is_empty()
    }

    /// Lets no further host begin in runs that correct. They go on with those that have begun.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// The hosts that are worked on.
    pub(super) fn hosts(&self) -> HashSet<&str> {
        self.hosts.values().flatten().map(String::as_str).collect()
    }

    /// Begins one.
    pub(super) fn begin(&mut self, ready: Arc<dyn Ready>, work: Work, leases: Vec<Lease>) {
        let hosts: Vec<String> = match &work {
            Work::Look(hosts) => hosts.clone(),
            Work::Correct(hosts) => hosts.keys().cloned().collect(),
        };
        self.closed.send_if_modified(|closed| std::mem::replace(closed, false));
        let (closed, tell) = (self.closed.subscribe(), self.tell.clone());
        let task = self.tasks.spawn(async move {
            let ran = match work {
                Work::Look(hosts) => ready.look(&hosts, tell).await,
                Work::Correct(hosts) => ready.correct(&hosts, closed, tell).await,
            };
            (leases, ran)
        });
        self.hosts.insert(task.id(), hosts);
    }

    /// Waits for what comes next; `None` if none is under way. Nothing is lost where nobody waits to the end.
    pub(super) async fn next(&mut self) -> Option<News> {
        while !self.is_empty() {
            let mut told = Vec::new();
            tokio::select! {
                biased;
                _ = self.told.recv_many(&mut told, HOSTS) => {
                    // Of a run that is over, all was said.
                    let under_way = self.hosts();
                    told.retain(|went| under_way.contains(went.host.as_str()));
                    if !told.is_empty() {
                        return Some(News::Hosts(told));
                    }
                }
                Some(over) = self.tasks.join_next_with_id() => return Some(News::Run(self.over(over))),
            }
        }
        None
    }

    fn over(&mut self, over: Result<(Id, Over), JoinError>) -> Finished {
        let (id, leases, ran) = match over {
            Ok((id, (leases, ran))) => (id, leases, ran),
            Err(broke) => {
                (broke.id(), Vec::new(), Err(Trouble(format!("a defect of this program: a run broke off: {broke}"))))
            }
        };
        let hosts = self.hosts.remove(&id).unwrap_or_default();
        Finished { hosts, leases, ran }
    }
}
