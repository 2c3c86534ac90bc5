//! `apache_fragment`: a piece of Apache's configuration.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use rectify_core::module::{
    Change, Content, Entity, FileKind, HostError, Meta, ModuleError, Observe, Operate, Relations, Resource, WriteAttrs,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{
    apache::{self, Activation, LONGEST, Layout, Presence, Use},
    attrs::{group_name, octal, user_name},
    mode::Mode,
};

/// Places a piece of Apache's configuration, enables it, tests the whole configuration, and reloads the server once.
///
/// If the test fails, or the server does not survive the reload, everything is put back as it was and the task fails. The
/// server is reloaded only if it runs; one that does not run is not started. A check shows the change, but cannot test it:
/// the server reads the configuration from the disk.
///
/// On Debian and Ubuntu the file is `/etc/apache2/conf-available/NAME.conf`, enabled by a link in `conf-enabled`; on RHEL, Rocky
/// Linux and Fedora `/etc/httpd/conf.d/NAME.conf`, called `NAME.conf.disabled` while it is not enabled. It belongs to root.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApacheFragment {
    /// The fragment's name: letters, digits, `-`, `_` and `.`. Apache reads fragments in the order of their names.
    name: String,
    /// Its text. A line end is added if there is none.
    content: Option<String>,
    /// A file of the controller to take it from, looked for in `files/`. Not together with `content`.
    src: Option<String>,
    /// `present` or `absent`. Default: `present`.
    state: Option<Presence>,
    /// Whether the server reads it. Default: yes for a new one, as it is for one that is there.
    enabled: Option<bool>,
    /// Permission bits of the file. Default: `0644`.
    mode: Option<Mode>,
    /// Which layout the configuration has, `debian` or `rhel`. Default: the one that is there.
    layout: Option<Layout>,
    /// Whether a running server is reloaded. Default: yes. With `no` the configuration is tested, but a reload that would
    /// end the server is not noticed here.
    reload: Option<bool>,
    /// The controller's file, from the engine: the schema has it, so that the compiler sends what `src` names.
    #[serde(default, rename = "_files")]
    #[schemars(with = "serde_json::Value")]
    files: Vec<Sent>,
    #[serde(skip)]
    wanted: OnceLock<Option<Content>>,
}

/// A file that came with the plan for `src`.
#[derive(Debug, Deserialize)]
struct Sent {
    sha256: Option<String>,
}

/// A fragment as it is on a host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct State {
    /// Nothing if only a link is there, which leads nowhere.
    content: Option<Content>,
    enabled: bool,
    /// What stands where the link should be, if it is not that link.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<PathBuf>,
    owner: String,
    group: String,
    mode: String,
}

const NEW_MODE: u32 = 0o644;

impl Resource for ApacheFragment {
    const KIND: &'static str = "apache_fragment";
    const EXAMPLE: &'static str = "apache_fragment:\n  name: zz-no-trace\n  content: |\n    TraceEnable Off\n";
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let Some(layout) = apache::find(self.layout, host)? else {
            // What is to be absent is.
            return if self.absent() { Ok(None) } else { Err(apache::not_installed(self.layout)) };
        };
        let wanted = self.fetch(host)?;
        self.wanted.get_or_init(|| wanted);
        match layout {
            Layout::Debian => self.on_debian(host),
            Layout::Rhel => self.on_rhel(host),
        }
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        if self.absent() {
            return None;
        }
        let bits = seen.map_or(NEW_MODE, |s| u32::from_str_radix(&s.mode, 8).unwrap_or(NEW_MODE));
        Some(State {
            content: self.wanted.get().cloned().flatten(),
            enabled: self.enabled.unwrap_or_else(|| seen.is_none_or(|s| s.enabled)),
            instead: None,
            owner: "root".into(),
            group: "root".into(),
            mode: octal(self.mode.as_ref().map_or(NEW_MODE, |m| m.resolve(bits, false))),
        })
    }

    fn apply(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        let Some(layout) = apache::find(self.layout, host)? else {
            return Err(apache::not_installed(self.layout));
        };
        let (file, other) = self.places(layout);
        let reload = self.reload.unwrap_or(true);
        let activation = Activation {
            layout,
            paths: &[file.clone(), other.clone()],
            put_to: if reload { Use::Reload } else { Use::Test },
            host,
        };
        activation.run(|| match (&change.after, layout) {
            (None, _) => {
                host.remove(&other)?;
                Ok(host.remove(&file)?)
            }
            (Some(after), Layout::Debian) => {
                self.write(&file, after, host)?;
                match after.enabled {
                    true if is_link(&other, &self.target(), host)? => Ok(()),
                    true => Ok(host.symlink(&self.target(), &other)?),
                    false => Ok(host.remove(&other)?),
                }
            }
            (Some(after), Layout::Rhel) => {
                let (here, there) = if after.enabled { (&file, &other) } else { (&other, &file) };
                self.write(here, after, host)?;
                Ok(host.remove(there)?)
            }
        })
    }

    fn validate(&self) -> Result<(), String> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let stem = self.stem();
        if stem.is_empty() || stem.starts_with('.') || stem.len() > 200 || !stem.chars().all(fine) {
            return Err(format!("name: {:?} is no name for a fragment: letters, digits, `-`, `_` and `.`", self.name));
        }
        match (&self.content, &self.src) {
            (Some(_), Some(_)) => Err("give `content` or `src`, not both".into()),
            (None, None) if !self.absent() => Err("give the fragment's text, as `content` or as `src`".into()),
            _ => Ok(()),
        }
    }

    fn relations(&self) -> Relations {
        let paths = Layout::candidates(self.layout).flat_map(|layout| {
            let (file, other) = self.places(layout);
            [file, other]
        });
        Relations::writes(paths.map(Entity::Path)).needing(Layout::needs(self.layout))
    }

    fn exclusive(&self) -> Option<&'static str> {
        // Each test is of the whole configuration: two at a time would blame each other.
        Some("apache")
    }

    fn subject(&self) -> String {
        self.stem().to_owned()
    }
}

