//! A process at the other end of something: its input, its outputs, how it ended.

use std::{process::Stdio, sync::Arc, time::Duration};

use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Pty, client::Msg};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, ChildStdin, ChildStdout, Command},
    sync::watch,
    time::timeout,
};
use tokio_util::{
    bytes::{Bytes, BytesMut},
    sync::{CancellationToken, DropGuard},
};

use super::Session;
use crate::{Failure, text::Tail};

/// One message's worth of data: russh is several times slower with smaller and no faster with larger ones.
const SLICE: usize = 32 << 10;

/// A running process.
pub(crate) struct Process {
    pub(crate) input: Input,
    pub(crate) output: Output,
}

/// A process's standard input.
pub(crate) struct Input {
    to: To,
    closed: watch::Receiver<Option<String>>,
    progress: Duration,
    _keep: Arc<Keep>,
}

enum To {
    Channel(ChannelWriteHalf<Msg>),
    Pipe(Option<ChildStdin>),
}

/// A process's outputs.
pub(crate) struct Output {
    from: From,
    closed: watch::Receiver<Option<String>>,
    ended: Option<String>,
    /// The last words on standard error.
    pub(crate) stderr: Tail,
    _keep: Arc<Keep>,
}

enum From {
    Channel(ChannelReadHalf),
    Pipes { stdout: Option<ChildStdout>, stderr: Option<ChildStderr> },
}

/// What a process produced.
#[derive(Debug)]
pub(crate) enum Chunk {
    Stdout(Bytes),
    Stderr(Bytes),
}

/// What ends with the last half of the process.
#[expect(dead_code, reason = "held for its drop")]
enum Keep {
    Session(Box<Session>),
    Child(DropGuard),
}

impl Process {
    /// Runs a command in a session channel. The session ends with the process.
    pub(crate) async fn over(session: Session, command: &str, pty: bool) -> Result<Self, Failure> {
        let times = session.timeouts;
        let opened = session.answered("opening a channel", session.handle.channel_open_session()).await?;
        let channel = opened.map_err(|e| session.broken("opening a channel", e))?;
        let (read, write) = channel.split();
        let start = async {
            if pty {
                // Nothing may change the bytes on their way, not even before the shell has said so itself.
                let modes =
                    [Pty::ECHO, Pty::ECHOE, Pty::ECHOK, Pty::ECHONL, Pty::OPOST, Pty::ONLCR].map(|mode| (mode, 0));
                write.request_pty(false, "dumb", 80, 24, 0, 0, &modes).await?;
            }
            // The reply is not waited for: the first data follow at once, and a refusal is met when reading.
            write.exec(true, command).await
        };
        let started = session.answered("starting a command", start).await?;
        started.map_err(|e| session.broken("starting a command", e))?;
        let closed = session.closed.clone();
        let keep = Arc::new(Keep::Session(Box::new(session)));
        let input = Input {
            to: To::Channel(write),
            closed: closed.clone(),
            progress: times.progress,
            _keep: Arc::clone(&keep),
        };
        let output = Output { from: From::Channel(read), closed, ended: None, stderr: Tail::default(), _keep: keep };
        Ok(Self { input, output })
    }

    /// Runs a shell command on this machine. It is killed when both halves are dropped.
    pub(crate) fn here(command: &str, progress: Duration) -> Result<Self, Failure> {
        let failed = |reason: String| Failure::Lost { reason: format!("cannot start /bin/sh: {reason}") };
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (end, closed) = watch::channel(None);
        let switch = CancellationToken::new();
        let kill = switch.clone();
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = child.wait() => Some(ended),
                () = kill.cancelled() => None,
            };
            end.send_replace(Some(match ended {
                Some(Ok(status)) => status.to_string(),
                Some(Err(error)) => error.to_string(),
                None => "it was given up".to_owned(),
            }));
        });
        let keep = Arc::new(Keep::Child(switch.drop_guard()));
        let input = Input { to: To::Pipe(stdin), closed: closed.clone(), progress, _keep: Arc::clone(&keep) };
        let from = From::Pipes { stdout, stderr };
        Ok(Self { input, output: Output { from, closed, ended: None, stderr: Tail::default(), _keep: keep } })
    }
}

