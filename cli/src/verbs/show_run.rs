//! `rectify show`: the report of a recorded run, as it was.

use std::io::Write;

use jiff::tz::TimeZone;
use rectify_core::text::chain;
use rectify_server::store::{Head, RunFolder};

use crate::{
    args::{Common, ShowRun, quoted},
    config::Config,
    display::{
        Options, Output,
        text::{count, line, time},
    },
    exit::{self, Expected},
    record::{find, play, settings},
    theme::{Meaning, Theme},
};

/// Shows the report.
///
/// # Errors
/// No such run or host, and an output that cannot be written.
pub(crate) fn run(args: &ShowRun, common: &Common) -> anyhow::Result<u8> {
    let settings = settings(&Config::load()?).map_err(Expected::usage)?;
    let folder = find(&settings, &args.run, &format!("rectify show {}", quoted(&args.run)))?;
    let options = options(&folder, Output::Report, args.verbosity.verbose, common)?;
    let mut text = Vec::new();
    play(&folder, args.host.as_deref(), None, options, &mut text, &mut std::io::stderr())?;
    let mut out = std::io::stdout().lock();
    if let Ok(head) = folder.head() {
        heading(&head, crate::theme(common, true), &mut out)?;
    }
    out.write_all(&text)?;
    Ok(exit::OK)
}

/// How a recorded run is shown: nothing but the words that chose its playbooks and hosts is known of the command line that it had.
///
/// # Errors
/// If stderr cannot be written.
pub(super) fn options(folder: &RunFolder, output: Output, verbose: u8, common: &Common) -> anyhow::Result<Options> {
    let head = folder.head();
    if let Err(e) = &head {
        writeln!(std::io::stderr(), "warning: {}", line(&chain(e)))?;
    }
    let (playbooks, inventory) = head.map(|head| (head.playbooks, head.inventory)).unwrap_or_default();
    let named = playbooks.iter().map(|playbook| format!(" -p {}", quoted(playbook)));
    let again = named.chain([inventory.clone()]).collect();
    Ok(Options {
        output,
        verbose,
        diff: true,
        inventory,
        again,
        screen: None,
        width: crate::width(),
        stdout: crate::theme(common, true),
        stderr: crate::theme(common, false),
    })
}

/// Which run it is: `check of 3 hosts by root on control, 2027-01-31 04:00:00 CET`.
fn heading(head: &Head, theme: Theme, out: &mut dyn Write) -> std::io::Result<()> {
    let mode = if head.mode == rectify_core::plan::Mode::Check { "check" } else { "apply" };
    let by = match &head.schedule {
        Some(schedule) => format!("by schedule {schedule}"),
        None => format!("by {}", head.author),
    };
    let what = format!(
        "{mode} of {} {by} on {}, {}: {}",
        count(head.hosts.len(), "host"),
        head.server,
        time(head.began, &TimeZone::system()),
        head.playbooks.join(", ")
    );
    writeln!(out, "{} {}", theme.paint(Meaning::Heading, &head.run), line(&what))
}
