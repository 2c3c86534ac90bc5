//! From OpenSSH's configuration and an inventory's variables to a target.

use std::{
    collections::HashMap,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    known::{KnownHostsJudge, Unknown},
    target::{BoxedHostKeys, Family, Identity, Target, Timeouts},
};
use crate::{
    Secret,
    known_hosts::{KnownHosts, KnownHostsError},
    ssh_config::{
        AddressFamily, ConfigError, IdentityAgent, Proxy, ResolvedHost, SshConfig, StrictHostKeys, Unsupported,
    },
};

/// How many jump hosts' configurations may lead to further jump hosts.
const DEEPEST: usize = 8;

/// What an inventory says about a host; it goes before the configuration.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `ansible_host`: what is looked up in the configuration, and connected to if that has no `HostName`.
    pub address: Option<String>,
    /// `ansible_user`, `-u`.
    pub user: Option<String>,
    /// `ansible_port`.
    pub port: Option<u16>,
    /// `ansible_ssh_private_key_file`, `--private-key`: tried before the configured ones.
    pub identity: Option<PathBuf>,
    /// `ansible_password`, `-k`.
    pub password: Option<Secret>,
    /// `ansible_ssh_private_key_passphrase`.
    pub passphrase: Option<Secret>,
    /// Options as `ssh -o` takes them, keyword and value: they go before the files.
    pub options: Vec<(String, String)>,
    /// `ansible_timeout`, `-T`.
    pub connect_timeout: Option<Duration>,
}

/// Why there is no target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The configuration does not resolve the host.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The known_hosts files cannot be read.
    #[error(transparent)]
    KnownHosts(#[from] KnownHostsError),
    /// Jump hosts lead to jump hosts without an end.
    #[error("the jump hosts of `{0}` lead to further jump hosts more than {DEEPEST} times: is there a circle?")]
    Circle(String),
    /// `BindAddress` is a name.
    #[error("BindAddress `{0}` is no address")]
    BindAddress(String),
}

/// A set of known_hosts files and what is done with an unknown key, and its judge.
type Cached = HashMap<(Vec<PathBuf>, Unknown), BoxedHostKeys>;

/// Makes targets, reading each known_hosts file once for all of them.
#[derive(Debug)]
pub struct Targets {
    config: SshConfig,
    agent: Option<PathBuf>,
    ssh: Option<PathBuf>,
    judges: Mutex<Cached>,
}

impl Targets {
    /// Makes targets by this configuration. `agent` is the socket in `SSH_AUTH_SOCK`, if it is set.
    pub fn new(config: SshConfig, agent: Option<PathBuf>) -> Self {
        Self { config, agent, ssh: None, judges: Mutex::default() }
    }

    /// With the program `ssh`, which is asked where the configuration has what only OpenSSH understands.
    #[must_use]
    pub fn asking(self, ssh: Option<PathBuf>) -> Self {
        Self { ssh, ..self }
    }

    /// The target for the host that the inventory names `name`, and what the configuration says about it. What is not
    /// supported there is listed for the hosts on the way too.
    ///
    /// # Errors
    /// The configuration or a known_hosts file cannot be used.
    pub fn target(&self, name: &str, over: &Overrides) -> Result<(Target, ResolvedHost), TargetError> {
        let asked = over.address.as_deref().unwrap_or(name);
        let mut resolved = self.resolve(asked, over.user.as_deref(), over.port, &over.options)?;
        let mut unsupported = std::mem::take(&mut resolved.unsupported);
        let mut target = self.of(&resolved, 0, &mut unsupported)?;
        resolved.unsupported = unsupported;
        target.name = name.to_owned();
        if let Some(path) = &over.identity {
            target.identities.insert(0, Identity { path: path.clone(), explicit: true });
        }
        target.password.clone_from(&over.password);
        target.passphrase.clone_from(&over.passphrase);
        target.timeouts.connect = over.connect_timeout.unwrap_or(target.timeouts.connect);
        Ok((target, resolved))
    }

    fn resolve(
        &self,
        host: &str,
        user: Option<&str>,
        port: Option<u16>,
        options: &[(String, String)],
    ) -> Result<ResolvedHost, ConfigError> {
        let own = self.config.resolve_with(host, user, port, options)?;
        // What was said in the inventory cannot be handed on, and is not lost in silence.
        if !options.is_empty() {
            return Ok(own);
        }
        self.config.resolve_or_ask(host, user, port, self.ssh.as_deref())
    }

