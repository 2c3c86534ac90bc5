//! `rectify.toml`: what a project says once instead of on every command line.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use rectify_server::{
    channels::{HookSettings, MailSettings},
    notify::NotifySettings,
    web::{OidcSettings, ProxySettings, WebSettings},
};
use serde::Deserialize;

use crate::{exit::Expected, record::RecordConfig};

/// The file's name, looked for in the current folder.
pub(crate) const NAME: &str = "rectify.toml";

/// What the file says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Inventory sources, used where no `-i` is given.
    #[serde(default)]
    pub(crate) inventory: Vec<String>,
    /// Playbooks, used where none is named.
    #[serde(default)]
    pub(crate) playbooks: Vec<PathBuf>,
    /// Folders in which roles are looked for, besides `roles/` beside the playbook.
    #[serde(default)]
    pub(crate) roles_path: Vec<PathBuf>,
    /// The vault password's file, or the program that prints it, where neither command line nor environment names one.
    pub(crate) vault_password_file: Option<PathBuf>,
    /// Vault passwords by their vault ids, `ID@FILE` or `ID@prompt`; tried before those of the command line.
    #[serde(default)]
    pub(crate) vault_ids: Vec<String>,
    /// The file that describes the settings, instead of `rollouts.yml` beside the playbook.
    #[serde(default)]
    pub(crate) rollouts: Option<PathBuf>,
    /// Where runs are recorded.
    #[serde(default)]
    pub(crate) record: RecordConfig,
    /// The mail server, for announcements and notices.
    #[serde(default)]
    pub(crate) mail: Option<MailSettings>,
    /// How web hooks are called.
    #[serde(default)]
    pub(crate) hook: Option<HookSettings>,
    /// How announcements look, and where everybody reads them.
    #[serde(default)]
    pub(crate) announce: AnnounceSettings,
    /// Who is told of what moved.
    #[serde(default)]
    pub(crate) notify: NotifySettings,
    /// What `rectify serve` runs; read again there, line by line, so that a wrong one keeps nobody else from working.
    #[serde(default)]
    #[expect(dead_code, reason = "it is a key of the file, and read elsewhere")]
    pub(crate) schedules: serde::de::IgnoredAny,
    /// How `rectify serve` goes about it.
    #[serde(default)]
    pub(crate) serve: ServeSettings,
}

/// `[serve]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServeSettings {
    /// Files with more `[[schedules]]`; the last part of a path may have `*` in it.
    #[serde(default)]
    pub(crate) schedules: Vec<String>,
    /// The address and port of the page: 127.0.0.1:8470 unless set.
    pub(crate) listen: Option<SocketAddr>,
    /// Where browsers find the page.
    pub(crate) url: Option<String>,
    /// The file with the page's accounts.
    pub(crate) users: Option<PathBuf>,
    /// Logins by OpenID Connect.
    pub(crate) oidc: Option<OidcSettings>,
    /// Logins that a proxy vouches for.
    pub(crate) proxy: Option<ProxySettings>,
    /// The file with the token that `/metrics` is asked with; without one it is open to whoever reaches it.
    pub(crate) metrics_token_file: Option<PathBuf>,
}

impl ServeSettings {
    /// What of it is about the page.
    pub(crate) fn web(&self) -> WebSettings {
        let ServeSettings { listen, url, users, oidc, proxy, .. } = self.clone();
        WebSettings { listen, url, users, oidc, proxy }
    }
}

/// `[announce]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnnounceSettings {
    /// A folder with templates that take the place of the built-in ones of the same name.
    pub(crate) templates: Option<PathBuf>,
    /// The folder that `announce` writes pages, feed and calendar to.
    pub(crate) site: Option<PathBuf>,
    /// Where that folder is found on the web.
    pub(crate) url: Option<String>,
    /// The days before a step on which owners are reminded of it: 7 and 1 unless set.
    pub(crate) reminders: Option<Vec<u16>>,
}

impl Config {
    /// Reads the file in the current folder; without one, everything is empty.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub(crate) fn load() -> Result<Self, Expected> {
        let text = match std::fs::read_to_string(NAME) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
            Err(e) => return Err(Expected::usage(format!("reading {NAME}: {e}"))),
        };
        let config: Config = toml::from_str(&text).map_err(|e| Expected::usage(format!("{NAME}: {e}")))?;
        config.record.store().map_err(|e| Expected::usage(format!("{NAME}: [record]: {e}")))?;
        Ok(config)
    }

    /// The inventory sources to use.
    pub(crate) fn inventory(&self, given: &[String]) -> Result<Vec<String>, Expected> {
        let system = "/etc/rectify/inventory";
        match () {
            () if !given.is_empty() => Ok(given.to_vec()),
            () if !self.inventory.is_empty() => Ok(self.inventory.clone()),
            () if Path::new(system).exists() => Ok(vec![system.to_owned()]),
            () => Err(Expected::usage(format!(
                "no inventory: give one with -i, or set `inventory` in {NAME}, or put one at {system}"
            ))),
        }
    }

    /// The playbooks to use.
    pub(crate) fn playbooks(&self, given: &[PathBuf]) -> Result<Vec<PathBuf>, Expected> {
        match () {
            () if !given.is_empty() => Ok(given.to_vec()),
            () if !self.playbooks.is_empty() => Ok(self.playbooks.clone()),
            () => Err(Expected::usage(format!("no playbook: name one, or set `playbooks` in {NAME}"))),
        }
    }
}