impl Input {
    /// Writes all of it, in order.
    ///
    /// # Errors
    /// The connection is gone, or took nothing for the progress timeout: a peer that vanished leaves a write hanging
    /// for ever, so none is made without both watches.
    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let slice = bytes.split_to(bytes.len().min(SLICE));
            let mut closed = self.closed.clone();
            let send = async {
                match &mut self.to {
                    To::Channel(channel) => channel.data_bytes(slice).await.map_err(|e| e.to_string()),
                    To::Pipe(Some(pipe)) => pipe.write_all(&slice).await.map_err(|e| e.to_string()),
                    To::Pipe(None) => Err("its input is closed".to_owned()),
                }
            };
            tokio::select! {
                sent = timeout(self.progress, send) => match sent {
                    Ok(Ok(())) => {}
                    Ok(Err(reason)) => return Err(lost(&self.closed, &reason)),
                    Err(_) => return Err(Failure::Timeout { doing: "sending data".to_owned(), after: self.progress }),
                },
                _ = closed.wait_for(Option::is_some) => return Err(lost(&self.closed, "it ended")),
            }
        }
        Ok(())
    }

    /// Says that nothing more will be written.
    pub(crate) async fn finish(&mut self) {
        match &mut self.to {
            To::Channel(channel) => {
                let _ = timeout(self.progress, channel.eof()).await;
            }
            To::Pipe(pipe) => drop(pipe.take()),
        }
    }
}

fn lost(closed: &watch::Receiver<Option<String>>, reason: &str) -> Failure {
    Failure::Lost { reason: closed.borrow().clone().unwrap_or_else(|| reason.to_owned()) }
}

impl Output {
    /// What the process says next; `None` when both outputs have ended. Cancelling this loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Chunk> {
        let chunk = match &mut self.from {
            From::Channel(channel) => loop {
                match channel.wait().await {
                    Some(ChannelMsg::Data { data }) => break Some(Chunk::Stdout(data)),
                    Some(ChannelMsg::ExtendedData { data, .. }) => break Some(Chunk::Stderr(data)),
                    Some(ChannelMsg::ExitStatus { exit_status }) => {
                        self.ended = Some(format!("exit status {exit_status}"))
                    }
                    Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                        self.ended = Some(format!("killed by {signal_name:?}"))
                    }
                    Some(ChannelMsg::Failure) => {
                        self.ended = Some("the host refuses to run commands for this account".to_owned());
                        break None;
                    }
                    Some(_) => {}
                    None => break None,
                }
            },
            From::Pipes { stdout, stderr } => loop {
                let (mut out, mut err) = (BytesMut::with_capacity(SLICE), BytesMut::with_capacity(1024));
                tokio::select! {
                    n = read(stdout, &mut out), if stdout.is_some() => match n {
                        0 => *stdout = None,
                        _ => break Some(Chunk::Stdout(out.freeze())),
                    },
                    n = read(stderr, &mut err), if stderr.is_some() => match n {
                        0 => *stderr = None,
                        _ => break Some(Chunk::Stderr(err.freeze())),
                    },
                    else => break None,
                }
            },
        };
        if let Some(Chunk::Stderr(words)) = &chunk {
            self.stderr.push(words);
        }
        chunk
    }

    /// How the process or the connection ended, with the last words on standard error.
    pub(crate) async fn epitaph(&mut self) -> String {
        let how = match self.ended.clone() {
            Some(how) => how,
            // A local child's status and a broken session's reason arrive a moment after the end of the data.
            None => match timeout(Duration::from_secs(2), self.closed.wait_for(Option::is_some)).await {
                Ok(Ok(why)) => why.clone().unwrap_or_default(),
                _ => "its output ended".to_owned(),
            },
        };
        match self.stderr.text() {
            words if words.is_empty() => how,
            words => format!("{how}: {words}"),
        }
    }
}

async fn read(from: &mut Option<impl AsyncReadExt + Unpin>, into: &mut BytesMut) -> usize {
    match from {
        // An error on a pipe is its end.
        Some(from) => from.read_buf(into).await.unwrap_or(0),
        None => 0,
    }
}
