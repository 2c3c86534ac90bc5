//! Contents in which both host and policy moved, judged line by line.

use std::collections::BTreeMap;

use super::Cause;

/// What the lines say that differ: [`Cause::Drift`] or [`Cause::Pending`] if all of them agree, otherwise [`Cause::Both`].
///
/// A line that was left, is wanted and is gone is drift, and so is one that was not left, is not wanted and is there. One that was not left, is wanted
/// and is not there is pending, and so is one that was left, is not wanted any more and is still there. How often a line stands there counts,
/// where it stands does not.
pub(super) fn cause(left: &[&str], seen: &[&str], wanted: &[&str]) -> Cause {
    let mut counts: BTreeMap<&str, [i64; 3]> = BTreeMap::new();
    for (side, lines) in [left, seen, wanted].into_iter().enumerate() {
        for line in lines {
            counts.entry(line).or_default()[side] += 1;
        }
    }
    let (mut host, mut policy) = (false, false);
    for [left, seen, wanted] in counts.into_values().filter(|[_, seen, wanted]| seen != wanted) {
        host |= seen != left;
        policy |= wanted != left;
    }
    match (host, policy) {
        (true, false) => Cause::Drift,
        (false, true) => Cause::Pending,
        // Nothing differs but the order.
        _ => Cause::Both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(left: &str, seen: &str, wanted: &str) -> Cause {
        let lines = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
        let texts = [left, seen, wanted].map(|text| lines(Box::leak(text.to_owned().into_boxed_str())));
        cause(&texts[0], &texts[1], &texts[2])
    }

    #[test]
    fn each_line_is_judged_for_itself() {
        // A managed line was taken away, and is put back elsewhere.
        assert_eq!(of("a m b", "a b", "a b m"), Cause::Drift);
        // Somebody added a line of his own before, which nobody minds; now a new one is wanted.
        assert_eq!(of("a", "a own", "a own new"), Cause::Pending);
        assert_eq!(of("a m", "a own", "a own m new"), Cause::Both);
        // The policy drops a line, and the host has lost another.
        assert_eq!(of("a m old", "a old", "a m"), Cause::Both);
        assert_eq!(of("a b", "b a", "b a a"), Cause::Pending);
        assert_eq!(of("a b c", "b a c", "c a b"), Cause::Both);
    }
}
