//! Shell globs over names, as Python's `fnmatch` reads them.

/// A compiled glob.
pub(super) struct Glob(Vec<Token>);

enum Token {
    Char(char),
    One,
    Many,
    Set { not: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Compiles `*`, `?`, `[a-z]` and `[!a-z]`; a bracket that is never closed is a plain character.
    pub(super) fn new(pattern: &str) -> Self {
        let chars: Vec<char> = pattern.chars().collect();
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(&c) = chars.get(at) {
            at += 1;
            match c {
                '*' => {
                    if !matches!(tokens.last(), Some(Token::Many)) {
                        tokens.push(Token::Many);
                    }
                }
                '?' => tokens.push(Token::One),
                '[' => match set(&chars[at..]) {
                    Some((token, used)) => {
                        tokens.push(token);
                        at += used;
                    }
                    None => tokens.push(Token::Char('[')),
                },
                _ => tokens.push(Token::Char(c)),
            }
        }
        Self(tokens)
    }

    /// Whether the whole name matches; takes at most pattern length times name length steps.
    pub(super) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut token, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.0.get(token) {
                Some(Token::Many) => {
                    star = Some((token, at));
                    token += 1;
                    continue;
                }
                Some(t) if t.accepts(name[at]) => {
                    token += 1;
                    at += 1;
                    continue;
                }
                _ => {}
            }
            // Let the last star take one more character.
            let Some((many, from)) = star else { return false };
            star = Some((many, from + 1));
            (token, at) = (many + 1, from + 1);
        }
        self.0[token..].iter().all(|t| matches!(t, Token::Many))
    }
}

impl Token {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::One => true,
            Self::Many => false,
            Self::Set { not, ranges } => ranges.iter().any(|(a, b)| (*a..=*b).contains(&c)) != *not,
        }
    }
}

/// The set after a `[`, and how many characters it takes with its bracket.
fn set(rest: &[char]) -> Option<(Token, usize)> {
    let not = rest.first() == Some(&'!');
    let start = usize::from(not);
    // A bracket right at the start is a member.
    let from = if rest.get(start) == Some(&']') { start + 1 } else { start };
    let end = from + rest.get(from..)?.iter().position(|c| *c == ']')?;
    let members = &rest[start..end];
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < members.len() {
        if members.get(at + 1) == Some(&'-') && at + 2 < members.len() {
            ranges.push((members[at], members[at + 2]));
            at += 3;
        } else {
            ranges.push((members[at], members[at]));
            at += 1;
        }
    }
    Some((Token::Set { not, ranges }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn globs_match_whole_names() {
        let hit = |p, n| Glob::new(p).matches(n);
        assert!(hit("web*", "web1") && hit("*", "") && hit("*.x", "a.b.x") && hit("w?b", "wäb"));
        assert!(hit("web[1-3]", "web2") && !hit("web[1-3]", "web4") && hit("web[!1-3]", "web4"));
        assert!(hit("a[]x]b", "a]b") && hit("a[b", "a[b") && hit("*a*b*", "xxaxxbxx") && !hit("web", "web1"));
        assert!(!hit("a*a*a*a*a*a*a*a*b", &"a".repeat(5000)));
    }
}
