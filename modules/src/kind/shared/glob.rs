//! Shell patterns.

use regex_lite::Regex;

/// Compiles a pattern that has to match the whole of a path or name: `*` and `?` do not match `/`, `**` matches everything,
/// `[a-z]` and `[!a-z]` one letter.
///
/// # Errors
/// What does not compile, for a person.
pub(crate) fn glob(pattern: &str) -> Result<Regex, String> {
    let mut regex = String::from("(?s)^");
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
            other => regex.push_str(&regex_lite::escape(&other.to_string())),
        }
    }
    regex.push('$');
    Regex::new(&regex).map_err(|e| format!("the pattern {pattern:?} makes no sense: {e}"))
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
            other if other.is_alphanumeric() => class.push(other),
            other => class.extend(['\\', other]),
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
        ] {
            assert_eq!(glob(pattern).unwrap().is_match(path), expected, "{pattern} {path}");
        }
        assert!(glob("[a").is_err());
    }
}
