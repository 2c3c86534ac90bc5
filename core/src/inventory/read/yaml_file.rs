//! Ansible's YAML inventories: groups with `hosts`, `vars` and `children`.

use std::sync::Arc;

use super::{Step, Steps, Words, address};
use crate::diag::{Diagnostic, did_you_mean};
use crate::yaml::{Kind, Node, Resolved};

const SECTIONS: [&str; 3] = ["hosts", "vars", "children"];

/// Whether a document has the form of a YAML inventory; otherwise why not.
pub(crate) fn check(docs: &[Node]) -> Result<&Node, Box<Diagnostic>> {
    let fail = |problem| Err(Box::new(problem));
    let Some(root) = docs.first() else {
        return fail(Diagnostic::error("inventory-empty", "the inventory is empty"));
    };
    if let Some(second) = docs.get(1) {
        return fail(second.error("inventory-yaml", "an inventory is a single YAML document, this is the second"));
    }
    let Some(entries) = root.as_map() else { return fail(root.expected("a mapping of groups")) };
    if entries.is_empty() {
        return fail(Diagnostic::error("inventory-empty", "the inventory is empty").at(root.span, ""));
    }
    match root.entry("plugin") {
        Some((key, value)) if !value.is_null() => {
            let text = format!("this configures the inventory plugin `{}`", value.as_str().unwrap_or("?"));
            fail(
                Diagnostic::error("inventory-plugin", text)
                    .at(key.span, "a plugin is a Python program of Ansible's")
                    .help("export what the plugin finds: ansible-inventory --list --export"),
            )
        }
        _ => Ok(root),
    }
}

/// Reads the root of a YAML inventory.
pub(crate) fn read(root: &Node, words: &mut Words) -> Steps {
    let mut reader = Reader { out: Steps::default(), words };
    for (key, value) in root.as_map().unwrap_or_default() {
        reader.group(key, value, None);
    }
    reader.out
}

struct Reader<'a> {
    out: Steps,
    words: &'a mut Words,
}

impl Reader<'_> {
    fn group(&mut self, key: &Node, data: &Node, parent: Option<&Arc<str>>) {
        let Some(name) = self.name(key, "a group's name") else { return };
        if data.as_map().is_none() && !data.is_null() {
            let text = format!("the group `{name}` must be a mapping, not {}", data.describe());
            let problem = if parent.is_some() {
                Diagnostic::error("inventory-group", text)
            } else {
                Diagnostic::warning("inventory-group", text + "; it is left out")
            };
            self.out.problem(problem.at(data.span, "").help("a group holds `hosts`, `vars` and `children`"));
            return;
        }
        self.out.push(Step::Group { name: name.clone(), at: key.span });
        for (section, content) in data.as_map().unwrap_or_default() {
            self.section(&name, section, content);
        }
        if let Some(parent) = parent {
            self.out.push(Step::Child { group: parent.clone(), child: name, at: key.span });
        }
    }

    fn section(&mut self, group: &Arc<str>, section: &Node, content: &Node) {
        let word = section.as_str().unwrap_or_default();
        if !SECTIONS.contains(&word) {
            let text = format!("`{word}` is no part of a group");
            let mut problem = Diagnostic::warning("inventory-key", text).at(section.span, "left out");
            problem = match did_you_mean(word, SECTIONS) {
                Some(near) => problem.suggest(section.span, near, "a similar key exists"),
                None => problem.help("a group holds `hosts`, `vars` and `children`"),
            };
            self.out.problem(problem);
            return;
        }
        // A single name may stand for a mapping with that key.
        let single = (content.clone(), Node::null(content.span));
        let entries = match &content.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Scalar(s) if s.value == Resolved::Null => &[],
            Kind::Scalar(s) if s.value == Resolved::Str => std::slice::from_ref(&single),
            _ => {
                let text = format!("`{word}` of the group `{group}` must be a mapping, not {}", content.describe());
                let help = format!("write each name as a key: `{word}:` then `name:` on lines of their own");
                self.out.problem(Diagnostic::error("inventory-group", text).at(content.span, "").help(help));
                return;
            }
        };
        for (key, value) in entries {
            match word {
                "hosts" => self.hosts(group, key, value),
                "children" => self.group(key, value, Some(group)),
                _ => {
                    let name = self.words.get(&key.key_text());
                    let value = Arc::new(value.to_json());
                    self.out.push(Step::Var { of: group.clone(), key: name, value, at: key.span });
                }
            }
        }
    }

    fn hosts(&mut self, group: &Arc<str>, key: &Node, data: &Node) {
        let Some(pattern) = self.name(key, "a host's name") else { return };
        let (names, port) = match address::expand(&pattern) {
            Ok(expanded) => expanded,
            Err(why) => {
                self.out.problem(Diagnostic::error("inventory-range", why).at(key.span, ""));
                return;
            }
        };
        let vars = match &data.kind {
            Kind::Map(vars) => vars.as_slice(),
            _ if is_empty(data) => &[],
            _ => {
                let text = format!("the variables of `{pattern}` must be a mapping, not {}", data.describe());
                self.out.problem(Diagnostic::error("inventory-host", text).at(data.span, ""));
                return;
            }
        };
        let vars: Vec<_> = vars
            .iter()
            .map(|(key, value)| (self.words.get(&key.key_text()), Arc::new(value.to_json()), key.span))
            .collect();
        for name in names {
            let name: Arc<str> = Arc::from(name);
            self.out.push(Step::Host { name: name.clone(), group: Some(group.clone()), port, at: key.span });
            for (key, value, at) in &vars {
                self.out.push(Step::Var { of: name.clone(), key: key.clone(), value: value.clone(), at: *at });
            }
        }
    }

    /// The text of a key that must be a string, since YAML 1.1 takes `22` and `on` for something else.
    fn name(&mut self, key: &Node, what: &str) -> Option<Arc<str>> {
        let scalar = key.as_scalar()?;
        if scalar.value == Resolved::Str && !scalar.text.is_empty() {
            return Some(self.words.get(&scalar.text));
        }
        if scalar.text.is_empty() {
            self.out.problem(Diagnostic::error("inventory-name", format!("{what} is empty")).at(key.span, ""));
            return None;
        }
        let text = format!("{what} must be a string, but YAML takes `{}` for {}", scalar.text, key.describe());
        let quoted = format!("\"{}\"", scalar.text);
        self.out
            .problem(Diagnostic::error("inventory-name", text).at(key.span, "").suggest(key.span, quoted, "quote it"));
        None
    }
}

/// What Python takes for false stands for "no variables".
fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Seq(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
        Kind::Scalar(s) => match s.value {
            Resolved::Null => true,
            Resolved::Bool(b) => !b,
            Resolved::Int(n) => n == 0,
            Resolved::Float(f) => f == 0.0,
            Resolved::Str => s.text.is_empty(),
        },
    }
}
