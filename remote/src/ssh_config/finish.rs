//! From settings to the resolved host: defaults, tokens, kinds.

use std::path::PathBuf;

use super::env::Env;
use super::error::{ConfigError, Unsupported};
use super::expand::{Permit, Tokens};
use super::jump::JumpHost;
use super::settings::Settings;
use super::types::{
    AddressFamily, AlgorithmChoice, ConfiguredFile, IdentityAgent, Proxy, ResolvedHost, Source, StrictHostKeys,
};

const DEFAULT_IDENTITY_FILES: [&str; 5] =
    ["~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk"];
const DEFAULT_USER_KNOWN_HOSTS: [&str; 2] = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"];
const DEFAULT_GLOBAL_KNOWN_HOSTS: [&str; 2] = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];

/// For whom the settings are.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) env: &'a Env,
    pub(super) original: &'a str,
    pub(super) hostname: &'a str,
}

struct Finish<'a> {
    tokens: Tokens<'a>,
    source: Source,
}

pub(super) fn finish(
    settings: Settings,
    asked: Asked<'_>,
    unsupported: Vec<Unsupported>,
    source: Source,
) -> Result<ResolvedHost, ConfigError> {
    let user = settings.user.clone().unwrap_or_else(|| asked.env.user.clone());
    let alias = settings.host_key_alias.map(|alias| alias.to_ascii_lowercase());
    let port = settings.port.unwrap_or(22);
    let jump = settings.jump.as_ref().filter(|(_, hosts)| !hosts.is_empty()).map_or("", |(text, _)| text);
    let tokens = Tokens {
        env: asked.env,
        hostname: asked.hostname,
        original: asked.original,
        port,
        user: &user,
        alias: alias.as_deref(),
        jump,
    };
    let finish = Finish { tokens, source };
    let batch_mode = settings.batch_mode.unwrap_or(false);
    let configured: Vec<String> = settings.identity_files.into_iter().map(|(file, _)| file).collect();
    let identity_files_configured = !configured.is_empty();
    let identity_files = match identity_files_configured {
        true => configured,
        false => DEFAULT_IDENTITY_FILES.map(str::to_owned).to_vec(),
    };
    Ok(ResolvedHost {
        proxy: finish.proxy(settings.proxy_command, settings.jump.as_ref().map(|(_, hosts)| hosts.as_slice()))?,
        identity_files: finish.key_files("IdentityFile", identity_files)?,
        identity_files_configured,
        certificate_files: finish
            .key_files("CertificateFile", settings.certificate_files.into_iter().map(|(file, _)| file).collect())?,
        identities_only: settings.identities_only.unwrap_or(false),
        identity_agent: finish.agent(settings.identity_agent)?,
        connect_timeout: settings.connect_timeout.filter(|time| !time.is_zero()),
        server_alive_interval: settings.server_alive_interval.filter(|time| !time.is_zero()),
        server_alive_count_max: settings.server_alive_count_max.unwrap_or(3),
        user_known_hosts: finish.user_known_hosts(settings.user_known_hosts)?,
        global_known_hosts: known_hosts_list(settings.global_known_hosts, &DEFAULT_GLOBAL_KNOWN_HOSTS)
            .into_iter()
            .map(PathBuf::from)
            .collect(),
        strict_host_key_checking: settings.strict_host_key_checking.unwrap_or(StrictHostKeys::Ask),
        hash_known_hosts: settings.hash_known_hosts.unwrap_or(false),
        check_host_ip: settings.check_host_ip.unwrap_or(false),
        host_key_algorithms: settings.host_key_algorithms.unwrap_or(AlgorithmChoice::Default),
        preferred_authentications: settings
            .preferred_authentications
            .map(|list| list.split(',').map(str::to_owned).collect()),
        pubkey_authentication: settings.pubkey_authentication.unwrap_or(true),
        password_authentication: settings.password_authentication.unwrap_or(true),
        kbd_interactive_authentication: settings.kbd_interactive_authentication.unwrap_or(true),
        batch_mode,
        address_family: settings.address_family.unwrap_or(AddressFamily::Any),
        bind_address: settings.bind_address,
        compression: settings.compression.unwrap_or(false),
        unsupported,
        source,
        original: asked.original.to_owned(),
        hostname: asked.hostname.to_owned(),
        port,
        host_key_alias: alias.clone(),
        user: user.clone(),
    })
}

