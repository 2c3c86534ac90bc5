//! Choosing hosts: `web*:&production:!web3`, `~db\d+`, `web[0]`, `web[1:3]`, `@retry-file`.

use std::collections::HashSet;

use fancy_regex::Regex;

use super::glob::Glob;
use super::model::{HostId, Inventory, LOCALHOST};
use super::read::address;

/// What a pattern chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection<'a> {
    /// The hosts' names, each once, in Ansible's order.
    pub hosts: Vec<&'a str>,
    /// The parts of the pattern that matched no host and no group.
    pub unmatched: Vec<String>,
}

/// Why a pattern chooses nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// After the `~` there is no regular expression.
    #[error("invalid regular expression in the host pattern `{pattern}`: {reason}")]
    Regex {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There are fewer hosts than the index says.
    #[error("no host at the index of the host pattern `{0}`")]
    Index(String),
    /// A file named by `@` cannot be read.
    #[error("cannot read the hosts in `{path}`: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// A `--limit`: patterns that narrow what a play chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limit(Vec<String>);

impl Limit {
    /// Reads a limit; a part `@FILE` stands for the lines of that file, each a pattern.
    ///
    /// # Errors
    /// If `read` cannot read such a file.
    pub fn parse(text: &str, read: impl Fn(&str) -> std::io::Result<String>) -> Result<Self, PatternError> {
        let mut parts = Vec::new();
        for part in split(text) {
            match part.strip_prefix('@') {
                Some(path) => {
                    let lines =
                        read(path).map_err(|e| PatternError::File { path: path.to_owned(), reason: e.to_string() })?;
                    parts.extend(lines.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()));
                }
                None => parts.push(part),
            }
        }
        Ok(Self(parts))
    }
}

/// A host of the inventory, or this machine without an entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Pick {
    Listed(HostId),
    Implicit(&'static str),
}

impl Inventory {
    /// The hosts that a pattern chooses, narrowed by a limit.
    ///
    /// Parts are joined by `,` or `:`. First all plain parts are added up, then `&` parts intersect, then `!` parts exclude, whatever
    /// their order; without a plain part `all` is meant. `localhost` needs no entry.
    ///
    /// # Errors
    /// If a part is no pattern or an index lies beyond the hosts; a part that matches nothing is no error.
    pub fn select(&self, pattern: &str, limit: Option<&Limit>) -> Result<Selection<'_>, PatternError> {
        let mut unmatched = Vec::new();
        let mut picks = self.evaluate(split(pattern), &mut unmatched)?;
        if let Some(Limit(parts)) = limit {
            let allowed: HashSet<Pick> = self.evaluate(parts.clone(), &mut unmatched)?.into_iter().collect();
            picks.retain(|p| allowed.contains(p));
        }
        let hosts = picks
            .into_iter()
            .map(|pick| match pick {
                Pick::Listed(id) => &*self.host_at(id).name,
                Pick::Implicit(name) => name,
            })
            .collect();
        Ok(Selection { hosts, unmatched })
    }

    fn evaluate(&self, parts: Vec<String>, unmatched: &mut Vec<String>) -> Result<Vec<Pick>, PatternError> {
        let mut picks: Vec<Pick> = Vec::new();
        let mut seen: HashSet<Pick> = HashSet::new();
        for part in order(parts) {
            if let Some(id) = self.host_id(&part) {
                if seen.insert(Pick::Listed(id)) {
                    picks.push(Pick::Listed(id));
                }
                continue;
            }
            let expression = part.strip_prefix(['!', '&']).unwrap_or(&part);
            let chosen = if expression.is_empty() { vec![] } else { self.one(expression, unmatched)? };
            match part.as_bytes()[0] {
                b'!' | b'&' => {
                    let keep = part.starts_with('&');
                    let set: HashSet<Pick> = chosen.into_iter().collect();
                    picks.retain(|p| set.contains(p) == keep);
                    seen.retain(|p| set.contains(p) == keep);
                }
                _ => picks.extend(chosen.into_iter().filter(|p| seen.insert(*p))),
            }
        }
        Ok(picks)
    }

    /// One part without its operator.
    fn one(&self, part: &str, unmatched: &mut Vec<String>) -> Result<Vec<Pick>, PatternError> {
        let (expression, slice) = subscript(part);
        let picks = self.matching(expression, unmatched)?;
        let (Some(slice), false) = (slice, picks.is_empty()) else { return Ok(picks) };
        let len = picks.len();
        match slice {
            Slice::Index(n) => {
                let at = if n < 0 { len.checked_sub(n.unsigned_abs()) } else { usize::try_from(n).ok() };
                let pick = at.and_then(|at| picks.get(at)).ok_or_else(|| PatternError::Index(part.to_owned()))?;
                Ok(vec![*pick])
            }
            Slice::Range(from, to) => {
                let to = to.map_or(len, |to| to.saturating_add(1)).min(len);
                Ok(picks.get(from.min(to)..to).unwrap_or_default().to_vec())
            }
        }
    }

    fn matching(&self, expression: &str, unmatched: &mut Vec<String>) -> Result<Vec<Pick>, PatternError> {
        let test = Test::new(expression)?;
        let mut picks: Vec<Pick> = Vec::new();
        let mut any_group = false;
        let mut seen = HashSet::new();
        let mut add = |picks: &mut Vec<Pick>, id: HostId| {
            if seen.insert(id) {
                picks.push(Pick::Listed(id));
            }
        };
        let groups: Vec<&str> = match &test {
            Test::Exact(name) => self.group(name).map(|g| &*g.name).into_iter().collect(),
            _ => {
                let mut hits = Vec::new();
                for group in self.groups() {
                    if test.matches(&group.name, expression)? {
                        hits.push(&*group.name);
                    }
                }
                hits
            }
        };
        for group in groups {
            any_group = true;
            let id = self.group_id(group).expect("invariant: the group was found by this name");
            self.members(id).into_iter().for_each(|h| add(&mut picks, h));
        }
        if !any_group || expression.starts_with('~') || expression.contains(['.', '?', '*', '[']) {
            match &test {
                Test::Exact(name) => self.host_id(name).into_iter().for_each(|h| add(&mut picks, h)),
                _ => {
                    for (at, host) in self.hosts.iter().enumerate() {
                        if test.matches(&host.name, expression)? {
                            add(&mut picks, HostId(at as u32));
                        }
                    }
                }
            }
        }
        if picks.is_empty()
            && let Some(name) = LOCALHOST.iter().find(|n| **n == expression)
        {
            // Another name of this machine that the inventory lists stands for it.
            picks.push(self.localhost.map_or(Pick::Implicit(name), Pick::Listed));
        }
        if picks.is_empty() && !any_group && expression != "all" {
            unmatched.push(expression.to_owned());
        }
        Ok(picks)
    }
}

