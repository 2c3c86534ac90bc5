//! How a host is, as a whole.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Cause, Look};

/// A day, in microseconds.
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// More changes than this in a day are flapping.
const OFTEN: usize = 4;

/// How a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody has looked.
    New,
    /// Everything that is known is as wanted.
    Fine,
    /// Something is not as wanted, but nothing that the host moved.
    Pending,
    /// The host moved.
    Drifted,
    /// Something failed.
    Failing,
    /// It could not be reached.
    Unreachable,
    /// As wanted, and its operators hold it.
    Held,
}

impl State {
    /// The word for it in the record.
    pub fn word(self) -> &'static str {
        match self {
            State::New => "new",
            State::Fine => "fine",
            State::Pending => "pending",
            State::Drifted => "drifted",
            State::Failing => "failing",
            State::Unreachable => "unreachable",
            State::Held => "held",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        use State::{Drifted, Failing, Fine, Held, New, Pending, Unreachable};
        let all = [New, Fine, Pending, Drifted, Failing, Unreachable, Held];
        all.into_iter().find(|state| state.word() == word).ok_or_else(|| format!("{word:?} is no state of a host"))
    }
}

/// How a host is after a look, from the causes of all that is known of it. That it is held shows where nothing else does: what is open is open
/// all the same.
pub fn state(look: &Look, causes: impl IntoIterator<Item = Cause>) -> State {
    if look.unreachable {
        return State::Unreachable;
    }
    if look.failed > 0 {
        return State::Failing;
    }
    let worst = causes.into_iter().map(|cause| match cause {
        Cause::Fine => State::Fine,
        Cause::New | Cause::Pending => State::Pending,
        Cause::Drift | Cause::Both => State::Drifted,
    });
    match worst.max().unwrap_or(State::Fine) {
        State::Fine if look.held => State::Held,
        worst => worst,
    }
}

/// What becomes of flapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flap {
    /// It begins.
    Begins,
    /// It is over.
    Ends,
}

/// Whether a host begins or ends to flap: it does after more than four changes in 24 hours, until it was quiet for 24 hours. `changes` are the times
/// of its changes, in any order, microseconds since 1970, as is `now`; `flaps`: whether it does already.
pub fn flapping(changes: &[i64], flaps: bool, now: i64) -> Option<Flap> {
    let recent = changes.iter().filter(|at| **at <= now && now - **at < DAY).count();
    match (flaps, recent) {
        (false, recent) if recent > OFTEN => Some(Flap::Begins),
        (true, 0) => Some(Flap::Ends),
        _ => None,
    }
}
