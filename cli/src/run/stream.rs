//! The one place that puts the fleet's events in order: numbers them, stamps them, hands them to the display.

use std::{
    num::NonZeroUsize,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rectify_core::event::{Event, Failure, RunEvent};
use rectify_remote::{
    fleet::{FleetEvent, run_fleet},
    helper::Start,
    run::{Order, Stop, Way, run_host},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::display::{Broken, Display};

/// A host whose turn will come: how to reach it and what to send it are made when it does.
pub(crate) struct Job {
    /// Its name in the inventory.
    pub(crate) host: String,
    /// Makes the way, the start and the order; on a blocking thread, as it reads files.
    pub(crate) prepare: Box<dyn FnOnce() -> Result<Prepared, Failure> + Send>,
}

/// By which way a host is reached, how the helper is started there, and what it is sent.
pub(crate) type Prepared = (Way, Start, Order);

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
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let event = Event { seq: self.next, at: i64::try_from(since.as_micros()).unwrap_or(i64::MAX), what };
        self.next += 1;
        self.display.take(&event)
    }

    /// Runs all jobs, at most `forks` at a time, and puts what they say in order. An interruption from the keyboard stops
    /// scheduling, a second one ends the remote work.
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
                    Ok(Ok((way, start, order))) => {
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
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    None => return Ok(()),
                    Some(event) => self.fleet(event, &names)?,
                },
                pressed = tokio::signal::ctrl_c() => {
                    if pressed.is_ok() {
                        let kill = *stop.borrow() >= Stop::Schedule;
                        cancel.cancel();
                        self.put(RunEvent::Interrupted { kill })?;
                        stop.send_replace(if kill { Stop::Kill } else { Stop::Schedule });
                    }
                }
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
            FleetEvent::Cancelled { host } => self.put(lost(host, "interrupted before the host's turn".into())),
        }
    }
}
