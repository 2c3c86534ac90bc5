//! Lines and their days. A log holds what strangers sent: any bytes, of any length.

use std::collections::{BTreeMap, HashMap};

use fancy_regex::Regex;
use rectify_core::text::plain;

use crate::kind::shared::clock;

/// The longest part of a line that is looked at, bytes.
const LONGEST: usize = 8 << 10;
/// How many different sources are told apart; those that come after are counted all the same.
const SOURCES: usize = 10_000;
/// How many of them are told.
const TOLD: usize = 5;

/// Counts.
pub(super) struct Tally {
    pattern: Option<Regex>,
    from: String,
    to: String,
    days: BTreeMap<String, u64>,
    sources: HashMap<String, u64>,
    /// Lines that match, without a date.
    pub(super) undated: u64,
}

impl Tally {
    /// Counts the lines of these days that match.
    pub(super) fn new(pattern: Option<Regex>, from: String, to: String) -> Self {
        Tally { pattern, from, to, days: BTreeMap::new(), sources: HashMap::new(), undated: 0 }
    }

    /// Takes the lines of a file.
    pub(super) fn lines(&mut self, text: &[u8]) {
        for line in text.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let line = String::from_utf8_lossy(&line[..line.len().min(LONGEST)]);
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        let mut by = None;
        if let Some(pattern) = &self.pattern {
            // A pattern that takes too many steps counts as one that does not match.
            let Ok(Some(found)) = pattern.captures(line) else { return };
            by = found.name("by").map(|m| m.as_str());
        }
        let Some(day) = day(line) else {
            self.undated = self.undated.saturating_add(1);
            return;
        };
        if day < self.from || day > self.to {
            return;
        }
        *self.days.entry(day).or_default() += 1;
        let by = by.map(name).filter(|by| !by.is_empty());
        if let Some(by) = by
            && (self.sources.len() < SOURCES || self.sources.contains_key(&by))
        {
            *self.sources.entry(by).or_default() += 1;
        }
    }

    /// How many on each day, and the most frequent sources.
    pub(super) fn into_counts(self) -> (BTreeMap<String, u64>, Vec<(String, u64)>) {
        let mut sources: Vec<(String, u64)> = self.sources.into_iter().collect();
        rectify_core::small::sort_by(&mut sources, |a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sources.truncate(TOLD);
        (self.days, sources)
    }
}

/// A source as it is told: short, and without what could move a cursor.
fn name(text: &str) -> String {
    plain(text.trim(), 100)
}

/// The first date of a line.
fn day(line: &str) -> Option<String> {
    (0..line.len())
        .filter(|at| starts_number(line.as_bytes(), *at))
        .find_map(|at| iso(line, at).or_else(|| clf(line, at)))
}

fn starts_number(bytes: &[u8], at: usize) -> bool {
    bytes[at].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_digit())
}

/// `2026-11-22`.
fn iso(line: &str, at: usize) -> Option<String> {
    let text = line.get(at..at + 10)?;
    let more = line.as_bytes().get(at + 10).is_some_and(u8::is_ascii_digit);
    (!more && clock::parse(text, "%Y-%m-%d").is_ok() && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-')
        .then(|| text.to_owned())
}

/// `22/Nov/2026`, as the common log format has it.
fn clf(line: &str, at: usize) -> Option<String> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (day, rest) = line.get(at..at + 11)?.split_once('/')?;
    let (month, year) = rest.split_once('/')?;
    let month = MONTHS.iter().position(|m| *m == month)? + 1;
    let text = format!("{year}-{month:02}-{day}");
    clock::parse(&text, "%Y-%m-%d").ok()?;
    (text.len() == 10).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_date_of_a_line_is_its_day() {
        for (line, expected) in [
            ("2026-11-22 x", Some("2026-11-22")),
            (r#"::1 - - [22/Nov/2026:03:57:06 +0000] "GET /2020-01-01 HTTP/1.1""#, Some("2026-11-22")),
            ("[2026-11-22T03:57:06Z] x 2020-01-01", Some("2026-11-22")),
            ("pid 12026-11-22 and 2026-02-30 and 2026-11-223, then 29/Feb/2024:", Some("2024-02-29")),
            ("1/Nov/20261", None),
            ("no date, é2026-1-2", None),
            ("", None),
        ] {
            assert_eq!(day(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn strangers_cannot_make_it_remember_or_say_too_much() {
        let pattern = Regex::new("from (?P<by>.*)$").unwrap();
        let mut tally = Tally::new(Some(pattern), "2026-01-01".into(), "2026-12-31".into());
        let mut text = Vec::new();
        for i in 0..SOURCES + 50 {
            text.extend(format!("2026-11-22 from {i}\n").into_bytes());
        }
        text.extend(b"2026-11-22 from \x1b[2J\xff\x00\n2026-11-22 from 7\n");
        text.extend(b"2026-11-22 from ".iter().chain(&vec![b'x'; 5_000_000]));
        tally.lines(&text);
        assert_eq!(tally.sources.len(), SOURCES);
        let (days, most) = tally.into_counts();
        assert_eq!(days["2026-11-22"], SOURCES as u64 + 53, "all are counted");
        assert_eq!((most.len(), most[0].clone()), (TOLD, ("7".to_owned(), 2)));
        assert_eq!(name("a\u{1b}[2J\n"), "a\u{fffd}[2J", "what is around it is trimmed");
        assert_eq!(name(&"é".repeat(300)).chars().count(), 100);
    }
}
