//! The one place that puts the fleet's events in order: numbers them, stamps them, hands them to the display.

use std::{
    num::NonZeroUsize,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rectify_core::event::{Event, Failure, RunEvent};
use rectify_remote::{
    fleet::{FleetEvent, run_fleet},
    helper::Start,
    run::{NOT_BEGUN, Order, Stop, Way, run_host},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::display::{Broken, Display};

/// How often the display may show how things are.
const TICK: Duration = Duration::from_millis(100);

/// A host whose turn will come: how to reach it and what to send it are made when it does.
pub(crate) struct Job {
    /// Its name in the inventory.
    pub(crate) host: String,
    /// Makes the way, the start and the order; on a blocking thread, as it reads files.
    pub(crate) prepare: Box<dyn FnOnce() -> Result<Prepared, Failure> + Send>,
}

/// What it takes to run on a host.
pub(crate) struct Prepared {
    /// By which way it is reached.
    pub(crate) way: Way,
    /// How the helper is started there.
    pub(crate) start: Start,
    /// What it is sent.
    pub(crate) order: Order,
    /// What came up on the way and stops nothing.
    pub(crate) notes: Vec<String>,
}

/// Numbers and stamps events on their way into a display.
pub(crate) struct Stream<'d, 'w> {
    display: &'d mut Display<'w>,
    next: u64,
}

impl<'d, 'w> Stream<'d, 'w> {
    pub(crate) fn new(display: &'d mut Display<'w>) -> Self {
        Stream { display, next: 0 }
    }

    pub(crate) fn put(&mut self, what: RunEvent) -> Result<(), Broken> {
        let event = Event { seq: self.next, at: now(), what };
        self.next += 1;
        self.display.take(&event)
    }

    /// Runs all jobs, at most `forks` at a time, and puts what they say in order. An interruption (from the keyboard, or
    /// SIGTERM) stops scheduling, a second one ends the remote work.
    pub(crate) async fn run(&mut self, jobs: Vec<Job>, forks: NonZeroUsize) -> Result<(), Broken> {
        let names: Vec<String> = jobs.iter().map(|j| j.host.clone()).collect();
        let cancel = CancellationToken::new();
        let (stop, stopped) = watch::channel(Stop::No);
        let mut events = run_fleet(jobs, forks, cancel.clone(), move |job: Job, turn| {
            let stopped = stopped.clone();
            async move {
                let Job { host, prepare } = job;
                let prepared = tokio::task::spawn_blocking(prepare).await;
                match prepared {
                    Ok(Ok(Prepared { way, start, order, notes })) => {
                        for message in notes {
                            turn.emit(RunEvent::Warning { host: None, message }).await;
                        }
                        run_host(way, start, order, stopped, |event| turn.emit(event)).await;
                    }
                    Ok(Err(failure)) => turn.emit(RunEvent::Unreachable { host, failure }).await,
                    Err(panic) => {
                        let failure = Failure::new(format!("preparing the host broke off: {panic}"));
                        turn.emit(RunEvent::Unreachable { host, failure }).await;
                    }
                }
            }
        });
        // Heard of from here on, and not only while somebody waits for them.
        let mut pressed = signal(SignalKind::interrupt())?;
        let mut ended = signal(SignalKind::terminate())?;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // In this order, or a fleet with much to say would keep the keyboard and the clock waiting.
                biased;
                _ = ticks.tick() => self.display.tick(now())?,
                Some(()) = async { tokio::select! { key = pressed.recv() => key, end = ended.recv() => end } } => {
                    let kill = *stop.borrow() >= Stop::Schedule;
                    cancel.cancel();
                    self.put(RunEvent::Interrupted { kill })?;
                    stop.send_replace(if kill { Stop::Kill } else { Stop::Schedule });
                }
                event = events.recv() => match event {
                    None => return Ok(()),
                    Some(event) => self.fleet(event, &names)?,
                },
            }
        }
    }

    fn fleet(&mut self, event: FleetEvent<RunEvent, ()>, names: &[String]) -> Result<(), Broken> {
        let lost = |host: usize, why: String| RunEvent::Unreachable {
            host: names.get(host).cloned().unwrap_or_default(),
            failure: Failure::new(why),
        };
        match event {
            FleetEvent::Item { item, .. } => self.put(item),
            FleetEvent::Started { .. } | FleetEvent::Finished { .. } => Ok(()),
            FleetEvent::Panicked { host, message } => {
                self.put(lost(host, format!("a defect of this program: {message}")))
            }
            FleetEvent::Cancelled { host } => self.put(lost(host, NOT_BEGUN.into())),
        }
    }
}

/// Microseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
