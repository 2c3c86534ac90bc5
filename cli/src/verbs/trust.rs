//! `rectify trust`: humane first contact. All keys of all hosts in one table, approved at once.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use rectify_core::event::Failure;
use rectify_remote::{
    fleet::{FleetEvent, gate, run_fleet},
    known_hosts::{KeyState, KnownHosts, ScannedKey, TrustRow, TrustTable},
    session::Target,
};
use tokio_util::sync::CancellationToken;

use crate::{
    args::{Common, Trust as Args},
    config::Config,
    display::{
        page::{Page, Span, meant, plain},
        text::{count, line},
    },
    exit::{self, Expected},
    project::Project,
    run::{Passwords, Reach, screen},
    theme::Meaning,
};

/// Scans, shows, asks, records.
pub(crate) fn run(args: &Args, common: &Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    let project = Project::load(&config, &args.hosts, &[], crate::theme(common, false).is_coloured())?;
    let reach = Reach::new(args.into(), Passwords::default(), &project, None)?;
    let mut found = targets(&project, &reach, &remote(args, &project, &reach)?);
    let file = match &args.known_hosts {
        Some(file) => file.clone(),
        None => filed_in(&found.targets)?,
    };
    let names: Names = found.targets.iter().map(|t| ((t.address.clone(), t.port), t.name.clone())).collect();
    let scanned = scan(args, &reach, &mut found)?;
    let known = KnownHosts::load(&[file.clone(), PathBuf::from("/etc/ssh/ssh_known_hosts")])
        .map_err(|e| Expected::usage(e.to_string()))?;
    let table = TrustTable::new(&known, scanned);
    let mut page = Page::new(crate::width(), crate::theme(common, true));
    show(&mut page, &table, &names, &found.failed);
    let mut out = std::io::stdout().lock();
    out.write_all(page.into_text().as_bytes())?;
    let mut err = std::io::stderr();
    for note in reach.notes() {
        writeln!(err, "warning: {note}")?;
    }
    let open = table.open().count();
    if open > 0 && approved(args, &mut err, open, &file)? {
        // Changed keys are a decision per host, made with an editor and a phone call, not with a flag for all.
        let new = |row: &TrustRow| matches!(row.state, KeyState::New | KeyState::Additional);
        let applied = table.apply(&file, args.hash, new).map_err(|e| Expected::failed(e.to_string()))?;
        writeln!(err, "{} recorded in {}", count(applied.added, "key"), file.display())?;
    } else if open > 0 {
        writeln!(err, "nothing was recorded")?;
    }
    for row in table.rows.iter().filter(|row| matches!(row.state, KeyState::Changed(_))) {
        let place = place(row);
        let (name, file) = (shlex::try_quote(&place)?, file.display());
        writeln!(
            err,
            "if the new key of {} is right, forget the old one: ssh-keygen -R {name} -f {file}",
            line(&place)
        )?;
    }
    let changed =
        table.rows.iter().any(|r| !matches!(r.state, KeyState::New | KeyState::Additional | KeyState::Known { .. }));
    Ok(match () {
        () if !found.failed.is_empty() => exit::UNREACHABLE,
        () if changed => exit::FAILED,
        () => exit::OK,
    })
}

/// The names in the inventory by address and port.
type Names = HashMap<(String, u16), String>;

/// The hosts that are asked for their keys, and those that cannot be.
struct Found {
    targets: Vec<Target>,
    failed: BTreeMap<String, Failure>,
}

/// The hosts of the pattern that are reached by SSH.
fn remote(args: &Args, project: &Project, reach: &Reach) -> Result<Vec<String>, Expected> {
    // What cannot be told is said when the host is asked.
    let local = |host: &String| reach.is_local(&project.inventory, host).unwrap_or(false);
    let hosts: Vec<String> = project.hosts(&args.pattern)?.into_iter().filter(|host| !local(host)).collect();
    if hosts.is_empty() {
        let message = format!("{:?} names this machine only, which has no host key to trust", args.pattern);
        return Err(Expected::usage(message));
    }
    Ok(hosts)
}

fn targets(project: &Project, reach: &Reach, hosts: &[String]) -> Found {
    let mut found = Found { targets: Vec::new(), failed: BTreeMap::new() };
    for host in hosts {
        match reach.target(&project.inventory, host, None) {
            Ok(target) => found.targets.push(target),
            Err(failure) => drop(found.failed.insert(host.clone(), failure)),
        }
    }
    found
}

/// Where `ssh` would file the keys of these hosts.
fn filed_in(targets: &[Target]) -> Result<PathBuf, Expected> {
    let files: BTreeSet<&PathBuf> = targets.iter().filter_map(|t| t.known_hosts_file.as_ref()).collect();
    match files.into_iter().collect::<Vec<_>>().as_slice() {
        [file] => Ok((*file).clone()),
        [] => Ok(PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".ssh/known_hosts")),
        [one, other, ..] => Err(Expected::usage(format!(
            "the keys of these hosts are filed in several files ({}, {} …): say which with --known-hosts, and choose the \
             hosts that go with it",
            one.display(),
            other.display()
        ))),
    }
}

/// How often progress may be painted, and after how long it appears.
const TICK: Duration = Duration::from_millis(250);

