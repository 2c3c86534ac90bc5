//! The helper's side of the exchange: hello, plan and blobs in, events out.
//!
//! One thread reads what the controller sends, for as long as the channel lives: a cancellation may come at any time, and
//! the end of the channel ends the run. The plan runs on the thread that called [`serve`].

use std::{
    io::{Read, Write},
    sync::{Arc, Mutex, PoisonError, Weak, mpsc},
};

use rectify_core::{
    arg::Arg,
    event::HostEvent,
    module::Registry,
    plan::{Plan, Task},
    wire::{self, BEAT, FromHost, Hello, ToHost, WireError},
};

use crate::{
    engine::{self, Cancel},
    host::live::{Blobs, Live},
};

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The plan is through.
    Done,
    /// The controller went away, or what it sent made no sense; the reason was reported if anyone listens.
    Failed,
}

/// Serves one exchange: says hello, takes a plan, runs it.
pub fn serve(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    hello: &Hello,
    registry: Registry,
) -> Ended {
    let output = Arc::new(Output(Mutex::new(output)));
    let (send, received) = mpsc::channel();
    let cancel = Arc::new(Cancel::default());
    let live: Arc<Mutex<Option<Arc<Live>>>> = Arc::default();
    if output.hello(hello).is_err() {
        return Ended::Failed;
    }
    {
        let (cancel, live) = (Arc::clone(&cancel), Arc::clone(&live));
        std::thread::spawn(move || listen(input, &send, &cancel, &live));
    }
    let (plan, blobs) = match gather(&received) {
        Ok(Some(order)) => order,
        Ok(None) => return Ended::Failed,
        Err(message) => {
            output.send(&FromHost::Fatal(message));
            return Ended::Failed;
        }
    };
    let machine = Arc::new(Live::new(blobs));
    machine.expect_units(plan.tasks.iter().filter_map(unit_of));
    *live.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&machine));
    beat(Arc::downgrade(&output));
    let emit = |event: HostEvent| output.send(&FromHost::Event(event));
    engine::perform(plan, registry, &*machine, &cancel, &emit);
    output.send(&FromHost::Done);
    Ended::Done
}

/// Says every now and then that the helper is there, until the exchange is over: a task may be silent for hours, and a helper that
/// hangs must not be taken for one.
fn beat<W: Write + Send + 'static>(output: Weak<Output<W>>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(BEAT);
            match output.upgrade() {
                Some(output) => output.send(&FromHost::Alive),
                None => return,
            }
        }
    });
}

/// The unit that a task is about, where it says so in as many words.
fn unit_of(task: &Task) -> Option<&str> {
    let (true, Arg::Map(args)) = (task.module == "service", &task.args) else { return None };
    ["name", "service", "unit"].iter().find_map(|key| match args.get(*key)? {
        Arg::Scalar(name) => Some(name.text.as_str()),
        _ => None,
    })
}

/// Passes on what belongs to the order, and acts on cancellations at once.
fn listen(
    mut input: impl Read,
    order: &mpsc::Sender<Result<ToHost, String>>,
    cancel: &Cancel,
    live: &Mutex<Option<Arc<Live>>>,
) {
    let stop = |kill: bool| {
        if kill {
            cancel.kill()
        } else {
            cancel.stop()
        }
        if let (true, Some(live)) = (kill, &*live.lock().unwrap_or_else(PoisonError::into_inner)) {
            live.kill_commands();
        }
    };
    loop {
        let message = wire::read_frame(&mut input).and_then(|frame| frame.map(|f| wire::decode(&f)).transpose());
        match message {
            Ok(Some(ToHost::Cancel { kill })) => stop(kill),
            Ok(Some(message)) => {
                // Nobody takes it any more: the run has begun, or is over.
                let _ = order.send(Ok(message));
            }
            Ok(None) | Err(WireError::Io(_)) => return stop(true),
            Err(error) => {
                let _ = order.send(Err(format!("what the controller sent cannot be read: {error}")));
                return stop(true);
            }
        }
    }
}

/// Collects the plan and its blobs up to the word to begin; `None` if the channel ends before that.
fn gather(received: &mpsc::Receiver<Result<ToHost, String>>) -> Result<Option<(Plan, Blobs)>, String> {
    let mut plan: Option<Plan> = None;
    let mut blobs = Blobs::new();
    let mut whole = std::collections::BTreeSet::new();
    while let Ok(message) = received.recv() {
        match message? {
            ToHost::Plan(given) => plan = Some(*given),
            ToHost::Blob { sha256, bytes, last } => {
                blobs.piece(&sha256, &bytes, last).map_err(|e| e.to_string())?;
                if last {
                    whole.insert(sha256);
                }
            }
            ToHost::Cancel { .. } => {}
            ToHost::Go => {
                let plan = plan.ok_or("the controller said go before it sent a plan")?;
                if let Some(missing) = plan.blobs.keys().find(|sha256| !whole.contains(*sha256)) {
                    return Err(format!("the file with the hash {missing} did not come with the plan"));
                }
                return Ok(Some((plan, blobs)));
            }
        }
    }
    Ok(None)
}

/// The channel to the controller. Once it fails, nothing more is written: the listener ends the run.
struct Output<W>(Mutex<W>);

impl<W: Write> Output<W> {
    fn hello(&self, hello: &Hello) -> Result<(), WireError> {
        let mut to = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = serde_json::to_vec(hello).map_err(|e| WireError::Decode(e.to_string()))?;
        wire::write_frame(&mut *to, &frame)
    }

    fn send(&self, message: &FromHost) {
        let mut to = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = wire::encode(message).or_else(|error| {
            let notice = HostEvent::Notice { task: None, message: format!("an event could not be sent: {error}") };
            wire::encode(&FromHost::Event(notice))
        });
        if let Ok(frame) = frame {
            // The controller is gone: the listener sees the same and ends the run.
            let _ = wire::write_frame(&mut *to, &frame);
        }
    }
}
