//! What one run saw of one host.

use std::collections::BTreeMap;

use super::Key;
use crate::{
    digest,
    event::{Diff, Trace},
};

/// What a run saw of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which.
    pub key: Key,
    /// What the first task that looked at it saw; `None`: absent.
    pub seen: Option<String>,
    /// What the last one wants; `None`: absent.
    pub wanted: Option<String>,
    /// Whether it is as wanted now, because it was so or because the run made it so.
    pub settled: bool,
    /// Whether nobody reported it: it follows from properties of a thing that is there and shall be.
    pub implied: bool,
    /// When it was seen, microseconds since 1970, UTC.
    pub at: i64,
    /// The setting that it belongs to.
    pub setting: Option<String>,
    /// The name of the last task that manages it.
    pub task: String,
    /// Where that stands, `FILE:LINE`.
    pub origin: String,
    /// How it differs, or did before the run changed it.
    pub difference: Option<Diff>,
    /// What the host knows of when and by whom.
    pub traces: Vec<Trace>,
}

impl Item {
    /// Whether it was not as wanted when the run came.
    pub fn was_open(&self) -> bool {
        self.seen != self.wanted
    }
}

/// What a run saw of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The run's id.
    pub run: String,
    /// The host's name in the inventory.
    pub host: String,
    /// When the host was reached, or else given up; microseconds since 1970, UTC.
    pub began: i64,
    /// When it was through.
    pub ended: i64,
    /// What was seen, by key. What no task could look at is not among it.
    pub items: BTreeMap<Key, Item>,
    /// Lines of contents that were not known: see [`Kept::lines`](crate::event::Kept::lines).
    pub lines: BTreeMap<String, String>,
    /// How many tasks failed, those left out whose failure was ignored or rescued.
    pub failed: u64,
    /// Whether it could not be reached, or was lost.
    pub unreachable: bool,
    /// Whether its own operators hold it.
    pub held: bool,
    /// Whether the run was an apply.
    pub apply: bool,
    /// Whether every task of the run that was to look did: none failed, was left out because of another, or could not be decided.
    pub whole: bool,
}

impl Look {
    /// A name for the set of things that were looked at, the same for every look at the same things. A row of what is known carries it, so that when
    /// an item was last looked at need not be written into every row at every look.
    pub fn cover(&self) -> String {
        let mut things: Vec<&str> = self.items.keys().map(|key| key.thing.as_str()).collect();
        things.dedup();
        digest::sha256(things.join("\n").as_bytes())[..16].to_owned()
    }
}
