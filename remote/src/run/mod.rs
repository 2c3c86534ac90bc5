//! One host's part of a run: connect, start the helper, hand over the plan, pass its events on.
//!
//! ```text
//! Order (frames, made beforehand) ─► connect ─► helper ─► hello checked ─► events … ─► done
//!                                       │ what fails on the way is the host's `Unreachable`
//! ```

mod order;
mod words;

use std::{future::Future, time::Duration};

use rectify_core::{
    event::{Failure as Words, HostEvent, RunEvent, TaskInfo},
    plan::TaskId,
    wire::{self, FromHost, Hello, PROTOCOL, ToHost},
};
use tokio::{sync::watch, time::Instant};

pub use order::{BlobSource, Order, OrderError};
pub use words::words;

use crate::{
    RemoteError,
    exchange::{self, Exchange, FrameReceiver, FrameSender},
    helper::Start,
    session::{Connector, Target, Timeouts},
};

/// What is said of a host that was not reached because the operator interrupted the run, and for no other reason.
pub const NOT_BEGUN: &str = "interrupted before the host was reached";

/// How long a helper that was told to end at once may say nothing before the host is given up.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// By which way a host is reached.
#[derive(Clone)]
pub enum Way {
    /// This machine, without SSH.
    Local(Timeouts),
    /// SSH.
    Ssh(Connector, Box<Target>),
}

impl Way {
    fn times(&self) -> &Timeouts {
        match self {
            Way::Local(times) => times,
            Way::Ssh(_, target) => &target.timeouts,
        }
    }
}

/// How far the operator has interrupted the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stop {
    /// Not at all.
    #[default]
    No,
    /// Nothing new begins.
    Schedule,
    /// Running commands are ended too.
    Kill,
}

/// Runs an order on its host and says what happens, from `Connecting` to `HostFinished` or `Unreachable`. Ends by itself
/// once the helper has; an interruption is passed on to the helper, and one that comes before there is a helper leaves the
/// host unreached.
pub async fn run_host<E, F>(way: Way, start: Start, order: Order, mut stop: watch::Receiver<Stop>, emit: E)
where
    E: Fn(RunEvent) -> F,
    F: Future<Output = ()>,
{
    let host = order.host.clone();
    let patience = way.times().patience();
    emit(RunEvent::Connecting { host: host.clone() }).await;
    let opened = tokio::select! {
        opened = open(&way, start, &order) => opened,
        () = stopped(&mut stop) => {
            return emit(RunEvent::Unreachable { host, failure: Words::new(NOT_BEGUN) }).await;
        }
    };
    let ended = match opened {
        Ok((sender, receiver)) => {
            emit(RunEvent::Connected { host: host.clone(), tasks: order.tasks.clone() }).await;
            let mut running = Vec::new();
            let ended = relay(&host, sender, receiver, patience, &mut running, &mut stop, &emit).await;
            ended.map_err(|words| while_running(words, &running, &order.tasks))
        }
        Err(error) => Err(words(&error)),
    };
    emit(match ended {
        Ok(()) => RunEvent::HostFinished { host },
        Err(failure) => RunEvent::Unreachable { host, failure },
    })
    .await;
}

/// With the tasks that were running: nobody knows how far they came.
fn while_running(mut words: Words, running: &[TaskId], tasks: &[TaskInfo]) -> Words {
    for task in tasks.iter().filter(|task| running.contains(&task.id)) {
        words.causes.push(format!("while running `{}` ({}:{})", task.name, task.origin.file, task.origin.line));
    }
    words
}

