//! Feeding a program and hearing it out, both at once, without ever holding more than is kept.

use std::{
    io::{PipeReader, PipeWriter},
    os::fd::{AsFd, OwnedFd},
};

use rectify_core::module::{HostResult, Output};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::{Errno, ioctl_fionbio, read, write},
};

use super::{Job, KEPT, spawn::failed};

/// The most that is read after a program ended: what the largest pipe can hold (pipe(7)). Children that it left behind may
/// write for ever.
const LEFT_OVER: usize = 1 << 20;

/// Our ends of a program's standard streams.
pub(super) struct Pipes {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

/// A pair whose first end becomes readable when the second is dropped.
pub(super) fn signal(job: &Job<'_>) -> HostResult<(PipeReader, PipeWriter)> {
    std::io::pipe().map_err(|e| failed("starting", job, &e))
}

/// Feeds `input` and collects the outputs until both are closed, or until `done` says that the program has ended and what it
/// wrote has been read.
pub(super) fn drain(mut pipes: Pipes, input: &[u8], done: &PipeReader) -> Output {
    let mut output = Output::default();
    let mut fed = 0;
    for pipe in [&pipes.stdin, &pipes.stdout, &pipes.stderr].into_iter().flatten() {
        // A pipe of ours takes this always.
        let _ = ioctl_fionbio(pipe, true);
    }
    let mut buffer = vec![0u8; 1 << 16];
    while pipes.stdout.is_some() || pipes.stderr.is_some() || pipes.stdin.is_some() {
        let ended = wait(&pipes, done);
        if let Some(pipe) = &pipes.stdin {
            match write(pipe, &input[fed..]) {
                Ok(n) => fed += n,
                Err(Errno::AGAIN | Errno::INTR) => {}
                // It does not want to hear more.
                Err(_) => fed = input.len(),
            }
            if fed >= input.len() || ended {
                pipes.stdin = None;
            }
        }
        let budget = if ended { LEFT_OVER } else { buffer.len() };
        let Output { stdout, stderr, truncated, .. } = &mut output;
        for (pipe, into) in [(&mut pipes.stdout, stdout), (&mut pipes.stderr, stderr)] {
            if take(pipe, into, truncated, budget, &mut buffer) || ended {
                *pipe = None;
            }
        }
    }
    output
}

/// Waits until something can be done; says whether the program has ended.
fn wait(pipes: &Pipes, done: &PipeReader) -> bool {
    let mut fds = vec![PollFd::new(done, PollFlags::IN)];
    for pipe in [&pipes.stdout, &pipes.stderr].into_iter().flatten() {
        fds.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
    }
    if let Some(pipe) = &pipes.stdin {
        fds.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::OUT));
    }
    loop {
        match poll(&mut fds, None) {
            Err(Errno::INTR) => {}
            // Without poll there is only reading until the end.
            Err(_) => return false,
            Ok(_) => return !fds[0].revents().is_empty(),
        }
    }
}

/// Reads what is there, up to `budget` bytes; says whether the stream has ended.
fn take(
    pipe: &mut Option<OwnedFd>,
    into: &mut Vec<u8>,
    truncated: &mut bool,
    mut budget: usize,
    buffer: &mut [u8],
) -> bool {
    let Some(fd) = pipe else { return true };
    while budget > 0 {
        match read(&*fd, &mut *buffer) {
            Ok(0) => return true,
            Ok(n) => {
                let room = KEPT - into.len();
                into.extend_from_slice(&buffer[..n.min(room)]);
                *truncated |= n > room;
                budget = budget.saturating_sub(n);
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return false,
            Err(_) => return true,
        }
    }
    false
}
