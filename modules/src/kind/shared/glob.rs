//! Shell patterns.

use fancy_regex::Regex;

/// A pattern that has to match the whole of a path or name: `*` and `?` do not match `/`, `**` matches everything, `[a-z]`
/// and `[!a-z]` one letter.
#[derive(Debug, Clone)]
pub(crate) struct Glob(Regex);

impl Glob {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What does not compile, for a person.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        Self::behind("", pattern)
    }

    /// Compiles a pattern for what is below a folder.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn below(folder: &str, pattern: &str) -> Result<Self, String> {
        Self::behind(&format!("{}/", fancy_regex::escape(folder)), pattern)
    }

    fn behind(start: &str, pattern: &str) -> Result<Self, String> {
        let regex = Regex::new(&format!(r"(?s)\A{start}{}\z", translated(pattern)?));
        regex.map(Glob).map_err(|e| format!("the pattern {pattern:?} makes no sense: {e}"))
    }

    /// Whether it matches the whole text.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        // Nothing in it makes the search go back, so that it never gives up.
        self.0.is_match(text).unwrap_or(false)
    }
}

fn translated(pattern: &str) -> Result<String, String> {
    let mut regex = String::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' if letters.peek() == Some(&'*') => {
                letters.next();
                // `a/**/b` is also `a/b`.
                if letters.peek() == Some(&'/') && regex.ends_with('/') {
                    letters.next();
                    regex.push_str("(?:.*/)?");
                } else {
                    regex.push_str(".*");
                }
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => match class(&mut letters) {
                Some(class) => regex.push_str(&class),
                None => return Err(format!("the pattern {pattern:?} has a [ without its ]")),
            },
            other => regex.push_str(&fancy_regex::escape(&other.to_string())),
        }
    }
    Ok(regex)
}

fn class(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut class = String::from("[");
    if letters.next_if(|c| matches!(c, '!' | '^')).is_some() {
        class.push('^');
    }
    let mut first = true;
    loop {
        match letters.next()? {
            ']' if !first => break,
            '-' => class.push('-'),
            other if "\\[]^&~".contains(other) => class.extend(['\\', other]),
            other => class.push(other),
        }
        first = false;
    }
    class.push(']');
    Some(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, path, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "d/a.conf", false),
            ("/srv/**", "/srv/a/b", true),
            ("/srv/**/b", "/srv/b", true),
            ("/srv/**/b", "/srv/x/y/b", true),
            ("[a-c]?.[!x]", "b1.y", true),
            ("[a-c]?.[!x]", "b1.x", false),
            ("a.b", "axb", false),
            ("[]<&~^[\\.é ]", "<", true),
            ("[]<&&~^[\\.é ]", "é", true),
            ("[]<&~^[\\.é ]", "\\", true),
            ("[]<&~^[\\.é ]", "a", false),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().is_match(path), expected, "{pattern} {path}");
        }
        assert!(Glob::new("[a").is_err());
        let below = Glob::below("/srv/a.b", "*.conf").unwrap();
        let found =
            ["/srv/a.b/x.conf", "/srv/aXb/x.conf", "/srv/a.b/c/x.conf", "/srv/a.b/x.conf\n"].map(|p| below.is_match(p));
        assert_eq!(found, [true, false, false, false]);
    }
}
