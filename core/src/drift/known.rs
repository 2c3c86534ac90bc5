//! What is known of an item.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Cause;
use crate::event::{Diff, Trace};

/// Which item: a property of a thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The thing, such as `path:/etc/motd`.
    pub thing: String,
    /// Its property; empty for whether the thing is there at all.
    pub property: String,
}

impl Key {
    /// A key of these names.
    pub fn new(thing: impl Into<String>, property: impl Into<String>) -> Self {
        Key { thing: thing.into(), property: property.into() }
    }
}

/// As people call it: `/etc/motd  mode`, `package curl`, `user eve  groups`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.thing.split_once(':') {
            Some(("path", path)) => f.write_str(path)?,
            Some((kind, name)) => write!(f, "{} {name}", kind.replace('_', " "))?,
            None => f.write_str(&self.thing)?,
        }
        if self.property.is_empty() { Ok(()) } else { write!(f, "  {}", self.property) }
    }
}

/// What is known of an item of a host. Times are microseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What was seen last, after what the run then changed; `None`: absent.
    pub seen: Option<String>,
    /// What was wanted then; `None`: absent.
    pub wanted: Option<String>,
    /// What it was when it was last as wanted; `None`: not known, `Some(None)`: absent.
    pub left: Option<Option<String>>,
    /// Who moved since.
    pub cause: Cause,
    /// When this cause was first seen.
    pub since: i64,
    /// When it was last looked at before that; `None`: never.
    pub before: Option<i64>,
    /// How many looks in a row saw it open.
    pub looks: u32,
    /// The setting that it belongs to.
    pub setting: Option<String>,
    /// The name of the task that manages it.
    pub task: String,
    /// Where that stands, `FILE:LINE`.
    pub origin: String,
    /// How it differs.
    pub difference: Option<Diff>,
    /// What the host knows of when and by whom.
    pub traces: Vec<Trace>,
    /// The run that this is known from.
    pub run: String,
    /// Which things that run looked at: see [`Look::cover`](super::Look::cover).
    pub cover: String,
    /// When a run that looked at just these things last began.
    pub looked: i64,
}
