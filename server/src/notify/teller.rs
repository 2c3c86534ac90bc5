//! Who keeps telling people, for as long as the server runs.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use rectify_core::{rollout::Person, text::chain};
use tokio::sync::watch;

use super::{Delivered, Desk, NotifyError, NotifySettings, PACE, alarm, deliver, tick};
use crate::{
    channels::{Channels, shown},
    schedule::Clock,
    store::{Store, StoreError},
    templates::Templates,
};

/// How often it is looked whether there is something to tell or to deliver.
const EVERY: SignedDuration = SignedDuration::from_secs(5);

/// Takes a line about what did not arrive.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// Who is told, and how: what a configuration that is read again replaces.
#[derive(Debug)]
pub struct Office {
    /// `[notify]`.
    pub settings: NotifySettings,
    /// How to reach owners: the inventory's `contacts`.
    pub people: BTreeMap<String, Person>,
    /// How messages look.
    pub templates: Templates,
    /// The ways.
    pub channels: Arc<Channels>,
}

impl Office {
    fn desk(&self, pace: SignedDuration) -> Desk<'_> {
        let (settings, people, templates) = (&self.settings, &self.people, &self.templates);
        Desk { settings, people, templates, domain: self.channels.domain(), pace }
    }
}

/// Tells people. Clones share everything.
#[derive(Clone)]
pub struct Teller {
    store: Store,
    clock: Arc<dyn Clock>,
    say: Say,
    office: Arc<watch::Sender<Arc<Office>>>,
}

impl std::fmt::Debug for Teller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teller").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Teller {
    /// Tells what this record has; `say` takes lines about what did not arrive.
    pub fn new(store: Store, clock: Arc<dyn Clock>, say: Say, office: Office) -> Self {
        Teller { store, clock, say, office: Arc::new(watch::Sender::new(Arc::new(office))) }
    }

    /// From now on it is done so.
    pub fn replace(&self, office: Office) {
        self.office.send_replace(Arc::new(office));
    }

    fn office(&self) -> Arc<Office> {
        Arc::clone(&self.office.borrow())
    }

    /// Tells operators of something that has no host: see [`alarm`].
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn alarm(&self, key: &str, subject: &str, text: &str) -> Result<(), NotifyError> {
        let office = self.office();
        alarm(&self.store, &office.desk(PACE), key, subject, text, self.clock.now()).await
    }

    /// Tells and delivers until `halt` becomes true; what is being delivered then is delivered to its end, the rest waits in the outbox.
    pub async fn run(&self, halt: watch::Receiver<bool>) {
        // Apart, so that a receiver who lets us wait does not keep news from being written down.
        let telling = self.again(halt.clone(), || async { self.tick(PACE).await.map_err(|e| chain(&e)) });
        let delivering = self.again(halt, || async { self.deliver().await.map_err(|e| chain(&e)) });
        tokio::join!(telling, delivering);
    }

    /// Tells what is to be told and tries once to deliver it: for a server that runs once.
    ///
    /// # Errors
    /// A database that cannot be read or written. What was not delivered waits for the next time.
    pub async fn once(&self) -> Result<(), NotifyError> {
        self.tick(SignedDuration::ZERO).await?;
        Ok(self.deliver().await?)
    }

    async fn again<F, Fut>(&self, mut halt: watch::Receiver<bool>, step: F)
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<(), String>>,
    {
        let mut trouble = None;
        while !*halt.borrow() {
            let now = step().await.err();
            // The same trouble is said once.
            if let Some(now) = now.as_ref().filter(|now| trouble.as_ref() != Some(*now)) {
                (self.say)(&format!("nobody is told: {now}"));
            }
            trouble = now;
            let until = self.clock.now().checked_add(EVERY).unwrap_or_default();
            tokio::select! {
                () = self.clock.doze(until) => {}
                changed = halt.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn tick(&self, pace: SignedDuration) -> Result<(), NotifyError> {
        let office = self.office();
        tick(&self.store, &office.desk(pace), self.clock.now()).await.map(drop)
    }

    async fn deliver(&self) -> Result<(), StoreError> {
        let Delivered { failed, dead, .. } = deliver(&self.store, &self.office().channels, self.clock.now()).await?;
        for (address, why) in failed {
            (self.say)(&format!("{} was not told, and is tried again: {why}", shown(&address)));
        }
        for (address, why) in dead {
            (self.say)(&format!("{} was not told, and this message is given up: {why}", shown(&address)));
        }
        Ok(())
    }
}
