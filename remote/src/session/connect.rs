//! Connect, check the host key, authenticate.

use std::{sync::Arc, time::Duration};

use russh::{
    Preferred,
    client::{Config, Handle, connect_stream},
    keys::{Algorithm, EcdsaCurve, HashAlg},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    Session,
    auth::{self, KeyRing},
    dial,
    handler::{Client, ClientError, Gate, describe},
    jump::JumpPool,
    stream::{Duplex, Guarded},
    target::{Ask, BoxFuture, Target},
};
use crate::{
    Failure, RemoteError,
    pacing::{Backoff, HANDSHAKE_ATTEMPTS, Pacer},
};

/// The pause after the first connection that was closed during its handshake.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What the connections of one fleet share: the pace, the keys, the jump hosts. Cloning it is cheap and shares all.
#[derive(Clone)]
pub struct Connector(Arc<Shared>);

struct Shared {
    pacer: Pacer,
    keys: KeyRing,
    jumps: JumpPool,
}

/// A connection after its key exchange.
pub(crate) struct Handshake {
    pub(crate) handle: Handle<Client>,
    pub(crate) closed: watch::Receiver<Option<String>>,
    pub(crate) switch: CancellationToken,
    pub(crate) proxy: Option<tokio::process::Child>,
}

impl Connector {
    /// A connector for one run. `ask` is asked for passphrases, once per key.
    pub fn new(ask: Arc<dyn Ask>) -> Self {
        Self(Arc::new(Shared { pacer: Pacer::default(), keys: KeyRing::new(ask), jumps: JumpPool::default() }))
    }

    /// Connects to the target by way of its jump hosts or proxy command, checks its host key, and logs in.
    ///
    /// Handshakes are paced per address, and one that was closed before its key exchange is tried again. Dropping
    /// the future gives the connection up.
    ///
    /// # Errors
    /// What was tried, at which hop, and why it failed.
    pub async fn connect(&self, target: &Target) -> Result<Session, RemoteError> {
        self.by_way_of(&target.jumps, target).await
    }

    /// As `connect`, by way of `jumps` instead of the target's own.
    pub(crate) fn by_way_of<'a>(
        &'a self,
        jumps: &'a [Target],
        target: &'a Target,
    ) -> BoxFuture<'a, Result<Session, RemoteError>> {
        Box::pin(async move {
            let gate = || Gate::Check {
                host: target.address.clone(),
                port: target.port,
                alias: target.host_key_alias.clone(),
                address: None,
                host_keys: Arc::clone(&target.host_keys),
            };
            let known = target.host_keys.algorithms(&target.filed_as());
            let mut again = true;
            loop {
                let (handshake, turn) = self.handshake(jumps, target, gate, &preferred(&known, target)).await?;
                let mut session = Session::new(handshake, target);
                match auth::log_in(&mut session, target, &self.0.keys).await {
                    Ok(()) => {
                        drop(turn);
                        return Ok(session);
                    }
                    // Somebody typed a passphrase for longer than the host's LoginGraceTime; the key is open now.
                    Err(auth::Stop { asked: true, hung_up: true, .. }) if std::mem::take(&mut again) => {}
                    Err(stop) => return Err(RemoteError::new(target.label(), stop.failure)),
                }
            }
        })
    }

    /// A key exchange, with retries. The second value is the turn at the address, to be kept until the login is done.
    pub(crate) async fn handshake(
        &self,
        jumps: &[Target],
        target: &Target,
        gate: impl Fn() -> Gate,
        preferred: &Preferred,
    ) -> Result<(Handshake, tokio::sync::OwnedSemaphorePermit), RemoteError> {
        let mut pauses = Backoff::new(HANDSHAKE_ATTEMPTS, FIRST_PAUSE);
        loop {
            let lease = match jumps.split_last() {
                Some((last, before)) if target.proxy_command.is_none() => {
                    let lease = self.0.jumps.lease(self, before, last).await;
                    Some(lease.map_err(|e| RemoteError::new(target.label(), Failure::Jump(Arc::new(e))))?)
                }
                _ => None,
            };
            let turn = self.0.pacer.turn(&target.place()).await;
            let failure = match attempt(target, lease, gate(), preferred).await {
                Ok(handshake) => return Ok((handshake, turn)),
                Err(failure) => failure,
            };
            drop(turn);
            match pauses.next() {
                Some(pause) if matches!(failure, Failure::Closed { .. }) => sleep(pause).await,
                _ => return Err(RemoteError::new(target.label(), failure)),
            }
        }
    }
}

