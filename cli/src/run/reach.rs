//! How a host is reached: the inventory's connection variables over the playbook's words over the command line over
//! OpenSSH's configuration.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rectify_core::{
    compile::Access,
    diag::{Diagnostic, Diagnostics},
    event::Failure,
    inventory::{Connection as Vars, Inventory, Var, connection_names},
    template::{Engine, EngineOptions, Rendered, Vars as TemplateVars, may_be_template},
    vault::Keyring,
};
use rectify_remote::{
    Secret,
    helper::{Become, Images, Method, Start},
    run::Way,
    session::{Connector, Overrides, Target, Targets, Timeouts},
    ssh_config::{Env, SshConfig, Unsupported},
};
use serde_json::{Map, Value};

use super::ask::Passphrases;
use crate::{args::Connection, display::Screen, exit::Expected, helpers::HELPERS, project::Project};

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
    targets: Targets,
    noted: Mutex<Noted>,
    connector: Connector,
    images: Images,
    templates: Engine,
    extra_vars: Map<String, Value>,
    keyring: Arc<Keyring>,
}

/// What of the configuration is not supported: all that was seen, and what was not yet told.
#[derive(Debug, Default)]
struct Noted {
    seen: BTreeSet<String>,
    new: Vec<String>,
}

/// Gives a connection variable's text, by its name and what the inventory has for it.
type Lookup<'a> = &'a dyn Fn(&str, Option<&Var>) -> Result<Option<String>, Failure>;

/// The words for this machine.
const LOCAL: [&str; 2] = ["local", "ansible.builtin.local"];

impl Reach {
    /// Reads OpenSSH's configuration. Passphrases are asked for on `screen`.
    ///
    /// # Errors
    /// A configuration that is wrong.
    pub(crate) fn new(
        options: Connection,
        passwords: Passwords,
        project: &Project,
        screen: Option<Screen>,
    ) -> Result<Self, Expected> {
        for asked in [&passwords.login, &passwords.r#become].into_iter().flatten() {
            project.keyring.keep(asked.reveal());
        }
        let env = Env::system(true);
        let config = match options.ssh_config.as_deref() {
            None => SshConfig::load_default(env),
            Some(path) if path == Path::new("none") => SshConfig::load(None, None, env),
            Some(path) => {
                // The usual places may be empty; a file that was named is there, or it was not this one that was meant.
                let meta = std::fs::metadata(path);
                meta.map_err(|e| Expected::usage(format!("ssh configuration: cannot read {}: {e}", path.display())))?;
                SshConfig::load(Some(path), None, env)
            }
        };
        let config = config.map_err(|e| Expected::usage(format!("ssh configuration: {e}")))?;
        let agent = std::env::var_os("SSH_AUTH_SOCK").filter(|s| !s.is_empty()).map(PathBuf::from);
        let images = Images::of(HELPERS.iter().map(|helper| (helper.arch.to_owned(), helper.image())));
        Ok(Reach {
            options,
            passwords,
            targets: Targets::new(config, agent).asking(program("ssh")),
            noted: Mutex::default(),
            connector: Connector::new(Arc::new(Passphrases(screen))),
            images,
            templates: Engine::new(EngineOptions::default()),
            extra_vars: project.extra_vars.clone(),
            keyring: project.keyring.clone(),
        })
    }

