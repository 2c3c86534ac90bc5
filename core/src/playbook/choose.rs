//! The files that a name may mean whose parts are only known on a host.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    files::{FileKind, below, tidy},
    loader::{Here, Loader},
    model::{Use, VarSet},
    module::ModuleUse,
    pattern::{ANY, Segment, fits, segments},
    read::{is_identifier, templated},
};
use crate::{
    arg::Arg,
    compile::Static,
    diag::{Diagnostic, Span},
    plan::{Found, found_names},
    template::{LookupCall, free_variables},
    yaml::{Kind, Node},
};

/// The most files that one name may mean.
const MAX_FILES: usize = 500;
/// Variables within variables of a name.
const MAX_NESTING: u8 = 8;

/// The names of files that a task gives to `first_found`.
pub(crate) struct Terms {
    /// As data, for what is known now.
    pub(crate) now: Vec<Value>,
    /// As they are rendered on the host.
    pub(crate) names: Vec<Arg>,
    pub(crate) span: Span,
}

impl Terms {
    /// Of `with_first_found`. Names that are not defined on a host are passed over, so what they read may be undefined.
    pub(crate) fn listed(loader: &mut Loader<'_>, node: &Node, uses: &mut Vec<Use>) -> Terms {
        let mut read = Vec::new();
        loader.templates(node, &mut read);
        uses.extend(read.into_iter().map(|u| Use { guarded: true, ..u }));
        let one = std::slice::from_ref(node);
        let items = node.as_seq().unwrap_or(one);
        Terms {
            now: items.iter().map(Node::to_json).collect(),
            names: items.iter().map(|item| loader.arg(item)).collect(),
            span: node.span,
        }
    }

    /// Of a lookup in the text of `node`.
    pub(crate) fn of_call(loader: &mut Loader<'_>, node: &Node, call: LookupCall, uses: &mut Vec<Use>) -> Terms {
        if let Kind::Scalar(scalar) = &node.kind {
            // The lookup itself is carried out by the engine; what its arguments read counts as for any template.
            for var in free_variables(&scalar.text).unwrap_or_default() {
                let span = node.inner_span(loader.map, var.span);
                uses.push(Use { name: var.name.into(), span, guarded: var.guarded });
            }
        }
        let files: Vec<Value> = call.terms;
        let now = if call.options.contains_key("files") || call.options.contains_key("paths") {
            let mut map = call.options;
            map.entry("files").or_insert(Value::Array(files));
            vec![Value::Object(map)]
        } else {
            let options: Map<String, Value> =
                call.options.into_iter().filter(|(k, _)| matches!(k.as_str(), "skip" | "errors")).collect();
            let more = (!options.is_empty()).then_some(Value::Object(options));
            files.into_iter().chain(more).collect()
        };
        Terms { names: now.iter().map(template_arg).collect(), now, span: node.span }
    }
}

/// Data whose texts may be templates, as an argument.
fn template_arg(value: &Value) -> Arg {
    match value {
        Value::String(text) if templated(text) => Arg::Template(text.clone()),
        Value::Array(items) => Arg::List(items.iter().map(template_arg).collect()),
        Value::Object(map) => Arg::Map(map.iter().map(|(k, v)| (k.clone(), template_arg(v))).collect()),
        other => Arg::from_value(other),
    }
}

