//! `rectify holds`: hosts on which nothing is changed for some time.

use std::io::Write;

use jiff::{Timestamp, Zoned, tz::TimeZone};
use rectify_core::{hold::Hold, text::chain};
use rectify_server::{
    schedule::{hold, holds, release},
    store::{By, Store},
};
use serde_json::json;

use crate::{
    account::account,
    args::{Common, Holds, HoldsVerb, Lasts},
    config::Config,
    display::text::{count, line, names, time},
    exit::{self, Expected},
    record::{chosen, with_index},
    theme::{Meaning, Theme},
};

/// Lists the holds of the record, puts hosts on hold, or ends holds.
///
/// # Errors
/// A pattern that chooses no host, a hold that cannot be, a database that cannot be read or written, and an output that cannot be written.
pub(crate) fn run(args: &Holds, common: &Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    with_index(&config, async |store| match &args.verb {
        Some(HoldsVerb::Add { hosts, lasts, reason }) => add(store, hosts, *lasts, reason).await,
        Some(HoldsVerb::Release { hosts }) => end(store, hosts).await,
        None => list(store, args.json, crate::theme(common, true)).await,
    })
}

async fn add(store: &Store, pattern: &str, lasts: Lasts, reason: &str) -> anyhow::Result<u8> {
    let hosts = chosen(store, pattern).await?;
    if hosts.is_empty() {
        return Err(Expected::usage(format!("no host of the record is {}: nothing is held", line(pattern))).into());
    }
    let (account, now) = (account(), Zoned::now());
    let by = By::at_terminal(&account);
    let held = Hold { by: account.clone(), until: lasts.from(&now), reason: reason.trim().to_owned() };
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    hold(store, &hosts, &held, by, now.timestamp()).await.map_err(|e| Expected::usage(e.to_string()))?;
    writeln!(std::io::stdout(), "{} held until {}: {}", are(&hosts), shown(&held), names(&hosts, 5))?;
    Ok(exit::OK)
}

fn are(hosts: &[&str]) -> String {
    format!("{} {}", count(hosts.len(), "host"), if hosts.len() == 1 { "is" } else { "are" })
}

fn shown(hold: &Hold) -> String {
    time(hold.until.as_microsecond(), &TimeZone::system())
}

/// A host that is not held is told of, and the others are released all the same.
async fn end(store: &Store, hosts: &[String]) -> anyhow::Result<u8> {
    let account = account();
    let by = By::at_terminal(&account);
    let mut code = exit::OK;
    for host in hosts {
        if release(store, host, by, Timestamp::now()).await.map_err(|e| Expected::failed(chain(&e)))? {
            writeln!(std::io::stdout(), "{} is held no longer", line(host))?;
        } else {
            writeln!(std::io::stderr(), "{} is not held here: `rectify holds` lists what is", line(host))?;
            code = exit::USAGE;
        }
    }
    Ok(code)
}

async fn list(store: &Store, as_json: bool, theme: Theme) -> anyhow::Result<u8> {
    let all = holds(store, Timestamp::now()).await.map_err(|e| Expected::failed(chain(&e)))?;
    let mut out = std::io::stdout().lock();
    if as_json {
        let all: Vec<_> = all.iter().map(|(host, hold)| json!({ "host": host, "hold": hold })).collect();
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
        return Ok(exit::OK);
    }
    for (host, hold) in &all {
        let host = theme.paint(Meaning::Host, line(host)).to_string();
        writeln!(out, "{host}  held by {} until {}: {}", line(&hold.by), shown(hold), line(&hold.reason))?;
    }
    if all.is_empty() {
        writeln!(std::io::stderr(), "no host is held here")?;
    }
    Ok(exit::OK)
}
