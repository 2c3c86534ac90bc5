//! The agent, and signatures in general.

use std::{path::Path, sync::Arc};

use russh::{
    Signer,
    keys::{
        self, HashAlg, PrivateKey,
        agent::{AgentIdentity, AgentSessionBinding, client::AgentClient},
        signature::Signer as _,
        ssh_encoding::Encode,
        ssh_key::{Signature, private::KeypairData},
    },
};
use tokio::net::UnixStream;

use crate::text::clean;

/// A connection to an agent and what it holds.
pub(super) struct Agent {
    client: AgentClient<UnixStream>,
    pub(super) identities: Vec<AgentIdentity>,
}

impl Agent {
    /// Connects, tells the agent which connection this is about (keys may be bound to hosts), and lists its keys.
    pub(super) async fn open(socket: &Path, binding: Option<&AgentSessionBinding>) -> Result<Self, String> {
        let words = |e: keys::Error| clean(e.to_string().as_bytes());
        let mut client = AgentClient::connect_uds(socket).await.map_err(words)?;
        if let Some(binding) = binding {
            match client.bind_session(binding, false).await {
                // An agent that does not know this extension says so, or hangs up.
                Ok(()) | Err(keys::Error::AgentFailure) => {}
                Err(_) => client = AgentClient::connect_uds(socket).await.map_err(words)?,
            }
        }
        let identities = client.request_identities().await.map_err(words)?;
        Ok(Self { client, identities })
    }

    pub(super) fn signer<'a>(&'a mut self, identity: &'a AgentIdentity) -> Sign<'a> {
        Sign::Agent(&mut self.client, identity)
    }
}

/// Who signs.
pub(super) enum Sign<'a> {
    Agent(&'a mut AgentClient<UnixStream>, &'a AgentIdentity),
    Key(Arc<PrivateKey>),
    /// The key is locked: this only finds out whether it would be worth opening.
    Locked,
}

/// Why there is no signature.
#[derive(Debug)]
pub(super) enum SignError {
    Gone,
    /// The host would take this key, but it is locked.
    Locked,
    Refused(String),
}

impl From<russh::SendError> for SignError {
    fn from(_: russh::SendError) -> Self {
        Self::Gone
    }
}

impl Signer for Sign<'_> {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Agent(client, identity) => client
                .sign_request(identity, hash, to_sign)
                .await
                .map_err(|e| SignError::Refused(format!("the agent does not sign: {e}"))),
            Self::Key(key) => sign(key, hash, to_sign).map_err(SignError::Refused),
            Self::Locked => Err(SignError::Locked),
        }
    }
}

/// Appends the signature of `data` to it (RFC 4252, section 7).
fn sign(key: &PrivateKey, hash: Option<HashAlg>, mut data: Vec<u8>) -> Result<Vec<u8>, String> {
    let signature: Signature = match key.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(&data),
        pair => pair.try_sign(&data),
    }
    .map_err(|e| format!("cannot sign: {e}"))?;
    let mut blob = Vec::new();
    signature.encode(&mut blob).map_err(|e| format!("cannot sign: {e}"))?;
    blob.encode(&mut data).map_err(|e| format!("cannot sign: {e}"))?;
    Ok(data)
}
