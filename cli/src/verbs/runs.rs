//! `rectify runs`: what is recorded.

use std::io::Write;

use console::measure_text_width;
use jiff::{Timestamp, Zoned, tz::TimeZone};
use rectify_core::text::chain;
use rectify_server::store::{By, Head, OfHosts, RenameError, RunFilter, RunRow, Store};
use serde_json::{Value, json};

use crate::{
    account::account,
    args::{Common, Runs, RunsVerb, When},
    config::Config,
    display::text::{count, line, names, passed, time},
    exit::{self, Expected},
    record::{chosen, with_index},
    theme::{Meaning, Theme},
};

/// Lists the runs, forgets old ones, or renames and forgets hosts.
///
/// # Errors
/// A database that cannot be read, and an output that cannot be written.
pub(crate) fn run(args: &Runs, common: &Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    match &args.verb {
        Some(RunsVerb::Prune { keep, dry_run }) => {
            let before = micros(*keep)?;
            return with_index(&config, async |store| prune(store, before, *dry_run).await);
        }
        Some(RunsVerb::Forget { hosts }) => return with_index(&config, async |store| forget(store, hosts).await),
        Some(RunsVerb::Rename { old, new }) => return with_index(&config, async |store| rename(store, old, new).await),
        None => {}
    }
    let since = args.since.map(micros).transpose()?;
    let runs = with_index(&config, async |store| {
        let hosts = match &args.limit {
            Some(pattern) => Some(chosen(store, pattern).await?),
            None => None,
        };
        let filter = RunFilter { hosts, setting: args.setting.clone(), since, run: None };
        Ok(store.runs(&filter).await.map_err(|e| Expected::failed(chain(&e)))?)
    })?;
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &runs.iter().map(to_json).collect::<Vec<_>>())?;
        writeln!(out)?;
        return Ok(exit::OK);
    }
    table(&runs, crate::theme(common, true), &mut out)?;
    if runs.is_empty() {
        writeln!(std::io::stderr(), "no such run is recorded")?;
    }
    Ok(exit::OK)
}

async fn prune(store: &Store, before: i64, dry: bool) -> anyhow::Result<u8> {
    let pruned = store.prune(before, dry).await.map_err(|e| Expected::failed(chain(&e)))?;
    let mut out = std::io::stdout().lock();
    let word = if dry { "would forget" } else { "forgot" };
    if dry {
        pruned.runs.iter().try_for_each(|run| writeln!(out, "{}", line(run)))?;
    }
    writeln!(out, "{word} {} ({})", count(pruned.runs.len(), "run"), size(pruned.bytes))?;
    if !pruned.kept.is_empty() {
        writeln!(out, "kept as the newest look at a host: {}", names(&pruned.kept, 5))?;
    }
    Ok(exit::OK)
}

/// A host that is not known is told of, and the others are forgotten all the same.
async fn forget(store: &Store, hosts: &[String]) -> anyhow::Result<u8> {
    let account = account();
    let by = By::at_terminal(&account);
    let mut code = exit::OK;
    for host in hosts {
        if store.forget_host(host, by, Timestamp::now()).await.map_err(|e| Expected::failed(chain(&e)))? {
            writeln!(std::io::stdout(), "forgot {}", line(host))?;
        } else {
            writeln!(std::io::stderr(), "no host {} is recorded", line(host))?;
            code = exit::USAGE;
        }
    }
    Ok(code)
}

