//! `rectify rollout why HOST SETTING`: the whole chain, with file and line.

use std::io::Write;

use super::Office;
use crate::{
    args::{Common, Scope},
    display::text::line,
    exit::{self, Expected},
    theme::Meaning,
};

pub(super) fn run(host: &str, setting: &str, scope: &Scope, common: &Common) -> anyhow::Result<u8> {
    let office = Office::open(scope, None, common)?;
    let known = office.desk.setting(setting)?;
    let stance = office.standing.stances.get(&known.id).and_then(|hosts| hosts.get(host)).ok_or_else(|| {
        let hosts: Vec<&String> = office.standing.stances.get(&known.id).into_iter().flat_map(|h| h.keys()).collect();
        let near = rectify_core::diag::did_you_mean(host, hosts.iter().map(|h| h.as_str()));
        let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        Expected::usage(format!("no play gives {host:?} a task of {setting}{near}"))
    })?;
    let mut out = std::io::stdout().lock();
    let theme = office.theme;
    writeln!(out, "{} {}", theme.paint(Meaning::Host, line(host)), theme.paint(Meaning::Heading, line(setting)))?;
    for link in &stance.chain {
        write!(out, "  {}", line(&link.text))?;
        if let Some(at) = link.at {
            let place = office.project.map.location(at);
            write!(out, "  {}", theme.paint(Meaning::Path, format!("{}:{}", place.file, place.line)))?;
        }
        writeln!(out)?;
    }
    for finding in &stance.findings {
        writeln!(out, "  {} {}", theme.paint(Meaning::Finding, "finding:"), line(finding))?;
    }
    for warning in &stance.warnings {
        writeln!(out, "  {} {}", theme.paint(Meaning::Unsure, "warning:"), line(warning))?;
    }
    Ok(exit::OK)
}
