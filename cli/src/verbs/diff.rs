//! `rectify diff`: two recorded runs compared, hosts that differ alike together.

use std::io::Write;

use indexmap::IndexMap;
use rectify_core::text::chain;
use rectify_server::store::{Compared, Item, RecordSettings, compare, export::Reports};

use crate::{
    args::{Common, DiffRuns, quoted},
    config::Config,
    display::text::{count, line, names},
    exit::{self, Expected},
    record::{find, settings},
    theme::{Meaning, Theme},
};

/// Compares the runs; whether something differs.
///
/// # Errors
/// No such run, and an output that cannot be written.
pub(crate) fn run(args: &DiffRuns, common: &Common) -> anyhow::Result<u8> {
    let settings = settings(&Config::load()?).map_err(Expected::usage)?;
    let command = format!("rectify diff {} {}", quoted(&args.one), quoted(&args.two));
    let (one, two) = (read(&settings, &args.one, &command)?, read(&settings, &args.two, &command)?);
    let theme = crate::theme(common, true);
    let mut out = std::io::stdout().lock();
    let all = compare(&one.1, &two.1);
    let mut alike: IndexMap<&Compared, Vec<&str>> = IndexMap::new();
    for (host, compared) in &all {
        alike.entry(compared).or_default().push(host);
    }
    let same = alike.shift_remove(&Compared::Items(Vec::new())).unwrap_or_default();
    for (compared, hosts) in &alike {
        writeln!(out, "{}", theme.paint(Meaning::Host, names(hosts, 5)))?;
        show(compared, theme, &mut out)?;
    }
    if !alike.is_empty() {
        writeln!(out)?;
    }
    let differ = all.len() - same.len();
    let (one, two) = (theme.paint(Meaning::Heading, &one.0), theme.paint(Meaning::Heading, &two.0));
    writeln!(out, "{one} → {two}: {} the same, {differ} different", count(same.len(), "host"))?;
    Ok(if differ == 0 { exit::OK } else { exit::PENDING })
}

fn read(settings: &RecordSettings, said: &str, command: &str) -> Result<(String, Reports), Expected> {
    let folder = find(settings, said, command)?;
    let events = folder.events().map_err(|e| Expected::failed(chain(&e)))?;
    Ok((folder.run().to_owned(), Reports::read(events)))
}

fn show(compared: &Compared, theme: Theme, out: &mut dyn Write) -> std::io::Result<()> {
    let mut sign = |meaning, sign: &str, text: String| writeln!(out, "  {} {text}", theme.paint(meaning, sign));
    match compared {
        Compared::New => sign(Meaning::Added, "+", "only in the second run".into()),
        Compared::Gone => sign(Meaning::Removed, "-", "only in the first run".into()),
        Compared::Ended(before, after) => sign(Meaning::Changed, "~", format!("{} → {}", line(before), line(after))),
        Compared::Items(items) => items.iter().try_for_each(|item| {
            let name = name(item);
            match (&item.before, &item.after) {
                (None, Some(after)) => sign(Meaning::Added, "+", format!("{name}: {}", line(after))),
                (Some(before), None) => sign(Meaning::Removed, "-", format!("{name}: {}", line(before))),
                (before, after) => {
                    let [before, after] = [before, after].map(|side| line(side.as_deref().unwrap_or_default()));
                    sign(Meaning::Changed, "~", format!("{name}: {before} → {after}"))
                }
            }
        }),
    }
}

fn name(item: &Item) -> String {
    match item.property.as_str() {
        "" => line(&item.thing),
        property => format!("{} {}", line(&item.thing), line(property)),
    }
}
