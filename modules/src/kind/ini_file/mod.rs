//! `ini_file`: an option in a file of sections.

mod lines;
#[cfg(all(test, feature = "fake"))]
mod tests;

use std::path::PathBuf;

use rectify_core::module::{Change, ModuleError, Observe, Operate, Relations, Resource};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    lineinfile::Presence,
    shared::{
        attrs::Wanted,
        edit::{Missing, Target, TextFile},
        mode::Mode,
    },
};

/// Makes sure that an option has a value in a section of an INI file, or that the option or the section is not there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IniFile {
    /// The file, an absolute path; a link is followed.
    path: PathBuf,
    /// The section. Default: what stands before the first one.
    section: Option<String>,
    /// The option. Without it, `state` is about the section as a whole.
    option: Option<String>,
    /// The value of the option.
    value: Option<String>,
    /// Its values, if it may stand there several times.
    values: Option<Vec<String>>,
    /// Whether it is to be there. Default: present.
    #[serde(default)]
    state: Presence,
    /// Whether other values of the option go; with `state: absent`, whether the option goes whatever its value. Default: true.
    exclusive: Option<bool>,
    /// Whether an option may stand there without `=` and a value.
    #[serde(default)]
    allow_no_value: bool,
    /// Whether `=` is written without spaces around it.
    #[serde(default)]
    no_extra_spaces: bool,
    /// Whether a line that differs only in the spaces around `=` is left as it is.
    #[serde(default)]
    ignore_spaces: bool,
    /// Whether a commented-out option is turned into the new one, instead of a new line being added. Default: true.
    modify_inactive_option: Option<bool>,
    /// Whether a missing file is made, with its folders. Default: true.
    create: Option<bool>,
    /// Whether the old file is kept under a name with its date.
    #[serde(default)]
    backup: bool,
    /// The owner, by name or number.
    owner: Option<String>,
    /// The group, by name or number.
    group: Option<String>,
    /// Permission bits.
    mode: Option<Mode>,
}

impl Resource for IniFile {
    const KIND: &'static str = "ini_file";
    const ALIASES: &'static [(&'static str, &'static str)] = &[("dest", "path")];
    const EXAMPLE: &'static str =
        "ini_file:\n  path: /etc/systemd/coredump.conf\n  section: Coredump\n  option: Storage\n  value: none\n";
    type State = TextFile;

    fn observe(&self, host: &dyn Observe) -> Result<Option<TextFile>, ModuleError> {
        self.target().observe(&|text| Ok(self.edit(text)), host)
    }

    fn desired(&self, seen: Option<&TextFile>) -> Option<TextFile> {
        self.target().desired(&|text| Ok(self.edit(text)), seen)
    }

    fn apply(&self, change: &Change<TextFile>, host: &dyn Operate) -> Result<(), ModuleError> {
        self.target().apply(change, host)
    }

    fn validate(&self) -> Result<(), String> {
        self.target().check()?;
        if self.value.is_some() && self.values.is_some() {
            return Err("give `value` or `values`, not both".into());
        }
        let (none, present) = (self.values().is_empty(), self.state == Presence::Present);
        match &self.option {
            None if !none => return Err("a value needs its `option`".into()),
            None if self.section().is_none() => return Err("give `section`, `option` or both".into()),
            Some(_) if none && present && !self.allow_no_value => {
                return Err("`value` is missing; an option without one needs `allow_no_value: true`".into());
            }
            _ => {}
        }
        let texts =
            self.section.iter().chain(&self.option).chain(self.value.iter()).chain(self.values.iter().flatten());
        match texts.clone().any(|t| t.contains('\n')) {
            true => Err("neither a section, nor an option, nor a value can be longer than a line".into()),
            false => Ok(()),
        }
    }

    fn relations(&self) -> Relations {
        self.target().relations()
    }

    fn subject(&self) -> String {
        let words = [self.section.as_deref(), self.option.as_deref()];
        let within: Vec<&str> = words.into_iter().flatten().collect();
        format!("{} {}", self.path.display(), within.join("."))
    }
}

impl IniFile {
    fn target(&self) -> Target<'_> {
        Target {
            path: &self.path,
            missing: match (self.state, self.create.unwrap_or(true)) {
                (Presence::Absent, _) => Missing::Leave,
                (Presence::Present, true) => Missing::Create,
                (Presence::Present, false) => Missing::Fail,
            },
            wanted: Wanted { owner: self.owner.as_deref(), group: self.group.as_deref(), mode: self.mode.as_ref() },
            backup: self.backup,
            validate: None,
        }
    }

    fn section(&self) -> Option<&str> {
        self.section.as_deref().filter(|s| !s.is_empty())
    }

    fn values(&self) -> Vec<&str> {
        self.value.iter().chain(self.values.iter().flatten()).map(String::as_str).collect()
    }
}
