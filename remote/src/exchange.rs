//! The one exchange with a host: start the helper, then frames both ways.
//!
//! A frame is its length as four bytes, most significant first, and that many bytes, at most [`MAX_FRAME`]. What they
//! mean is `rectify_core::wire`'s matter.

use std::sync::Arc;

use tokio_util::bytes::{Buf, Bytes, BytesMut};

use crate::{
    Failure, RemoteError,
    helper::{Launch, Start, begin, nonce},
    session::{
        Session, Timeouts,
        channel::{Chunk, Input, Output, Process},
    },
};

/// The largest frame, in bytes.
pub const MAX_FRAME: usize = 16 << 20;

/// A helper that runs. Dropping both halves ends it: its input ends.
#[derive(Debug)]
pub struct Exchange {
    /// Towards the helper.
    pub sender: FrameSender,
    /// From the helper.
    pub receiver: FrameReceiver,
}

/// Sends frames to the helper.
pub struct FrameSender {
    host: Arc<str>,
    input: Input,
}

/// Receives frames from the helper.
pub struct FrameReceiver {
    host: Arc<str>,
    output: Output,
    buffer: BytesMut,
}

/// Starts the helper at the other end of a session, over one channel with one exec. The session ends with the exchange.
///
/// From an established session to the helper's first frame this takes two round trips (channel, exec) when the helper
/// is there: the opening frames go out with the exec. A password adds two, an upload one and its time.
///
/// # Errors
/// Why the change of user failed, or why the helper does not run.
pub async fn over(session: Session, start: &Start) -> Result<Exchange, RemoteError> {
    let host: Arc<str> = session.label().into();
    let times = session.timeouts;
    let nonce = nonce();
    let run = async {
        let launch = Launch::new(&nonce, start.r#become.as_ref())?;
        let process = Process::over(session, &launch.command, launch.pty).await?;
        Ok((launch, process))
    };
    finish(&host, &nonce, start, times, run.await).await
}

/// Starts the helper on this machine, without SSH (`connection: local`); everything else is as on a host.
///
/// # Errors
/// As [`over`]. doas and su with a password need a terminal, which there is none of here.
pub async fn here(name: &str, start: &Start, times: Timeouts) -> Result<Exchange, RemoteError> {
    let nonce = nonce();
    let run = || {
        let launch = Launch::new(&nonce, start.r#become.as_ref())?;
        if let (true, Some(change)) = (launch.pty, &start.r#become) {
            let words =
                "asking for a password needs a terminal, which a local connection does not have: use sudo".to_owned();
            return Err(change.failure(crate::BecomeProblem::Unusable(words)));
        }
        let process = Process::here(&launch.command, times.progress)?;
        Ok((launch, process))
    };
    finish(&name.into(), &nonce, start, times, run()).await
}

async fn finish(
    host: &Arc<str>,
    nonce: &str,
    start: &Start,
    times: Timeouts,
    started: Result<(Launch, Process), Failure>,
) -> Result<Exchange, RemoteError> {
    let begun = async {
        let (launch, mut process) = started?;
        let behind = begin(&mut process, nonce, &launch, start, times.answer).await?;
        Ok((process, behind))
    };
    let (process, behind) = begun.await.map_err(|failure: Failure| RemoteError::new(&**host, failure))?;
    Ok(Exchange {
        sender: FrameSender { host: Arc::clone(host), input: process.input },
        receiver: FrameReceiver { host: Arc::clone(host), output: process.output, buffer: BytesMut::from(&behind[..]) },
    })
}

/// A frame's length as it travels.
pub(crate) fn length(of: usize) -> Result<[u8; 4], Failure> {
    let small = u32::try_from(of).ok().filter(|_| of <= MAX_FRAME);
    small
        .map(u32::to_be_bytes)
        .ok_or_else(|| Failure::Protocol { doing: "sending a frame".to_owned(), reason: too_long(of) })
}

fn too_long(bytes: usize) -> String {
    format!("a frame of {bytes} bytes is over the limit of {MAX_FRAME}")
}

impl Exchange {
    /// The two directions, for two tasks.
    pub fn split(self) -> (FrameSender, FrameReceiver) {
        (self.sender, self.receiver)
    }
}

impl FrameSender {
    /// Sends one frame.
    ///
    /// Not cancel-safe: a frame that was begun must be finished, or nothing further may be sent.
    ///
    /// # Errors
    /// The frame is too long, or the connection is gone or stuck.
    pub async fn send(&mut self, frame: impl Into<Bytes>) -> Result<(), RemoteError> {
        let frame = frame.into();
        let sent = async {
            let mut head = BytesMut::from(&length(frame.len())?[..]);
            if frame.len() <= 4096 {
                head.extend_from_slice(&frame);
                return self.input.write(head.freeze()).await;
            }
            self.input.write(head.freeze()).await?;
            self.input.write(frame).await
        };
        sent.await.map_err(|failure| RemoteError::new(&*self.host, failure))
    }

    /// Ends the helper's input.
    pub async fn finish(&mut self) {
        self.input.finish().await;
    }
}

impl FrameReceiver {
    /// The next frame; `None` when the helper ended its output between two frames. Whether it may end there is for
    /// the caller to say; [`epitaph`](Self::epitaph) tells how it ended. Cancelling this loses nothing.
    ///
    /// # Errors
    /// The output ended within a frame, or a frame is too long.
    pub async fn receive(&mut self) -> Result<Option<Bytes>, RemoteError> {
        loop {
            if self.buffer.len() >= 4 {
                let length =
                    u32::from_be_bytes([self.buffer[0], self.buffer[1], self.buffer[2], self.buffer[3]]) as usize;
                if length > MAX_FRAME {
                    let failure = Failure::Protocol { doing: "receiving a frame".to_owned(), reason: too_long(length) };
                    return Err(RemoteError::new(&*self.host, failure));
                }
                if self.buffer.len() >= 4 + length {
                    self.buffer.advance(4);
                    return Ok(Some(self.buffer.split_to(length).freeze()));
                }
            }
            match self.output.next().await {
                Some(Chunk::Stdout(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Chunk::Stderr(_)) => {}
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    let reason = format!("the helper ended within a frame: {}", self.output.epitaph().await);
                    return Err(RemoteError::new(&*self.host, Failure::Lost { reason }));
                }
            }
        }
    }

    /// How the helper or the connection ended, with the last words on its error output. To be asked after the end.
    pub async fn epitaph(&mut self) -> String {
        self.output.epitaph().await
    }

    /// An error of kind "lost" for a helper that ended before it said that it was done.
    pub async fn lost(&mut self) -> RemoteError {
        let reason = self.epitaph().await;
        RemoteError::new(&*self.host, Failure::Lost { reason })
    }

    /// The end of what the helper printed on its error output so far.
    pub fn stderr(&self) -> String {
        self.output.stderr.text()
    }
}

impl std::fmt::Debug for FrameSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameSender").field("host", &self.host).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for FrameReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReceiver").field("host", &self.host).finish_non_exhaustive()
    }
}
