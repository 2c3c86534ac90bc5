//! The post office: every message is delivered to every address once, across crashes and failures.

use std::time::Duration;

use jiff::Timestamp;
use rectify_core::rollout::{Entry, Journal, News, Record};

use crate::{
    channels::{ChannelError, Channels, Letter, Message, why},
    rollouts::{Store, StoreError},
    templates::Templates,
};

/// How often an attempt is repeated at once, before it is left for the next time.
const TRIES: u32 = 3;

/// What came of a message to one address.
#[derive(Debug)]
pub struct Attempt {
    /// The owner.
    pub owner: String,
    /// The address, as a URI.
    pub to: String,
    /// Why it was not delivered.
    pub failed: Option<String>,
    /// Whether it had been delivered before, and was not sent again.
    pub before: bool,
}

/// Delivers news and writes down what came of it.
#[derive(Debug)]
pub struct Post<'a> {
    /// The ways.
    pub channels: &'a Channels,
    /// How messages look.
    pub templates: &'a Templates,
    /// Where it is written down.
    pub store: &'a Store,
}

impl Post<'_> {
    /// Delivers messages, those that were announced before and not delivered among them.
    ///
    /// For each one a line is written before the first attempt and one after each attempt, so that a crash between two
    /// messages sends nobody a second one and leaves nobody out.
    ///
    /// # Errors
    /// A journal that cannot be written: then nothing more is sent. Failed deliveries are in what comes back.
    pub async fn deliver(
        &self,
        journal: &mut Journal,
        all: &[News],
        now: Timestamp,
    ) -> Result<Vec<Attempt>, PostError> {
        let mut attempts = Vec::new();
        for news in all {
            let message = message(news, self.templates.letter(news)?);
            let record = self.announced(journal, news, now)?;
            for to in &news.to {
                let attempt = self.one(journal, &record, &message, to).await?;
                attempts.push(attempt);
            }
        }
        Ok(attempts)
    }

    /// The line that says that this message is about to be sent: the one of an earlier attempt, or a new one.
    fn announced(&self, journal: &mut Journal, news: &News, now: Timestamp) -> Result<Record, PostError> {
        let same =
            |r: &&Record| matches!(&r.what, Entry::Announced { message_id, .. } if *message_id == news.message_id);
        if let Some(known) = journal.records().iter().find(same) {
            return Ok(known.clone());
        }
        let record = self.store.write(
            now,
            Entry::Announced {
                purpose: news.purpose,
                owner: news.owner.clone(),
                to: news.to.clone(),
                message_id: news.message_id.clone(),
                items: news.items.clone(),
            },
        )?;
        journal.push(record.clone());
        Ok(record)
    }

    async fn one(
        &self,
        journal: &mut Journal,
        record: &Record,
        message: &Message,
        to: &str,
    ) -> Result<Attempt, PostError> {
        let attempt = |failed, before| Attempt { owner: message.name.clone(), to: to.to_owned(), failed, before };
        if journal.reached_address(record, to).is_some() {
            return Ok(attempt(None, true));
        }
        let sent = self.send(message, to).await;
        let (entry, failed) = match sent {
            Ok(()) => (Entry::Delivered { of: record.id.clone(), to: to.to_owned() }, None),
            Err(e) => {
                let error = why(&e);
                (Entry::Failed { of: record.id.clone(), to: to.to_owned(), error: error.clone() }, Some(error))
            }
        };
        journal.push(self.store.write(Timestamp::now(), entry)?);
        Ok(attempt(failed, false))
    }

    /// A web hook that stumbles is tried again at once; what does not help now is left for the next time.
    async fn send(&self, message: &Message, to: &str) -> Result<(), ChannelError> {
        let tries = if to.starts_with("mailto:") { 1 } else { TRIES };
        let mut tried = 1;
        loop {
            match self.channels.send(message, to).await {
                Err(ChannelError::Unreached(_)) if tried < tries => {
                    tokio::time::sleep(Duration::from_millis(500 << tried)).await;
                    tried += 1;
                }
                done => return done,
            }
        }
    }
}

/// The news as a message.
fn message(news: &News, letter: Letter) -> Message {
    let facts = [("news".to_owned(), serde_json::json!(news))];
    Message {
        id: news.message_id.clone(),
        follows: news.follows.clone(),
        list: "rollouts".to_owned(),
        name: news.owner.clone(),
        addresses: news.to.clone(),
        letter,
        facts: facts.into_iter().collect(),
    }
}

/// Why delivering stopped.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The journal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}