    fn of(&self, host: &ResolvedHost, depth: usize, missing: &mut Vec<Unsupported>) -> Result<Target, TargetError> {
        let mut target = Target::new(host.hostname.clone(), host.port, host.user.clone(), self.judge(host)?);
        if host.pubkey_authentication {
            let file = |f: &crate::ssh_config::ConfiguredFile| Identity {
                path: f.path.clone(),
                explicit: host.identity_files_configured,
            };
            target.identities = host.identity_files.iter().map(file).collect();
            target.certificates = host.certificate_files.iter().map(|f| f.path.clone()).collect();
            target.agent = match &host.identity_agent {
                IdentityAgent::Environment => self.agent.clone(),
                IdentityAgent::None => None,
                IdentityAgent::Socket(socket) => Some(socket.clone()),
            };
        }
        target.identities_only = host.identities_only;
        target.host_key_alias.clone_from(&host.host_key_alias);
        target.compression = host.compression;
        target.known_hosts_file = host.user_known_hosts.first().cloned();
        target.methods = methods(host);
        target.ask = !host.batch_mode;
        target.check_address = host.check_host_ip;
        target.host_key_algorithms = Some(host.host_key_algorithms.select(&super::connect::host_key_names()));
        target.family = match host.address_family {
            AddressFamily::Any => Family::Any,
            AddressFamily::Inet => Family::V4,
            AddressFamily::Inet6 => Family::V6,
        };
        if let Some(text) = &host.bind_address {
            let bound: IpAddr = text.parse().map_err(|_| TargetError::BindAddress(text.clone()))?;
            target.bind = Some(bound);
        }
        let defaults = Timeouts::default();
        target.timeouts.connect = host.connect_timeout.unwrap_or(defaults.connect);
        // On by default, other than in OpenSSH: a dead host must be noticed.
        if let Some(interval) = host.server_alive_interval {
            target.timeouts.keepalive = interval;
            target.timeouts.keepalive_max = host.server_alive_count_max;
        }
        match &host.proxy {
            Proxy::None => {}
            Proxy::Command(command) => target.proxy_command = Some(command.clone()),
            Proxy::Jump(hops) => {
                if depth >= DEEPEST {
                    return Err(TargetError::Circle(host.original.clone()));
                }
                for (i, hop) in hops.iter().enumerate() {
                    let resolved = self.resolve(&hop.host, hop.user.as_deref(), hop.port, &[])?;
                    missing.extend(
                        resolved.unsupported.iter().filter(|u| !missing.contains(u)).cloned().collect::<Vec<_>>(),
                    );
                    // Only the first one's own way counts: the others are reached through the one before them.
                    let direct = ResolvedHost { proxy: Proxy::None, ..resolved.clone() };
                    let mut hop = self.of(if i == 0 { &resolved } else { &direct }, depth + 1, missing)?;
                    target.jumps.append(&mut hop.jumps);
                    target.jumps.push(hop);
                }
            }
        }
        Ok(target)
    }

    fn judge(&self, host: &ResolvedHost) -> Result<BoxedHostKeys, TargetError> {
        let files: Vec<PathBuf> = host.user_known_hosts.iter().chain(&host.global_known_hosts).cloned().collect();
        let unknown = match (host.strict_host_key_checking, host.user_known_hosts.first()) {
            (StrictHostKeys::AcceptNew, Some(file)) => {
                Unknown::File { file: file.clone(), hash_names: host.hash_known_hosts }
            }
            (StrictHostKeys::Off, _) => Unknown::Believe,
            // There is nobody to ask amid a fleet: `rectify trust` asks before.
            _ => Unknown::Refuse,
        };
        let mut judges = self.judges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(judge) = judges.get(&(files.clone(), unknown.clone())) {
            return Ok(Arc::clone(judge));
        }
        let judge = KnownHostsJudge::boxed(KnownHosts::load(&files)?, unknown.clone());
        judges.insert((files, unknown), Arc::clone(&judge));
        Ok(judge)
    }
}

