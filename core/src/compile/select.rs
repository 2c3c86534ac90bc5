//! `--tags`, `--skip-tags` and `--start-at-task`.

use crate::playbook::PlayDef;

/// Which tasks a run is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--tags`; empty: all.
    pub tags: Vec<String>,
    /// `--skip-tags`.
    pub skip_tags: Vec<String>,
    /// `--start-at-task`: a task's name, perhaps with `*`.
    pub start_at: Option<String>,
}

impl Selection {
    /// Whether a task with these tags is run, by Ansible's rules.
    pub fn takes(&self, tags: &[String]) -> bool {
        let has = |tag: &str| tags.iter().any(|t| t == tag);
        let (always, never) = (has("always"), has("never"));
        let named = |list: &[String]| list.iter().any(|wanted| has(wanted));
        let asked = |list: &[String], word: &str| list.iter().any(|l| l == word);
        // `always` protects from everything but being named itself.
        let kept = always && !asked(&self.skip_tags, "always");
        let taken = if self.tags.is_empty() {
            !never
        } else {
            kept || named(&self.tags)
                || (asked(&self.tags, "all") && !never)
                || (asked(&self.tags, "tagged") && !tags.is_empty() && !never)
                || (asked(&self.tags, "untagged") && tags.is_empty())
        };
        let skipped = named(&self.skip_tags)
            || (asked(&self.skip_tags, "all") && !kept)
            || (asked(&self.skip_tags, "tagged") && !tags.is_empty())
            || (asked(&self.skip_tags, "untagged") && tags.is_empty());
        taken && !skipped
    }

    /// For every task of a play, whether it is run; handlers always are. `started` says whether the task to start at was met, in
    /// this play or an earlier one.
    pub(crate) fn select(&self, play: &PlayDef, started: &mut bool) -> Vec<bool> {
        let mut out = Vec::with_capacity(play.tasks.len());
        for (at, task) in play.tasks.iter().enumerate() {
            if at >= play.handlers_from {
                out.push(true);
                continue;
            }
            if let Some(pattern) = &self.start_at
                && !*started
            {
                *started = glob(pattern, &task.proto.name);
            }
            out.push(*started && self.takes(&task.proto.tags));
        }
        out
    }
}

/// Whether a text matches a pattern with `*` and `?`.
fn glob(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut i, mut j) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while j < t.len() {
        if i < p.len() && p[i] == '*' {
            star = Some((i, j));
            i += 1;
        } else if i < p.len() && (p[i] == '?' || p[i] == t[j]) {
            i += 1;
            j += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            i = at + 1;
            j = from + 1;
        } else {
            return false;
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(tags: &[&str], skip: &[&str], task: &[&str]) -> bool {
        let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        Selection { tags: owned(tags), skip_tags: owned(skip), start_at: None }.takes(&owned(task))
    }

    #[test]
    fn tags_select_as_in_ansible() {
        type Case = (&'static [&'static str], &'static [&'static str], &'static [&'static str], bool);
        let cases: &[Case] = &[
            (&[], &[], &[], true),
            (&[], &[], &["never"], false),
            (&[], &[], &["a", "never"], false),
            (&["a"], &[], &["a"], true),
            (&["a"], &[], &["a", "never"], true),
            (&["a"], &[], &["b"], false),
            (&["a"], &[], &[], false),
            (&["a"], &[], &["always"], true),
            (&["a"], &["always"], &["always"], false),
            (&["all"], &[], &["x"], true),
            (&["all"], &[], &["never"], false),
            (&["tagged"], &[], &["x"], true),
            (&["tagged"], &[], &[], false),
            (&["tagged"], &[], &["never"], false),
            (&["untagged"], &[], &[], true),
            (&["untagged"], &[], &["x"], false),
            (&[], &["x"], &["x", "y"], false),
            (&[], &["tagged"], &["x"], false),
            (&[], &["untagged"], &[], false),
            (&["x"], &["y"], &["x", "y"], false),
            (&["never"], &[], &["never"], true),
        ];
        for (tags, skip, task, wanted) in cases {
            assert_eq!(takes(tags, skip, task), *wanted, "--tags {tags:?} --skip-tags {skip:?} on {task:?}");
        }
    }

    #[test]
    fn a_start_may_be_a_pattern() {
        assert!(glob("install*", "install packages"));
        assert!(glob("*pack?ges", "install packages"));
        assert!(!glob("install", "install packages"));
    }
}
