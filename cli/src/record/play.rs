//! A recorded run, shown as it was.

use std::io::Write;

use rectify_core::{
    event::{Event, RunEvent},
    text::chain,
};
use rectify_server::store::{Ending, RunFolder};

use super::pace::Pace;
use crate::{
    display::{Display, Options, text::line},
    exit::Expected,
};

/// Feeds a run's events into the display, with progress if it has a `pace`; only those of one host, if one is named.
///
/// # Errors
/// A run of which nothing can be read, a host that it does not have, and an output that cannot be written.
pub(crate) fn play(
    folder: &RunFolder,
    only: Option<&str>,
    mut pace: Option<Pace<'_>>,
    options: Options,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut events = folder.events().map_err(|e| Expected::failed(chain(&e)))?;
    let mut warnings: Vec<u8> = Vec::new();
    let mut taken = 0;
    let display = Display::new(options, out, err);
    let mut display = if pace.is_some() { display } else { display.at_the_end() };
    for event in events.by_ref() {
        let at = event.at;
        let Some(what) = of_host(event.what, only)? else { continue };
        if let Some(pace) = &mut pace {
            pace.until(at, |now| display.tick(now));
        }
        if let Err(illegal) = display.take(&Event { seq: taken, at, what }) {
            writeln!(warnings, "warning: the record makes no sense from here on: {illegal}")?;
            break;
        }
        taken += 1;
    }
    if taken == 0 {
        let why = match events.ending() {
            Ending::Damaged(why) => format!(": {}", line(why)),
            _ => String::new(),
        };
        return Err(Expected::failed(format!("nothing is recorded of run {}{why}", folder.run())).into());
    }
    match events.ending() {
        Ending::BrokenOff if folder.is_running() => writeln!(warnings, "the run goes on: this is how far it is")?,
        Ending::BrokenOff => writeln!(warnings, "warning: the run broke off: this is how far it came")?,
        Ending::Damaged(why) => writeln!(warnings, "warning: the record is damaged: {}", line(why))?,
        Ending::Open | Ending::Whole => {}
    }
    let (_, written) = display.finish();
    written?;
    err.write_all(&warnings)?;
    Ok(())
}

/// What is told of an event where only one host counts.
fn of_host(what: RunEvent, only: Option<&str>) -> Result<Option<RunEvent>, Expected> {
    let Some(only) = only else { return Ok(Some(what)) };
    Ok(match what {
        RunEvent::Started { run, mode, playbooks, hosts, version } => {
            if !hosts.iter().any(|host| host == only) {
                let known: Vec<&str> = hosts.iter().map(String::as_str).collect();
                let meant =
                    rectify_core::diag::did_you_mean(only, known).map(|m| format!("; did you mean {}?", line(m)));
                let text = format!("{} is no host of this run{}", line(only), meant.unwrap_or_default());
                return Err(Expected::usage(text));
            }
            Some(RunEvent::Started { run, mode, playbooks, hosts: vec![only.to_owned()], version })
        }
        RunEvent::Warning { host, message } => {
            host.as_ref().is_none_or(|host| host == only).then_some(RunEvent::Warning { host, message })
        }
        other => host(&other).is_none_or(|host| host == only).then_some(other),
    })
}

/// The host that an event is about.
fn host(what: &RunEvent) -> Option<&str> {
    match what {
        RunEvent::Connecting { host }
        | RunEvent::Connected { host, .. }
        | RunEvent::Host { host, .. }
        | RunEvent::Unreachable { host, .. }
        | RunEvent::HostFinished { host } => Some(host),
        RunEvent::Started { .. } | RunEvent::Warning { .. } | RunEvent::Interrupted { .. } | RunEvent::Finished => None,
    }
}
