//! Ansible's INI inventories.
//!
//! Sections are `[group]`, `[group:children]` and `[group:vars]`; lines before the first section belong to `ungrouped`.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{Step, Steps, Words, address, literal, words};
use crate::diag::{Diagnostic, FileId, Span, did_you_mean};

#[derive(Clone, Copy, PartialEq)]
enum Section {
    Hosts,
    Children,
    Vars,
}

/// A group that was mentioned before it was declared.
enum Pending {
    Vars(Span),
    Child(Vec<(Arc<str>, Span)>),
}

/// Reads a text; `known` says which groups earlier sources declared.
pub(crate) fn read(text: &str, file: FileId, words: &mut Words, known: &dyn Fn(&str) -> bool) -> Steps {
    let group = words.get("ungrouped");
    let mut reader = Reader {
        out: Steps::default(),
        words,
        known,
        declared: vec![],
        pending: HashMap::new(),
        order: vec![],
        group,
        section: Section::Hosts,
    };
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if !trimmed.is_empty() && !trimmed.starts_with(['#', ';']) {
            let from = start + (line.len() - line.trim_start().len());
            reader.line(trimmed, Span::new(file, from, from + trimmed.len()));
        }
        start += line.len();
    }
    reader.finish()
}

struct Reader<'a> {
    out: Steps,
    words: &'a mut Words,
    known: &'a dyn Fn(&str) -> bool,
    declared: Vec<Arc<str>>,
    pending: HashMap<Arc<str>, Pending>,
    order: Vec<Arc<str>>,
    group: Arc<str>,
    section: Section,
}

fn part(line: Span, range: Range<usize>) -> Span {
    let start = line.start as usize;
    Span::new(line.file, start + range.start, start + range.end)
}

impl Reader<'_> {
    fn line(&mut self, line: &str, at: Span) {
        match header(line) {
            Some((name, kind)) => return self.header(line, name, kind, at),
            None if line.starts_with('[') && line.ends_with(']') => {
                let text = "invalid section header";
                let help = "a section is [group], [group:children] or [group:vars], without blanks";
                self.out.problem(Diagnostic::error("inventory-section", text).at(at, "").help(help));
                return;
            }
            None => {}
        }
        match self.section {
            Section::Hosts => self.hosts(line, at),
            Section::Vars => self.variable(line, at),
            Section::Children => self.child(line, at),
        }
    }

    fn header(&mut self, line: &str, name: &str, kind: Option<&str>, at: Span) {
        let group = self.words.get(name);
        self.section = match kind {
            None | Some("hosts") => Section::Hosts,
            Some("children") => Section::Children,
            Some("vars") => Section::Vars,
            Some(other) => {
                let start = line.find(':').map_or(0, |n| n + 1);
                let span = part(at, start..start + other.len());
                let text = format!("section of unknown kind `{other}`");
                let mut problem = Diagnostic::error("inventory-section", text).at(span, "");
                if let Some(near) = did_you_mean(other, ["children", "vars", "hosts"]) {
                    problem = problem.suggest(span, near, "a similar kind exists");
                }
                self.out.problem(problem);
                Section::Hosts
            }
        };
        self.group = group.clone();
        let span = part(at, 1..1 + name.len());
        if !self.is_group(&group) {
            if self.section == Section::Vars && !self.pending.contains_key(&group) {
                self.pending.insert(group.clone(), Pending::Vars(span));
                self.order.push(group.clone());
            }
            // Variables alone do not declare a group, but they have to go somewhere.
            self.declared.push(group.clone());
            self.out.push(Step::Group { name: group.clone(), at: span });
        }
        if self.section != Section::Vars {
            self.declare(&group);
        }
    }

    /// Carries out what was waiting for this group.
    fn declare(&mut self, group: &Arc<str>) {
        let Some(Pending::Child(parents)) = self.pending.remove(group) else { return };
        for (parent, at) in parents {
            self.out.push(Step::Child { group: parent.clone(), child: group.clone(), at });
            if matches!(self.pending.get(&parent), Some(Pending::Child(_))) {
                self.declare(&parent);
            }
        }
    }

    fn is_group(&self, name: &str) -> bool {
        (self.known)(name) || self.declared.iter().any(|d| **d == *name)
    }

    fn hosts(&mut self, line: &str, at: Span) {
        let tokens = match words::split(line) {
            Ok(tokens) => tokens,
            Err((why, from)) => {
                let span = part(at, from..from + 1);
                self.out.problem(Diagnostic::error("inventory-host", why).at(span, ""));
                return;
            }
        };
        let Some((first, rest)) = tokens.split_first() else { return };
        let span = part(at, first.at.clone());
        let (names, port) = match address::expand(&first.text) {
            Ok(expanded) => expanded,
            Err(why) => {
                self.out.problem(Diagnostic::error("inventory-range", why).at(span, ""));
                return;
            }
        };
        if let Some(problem) = suspicious(&first.text, port, span) {
            self.out.problem(problem);
            return;
        }
        let mut vars = Vec::new();
        for token in rest {
            let span = part(at, token.at.clone());
            let Some((key, value)) = token.text.split_once('=') else {
                let text = format!("expected `name=value`, found `{}`", token.text);
                let help = "a value with blanks needs quotes: name=\"a b\"";
                self.out.problem(Diagnostic::error("inventory-host", text).at(span, "").help(help));
                continue;
            };
            vars.push((self.words.get(key), Arc::new(literal::value(value)), span));
        }
        for name in names {
            let name: Arc<str> = Arc::from(name);
            self.out.push(Step::Host { name: name.clone(), group: Some(self.group.clone()), port, at: span });
            for (key, value, at) in &vars {
                self.out.push(Step::Var { of: name.clone(), key: key.clone(), value: value.clone(), at: *at });
            }
        }
    }

    fn variable(&mut self, line: &str, at: Span) {
        let Some((key, value)) = line.split_once('=') else {
            let text = format!("expected `name=value` in the variables of `{}`", self.group);
            self.out.problem(Diagnostic::error("inventory-vars", text).at(at, ""));
            return;
        };
        let key = self.words.get(key.trim());
        let value = Arc::new(literal::value(value.trim()));
        self.out.push(Step::Var { of: self.group.clone(), key, value, at });
    }

    fn child(&mut self, line: &str, at: Span) {
        let Some(name) = group_name(line) else {
            let text = format!("expected the name of a group under `{}`", self.group);
            self.out.problem(Diagnostic::error("inventory-children", text).at(at, ""));
            return;
        };
        let span = part(at, 0..name.len());
        let child = self.words.get(name);
        if self.is_group(name) {
            self.out.push(Step::Child { group: self.group.clone(), child, at: span });
            return;
        }
        let parent = (self.group.clone(), span);
        match self.pending.get_mut(&child) {
            Some(Pending::Child(parents)) => parents.push(parent),
            _ => {
                self.pending.insert(child.clone(), Pending::Child(vec![parent]));
                self.order.push(child);
            }
        }
    }

    fn finish(mut self) -> Steps {
        for name in std::mem::take(&mut self.order) {
            let (text, spans) = match self.pending.remove(&name) {
                None => continue,
                Some(Pending::Vars(span)) => {
                    (format!("variables of the group `{name}`, which no section declares"), vec![span])
                }
                Some(Pending::Child(parents)) => {
                    (format!("the group `{name}` is not declared"), parents.into_iter().map(|(_, at)| at).collect())
                }
            };
            for span in spans {
                let mut problem = Diagnostic::error("inventory-undefined-group", text.clone()).at(span, "");
                let others = self.declared.iter().map(|d| &**d).filter(|d| !self.pending.contains_key(*d));
                if let Some(near) = did_you_mean(&name, others) {
                    problem = problem.suggest(span, near, "a group with a similar name is declared");
                } else {
                    problem = problem.help(format!("declare it with a section [{name}]"));
                }
                self.out.problem(problem);
            }
        }
        self.out
    }
}