    /// The connector, shared by all hosts.
    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Options of the ssh configuration that are in force for the hosts asked for since the last call and that are not
    /// supported: each is told once, however many hosts it is for.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut noted.new)
    }

    /// Whether `host` is this machine, as far as it is known without a playbook.
    pub(crate) fn is_local(&self, inventory: &Inventory, host: &str) -> Result<bool, Failure> {
        Ok(LOCAL.contains(&self.kind(inventory, host, &Access::default())?.as_str()))
    }

    fn kind(&self, inventory: &Inventory, host: &str, access: &Access) -> Result<String, Failure> {
        let said = self.text(inventory, host, "ansible_connection", inventory.connection(host).connection)?;
        let kind = said.or_else(|| access.connection.clone()).or_else(|| self.options.connection.clone());
        Ok(kind.unwrap_or_else(|| "ssh".into()))
    }

    /// How to reach `host`, and how to start the helper there.
    pub(crate) fn host(&self, inventory: &Inventory, host: &str, access: &Access) -> Result<(Way, Start), Failure> {
        let vars = inventory.connection(host);
        let text = |name: &str, var: Option<&Var>| self.text(inventory, host, name, var);
        let mut start = Start::new(self.images.clone());
        start.directories.clone_from(&self.options.helper_dir);
        match self.kind(inventory, host, access)?.as_str() {
            kind if LOCAL.contains(&kind) => {
                let own = rustix::process::geteuid().is_root().then(|| "root".to_owned());
                start.r#become = self.escalation(&vars, access, own.as_deref(), &text)?;
                Ok((Way::Local(Timeouts::default()), start))
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

    /// A password, which is shown nowhere from here on.
    fn secret(&self, password: String) -> Secret {
        self.keyring.keep(&password);
        Secret::new(password)
    }

    /// The connection variables of these hosts that cannot be opened: known before any host is contacted.
    pub(crate) fn locked<'h>(&self, inventory: &Inventory, hosts: impl Iterator<Item = &'h str>) -> Diagnostics {
        let mut found = Diagnostics::new();
        for host in hosts {
            let vars = inventory.connection(host);
            for var in [vars.password, vars.become_password, vars.user, vars.host, vars.port, vars.private_key_file]
                .into_iter()
                .flatten()
            {
                if let Err((_, why)) = self.keyring.reveal_all(&mut (*var.value).clone()) {
                    let problem = Diagnostic::error("vault", format!("a connection variable cannot be opened: {why}"));
                    let problem = problem.at(var.at, "set here");
                    found.push(problem.help("give the password with --vault-password-file, --vault-id or -J"));
                }
            }
        }
        found
    }

    /// The SSH target of a host.
    pub(crate) fn target(&self, inventory: &Inventory, host: &str, access: Option<&Access>) -> Result<Target, Failure> {
        let vars = inventory.connection(host);
        let text = |name: &str, var: Option<&Var>| self.text(inventory, host, name, var);
        let port = match text("ansible_port", vars.port)? {
            None => None,
            Some(text) => Some(
                text.parse::<u16>().map_err(|_| Failure::new(format!("ansible_port: {text:?} is no port number")))?,
            ),
        };
        let timeout = match text("ansible_timeout", vars.timeout)? {
            None => self.options.timeout,
            Some(text) => Some(
                text.parse().map_err(|_| Failure::new(format!("ansible_timeout: {text:?} is no number of seconds")))?,
            ),
        };
        let over = Overrides {
            address: text("ansible_host", vars.host)?,
            user: text("ansible_user", vars.user)?
                .or_else(|| access.and_then(|a| a.remote_user.clone()))
                .or_else(|| self.options.user.clone()),
            port,
            identity: text("ansible_private_key_file", vars.private_key_file)?
                .map(|p| home(&p))
                .or_else(|| self.options.private_key.clone()),
            password: text("ansible_password", vars.password)?
                .map(|password| self.secret(password))
                .or_else(|| self.passwords.login.clone()),
            connect_timeout: timeout.map(Duration::from_secs),
            passphrase: text("ansible_ssh_private_key_passphrase", vars.private_key_passphrase)?.map(Secret::new),
            options: ssh_options(&vars, &text)?,
        };
        self.configured(host, &over)
    }

    /// By the ssh configuration. What it says that is not supported and must not be left out is refused.
    fn configured(&self, host: &str, over: &Overrides) -> Result<Target, Failure> {
        let (target, resolved) = self.targets.target(host, over).map_err(|e| Failure::from_error(&e))?;
        if resolved.unsupported.iter().any(Unsupported::forbids) {
            let named: Vec<String> =
                resolved.unsupported.iter().filter(|u| u.forbids()).map(ToString::to_string).collect();
            let message = "the ssh configuration uses what is not supported and must not be left out";
            return Err(Failure { causes: named, ..Failure::new(message) });
        }
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        for option in &resolved.unsupported {
            let text = option.to_string();
            if noted.seen.insert(text.clone()) {
                noted.new.push(text);
            }
        }
        Ok(target)
    }

    fn escalation(
        &self,
        vars: &Vars<'_>,
        access: &Access,
        login: Option<&str>,
        text: Lookup<'_>,
    ) -> Result<Option<Become>, Failure> {
        let Some(user) = &access.become_user else { return Ok(None) };
        if login == Some(user) {
            return Ok(None);
        }
        let method = match text("ansible_become_method", vars.become_method)?.or_else(|| access.become_method.clone()) {
            None => Method::Sudo,
            Some(word) => word.parse().map_err(|e: String| Failure::new(format!("become_method: {e}")))?,
        };
        let password = text("ansible_become_password", vars.become_password)?
            .map(|password| self.secret(password))
            .or_else(|| self.passwords.r#become.clone());
        let flags = text("ansible_become_flags", vars.become_flags)?.or_else(|| access.become_flags.clone());
        let flags = method.flags(flags.as_deref().unwrap_or_default()).map_err(|flag| {
            Failure::new(format!("become_flags: {flag:?} is not supported with {}", method.name()))
                .hinting("sudo takes -E, -k, -P, -g GROUP, -r ROLE, -t TYPE; su takes -, -m, -g GROUP, -G GROUP")
        })?;
        let program = text("ansible_become_exe", vars.become_exe)?;
        Ok(Some(Become { method, user: user.clone(), program, password, flags }))
    }

    /// A connection variable's text, with templates in it rendered from the host's own variables.
    fn text(
        &self,
        inventory: &Inventory,
        host: &str,
        name: &str,
        var: Option<&Var>,
    ) -> Result<Option<String>, Failure> {
        let given = connection_names(name).iter().rev().find_map(|name| self.extra_vars.get(*name));
        let Some(value) = given.or(var.map(|v| &*v.value)) else { return Ok(None) };
        let mut value = value.clone();
        self.keyring.reveal_all(&mut value).map_err(|(_, why)| Failure::new(format!("{name}: {why}")))?;
        let plain = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        match &value {
            Value::String(text) if may_be_template(text) => {
                let mut all = inventory.vars(host).unwrap_or_default();
                all.extend(inventory.magic(host));
                all.extend(self.extra_vars.clone());
                self.keyring.reveal_vars(&mut all);
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

/// What Ansible content says to `ssh` itself, as options; the earlier of two wins. What has no like among the options is refused by
/// name, so that nothing is lost in silence.
fn ssh_options(vars: &Vars<'_>, text: Lookup<'_>) -> Result<Vec<(String, String)>, Failure> {
    let mut options = Vec::new();
    let add = |name: &str, var: Option<&Var>, options: &mut Vec<_>| match text(name, var)? {
        Some(args) => ssh_args(name, &args, options),
        None => Ok(()),
    };
    add("ansible_ssh_args", vars.args, &mut options)?;
    let checking = text("ansible_host_key_checking", vars.host_key_checking)?.map(|c| c.to_ascii_lowercase());
    if checking.is_some_and(|c| matches!(c.as_str(), "false" | "no" | "0" | "off")) {
        options.push(("StrictHostKeyChecking".to_owned(), "no".to_owned()));
    }
    add("ansible_ssh_common_args", vars.common_args, &mut options)?;
    add("ansible_ssh_extra_args", vars.extra_args, &mut options)?;
    Ok(options)
}

fn ssh_args(name: &str, args: &str, options: &mut Vec<(String, String)>) -> Result<(), Failure> {
    let wrong = |what: &str| {
        Failure::new(format!("{name}: {what} is not supported here")).hinting("put it into the ssh configuration")
    };
    let words = shlex::split(args).ok_or_else(|| wrong("a quote that is not closed"))?;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (flag, rest) = word.split_at_checked(2).unwrap_or((&word, ""));
        let mut value = || if rest.is_empty() { words.next().unwrap_or_default() } else { rest.to_owned() };
        let mut put = |keyword: &str, value: String| options.push((keyword.to_owned(), value));
        match flag {
            "-o" => {
                let option = value();
                let (keyword, value) = option.split_once(['=', ' ']).unwrap_or((&option, ""));
                put(keyword.trim(), value.trim().to_owned());
            }
            "-J" => put("ProxyJump", value()),
            "-i" => put("IdentityFile", value()),
            "-p" => put("Port", value()),
            "-l" => put("User", value()),
            "-C" => put("Compression", "yes".into()),
            "-4" => put("AddressFamily", "inet".into()),
            "-6" => put("AddressFamily", "inet6".into()),
            // How much is said, terminals and forwarding: of no concern to one session for a helper.
            "-q" | "-T" | "-A" | "-a" | "-x" => {}
            _ => return Err(wrong(&word)),
        }
    }
    Ok(())
}

fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// Where `PATH` has a program.
fn program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}