fn known_hosts_list(configured: Option<Vec<String>>, default: &[&str]) -> Vec<String> {
    match configured {
        None => default.iter().map(|file| (*file).to_owned()).collect(),
        Some(files) if files.len() == 1 && files[0].eq_ignore_ascii_case("none") => Vec::new(),
        Some(files) => files,
    }
}

impl Finish<'_> {
    fn wrong(&self, option: &'static str, value: &str) -> impl FnOnce(String) -> ConfigError {
        let (value, host) = (value.to_owned(), self.tokens.original.to_owned());
        move |why| ConfigError::Expand { option, value, host, why }
    }

    fn path(&self, option: &'static str, value: &str) -> Result<PathBuf, ConfigError> {
        self.tokens.expand_path(value).map(PathBuf::from).map_err(self.wrong(option, value))
    }

    /// For options that `ssh -G` has expanded already.
    fn path_unless_done(&self, option: &'static str, value: &str) -> Result<PathBuf, ConfigError> {
        match self.source {
            Source::Own => self.path(option, value),
            Source::OpenSsh => Ok(PathBuf::from(value)),
        }
    }

    fn key_files(&self, option: &'static str, files: Vec<String>) -> Result<Vec<ConfiguredFile>, ConfigError> {
        let files = files.into_iter().filter(|file| !file.eq_ignore_ascii_case("none"));
        files.map(|configured| Ok(ConfiguredFile { path: self.path(option, &configured)?, configured })).collect()
    }

    fn user_known_hosts(&self, configured: Option<Vec<String>>) -> Result<Vec<PathBuf>, ConfigError> {
        let files = known_hosts_list(configured, &DEFAULT_USER_KNOWN_HOSTS);
        files.iter().map(|file| self.path_unless_done("UserKnownHostsFile", file)).collect()
    }

    fn agent(&self, configured: Option<String>) -> Result<IdentityAgent, ConfigError> {
        let Some(value) = configured else {
            return Ok(IdentityAgent::Environment);
        };
        if value == "none" {
            return Ok(IdentityAgent::None);
        }
        if value == "SSH_AUTH_SOCK" {
            return Ok(IdentityAgent::Environment);
        }
        match value.strip_prefix('$').filter(|name| !name.starts_with('{')) {
            // The older way to name a variable; without it there is no agent.
            Some(name) => Ok(self
                .tokens
                .env
                .vars
                .get(name)
                .map_or(IdentityAgent::None, |path| IdentityAgent::Socket(PathBuf::from(path)))),
            None => Ok(IdentityAgent::Socket(self.path_unless_done("IdentityAgent", &value)?)),
        }
    }

    fn proxy(&self, command: Option<String>, jump: Option<&[JumpHost]>) -> Result<Proxy, ConfigError> {
        match (jump.filter(|hosts| !hosts.is_empty()), command) {
            (Some(hosts), _) => {
                let hosts = hosts.iter().map(|host| self.jump_host(host)).collect::<Result<Vec<_>, _>>()?;
                match hosts.last() {
                    Some(last) if self.is_target(last) => {
                        Err(self.wrong("ProxyJump", &last.host)("it leads back to the host itself".to_owned()))
                    }
                    _ => Ok(Proxy::Jump(hosts)),
                }
            }
            (None, Some(command)) if !command.eq_ignore_ascii_case("none") => {
                let expanded =
                    self.tokens.expand(&command, Permit::Proxy).map_err(self.wrong("ProxyCommand", &command))?;
                Ok(Proxy::Command(expanded))
            }
            (None, _) => Ok(Proxy::None),
        }
    }

    /// As OpenSSH compares them: as configured, before the jump host's own configuration is looked at.
    fn is_target(&self, jump: &JumpHost) -> bool {
        let same_user = jump.user.as_deref().is_none_or(|user| user == self.tokens.user);
        jump.host == self.tokens.hostname && jump.port.unwrap_or(22) == self.tokens.port && same_user
    }

    fn jump_host(&self, host: &JumpHost) -> Result<JumpHost, ConfigError> {
        let expand = |value: &str| self.tokens.expand(value, Permit::Proxy).map_err(self.wrong("ProxyJump", value));
        Ok(JumpHost { user: host.user.as_deref().map(expand).transpose()?, host: expand(&host.host)?, port: host.port })
    }
}
