//! `rectify rollout import`: the lines for the inventory that document what hosts skip by themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use rectify_core::rollout::{Undocumented, import_lines, own_skips};

use super::Office;
use crate::{
    args::{Common, Scope},
    config::Config,
    display::text::{count, line},
    exit::{self, Expected},
    theme::Meaning,
};

/// The file of a host's folder that is written. Another one of the host's is never touched.
const FILE: &str = "rollout_skips.yml";

pub(super) fn run(write: bool, scope: &Scope, common: &Common) -> anyhow::Result<u8> {
    let office = Office::open(scope, None, common)?;
    let settings = office.desk.rollouts.settings.values();
    let all: Vec<Undocumented> = settings.flat_map(|s| own_skips(s, office.subjects(s), &office.evidence)).collect();
    let hosts: BTreeSet<&str> = all.iter().map(|u| u.host.as_str()).collect();
    let today = office.desk.rollouts.day(office.desk.now);
    let mut out = std::io::stdout().lock();
    // Hosts that skip the same in the same place have the same lines: theirs may be a group's.
    let mut by_lines: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for host in hosts {
        let (lines, _) = import_lines(&all, host, &office.desk.rollouts, &office.project.inventory, today);
        by_lines.entry(lines).or_default().push(host);
    }
    for (lines, hosts) in &by_lines {
        let places: Vec<String> = hosts.iter().map(|host| format!("host_vars/{host}.yml")).collect();
        writeln!(out, "{}", office.theme.paint(Meaning::Quiet, format!("# {}", places.join(", "))))?;
        writeln!(out, "{lines}")?;
    }
    if write && !all.is_empty() {
        let beside = beside(&scope.hosts.sources.inventory)?;
        let mut whole = true;
        for (lines, host) in by_lines.iter().flat_map(|(lines, hosts)| hosts.iter().map(move |host| (lines, host))) {
            match put(&beside, host, lines) {
                Ok(path) => writeln!(out, "written: {}", line(&path.display().to_string()))?,
                Err(why) => {
                    whole = false;
                    writeln!(out, "{} {}: {why}", office.theme.paint(Meaning::Failed, "not written:"), line(host))?;
                }
            }
        }
        writeln!(out, "say in them why, and until when; then commit them")?;
        return Ok(if whole { exit::OK } else { exit::FAILED });
    }
    match all.len() {
        0 => writeln!(out, "the last checks saw no skip on a host that the inventory does not have")?,
        n => writeln!(out, "{} to document: say why, and until when", count(n, "skip"))?,
    }
    Ok(if all.is_empty() { exit::OK } else { exit::PENDING })
}

/// The folder whose `host_vars` is meant: that of the first source that is a file or a folder.
fn beside(given: &[String]) -> anyhow::Result<PathBuf> {
    let sources = Config::load()?.inventory(given)?;
    let first = sources.iter().map(Path::new).find(|source| source.exists());
    let first =
        first.ok_or_else(|| Expected::usage("--write: the inventory is no file beside which `host_vars` could be"))?;
    Ok(if first.is_dir() { first.to_owned() } else { first.parent().map_or_else(PathBuf::new, Path::to_owned) })
}

/// Writes a host's lines into a new file.
///
/// # Errors
/// What is in the way, or why it could not be written.
fn put(beside: &Path, host: &str, lines: &str) -> Result<PathBuf, String> {
    if host.starts_with('.') || host.contains(['/', '\0']) {
        return Err("its name is no name of a file".to_owned());
    }
    let folder = beside.join("host_vars").join(host);
    // Of a folder and a file of the same name only the first is read: a new folder would hide the file.
    for extension in ["yml", "yaml", "json"] {
        let file = folder.with_file_name(format!("{host}.{extension}"));
        if file.exists() {
            return Err(format!("add the lines to {} by hand", line(&file.display().to_string())));
        }
    }
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", line(&folder.display().to_string())))?;
    let path = folder.join(FILE);
    let created = fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let written = created.and_then(|mut file| file.write_all(lines.as_bytes()));
    written.map(|()| path.clone()).map_err(|e| format!("{}: {e}", line(&path.display().to_string())))
}
