//! `rectify rollout import`: the lines for the inventory that document what hosts skip by themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use rectify_core::rollout::{Undocumented, import_lines, own_skips};

use super::Office;
use crate::{
    args::{Common, Scope},
    display::text::count,
    exit,
    theme::Meaning,
};

pub(super) fn run(scope: &Scope, common: &Common) -> anyhow::Result<u8> {
    let office = Office::open(scope, None, common)?;
    let settings = office.desk.rollouts.settings.values();
    let all: Vec<Undocumented> =
        settings.flat_map(|s| own_skips(s, office.subjects(s), &office.desk.evidence)).collect();
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
    match all.len() {
        0 => writeln!(out, "the last checks saw no skip on a host that the inventory does not have")?,
        n => writeln!(out, "{} to document: say why, and until when", count(n, "skip"))?,
    }
    Ok(if all.is_empty() { exit::OK } else { exit::PENDING })
}
