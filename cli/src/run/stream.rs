//! The one place that puts the fleet's events in order: numbers them, stamps them, hands them to the display.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rectify_core::{
    event::{Event, Failure, IllegalTransition, RunEvent, RunState},
    rollout::Gather,
    text::chain,
    vault::Keyring,
};
use rectify_remote::{
    fleet::{FleetEvent, Gate, run_fleet},
    helper::Start,
    run::{NOT_BEGUN, Order, Stop, Way, run_host},
};
use rectify_server::store::{Recorder, StoreError};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::display::Display;

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

/// Takes the events of a run, in order.
pub(crate) trait Taker {
    /// Takes the next one.
    ///
    /// # Errors
    /// An event that is not legal; everything is then as if there had been none.
    fn take(&mut self, event: &Event) -> Result<(), IllegalTransition>;

    /// Is called again and again, also when nothing happens, with the time in microseconds since 1970.
    fn tick(&mut self, now: i64);
}

impl Taker for Display<'_> {
    fn take(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        Display::take(self, event)
    }

    fn tick(&mut self, now: i64) {
        Display::tick(self, now);
    }
}

impl Taker for RunState {
    fn take(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        self.apply(event)
    }

    fn tick(&mut self, _now: i64) {}
}

/// How far a run is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Halt {
    /// Not at all.
    #[default]
    No,
    /// No further host begins; those that run go on to their end.
    NoMore,
    /// Running commands are ended too.
    Now,
}

/// Who may interrupt a run.
pub(crate) enum Interrupts {
    /// The keyboard, and SIGTERM: the first lets running tasks end, the second ends them.
    Signals(Signal, Signal),
    /// Whoever this run is a part of: all that it does is asked to end, or no further host may begin in this run.
    Told { halt: watch::Receiver<Halt>, closed: watch::Receiver<bool> },
}

