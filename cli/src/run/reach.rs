//! How a host is reached: the inventory's connection variables over the playbook's words over the command line over
//! OpenSSH's configuration.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rectify_core::{
    compile::Access,
    event::Failure,
    inventory::{Connection as Vars, Inventory, Var},
    template::{Engine, EngineOptions, Rendered, Vars as TemplateVars, may_be_template},
};
use rectify_remote::{
    Secret,
    helper::{Become, Images, Method, Start},
    known_hosts::KnownHosts,
    run::Way,
    session::{BoxedHostKeys, Connector, Identity, KnownHostsJudge, Target, Timeouts, Unknown},
    ssh_config::{Env, IdentityAgent, JumpHost, Proxy, ResolvedHost, SshConfig, StrictHostKeys},
};
use serde_json::Value;

use super::ask::Passphrases;
use crate::{args::Connection, exit::Expected, helpers::HELPERS};

/// Secrets that were asked for once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passwords {
    /// `-k`.
    pub(crate) login: Option<Secret>,
    /// `-K`.
    pub(crate) r#become: Option<Secret>,
}

/// Everything that reaching any host of a run takes.
pub(crate) struct Reach {
    options: Connection,
    passwords: Passwords,
    config: SshConfig,
    connector: Connector,
    images: Images,
    judges: Mutex<HashMap<(Vec<PathBuf>, bool), BoxedHostKeys>>,
    templates: Engine,
}

impl Reach {
    /// Reads OpenSSH's configuration and unpacks the helpers.
    ///
    /// # Errors
    /// A configuration that is wrong.
    pub(crate) fn new(options: Connection, passwords: Passwords) -> Result<Self, Expected> {
        let env = Env::system(true);
        let config = match options.ssh_config.as_deref() {
            None => SshConfig::load_default(env),
            Some(path) if path == Path::new("none") => SshConfig::load(None, None, env),
            Some(path) => SshConfig::load(Some(path), None, env),
        };
        let config = config.map_err(|e| Expected::usage(format!("ssh configuration: {e}")))?;
        let mut images = Vec::new();
        for helper in HELPERS {
            let bytes = helper.unpack().map_err(|e| Expected::usage(format!("unpacking the helper: {e}")))?;
            images.push((helper.arch.to_owned(), bytes));
        }
        Ok(Reach {
            options,
            passwords,
            config,
            connector: Connector::new(Arc::new(Passphrases)),
            images: Images::new(images),
            judges: Mutex::default(),
            templates: Engine::new(EngineOptions::default()),
        })
    }

    /// The account that logs in to a host where neither inventory nor playbook says.
    pub(crate) fn login(&self) -> Option<String> {
        self.options.user.clone()
    }

    /// The connector, shared by all hosts.
    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// How to reach `host`, and how to start the helper there.
    pub(crate) fn host(&self, inventory: &Inventory, host: &str, access: &Access) -> Result<(Way, Start), Failure> {
        let vars = inventory.connection(host);
        let text = |var: Option<&Var>| self.text(inventory, host, var);
        let kind = text(vars.connection)?
            .or_else(|| access.connection.clone())
            .or_else(|| self.options.connection.clone())
            .unwrap_or_else(|| "ssh".into());
        let mut start = Start::new(self.images.clone());
        start.directories.clone_from(&self.options.helper_dir);
        match kind.as_str() {
            "local" | "ansible.builtin.local" => {
                let own = rustix::process::geteuid().is_root().then(|| "root".to_owned());
                start.r#become = self.escalation(&vars, access, own.as_deref(), &text)?;
                Ok((Way::Local(self.timeouts(None)), start))
            }
            "ssh" | "smart" | "paramiko" | "paramiko_ssh" | "ansible.builtin.ssh" => {
                let target = self.target(inventory, host, Some(access))?;
                start.r#become = self.escalation(&vars, access, Some(&target.user), &text)?;
                Ok((Way::Ssh(self.connector.clone(), Box::new(target)), start))
            }
            other => {
                Err(Failure::new(format!("ansible_connection: {other:?} is not supported")).hinting("use ssh or local"))
            }
        }
    }

