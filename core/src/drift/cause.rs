//! Who moved: the host, or the policy.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why an item is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// It is as wanted.
    Fine,
    /// It is not, and what it was before is not known.
    New,
    /// The host moved.
    Drift,
    /// The policy moved.
    Pending,
    /// Both moved.
    Both,
}

impl Cause {
    /// What the three values say; `left` is `None` where it is not known. Inside, `None` is absence.
    pub(super) fn of(left: Option<Option<&str>>, seen: Option<&str>, wanted: Option<&str>) -> Cause {
        match left {
            _ if seen == wanted => Cause::Fine,
            None => Cause::New,
            Some(left) if wanted == left => Cause::Drift,
            Some(left) if seen == left => Cause::Pending,
            Some(_) => Cause::Both,
        }
    }

    /// Whether it is not as wanted.
    pub fn is_open(self) -> bool {
        self != Cause::Fine
    }

    /// Whether the host has a part in it.
    pub fn is_drift(self) -> bool {
        matches!(self, Cause::Drift | Cause::Both)
    }

    /// The word for it in the record.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Fine => "fine",
            Cause::New => "new",
            Cause::Drift => "drift",
            Cause::Pending => "pending",
            Cause::Both => "both",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

impl FromStr for Cause {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Cause::Fine, Cause::New, Cause::Drift, Cause::Pending, Cause::Both];
        all.into_iter().find(|cause| cause.word() == word).ok_or_else(|| format!("{word:?} is no cause"))
    }
}
