//! What the machine knows of when and by whom something was changed: file times, the package manager's log, systemd, the audit log.
//!
//! All of it may have been written by anybody who could change the thing itself, so it is told as what the source says. It is bounded, and made fit to
//! be shown where it is read.

mod audit;
mod packages;

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use flate2::read::MultiGzDecoder;
use rectify_core::{
    event::Trace,
    module::{Command, Entity},
};

pub(super) use self::audit::Log;
use super::{
    Live,
    files::look,
    text::{sanitize, show},
};
use crate::kind::shared::clock;

/// The most bytes of a log that are looked at, from its end.
const TAIL: u64 = 4 << 20;

/// The most bytes of a packed log that are looked at, from its beginning, once they are unpacked.
const UNPACKED: u64 = 16 << 20;

/// How many older files of a log are looked at: as many as Debian keeps of dpkg's and apt's.
const ROTATED: usize = 12;

/// The most bytes of a text in a trace.
const TEXT: usize = 300;

/// The most things that are asked for at a time.
const THINGS: usize = 8;

/// Everything that is known of these things.
pub(super) fn find(live: &Live, things: &[Entity]) -> Vec<Trace> {
    let mut out = Vec::new();
    for thing in things.iter().take(THINGS) {
        match thing {
            Entity::Path(path) | Entity::Tree(path) => {
                out.extend(file(path));
                out.extend(live.audit.find(live, &[path], None));
            }
            Entity::Package(name) => out.extend(packages::find(live, name)),
            Entity::Unit(name) => out.extend(unit(live, name)),
            Entity::User(name) | Entity::Group(name) => {
                let group = matches!(thing, Entity::Group(_));
                let path = Path::new(if group { "/etc/group" } else { "/etc/passwd" });
                out.extend(file(path));
                out.extend(live.audit.find(live, &[path], Some(name)));
            }
            Entity::Sysctl(_) | Entity::KernelModule(_) | Entity::Other(..) => {}
        }
    }
    out.dedup();
    out
}

/// A trace with nothing but who says so and what.
fn said(source: &str, what: impl Into<String>) -> Trace {
    Trace { source: source.into(), at: None, account: None, program: None, what: what.into() }
}

/// The times of a file; of one that is not there, those of the folder that it is gone from.
fn file(path: &Path) -> Vec<Trace> {
    let at = |nanoseconds: i64, what: String| Trace { at: Some(nanoseconds / 1000), ..said("file", what) };
    let Ok(found) = look::lstat(path) else { return Vec::new() };
    if let Some(meta) = found {
        let name = show(path);
        let mut out = vec![at(meta.mtime, format!("content of {name} changed"))];
        if meta.ctime != meta.mtime {
            out.push(at(meta.ctime, format!("content, mode, owner or name of {name} changed")));
        }
        return out;
    }
    let above = path.ancestors().skip(1).find_map(|folder| Some((folder, look::lstat(folder).ok()??)));
    above
        .map(|(folder, meta)| at(meta.mtime, format!("something came to or went from {}", show(folder))))
        .into_iter()
        .collect()
}

/// When a unit changed its state, by systemd.
fn unit(live: &Live, name: &str) -> Option<Trace> {
    let properties = "--property=ActiveState,SubState,StateChangeTimestamp";
    let output = live.machinery(&Command::new(["systemctl", "show", "--no-pager", properties, "--", name])).ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default();
    // `Sun 2026-11-22 07:18:54 CET`, by the machine's own clock. A unit that stopped and that nothing needs is forgotten, with its times.
    let then: Vec<&str> = field("StateChangeTimestamp").split(' ').skip(1).take(2).collect();
    let Some(at) = local(live, &then.join(" ")) else { return journal(live, name) };
    let state = format!("{name} became {} ({})", field("ActiveState"), field("SubState"));
    Some(Trace { at: Some(at), ..said("systemd", fit(&state)) })
}

/// What the journal says last of a unit.
fn journal(live: &Live, name: &str) -> Option<Trace> {
    let command = Command::new(["journalctl", "--quiet", "--no-pager", "--output=short-unix", "--lines=1"]);
    let output =
        live.machinery(&Command { argv: [command.argv, vec![format!("--unit={name}")]].concat(), ..command }).ok()?;
    entry(&String::from_utf8_lossy(&output.stdout))
}

