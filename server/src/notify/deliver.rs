//! Delivering what is in the outbox: every address by itself, so that one which never answers keeps nobody else waiting.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Semaphore, task::JoinSet};

use super::outbox::{self, Due};
use crate::{
    channels::{ChannelError, Channels, Message, why},
    store::{Store, StoreError},
};

/// After so many attempts a message is given up that the other side refuses.
const REFUSALS: i64 = 5;
/// After so long a message is given up that does not get through.
const PATIENCE: SignedDuration = SignedDuration::from_hours(72);
/// What is waited before the second attempt; each further one doubles it.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);
/// The longest wait.
const LAST_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// The least time that an attempt is left to whoever began it.
const LEASE: SignedDuration = SignedDuration::from_mins(5);
/// How many addresses are told at a time.
const AT_ONCE: usize = 16;

/// What came of a pass.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages that arrived.
    pub delivered: usize,
    /// Attempts that failed, and are repeated later: the address and why.
    pub failed: Vec<(String, String)>,
    /// Messages that were given up: the address and why.
    pub dead: Vec<(String, String)>,
}

/// Delivers what is due, every message to its address once.
///
/// # Errors
/// A database that cannot be read or written. Failed deliveries are in what comes back.
pub async fn deliver(store: &Store, channels: &Arc<Channels>, now: Timestamp) -> Result<Delivered, StoreError> {
    let mut lanes: BTreeMap<String, Vec<Due>> = BTreeMap::new();
    for due in outbox::due(store, now.as_microsecond()).await? {
        lanes.entry(due.channel.clone()).or_default().push(due);
    }
    let (turn, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for lane in lanes.into_values() {
        let (store, channels, turn) = (store.clone(), Arc::clone(channels), Arc::clone(&turn));
        tasks.spawn(async move {
            let _turn = turn.acquire().await;
            lane_of(&store, &channels, lane, now).await
        });
    }
    let mut all = Delivered::default();
    while let Some(done) = tasks.join_next().await {
        let Ok(done) = done else { continue };
        let done = done?;
        all.delivered += done.delivered;
        all.failed.extend(done.failed);
        all.dead.extend(done.dead);
    }
    Ok(all)
}

/// The messages for one address, in order, until it does not answer.
async fn lane_of(store: &Store, channels: &Channels, lane: Vec<Due>, now: Timestamp) -> Result<Delivered, StoreError> {
    let patience = SignedDuration::try_from(channels.patience()).unwrap_or(LEASE);
    let lease = (now + LEASE.max(patience.saturating_mul(2))).as_microsecond();
    let at = now.as_microsecond();
    let mut done = Delivered::default();
    for mut due in lane {
        let Some(body) = outbox::claim(store, &mut due, at, lease).await? else { continue };
        let sent = match serde_json::from_str::<Message>(&body) {
            Ok(message) => channels.send(&message, &due.channel).await,
            Err(e) => Err(ChannelError::Refused(format!("the message in the outbox cannot be read: {e}"))),
        };
        let Err(error) = sent else {
            outbox::delivered(store, &due, at).await?;
            done.delivered += 1;
            continue;
        };
        let (trouble, later) = (why(&error), matches!(error, ChannelError::Unreached(_)));
        let next = next(&due, later, now);
        outbox::failed(store, &due, &trouble, at, next).await?;
        let told = (due.channel.clone(), trouble);
        match next {
            None => done.dead.push(told),
            Some(next) => {
                done.failed.push(told);
                if later {
                    outbox::spare(store, &due.channel, next).await?;
                    break;
                }
            }
        }
    }
    Ok(done)
}

/// When it is tried again; `None`: never.
fn next(due: &Due, later: bool, now: Timestamp) -> Option<i64> {
    let old = now.as_microsecond().saturating_sub(due.since) > i64::try_from(PATIENCE.as_micros()).unwrap_or(i64::MAX);
    let tries = due.tries - due.forgiven;
    if old || (!later && tries >= REFUSALS) {
        return None;
    }
    let doubled = u32::try_from(tries - 1).unwrap_or(0).min(10);
    let wait = FIRST_WAIT.saturating_mul(1 << doubled).min(LAST_WAIT);
    Some((now + wait).as_microsecond())
}
