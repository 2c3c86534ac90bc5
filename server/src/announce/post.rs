//! The post office: every message is delivered to every address once, across crashes and failures.

use std::{os::unix::fs::PermissionsExt, path::Path};

use jiff::Timestamp;
use rectify_core::rollout::{Entry, Journal, News, Record};

use super::{ChannelError, Hook, Letter, Mail, Templates};
use crate::rollouts::{Store, StoreError};

/// The ways to people.
#[derive(Debug)]
pub struct Channels {
    /// Mail, if it is set up.
    pub mail: Option<Mail>,
    /// Web hooks.
    pub hook: Hook,
}

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
            let letter = self.templates.letter(news)?;
            let record = self.announced(journal, news, now)?;
            for to in &news.to {
                let attempt = self.one(journal, &record, news, &letter, to).await?;
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
        news: &News,
        letter: &Letter,
        to: &str,
    ) -> Result<Attempt, PostError> {
        let attempt = |failed, before| Attempt { owner: news.owner.clone(), to: to.to_owned(), failed, before };
        if journal.reached_address(record, to).is_some() {
            return Ok(attempt(None, true));
        }
        let sent = self.send(news, letter, to).await;
        let (entry, failed) = match sent {
            Ok(()) => (Entry::Delivered { of: record.id.clone(), to: to.to_owned() }, None),
            Err(e) => {
                let error = chain(&e);
                (Entry::Failed { of: record.id.clone(), to: to.to_owned(), error: error.clone() }, Some(error))
            }
        };
        journal.push(self.store.write(Timestamp::now(), entry)?);
        Ok(attempt(failed, false))
    }

    async fn send(&self, news: &News, letter: &Letter, to: &str) -> Result<(), ChannelError> {
        match (to.strip_prefix("mailto:"), &self.channels.mail) {
            (Some(address), Some(mail)) => mail.send(news, letter, address).await,
            (Some(_), None) => {
                Err(ChannelError::Settings("no mail server is set up: add [mail] to rectify.toml".into()))
            }
            (None, _) => self.channels.hook.send(news, letter, to).await,
        }
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

/// An error with all that is behind it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

/// A secret from a file that only its owner may read.
pub(super) fn secret(key: &str, path: &Path) -> Result<String, ChannelError> {
    let file = |source| ChannelError::File { doing: "reading", path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(file)?.permissions().mode();
    if mode & 0o077 != 0 {
        let shown = path.display();
        return Err(ChannelError::Settings(format!(
            "{key}: others may read {shown} (mode {:04o}): chmod 600 it",
            mode & 0o7777
        )));
    }
    let text = std::fs::read_to_string(path).map_err(file)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
