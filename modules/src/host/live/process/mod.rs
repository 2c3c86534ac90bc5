//! Running programs: by words, with a small fixed environment, each in a process group of its own.
//!
//! ```text
//! spawn ──► registered ──► waited for (not yet reaped) ──► taken off the register ──► reaped
//!              ▲                                              a group's number is never signalled after it was freed
//!            kill_all: TERM, a grace, KILL
//! ```
//!
//! A program dies with the helper, and with a second Ctrl-C. A package transaction does neither: it is *shielded*, because a
//! late end is better than a half-unpacked package.

mod drain;
mod spawn;

use std::{
    collections::BTreeSet,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rectify_core::module::{HostError, HostResult, Output};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};
pub(super) use spawn::Identity;

/// The search path of every program.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The most of each output that is kept, in bytes.
pub(super) const KEPT: usize = 16 << 20;

/// How long a program has to end by itself after it was told to.
const GRACE: Duration = Duration::from_secs(5);

/// A program, ready to run: nothing is looked up any more.
pub(super) struct Job<'a> {
    pub(super) argv: &'a [String],
    pub(super) stdin: &'a [u8],
    pub(super) env: Vec<(String, String)>,
    pub(super) cwd: &'a std::path::Path,
    pub(super) identity: Option<Identity>,
    pub(super) umask: Option<u32>,
    /// Not ended with the helper and not by [`Processes::kill_all`].
    pub(super) shielded: bool,
}

#[derive(Default)]
struct State {
    groups: BTreeSet<i32>,
    killed: bool,
}

/// The programs that run now.
#[derive(Default)]
pub(super) struct Processes {
    state: Mutex<State>,
    ended: Condvar,
}

impl Processes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every program that runs, with its children, and lets no other begin. Returns when they are gone, or have been
    /// sent the signal that cannot be refused.
    pub(super) fn kill_all(&self) {
        let mut state = self.lock();
        state.killed = true;
        signal_all(&state, Signal::TERM);
        let (state, timeout) = self
            .ended
            .wait_timeout_while(state, GRACE, |state| !state.groups.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            signal_all(&state, Signal::KILL);
        }
    }

    /// Runs a program to its end.
    pub(super) fn run(&self, job: &Job<'_>) -> HostResult<Output> {
        let (done, finish) = drain::signal(job)?;
        let mut state = self.lock();
        if state.killed {
            return Err(HostError::Cancelled);
        }
        let mut started = spawn::spawn(job)?;
        let pid = Pid::from_child(&started.child);
        if !job.shielded {
            state.groups.insert(pid.as_raw_pid());
        }
        drop(state);

        let mut output = Output::default();
        let status = std::thread::scope(|scope| {
            let pipes = started.pipes(job);
            let draining = scope.spawn(move || drain::drain(pipes, job.stdin, &done));
            // Ended, but still holding its number, so that nobody else's group can be hit.
            while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
            self.lock().groups.remove(&pid.as_raw_pid());
            self.ended.notify_all();
            let status = started.child.wait();
            drop(finish);
            output = draining.join().expect("draining does not panic");
            status
        });
        let status = status.map_err(|e| spawn::failed("waiting for", job, &e))?;
        if let Some(files) = started.files() {
            files.read(&mut output);
        }
        output.code = spawn::code(status);
        if self.lock().killed && !job.shielded && !status.success() { Err(HostError::Cancelled) } else { Ok(output) }
    }
}

fn signal_all(state: &State, signal: Signal) {
    for group in state.groups.iter().filter_map(|g| Pid::from_raw(*g)) {
        let _ = kill_process_group(group, signal);
    }
}
