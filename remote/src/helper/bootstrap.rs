//! The controller's side of the start.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::bytes::{Buf, Bytes, BytesMut};

use super::{Start, privilege::Launch, script};
use crate::{
    BecomeProblem, Failure, HelperProblem,
    session::channel::{Chunk, Process},
    text::clean,
};

/// How much a login shell may print before our first line, in bytes.
const NOISE: usize = 256 << 10;

/// The longest line of ours, in bytes.
const LINE: usize = 8 << 10;

/// Frames up to this size go out before it is known whether the helper is there, in bytes.
const AHEAD: usize = 256 << 10;

/// How often the helper is sent, once for each directory that may refuse it.
const UPLOADS: usize = 6;

/// A fresh word that no banner contains.
pub(crate) fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
}

/// Brings a process that was started with `launch`'s command to the point where it speaks frames. Returns what came
/// behind the marker.
pub(crate) async fn begin(
    process: &mut Process,
    nonce: &str,
    launch: &Launch,
    start: &Start,
    answer: Duration,
) -> Result<Bytes, Failure> {
    let opening = pack(&start.opening)?;
    let ahead = if opening.len() <= AHEAD { opening.len() } else { 0 };
    let mut talk = Talk {
        process,
        mark: format!("rectify:{nonce}:").into_bytes(),
        seen: BytesMut::new(),
        noise: 0,
        said: Vec::new(),
        launch,
        start,
        answer,
    };
    if start.r#become.is_some() {
        talk.gain().await?;
    }
    let hashes = start.images.hashes();
    let head = script::Start { nonce, ahead, helpers: &hashes, dirs: &start.directories, quiet: launch.pty };
    let mut first = BytesMut::from(head.line().as_bytes());
    first.extend_from_slice(&opening[..ahead]);
    talk.send(first.freeze()).await?;
    let mut sent = ahead;
    for _ in 0..=UPLOADS {
        let line = talk.line().await?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("go", _) => {
                let rest = opening.slice(sent..);
                let behind = talk.seen.split().freeze();
                talk.send(rest).await?;
                return Ok(behind);
            }
            ("need", what) => {
                // The script has thrown away what was sent in advance.
                sent = 0;
                talk.upload(what).await?;
            }
            ("error", what) => return Err(talk.error(what)),
            _ => {
                return Err(Failure::Protocol {
                    doing: "starting the helper".to_owned(),
                    reason: format!("the host said `{}`", clean(line.as_bytes())),
                });
            }
        }
    }
    Err(HelperProblem::Start { reason: "the host asks for the helper again and again".to_owned() }.into())
}

/// Frames, each behind its length.
fn pack(frames: &[Vec<u8>]) -> Result<Bytes, Failure> {
    let mut packed = BytesMut::new();
    for frame in frames {
        packed.extend_from_slice(&crate::exchange::length(frame.len())?);
        packed.extend_from_slice(frame);
    }
    Ok(packed.freeze())
}

struct Talk<'a> {
    process: &'a mut Process,
    /// What our lines begin with.
    mark: Vec<u8>,
    seen: BytesMut,
    noise: usize,
    /// What was said outside our lines, the end of it.
    said: Vec<u8>,
    launch: &'a Launch,
    start: &'a Start,
    answer: Duration,
}

