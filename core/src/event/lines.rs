//! Two texts compared line by line.

use std::{
    collections::HashMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use similar::{
    DiffOp,
    algorithms::{Capture, Compact, Replace, myers},
    group_diff_ops,
};

use super::Diff;

/// Unchanged lines shown around a change.
const CONTEXT: usize = 3;

/// How long the search for the shortest difference may take; what comes after is correct and longer.
const PATIENCE: Duration = Duration::from_millis(500);

/// The difference of two texts as unified hunks.
///
/// Lines are compared by number, so that the algorithm is compiled once: the helper carries this.
pub(super) fn text_diff(before: &str, after: &str) -> Diff {
    let mut known = HashMap::new();
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let mut number = |line| {
        let next = known.len();
        *known.entry(line).or_insert(next)
    };
    let old_ids: Vec<usize> = old.iter().map(|line| number(*line)).collect();
    let new_ids: Vec<usize> = new.iter().map(|line| number(*line)).collect();
    let ops = operations(&old_ids, &new_ids);
    let (mut added, mut removed) = (0, 0);
    for op in &ops {
        if !matches!(op, DiffOp::Equal { .. }) {
            added += op.new_range().len() as u64;
            removed += op.old_range().len() as u64;
        }
    }
    let mut unified = String::new();
    for group in group_diff_ops(ops, CONTEXT) {
        hunk(&group, &old, &new, &mut unified);
    }
    Diff::Text { unified, added, removed }
}

fn operations(old: &[usize], new: &[usize]) -> Vec<DiffOp> {
    let mut found = Compact::new(Replace::new(Capture::new()), old, new);
    let deadline = Instant::now() + PATIENCE;
    match myers::diff_deadline(&mut found, old, 0..old.len(), new, 0..new.len(), Some(deadline)) {
        Ok(()) => found.into_inner().into_inner().into_ops(),
        Err(never) => match never {},
    }
}

fn hunk(ops: &[DiffOp], old: &[&str], new: &[&str], out: &mut String) {
    let (Some(first), Some(last)) = (ops.first(), ops.last()) else { return };
    let from = span(first.old_range().start, last.old_range().end);
    let to = span(first.new_range().start, last.new_range().end);
    let _ = writeln!(out, "@@ -{from} +{to} @@");
    for op in ops {
        if let DiffOp::Equal { .. } = op {
            put(' ', &old[op.old_range()], out);
        } else {
            put('-', &old[op.old_range()], out);
            put('+', &new[op.new_range()], out);
        }
    }
}

/// Lines as a hunk's head counts them: from 1; an empty range by the line before it.
fn span(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        count => format!("{},{count}", start + 1),
    }
}

fn put(sign: char, lines: &[&str], out: &mut String) {
    for line in lines {
        out.push(sign);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unified(before: &str, after: &str) -> String {
        let Diff::Text { unified, .. } = text_diff(before, after) else { panic!("a text") };
        unified
    }

    #[test]
    fn hunks_are_those_of_diff_u() {
        let before: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let after = before.replace("\n5\n", "\nfive\n").replace("\n20\n", "\n20");
        assert_eq!(
            unified(&before, &after),
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n\
             @@ -17,4 +17,4 @@\n 17\n 18\n 19\n-20\n+20\n\\ No newline at end of file\n"
        );
        assert_eq!(unified("", "a\nb\n"), "@@ -0,0 +1,2 @@\n+a\n+b\n");
        assert_eq!(unified("a\n", ""), "@@ -1 +0,0 @@\n-a\n");
        assert_eq!(unified("a\n", "a\n"), "");
    }

    #[test]
    fn the_hunks_are_what_the_library_itself_makes() {
        let texts = ["", "a\n", "a", "a\nb\nc\n", "c\nb\na\n", "x\na\nb\ny\nc\n\n\n", "a\nb\nc", "\n\n\na\n"];
        for before in texts {
            for after in texts {
                let whole = similar::TextDiff::from_lines(before, after);
                assert_eq!(unified(before, after), whole.unified_diff().to_string(), "{before:?} {after:?}");
            }
        }
    }
}