/// `1795336005.632126 web1 systemd[1]: Stopped idle.service.`
fn entry(line: &str) -> Option<Trace> {
    let (at, rest) = line.trim_end().split_once(' ')?;
    let (seconds, micros) = at.split_once('.')?;
    let at = seconds.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(micros.parse().ok()?)?;
    Some(Trace { at: Some(at), ..said("journal", fit(rest.split_once(' ')?.1)) })
}

/// `2026-11-22 07:18:54` by the machine's own clock, which date(1) knows how to read; microseconds since 1970.
fn local(live: &Live, text: &str) -> Option<i64> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Only what is a time is handed on.
    clock::parse(&text, "%Y-%m-%d %H:%M:%S").ok()?;
    let output = live.machinery(&Command::new(["date", "-d", &text, "+%s"])).ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse::<i64>().ok()?.checked_mul(1_000_000)
}

/// The end of a log, from a whole line on; `None` where there is none, or it may not be read.
fn tail(path: &str) -> Option<Vec<u8>> {
    let (mut file, stat) = look::open_regular("reading", Path::new(path)).ok()??;
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    let from = size.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    if from > 0 {
        let begin = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |end| end + 1);
        bytes.drain(..begin);
    }
    Some(bytes)
}

/// A log and what it was rotated to (`LOG.1`, `LOG.2.gz`), the newest first. Each is read when its turn comes; the first number that is not there
/// ends it.
fn rotated(path: &str) -> impl Iterator<Item = String> {
    let older = move |n: usize| {
        let path = format!("{path}.{n}");
        tail(&path).or_else(|| unpacked(&format!("{path}.gz")))
    };
    let texts = std::iter::once_with(|| tail(path)).flatten().chain((1..=ROTATED).map_while(older));
    texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// What was packed by gzip, as far as it can be unpacked; `None` where there is no such file, or it may not be read.
fn unpacked(path: &str) -> Option<Vec<u8>> {
    let (file, _) = look::open_regular("reading", Path::new(path)).ok()??;
    let (mut packed, mut bytes) = (Vec::new(), Vec::new());
    file.take(TAIL).read_to_end(&mut packed).ok()?;
    // What is cut off or damaged ends the text.
    let _ = MultiGzDecoder::new(&*packed).take(UNPACKED).read_to_end(&mut bytes);
    Some(bytes)
}

/// Text of a log, fit to be shown.
fn fit(text: &str) -> String {
    let mut text = sanitize(text.as_bytes());
    if text.len() > TEXT {
        let end = (0..=TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_goes_on_in_what_it_was_rotated_to_until_a_number_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log").to_str().unwrap().to_owned();
        let write = |name: &str, bytes: &[u8]| std::fs::write(format!("{log}{name}"), bytes).unwrap();
        let packed = |text: &str| {
            let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            to.write_all(text.as_bytes()).unwrap();
            to.finish().unwrap()
        };
        assert_eq!(rotated(&log).count(), 0);
        write(".1", b"one");
        write(".2.gz", &packed("two"));
        let all = || rotated(&log).collect::<Vec<_>>();
        assert_eq!(all(), ["one", "two"], "right after a rotation there may be no log yet");
        write("", b"none");
        write(".3.gz", b"this is not packed");
        let text = "a line of a long log\n".repeat(5000);
        let cut = packed(&text);
        write(".4.gz", &cut[..cut.len() - 12]);
        write(".6", b"six");
        let found = all();
        assert_eq!(found[..4], ["none", "one", "two", ""]);
        assert!(found.len() == 5 && !found[4].is_empty() && text.starts_with(&found[4]));
        // A bomb is not unpacked as a whole.
        write(".4.gz", &packed(&"\n".repeat(40 << 20)));
        assert_eq!(rotated(&log).nth(4).unwrap().len() as u64, UNPACKED);
    }

    #[test]
    fn the_journal_says_when_a_unit_that_systemd_forgot_was_stopped() {
        let trace = entry("1795336005.632126 web1 systemd[1]: Stopped idle.service.\n").unwrap();
        assert_eq!((trace.at, trace.what.as_str()), (Some(1_795_336_005_632_126), "systemd[1]: Stopped idle.service."));
        assert!(["", "-- No entries --", "1 x", "1.x y z"].into_iter().all(|line| entry(line).is_none()));
    }
}
