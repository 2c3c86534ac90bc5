//! Host keys judged by OpenSSH's files.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    host_key::HostKey,
    target::{BoxedHostKeys, HostKeys},
};
use crate::{
    HostKeyProblem, HostKeyRefusal,
    known_hosts::{Decision, KnownHosts, NewKey, Offered, Place, Target, TrustedBy, append},
};

/// What to do with a key that nothing is known about (`StrictHostKeyChecking`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// Refuse it.
    Refuse,
    /// Believe it and file it here (`accept-new`). A key that changed is refused all the same.
    File {
        /// The file to add it to.
        file: PathBuf,
        /// Whether the host's name is hashed (`HashKnownHosts`).
        hash_names: bool,
    },
    /// Believe it, and a changed one too, without filing it (`no`). A revoked key is refused all the same.
    Believe,
}

/// Judges host keys by known_hosts files that were read.
#[derive(Debug)]
pub struct KnownHostsJudge {
    known: RwLock<KnownHosts>,
    unknown: Unknown,
}

impl KnownHostsJudge {
    /// A judge that goes by these files.
    pub fn boxed(known: KnownHosts, unknown: Unknown) -> BoxedHostKeys {
        Arc::new(Self { known: RwLock::new(known), unknown })
    }

    /// Files a new key and remembers it for the other connections of this run.
    fn file(
        &self,
        target: &Target<'_>,
        offered: &HostKey,
        file: &Path,
        hash_names: bool,
    ) -> Result<(), HostKeyProblem> {
        let port = if target.alias.is_some() { 22 } else { target.port };
        let host = target.alias.unwrap_or(target.host).to_owned();
        let new = NewKey { host: host.clone(), port, key: offered.public_key().clone() };
        append(file, &[new], hash_names).map_err(|e| HostKeyProblem::Unreadable(e.to_string()))?;
        let name = if port == 22 { host } else { format!("[{host}]:{port}") };
        let line = format!("{} {}\n", name.to_ascii_lowercase(), offered.openssh());
        self.known.write().unwrap_or_else(PoisonError::into_inner).add(file, line.as_bytes());
        Ok(())
    }
}

impl HostKeys for KnownHostsJudge {
    fn algorithms(&self, target: &Target<'_>) -> Vec<String> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.algorithms_for(target).keys.iter().map(ToString::to_string).collect()
    }

    fn decide(&self, target: &Target<'_>, offered: &HostKey) -> Result<(), HostKeyRefusal> {
        let shown = offered.certificate().map_or(Offered::Key(offered.public_key()), Offered::Certificate);
        let decision = self.known.read().unwrap_or_else(PoisonError::into_inner).decide(target, shown);
        let (problem, at) = match decision {
            Decision::Trusted { .. } => return Ok(()),
            Decision::Revoked { at, what } => match what {
                TrustedBy::Key => (HostKeyProblem::Revoked, Some(at)),
                TrustedBy::Authority => (HostKeyProblem::Certificate("its authority is revoked".to_owned()), Some(at)),
            },
            Decision::Unknown { .. } => match &self.unknown {
                Unknown::Refuse => (HostKeyProblem::Unknown, None),
                Unknown::Believe => return Ok(()),
                Unknown::File { file, hash_names } => match self.file(target, offered, file, *hash_names) {
                    Ok(()) => return Ok(()),
                    Err(problem) => (problem, None),
                },
            },
            Decision::Changed { .. } | Decision::AddressDiffers { .. } if self.unknown == Unknown::Believe => {
                return Ok(());
            }
            Decision::Changed { known } | Decision::AddressDiffers { known, .. } => {
                (HostKeyProblem::Changed, known.into_iter().next().map(|key| key.at))
            }
            Decision::BadCertificate { at, fault } => (HostKeyProblem::Certificate(fault.to_string()), Some(at)),
        };
        Err(HostKeyRefusal {
            problem,
            algorithm: offered.algorithm(),
            fingerprint: offered.fingerprint(),
            location: at.map(|Place { file, line }| format!("{}:{line}", file.display())),
        })
    }
}
