//! Taking a host's keys without logging in, for first contact.

use std::sync::{Arc, Mutex, PoisonError};

use russh::Preferred;

use super::{
    Connector,
    connect::{family, host_key_algorithms, preferred},
    handler::Gate,
    host_key::HostKey,
    target::Target,
};
use crate::{Failure, RemoteError};

impl Connector {
    /// Every plain host key that the target offers: one handshake per kind of key, no login, nothing believed.
    /// The hosts on the way are logged in to as usual, their keys checked.
    ///
    /// # Errors
    /// As [`connect`](Self::connect) up to the key exchange. A kind of key that the host does not have is no error.
    pub async fn scan(&self, target: &Target) -> Result<Vec<HostKey>, RemoteError> {
        let mut found = Vec::new();
        let mut kinds: Vec<String> = host_key_algorithms().iter().map(|a| family(a.as_str()).to_owned()).collect();
        kinds.dedup();
        for kind in kinds {
            match self.scan_one(target, &kind).await {
                Ok(Some(key)) => found.push(key),
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn scan_one(&self, target: &Target, kind: &str) -> Result<Option<HostKey>, RemoteError> {
        let slot = Arc::new(Mutex::new(None));
        let all = preferred(&[], target);
        let only: Vec<_> = all.key.iter().filter(|a| family(a.as_str()) == kind).cloned().collect();
        let asked = Preferred { key: only.into(), host_key_certificates: Vec::new().into(), ..all };
        let outcome = self.handshake(&target.jumps, target, || Gate::Collect(Arc::clone(&slot)), &asked).await;
        // The gate always stops the handshake; what it caught is what counts.
        if let Some(key) = slot.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(Some(key));
        }
        match outcome {
            Err(RemoteError { failure: Failure::Protocol { reason, .. }, .. })
                if reason.starts_with("no Key algorithm in common") =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
            Ok(_) => Ok(None),
        }
    }
}