impl ApacheFragment {
    fn absent(&self) -> bool {
        self.state == Some(Presence::Absent)
    }

    fn stem(&self) -> &str {
        self.name.strip_suffix(".conf").unwrap_or(&self.name)
    }

    /// Debian: the file and the link to it. RHEL: the file while it is enabled, and while it is not.
    fn places(&self, layout: Layout) -> (PathBuf, PathBuf) {
        let stem = self.stem();
        match layout {
            Layout::Debian => {
                (layout.path(&format!("conf-available/{stem}.conf")), layout.path(&format!("conf-enabled/{stem}.conf")))
            }
            Layout::Rhel => {
                (layout.path(&format!("conf.d/{stem}.conf")), layout.path(&format!("conf.d/{stem}.conf.disabled")))
            }
        }
    }

    /// What the link in `conf-enabled` holds.
    fn target(&self) -> PathBuf {
        PathBuf::from(format!("../conf-available/{}.conf", self.stem()))
    }

    /// The wanted text.
    fn fetch(&self, host: &dyn Observe) -> Result<Option<Content>, ModuleError> {
        if self.absent() {
            return Ok(None);
        }
        if let Some(text) = &self.content {
            let mut text = text.clone();
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            return Ok(Some(Content::new(text.into_bytes())));
        }
        let src = self.src.as_deref().unwrap_or_default();
        match self.files.as_slice() {
            [Sent { sha256: Some(sha256) }] => Ok(Some(Content::new(host.blob(sha256)?))),
            [] => Err(ModuleError::failed(format!("the file {src:?} did not come with the plan"))),
            _ => Err(ModuleError::Invalid(format!("src: {src:?} is a folder, and a fragment is one file"))),
        }
    }

    fn on_debian(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let (file, link) = self.places(Layout::Debian);
        let (enabled, instead) = match host.lstat(&link)? {
            None => (false, None),
            Some(meta) if meta.kind == FileKind::Link => {
                let target = host.read_link(&link)?;
                if target == self.target() || target == file { (true, None) } else { (false, Some(target)) }
            }
            Some(_) => {
                return Err(ModuleError::failed(format!(
                    "{} is not a link to {}: move it away, or give the fragment another name",
                    link.display(),
                    file.display()
                )));
            }
        };
        match read(&file, host)? {
            Some((content, meta)) => Ok(Some(state(Some(content), enabled, instead, &meta, host)?)),
            None => match host.lstat(&link)? {
                Some(meta) => Ok(Some(state(None, enabled, instead, &meta, host)?)),
                None => Ok(None),
            },
        }
    }

    fn on_rhel(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let (file, parked) = self.places(Layout::Rhel);
        for (path, enabled) in [(&file, true), (&parked, false)] {
            if let Some((content, meta)) = read(path, host)? {
                return Ok(Some(state(Some(content), enabled, None, &meta, host)?));
            }
        }
        Ok(None)
    }

    fn write(&self, path: &Path, after: &State, host: &dyn Operate) -> Result<(), ModuleError> {
        let bytes = after.content.as_ref().and_then(|c| c.bytes().cloned()).unwrap_or_default();
        let mode = u32::from_str_radix(&after.mode, 8).unwrap_or(NEW_MODE);
        Ok(host.write(path, &bytes, &WriteAttrs { mode: Some(mode), uid: Some(0), gid: Some(0) })?)
    }
}

fn state(
    content: Option<Content>,
    enabled: bool,
    instead: Option<PathBuf>,
    meta: &Meta,
    host: &dyn Observe,
) -> Result<State, HostError> {
    // Whatever number 0 is called here: it is the one that is wanted.
    let owner = if meta.uid == 0 { "root".into() } else { user_name(meta.uid, host)? };
    let group = if meta.gid == 0 { "root".into() } else { group_name(meta.gid, host)? };
    Ok(State { content, enabled, instead, owner, group, mode: octal(meta.mode) })
}

/// A fragment's file, if it is there.
fn read(path: &Path, host: &dyn Observe) -> Result<Option<(Content, Meta)>, ModuleError> {
    let Some(meta) = host.lstat(path)? else { return Ok(None) };
    if meta.kind != FileKind::File {
        return Err(ModuleError::failed(format!(
            "{} is not a regular file: move it away, or give the fragment another name",
            path.display()
        )));
    }
    Ok(host.read(path, LONGEST)?.map(|bytes| (Content::new(bytes), meta)))
}

fn is_link(path: &Path, target: &Path, host: &dyn Observe) -> Result<bool, HostError> {
    match host.lstat(path)? {
        Some(meta) if meta.kind == FileKind::Link => Ok(host.read_link(path)? == target),
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests;
