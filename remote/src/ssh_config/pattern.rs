//! OpenSSH's patterns: `*` and `?`, and comma-separated lists of them with negation (`ssh_config(5)`, PATTERNS).

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters and `?` for exactly one.
///
/// Case matters. Runs in O(text × pattern) whatever the pattern: it comes from a file.
pub(crate) fn matches(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut t, mut p) = (0, 0);
    // Where to go back to: the last star, and the first character that it has not yet swallowed.
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    t = from + 1;
                    p = star + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// What a list of patterns says about a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListMatch {
    /// Some pattern matches, and no negated one.
    Yes,
    /// No pattern matches.
    No,
    /// A negated pattern matches: whatever else the list says, this is out.
    Negated,
}

/// Matches `text` against the comma-separated `list`; a pattern that begins with `!` excludes.
pub(crate) fn match_list(text: &str, list: &str) -> ListMatch {
    let mut found = ListMatch::No;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(text, negated) => return ListMatch::Negated,
            Some(_) => {}
            None if matches(text, pattern) => found = ListMatch::Yes,
            None => {}
        }
    }
    found
}

/// As [`match_list`], for host names: upper and lower case are the same.
pub(crate) fn match_host(host: &str, list: &str) -> bool {
    match_list(&host.to_ascii_lowercase(), &list.to_ascii_lowercase()) == ListMatch::Yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (text, pattern) in
            [("", ""), ("", "**"), ("a", "?"), ("abc", "a*c"), ("abc", "*"), ("aXbXc", "*X?"), ("10.0.0.7", "10.0.?.*")]
        {
            assert!(matches(text, pattern), "{text} should match {pattern}");
        }
        for (text, pattern) in [("a", ""), ("", "?"), ("abc", "a*b"), ("abc", "ABC"), ("abc", "??"), ("ab", "*c*")] {
            assert!(!matches(text, pattern), "{text} should not match {pattern}");
        }
    }

    #[test]
    fn a_hostile_pattern_does_not_explode() {
        let text = "a".repeat(5000);
        assert!(!matches(&text, &format!("{}b", "a*".repeat(50))));
    }

    #[test]
    fn negation_beats_order() {
        assert_eq!(match_list("web1", "!web1,web*"), ListMatch::Negated);
        assert_eq!(match_list("web1", "web*,!web1"), ListMatch::Negated);
        assert_eq!(match_list("web2", "web*,!web1"), ListMatch::Yes);
        assert_eq!(match_list("db", "!web1"), ListMatch::No);
        assert!(match_host("WEB1", "wEb?"));
    }
}