async fn stopped(stop: &mut watch::Receiver<Stop>) {
    // A sender that is gone interrupts nothing any more.
    if further(stop, Stop::No).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The next interruption after `told`; an error once nobody can interrupt any more.
async fn further(stop: &mut watch::Receiver<Stop>, told: Stop) -> Result<Stop, watch::error::RecvError> {
    // The borrow must not live across an await: it is a lock.
    stop.wait_for(|s| *s > told).await.map(|s| *s)
}

async fn open(way: &Way, mut start: Start, order: &Order) -> Result<(FrameSender, FrameReceiver), RemoteError> {
    let ahead = order.is_small();
    if ahead {
        start.opening = order.frames.iter().map(|f| f.to_vec()).collect();
    }
    let Exchange { mut sender, mut receiver } = match way {
        Way::Local(times) => exchange::here(&order.host, &start, *times).await?,
        Way::Ssh(connector, target) => exchange::over(connector.connect(target).await?, &start).await?,
    };
    let Some(frame) = receiver.receive().await? else { return Err(receiver.lost().await) };
    let protocol = |reason: String| {
        RemoteError::new(&*order.host, crate::Failure::Protocol { doing: "greeting the helper".into(), reason })
    };
    let hello: Hello =
        serde_json::from_slice(&frame).map_err(|e| protocol(format!("its hello cannot be read: {e}")))?;
    if hello.protocol != PROTOCOL {
        return Err(protocol(format!(
            "it speaks version {} of the protocol (rectify {}), this program version {PROTOCOL}",
            hello.protocol, hello.version
        )));
    }
    if !ahead {
        for frame in &order.frames {
            sender.send(frame.clone()).await?;
        }
    }
    Ok((sender, receiver))
}

/// Passes events on until the helper is done.
async fn relay<E, F>(
    host: &str,
    mut sender: FrameSender,
    mut receiver: FrameReceiver,
    patience: Option<Duration>,
    running: &mut Vec<TaskId>,
    stop: &mut watch::Receiver<Stop>,
    emit: &E,
) -> Result<(), Words>
where
    E: Fn(RunEvent) -> F,
    F: Future<Output = ()>,
{
    let mut killed = false;
    let mut told = Stop::No;
    let mut heard = Instant::now();
    loop {
        let frame = tokio::select! {
            frame = receiver.receive() => frame,
            () = tokio::time::sleep_until(heard + LAST_WORDS), if killed => {
                let seconds = LAST_WORDS.as_secs();
                return Err(Words::new(format!(
                    "interrupted, and the helper did not end within {seconds} s: what it was doing there is not known"
                )));
            }
            () = tokio::time::sleep_until(heard + patience.unwrap_or_default()), if !killed && patience.is_some() => {
                let seconds = patience.unwrap_or_default().as_secs();
                let words = Words::new(format!("the helper has said nothing for {seconds} s: it hangs, or the machine does"));
                return Err(words.hinting("ServerAliveInterval and ServerAliveCountMax of ssh_config say how long to wait"));
            }
            changed = further(stop, told), if told < Stop::Kill => {
                match changed {
                    Ok(now) => {
                        told = now;
                        let cancel = ToHost::Cancel { kill: now == Stop::Kill };
                        if let Ok(frame) = wire::encode(&cancel) {
                            // A channel that is gone shows at the next receive.
                            let _ = sender.send(frame).await;
                        }
                        if now == Stop::Kill {
                            (killed, heard) = (true, Instant::now());
                            sender.finish().await;
                        }
                    }
                    // Nobody can interrupt any more.
                    Err(_) => told = Stop::Kill,
                }
                continue;
            }
        };
        let frame = match frame {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err(words(&receiver.lost().await)),
            Err(error) => return Err(words(&error)),
        };
        let said = wire::decode::<FromHost>(&frame);
        // Who was told to end must do so: being alive is not enough then.
        if !killed || !matches!(said, Ok(FromHost::Alive)) {
            heard = Instant::now();
        }
        match said {
            Ok(FromHost::Event(what)) => {
                match &what {
                    HostEvent::TaskStarted { task, .. } => running.push(*task),
                    HostEvent::TaskFinished { task, .. } => running.retain(|t| t != task),
                    _ => {}
                }
                emit(RunEvent::Host { host: host.to_owned(), what }).await;
            }
            Ok(FromHost::Alive) => {}
            Ok(FromHost::Done) => return Ok(()),
            Ok(FromHost::Fatal(message)) => return Err(Words::new(format!("the helper gave up: {message}"))),
            Err(error) => return Err(Words::new(format!("the helper sent what cannot be read: {error}"))),
        }
    }
}