    /// The SSH target of a host.
    pub(crate) fn target(&self, inventory: &Inventory, host: &str, access: Option<&Access>) -> Result<Target, Failure> {
        let vars = inventory.connection(host);
        let text = |var: Option<&Var>| self.text(inventory, host, var);
        let address = text(vars.host)?.unwrap_or_else(|| host.to_owned());
        let user = text(vars.user)?
            .or_else(|| access.and_then(|a| a.remote_user.clone()))
            .or_else(|| self.options.user.clone());
        let port = match text(vars.port)? {
            None => None,
            Some(text) => Some(
                text.parse::<u16>().map_err(|_| Failure::new(format!("ansible_port: {text:?} is no port number")))?,
            ),
        };
        let resolved = self.resolve(&address, user.as_deref(), port)?;
        let mut target = self.target_of(&resolved, text(vars.host_key_checking)?.as_deref())?;
        target.name = host.to_owned();
        for (name, var) in [
            ("ansible_ssh_common_args", vars.common_args),
            ("ansible_ssh_extra_args", vars.extra_args),
            ("ansible_ssh_args", vars.args),
        ] {
            if let Some(args) = text(var)? {
                self.ssh_args(&mut target, name, &args)?;
            }
        }
        if target.jumps.is_empty()
            && target.proxy_command.is_none()
            && let Proxy::Jump(hops) = &resolved.proxy
        {
            target.jumps = self.jumps(hops)?;
        }
        if let Some(file) = text(vars.private_key_file)? {
            target.identities.insert(0, Identity { path: home(&file), explicit: true });
        } else if let Some(file) = &self.options.private_key {
            target.identities.insert(0, Identity { path: file.clone(), explicit: true });
        }
        target.password = text(vars.password)?.map(Secret::new).or_else(|| self.passwords.login.clone());
        if let Some(seconds) = text(vars.timeout)?.and_then(|t| t.parse().ok()) {
            target.timeouts.connect = Duration::from_secs(seconds);
        }
        Ok(target)
    }

    fn resolve(&self, host: &str, user: Option<&str>, port: Option<u16>) -> Result<ResolvedHost, Failure> {
        let ssh = Path::new("/usr/bin/ssh");
        let resolved = self
            .config
            .resolve_or_ask(host, user, port, ssh.exists().then_some(ssh))
            .map_err(|e| Failure::from_error(&e))?;
        if resolved.may_lead_elsewhere() {
            let named: Vec<String> = resolved
                .unsupported
                .iter()
                .map(|u| format!("{} ({}:{})", u.option, u.file.display(), u.line))
                .collect();
            return Err(Failure::new(format!(
                "the ssh configuration for {host} uses what is not supported and may lead to another host: {}",
                named.join(", ")
            )));
        }
        Ok(resolved)
    }

    fn target_of(&self, resolved: &ResolvedHost, checking: Option<&str>) -> Result<Target, Failure> {
        let judge = self.judge(resolved, checking)?;
        let mut target = Target::new(&resolved.hostname, resolved.port, &resolved.user, judge);
        target.identities = resolved
            .identity_files
            .iter()
            .map(|f| Identity { path: f.path.clone(), explicit: resolved.identity_files_configured })
            .collect();
        target.certificates = resolved.certificate_files.iter().map(|f| f.path.clone()).collect();
        target.identities_only = resolved.identities_only;
        target.agent = match &resolved.identity_agent {
            IdentityAgent::Environment => {
                std::env::var_os("SSH_AUTH_SOCK").filter(|s| !s.is_empty()).map(PathBuf::from)
            }
            IdentityAgent::None => None,
            IdentityAgent::Socket(path) => Some(path.clone()),
        };
        target.timeouts = self.timeouts(Some(resolved));
        target.host_key_alias.clone_from(&resolved.host_key_alias);
        if let Proxy::Command(command) = &resolved.proxy {
            target.proxy_command = Some(command.clone());
        }
        Ok(target)
    }

    fn jumps(&self, hops: &[JumpHost]) -> Result<Vec<Target>, Failure> {
        hops.iter()
            .map(|hop| {
                let resolved = self.resolve(&hop.host, hop.user.as_deref(), hop.port)?;
                self.target_of(&resolved, None)
            })
            .collect()
    }

