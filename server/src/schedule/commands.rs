//! What somebody asks a running server to do.
//!
//! Whoever has a [`Commands`] (the page) asks; the server that has the other end answers when it is written down, not when it is done: what is begun
//! then is a round like any other, and is found by its id.

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

/// How many may wait to be heard.
const QUEUE: usize = 64;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Look at all hosts of a schedule, now. Nothing is corrected.
    Check {
        /// The schedule's name.
        schedule: String,
    },
    /// Look at one host as a schedule does, now. Nothing is corrected.
    CheckHost {
        /// The schedule's name.
        schedule: String,
        /// The host's name in the inventory.
        host: String,
    },
    /// Correct items of a host whose differences somebody has seen. Refused if one of them is not as it was seen, and when the schedule may not correct.
    Correct {
        /// The schedule's name: its playbooks, its maintenance hours and its freezes.
        schedule: String,
        /// The host's name in the inventory.
        host: String,
        /// What.
        items: Vec<Item>,
    },
    /// Keep all schedules from correcting a host. A hold that is there is replaced.
    Hold {
        /// The host's name in the inventory.
        host: String,
        /// Until when; at most 30 days from now.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// End a hold that was put on a host here.
    Release {
        /// The host's name in the inventory.
        host: String,
    },
}

/// An item as somebody saw it: a row of `items`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is about.
    pub thing: String,
    /// Which of its properties.
    pub property: String,
    /// What was there.
    pub seen: Option<String>,
    /// What is wanted.
    pub wanted: Option<String>,
}

/// What was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The round, if it takes one.
    pub round: Option<String>,
}

/// Why something was not begun, for the person who asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// What is asked for, by whom, and where the answer goes.
#[derive(Debug)]
pub struct Command {
    /// Who asks: an account's name.
    pub author: String,
    /// For what.
    pub ask: Ask,
    /// Takes the answer.
    pub answer: oneshot::Sender<Result<Begun, Refused>>,
}

/// Where a running server is asked. Clones ask the same one.
#[derive(Debug, Clone)]
pub struct Commands {
    to: mpsc::Sender<Command>,
}

impl Commands {
    /// Both ends.
    pub fn channel() -> (Self, mpsc::Receiver<Command>) {
        let (to, from) = mpsc::channel(QUEUE);
        (Commands { to }, from)
    }

    /// Asks, and waits until it is written down or refused.
    ///
    /// # Errors
    /// Why not; among others that the server is about to end.
    pub async fn ask(&self, author: &str, ask: Ask) -> Result<Begun, Refused> {
        let ends = || Refused("the server is about to end: ask again when it runs".into());
        let (answer, answered) = oneshot::channel();
        self.to.send(Command { author: author.to_owned(), ask, answer }).await.map_err(|_| ends())?;
        answered.await.unwrap_or_else(|_| Err(ends()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_is_gone_refuses() {
        let (commands, from) = Commands::channel();
        drop(from);
        let refused = commands.ask("eva", Ask::Release { host: "web1".into() }).await.unwrap_err();
        assert!(refused.to_string().contains("about to end"), "{refused}");
        let (commands, mut from) = Commands::channel();
        tokio::spawn(async move { drop(from.recv().await) });
        assert!(commands.ask("eva", Ask::Release { host: "web1".into() }).await.is_err(), "heard and not answered");
    }
}