/// What Ansible refuses although it could be a host's name.
fn suspicious(pattern: &str, port: Option<u64>, at: Span) -> Option<Diagnostic> {
    if pattern.trim().is_empty() {
        return Some(Diagnostic::error("inventory-host", "the name of a host is empty").at(at, ""));
    }
    if pattern.trim().ends_with(':') && port.is_none() {
        let text = "a host's name cannot end with `:`, which announces a port";
        return Some(Diagnostic::error("inventory-host", text).at(at, ""));
    }
    let yaml = pattern.trim() == "---";
    yaml.then(|| Diagnostic::error("inventory-host", "`---` looks like YAML in an INI inventory").at(at, ""))
}

/// `[name]` or `[name:kind]`, then blanks and a comment.
fn header(line: &str) -> Option<(&str, Option<&str>)> {
    let rest = line.strip_prefix('[')?;
    let end = rest.find(|c: char| c == ':' || c == ']' || c.is_whitespace()).filter(|n| *n > 0)?;
    let (name, rest) = rest.split_at(end);
    let (kind, rest) = match rest.strip_prefix(':') {
        Some(rest) => {
            let end = rest.find(|c: char| !(c == '_' || c.is_alphanumeric())).filter(|n| *n > 0)?;
            (Some(&rest[..end]), &rest[end..])
        }
        None => (None, rest),
    };
    let tail = rest.strip_prefix(']')?.trim_start();
    (tail.is_empty() || tail.starts_with('#')).then_some((name, kind))
}

/// A group's name on its own line, then blanks and a comment.
fn group_name(line: &str) -> Option<&str> {
    let end = line.find(|c: char| c == ':' || c == ']' || c.is_whitespace()).unwrap_or(line.len());
    let (name, tail) = line.split_at(end);
    let tail = tail.trim_start();
    (!name.is_empty() && (tail.is_empty() || tail.starts_with('#'))).then_some(name)
}
