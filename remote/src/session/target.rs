//! Where to connect, as whom, with what, and by which way.

use std::{fmt, future::Future, net::IpAddr, path::Path, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use rectify_core::wire::BEAT;

use super::host_key::HostKey;
use crate::{HostKeyRefusal, Secret, known_hosts};

/// A judge of host keys, shared by the targets of a run.
pub type BoxedHostKeys = Arc<dyn HostKeys>;

/// One host, resolved: configuration files and variables have been read, tokens are expanded.
#[derive(Debug, Clone)]
pub struct Target {
    /// The name in the inventory, used in errors.
    pub name: String,
    /// Host name or address to connect to.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// The account to log in as.
    pub user: String,
    /// Private keys, in the order in which they are tried.
    pub identities: Vec<Identity>,
    /// Certificates besides each identity's own `-cert.pub`.
    pub certificates: Vec<PathBuf>,
    /// Offer only the keys and certificates that are named here, even if the agent holds more.
    pub identities_only: bool,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
    /// For keyboard-interactive and password authentication.
    pub password: Option<Secret>,
    /// For private keys that are encrypted; tried before anybody is asked.
    pub passphrase: Option<Secret>,
    /// Whether somebody may be asked for what is not known (`BatchMode`).
    pub ask: bool,
    /// The hosts on the way, the first one first. Each is a full target of its own; its `jumps` are not looked at.
    pub jumps: Vec<Target>,
    /// A shell command whose standard input and output are the connection. It goes before `jumps`.
    pub proxy_command: Option<String>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Which host keys are good.
    pub host_keys: BoxedHostKeys,
    /// The name to look up host keys under instead of `address` and `port` (`HostKeyAlias`).
    pub host_key_alias: Option<String>,
    /// The host key algorithms that may be used, best first (`HostKeyAlgorithms`); `None` for the usual ones.
    pub host_key_algorithms: Option<Vec<String>>,
    /// Which kind of addresses to connect to (`AddressFamily`).
    pub family: Family,
    /// The local address to connect from (`BindAddress`).
    pub bind: Option<IpAddr>,
    /// Whether to compress (`Compression`).
    pub compression: bool,
    /// The file that new host keys are filed in (the first of `UserKnownHostsFile`), if the configuration names one.
    pub known_hosts_file: Option<PathBuf>,
    /// The methods to log in by, by their SSH names, in the order in which they are tried (`PreferredAuthentications`);
    /// `None` for keys, then the host's questions, then the password.
    pub methods: Option<Vec<String>>,
    /// Whether a host key has to agree with what is on file for the address too (`CheckHostIP`).
    pub check_address: bool,
}

/// Which kind of addresses to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Any.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// A private key file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The file.
    pub path: PathBuf,
    /// Whether somebody named it; a default that does not exist is passed over in silence.
    pub explicit: bool,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution, TCP and the key exchange together (`ConnectTimeout`).
    pub connect: Duration,
    /// Each answer that the peer owes: to a credential, to the request for a channel, to the start of the helper.
    pub answer: Duration,
    /// With nothing heard for this long, ask whether the peer is alive (`ServerAliveInterval`); zero: never.
    pub keepalive: Duration,
    /// So many such questions may go unanswered (`ServerAliveCountMax`).
    pub keepalive_max: u32,
    /// A write that makes no progress for this long ends the connection.
    pub progress: Duration,
}

impl Timeouts {
    /// For how long a helper may say nothing before it is given up: as long as a peer may that is asked whether it is
    /// alive, but so long that several of its beats are missing. None where nobody is to ask.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let asked = self.keepalive.saturating_mul(self.keepalive_max.max(1));
        (!self.keepalive.is_zero()).then(|| asked.max(BEAT * 3))
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self { connect: s(10), answer: s(60), keepalive: s(15), keepalive_max: 3, progress: s(60) }
    }
}

/// Judges host keys.
pub trait HostKeys: Send + Sync + fmt::Debug {
    /// The SSH names of the key algorithms that are on file for this host, best first: these are asked for first, as
    /// OpenSSH does, so that a known host is not presented as unknown. Names that are not known here are passed over.
    fn algorithms(&self, target: &known_hosts::Target<'_>) -> Vec<String>;

    /// Whether this key is good for this host. It has proved to hold the private key; a certificate's authority,
    /// principals and dates are for this function to check.
    ///
    /// # Errors
    /// The refusal, which ends the connection before anything secret was sent.
    fn decide(&self, target: &known_hosts::Target<'_>, offered: &HostKey) -> Result<(), HostKeyRefusal>;
}

/// A boxed future, as trait objects need it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Asks a person for what only a person knows. Questions come one at a time.
pub trait Ask: Send + Sync + fmt::Debug {
    /// The passphrase of a private key; `None` if there is nobody to ask. `attempt` counts from 1.
    fn passphrase<'a>(&'a self, key: &'a Path, attempt: u32) -> BoxFuture<'a, Option<Secret>>;
}

/// Nobody is there to be asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct AskNobody;

impl Ask for AskNobody {
    fn passphrase<'a>(&'a self, _: &'a Path, _: u32) -> BoxFuture<'a, Option<Secret>> {
        Box::pin(std::future::ready(None))
    }
}

impl Target {
    /// A target with nothing but the place, the account and the judge of host keys; everything else is a default.
    pub fn new(address: impl Into<String>, port: u16, user: impl Into<String>, host_keys: Arc<dyn HostKeys>) -> Self {
        let address = address.into();
        Self {
            name: address.clone(),
            address,
            port,
            user: user.into(),
            identities: Vec::new(),
            certificates: Vec::new(),
            identities_only: false,
            agent: None,
            password: None,
            passphrase: None,
            ask: true,
            jumps: Vec::new(),
            proxy_command: None,
            timeouts: Timeouts::default(),
            host_keys,
            host_key_alias: None,
            host_key_algorithms: None,
            family: Family::Any,
            bind: None,
            compression: false,
            known_hosts_file: None,
            methods: None,
            check_address: false,
        }
    }

    /// Who this is to the judge of host keys.
    pub fn filed_as(&self) -> known_hosts::Target<'_> {
        known_hosts::Target {
            host: &self.address,
            port: self.port,
            alias: self.host_key_alias.as_deref(),
            address: None,
        }
    }

    /// `address:port`, with brackets around an IPv6 address.
    pub fn place(&self) -> String {
        if self.address.contains(':') {
            format!("[{}]:{}", self.address, self.port)
        } else {
            format!("{}:{}", self.address, self.port)
        }
    }

    /// The host's name for errors, with its address where that says more.
    pub(crate) fn label(&self) -> String {
        if self.name == self.address { self.place() } else { format!("{} ({})", self.name, self.place()) }
    }
}