impl Talk<'_> {
    /// Becomes the other account: gives the password when it is asked for, until the shell says that it is ready.
    async fn gain(&mut self) -> Result<(), Failure> {
        let Some(change) = &self.start.r#become else {
            return Ok(());
        };
        let mut given = false;
        loop {
            if let Some(line) = self.take_line()? {
                return match line.as_str() {
                    "ready" => Ok(()),
                    other => Err(change.failure(BecomeProblem::Other(clean(other.as_bytes())))),
                };
            }
            let mut heard = self.said.clone();
            heard.extend_from_slice(&self.seen);
            if let Some(problem) = change.verdict(&heard) {
                return Err(change.failure(problem));
            }
            if self.launch.asks(&heard) {
                let Some(password) = &change.password else {
                    return Err(change.failure(BecomeProblem::PasswordRequired));
                };
                if given {
                    return Err(change.failure(BecomeProblem::WrongPassword));
                }
                given = true;
                self.said.clear();
                self.seen.clear();
                let mut line = password.reveal().as_bytes().to_vec();
                line.push(b'\n');
                self.process.input.write(Bytes::from(line)).await?;
            }
            match timeout(self.answer, self.hear()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => {
                    let mut heard = self.said.clone();
                    heard.extend_from_slice(&self.seen);
                    let end = self.process.output.epitaph().await;
                    let problem = change.verdict(&heard).or_else(|| change.verdict(end.as_bytes()));
                    let words = || BecomeProblem::Other(if heard.is_empty() { end } else { clean(&heard) });
                    return Err(change.failure(problem.unwrap_or_else(words)));
                }
                Ok(Err(failure)) => return Err(failure),
                Err(_) => {
                    let waiting =
                        format!("no answer within {} s; its last words: {}", self.answer.as_secs(), clean(&heard));
                    return Err(change.failure(BecomeProblem::Other(waiting)));
                }
            }
        }
    }

    async fn upload(&mut self, what: &str) -> Result<(), Failure> {
        let mut words = what.split(' ');
        let arch = words.next().unwrap_or_default();
        let Some(image) = self.start.images.get(arch) else {
            return Err(self.error(&format!("no-architecture {arch}")));
        };
        // What the host can unpack, the smallest first.
        let can: Vec<&str> = words.collect();
        let (how, body) = match image.xz() {
            Some(body) if can.contains(&"xz") => ("xz", body),
            _ if can.contains(&"gzip") => ("gzip", image.gzip()?),
            _ => ("raw", image.raw()?),
        };
        self.send(Bytes::from(format!("{} {how}\n", body.len()))).await?;
        self.send(body).await
    }

    /// Sends while listening: a host that ends meanwhile has said why.
    async fn send(&mut self, bytes: Bytes) -> Result<(), Failure> {
        match self.process.input.write(bytes).await {
            Err(Failure::Lost { .. }) => {
                // What it said before it ended explains more than the broken write.
                while let Ok(Ok(true)) = timeout(self.answer, self.hear()).await {}
                match self.take_line()? {
                    Some(line) => match line.split_once(' ') {
                        Some(("error", what)) => Err(self.error(what)),
                        _ => Err(self.ended().await),
                    },
                    None => Err(self.ended().await),
                }
            }
            done => done,
        }
    }

    /// The next line of ours.
    async fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(line) = self.take_line()? {
                return Ok(line);
            }
            match timeout(self.answer, self.hear()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return Err(self.ended().await),
                Ok(Err(failure)) => return Err(failure),
                Err(_) => {
                    return Err(Failure::Timeout { doing: "starting the helper".to_owned(), after: self.answer });
                }
            }
        }
    }

    async fn ended(&mut self) -> Failure {
        let mut reason = self.process.output.epitaph().await;
        let mut heard = std::mem::take(&mut self.said);
        heard.extend_from_slice(&self.seen);
        let words = clean(&heard);
        if !words.is_empty() && !reason.contains(&words) {
            reason = format!("{reason}; the host printed: {words}");
        }
        HelperProblem::Start { reason }.into()
    }

    /// Takes in one chunk; false at the end.
    async fn hear(&mut self) -> Result<bool, Failure> {
        match self.process.output.next().await {
            None => return Ok(false),
            Some(Chunk::Stdout(bytes)) => self.seen.extend_from_slice(&bytes),
            Some(Chunk::Stderr(bytes)) => {
                self.noise += bytes.len();
                self.keep(&bytes);
            }
        }
        if self.noise > NOISE {
            let reason = format!("the host prints and prints ({} KiB and no end): {}", NOISE >> 10, clean(&self.said));
            return Err(Failure::Protocol { doing: "starting the helper".to_owned(), reason });
        }
        Ok(true)
    }

    fn keep(&mut self, words: &[u8]) {
        self.said.extend_from_slice(words);
        let excess = self.said.len().saturating_sub(LINE);
        self.said.drain(..excess);
    }

    /// Our next line, if it is all there; what stands before it is a banner and goes.
    fn take_line(&mut self) -> Result<Option<String>, Failure> {
        let at = self.seen.windows(self.mark.len()).position(|window| window == self.mark);
        let Some(at) = at else {
            // The mark may be cut in two; everything before that is noise.
            let noise = self.seen.len().saturating_sub(self.mark.len());
            let words = self.seen.split_to(noise);
            self.noise += words.len();
            self.keep(&words);
            return Ok(None);
        };
        let words = self.seen.split_to(at);
        self.noise += words.len();
        self.keep(&words);
        let Some(end) = self.seen.iter().position(|byte| *byte == b'\n') else {
            return if self.seen.len() > LINE {
                Err(Failure::Protocol {
                    doing: "starting the helper".to_owned(),
                    reason: "a line without an end".to_owned(),
                })
            } else {
                Ok(None)
            };
        };
        let mut line = self.seen.split_to(end + 1);
        line.advance(self.mark.len());
        Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
    }

    fn error(&self, what: &str) -> Failure {
        let (code, rest) = what.split_once(' ').unwrap_or((what, ""));
        match code {
            "no-architecture" => {
                let have: Vec<&str> = self.start.images.architectures().collect();
                let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
                HelperProblem::NoArchitecture { arch: clean(rest.as_bytes()), have }.into()
            }
            "no-place" => HelperProblem::NoPlace { reasons: clean(rest.as_bytes()) }.into(),
            _ => HelperProblem::Start { reason: clean(what.as_bytes()) }.into(),
        }
    }
}