enum Test<'a> {
    Exact(&'a str),
    Glob(Glob),
    Regex(Box<Regex>),
}

impl<'a> Test<'a> {
    fn new(expression: &'a str) -> Result<Self, PatternError> {
        if let Some(regex) = expression.strip_prefix('~') {
            let error = |e: fancy_regex::Error| regex_error(expression, &e);
            return Regex::new(&format!("^(?:{regex})")).map(|r| Self::Regex(Box::new(r))).map_err(error);
        }
        let special = expression.contains(['*', '?', '[']);
        Ok(if special { Self::Glob(Glob::new(expression)) } else { Self::Exact(expression) })
    }

    fn matches(&self, name: &str, expression: &str) -> Result<bool, PatternError> {
        match self {
            Self::Exact(own) => Ok(*own == name),
            Self::Glob(glob) => Ok(glob.matches(name)),
            Self::Regex(regex) => regex.is_match(name).map_err(|e| regex_error(expression, &e)),
        }
    }
}

fn regex_error(expression: &str, error: &fancy_regex::Error) -> PatternError {
    PatternError::Regex { pattern: expression.to_owned(), reason: error.to_string() }
}

enum Slice {
    Index(isize),
    /// Both ends belong to it.
    Range(usize, Option<usize>),
}

/// Splits `web[1:3]` into `web` and the slice; a regular expression has none.
fn subscript(part: &str) -> (&str, Option<Slice>) {
    let none = (part, None);
    if part.starts_with('~') {
        return none;
    }
    let Some((head, inner)) = part.strip_suffix(']').and_then(|p| p.rsplit_once('[')) else { return none };
    if head.is_empty() {
        return none;
    }
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if digits(inner.strip_prefix('-').unwrap_or(inner)) {
        return (head, Some(Slice::Index(inner.parse().unwrap_or(isize::MAX))));
    }
    match inner.split_once([':', '-']) {
        Some((from, to)) if digits(from) && (to.is_empty() || digits(to)) => {
            let from = from.parse().unwrap_or(usize::MAX);
            let to = (!to.is_empty()).then(|| to.parse().unwrap_or(usize::MAX));
            // Ansible takes the end 0 for no end at all: one host.
            let slice = if to == Some(0) {
                Slice::Index(isize::try_from(from).unwrap_or(isize::MAX))
            } else {
                Slice::Range(from, to)
            };
            (head, Some(slice))
        }
        _ => none,
    }
}

/// Splits at commas; without one at colons, unless the whole is an address or a range.
fn split(pattern: &str) -> Vec<String> {
    let parts: Vec<String> = if pattern.contains(',') {
        pattern.split(',').map(str::to_owned).collect()
    } else if address::parse(pattern).is_some() {
        vec![pattern.to_owned()]
    } else {
        colons(pattern)
    };
    parts.into_iter().map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect()
}

fn colons(pattern: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let used = match (c, rest.find(']')) {
            ('[', Some(end)) => end + 1,
            (':' | '[' | ']', _) => 0,
            (c, _) if c.is_whitespace() => 0,
            (c, _) => c.len_utf8(),
        };
        match parts.last_mut() {
            Some(part) if used > 0 => part.push_str(&rest[..used]),
            _ => parts.push(String::new()),
        }
        rest = &rest[used.max(c.len_utf8())..];
    }
    parts
}

/// Plain parts first, then intersections, then exclusions.
fn order(parts: Vec<String>) -> Vec<String> {
    let rank = |p: &String| match p.as_bytes().first() {
        Some(b'!') => 2,
        Some(b'&') => 1,
        _ => 0,
    };
    let mut parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    if !parts.iter().any(|p| rank(p) == 0) {
        parts.insert(0, "all".to_owned());
    }
    parts.sort_by_key(rank);
    parts
}
