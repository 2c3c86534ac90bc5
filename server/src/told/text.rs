//! Text that came from a host, made safe to be read.

use std::{borrow::Cow, fmt::Write as _};

use jiff::{Timestamp, tz::TimeZone};
use rectify_core::event::is_hash;
pub use rectify_core::text::is_harmful;

/// Longer lines are cut: no host fills the screen.
const LONGEST: usize = 2_000;

/// One line: control characters, line ends among them, are shown by their escapes; right-to-left overrides too.
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        match c {
            '\t' => out.push('\t'),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if is_harmful(c) => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// `1 host`, `3 hosts`.
pub fn count(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// Names of hosts, the first `most` of them, runs of numbers drawn together: `web01…web08, db`. It is not the notation of
/// inventories, which means something else in a pattern.
pub fn names<S: AsRef<str>>(all: &[S], most: usize) -> String {
    let (mut shown, mut rest) = (Vec::new(), all);
    while !rest.is_empty() && shown.len() < most {
        let (text, taken) = run(rest);
        shown.push(line(&text));
        rest = &rest[taken..];
    }
    match rest.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The names at the beginning of a list that differ by one number that rises by one, and how many these are. Two names are
/// two names.
fn run<S: AsRef<str>>(names: &[S]) -> (String, usize) {
    let first = names.first().map_or("", AsRef::as_ref);
    let single = (first.to_owned(), 1);
    let Some(at) = names.get(1).and_then(|second| rises(first, second.as_ref())) else { return single };
    let next = |pair: &[S]| rises(pair[0].as_ref(), pair[1].as_ref()) == Some(at);
    let taken = 1 + names.windows(2).take_while(|pair| next(pair)).count();
    if taken < 3 {
        return single;
    }
    (format!("{first}…{}", names[taken - 1].as_ref()), taken)
}

/// The part in which the second name is the first one's successor, if everything else is equal.
fn rises(a: &str, b: &str) -> Option<usize> {
    let (a, b) = (parts(a), parts(b));
    if a.len() != b.len() {
        return None;
    }
    let mut differ = (0..a.len()).filter(|i| a[*i] != b[*i]);
    let (at, None) = (differ.next()?, differ.next()) else { return None };
    // Leading zeros keep the width; without them it may grow: 9, 10.
    let padded = a[at].starts_with('0') || b[at].starts_with('0');
    let (from, to) = (a[at].parse::<u64>().ok()?, b[at].parse::<u64>().ok()?);
    (from.checked_add(1) == Some(to) && (!padded || a[at].len() == b[at].len())).then_some(at)
}

/// Digits and what is between them.
fn parts(name: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let other = |c: char| c.is_ascii_digit() != first.is_ascii_digit();
        let (part, after) = rest.split_at(rest.find(other).unwrap_or(rest.len()));
        parts.push(part);
        rest = after;
    }
    parts
}

/// A time that has passed, as short as it can be said: `4 s`, `2:05`, `1:00:00`.
pub fn passed(seconds: u64) -> String {
    let (minutes, s) = (seconds / 60, seconds % 60);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{s} s"),
        (0, m) => format!("{m}:{s:02}"),
        (h, m) => format!("{h}:{m:02}:{s:02}"),
    }
}

/// A time of the record, microseconds since 1970, as it is said where somebody is: `2027-01-31 04:00:00 CET`.
pub fn time(micros: i64, zone: &TimeZone) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    time.to_zoned(zone.clone()).strftime("%F %T %Z").to_string()
}

/// A kept value; the hash of something longer is cut, for it is there to differ: `sha256 0123456789ab`.
pub fn kept(value: &str) -> Cow<'_, str> {
    match is_hash(value) {
        true => Cow::Owned(format!("sha256 {}", &value[7..19])),
        false => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_cut_and_what_only_looks_like_one_is_not() {
        let hash = format!("sha256:{}", "0123456789abcdef".repeat(4));
        assert_eq!(kept(&hash), "sha256 0123456789ab");
        for other in ["0644", "sha256:short", "sha256:größe größe größe größe größe größe größe größe größe größe!"]
        {
            assert_eq!(kept(other), other);
        }
    }

    #[test]
    fn times_are_said_where_somebody_is() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(time(1_801_364_400_000_000, &zone), "2027-01-31 04:00:00 CET");
        assert_eq!(time(i64::MAX, &TimeZone::UTC), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn escapes_and_overrides_are_shown_and_not_sent() {
        assert_eq!(line("a\u{1b}[31mb\nc\u{202e}d"), "a\\u{1b}[31mb\\nc\\u{202e}d");
        assert_eq!(line("größe\tä"), "größe\tä");
        assert!(line(&"x".repeat(5000)).chars().count() <= LONGEST + 1);
    }

    #[test]
    fn long_lists_are_cut() {
        let all = ["a", "b", "c", "d", "e"];
        assert_eq!(names(&all, 2), "a, b and 3 more");
        assert_eq!(names(&all, 9), "a, b, c, d, e");
        assert_eq!(count(1, "host"), "1 host");
    }

    #[test]
    fn runs_of_numbers_are_drawn_together() {
        for (all, said) in [
            ("web01 web02 web03 db", "web01…web03, db"),
            ("web1 web2 db", "web1, web2, db"),
            ("w8 w9 w10 w11", "w8…w11"),
            ("w08 w09 w10", "w08…w10"),
            ("w09 w10 w011", "w09, w10, w011"),
            ("10.0.1.254 10.0.1.255 10.0.2.0", "10.0.1.254, 10.0.1.255, 10.0.2.0"),
            ("a1.dc1 a2.dc1 a3.dc1 a3.dc2 a3.dc3", "a1.dc1…a3.dc1, a3.dc2, a3.dc3"),
            ("99999999999999999999 99999999999999999999", "99999999999999999999, 99999999999999999999"),
        ] {
            let list: Vec<&str> = all.split(' ').collect();
            assert_eq!(names(&list, 9), said);
        }
        let many: Vec<String> = (1..=2000).map(|i| format!("web{i:04}")).collect();
        assert_eq!(names(&many, 5), "web0001…web2000");
    }

    #[test]
    fn times_are_short() {
        assert_eq!([4, 60, 125, 3600].map(passed), ["4 s", "1:00", "2:05", "1:00:00"]);
    }
}