async fn attempt(
    target: &Target,
    lease: Option<super::jump::Lease>,
    mut gate: Gate,
    preferred: &Preferred,
) -> Result<Handshake, Failure> {
    let after = target.timeouts.connect;
    let deadline = Instant::now() + after;
    let place = target.place();
    let mut words = None;
    let mut proxy = None;
    let dialled = async {
        Ok::<Box<dyn Duplex>, Failure>(match (&target.proxy_command, lease) {
            (Some(command), _) => {
                let (stream, tail, child) = dial::proxy(command)?;
                words = Some(tail);
                proxy = Some(child);
                stream
            }
            (None, Some(lease)) => lease.open(target).await?,
            (None, None) => {
                let (stream, peer) = dial::tcp(target).await?;
                if let (Gate::Check { address, .. }, true) = (&mut gate, target.check_address) {
                    *address = Some(peer);
                }
                stream
            }
        })
    };
    let stream = timeout_at(deadline, dialled)
        .await
        .map_err(|_| Failure::Timeout { doing: format!("connecting to {place}"), after })??;

    let switch = CancellationToken::new();
    // Whoever gives this up half-way must not leave the library's task waiting for the peer.
    let unfinished = switch.clone().drop_guard();
    let (tell, closed) = watch::channel(None);
    let client = Client { gate, closed: tell };
    let config = Arc::new(config(target, preferred.clone()));
    let exchanged = timeout_at(deadline, connect_stream(config, Guarded::new(Box::new(stream), &switch), client)).await;
    let doing = format!("exchanging keys with {place}");
    match exchanged {
        Ok(Ok(handle)) => {
            unfinished.disarm();
            Ok(Handshake { handle, closed, switch, proxy })
        }
        Err(_) => {
            Err(Failure::Timeout { doing: format!("waiting for the SSH banner and key exchange of {place}"), after })
        }
        Ok(Err(error)) => {
            let reason = describe(&error);
            if let (Some(tail), Some(command)) = (words, &target.proxy_command) {
                return Err(proxy_failed(command, &reason, &tail, proxy).await);
            }
            Err(match error {
                ClientError::HostKey(refusal) => Failure::HostKey(refusal),
                ClientError::Ssh(e) if hung_up(&e) => Failure::Closed { doing, reason },
                ClientError::Ssh(_) => Failure::Protocol { doing, reason },
            })
        }
    }
}

/// The proxy's own words say more than "closed"; they may still be on their way.
async fn proxy_failed(
    command: &str,
    reason: &str,
    tail: &crate::text::Tail,
    child: Option<tokio::process::Child>,
) -> Failure {
    let mut status = String::new();
    if let Some(mut child) = child
        && let Ok(Ok(ended)) = timeout(Duration::from_secs(1), child.wait()).await
    {
        status = format!(" ({ended})");
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    let said = tail.text();
    let reason = if said.is_empty() { reason.to_owned() } else { said };
    Failure::Proxy { command: crate::text::clean(command.as_bytes()), reason: format!("{reason}{status}") }
}

/// Whether the peer ended the connection without a word about why: a busy sshd does that.
fn hung_up(error: &russh::Error) -> bool {
    matches!(error, russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_))
}

fn config(target: &Target, preferred: Preferred) -> Config {
    let t = &target.timeouts;
    Config {
        client_id: russh::SshId::Standard(concat!("SSH-2.0-rectify_", env!("CARGO_PKG_VERSION")).into()),
        nodelay: true,
        keepalive_interval: (!t.keepalive.is_zero()).then_some(t.keepalive),
        keepalive_max: t.keepalive_max as usize,
        preferred,
        ..Config::default()
    }
}

