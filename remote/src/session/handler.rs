//! What the SSH library calls back.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use russh::{
    client::{DisconnectReason, Handler, Session},
    keys::PublicKeyOrCertificate,
};
use tokio::sync::watch;

use super::{host_key::HostKey, target::BoxedHostKeys};
use crate::{HostKeyRefusal, known_hosts, text::clean};

/// Why a handshake or a session ended.
#[derive(Debug)]
pub(crate) enum ClientError {
    Ssh(russh::Error),
    HostKey(HostKeyRefusal),
}

impl From<russh::Error> for ClientError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// What to do with the host key.
pub(crate) enum Gate {
    Check {
        host: String,
        port: u16,
        alias: Option<String>,
        /// The address that was connected to, if it is to be looked up too.
        address: Option<IpAddr>,
        host_keys: BoxedHostKeys,
    },
    /// Take it and go no further.
    Collect(Arc<Mutex<Option<HostKey>>>),
}

/// One connection's callbacks. `closed` becomes `Some` when the session is over.
pub(crate) struct Client {
    pub(crate) gate: Gate,
    pub(crate) closed: watch::Sender<Option<String>>,
}

impl Handler for Client {
    type Error = ClientError;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, ClientError> {
        let key = HostKey::new(offered);
        match &self.gate {
            Gate::Check { host, port, alias, address, host_keys } => {
                let target = known_hosts::Target { host, port: *port, alias: alias.as_deref(), address: *address };
                host_keys.decide(&target, &key).map(|()| true).map_err(ClientError::HostKey)
            }

            Gate::Collect(slot) => {
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
                Ok(false)
            }
        }
    }

    async fn disconnected(&mut self, reason: DisconnectReason<ClientError>) -> Result<(), ClientError> {
        self.closed.send_replace(Some(match &reason {
            DisconnectReason::ReceivedDisconnect(info) => clean(info.message.as_bytes()),
            DisconnectReason::Error(error) => describe(error),
        }));
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => Ok(()),
            DisconnectReason::Error(error) => Err(error),
        }
    }

    async fn auth_banner(&mut self, _banner: &str, _session: &mut Session) -> Result<(), ClientError> {
        Ok(())
    }
}

impl Drop for Client {
    /// The session's task owns this: when it goes, for whatever reason, everybody who waits for it must learn so.
    fn drop(&mut self) {
        self.closed.send_if_modified(|why| {
            let unset = why.is_none();
            if unset {
                *why = Some("the connection was closed".to_owned());
            }
            unset
        });
    }
}

/// The library's words in ours.
pub(crate) fn describe(error: &ClientError) -> String {
    match error {
        ClientError::HostKey(refusal) => refusal.to_string(),
        ClientError::Ssh(error) => match error {
            russh::Error::Disconnect | russh::Error::HUP => "the peer closed the connection".to_owned(),
            russh::Error::KeepaliveTimeout => "the peer does not answer any more".to_owned(),
            russh::Error::IO(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
                "the peer closed the connection".to_owned()
            }
            russh::Error::Version => "the peer does not speak SSH".to_owned(),
            russh::Error::NoCommonAlgo { kind, theirs, .. } => {
                format!("no {kind:?} algorithm in common; the host offers {}", clean(theirs.join(",").as_bytes()))
            }
            other => clean(other.to_string().as_bytes()),
        },
    }
}
