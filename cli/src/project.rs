//! What a run is about: inventory, playbooks, extra variables, read and checked as a whole before any host is contacted.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use rectify_core::{
    diag::{Diagnostic, Diagnostics, SourceMap, did_you_mean, render},
    inventory::{Files, Inventory, Limit, Options, load},
    playbook::{self, Playbook},
    vault::{self, Keyring},
    yaml,
};
use rectify_modules::REGISTRY;
use serde_json::{Map, Value};

use crate::{args::Hosts, config::Config, exit::Expected, files::Disk};

/// Inventory and, where there are any, playbooks.
pub(crate) struct Project {
    /// Every text that was read.
    pub(crate) map: SourceMap,
    /// Problems that stop nothing.
    pub(crate) found: Diagnostics,
    /// The hosts.
    pub(crate) inventory: Inventory,
    /// The playbooks; empty for verbs without one.
    pub(crate) playbook: Playbook,
    /// `-e`.
    pub(crate) extra_vars: Map<String, Value>,
    /// `-l`, resolved.
    pub(crate) limit: Option<BTreeSet<String>>,
    /// The vault passwords, and what they opened.
    pub(crate) keyring: Arc<Keyring>,
    /// Whether diagnostics are coloured.
    colour: bool,
}

impl Project {
    /// Reads everything that the command line names.
    ///
    /// # Errors
    /// Everything that is wrong, in one text.
    pub(crate) fn load(config: &Config, hosts: &Hosts, playbooks: &[PathBuf], colour: bool) -> Result<Self, Expected> {
        Self::load_by(config, hosts, playbooks, |disk| Arc::new(disk), colour)
    }

    /// As [`Project::load`], with another reader of playbooks.
    ///
    /// # Errors
    /// Everything that is wrong, in one text.
    pub(crate) fn load_by(
        config: &Config,
        hosts: &Hosts,
        playbooks: &[PathBuf],
        reader: impl FnOnce(Disk) -> Arc<dyn playbook::Files>,
        colour: bool,
    ) -> Result<Self, Expected> {
        let (project, found) = Self::read(config, hosts, playbooks, reader, colour)?;
        if found.has_errors() { Err(project.expected(&found)) } else { Ok(Project { found, ..project }) }
    }

    /// As [`Project::load`], but problems in inventory and playbooks come back beside what could be read.
    ///
    /// # Errors
    /// What is wrong with the command line itself.
    pub(crate) fn read(
        config: &Config,
        hosts: &Hosts,
        playbooks: &[PathBuf],
        reader: impl FnOnce(Disk) -> Arc<dyn playbook::Files>,
        colour: bool,
    ) -> Result<(Self, Diagnostics), Expected> {
        let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
        let keyring = Arc::new(hosts.vaults.keyring(config)?);
        let disk = Disk::new(keyring.clone());
        let cwd = std::env::current_dir().map_err(|e| Expected::usage(format!("the current folder: {e}")))?;
        let sources = config.inventory(&hosts.sources.inventory)?;
        let mut playbook_dirs: Vec<PathBuf> = playbooks.iter().filter_map(|p| p.parent().map(PathBuf::from)).collect();
        playbook_dirs.dedup();
        let options = Options { sources, playbook_dirs, cwd };
        let inventory = load(&disk, &options, &mut map, &mut found);
        let extra_vars = extra_vars(&hosts.extra_vars, &disk, &mut map)?;
        let playbook =
            playbook::load(playbooks, reader(disk), REGISTRY, config.roles_path.clone(), &mut map, &mut found);
        let limit = match &hosts.limit {
            Some(text) if !found.has_errors() => Some(limit(&inventory, text, &mut found)?),
            _ => None,
        };
        Ok((Project { map, found: Diagnostics::new(), inventory, playbook, extra_vars, limit, keyring, colour }, found))
    }

    /// The hosts of a pattern from the command line, narrowed by `-l`.
    ///
    /// # Errors
    /// A pattern that is wrong in any part.
    pub(crate) fn hosts(&self, pattern: &str) -> Result<Vec<String>, Expected> {
        let picked = self.inventory.select(pattern, None).map_err(|e| Expected::usage(e.to_string()))?;
        if let Some(wrong) = unmatched(&self.inventory, &picked.unmatched).first() {
            return Err(Expected::usage(wrong));
        }
        let limited = |h: &&str| self.limit.as_ref().is_none_or(|l| l.contains(*h));
        let hosts: Vec<String> = picked.hosts.iter().copied().filter(limited).map(str::to_owned).collect();
        if hosts.is_empty() { Err(Expected::usage(format!("no host is left of {pattern:?}"))) } else { Ok(hosts) }
    }

    /// Problems as the error that ends the program.
    pub(crate) fn expected(&self, found: &Diagnostics) -> Expected {
        Expected::usage(self.render(found).trim_end())
    }

    /// Problems as text.
    pub(crate) fn render(&self, found: &Diagnostics) -> String {
        self.keyring.secrets().masker().apply(&render(&self.map, found, self.colour))
    }
}

