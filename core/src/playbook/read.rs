//! Reading single values: words, lists of words, flags, conditions, variables.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    keys::{self, Place},
    loader::Loader,
    model::{Become, Flag, Use, VarDef, VarSet},
};
use crate::{
    arg::{Arg, Scalar},
    diag::{Diagnostic, Span},
    plan::Expr,
    vault,
    yaml::{Kind, Node, Resolved},
};

/// The text of a key.
pub(crate) fn word(key: &Node) -> &str {
    key.as_scalar().map_or("", |s| s.text.as_str())
}

/// Whether a text holds a template.
pub(crate) fn templated(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

impl Loader<'_> {
    /// The entries of a mapping; anything else is reported. Unknown keys are for the caller.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, expected: &str) -> &'n [(Node, Node)] {
        if let Some(entries) = node.as_map() {
            return entries;
        }
        self.push(node.expected(expected));
        &[]
    }

    /// The items of a list; nothing is an empty list, anything else is reported.
    pub(crate) fn items<'n>(&mut self, node: &'n Node, expected: &str) -> &'n [Node] {
        if node.is_null() {
            return &[];
        }
        if let Some(items) = node.as_seq() {
            return items;
        }
        self.push(node.expected(expected));
        &[]
    }

    /// A text that may be a template.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = node.as_str().map(str::to_owned);
        if text.is_none() {
            self.push(node.expected(what));
        }
        text
    }

    /// A text that must be known before any host is contacted.
    pub(crate) fn fixed_text(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.text(node, what)?;
        if templated(&text) {
            self.push(node.error("template", format!("{what} cannot be a template here")));
            return None;
        }
        Some(text)
    }

    /// A true or false that must be known.
    pub(crate) fn boolean(&mut self, node: &Node) -> Option<bool> {
        let known = node.to_bool();
        if known.is_none() {
            self.push(node.expected("true or false"));
        }
        known
    }

    /// A true or false that may be a template.
    pub(crate) fn flag(&mut self, node: &Node, uses: &mut Vec<Use>) -> Option<Flag> {
        if node.is_template() {
            self.template(node, uses);
            return Some(Flag::Template(word(node).to_owned(), node.span));
        }
        self.boolean(node).map(Flag::Fixed)
    }

    /// One word or a list of words, with their places. Words may be split by commas if `commas`.
    pub(crate) fn words(&mut self, node: &Node, what: &str, commas: bool) -> Vec<(String, Span)> {
        let one = std::slice::from_ref(node);
        let items = if node.is_null() { &[] } else { node.as_seq().unwrap_or(one) };
        let mut out = Vec::new();
        for item in items {
            let Some(text) = self.text(item, what) else { continue };
            if commas && !templated(&text) {
                let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
                out.extend(parts.map(|p| (p.to_owned(), item.span)));
            } else {
                out.push((text, item.span));
            }
        }
        out
    }

    /// A whole number of at least 0.
    pub(crate) fn count(&mut self, node: &Node) -> Option<u32> {
        let n = node.as_int().or_else(|| node.as_str()?.trim().parse().ok()).and_then(|n| u32::try_from(n).ok());
        if n.is_none() {
            self.push(node.expected("a whole number of at least 0"));
        }
        n
    }

    /// `when:` and its like: an expression or a list of them, all of which must hold.
    pub(crate) fn conditions(&mut self, key: &str, node: &Node, uses: &mut Vec<Use>) -> Vec<Expr> {
        let one = std::slice::from_ref(node);
        let items = node.as_seq().unwrap_or(one);
        if items.is_empty() || node.is_null() {
            let problem = node.error("empty-condition", format!("`{key}` is empty"));
            self.push(problem.help("leave it out, or write the condition"));
            return Vec::new();
        }
        items.iter().filter_map(|item| self.condition(key, item, uses)).collect()
    }

    fn condition(&mut self, key: &str, node: &Node, uses: &mut Vec<Use>) -> Option<Expr> {
        let Some(scalar) = node.as_scalar() else {
            self.push(node.expected("an expression"));
            return None;
        };
        match scalar.value {
            Resolved::Bool(b) => return Some(self.expr(if b { "true" } else { "false" }, node.span)),
            Resolved::Str => {}
            Resolved::Null | Resolved::Int(_) | Resolved::Float(_) => {
                self.push(node.expected("an expression that is true or false"));
                return None;
            }
        }
        let text = scalar.text.trim();
        if text.is_empty() {
            self.push(node.error("empty-condition", format!("`{key}` is empty")));
            return None;
        }
        let inner = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}")).filter(|t| !templated(t));
        let (text, within) = match inner {
            Some(inner) => {
                let message = format!("`{key}` is an expression already");
                let problem = Diagnostic::warning("braces", message).at(node.span, "");
                self.push(problem.help("leave out the braces `{{ }}`"));
                (inner.trim(), true)
            }
            None => (text, false),
        };
        if templated(text) {
            let problem = node.error("braces", format!("a template within the expression of `{key}`"));
            self.push(problem.help("write the variable without `{{ }}`: the whole text is an expression"));
            return None;
        }
        let _ = within;
        let start = scalar.text.find(text).unwrap_or(0);
        self.expression(node, text, start, uses);
        Some(self.expr(text, node.inner_span(self.map, start..start + text.len())))
    }

    /// A mapping of variables.
    pub(crate) fn vars(&mut self, node: &Node) -> VarSet {
        let mut set = VarSet::default();
        if node.is_null() {
            return set;
        }
        for (key, value) in self.entries(node, "a mapping of variables") {
            self.var(key, value, &mut set);
        }
        set
    }

    /// One variable.
    pub(crate) fn var(&mut self, key: &Node, value: &Node, set: &mut VarSet) {
        let name = word(key);
        if !is_identifier(name) {
            let problem = key.error("variable-name", format!("`{name}` is not a name for a variable"));
            self.push(problem.help("use letters, digits and `_`, a letter or `_` first"));
            return;
        }
        if super::magic::READ_ONLY.contains(&name) {
            let problem = Diagnostic::warning("magic-variable", format!("`{name}` is set by rectify itself"));
            self.push(problem.at(key.span, "this value is not seen by templates"));
            return;
        }
        let mut uses = Vec::new();
        self.templates(value, &mut uses);
        set.values.insert(name.to_owned(), value.to_json());
        set.defs.insert(Arc::from(name), VarDef { uses: Arc::new(uses) });
    }

    /// Every template in a value is checked, and what it reads noted.
    pub(crate) fn templates(&mut self, node: &Node, uses: &mut Vec<Use>) {
        if node.has_tag("!unsafe") || node.has_tag("!vault") {
            return;
        }
        match &node.kind {
            Kind::Scalar(_) => self.template(node, uses),
            Kind::Seq(items) => items.iter().for_each(|item| self.templates(item, uses)),
            Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
                self.template(key, uses);
                self.templates(value, uses);
            }),
        }
    }

    /// A value as an argument: templates stay text, scalars keep theirs.
    pub(crate) fn arg(&mut self, node: &Node) -> Arg {
        match &node.kind {
            Kind::Scalar(s) if node.has_tag("!vault") => self.encrypted(&s.text),
            Kind::Seq(items) => Arg::List(items.iter().map(|item| self.arg(item)).collect()),
            Kind::Map(entries) => {
                Arg::Map(entries.iter().map(|(k, v)| (k.key_text().into_owned(), self.arg(v))).collect())
            }
            Kind::Scalar(s) if node.is_template() => Arg::Template(s.text.clone()),
            Kind::Scalar(s) => {
                let value = match s.value {
                    Resolved::Str => Value::String(s.text.clone()),
                    _ => node.to_json(),
                };
                Arg::Scalar(Scalar { text: s.text.clone(), value })
            }
        }
    }

    /// An encrypted value among a task's words: it is needed, so it is opened.
    fn encrypted(&mut self, text: &str) -> Arg {
        let files = self.files.clone();
        match files.keyring().reveal(text) {
            Ok(plain) if templated(&plain) => Arg::Template(plain),
            Ok(plain) => Arg::text(plain),
            Err(why) => {
                self.push(vault::problem(files.keyring(), "this value", text, &why));
                Arg::text("")
            }
        }
    }

    /// `environment:`: a mapping, or a list of mappings.
    pub(crate) fn environment(&mut self, node: &Node, uses: &mut Vec<Use>) -> IndexMap<String, Arg> {
        let mut out = IndexMap::new();
        let one = std::slice::from_ref(node);
        if node.is_null() {
            return out;
        }
        for part in node.as_seq().unwrap_or(one) {
            if part.is_template() {
                let problem = part.error("template", "`environment` as a template");
                self.push(problem.help("write the variables' names here; their values may be templates"));
                continue;
            }
            for (key, value) in self.entries(part, "a mapping of environment variables") {
                if value.as_scalar().is_none() {
                    self.push(value.expected("a text"));
                    continue;
                }
                self.template(value, uses);
                let value = self.arg(value);
                out.insert(word(key).to_owned(), value);
            }
        }
        out
    }

    /// `become` and its companions; `None` if the key is none of them.
    pub(crate) fn become_key(&mut self, key: &str, value: &Node, into: &mut Become, uses: &mut Vec<Use>) -> Option<()> {
        match key {
            "become" => into.on = self.flag(value, uses),
            "become_user" => {
                into.user = self.text(value, "an account's name");
                self.template(value, uses);
            }
            "become_method" => into.method = self.become_method(value),
            "become_flags" => into.flags = self.fixed_text(value, "`become_flags`"),
            _ => return None,
        }
        Some(())
    }

    fn become_method(&mut self, value: &Node) -> Option<String> {
        const KNOWN: &[&str] = &["sudo", "doas", "su"];
        let text = self.fixed_text(value, "`become_method`")?;
        let method = keys::short(&text).to_owned();
        if !KNOWN.contains(&method.as_str()) {
            let problem = value.error("become-method", format!("`become_method` {method} is not supported"));
            self.push(problem.help("use sudo, doas or su"));
            return None;
        }
        Some(method)
    }

    /// `tags:`, with the places dropped.
    pub(crate) fn tags(&mut self, node: &Node) -> Vec<String> {
        let tags = self.words(node, "a tag", true);
        if let Some((tag, span)) = tags.iter().find(|(tag, _)| templated(tag)) {
            let problem = Diagnostic::error("template", format!("the tag `{tag}` is a template"));
            self.push(problem.at(*span, "tags must be known before any host is contacted"));
        }
        tags.into_iter().map(|(tag, _)| tag).collect()
    }

    /// `collections:` changes nothing here; said if it names others than those that are built in.
    pub(crate) fn collections(&mut self, key: &Node, value: &Node) {
        const KNOWN: &[&str] = &["ansible.builtin", "ansible.legacy", "ansible.posix", "community.general"];
        let named = self.words(value, "a collection's name", false);
        let foreign: Vec<&str> = named.iter().map(|(n, _)| n.as_str()).filter(|n| !KNOWN.contains(n)).collect();
        if !foreign.is_empty() {
            let message = format!("modules and roles are not looked up in collections ({})", foreign.join(", "));
            self.push(Diagnostic::warning("collections", message).at(key.span, ""));
        }
    }

    /// Reports a key that is not known here.
    pub(crate) fn unknown_key(&mut self, key: &Node, place: Place) {
        let problem = keys::unknown(key, word(key), place, &[]);
        self.push(problem);
    }
}

/// Whether a name can be that of a variable.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