    /// The options that Ansible content gives to `ssh` itself. Those that lead to a host are taken; others are refused by
    /// name, so that none is lost in silence.
    fn ssh_args(&self, target: &mut Target, name: &str, args: &str) -> Result<(), Failure> {
        let wrong = |what: &str| {
            Failure::new(format!("{name}: {what} is not supported here")).hinting("put it into the ssh configuration")
        };
        let words = shlex::split(args).ok_or_else(|| wrong("a quote that is not closed"))?;
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let (flag, rest) = word.split_at(word.len().min(2));
            let mut value = || if rest.is_empty() { words.next().unwrap_or_default() } else { rest.to_owned() };
            match flag {
                "-o" => {
                    let option = value();
                    let (key, value) = option.split_once(['=', ' ']).unwrap_or((&option, ""));
                    self.ssh_option(target, key.trim(), value.trim()).map_err(|()| wrong(&option))?;
                }
                "-J" => self.jump_words(target, &value())?,
                "-i" => target.identities.insert(0, Identity { path: home(&value()), explicit: true }),
                "-C" | "-q" | "-4" | "-6" | "-T" => {}
                _ => return Err(wrong(&word)),
            }
        }
        Ok(())
    }

    fn ssh_option(&self, target: &mut Target, key: &str, value: &str) -> Result<(), ()> {
        match key.to_ascii_lowercase().as_str() {
            "proxyjump" => self.jump_words(target, value).map_err(|_| ())?,
            "proxycommand" => {
                let command = value.replace("%h", &target.address).replace("%p", &target.port.to_string());
                target.proxy_command = Some(command.replace("%r", &target.user));
            }
            "connecttimeout" => target.timeouts.connect = Duration::from_secs(value.parse().map_err(|_| ())?),
            "stricthostkeychecking" if value == "yes" => {}
            "controlmaster"
            | "controlpersist"
            | "controlpath"
            | "forwardagent"
            | "loglevel"
            | "batchmode"
            | "preferredauthentications"
            | "compression" => {}
            _ => return Err(()),
        }
        Ok(())
    }

    fn jump_words(&self, target: &mut Target, text: &str) -> Result<(), Failure> {
        let hops: Vec<JumpHost> = text
            .split(',')
            .map(|hop| {
                let (user, place) = hop.rsplit_once('@').map_or((None, hop), |(u, p)| (Some(u.to_owned()), p));
                let (host, port) = match place.rsplit_once(':') {
                    Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.parse().ok()),
                    _ => (place, None),
                };
                JumpHost { user, host: host.trim_matches(['[', ']']).to_owned(), port }
            })
            .collect();
        target.jumps = self.jumps(&hops)?;
        Ok(())
    }

    fn timeouts(&self, resolved: Option<&ResolvedHost>) -> Timeouts {
        let mut times = Timeouts::default();
        if let Some(resolved) = resolved {
            times.connect = resolved.connect_timeout.unwrap_or(times.connect);
            if let Some(interval) = resolved.server_alive_interval {
                times.keepalive = interval;
                times.keepalive_max = resolved.server_alive_count_max;
            }
        }
        if let Some(seconds) = self.options.timeout {
            times.connect = Duration::from_secs(seconds);
        }
        times
    }

    /// One judge for each set of files, so that they are read once.
    fn judge(&self, resolved: &ResolvedHost, checking: Option<&str>) -> Result<BoxedHostKeys, Failure> {
        let off = checking.is_some_and(|c| matches!(c.to_ascii_lowercase().as_str(), "false" | "no" | "0" | "off"));
        let mut files = resolved.user_known_hosts.clone();
        files.extend(resolved.global_known_hosts.iter().cloned());
        let mut judges = self.judges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(judge) = judges.get(&(files.clone(), off)) {
            return Ok(Arc::clone(judge));
        }
        let known = KnownHosts::load(&files).map_err(|e| Failure::from_error(&e))?;
        let unknown = match (resolved.strict_host_key_checking, resolved.user_known_hosts.first()) {
            _ if off => Unknown::Believe,
            (StrictHostKeys::Off, _) => Unknown::Believe,
            (StrictHostKeys::AcceptNew, Some(file)) => {
                Unknown::File { file: file.clone(), hash_names: resolved.hash_known_hosts }
            }
            _ => Unknown::Refuse,
        };
        let judge = KnownHostsJudge::new(known, unknown);
        judges.insert((files, off), Arc::clone(&judge));
        Ok(judge)
    }

    fn escalation(
        &self,
        vars: &Vars<'_>,
        access: &Access,
        login: Option<&str>,
        text: &dyn Fn(Option<&Var>) -> Result<Option<String>, Failure>,
    ) -> Result<Option<Become>, Failure> {
        let Some(user) = &access.become_user else { return Ok(None) };
        if login == Some(user) {
            return Ok(None);
        }
        if let Some(flags) = access.become_flags.clone().or(text(vars.become_flags)?)
            && !flags.split_whitespace().all(|f| matches!(f, "-H" | "-S" | "-n" | "-E"))
        {
            return Err(Failure::new(format!("become_flags: {flags:?} is not supported"))
                .hinting("the helper is started with -H, and with -S or -n as a password is given or not"));
        }
        let method = match text(vars.become_method)?.or_else(|| access.become_method.clone()) {
            None => Method::Sudo,
            Some(word) => word.parse().map_err(|e: String| Failure::new(format!("become_method: {e}")))?,
        };
        let password = text(vars.become_password)?.map(Secret::new).or_else(|| self.passwords.r#become.clone());
        Ok(Some(Become { method, user: user.clone(), password }))
    }

    /// A connection variable's text, with templates in it rendered from the host's own variables.
    fn text(&self, inventory: &Inventory, host: &str, var: Option<&Var>) -> Result<Option<String>, Failure> {
        let Some(var) = var else { return Ok(None) };
        let plain = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        match &*var.value {
            Value::String(text) if may_be_template(text) => {
                let mut all = inventory.vars(host).unwrap_or_default();
                all.extend(inventory.magic(host));
                match self.templates.render_value(text, &TemplateVars::new(&all)) {
                    Ok(Rendered::Value(value)) => Ok(plain(&value)),
                    Ok(_) => Ok(None),
                    Err(error) => Err(Failure::from_error(&error)),
                }
            }
            value => Ok(plain(value)),
        }
    }
}

fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}
