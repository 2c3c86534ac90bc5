//! Starting a program.

use std::{
    fs::File,
    io::{Read, Seek},
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
};

use rectify_core::module::{HostError, HostResult, Output};
use rustix::{
    fs::{MemfdFlags, Mode, memfd_create},
    io::Errno,
    process::{Gid, Signal, Uid},
};

use super::{
    super::text::{io_about, sanitize, show},
    Job, KEPT, PATH,
    drain::Pipes,
};

/// An account to run as.
#[derive(Debug, Clone)]
pub(in super::super) struct Identity {
    pub(in super::super) uid: u32,
    pub(in super::super) gid: u32,
    /// All supplementary groups.
    pub(in super::super) groups: Vec<u32>,
}

/// A program that has begun.
pub(super) struct Started {
    pub(super) child: Child,
    files: Option<Files>,
}

/// Where a shielded program writes: not into pipes, which would break with the helper and take the program with them.
pub(super) struct Files {
    out: File,
    err: File,
}

impl Files {
    pub(super) fn read(self, output: &mut Output) {
        for (mut file, into) in [(self.out, &mut output.stdout), (self.err, &mut output.stderr)] {
            let _ = file.rewind();
            let _ = file.by_ref().take(KEPT as u64).read_to_end(into);
            output.truncated |= file.metadata().is_ok_and(|m| m.len() > KEPT as u64);
        }
    }
}

impl Started {
    pub(super) fn pipes(&mut self, job: &Job<'_>) -> Pipes {
        let stdin = self.child.stdin.take().filter(|_| !job.stdin.is_empty());
        Pipes {
            stdin: stdin.map(OwnedFd::from),
            stdout: self.child.stdout.take().map(OwnedFd::from),
            stderr: self.child.stderr.take().map(OwnedFd::from),
        }
    }

    pub(super) fn files(&mut self) -> Option<Files> {
        self.files.take()
    }
}

/// Starts it.
pub(super) fn spawn(job: &Job<'_>) -> HostResult<Started> {
    let Some(program) = job.argv.first().filter(|p| !p.is_empty()) else {
        return Err(HostError::Unsupported("a command without a program".into()));
    };
    if !job.cwd.is_dir() {
        return Err(io_about("changing to the folder", show(job.cwd), Errno::NOENT));
    }
    let mut command = Command::new(program);
    command.args(&job.argv[1..]).env_clear().envs(job.env.iter().map(|(k, v)| (k, v))).current_dir(job.cwd);
    command.process_group(0);
    command.stdin(if job.stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
    let files = if job.shielded {
        let (out, err) = (memory(job)?, memory(job)?);
        let clone = |file: &File| file.try_clone().map_err(|e| failed("starting", job, &e));
        command.stdout(clone(&out)?).stderr(clone(&err)?);
        Some(Files { out, err })
    } else {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        None
    };
    prepare(&mut command, job);
    match command.spawn() {
        Ok(child) => Ok(Started { child, files }),
        Err(e) if e.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {
            let wherein = if program.contains('/') { String::new() } else { format!(" in {PATH}") };
            Err(HostError::Io {
                action: "running".into(),
                object: sanitize(program.as_bytes()),
                message: format!("no such program{wherein}"),
                errno: e.raw_os_error(),
            })
        }
        Err(e) => Err(failed("running", job, &e)),
    }
}

fn memory(job: &Job<'_>) -> HostResult<File> {
    let fd = memfd_create("rectify-output", MemfdFlags::CLOEXEC).map_err(|e| failed("starting", job, &e.into()))?;
    Ok(File::from(fd))
}

/// What is done between fork and exec: identity, mask, and dying with the helper.
fn prepare(command: &mut Command, job: &Job<'_>) {
    let identity = job.identity.as_ref().map(|i| {
        let groups: Vec<Gid> = i.groups.iter().map(|g| Gid::from_raw(*g)).collect();
        (Uid::from_raw(i.uid), Gid::from_raw(i.gid), groups)
    });
    let umask = job.umask.map(|mask| Mode::from_raw_mode(mask & 0o777));
    let shielded = job.shielded;
    let helper = rustix::process::getpid();
    let child = move || {
        if let Some((uid, gid, groups)) = &identity {
            rustix::thread::set_thread_groups(groups)?;
            rustix::thread::set_thread_gid(*gid)?;
            rustix::thread::set_thread_uid(*uid)?;
        }
        if let Some(mask) = umask {
            rustix::process::umask(mask);
        }
        if !shielded {
            // After the change of identity, which clears it (PR_SET_PDEATHSIG(2const)).
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // It may have died in between.
            if rustix::process::getppid() != Some(helper) {
                return Err(Errno::CANCELED.into());
            }
        }
        Ok(())
    };
    #[expect(
        unsafe_code,
        reason = "the closure makes system calls only: no allocation, no lock, nothing of other threads"
    )]
    // SAFETY: after fork(2) only async-signal-safe calls are allowed; rustix's are raw system calls, and what the closure
    // reads was allocated before.
    unsafe {
        command.pre_exec(child);
    }
}

/// An error about a program.
pub(super) fn failed(action: &str, job: &Job<'_>, error: &std::io::Error) -> HostError {
    let program = job.argv.first().map(String::as_str).unwrap_or_default();
    let errno = Errno::from_io_error(error).unwrap_or(Errno::IO);
    io_about(action, sanitize(program.as_bytes()), errno)
}

/// The exit status, or 128 plus the signal.
pub(super) fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
