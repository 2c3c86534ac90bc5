//! What is known of a run when it begins.

use rectify_core::plan::Mode;
use serde::{Deserialize, Serialize};

/// Why a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody typed it.
    Operator,
    /// It was due.
    Schedule,
    /// Somebody asked for it on the page.
    Page,
}

impl Cause {
    /// The word in the database and for people.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Operator => "operator",
            Cause::Schedule => "schedule",
            Cause::Page => "page",
        }
    }
}

/// What is known of a run when it begins: `head.json` in its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The run's id.
    pub run: String,
    /// When it began: microseconds since 1970, UTC.
    pub began: i64,
    /// Check or apply.
    pub mode: Mode,
    /// Why.
    pub cause: Cause,
    /// The account that began it, or the name of the schedule.
    pub author: String,
    /// The schedule that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The machine whose folder has the events.
    pub server: String,
    /// The playbooks as they were named.
    pub playbooks: Vec<String>,
    /// The version of the program.
    pub version: String,
    /// Where the hosts come from, as the operator named it.
    #[serde(default)]
    pub inventory: String,
    /// Whether only some of the tasks were asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The hosts, in inventory order.
    pub hosts: Vec<HeadHost>,
}

/// A host of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadHost {
    /// Its name in the inventory.
    pub name: String,
    /// Who is told of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// The groups that it is in, `all` and `ungrouped` left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Head {
    /// This machine's name, for `server`.
    pub fn this_server() -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
}
