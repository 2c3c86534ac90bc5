//! What a host says of its things, in bounds: it goes into a database, and into its keys.

use std::collections::BTreeMap;

use crate::{
    digest,
    event::{Diff, Trace, is_hash, split_lines},
};

/// The most items that are kept of one host.
pub(super) const ITEMS: usize = 20_000;

/// The longest name of a thing or property, bytes. PostgreSQL takes 2,704 in all columns of a key.
const NAME: usize = 800;

/// The longest value, bytes. Longer ones come as hashes.
const VALUE: usize = 1024;

/// The longest difference that is kept of an item, bytes; the run's events have all of it.
const SHOWN: usize = 64 << 10;

/// The most traces of a thing.
const TRACES: usize = 32;

/// The most contents of which a host may tell the lines.
const CONTENTS: usize = 10_000;

/// A name that is told apart from others also where it is cut.
pub(super) fn name(text: &str) -> String {
    let text = clean(text);
    if text.len() <= NAME {
        return text;
    }
    format!("{}…{}", cut(&text, NAME - 64), &digest::sha256(text.as_bytes())[..16])
}

pub(super) fn value(text: &str) -> String {
    let text = clean(text);
    if text.len() <= VALUE { text } else { format!("sha256:{}", digest::sha256(text.as_bytes())) }
}

/// What one host says of lines is taken for another host as well, by the hash of the whole: at worst it blurs who moved.
pub(super) fn lines(of: BTreeMap<String, String>) -> impl Iterator<Item = (String, String)> {
    of.into_iter().filter(|(hash, lines)| is_hash(hash) && split_lines(lines).is_some()).take(CONTENTS)
}

pub(super) fn traces(all: &[Trace]) -> Vec<Trace> {
    let text = |text: &Option<String>| text.as_deref().map(value);
    let one = |trace: &Trace| Trace {
        source: value(&trace.source),
        at: trace.at,
        account: text(&trace.account),
        program: text(&trace.program),
        what: value(&trace.what),
    };
    all.iter().take(TRACES).map(one).collect()
}

pub(super) fn difference(diff: Diff) -> Diff {
    match diff {
        Diff::Text { unified, added, removed } if unified.len() > SHOWN => {
            let end = cut(&unified, SHOWN).rfind('\n').map_or(0, |end| end + 1);
            Diff::Text { unified: format!("{}\\ the rest is in the run\n", &unified[..end]), added, removed }
        }
        Diff::Value { before, after } => {
            Diff::Value { before: before.as_deref().map(value), after: after.as_deref().map(value) }
        }
        other => other,
    }
}

/// PostgreSQL takes every character but this one.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_still_told_apart() {
        let long = "ü".repeat(500);
        let (a, b) = (name(&format!("{long}a")), name(&format!("{long}b")));
        assert!(a.len() <= NAME && a != b && a.starts_with("üü"), "{a}");
        assert_eq!(name("a\0b"), "a\u{fffd}b");
        assert!(is_hash(&value(&"x".repeat(2000))));
    }

    #[test]
    fn long_differences_end_with_a_whole_line() {
        let Diff::Text { unified, added, .. } =
            difference(Diff::Text { unified: "+line\n".repeat(20_000), added: 20_000, removed: 0 })
        else {
            panic!("a text")
        };
        assert!(unified.len() < SHOWN + 100 && unified.ends_with("+line\n\\ the rest is in the run\n"));
        assert_eq!(added, 20_000);
    }

    #[test]
    fn lines_that_are_none_are_dropped() {
        let hash = format!("sha256:{}", "0".repeat(64));
        let told = |k: &str, v: &str| lines([(k.to_owned(), v.to_owned())].into()).count();
        assert_eq!((told(&hash, "abcdefghijk"), told(&hash, "abc"), told("x", "abcdefghijk")), (1, 0, 0));
    }
}
