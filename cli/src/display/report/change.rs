//! A property, before and after.

use rectify_core::event::{Diff, PropertyChange};
use rectify_server::told::items;

use super::{
    super::{
        page::{Page, Span, meant, plain},
        text::count,
    },
    Detail,
};
use crate::theme::Meaning;

/// What stands for nothing.
const ABSENT: &str = "(absent)";

/// Writes a change that is one value of one thing beside that thing, if there is room. Says whether it did.
pub(super) fn on_one_line(page: &mut Page, indent: usize, subject: &str, changes: &[PropertyChange]) -> bool {
    let [PropertyChange { property, diff: Diff::Value { before, after } }] = changes else { return false };
    let mut spans = vec![plain(format!("{subject}  "))];
    if !property.is_empty() {
        spans.push(plain(format!("{property}: ")));
    }
    spans.extend(arrow(before.as_deref(), after.as_deref()));
    let fits = page.fits(indent, &spans) && items(before.as_deref(), after.as_deref()).is_none();
    if fits {
        page.line(indent, &spans);
    }
    fits
}

/// Writes all changes of one thing. What a thing begins with or ends with is a list of properties and needs no arrows.
pub(crate) fn properties(page: &mut Page, indent: usize, changes: &[PropertyChange], detail: Detail<'_>) {
    let new = |c: &PropertyChange| only_side(c, true).is_some();
    let gone = |c: &PropertyChange| only_side(c, false).is_some();
    let mut told = [false; 2];
    for change in changes {
        let side = usize::from(gone(change));
        let alike = |c: &PropertyChange| if side == 0 { new(c) } else { gone(c) };
        if !alike(change) || changes.iter().filter(|c| alike(c)).count() < 2 {
            property(page, indent, change, detail);
        } else if !std::mem::replace(&mut told[side], true) {
            let all: Vec<String> = changes.iter().filter_map(|c| only_side(c, side == 0)).collect();
            let (meaning, sign) = [(Meaning::Added, "+"), (Meaning::Removed, "-")][side];
            page.line(indent, &[meant(meaning, format!("{sign} {}", all.join(", ")))]);
        }
    }
}

/// `mode: 0644` for a property of the thing itself, short, that is there afterwards only (or before only).
fn only_side(change: &PropertyChange, after: bool) -> Option<String> {
    let value = match &change.diff {
        Diff::Value { before: None, after: Some(value) } if after => value,
        Diff::Value { before: Some(value), after: None } if !after => value,
        _ => return None,
    };
    let plain = !change.property.is_empty() && !change.property.contains('.') && value.chars().count() <= 40;
    (plain && !value.starts_with(['[', '{'])).then(|| format!("{}: {value}", change.property))
}

/// Writes a change.
fn property(page: &mut Page, indent: usize, change: &PropertyChange, detail: Detail<'_>) {
    let name = if change.property.is_empty() { "state" } else { &change.property };
    match &change.diff {
        Diff::Value { before, after } => value(page, indent, name, before.as_deref(), after.as_deref()),
        Diff::Text { unified, added, removed } => {
            page.line(indent, &[plain(format!("{name}: {}", lines(*added, *removed)))]);
            if detail.diff {
                hunks(page, indent + 2, unified, detail.diff_lines);
            }
        }
        Diff::Opaque { before, after } => {
            let side = |v: &Option<(u64, String)>| {
                v.as_ref().map_or_else(
                    || ABSENT.to_owned(),
                    |(size, sha)| format!("{size} bytes, sha256 {}", sha.get(..12).unwrap_or(sha)),
                )
            };
            let (before, after) = (side(before), side(after));
            value(page, indent, name, Some(&before), Some(&after));
        }
        Diff::Hidden => page.line(indent, &[plain(format!("{name}: differs ")), meant(Meaning::Quiet, "(hidden)")]),
    }
}

/// On one line where it fits, otherwise one below the other; of lists, what comes and what goes.
fn value(page: &mut Page, indent: usize, name: &str, before: Option<&str>, after: Option<&str>) {
    if let Some((gone, new)) = items(before, after) {
        page.line(indent, &[plain(format!("{name}:"))]);
        for (meaning, sign, all) in [(Meaning::Removed, "- ", gone), (Meaning::Added, "+ ", new)] {
            all.iter().for_each(|item| page.line(indent + 2, &[meant(meaning, format!("{sign}{item}"))]));
        }
        return;
    }
    let mut spans = vec![plain(format!("{name}: "))];
    spans.extend(arrow(before, after));
    if page.fits(indent, &spans) {
        return page.line(indent, &spans);
    }
    page.line(indent, &[plain(format!("{name}:"))]);
    page.line(indent + 2, &[meant(Meaning::Removed, format!("- {}", before.unwrap_or(ABSENT)))]);
    page.line(indent + 2, &[meant(Meaning::Added, format!("+ {}", after.unwrap_or(ABSENT)))]);
}

fn arrow<'t>(before: Option<&'t str>, after: Option<&'t str>) -> [Span<'t>; 3] {
    [meant(Meaning::Removed, before.unwrap_or(ABSENT)), plain(" → "), meant(Meaning::Added, after.unwrap_or(ABSENT))]
}

fn lines(added: u64, removed: u64) -> String {
    let n = |n: u64| count(usize::try_from(n).unwrap_or(usize::MAX), "line");
    match (added, removed) {
        (a, 0) => format!("{} added", n(a)),
        (0, r) => format!("{} removed", n(r)),
        (a, r) => format!("{} added, {r} removed", n(a)),
    }
}

fn hunks(page: &mut Page, indent: usize, unified: &str, most: usize) {
    for text in unified.lines().take(most) {
        let (meaning, blank) = match text.as_bytes().first() {
            Some(b'+') => (Meaning::Added, Meaning::AddedBlank),
            Some(b'-') => (Meaning::Removed, Meaning::RemovedBlank),
            _ => (Meaning::Quiet, Meaning::Quiet),
        };
        // A difference in nothing but blanks at the end has to be seen.
        let end = text.trim_end().len().max(1).min(text.len());
        let (shown, trailing) = text.split_at(end);
        page.exact(indent, indent + 1, &[meant(meaning, shown), meant(blank, trailing)]);
    }
    let more = unified.lines().count().saturating_sub(most);
    if more > 0 {
        page.line(indent, &[meant(Meaning::Quiet, format!("… {} (-v shows all)", count(more, "more line")))]);
    }
}
