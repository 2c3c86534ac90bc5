//! `rectify trust`: humane first contact. All keys of all hosts in one table, approved at once.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
};

use rectify_core::event::Failure;
use rectify_remote::{
    fleet::{FleetEvent, run_fleet},
    known_hosts::{KeyState, KnownHosts, ScannedKey, TrustTable},
    session::Target,
};
use tokio_util::sync::CancellationToken;

use crate::{
    args::{Common, Trust as Args},
    config::Config,
    display::text::{count, line},
    exit::{self, Expected},
    project::Project,
    run::{Passwords, Reach},
    theme::{Meaning, Theme},
};

/// Scans, shows, asks, records.
pub(crate) fn run(args: &Args, common: &Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    let theme = crate::theme(common, true);
    let project = Project::load(&config, &args.hosts, &[], crate::theme(common, false).is_coloured())?;
    let reach = Reach::new(args.connection.clone(), Passwords::default(), &project.extra_vars, None)?;
    let file = args.known_hosts.clone().unwrap_or_else(default_file);
    let hosts = hosts(args, &project)?;
    let (scanned, failed) = scan(args, &project, &reach, &hosts)?;
    let known = KnownHosts::load(&[file.clone(), PathBuf::from("/etc/ssh/ssh_known_hosts")])
        .map_err(|e| Expected::usage(e.to_string()))?;
    let table = TrustTable::new(&known, scanned);
    let mut out = std::io::stdout().lock();
    show(&mut out, &table, &failed, theme)?;
    let open = table.open().count();
    if open > 0 && approved(args, &mut out, open, &file)? {
        // Changed keys are a decision per host, made with an editor and a phone call, not with a flag for all.
        let new =
            |row: &rectify_remote::known_hosts::TrustRow| matches!(row.state, KeyState::New | KeyState::Additional);
        let applied = table.apply(&file, args.hash, new).map_err(|e| Expected::failed(e.to_string()))?;
        writeln!(out, "{} recorded in {}", count(applied.added, "key"), file.display())?;
    }
    let changed =
        table.rows.iter().any(|r| !matches!(r.state, KeyState::New | KeyState::Additional | KeyState::Known { .. }));
    Ok(match () {
        () if !failed.is_empty() => exit::UNREACHABLE,
        () if changed => exit::FAILED,
        () => exit::OK,
    })
}

fn default_file() -> PathBuf {
    PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".ssh/known_hosts")
}

fn hosts(args: &Args, project: &Project) -> Result<Vec<String>, Expected> {
    let picked = project.inventory.select(&args.pattern, None).map_err(|e| Expected::usage(e.to_string()))?;
    let limited = |h: &&str| project.limit.as_ref().is_none_or(|l| l.contains(*h));
    let hosts: Vec<String> = picked.hosts.iter().copied().filter(limited).map(str::to_owned).collect();
    if hosts.is_empty() { Err(Expected::usage(format!("{:?} names no host", args.pattern))) } else { Ok(hosts) }
}

type Scanned = (Vec<ScannedKey>, BTreeMap<String, Failure>);

fn scan(args: &Args, project: &Project, reach: &Reach, hosts: &[String]) -> anyhow::Result<Scanned> {
    let mut failed = BTreeMap::new();
    let mut targets: Vec<Target> = Vec::new();
    for host in hosts {
        match reach.target(&project.inventory, host, None) {
            Ok(target) => targets.push(target),
            Err(failure) => drop(failed.insert(host.clone(), failure)),
        }
    }
    let names: Vec<String> = targets.iter().map(|t| t.name.clone()).collect();
    let connector = reach.connector().clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut keys = Vec::new();
    runtime.block_on(async {
        let work = Arc::new(connector);
        let mut events =
            run_fleet(targets, args.connection.forks, CancellationToken::new(), move |target: Target, turn| {
                let connector = Arc::clone(&work);
                async move {
                    let scanned = connector.scan(&target).await;
                    turn.emit((target, scanned)).await;
                }
            });
        while let Some(event) = events.recv().await {
            match event {
                FleetEvent::Item { item: (target, Ok(found)), .. } => keys.extend(found.iter().map(|key| ScannedKey {
                    host: target.address.clone(),
                    port: target.port,
                    alias: target.host_key_alias.clone(),
                    key: key.public_key().clone(),
                })),
                FleetEvent::Item { item: (target, Err(error)), .. } => {
                    failed.insert(target.name, rectify_remote::run::words(&error));
                }
                FleetEvent::Panicked { host, message } => {
                    failed.insert(names[host].clone(), Failure::new(format!("a defect of this program: {message}")));
                }
                _ => {}
            }
        }
    });
    Ok((keys, failed))
}

fn show(
    out: &mut impl Write,
    table: &TrustTable,
    failed: &BTreeMap<String, Failure>,
    theme: Theme,
) -> std::io::Result<()> {
    let width = table.rows.iter().map(|r| place(r).chars().count()).max().unwrap_or_default();
    for row in &table.rows {
        let (word, meaning) = match &row.state {
            KeyState::New => ("new", Meaning::Changed),
            KeyState::Additional => ("new kind", Meaning::Changed),
            KeyState::Known { .. } => ("known", Meaning::Ok),
            KeyState::Changed { .. } => ("CHANGED", Meaning::Failed),
            KeyState::Revoked { .. } => ("REVOKED", Meaning::Failed),
        };
        let shared = if row.shared_with > 0 {
            format!("  (the same key as {})", count(row.shared_with, "other host"))
        } else {
            String::new()
        };
        writeln!(
            out,
            "{:<width$}  {:<8}  {:<20}  {}{shared}",
            line(&place(row)),
            theme.paint(meaning, word),
            row.algorithm.as_str(),
            row.fingerprint
        )?;
    }
    for (host, failure) in failed {
        let all: Vec<String> =
            std::iter::once(&failure.message).chain(&failure.causes).map(|text| line(text)).collect();
        writeln!(out, "{}: {}: {}", line(host), theme.paint(Meaning::Failed, "unreachable"), all.join("; "))?;
    }
    Ok(())
}

fn place(row: &rectify_remote::known_hosts::TrustRow) -> String {
    let scanned = &row.scanned;
    if scanned.port == 22 { scanned.host.clone() } else { format!("[{}]:{}", scanned.host, scanned.port) }
}

fn approved(args: &Args, out: &mut impl Write, open: usize, file: &std::path::Path) -> anyhow::Result<bool> {
    if args.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Expected::usage("there is no terminal to ask on: compare the fingerprints, then use --yes").into());
    }
    write!(
        out,
        "Compare the fingerprints with the hosts' own. Record {} in {}? [yes/no] ",
        count(open, "key"),
        file.display()
    )?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