impl Loader<'_> {
    /// What a text can come to on a host, as far as this is known now; the rest is [`ANY`]. `None` if nothing can be said,
    /// because the text has statements. `own` are the variables of the task itself.
    pub(crate) fn pattern(&self, text: &str, here: &Here, own: &VarSet) -> Option<String> {
        self.pattern_within(text, here, own, MAX_NESTING)
    }

    fn pattern_within(&self, text: &str, here: &Here, own: &VarSet, depth: u8) -> Option<String> {
        let mut out = String::new();
        for segment in segments(text)? {
            match segment {
                Segment::Text(text) => out.push_str(text),
                Segment::Expr(expr) => {
                    let part = self.value_in(expr, here, own, depth);
                    match part {
                        Some(part) => out.push_str(&part),
                        None => out.push(ANY),
                    };
                }
            }
        }
        Some(out)
    }

    /// The value of an expression in a name, if it is known before any host is.
    fn value_in(&self, expr: &str, here: &Here, own: &VarSet, depth: u8) -> Option<String> {
        if is_identifier(expr) && depth > 0 {
            return match self.defined(expr, here, own)? {
                Value::String(text) => self.pattern_within(&text, here, own, depth - 1),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
        }
        let text = format!("{{{{ {expr} }}}}");
        let mut known = Map::new();
        for var in free_variables(&text).ok()? {
            known.insert(var.name.to_string(), self.defined(&var.name, here, own)?);
        }
        match Static::new(known.clone()).value(&text) {
            Some(Value::String(text)) if !known.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The value that blocks, the role or the task itself give a variable, and that no host has otherwise.
    fn defined(&self, name: &str, here: &Here, own: &VarSet) -> Option<Value> {
        if let Some(value) = own.values.get(name) {
            return Some(value.clone());
        }
        let mut at = here.scope;
        while let Some(one) = at {
            let scope = &self.play.scopes[one];
            if let Some(value) = scope.vars.values.get(name) {
                return Some(value.clone());
            }
            at = scope.parent;
        }
        (name == "playbook_dir").then(|| self.files.absolute(&self.play.dir).display().to_string().into())
    }

    /// What is of this kind at the paths below `folder` that fit a pattern, by the name that leads there.
    pub(crate) fn matching(&self, folder: &Path, pattern: &str, kind: FileKind) -> Vec<(String, PathBuf)> {
        let absolute = pattern.starts_with('/');
        let root = if absolute { (String::from("/"), PathBuf::from("/")) } else { (String::new(), folder.to_owned()) };
        let mut open = vec![root];
        let mut first = true;
        for part in pattern.trim_start_matches('/').split('/') {
            let mut next = Vec::new();
            for (name, at) in open {
                let name = if first { name } else { name + "/" };
                if !part.contains(ANY) {
                    next.push((name + part, tidy(&at.join(part))));
                    continue;
                }
                let mut entries = self.files.list(&at).unwrap_or_default();
                entries.retain(|entry| fits(part, entry));
                entries.sort();
                next.extend(entries.into_iter().map(|entry| (format!("{name}{entry}"), below(&at, &entry))));
            }
            next.truncate(MAX_FILES + 1);
            open = next;
            first = false;
        }
        open.retain(|(_, path)| self.files.info(path).is_some_and(|info| info.kind == kind));
        open
    }

    /// Where a file that a task names by this pattern is looked for: below `folder` of its places, and in them. Where all of the name is
    /// open, the places that hold other things too are left out.
    pub(crate) fn places(&self, folder: &str, pattern: &str, here: &Here) -> Vec<PathBuf> {
        let open = pattern.starts_with(ANY) && !pattern.contains('/');
        let mut out = Vec::new();
        for base in here.search.iter() {
            out.push(base.join(folder));
            let role = here.role.as_ref();
            let other = role.is_some_and(|role| role.path == *base || self.play.dir == *base);
            if !(open && other) {
                out.push(base.clone());
            }
        }
        out
    }

    /// The files that fit a pattern, by the name that leads to each; the first place counts.
    pub(crate) fn choices(
        &mut self,
        places: &[PathBuf],
        pattern: &str,
        kind: FileKind,
        span: Span,
    ) -> BTreeMap<String, PathBuf> {
        let mut out = BTreeMap::new();
        for place in places {
            for (name, path) in self.matching(place, pattern, kind) {
                out.entry(name).or_insert(path);
            }
        }
        if out.len() > MAX_FILES {
            let message = format!("more than {MAX_FILES} files could be meant");
            let problem = Diagnostic::error("template", message).at(span, "");
            self.push(problem.help("write more of the name as text"));
            out.clear();
        }
        out
    }

    /// The names that the `src` of a module may come to where it depends on a host. Not if nothing of it is known.
    pub(crate) fn src_choices(&mut self, used: &ModuleUse, here: &Here, own: &VarSet) -> Vec<String> {
        let (Some(module), Some(Arg::Template(src))) = (used.module, used.args.get("src")) else { return Vec::new() };
        let info = self.module_info(module);
        if !info.places_files() {
            return Vec::new();
        }
        let pattern = self.pattern(src, here, own).unwrap_or_default();
        let stem = pattern.rsplit_once('.').map_or(pattern.as_str(), |(stem, _)| stem);
        if !stem.contains(|c: char| c.is_alphanumeric()) {
            return Vec::new();
        }
        let folder = if info.has("_content") { "templates" } else { "files" };
        let mut out = Vec::new();
        for place in self.places(folder, &pattern, here) {
            for kind in [FileKind::File, FileKind::Folder] {
                out.extend(self.matching(&place, &pattern, kind).into_iter().map(|(name, _)| name));
            }
        }
        out.sort();
        out.dedup();
        if out.len() > MAX_FILES { Vec::new() } else { out }
    }

    /// The files among which `first_found` will choose, looked for below `folder`.
    pub(crate) fn found(&mut self, terms: Terms, var: &str, folder: &str, here: &Here, own: &VarSet) -> Found {
        let now: Vec<Value> = terms.now.iter().map(|term| self.resolved(term, here, own, MAX_NESTING)).collect();
        let (names, skip) = found_names(&now);
        let mut known = BTreeMap::new();
        for name in names {
            let Some(pattern) = self.pattern(&name, here, own) else {
                let problem = Diagnostic::error("template", format!("the name `{name}` is a template with statements"));
                self.push(
                    problem
                        .at(terms.span, "")
                        .help("write it with `{{ }}` only, so that it is known which files it can mean"),
                );
                continue;
            };
            let places = self.places(folder, &pattern, here);
            for (name, path) in self.choices(&places, &pattern, FileKind::File, terms.span) {
                let path = self.files.absolute(&path).display().to_string();
                known.entry(name).or_insert(path);
            }
        }
        Found { var: var.to_owned(), names: terms.names, known, skip }
    }

    /// A term with the variables that are known in their place.
    fn resolved(&self, term: &Value, here: &Here, own: &VarSet, depth: u8) -> Value {
        match term {
            Value::String(text) if depth > 0 => {
                let inner = text.trim().strip_prefix("{{").and_then(|t| t.strip_suffix("}}")).map(str::trim);
                match inner.filter(|name| is_identifier(name)).and_then(|name| self.defined(name, here, own)) {
                    Some(value) => self.resolved(&value, here, own, depth - 1),
                    None => term.clone(),
                }
            }
            Value::Array(items) => items.iter().map(|item| self.resolved(item, here, own, depth)).collect(),
            Value::Object(map) => {
                Value::Object(map.iter().map(|(k, v)| (k.clone(), self.resolved(v, here, own, depth))).collect())
            }
            other => other.clone(),
        }
    }
}
