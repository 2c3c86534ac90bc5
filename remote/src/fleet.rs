//! The same work on many hosts, a bounded number at a time, with one ordered channel of what happens.

use std::{future::Future, num::NonZeroUsize, sync::Arc};

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How many hosts are worked on at a time if nobody says otherwise.
pub const DEFAULT_FORKS: NonZeroUsize = NonZeroUsize::new(50).expect("50 is not zero");

/// How many items may wait in the channel before the hosts have to.
const QUEUE: usize = 1024;

/// What happens on the fleet. For one host: nothing, or `Started`, any number of `Item`s, and exactly one end
/// (`Finished` or `Panicked`); or only `Cancelled`, if the run was cancelled before the host's turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetEvent<I, R> {
    /// The host's turn began.
    Started {
        /// The host's place in the list that was given.
        host: usize,
    },
    /// The work on the host had something to say.
    Item {
        /// The host's place in the list.
        host: usize,
        /// What it said.
        item: I,
    },
    /// The work on the host ended.
    Finished {
        /// The host's place in the list.
        host: usize,
        /// With what.
        result: R,
    },
    /// The work on the host ended with a defect of this program.
    Panicked {
        /// The host's place in the list.
        host: usize,
        /// The panic's message.
        message: String,
    },
    /// The run was cancelled before the host's turn.
    Cancelled {
        /// The host's place in the list.
        host: usize,
    },
}

/// What the work on one host gets besides the host.
#[derive(Debug, Clone)]
pub struct Turn<I, R> {
    host: usize,
    events: mpsc::Sender<FleetEvent<I, R>>,
    /// Cancelled when the run is: the work should come to an end.
    pub cancel: CancellationToken,
}

impl<I, R> Turn<I, R> {
    /// Says something. Waits while the reader of the channel is behind; says nothing when there is no reader any more.
    pub async fn emit(&self, item: I) {
        let _ = self.events.send(FleetEvent::Item { host: self.host, item }).await;
    }
}

/// Lets so many hosts be worked on at a time, in all runs that share it.
pub type Gate = Arc<Semaphore>;

/// A gate for `forks` hosts at a time.
pub fn gate(forks: NonZeroUsize) -> Gate {
    Arc::new(Semaphore::new(forks.get()))
}

/// Starts `work` on every host, as many at a time as `gate` lets through, in the order given, each independent of the others.
///
/// The channel carries everything in one order and ends after the last host's end. Dropping it ends the hosts that
/// are under way at their next await point. Cancelling `cancel` starts no further host; the ones under way learn it
/// through [`Turn::cancel`] and end by themselves.
pub fn run_fleet<H, I, R, F, W>(
    hosts: Vec<H>,
    gate: Gate,
    cancel: CancellationToken,
    work: F,
) -> mpsc::Receiver<FleetEvent<I, R>>
where
    H: Send + 'static,
    I: Send + 'static,
    R: Send + 'static,
    F: Fn(H, Turn<I, R>) -> W + Send + Sync + 'static,
    W: Future<Output = R> + Send + 'static,
{
    let (events, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let closed = events.clone();
        tokio::select! {
            () = drive(hosts, gate, cancel, work, events) => {}
            () = closed.closed() => {}
        }
    });
    receiver
}

async fn drive<H, I, R, F, W>(
    hosts: Vec<H>,
    gate: Gate,
    cancel: CancellationToken,
    work: F,
    events: mpsc::Sender<FleetEvent<I, R>>,
) where
    H: Send + 'static,
    I: Send + 'static,
    R: Send + 'static,
    F: Fn(H, Turn<I, R>) -> W + Send + Sync + 'static,
    W: Future<Output = R> + Send + 'static,
{
    let work = Arc::new(work);
    // One task per host contains a panic; the outer tasks are dropped, and so aborted, with this future.
    let mut turns = JoinSet::new();
    for (host, target) in hosts.into_iter().enumerate() {
        let permit = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            permit = Arc::clone(&gate).acquire_owned() => permit.ok(),
        };
        let Some(permit) = permit else {
            let _ = events.send(FleetEvent::Cancelled { host }).await;
            continue;
        };
        let turn = Turn { host, events: events.clone(), cancel: cancel.clone() };
        let (events, work) = (events.clone(), Arc::clone(&work));
        turns.spawn(async move {
            let _permit = permit;
            let _ = events.send(FleetEvent::Started { host }).await;
            let mut one = JoinSet::new();
            one.spawn(async move { work(target, turn).await });
            let end = match one.join_next().await {
                Some(Ok(result)) => FleetEvent::Finished { host, result },
                Some(Err(error)) => FleetEvent::Panicked { host, message: message(error) },
                None => return,
            };
            let _ = events.send(end).await;
        });
    }
    while turns.join_next().await.is_some() {}
}

