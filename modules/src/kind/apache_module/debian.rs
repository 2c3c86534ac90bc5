//! Debian's layout: links in `mods-enabled`, as a2enmod(8) makes them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rectify_core::module::{FileKind, HostError, ModuleError, Observe, Operate, WriteAttrs};

use super::ApacheModule;
use crate::kind::shared::apache::{LONGEST, Layout};

/// The most modules that one may bring with it.
const MOST: usize = 100;

/// Where the package's scripts read whether an administrator turned a module on or off: it is then left alone by upgrades.
const NOTES: &str = "/var/lib/apache2/module";

/// The links that are there and those that are to be.
pub(super) fn look(
    task: &ApacheModule,
    host: &dyn Observe,
) -> Result<(BTreeSet<String>, BTreeSet<String>), ModuleError> {
    if !task.present() {
        let there = enabled_links(&task.name, host)?;
        if !there.is_empty() && task.force != Some(true) {
            refuse_if_needed(&task.name, host)?;
        }
        return Ok((there, BTreeSet::new()));
    }
    let mut wanted = BTreeSet::new();
    let mut to_visit = vec![task.name.clone()];
    let mut visited = BTreeSet::new();
    while let Some(name) = to_visit.pop() {
        if !visited.insert(name.clone()) {
            continue;
        }
        if visited.len() > MOST {
            return Err(ModuleError::failed(format!("module {} depends on more than {MOST} others", task.name)));
        }
        let load = text(&name, "load", host)?.ok_or_else(|| missing(&task.name, &name))?;
        for other in words(&load, "Conflicts") {
            if !enabled_links(&other, host)?.is_empty() {
                return Err(ModuleError::failed(format!(
                    "module {name} conflicts with {other}, which is on: turn that off first"
                )));
            }
        }
        to_visit.extend(words(&load, "Depends"));
        wanted.insert(link(&name, "load"));
        if text(&name, "conf", host)?.is_some() {
            wanted.insert(link(&name, "conf"));
        }
    }
    let mut there = BTreeSet::new();
    for link in &wanted {
        if good(link, host)? {
            there.insert(link.clone());
        }
    }
    Ok((there, wanted))
}

/// The notes that are written with a change: none if the package keeps none.
pub(super) fn notes(name: &str, host: &dyn Observe) -> Result<Vec<PathBuf>, ModuleError> {
    let mut all = Vec::new();
    for folder in ["enabled_by_admin", "enabled_by_maint", "disabled_by_admin", "disabled_by_maint"] {
        let folder = Path::new(NOTES).join(folder);
        if host.stat(&folder)?.is_some() {
            all.push(folder.join(name));
        }
    }
    Ok(all)
}

/// Makes or removes the links.
pub(super) fn set(task: &ApacheModule, links: &[String], host: &dyn Operate) -> Result<(), ModuleError> {
    for link in links {
        let path = Layout::Debian.path(link);
        if task.present() {
            host.symlink(&target(link), &path)?;
        } else {
            host.remove(&path)?;
        }
    }
    let mine = if task.present() { "enabled_by_admin" } else { "disabled_by_admin" };
    for note in notes(&task.name, host)? {
        if note.parent().is_some_and(|p| p.ends_with(mine)) {
            if host.lstat(&note)?.is_none() {
                host.write(&note, b"", &WriteAttrs { mode: Some(0o644), ..WriteAttrs::default() })?;
            }
        } else {
            host.remove(&note)?;
        }
    }
    Ok(())
}

fn link(name: &str, extension: &str) -> String {
    format!("mods-enabled/{name}.{extension}")
}

/// What a link in `mods-enabled` holds.
fn target(link: &str) -> PathBuf {
    PathBuf::from(format!("../{}", link.replacen("mods-enabled/", "mods-available/", 1)))
}

/// Whether the link leads to what it should, or an administrator put a file of his own in its place.
fn good(link: &str, host: &dyn Observe) -> Result<bool, HostError> {
    let path = Layout::Debian.path(link);
    Ok(match host.lstat(&path)? {
        None => false,
        Some(meta) if meta.kind == FileKind::Link => host.stat(&path)?.is_some(),
        Some(_) => true,
    })
}

/// Which of a module's two links are there, wherever they lead.
fn enabled_links(name: &str, host: &dyn Observe) -> Result<BTreeSet<String>, HostError> {
    let mut all = BTreeSet::new();
    for extension in ["load", "conf"] {
        let link = link(name, extension);
        if host.lstat(&Layout::Debian.path(&link))?.is_some() {
            all.insert(link);
        }
    }
    Ok(all)
}

fn text(name: &str, extension: &str, host: &dyn Observe) -> Result<Option<String>, HostError> {
    let path = Layout::Debian.path(&format!("mods-available/{name}.{extension}"));
    Ok(host.read(&path, LONGEST)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The names in `# Depends: a b` lines.
fn words(load: &str, key: &str) -> Vec<String> {
    load.lines()
        .filter_map(|line| line.trim_start().strip_prefix('#')?.trim_start().strip_prefix(key)?.strip_prefix(':'))
        .flat_map(str::split_whitespace)
        .filter(|word| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && !word.starts_with('.'))
        .map(str::to_owned)
        .collect()
}

fn missing(wanted: &str, name: &str) -> ModuleError {
    let why = if wanted == name { String::new() } else { format!(", which {wanted} depends on") };
    ModuleError::failed(format!(
        "this host has no module {name}{why} (no /etc/apache2/mods-available/{name}.load): install the package that brings it"
    ))
}

/// Turning off what another module that is on depends on would end the server.
fn refuse_if_needed(name: &str, host: &dyn Observe) -> Result<(), ModuleError> {
    let mut others = Vec::new();
    host.list(&Layout::Debian.path("mods-enabled"), &mut |entry| {
        others.extend(entry.name.to_str().and_then(|n| n.strip_suffix(".load")).map(str::to_owned));
        others.len() < 10_000
    })?;
    rectify_core::small::sort(&mut others);
    for other in others.iter().filter(|o| *o != name) {
        let load = host.read(&Layout::Debian.path(&link(other, "load")), LONGEST)?.unwrap_or_default();
        if words(&String::from_utf8_lossy(&load), "Depends").iter().any(|w| w == name) {
            return Err(ModuleError::failed(format!(
                "module {other}, which is on, depends on {name}: turn that off first, or say `force: true`"
            )));
        }
    }
    Ok(())
}