/// The methods to log in by, where the configuration says anything about them.
fn methods(host: &ResolvedHost) -> Option<Vec<String>> {
    let allowed = |method: &str| match method {
        "publickey" => host.pubkey_authentication,
        "keyboard-interactive" => host.kbd_interactive_authentication,
        "password" => host.password_authentication,
        _ => true,
    };
    let usual = ["publickey", "keyboard-interactive", "password"];
    if host.preferred_authentications.is_none() && usual.into_iter().all(allowed) {
        return None;
    }
    let named = host.preferred_authentications.clone().unwrap_or_else(|| usual.map(str::to_owned).to_vec());
    Some(named.into_iter().filter(|method| allowed(method)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh_config::Env;

    fn targets(text: &str) -> (Targets, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        std::fs::write(&file, text).unwrap();
        let env = Env { home: dir.path().to_owned(), ..Env::system(false) };
        (Targets::new(SshConfig::load(Some(&file), None, env).unwrap(), Some("/agent".into())), dir)
    }

    #[test]
    fn an_inventory_goes_before_the_configuration_and_that_before_the_defaults() {
        let (targets, _dir) = targets(
            "Host 10.0.0.1\n User deploy\n Port 2222\n IdentityFile /k\n ServerAliveInterval 5\n ServerAliveCountMax 2\n\
             Host *\n ConnectTimeout 3\n",
        );
        let over = Overrides { address: Some("10.0.0.1".to_owned()), port: Some(22), ..Overrides::default() };
        let (target, _) = targets.target("web1", &over).unwrap();
        assert_eq!((target.name.as_str(), target.address.as_str(), target.port), ("web1", "10.0.0.1", 22));
        assert_eq!(target.user, "deploy");
        assert_eq!(target.identities, [Identity { path: "/k".into(), explicit: true }]);
        assert_eq!(target.timeouts.connect, Duration::from_secs(3));
        assert_eq!((target.timeouts.keepalive, target.timeouts.keepalive_max), (Duration::from_secs(5), 2));
        let over = Overrides { user: Some("ada".to_owned()), identity: Some("/mine".into()), ..over };
        let (target, _) = targets.target("web1", &over).unwrap();
        assert_eq!(target.user, "ada");
        let paths: Vec<_> = target.identities.iter().map(|i| i.path.display().to_string()).collect();
        assert_eq!(paths, ["/mine", "/k"]);
        let (plain, _) = targets.target("db1", &Overrides::default()).unwrap();
        assert!(!plain.timeouts.keepalive.is_zero() && plain.identities.iter().all(|i| !i.explicit));
    }

    #[test]
    fn jump_hosts_are_resolved_each_and_the_first_ones_own_way_counts() {
        let (targets, _dir) = targets(
            "Host far\n ProxyJump ada@mid:2200,near\nHost mid\n ProxyJump gate\n HostName 10.0.0.2\n\
             Host near\n ProxyJump elsewhere\nHost gate\n ProxyCommand nc %h %p\nHost a\n ProxyJump b\nHost b\n ProxyJump a\n",
        );
        let (target, _) = targets.target("far", &Overrides::default()).unwrap();
        let hops: Vec<_> = target.jumps.iter().map(|hop| (hop.address.as_str(), hop.port)).collect();
        assert_eq!(hops, [("gate", 22), ("10.0.0.2", 2200), ("near", 22)]);
        assert_eq!(
            (target.jumps[1].user.as_str(), target.jumps[0].proxy_command.as_deref()),
            ("ada", Some("nc gate 22"))
        );
        assert!(matches!(targets.target("a", &Overrides::default()), Err(TargetError::Circle(_))));
    }

    #[test]
    fn what_is_not_supported_on_the_way_is_told_with_the_host() {
        let (targets, _dir) = targets(
            "Host far\n ProxyJump gate\n CheckHostIP yes\n PreferredAuthentications password,publickey\n\
             Host gate\n Ciphers aes128-ctr\n BindInterface eth9\nHost *\n Ciphers aes256-ctr\n",
        );
        let (target, resolved) = targets.target("far", &Overrides::default()).unwrap();
        let told: Vec<_> = resolved.unsupported.iter().map(|u| u.option.as_str()).collect();
        assert_eq!(told, ["ciphers aes256-ctr", "ciphers aes128-ctr", "bindinterface eth9"]);
        assert!(resolved.may_lead_elsewhere(), "a jump host that is reached otherwise leads elsewhere");
        assert!(target.check_address && !target.jumps[0].check_address);
        assert_eq!(target.methods.unwrap(), ["password", "publickey"]);
    }

    #[test]
    fn what_only_openssh_understands_is_asked_of_it() {
        let (targets, dir) = targets("CanonicalizeHostname yes\nCiphers aes128-ctr\nBindInterface eth9\n");
        let ssh = dir.path().join("ssh");
        std::fs::write(
            &ssh,
            "#!/bin/sh\necho hostname web1.example.org\necho port 2222\necho user ada\necho bindinterface eth9\n",
        )
        .unwrap();
        std::fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert!(targets.target("web1", &Overrides::default()).unwrap().1.may_lead_elsewhere());
        let (target, resolved) = targets.asking(Some(ssh)).target("web1", &Overrides::default()).unwrap();
        assert_eq!((target.address.as_str(), target.port, target.user.as_str()), ("web1.example.org", 2222, "ada"));
        let told: Vec<_> = resolved.unsupported.iter().map(|u| (u.option.as_str(), u.line)).collect();
        assert_eq!(told, [("ciphers aes128-ctr", 2), ("bindinterface eth9", 3)], "with the lines of the file");
    }

    #[test]
    fn hosts_with_the_same_files_share_their_judge() {
        let (targets, _dir) = targets("Host lax\n StrictHostKeyChecking accept-new\n");
        let judge = |name: &str| targets.target(name, &Overrides::default()).unwrap().0.host_keys;
        assert!(Arc::ptr_eq(&judge("a"), &judge("b")));
        assert!(!Arc::ptr_eq(&judge("a"), &judge("lax")));
    }
}
