//! How a round runs something on hosts, told by whoever can.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    path::PathBuf,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

/// The fleet, and the way to it.
#[async_trait]
pub trait Fleet: Send + Sync + 'static {
    /// Reads playbooks, inventory and rollouts anew, and makes the plans of all hosts: called once when a round begins, and again by a server that
    /// takes the round over.
    ///
    /// # Errors
    /// What is wrong with the files. The round is stopped and says so; the schedule goes on.
    async fn prepare(&self, scope: &Scope) -> Result<Box<dyn Ready>, Trouble>;
}

/// What a round is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The schedule's name.
    pub schedule: String,
    /// The round's id.
    pub round: String,
    /// Who asked for it; `None`: the clock.
    pub author: Option<String>,
    /// The playbooks; none: those of the project.
    pub playbooks: Vec<PathBuf>,
    /// Only hosts that match this pattern.
    pub limit: Option<String>,
    /// Only tasks with one of these tags; none: all.
    pub tags: Vec<String>,
    /// Hosts at a time, in all runs of the round together.
    pub forks: NonZeroUsize,
}

/// Plans that are made. Runs may be asked for while others of the same round go on, never over the same host.
#[async_trait]
pub trait Ready: Send + Sync {
    /// The hosts, in inventory order.
    fn hosts(&self) -> Vec<Member>;

    /// Why the rollouts want nothing corrected at `now`.
    fn frozen(&self, now: Timestamp) -> Option<String>;

    /// Looks at these hosts, one run for all of them. Hosts that are not in the plans are not in the answer, nor those whose turn did not come because
    /// the server is about to end: they count as not asked for.
    ///
    /// What it says of a host may be told before, once it is written where a record is made again from.
    ///
    /// # Errors
    /// What kept the run from being made at all.
    async fn look(&self, hosts: &[String], tell: Tell) -> Result<Ran, Trouble>;

    /// Applies to these hosts what may be corrected on each, and looks at the rest, one run for all of them; the answer is as for [`Ready::look`].
    ///
    /// Once `closed` is true, no further host begins.
    ///
    /// # Errors
    /// What kept the run from being made at all.
    async fn correct(
        &self,
        hosts: &BTreeMap<String, Allowed>,
        closed: watch::Receiver<bool>,
        tell: Tell,
    ) -> Result<Ran, Trouble>;
}

/// Takes how hosts went that have ended in a run which goes on with others.
pub type Tell = mpsc::UnboundedSender<Went>;

/// How a host went in a run that goes on with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Went {
    /// The run's id.
    pub run: String,
    /// The host's name.
    pub host: String,
    /// How it went.
    pub saw: Saw,
}

/// A host of a round.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// Its name in the inventory.
    pub name: String,
    /// The names of its owners.
    pub owners: Vec<String>,
    /// Its groups, `all` left out.
    pub groups: Vec<String>,
}

/// Which tasks may change a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Allowed {
    /// Those of these settings; `null`: those without a setting.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub settings: BTreeSet<Option<String>>,
    /// Those that stand here, `FILE:LINE`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub origins: BTreeSet<String>,
    /// Whether a task failed in the look. One that is rehearsed then fails again as it did, and what depends on it is left alone again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failing: bool,
}

impl Allowed {
    /// Whether none may.
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.origins.is_empty()
    }

    /// Whether a task may.
    pub fn has(&self, setting: Option<&str>, origin: &str) -> bool {
        self.settings.iter().any(|s| s.as_deref() == setting) || self.origins.contains(origin)
    }
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ran {
    /// Its id.
    pub run: String,
    /// How each host went.
    pub hosts: BTreeMap<String, Saw>,
    /// The hosts that did not begin, because none should any more.
    pub left: BTreeSet<String>,
}

/// How a host went in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saw {
    /// How it ended.
    pub seen: Seen,
    /// The settings whose tasks would change something now, or may; `None`: tasks without one.
    pub open: BTreeSet<Option<String>>,
    /// How many tasks changed something.
    pub changed: u64,
}

/// How a host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Through; whether all is as declared is said by what is open.
    Through,
    /// The host's own operators hold it: an apply was a look.
    Held,
    /// A task failed.
    Failing,
    /// It was not reached, or lost.
    Unreachable,
}

/// What kept a round from going on, complete and for people; it may have several lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);
