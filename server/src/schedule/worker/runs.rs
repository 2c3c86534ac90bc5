//! The runs of a round that are under way side by side, each with the leases of its hosts.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use tokio::{
    sync::watch,
    task::{Id, JoinSet},
};

use super::PARTS;
use crate::schedule::{Allowed, Ran, Ready, Trouble, lease::Lease};

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

/// A run that came to its end.
pub(super) struct Finished {
    pub(super) hosts: Vec<String>,
    /// Of these hosts; none if the run broke off by a defect: nobody has them any more, and they expire.
    pub(super) leases: Vec<Lease>,
    pub(super) ran: Result<Ran, Trouble>,
}

/// Runs that are under way. Whoever drops it ends them in their middle.
#[derive(Default)]
pub(super) struct Runs {
    tasks: JoinSet<(Vec<Lease>, Result<Ran, Trouble>)>,
    hosts: HashMap<Id, Vec<String>>,
    closed: watch::Sender<bool>,
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
        let closed = self.closed.subscribe();
        let task = self.tasks.spawn(async move {
            let ran = match work {
                Work::Look(hosts) => ready.look(&hosts).await,
                Work::Correct(hosts) => ready.correct(&hosts, closed).await,
            };
            (leases, ran)
        });
        self.hosts.insert(task.id(), hosts);
    }

    /// Waits for the next that comes to its end; `None` if none is under way. Nothing is lost where nobody waits to the end.
    pub(super) async fn next(&mut self) -> Option<Finished> {
        let (id, leases, ran) = match self.tasks.join_next_with_id().await? {
            Ok((id, (leases, ran))) => (id, leases, ran),
            Err(broke) => {
                (broke.id(), Vec::new(), Err(Trouble(format!("a defect of this program: a run broke off: {broke}"))))
            }
        };
        let hosts = self.hosts.remove(&id).unwrap_or_default();
        Some(Finished { hosts, leases, ran })
    }
}
