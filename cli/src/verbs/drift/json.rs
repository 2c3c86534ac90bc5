//! What differs, for programs.

use std::io::{self, Write};

use rectify_core::event::RunState;
use rectify_server::drift::{Fixed, Open};
use serde_json::{Value, json};

use super::Found;

/// Writes one document: the run, every difference of every host with its cause, and who holds hosts. Times are microseconds since 1970, UTC.
///
/// # Errors
/// An output that cannot be written.
pub(super) fn write(found: &Found, run: &str, state: &RunState, out: &mut dyn Write) -> io::Result<()> {
    let held = state.hosts.iter().filter_map(|(host, of)| Some(json!({ "host": host, "hold": of.held.as_ref()? })));
    let all = json!({
        "run": run,
        "hosts": found.hosts,
        "open": found.open.iter().map(open).collect::<Vec<_>>(),
        "fixed": found.fixed.iter().map(fixed).collect::<Vec<_>>(),
        "held": held.collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

fn open(item: &Open) -> Value {
    json!({
        "host": item.host,
        "cause": item.known.cause,
        "thing": item.key.thing,
        "property": item.key.property,
        "setting": item.known.setting,
        "task": item.known.task,
        "origin": item.known.origin,
        "seen": item.known.seen,
        "wanted": item.known.wanted,
        "left": item.known.left.as_ref().map(|left| json!({ "value": left })),
        "since": item.known.since,
        "before": item.known.before,
        "looks": item.known.looks,
        "difference": item.known.difference,
        "traces": item.known.traces,
    })
}

fn fixed(item: &Fixed) -> Value {
    json!({
        "host": item.host,
        "was": item.was,
        "thing": item.key.thing,
        "property": item.key.property,
        "setting": item.setting,
        "at": item.at,
    })
}
