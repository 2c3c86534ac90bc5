//! What a search lets through.

use std::path::Path;

use fancy_regex::Regex as Python;
use rectify_core::module::{HostResult, Observe};

use super::{
    super::shared::{clock::SECOND, glob::Glob, mode::Mode, tree::Entry},
    Find, Stamp,
};

/// How long a file may be that is looked into.
const READ: u64 = 16 << 20;

enum Pattern {
    Shell(Glob),
    Regex(Python),
}

impl Pattern {
    fn new(text: &str, regex: bool) -> Result<Self, String> {
        if regex { from_start(text).map(Pattern::Regex) } else { Glob::new(text).map(Pattern::Shell) }
    }

    fn is_match(&self, name: &str) -> bool {
        match self {
            Pattern::Shell(glob) => glob.is_match(name),
            // A pattern that takes too many steps counts as one that does not match.
            Pattern::Regex(regex) => regex.is_match(name).unwrap_or(false),
        }
    }
}

fn from_start(text: &str) -> Result<Python, String> {
    compiled(&format!(r"\A(?:{text})"), text)
}

fn compiled(regex: &str, text: &str) -> Result<Python, String> {
    Python::new(regex).map_err(|e| format!("{text:?} is no regular expression: {e}"))
}

/// An amount, and whether it is the least or the most.
#[derive(Clone, Copy)]
struct Bound {
    amount: i128,
    most: bool,
}

impl Bound {
    fn new(argument: &str, text: &str, units: &[(char, i128)]) -> Result<Self, String> {
        let wrong = || {
            let letters: String = units.iter().map(|(letter, _)| format!(" {letter}")).collect();
            format!("{argument}: {text:?} is no number, with or without one of{letters} after it")
        };
        let lower = text.trim().to_ascii_lowercase();
        let (most, rest) = lower.strip_prefix('-').map_or((false, lower.as_str()), |rest| (true, rest));
        let digits = rest.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match rest[digits.len()..].chars().next() {
            None => 1,
            Some(letter) => units.iter().find(|(l, _)| *l == letter).map(|(_, f)| *f).ok_or_else(wrong)?,
        };
        let number: i128 = digits.parse().map_err(|_| wrong())?;
        Ok(Bound { amount: number.checked_mul(factor).ok_or_else(wrong)?, most })
    }

    fn holds(self, amount: i128) -> bool {
        if self.most { amount <= self.amount } else { amount >= self.amount }
    }
}

/// What a file has to hold.
pub(super) struct Contains {
    regex: Python,
    whole: bool,
}

impl Contains {
    /// Whether the file holds it.
    pub(super) fn file(&self, path: &Path, host: &dyn Observe) -> HostResult<bool> {
        let Some(bytes) = host.read(path, READ)? else { return Ok(false) };
        let text = String::from_utf8_lossy(&bytes);
        let is_match = |text: &str| self.regex.is_match(text).unwrap_or(false);
        Ok(if self.whole { is_match(&text) } else { text.split_inclusive('\n').any(is_match) })
    }
}

/// The conditions of a search.
pub(super) struct Filter {
    patterns: Vec<Pattern>,
    excludes: Vec<Pattern>,
    age: Option<(Bound, Stamp, i64)>,
    size: Option<Bound>,
    mode: Option<(Mode, bool)>,
    pub(super) contains: Option<Contains>,
}

impl Filter {
    /// Reads them from the arguments; ages count from `now`, seconds since 1970.
    pub(super) fn new(find: &Find, now: i64) -> Result<Self, String> {
        const AGES: &[(char, i128)] = &[('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
        const SIZES: &[(char, i128)] = &[('b', 1), ('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)];
        let read = |list: &Option<Vec<String>>| {
            list.iter().flatten().map(|text| Pattern::new(text, find.use_regex)).collect::<Result<Vec<_>, _>>()
        };
        let contains = find.contains.as_deref().map(|text| {
            let regex = if find.read_whole_file { compiled(text, text) } else { from_start(text) };
            regex.map(|regex| Contains { regex, whole: find.read_whole_file })
        });
        let age = find.age.as_deref().map(|age| Bound::new("age", age, AGES)).transpose()?;
        Ok(Filter {
            patterns: read(&find.patterns)?,
            excludes: read(&find.excludes)?,
            age: age.map(|bound| (bound, find.age_stamp, now)),
            size: find.size.as_deref().map(|size| Bound::new("size", size, SIZES)).transpose()?,
            mode: find.mode.clone().map(|mode| (mode, find.exact_mode.unwrap_or(true))),
            contains: contains.transpose()?,
        })
    }

    /// Whether name, age, size and bits are let through.
    pub(super) fn meta(&self, entry: &Entry<'_>) -> bool {
        let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
        if !self.patterns.is_empty() && !self.patterns.iter().any(|p| p.is_match(&name)) {
            return false;
        }
        if self.excludes.iter().any(|p| p.is_match(&name)) {
            return false;
        }
        let meta = entry.meta;
        let old = self.age.is_none_or(|(bound, stamp, now)| {
            let time = match stamp {
                Stamp::Atime => meta.atime,
                Stamp::Ctime => meta.ctime,
                Stamp::Mtime => meta.mtime,
            };
            bound.holds(i128::from(now) - i128::from(time.div_euclid(SECOND)))
        });
        old && self.size.is_none_or(|bound| bound.holds(meta.size.into()))
            && self.mode.as_ref().is_none_or(|(mode, exact)| {
                let bits = mode.resolve(0, meta.kind == rectify_core::module::FileKind::Directory);
                if *exact { meta.mode == bits } else { meta.mode & bits == bits }
            })
    }
}