async fn rename(store: &Store, old: &str, new: &str) -> anyhow::Result<u8> {
    let account = account();
    let by = By::at_terminal(&account);
    let known = store.rename_host(old, new, by, Timestamp::now()).await.map_err(|e| match &e {
        RenameError::Store(_) => Expected::failed(chain(&e)),
        _ => Expected::usage(e.to_string()),
    })?;
    let also = if known { ", with what was known by that name already" } else { "" };
    writeln!(std::io::stdout(), "{} is {} now{also}", line(old), line(new))?;
    Ok(exit::OK)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

fn micros(when: When) -> Result<i64, Expected> {
    when.before(&Zoned::now()).map(Timestamp::as_microsecond).map_err(Expected::usage)
}

/// How a run ended, in words.
fn ending(run: &RunRow) -> (Meaning, &'static str) {
    match run.exit_code.map(u8::try_from) {
        // What broke off here was taken in before this was read.
        None if run.ended.is_none() && run.server == Head::this_server() => (Meaning::Unsure, "goes on"),
        None if run.ended.is_none() => (Meaning::Unsure, "goes on, or broke off"),
        None => (Meaning::Failed, "broke off"),
        Some(_) if run.interrupted => (Meaning::Failed, "interrupted"),
        Some(Ok(exit::OK)) => (Meaning::Ok, "as declared"),
        Some(Ok(exit::PENDING)) if run.mode == "apply" => (Meaning::Finding, "with findings"),
        Some(Ok(exit::PENDING)) => (Meaning::Changed, "would change"),
        Some(Ok(exit::UNREACHABLE)) => (Meaning::Failed, "unreachable hosts"),
        Some(_) => (Meaning::Failed, "failed"),
    }
}

/// The states of hosts, the worst first.
const WORST: [&str; 6] = ["unreachable", "failing", "drifted", "pending", "held", "fine"];

/// What a run came to on the hosts that were asked for: `fine, 1 changed`, `1 failing, 2 fine: 3 changed`.
fn on_hosts(of: &OfHosts) -> (Meaning, String) {
    let mut states: Vec<(&str, i64)> = of.states.iter().map(|(state, n)| (state.as_str(), *n)).collect();
    states.sort_by_key(|(state, _)| WORST.iter().position(|worst| worst == state));
    let meaning = match states.first() {
        Some(("fine", _)) => Meaning::Ok,
        Some(("failing" | "unreachable", _)) => Meaning::Failed,
        Some(("held", _)) => Meaning::Skipped,
        _ => Meaning::Changed,
    };
    let (head, between) = match states.as_slice() {
        [(state, 1)] => (line(state), ", "),
        several => {
            (several.iter().map(|(state, n)| format!("{n} {}", line(state))).collect::<Vec<_>>().join(", "), ": ")
        }
    };
    let counts = [(of.changed, "changed"), (of.would, "would change"), (of.failed, "failed")];
    let counted = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}"));
    let findings = (of.findings > 0).then(|| count(usize::try_from(of.findings).unwrap_or(0), "finding"));
    let counted: Vec<String> = counted.chain(findings).collect();
    let words = if counted.is_empty() { head } else { format!("{head}{between}{}", counted.join(", ")) };
    (meaning, words)
}

fn table(runs: &[RunRow], theme: Theme, out: &mut dyn Write) -> std::io::Result<()> {
    let rows: Vec<([String; 6], (Meaning, String))> = runs.iter().map(row).collect();
    let heads = ["run", "began", "took", "what", "by", "hosts"];
    let width = |column: usize| {
        let cells = rows.iter().map(|(cells, _)| measure_text_width(&cells[column]));
        cells.chain([heads[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let pad = |text: &str, column: usize| {
        let side = if heads[column] == "took" || heads[column] == "hosts" {
            console::Alignment::Right
        } else {
            console::Alignment::Left
        };
        console::pad_str(text, widths[column], side, None).into_owned()
    };
    if !rows.is_empty() {
        let heads: Vec<String> = heads.iter().enumerate().map(|(column, head)| pad(head, column)).collect();
        writeln!(out, "{}", theme.paint(Meaning::Quiet, format!("{}  came to", heads.join("  "))))?;
    }
    for (cells, (meaning, came)) in &rows {
        let cells: Vec<String> = cells.iter().enumerate().map(|(column, cell)| pad(cell, column)).collect();
        writeln!(out, "{}  {}", cells.join("  "), theme.paint(*meaning, came))?;
    }
    Ok(())
}

fn row(run: &RunRow) -> ([String; 6], (Meaning, String)) {
    let took = run.ended.map_or_else(String::new, |ended| {
        passed(u64::try_from(ended.saturating_sub(run.began)).unwrap_or(0) / 1_000_000)
    });
    let by = match &run.schedule {
        Some(schedule) => format!("schedule {schedule}"),
        None => run.author.clone(),
    };
    let what = format!("{} {}", run.mode, run.playbooks.join(", "));
    let cells =
        [line(&run.run), time(run.began, &TimeZone::system()), took, line(&what), line(&by), run.hosts.to_string()];
    let (meaning, words) = ending(run);
    (cells, run.of.as_ref().map_or_else(|| (meaning, words.to_owned()), on_hosts))
}

fn to_json(run: &RunRow) -> Value {
    json!({
        "run": run.run,
        "began": run.began,
        "ended": run.ended,
        "mode": run.mode,
        "cause": run.cause,
        "author": run.author,
        "schedule": run.schedule,
        "server": run.server,
        "folder": run.folder,
        "playbooks": run.playbooks,
        "hosts": run.hosts,
        "exit_code": run.exit_code,
        "interrupted": run.interrupted,
        "on": run.of.as_ref().map(|of| json!({
            "states": of.states,
            "changed": of.changed,
            "would": of.would,
            "failed": of.failed,
            "findings": of.findings,
        })),
    })
}
