//! SSH sessions: connect, check the host key, log in, run one command.

mod auth;
pub(crate) mod channel;
mod connect;
mod dial;
mod from_config;
mod handler;
mod host_key;
mod jump;
mod known;
mod scan;
mod stream;
mod target;
#[cfg(test)]
mod tests_support;

use std::future::Future;

use russh::client::Handle;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::{
    connect::Connector,
    from_config::{Overrides, TargetError, Targets},
    host_key::HostKey,
    known::{KnownHostsJudge, Unknown},
    target::{Ask, AskNobody, BoxFuture, BoxedHostKeys, Family, HostKeys, Identity, Target, Timeouts},
};
use self::{connect::Handshake, handler::Client};
use crate::{Failure, text::clean};

/// A connection on which somebody is logged in. Dropping it cuts it, and what runs over it learns so by the end of
/// its input.
pub struct Session {
    pub(crate) handle: Handle<Client>,
    pub(crate) closed: watch::Receiver<Option<String>>,
    pub(crate) label: String,
    pub(crate) timeouts: Timeouts,
    switch: CancellationToken,
    _cut: DropGuard,
    _proxy: Option<tokio::process::Child>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("host", &self.label).finish_non_exhaustive()
    }
}

impl Session {
    fn new(handshake: Handshake, target: &Target) -> Self {
        Self {
            handle: handshake.handle,
            closed: handshake.closed,
            label: target.label(),
            timeouts: target.timeouts,
            _cut: handshake.switch.clone().drop_guard(),
            switch: handshake.switch,
            _proxy: handshake.proxy,
        }
    }

    /// The host's name for errors.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed() || self.closed.borrow().is_some() || self.switch.is_cancelled()
    }

    /// Waits for an answer that the peer owes, at most for the answer timeout and while the connection stands.
    pub(crate) async fn answered<T>(&self, doing: &str, answer: impl Future<Output = T>) -> Result<T, Failure> {
        let mut closed = self.closed.clone();
        tokio::select! {
            biased;
            answer = timeout(self.timeouts.answer, answer) => {
                answer.map_err(|_| Failure::Timeout { doing: doing.to_owned(), after: self.timeouts.answer })
            }
            _ = closed.wait_for(Option::is_some) => Err(Failure::Lost { reason: self.why_closed() }),
        }
    }

    pub(crate) fn why_closed(&self) -> String {
        self.closed.borrow().clone().unwrap_or_else(|| "the connection was closed".to_owned())
    }

    pub(crate) fn broken(&self, doing: &str, error: russh::Error) -> Failure {
        match error {
            russh::Error::SendError | russh::Error::Disconnect | russh::Error::HUP => {
                Failure::Lost { reason: self.why_closed() }
            }
            other => Failure::Protocol { doing: doing.to_owned(), reason: clean(other.to_string().as_bytes()) },
        }
    }
}