fn scan(args: &Args, reach: &Reach, found: &mut Found) -> anyhow::Result<Vec<ScannedKey>> {
    let targets = std::mem::take(&mut found.targets);
    let names: Vec<String> = targets.iter().map(|t| t.name.clone()).collect();
    let screen = screen(true);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (mut keys, mut done, begun) = (Vec::new(), 0, Instant::now());
    let paint = |done: usize| {
        let text =
            format!("{done} of {} asked for their keys · {} s", count(names.len(), "host"), begun.elapsed().as_secs());
        let painter = screen.as_ref().and_then(|screen| screen.lock().ok());
        painter.map_or(Ok(()), |mut painter| painter.paint(vec![text]))
    };
    let asked: std::io::Result<()> = runtime.block_on(async {
        let work = Arc::new(reach.connector().clone());
        let mut events = run_fleet(targets, gate(args.forks), CancellationToken::new(), move |target: Target, turn| {
            let connector = Arc::clone(&work);
            async move {
                let scanned = connector.scan(&target).await;
                turn.emit((target, scanned)).await;
            }
        });
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + TICK, TICK);
        loop {
            let event = tokio::select! {
                _ = ticks.tick() => {
                    paint(done)?;
                    continue;
                }
                event = events.recv() => event,
            };
            match event {
                None => return Ok(()),
                Some(FleetEvent::Item { item: (target, Ok(scanned)), .. }) => {
                    keys.extend(scanned.iter().map(|key| ScannedKey {
                        host: target.address.clone(),
                        port: target.port,
                        alias: target.host_key_alias.clone(),
                        key: key.public_key().clone(),
                    }));
                }
                Some(FleetEvent::Item { item: (target, Err(error)), .. }) => {
                    found.failed.insert(target.name, rectify_remote::run::words(&error));
                }
                Some(FleetEvent::Panicked { host, message }) => {
                    let failure = Failure::new(format!("a defect of this program: {message}"));
                    found.failed.insert(names[host].clone(), failure);
                }
                Some(FleetEvent::Finished { .. }) => done += 1,
                Some(_) => {}
            }
        }
    });
    if let Some(mut painter) = screen.as_ref().and_then(|screen| screen.lock().ok()) {
        painter.clear()?;
    }
    asked?;
    Ok(keys)
}

/// A line per key, and one per host that gave none.
fn show(page: &mut Page, table: &TrustTable, names: &Names, failed: &BTreeMap<String, Failure>) {
    let cells: Vec<[String; 4]> = table
        .rows
        .iter()
        .map(|row| {
            let place = place(row);
            let name = names.get(&(row.scanned.host.clone(), row.scanned.port)).unwrap_or(&place).clone();
            // An address that is the name says nothing twice.
            let place = if name == place { String::new() } else { place };
            [name, place, state(&row.state).0.to_owned(), row.algorithm.as_str().to_owned()]
        })
        .collect();
    let widths: [usize; 4] =
        std::array::from_fn(|at| cells.iter().map(|c| console::measure_text_width(&c[at])).max().unwrap_or_default());
    for (row, cells) in table.rows.iter().zip(&cells) {
        let meanings = [Some(Meaning::Host), None, Some(state(&row.state).1), None];
        let mut spans: Vec<Span<'_>> = Vec::new();
        for ((text, width), meaning) in cells.iter().zip(widths).zip(meanings).filter(|((_, width), _)| *width > 0) {
            spans.push((meaning, console::pad_str(text, width, console::Alignment::Left, None)));
            spans.push(plain("  "));
        }
        spans.push(plain(row.fingerprint.to_string()));
        if row.shared_with > 0 {
            let others = count(row.shared_with, "other host");
            spans.push(meant(Meaning::Unsure, format!("  the same key as {others}")));
        }
        page.whole(&spans);
    }
    for (host, failure) in failed {
        let all: Vec<&str> = std::iter::once(&failure.message).chain(&failure.causes).map(String::as_str).collect();
        let why = format!(": {}", all.join("; "));
        page.line(
            0,
            &[meant(Meaning::Host, host.as_str()), plain("  "), meant(Meaning::Failed, "unreachable"), plain(why)],
        );
    }
}

/// What is known of a key, in a word.
fn state(state: &KeyState) -> (&'static str, Meaning) {
    match state {
        KeyState::New => ("new", Meaning::Changed),
        KeyState::Additional => ("new kind", Meaning::Changed),
        KeyState::Known { .. } => ("known", Meaning::Ok),
        KeyState::Changed { .. } => ("CHANGED", Meaning::Failed),
        KeyState::Revoked { .. } => ("REVOKED", Meaning::Failed),
    }
}

fn place(row: &TrustRow) -> String {
    let scanned = &row.scanned;
    if scanned.port == 22 { scanned.host.clone() } else { format!("[{}]:{}", scanned.host, scanned.port) }
}

fn approved(args: &Args, err: &mut impl Write, open: usize, file: &std::path::Path) -> anyhow::Result<bool> {
    if args.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Expected::usage("there is no terminal to ask on: compare the fingerprints, then use --yes").into());
    }
    write!(
        err,
        "Compare the fingerprints with the hosts' own. Record {} in {}? [yes/no] ",
        count(open, "key"),
        file.display()
    )?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
