//! Python's `re` for modules that edit text.

use std::ops::Range;
use std::rc::Rc;

use super::error::{R, Stop};
use super::pyregex::{PyRegex, escape};

/// A regular expression in the syntax of Python's `re`. Backtracking is bounded.
pub struct Pattern(Rc<PyRegex>);

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}

impl Pattern {
    /// Compiles a pattern; with `multiline`, `^` and `$` match at every line (`re.MULTILINE`).
    ///
    /// # Errors
    /// What is wrong with the pattern, as Python sees it.
    pub fn new(pattern: &str, multiline: bool) -> Result<Self, String> {
        told(PyRegex::new(pattern, false, multiline)).map(Pattern)
    }

    /// `re.search`.
    ///
    /// # Errors
    /// If the pattern takes too many steps on this text.
    pub fn is_in(&self, text: &str) -> Result<bool, String> {
        told(self.0.search(text)).map(|found| found.is_some())
    }

    /// `re.search`, then `match.expand(replacement)`.
    ///
    /// # Errors
    /// If the pattern takes too many steps on this text, or the replacement names a group that it does not have.
    pub fn expand(&self, text: &str, replacement: &str) -> Result<Option<String>, String> {
        let Some(found) = told(self.0.search(text))? else { return Ok(None) };
        told(self.0.expand(&found, replacement)).map(Some)
    }

    /// `re.search`: the range of the group with this name; `None` if nothing matches or the group takes no part.
    ///
    /// # Errors
    /// If the pattern takes too many steps on this text.
    pub fn group(&self, text: &str, name: &str) -> Result<Option<Range<usize>>, String> {
        let found = told(self.0.search(text))?;
        Ok(found.and_then(|caps| caps.name(name).map(|m| m.start()..m.end())))
    }

    /// `re.subn`: the text with every match replaced, at most `max` bytes, and how many there were.
    ///
    /// # Errors
    /// As for [`Pattern::expand`], and if the text becomes too long.
    pub fn replace(&self, text: &str, replacement: &str, max: usize) -> Result<(String, usize), String> {
        told(self.0.replace(text, replacement, 0, max))
    }
}

/// Python's `re.escape`.
pub fn escape_pattern(text: &str) -> String {
    escape(text)
}

fn told<T>(result: R<T>) -> Result<T, String> {
    result.map_err(|stop| match stop {
        Stop::Error(error) => error.to_string(),
        Stop::Unknown(_) => "a value is not known".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_replacements_are_pythons() {
        let pattern = Pattern::new(r"^(\w+)=(?P<v>[^#\n]*)", true).unwrap();
        assert_eq!(pattern.expand("a=1 # b", r"\1: \g<v>$1").unwrap().as_deref(), Some("a: 1 $1"));
        assert_eq!(pattern.replace("a=1\nb=2\n", r"\g<1>=$9", 100).unwrap(), ("a=$9\nb=$9\n".into(), 2));
        assert_eq!(pattern.group("#\nx=yz", "v").unwrap(), Some(4..6));
        assert!(Pattern::new("(*x", false).is_err());
        assert!(Pattern::new("x", false).unwrap().expand("x", r"\2").unwrap_err().contains("group 2"));
    }
}