fn limit(inventory: &Inventory, text: &str, found: &mut Diagnostics) -> Result<BTreeSet<String>, Expected> {
    let (hosts, unmatched) = limited(inventory, text)?;
    if hosts.is_empty() {
        let why = if unmatched.is_empty() { String::new() } else { format!(": {}", unmatched.join("; ")) };
        return Err(Expected::usage(format!("--limit {text:?} leaves no host of the inventory{why}")));
    }
    for part in unmatched {
        found.push(Diagnostic::warning("limit", format!("--limit: {part}")));
    }
    Ok(hosts)
}

/// The hosts that `--limit` leaves, and what is to be said of parts of it that match nothing.
///
/// # Errors
/// What is no pattern, and a file of patterns that cannot be read.
pub(crate) fn limited(inventory: &Inventory, text: &str) -> Result<(BTreeSet<String>, Vec<String>), Expected> {
    let read = |path: &str| {
        let bytes = Files::read(&Disk::default(), path.as_ref())?;
        String::from_utf8(bytes).map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "not UTF-8 text"))
    };
    let limit = Limit::parse(text, read).map_err(|e| Expected::usage(format!("--limit: {e}")))?;
    let picked = inventory.select("all", Some(&limit)).map_err(|e| Expected::usage(format!("--limit: {e}")))?;
    Ok((picked.hosts.into_iter().map(str::to_owned).collect(), unmatched(inventory, &picked.unmatched)))
}

/// Parts of a pattern that match nothing, each with what was probably meant.
fn unmatched(inventory: &Inventory, parts: &[String]) -> Vec<String> {
    let names = || inventory.hosts_in("all").into_iter().chain(inventory.groups().map(|g| &*g.name));
    let said = |part: &String| match did_you_mean(part, names()) {
        Some(near) => format!("`{part}` matches no host and no group; did you mean `{near}`?"),
        None => format!("`{part}` matches no host and no group"),
    };
    parts.iter().map(said).collect()
}

/// Variables from the command line: `key=value …`, YAML or JSON, or `@FILE`. Later ones win.
pub(crate) fn extra_vars(given: &[String], disk: &Disk, map: &mut SourceMap) -> Result<Map<String, Value>, Expected> {
    let mut all = Map::new();
    for text in given {
        let vars = match text.strip_prefix('@') {
            Some(path) => {
                let read = Files::read(disk, path.as_ref());
                let bytes = read.map_err(|e| Expected::usage(format!("--extra-vars: reading {path}: {e}")))?;
                mapping(path, bytes, disk, map)?
            }
            None if text.trim_start().starts_with(['{', '[']) || text.contains(": ") => {
                mapping("--extra-vars", text.clone().into_bytes(), disk, map)?
            }
            None => pairs(text)?,
        };
        all.extend(vars);
    }
    Ok(all)
}

fn mapping(name: &str, text: Vec<u8>, disk: &Disk, map: &mut SourceMap) -> Result<Map<String, Value>, Expected> {
    let mut found = Diagnostics::new();
    let keyring = Files::keyring(disk);
    let wrong = |map: &SourceMap, found: &Diagnostics| {
        let text = render(map, found, false);
        Expected::usage(keyring.secrets().masker().apply(text.trim_end()))
    };
    let file = match vault::register(keyring, map, name.to_owned(), text) {
        Ok(file) => file,
        Err(problem) => {
            found.push(*problem);
            return Err(wrong(map, &found));
        }
    };
    let parsed = yaml::parse(map, file, &mut found);
    vault::note(keyring, map, file, &parsed.docs);
    if found.has_errors() {
        return Err(wrong(map, &found));
    }
    match parsed.docs.first().map(yaml::Node::to_json) {
        Some(Value::Object(vars)) => Ok(vars),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(_) => Err(Expected::usage(format!("{name}: expected a mapping of variables"))),
    }
}

fn pairs(text: &str) -> Result<Map<String, Value>, Expected> {
    let words =
        shlex::split(text).ok_or_else(|| Expected::usage(format!("--extra-vars {text:?}: a quote is not closed")))?;
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), Value::String(value.to_owned()))),
            None => Err(Expected::usage(format!("--extra-vars: {word:?} is not key=value"))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Sources;

    fn load(limit: &str) -> Result<Project, Expected> {
        let sources = Sources { inventory: vec!["web1,web2,".into()] };
        let hosts = Hosts { sources, limit: Some(limit.into()), ..Hosts::default() };
        Project::load(&Config::default(), &hosts, &[], false)
    }

    #[test]
    fn a_mistyped_pattern_is_named_with_what_was_meant() {
        let wrong = load("wbe1").err().unwrap();
        assert_eq!(wrong.code, crate::exit::USAGE);
        assert!(wrong.message.contains("`wbe1` matches no host and no group; did you mean `web1`?"), "{wrong}");
        let half = load("web2,wbe1").unwrap();
        assert!(half.render(&half.found).contains("did you mean `web1`"), "{}", half.render(&half.found));
        assert_eq!(half.hosts("all").unwrap(), ["web2"]);
        let project = load("all").unwrap();
        assert!(project.hosts("web1:&nosuch").unwrap_err().message.contains("nosuch"));
        assert!(load("web1").unwrap().hosts("web2").unwrap_err().message.contains("no host is left"));
    }
}
