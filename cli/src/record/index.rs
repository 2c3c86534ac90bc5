//! The index as one run needs it: opened once, and never what a run fails for or waits long for.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rectify_core::{compile::Compiled, text::chain};
use rectify_server::{
    drift::known_contents,
    schedule::holds,
    store::{Head, RecordSettings, Store, StoreError},
};
use tokio::sync::OnceCell;

use super::troubles;

/// How long a run waits to hear which contents are known and who holds hosts.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the end of a run may wait for a database. What was taken in until then stays.
const LONGEST: Duration = Duration::from_secs(60);

/// The database of a record, opened by whoever needs it first. Clones share it. One that could not be opened is tried again by the next who needs it.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    settings: RecordSettings,
    store: Arc<OnceCell<Store>>,
}

impl Index {
    /// One that nobody has opened.
    pub(crate) fn new(settings: RecordSettings) -> Self {
        Index { settings, store: Arc::default() }
    }

    /// One that is open, and belongs to whoever opened it.
    pub(crate) fn opened(settings: RecordSettings, store: Store) -> Self {
        Index { settings, store: Arc::new(OnceCell::new_with(Some(store))) }
    }

    /// Where the record is.
    pub(crate) fn settings(&self) -> &RecordSettings {
        &self.settings
    }

    async fn store(&self) -> Result<&Store, StoreError> {
        self.store.get_or_try_init(|| Store::open(&self.settings)).await
    }

    /// Tells the plans which contents the record knows the lines of, and who holds their hosts; says why that is not known, if it is not.
    pub(crate) async fn know(&self, compiled: &mut [Compiled]) -> Option<String> {
        // First what a host may depend on, however long the other takes.
        let trouble = match soon(async { holds(self.store().await?, Timestamp::now()).await }).await {
            Ok(mut held) => {
                compiled.iter_mut().for_each(|c| c.plan.options.hold = held.remove(&c.plan.host));
                None
            }
            Err(why) => Some(why),
        };
        let hosts: Vec<String> = compiled.iter().map(|c| c.plan.host.clone()).collect();
        let ask = async { known_contents(self.store().await?, &hosts).await };
        let mut known = if trouble.is_none() { soon(ask).await.unwrap_or_default() } else { Default::default() };
        for plan in compiled.iter_mut().map(|c| &mut c.plan) {
            plan.options.known = Some(known.remove(&plan.host).unwrap_or_default());
        }
        trouble.map(|why| format!("whether somebody put hosts on hold here is not known: {why}"))
    }

    /// Notes beside the run, on this runtime, that it begins: no host waits for a database, and what does not work is told when the run is taken in.
    pub(super) fn begun(&self, head: Head) {
        let index = self.clone();
        tokio::spawn(tokio::time::timeout(LONGEST, async move { index.store().await?.begun(&head).await }));
    }

    /// Takes in what the index lacks; says what could not be taken in, a line each.
    ///
    /// # Errors
    /// A database that cannot be opened or written.
    pub(crate) async fn catch_up(&self) -> Result<Vec<String>, StoreError> {
        let caught = self.store().await?.catch_up().await?;
        Ok(troubles(&caught))
    }

    /// Does so at the end of a run, closes the database, and says what did not work, a line each: no run fails for it, and none waits longer than
    /// [`LONGEST`].
    pub(crate) async fn end(&self) -> Vec<String> {
        let caught = async {
            let caught = self.catch_up().await;
            if let Some(store) = self.store.get() {
                store.close().await;
            }
            caught
        };
        let why = match tokio::time::timeout(LONGEST, caught).await {
            Ok(Ok(said)) => return said,
            // There is no folder: that nothing is recorded was said.
            Ok(Err(StoreError::File { .. })) => return Vec::new(),
            Ok(Err(e)) => chain(&e),
            Err(_) => format!("the database needed more than {} s", LONGEST.as_secs()),
        };
        vec![format!("the index lacks runs that are recorded (a later run takes them in): {why}")]
    }
}

/// The answer of a database, or why there is none before a run loses its patience.
async fn soon<T>(ask: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, ask).await {
        Ok(answer) => answer.map_err(|error| chain(&error)),
        Err(_) => Err(format!("the database did not answer in {} s", PATIENCE.as_secs())),
    }
}