fn message(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast_ref::<&str>().map_or_else(|| "panicked".to_owned(), |text| (*text).to_owned()),
        },
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    async fn all<I: Send, R: Send>(mut events: mpsc::Receiver<FleetEvent<I, R>>) -> Vec<FleetEvent<I, R>> {
        let mut seen = Vec::new();
        while let Some(event) = events.recv().await {
            seen.push(event);
        }
        seen
    }

    #[tokio::test]
    async fn no_more_hosts_are_under_way_than_the_gate_of_all_runs_lets_through() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let gate = gate(NonZeroUsize::new(3).unwrap());
        let begin = || {
            let (n, m) = (Arc::clone(&now), Arc::clone(&most));
            let work = move |host: usize, _: Turn<(), usize>| {
                let (n, m) = (Arc::clone(&n), Arc::clone(&m));
                async move {
                    m.fetch_max(n.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    for _ in 0..10 {
                        tokio::task::yield_now().await;
                    }
                    n.fetch_sub(1, Ordering::SeqCst);
                    host
                }
            };
            run_fleet((0..20).collect(), Arc::clone(&gate), CancellationToken::new(), work)
        };
        let (one, two) = (begin(), begin());
        let (one, two) = tokio::join!(all(one), all(two));
        for ended in [one, two] {
            let ends = ended.iter().filter(|e| matches!(e, FleetEvent::Finished { host, result } if host == result));
            assert_eq!(ends.count(), 20);
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_host_starts_speaks_and_ends_in_that_order_and_a_panic_stays_its_own() {
        let events =
            run_fleet(vec!["a", "bad", "c"], gate(DEFAULT_FORKS), CancellationToken::new(), |host, turn| async move {
                turn.emit(1).await;
                assert!(host != "bad", "{host} broke");
                turn.emit(2).await;
                host
            });
        let seen = all(events).await;
        let of = |n: usize| -> Vec<String> {
            let mine = |e: &&FleetEvent<i32, &str>| match e {
                FleetEvent::Started { host }
                | FleetEvent::Item { host, .. }
                | FleetEvent::Finished { host, .. }
                | FleetEvent::Panicked { host, .. }
                | FleetEvent::Cancelled { host } => *host == n,
            };
            seen.iter().filter(mine).map(|e| format!("{e:?}")).collect()
        };
        assert_eq!(
            of(2),
            [
                "Started { host: 2 }",
                "Item { host: 2, item: 1 }",
                "Item { host: 2, item: 2 }",
                "Finished { host: 2, result: \"c\" }"
            ]
        );
        assert_eq!(of(1).last().unwrap(), "Panicked { host: 1, message: \"bad broke\" }");
    }

    #[tokio::test]
    async fn cancelling_lets_the_running_end_and_starts_no_other() {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let one = NonZeroUsize::new(1).unwrap();
        let events = run_fleet(vec![0, 1, 2], gate(one), cancel, move |_, turn: Turn<(), &str>| {
            let stop = stop.clone();
            async move {
                stop.cancel();
                turn.cancel.cancelled().await;
                "came to an end"
            }
        });
        assert_eq!(
            all(events).await,
            [
                FleetEvent::Started { host: 0 },
                FleetEvent::Cancelled { host: 1 },
                FleetEvent::Cancelled { host: 2 },
                FleetEvent::Finished { host: 0, result: "came to an end" },
            ]
        );
    }

    #[tokio::test]
    async fn dropping_the_channel_ends_the_hosts() {
        let (gone, mut went) = mpsc::channel::<()>(1);
        let mut events =
            run_fleet(vec![()], gate(DEFAULT_FORKS), CancellationToken::new(), move |(), _: Turn<(), ()>| {
                let gone = gone.clone();
                async move {
                    let _held = gone;
                    std::future::pending::<()>().await;
                }
            });
        assert_eq!(events.recv().await, Some(FleetEvent::Started { host: 0 }));
        drop(events);
        assert_eq!(went.recv().await, None, "every sender is dropped");
    }
}
