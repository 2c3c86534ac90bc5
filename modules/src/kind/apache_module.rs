//! `apache_module`: a module of the Apache server, on or off.

mod debian;
mod rhel;

use std::{collections::BTreeSet, path::PathBuf};

use rectify_core::module::{Change, Entity, ModuleError, Observe, Operate, Relations, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::apache::{self, Activation, Layout, Presence, Use};

/// Turns a module of the Apache server on or off, tests the whole configuration, and reloads the server.
///
/// If the test fails, or the server does not survive the reload, everything is put back as it was and the task fails. The
/// server is reloaded only if it runs; one that does not run is not started. A multi-processing module (`mpm_event`) needs a
/// restart, and gets it.
///
/// On Debian and Ubuntu the links in `mods-enabled` are made and removed as `a2enmod` and `a2dismod` do: with the module's `.conf`,
/// and with the modules that it depends on. On RHEL, Rocky Linux and Fedora a file `conf.modules.d/90-NAME.conf` loads it; to turn
/// one off, that file goes, and `LoadModule` lines for it in other files are commented out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApacheModule {
    /// The module's name as in `mods-available/NAME.load` or `mod_NAME.so`: `headers`, `ssl`, `mpm_event`.
    name: String,
    /// `present`: the server loads it; `absent`: it does not. Default: `present`.
    state: Option<Presence>,
    /// The name that `LoadModule` gives it, where it is not `NAME_module`. RHEL's layout only.
    identifier: Option<String>,
    /// Whether it is turned off although other modules that are on depend on it. Default: no.
    force: Option<bool>,
    /// Whether the configuration is left untested, and the server not reloaded: for steps between which it makes no sense,
    /// such as one MPM for another. Default: no.
    ignore_configcheck: Option<bool>,
    /// Which layout the configuration has, `debian` or `rhel`. Default: the one that is there.
    layout: Option<Layout>,
    /// Whether a running server is reloaded. Default: yes.
    reload: Option<bool>,
}

/// What turns the module on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct State {
    enabled: bool,
    /// The links (Debian) or files (RHEL) that turn it and what it depends on on, below the configuration's folder.
    by: BTreeSet<String>,
    /// The state that is wanted, which only a look at the host can tell.
    #[serde(skip)]
    wanted: BTreeSet<String>,
}

impl Resource for ApacheModule {
    const KIND: &'static str = "apache_module";
    const OTHER_NAMES: &'static [&'static str] = &["apache2_module"];
    const EXAMPLE: &'static str = "apache_module:\n  name: headers\n  state: present\n";
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let Some(layout) = apache::find(self.layout, host)? else {
            return if self.present() { Err(apache::not_installed(self.layout)) } else { Ok(None) };
        };
        let (by, wanted) = match layout {
            Layout::Debian => debian::look(self, host)?,
            Layout::Rhel => rhel::look(self, host)?,
        };
        Ok(Some(State { enabled: self.present() == (by == wanted), by, wanted }))
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        seen.map(|s| State { enabled: self.present(), by: s.wanted.clone(), wanted: s.wanted.clone() })
    }

    fn apply(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        let (Some(before), Some(after), Some(layout)) =
            (&change.before, &change.after, apache::find(self.layout, host)?)
        else {
            return Err(apache::not_installed(self.layout));
        };
        let touched: Vec<String> = before.by.symmetric_difference(&after.by).cloned().collect();
        let mut paths: Vec<PathBuf> = touched.iter().map(|p| layout.path(p)).collect();
        if layout == Layout::Debian {
            paths.extend(debian::notes(&self.name, host)?);
        }
        let put_to = match (self.ignore_configcheck, self.reload) {
            (Some(true), _) => Use::Leave,
            (_, Some(false)) => Use::Test,
            // "MPM … cannot be changed during restart": a reload would end the server.
            _ if self.name.starts_with("mpm_") => Use::Restart,
            _ => Use::Reload,
        };
        Activation { layout, paths: &paths, put_to, host }.run(|| match layout {
            Layout::Debian => debian::set(self, &touched, host),
            Layout::Rhel => rhel::set(self, &touched, host),
        })
    }

    fn validate(&self) -> Result<(), String> {
        let fine = |text: &str| {
            let characters = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !text.is_empty() && text.len() < 100 && !text.starts_with('.') && text.chars().all(characters)
        };
        for (argument, text) in [("name", Some(&self.name)), ("identifier", self.identifier.as_ref())] {
            if let Some(text) = text.filter(|t| !fine(t)) {
                return Err(format!("{argument}: {text:?} is no name of a module: letters, digits, `-`, `_` and `.`"));
            }
        }
        Ok(())
    }

    fn relations(&self) -> Relations {
        let one = Entity::Other("apache_module".into(), self.name.clone());
        let files = Layout::candidates(self.layout).flat_map(|layout| match layout {
            Layout::Debian => {
                ["load", "conf"].map(|e| layout.path(&format!("mods-enabled/{}.{e}", self.name))).to_vec()
            }
            Layout::Rhel => vec![layout.path(&rhel::own_file(&self.name))],
        });
        Relations::writes(files.map(Entity::Path).chain([one])).needing(Layout::needs(self.layout))
    }

    fn exclusive(&self) -> Option<&'static str> {
        Some("apache")
    }

    fn subject(&self) -> String {
        self.name.clone()
    }
}

impl ApacheModule {
    fn present(&self) -> bool {
        self.state != Some(Presence::Absent)
    }

    fn identifier(&self) -> String {
        self.identifier.clone().unwrap_or_else(|| format!("{}_module", self.name.replace(['-', '.'], "_")))
    }
}

#[cfg(test)]
mod tests;
