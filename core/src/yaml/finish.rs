//! What a finished node still needs: its tag obeyed, its merges carried out, its keys checked.

use std::collections::{HashMap, HashSet};

use super::{Kind, Node, Resolved, Style, resolve};
use crate::diag::{Diagnostic, Span, did_you_mean};

const CORE: &str = "tag:yaml.org,2002:";
const SHORT: [&str; 11] =
    ["!vault", "!unsafe", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!set", "!!omap"];

/// Applies a leaf's explicit tag.
pub(super) fn scalar(node: &mut Node, problems: &mut Vec<Diagnostic>) {
    let Some(tag) = node.tag.as_deref() else {
        return;
    };
    let Kind::Scalar(scalar) = &mut node.kind else {
        return;
    };
    let (text, written) = (scalar.text.as_str(), resolve::resolve(&scalar.text));
    let short = tag.name.strip_prefix(CORE);
    let value = match (tag.name.as_str(), short) {
        ("!vault" | "!unsafe" | "!", _) | (_, Some("str" | "timestamp")) => Some(Resolved::Str),
        (_, Some("null")) => Some(Resolved::Null),
        (_, Some("int")) => resolve::int(text),
        (_, Some("float")) => match written {
            #[expect(clippy::cast_precision_loss, reason = "the author asked for a float")]
            Resolved::Int(n) => Some(Resolved::Float(n as f64)),
            Resolved::Float(_) => Some(written),
            _ => text.parse().ok().map(Resolved::Float),
        },
        (_, Some("bool")) => match resolve::resolve(&text.to_lowercase()) {
            Resolved::Bool(b) => Some(Resolved::Bool(b)),
            _ => None,
        },
        _ => {
            problems.push(unknown(node));
            return;
        }
    };
    match value {
        Some(value) => scalar.value = value,
        None => {
            let text = format!("not a value of the type that its tag `!!{}` asks for", short.unwrap_or_default());
            problems.push(Diagnostic::error("yaml-tag", text).at(node.span, "").also(tag.span, "asked for here"));
        }
    }
}

/// Checks a collection's explicit tag.
pub(super) fn collection(node: &Node, problems: &mut Vec<Diagnostic>) {
    let Some(tag) = node.tag.as_deref() else {
        return;
    };
    let fits = match (tag.name.as_str(), tag.name.strip_prefix(CORE)) {
        ("!unsafe" | "!", _) => true,
        (_, Some("map" | "set")) => matches!(node.kind, Kind::Map(_)),
        (_, Some("seq" | "omap" | "pairs")) => matches!(node.kind, Kind::Seq(_)),
        _ => false,
    };
    if !fits {
        problems.push(unknown(node));
    }
}

fn unknown(node: &Node) -> Diagnostic {
    let (name, span) = node.tag.as_ref().map_or((String::new(), node.span), |t| (t.name.replace(CORE, "!!"), t.span));
    let text = if SHORT.contains(&name.as_str()) {
        format!("the tag `{name}` does not fit {}", node.describe())
    } else {
        format!("unknown tag `{name}`")
    };
    let problem = Diagnostic::error("yaml-tag", text).at(span, "");
    match did_you_mean(&name, SHORT) {
        Some(near) => problem.suggest(span, near, "a tag with a similar name exists"),
        None => problem,
    }
}

/// Checks the keys, carries out the merges, refuses duplicates (the first stays).
pub(super) fn mapping(entries: Vec<(Node, Node)>, span: Span, problems: &mut Vec<Diagnostic>) -> Vec<(Node, Node)> {
    let mut seen: HashMap<String, Span> = HashMap::with_capacity(entries.len());
    let mut merges = Vec::new();
    let mut own = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let Some(scalar) = key.as_scalar() else {
            problems.push(odd_key(&key, span));
            continue;
        };
        if scalar.style == Style::Plain && scalar.text == "<<" && key.tag.is_none() {
            merges.push((key, value));
            continue;
        }
        let name = key.key_text();
        if let Some(first) = seen.get(name.as_ref()) {
            let text = format!("duplicate key `{name}`");
            problems
                .push(Diagnostic::error("yaml-duplicate-key", text).at(key.span, "again").also(*first, "first here"));
            continue;
        }
        seen.insert(name.into_owned(), key.span);
        own.push((key, value));
    }
    if merges.is_empty() { own } else { merge(merges, own, problems) }
}

/// The merged entries first, as PyYAML does, then the mapping's own, which win.
fn merge(merges: Vec<(Node, Node)>, own: Vec<(Node, Node)>, problems: &mut Vec<Diagnostic>) -> Vec<(Node, Node)> {
    let mut parts: Vec<Vec<(Node, Node)>> = Vec::new();
    for (key, value) in merges {
        match value.kind {
            Kind::Map(entries) => parts.push(entries),
            Kind::Seq(items) => {
                // Of several mappings in one list the earlier wins.
                for item in items.into_iter().rev() {
                    match item.kind {
                        Kind::Map(entries) => parts.push(entries),
                        _ => problems.push(item.expected("a mapping to merge").also(key.span, "by this `<<`")),
                    }
                }
            }
            _ => problems.push(value.expected("a mapping, or a list of mappings, to merge").also(key.span, "")),
        }
    }
    parts.push(own);
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut out: Vec<(Node, Node)> = Vec::new();
    for (key, value) in parts.into_iter().flatten() {
        let name = key.key_text().into_owned();
        match at.get(&name) {
            Some(&index) => out[index] = (key, value),
            None => {
                at.insert(name, out.len());
                out.push((key, value));
            }
        }
    }
    out
}

fn odd_key(key: &Node, map: Span) -> Diagnostic {
    let inner: HashSet<bool> = key.as_map().unwrap_or_default().iter().map(|(_, v)| v.is_null()).collect();
    // `{{ name }}` without quotes is a mapping whose key is a mapping.
    if key.as_map().is_some() && key.span.start == map.start + 1 && !inner.contains(&false) {
        return Diagnostic::error("yaml-template", "a value that begins with `{{` must be quoted")
            .at(map, "read as a mapping")
            .help("put the whole value in quotes: \"{{ … }}\"");
    }
    Diagnostic::error("yaml-key", format!("a key must be a string, not {}", key.describe())).at(key.span, "")
}
