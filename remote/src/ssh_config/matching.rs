//! The conditions of `Host` and `Match`.

use super::pattern::{self, ListMatch};
use super::words;

/// A condition of a `Match` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Criterion {
    pub(super) negated: bool,
    pub(super) test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    All,
    /// `canonical`, or `final`, which asks for the last pass.
    LastPass {
        asked_for: bool,
    },
    Host(String),
    OriginalHost(String),
    User(String),
    LocalUser(String),
    Exec(String),
    /// One that came later than this resolver.
    Unknown(String),
}

/// The conditions of a `Match` line.
pub(super) fn parse(rest: &str) -> Result<Vec<Criterion>, String> {
    let mut criteria: Vec<Criterion> = Vec::new();
    let mut left = Some(rest);
    while let Some(text) = left.filter(|text| !text.is_empty()) {
        let (name, after) = words::keyword(text).map_err(|_| "a quote is not closed".to_owned())?;
        if name.is_empty() || name.starts_with('#') {
            break;
        }
        left = after;
        let (negated, name) = match name.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, name.as_str()),
        };
        let name = name.to_ascii_lowercase();
        let test = match name.as_str() {
            "all" => {
                let more = left.is_some_and(|more| !more.is_empty() && !more.starts_with('#'));
                if criteria.len() > 1 || more {
                    return Err("`all` cannot be combined with other conditions".to_owned());
                }
                Test::All
            }
            "canonical" => Test::LastPass { asked_for: false },
            "final" => Test::LastPass { asked_for: true },
            _ => {
                let missing = || format!("`{name}` needs an argument");
                let (argument, after) = words::keyword(left.ok_or_else(missing)?).map_err(|_| missing())?;
                if argument.is_empty() || argument.starts_with('#') {
                    return Err(missing());
                }
                left = after;
                match name.as_str() {
                    "host" => Test::Host(argument),
                    "originalhost" => Test::OriginalHost(argument),
                    "user" => Test::User(argument),
                    "localuser" => Test::LocalUser(argument),
                    "exec" => Test::Exec(argument),
                    _ => Test::Unknown(format!("{name} {argument}")),
                }
            }
        };
        criteria.push(Criterion { negated, test });
    }
    match criteria.is_empty() {
        true => Err("`Match` needs a condition".to_owned()),
        false => Ok(criteria),
    }
}

/// Whether a `Host` line with these patterns is about `host`. Case matters, as in OpenSSH.
pub(super) fn host_line(host: &str, patterns: &[String]) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(negated) if pattern::matches(host, negated) => return false,
            Some(_) => {}
            None => found |= pattern::matches(host, pattern),
        }
    }
    found
}

/// Whether a list of user patterns is about `user`. Case matters.
pub(super) fn user_list(user: &str, list: &str) -> bool {
    pattern::match_list(user, list) == ListMatch::Yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let plain = |test| Criterion { negated: false, test };
        assert_eq!(parse("all").unwrap(), [plain(Test::All)]);
        assert_eq!(
            parse("!host \"a,b\" user=x # c").unwrap(),
            [Criterion { negated: true, test: Test::Host("a,b".to_owned()) }, plain(Test::User("x".to_owned()))]
        );
        assert_eq!(parse("final all").unwrap().len(), 2);
        assert_eq!(parse("tagged x").unwrap(), [plain(Test::Unknown("tagged x".to_owned()))]);
        for wrong in ["host", "all host a", "host a user b all", "# comment", "exec \"open"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn host_lines() {
        let patterns = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(host_line("web1", &patterns("db* web?")));
        assert!(!host_line("web1", &patterns("web* !web1")));
        assert!(!host_line("db", &patterns("!web1")), "a negated pattern alone matches nothing");
        assert!(!host_line("Web1", &patterns("web1")));
    }
}
