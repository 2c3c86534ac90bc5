//! The tree.

use super::Resolved;
use crate::diag::{Diagnostic, Span};

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In `'`.
    Single,
    /// In `"`.
    Double,
    /// A `|` block.
    Literal,
    /// A `>` block.
    Folded,
}

/// A leaf: its text and what YAML 1.1 takes it for.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The text after unescaping and folding, not interpreted: `0644` is `0644`.
    pub text: String,
    /// How it was written.
    pub style: Style,
    /// What it means where no type is asked for.
    pub value: Resolved,
}

/// An explicit tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The resolved name: `!vault`, `!unsafe`, `tag:yaml.org,2002:str`.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A leaf.
    Scalar(Scalar),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping: keys are scalars, each once, in order; merges (`<<`) are carried out.
    Map(Vec<(Node, Node)>),
}

/// One node and where it was written; under an alias, where its anchor was.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The node's text, quotes included, tag and anchor not.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// Its explicit tag.
    pub tag: Option<Box<Tag>>,
}

impl Node {
    /// Makes an empty value (null) at a place.
    pub fn null(span: Span) -> Self {
        let scalar = Scalar { text: String::new(), style: Style::Plain, value: Resolved::Null };
        Self { span, kind: Kind::Scalar(scalar), tag: None }
    }

    /// The leaf, if it is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(s) => Some(s),
            _ => None,
        }
    }

    /// The text of any leaf but null, as written: where a string is expected, `1.10` is `1.10` and `yes` is `yes`.
    pub fn as_str(&self) -> Option<&str> {
        self.as_scalar().filter(|s| s.value != Resolved::Null).map(|s| s.text.as_str())
    }

    /// The truth value of a leaf that YAML 1.1 takes for one (`yes`, `off`, `true`); quoted words are not.
    pub fn as_bool(&self) -> Option<bool> {
        match self.as_scalar()?.value {
            Resolved::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// The truth value as Ansible's arguments take it: also quoted words, `1`/`0`, `y`/`n`, `t`/`f`, in any case.
    pub fn to_bool(&self) -> Option<bool> {
        let scalar = self.as_scalar()?;
        match scalar.value {
            Resolved::Bool(b) => return Some(b),
            Resolved::Float(1.0) => return Some(true),
            Resolved::Float(0.0) => return Some(false),
            _ => {}
        }
        match scalar.text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" | "y" | "t" => Some(true),
            "no" | "false" | "off" | "0" | "n" | "f" => Some(false),
            _ => None,
        }
    }

    /// The integer, if the leaf is one and fits.
    pub fn as_int(&self) -> Option<i64> {
        match self.as_scalar()?.value {
            Resolved::Int(n) => i64::try_from(n).ok(),
            _ => None,
        }
    }

    /// The number, if the leaf is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self.as_scalar()?.value {
            #[expect(clippy::cast_precision_loss, reason = "a float was asked for")]
            Resolved::Int(n) => Some(n as f64),
            Resolved::Float(f) => Some(f),
            _ => None,
        }
    }

    /// Whether this is an empty value, `~` or `null`.
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(|s| s.value == Resolved::Null)
    }

    /// The items, if it is a list.
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if it is a mapping.
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key, by the key's text as written.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The key and value of a key, by the key's text as written.
    pub fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        self.as_map()?.iter().find(|(k, _)| k.as_scalar().is_some_and(|s| s.text == key)).map(|(k, v)| (k, v))
    }

    /// Whether the tag has this name (`!vault`, `!unsafe`).
    pub fn has_tag(&self, name: &str) -> bool {
        self.tag.as_ref().is_some_and(|t| t.name == name)
    }

    /// Whether it is a leaf whose text holds a template.
    pub fn is_template(&self) -> bool {
        self.tag.is_none() && self.as_scalar().is_some_and(|s| s.text.contains("{{") || s.text.contains("{%"))
    }

    /// What it is, in the words of messages: `a string`, `a list`, `nothing`.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a mapping",
            Kind::Scalar(s) => match s.value {
                Resolved::Null => "nothing",
                Resolved::Bool(_) => "a boolean",
                Resolved::Int(_) => "an integer",
                Resolved::Float(_) => "a number",
                Resolved::Str => "a string",
            },
        }
    }

    /// An error at this node.
    pub fn error(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(self.span, "")
    }

    /// The error that something else was expected here: `expected` as in `a list of tasks`.
    pub fn expected(&self, expected: &str) -> Diagnostic {
        Diagnostic::error("type", format!("expected {expected}, found {}", self.describe()))
            .at(self.span, format!("expected {expected}"))
    }
}