impl Interrupts {
    /// The keyboard, and SIGTERM. They are heard of from here on, and not only while somebody waits for them.
    ///
    /// # Errors
    /// If there are no signals.
    pub(crate) fn signals() -> std::io::Result<Self> {
        Ok(Interrupts::Signals(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    /// The next interruption after `before`, and how far it goes for hosts that run.
    async fn next(&mut self, before: Stop) -> Stop {
        match self {
            Interrupts::Signals(pressed, ended) => {
                let heard = async {
                    tokio::select! { key = pressed.recv() => key, end = ended.recv() => end }
                };
                if heard.await.is_none() {
                    std::future::pending::<()>().await;
                }
                if before >= Stop::Schedule { Stop::Kill } else { Stop::Schedule }
            }
            Interrupts::Told { halt, closed } => tokio::select! {
                Ok(()) = halt.changed() => if *halt.borrow_and_update() == Halt::Now { Stop::Kill } else { Stop::No },
                Ok(()) = closed.changed() => before,
                else => std::future::pending().await,
            },
        }
    }
}

/// Numbers and stamps events on their way to whoever takes them.
pub(crate) struct Stream<'d, T> {
    taker: &'d mut T,
    keyring: Arc<Keyring>,
    next: u64,
    /// Hosts that are not listened to any more, by their places in the list of jobs.
    expelled: HashSet<usize>,
    /// Writes the run down, as long as that works.
    recorder: Option<Recorder>,
    /// What the run saw of settings.
    pub(crate) gather: Gather,
}

impl<'d, T: Taker> Stream<'d, T> {
    pub(crate) fn new(taker: &'d mut T, keyring: Arc<Keyring>) -> Self {
        Stream { taker, keyring, next: 0, expelled: HashSet::new(), recorder: None, gather: Gather::default() }
    }

    /// Puts an event behind the ones before.
    ///
    /// # Errors
    /// An event that is not legal here; it then has no place in the stream.
    pub(crate) fn put(&mut self, what: RunEvent) -> Result<(), IllegalTransition> {
        let event = Event { seq: self.next, at: now(), what: self.masked(what) };
        self.taker.take(&event)?;
        self.gather.take(&event);
        self.next += 1;
        let recorded = self.recorder.as_mut().map_or(Ok(()), |recorder| recorder.take(&event));
        self.lose_record(recorded)
    }

    /// Has every event written down from here on.
    pub(crate) fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// Ends the record.
    ///
    /// # Errors
    /// A disk that is full or gone.
    pub(crate) fn end_record(&mut self) -> Result<(), StoreError> {
        self.recorder.take().map_or(Ok(()), |recorder| recorder.finish().map(drop))
    }

    /// A record that cannot be written is told of, and stops nothing.
    fn lose_record(&mut self, written: Result<(), StoreError>) -> Result<(), IllegalTransition> {
        let Err(error) = written else { return Ok(()) };
        self.recorder = None;
        let message = format!("the rest of this run is not recorded: {}", chain(&error));
        self.put(RunEvent::Warning { host: None, message })
    }

    /// Shows how things are, and sees to it that what was said is on the disk.
    fn tick(&mut self) -> Result<(), IllegalTransition> {
        self.taker.tick(now());
        let written = self.recorder.as_mut().map_or(Ok(()), Recorder::tick);
        self.lose_record(written)
    }

    /// What this program itself says of a host, without secrets; the helper's events come masked.
    fn masked(&self, what: RunEvent) -> RunEvent {
        if self.keyring.secrets().is_empty() {
            return what;
        }
        let masker = self.keyring.secrets().masker();
        match what {
            RunEvent::Unreachable { host, failure } => RunEvent::Unreachable { host, failure: failure.masked(&masker) },
            RunEvent::Warning { host, message } => RunEvent::Warning { host, message: masker.apply(&message) },
            other => other,
        }
    }

    /// Runs all jobs, as many at a time as `gate` lets through, and puts what they say in order. After an interruption no host begins.
    pub(crate) async fn run(&mut self, jobs: Vec<Job>, gate: Gate, mut interrupts: Interrupts) -> anyhow::Result<()> {
        let names: Vec<String> = jobs.iter().map(|j| j.host.clone()).collect();
        let cancel = CancellationToken::new();
        let (stop, stopped) = watch::channel(Stop::No);
        let mut events = run_fleet(jobs, gate, cancel.clone(), move |job: Job, turn| {
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
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // In this order, or a fleet with much to say would keep the keyboard and the clock waiting.
                biased;
                _ = ticks.tick() => self.tick()?,
                further = { let before = *stop.borrow(); interrupts.next(before) } => {
                    cancel.cancel();
                    self.put(RunEvent::Interrupted { kill: further == Stop::Kill })?;
                    stop.send_replace(further);
                }
                event = events.recv() => match event {
                    None => return Ok(()),
                    Some(event) => self.fleet(event, &names)?,
                },
            }
        }
    }

    fn fleet(&mut self, event: FleetEvent<RunEvent, ()>, names: &[String]) -> Result<(), IllegalTransition> {
        let lost = |host: usize, why: String| RunEvent::Unreachable {
            host: names.get(host).cloned().unwrap_or_default(),
            failure: Failure::new(why),
        };
        match event {
            FleetEvent::Item { host, .. } if self.expelled.contains(&host) => Ok(()),
            FleetEvent::Item { host, item } => match self.put(item) {
                // What a host says is its own affair: it is lost, the others go on.
                Err(illegal) => {
                    self.expelled.insert(host);
                    self.put(lost(host, format!("the helper broke the contract of its events: {}", illegal.why)))
                }
                taken => taken,
            },
            FleetEvent::Started { .. } | FleetEvent::Finished { .. } => Ok(()),
            FleetEvent::Panicked { host, message } => {
                self.put(lost(host, format!("a defect of this program: {message}")))
            }
            FleetEvent::Cancelled { host } => self.put(lost(host, NOT_BEGUN.into())),
        }
    }
}

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rectify_core::plan::Mode;

    use super::*;
    use crate::{
        display::{Options, Output},
        theme::Theme,
    };

    #[test]
    fn a_host_that_breaks_the_contract_is_lost_and_the_others_go_on() {
        let plain = Theme::new(false);
        let options = Options {
            output: Output::Json,
            verbose: 0,
            diff: false,
            inventory: String::new(),
            again: String::new(),
            screen: None,
            width: None,
            stdout: plain,
            stderr: plain,
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut display = Display::new(options, &mut out, &mut err);
        let mut stream = Stream::new(&mut display, Arc::default());
        let names = ["good".to_owned(), "bad".to_owned()];
        stream
            .put(RunEvent::Started {
                run: "r".into(),
                mode: Mode::Apply,
                playbooks: Vec::new(),
                hosts: names.to_vec(),
                version: "0".into(),
            })
            .unwrap();
        let mut say = |host: usize, item: RunEvent| stream.fleet(FleetEvent::Item { host, item }, &names).unwrap();
        let begun = |host: &str| RunEvent::Connecting { host: host.into() };
        say(0, begun("good"));
        say(1, begun("bad"));
        // It never connected; what it says afterwards is not listened to.
        say(1, RunEvent::HostFinished { host: "bad".into() });
        say(1, RunEvent::HostFinished { host: "bad".into() });
        say(0, RunEvent::Connected { host: "good".into(), tasks: Vec::new() });
        say(0, RunEvent::HostFinished { host: "good".into() });
        stream.put(RunEvent::Finished).unwrap();
        let (state, written) = display.finish();
        written.unwrap();
        assert_eq!(state.exit_code(), 4);
        let said = String::from_utf8(out).unwrap();
        assert!(said.contains("broke the contract") && said.lines().count() == 7, "{said}");
    }
}