/// AES-GCM first, which is the fastest with AES instructions; host keys that are on file first; certificates welcome.
pub(crate) fn preferred(known: &[String], target: &Target) -> Preferred {
    use russh::cipher::{AES_128_CTR, AES_192_CTR, AES_256_CTR, AES_256_GCM, CHACHA20_POLY1305};
    let allowed = |name: &str| target.host_key_algorithms.as_ref().and_then(|all| all.iter().position(|a| a == name));
    let limited = target.host_key_algorithms.is_some();
    let mut keys: Vec<Algorithm> = host_key_algorithms();
    let mut certificates = keys.clone();
    if limited {
        keys.retain(|key| allowed(key.as_str()).is_some());
        keys.sort_by_key(|key| allowed(key.as_str()));
        certificates.retain(|key| allowed(&certified(key)).is_some());
        certificates.sort_by_key(|key| allowed(&certified(key)));
    }
    // Stable: what is on file comes first, otherwise the order stays.
    keys.sort_by_key(|key| !known.iter().any(|name| family(name) == family(key.as_str())));
    let compression = match target.compression {
        // OpenSSH offers zlib under this name only.
        true => vec![russh::compression::ZLIB_LEGACY, russh::compression::NONE],
        false => vec![russh::compression::NONE],
    };
    Preferred {
        key: keys.into(),
        host_key_certificates: certificates.into(),
        cipher: vec![AES_256_GCM, CHACHA20_POLY1305, AES_256_CTR, AES_192_CTR, AES_128_CTR].into(),
        compression: compression.into(),
        ..Preferred::DEFAULT
    }
}

/// The host key algorithms that are asked for, best first; RSA only with SHA-2.
pub(crate) fn host_key_algorithms() -> Vec<Algorithm> {
    let ecdsa = |curve| Algorithm::Ecdsa { curve };
    vec![
        Algorithm::Ed25519,
        ecdsa(EcdsaCurve::NistP256),
        ecdsa(EcdsaCurve::NistP384),
        ecdsa(EcdsaCurve::NistP521),
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ]
}

/// The name of an algorithm's form with a certificate.
fn certified(algorithm: &Algorithm) -> String {
    format!("{}-cert-v01@openssh.com", algorithm.as_str())
}

/// The names of all host key algorithms, with and without certificates, best first.
pub(crate) fn host_key_names() -> Vec<String> {
    let all = host_key_algorithms();
    all.iter().map(certified).chain(all.iter().map(|a| a.as_str().to_owned())).collect()
}

/// The key type behind an algorithm's name: all RSA signatures are made with the one `ssh-rsa` key.
pub(crate) fn family(name: &str) -> &str {
    let name = name.strip_suffix("-cert-v01@openssh.com").unwrap_or(name);
    if name.starts_with("rsa-sha2-") { "ssh-rsa" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_type_on_file_is_asked_for_first_and_the_others_stay() {
        let mut target = Target::new("h", 22, "u", Arc::new(super::super::tests_support::TrustAll));
        let asked: Vec<String> =
            preferred(&["ssh-rsa".to_owned()], &target).key.iter().map(ToString::to_string).collect();
        assert_eq!(asked[..3], ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]);
        assert_eq!(asked.len(), host_key_algorithms().len());
        assert_eq!(preferred(&[], &target).key[0], Algorithm::Ed25519);
        target.host_key_algorithms = Some(vec!["rsa-sha2-256".to_owned(), "ssh-ed25519".to_owned()]);
        let limited = preferred(&[], &target);
        let asked: Vec<String> = limited.key.iter().map(ToString::to_string).collect();
        assert_eq!(
            (asked, limited.host_key_certificates.len()),
            (vec!["rsa-sha2-256".to_owned(), "ssh-ed25519".to_owned()], 0)
        );
    }

    #[test]
    fn aes_gcm_and_no_delay() {
        let target = Target::new("h", 22, "u", Arc::new(super::super::tests_support::TrustAll));
        let config = config(&target, preferred(&[], &target));
        assert!(config.nodelay && config.keepalive_interval.is_some());
        assert_eq!(config.preferred.cipher[0].as_ref(), "aes256-gcm@openssh.com");
    }
}
