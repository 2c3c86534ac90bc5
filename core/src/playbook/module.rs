//! The module of a task and its arguments.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use indexmap::IndexMap;

use super::{
    keys::{self, Place},
    loader::Loader,
    model::Use,
    read::{templated, word},
    words::{Token, split},
};
use crate::{
    arg::{Arg, Scalar},
    diag::{Diagnostic, Span, did_you_mean},
    module::Module,
    yaml::{Kind, Node},
};

/// What the schema of a module says of its arguments.
pub(crate) struct ModuleInfo {
    pub(crate) names: Vec<String>,
    pub(crate) required: Vec<String>,
    pub(crate) schema: serde_json::Value,
}

/// A module with its arguments as a task has them.
pub(crate) struct ModuleUse {
    pub(crate) word: String,
    pub(crate) word_span: Span,
    pub(crate) kind: &'static str,
    pub(crate) module: Option<&'static dyn Module>,
    pub(crate) args: IndexMap<String, Arg>,
    /// Where each argument's name and value stand.
    pub(crate) spans: HashMap<String, (Span, Span)>,
    pub(crate) uses: Vec<Use>,
    /// What an include chooses from.
    pub(crate) choices: super::include_vars::Choices,
}

/// What `meta:` can say.
pub(crate) const META: &[&str] = &["flush_handlers", "end_play", "end_host", "noop"];

impl Loader<'_> {
    /// The schema of a module, read once.
    pub(crate) fn module_info(&mut self, module: &'static dyn Module) -> Arc<ModuleInfo> {
        let entry = self.modules.entry(module.kind()).or_insert_with(|| {
            let schema = module.schema().to_value();
            let names = schema["properties"].as_object().into_iter().flat_map(|o| o.keys());
            // What begins with `_` is the engine's to fill in.
            let names = names.filter(|n| !n.starts_with('_')).cloned().collect();
            let required = schema["required"].as_array().into_iter().flatten();
            let required = required.filter_map(|n| n.as_str().map(str::to_owned)).collect();
            Arc::new(ModuleInfo { names, required, schema })
        });
        entry.clone()
    }

    /// Finds which of a task's keys is its module, and reads the arguments.
    pub(crate) fn pick_module(
        &mut self,
        task: &Node,
        candidates: &[(&Node, &Node)],
        args: Option<&Node>,
        place: Place,
    ) -> Option<ModuleUse> {
        let known =
            |loader: &Self, key: &Node| keys::short(word(key)) == "meta" || loader.registry.find(word(key)).is_some();
        let (modules, unknown): (Vec<_>, Vec<_>) = candidates.iter().copied().partition(|(key, _)| known(self, key));
        for (key, _) in &unknown {
            let problem = self.unknown_in_task(key, place, modules.is_empty() && unknown.len() == 1);
            self.push(problem);
        }
        match modules.as_slice() {
            [(key, value)] => self.module_use(key, value, args),
            [] => {
                if unknown.is_empty() {
                    let span = task.as_map().and_then(|m| m.first()).map_or(task.span, |(k, _)| k.span);
                    let problem = Diagnostic::error("no-module", format!("{} without a module", place.noun()));
                    self.push(problem.at(span, "nothing says what to do"));
                }
                None
            }
            [(first, _), (second, _), ..] => {
                let message = format!("two modules in one task: `{}` and `{}`", word(first), word(second));
                let problem = Diagnostic::error("two-modules", message).at(second.span, "the second");
                self.push(problem.also(first.span, "the first").help("make them two tasks"));
                None
            }
        }
    }

    fn unknown_in_task(&self, key: &Node, place: Place, may_be_module: bool) -> Diagnostic {
        let name = word(key);
        let short = keys::short(name);
        let modules: Vec<&str> =
            self.registry.iter().map(|m| m.kind()).chain(["meta", "import_tasks", "include_vars"]).collect();
        let problem = keys::unknown(key, name, place, &modules);
        if !may_be_module || problem.code != "unknown-key" {
            return problem;
        }
        let near_key = did_you_mean(name, place.keys());
        let near_module = did_you_mean(short, modules.iter().copied());
        let unknown = Diagnostic::error("unknown-module", format!("unknown module `{name}`"));
        match (near_module, near_key) {
            (Some(meant), _) => unknown.at(key.span, "").suggest(key.span, meant, format!("did you mean `{meant}`?")),
            (None, Some(_)) => problem,
            (None, None) => unknown
                .at(key.span, "not among rectify's modules")
                .help("`rectify modules` lists them; anything else can be run with `command`"),
        }
    }

    fn module_use(&mut self, key: &Node, value: &Node, args: Option<&Node>) -> Option<ModuleUse> {
        let module = if keys::short(word(key)) == "meta" { None } else { self.registry.find(word(key)) };
        let info = module.map(|m| self.module_info(m));
        let mut reading = Reading {
            kind: module.map_or("meta", |m| m.kind()),
            free_form: module.map_or(Some("cmd"), |m| m.free_form()),
            aliases: module.map_or(&[], |m| m.aliases()),
            open: info.as_ref().is_some_and(|i| i.is_open()),
            names: info.as_ref().map_or_else(|| vec!["cmd".into()], |i| i.names.clone()),
            expressions: module.into_iter().flat_map(|m| m.expressions().iter().copied()).collect(),
            args: IndexMap::new(),
            spans: HashMap::new(),
            uses: Vec::new(),
            wrong: None,
        };
        match &value.kind {
            Kind::Map(entries) => entries.iter().for_each(|(k, v)| self.argument(&mut reading, k, v)),
            Kind::Scalar(_) if value.is_null() => {}
            Kind::Scalar(_) => self.free_form(&mut reading, key, value),
            Kind::Seq(_) => self.push(value.expected("the module's arguments (a mapping)")),
        }
        if let Some(args) = args.filter(|a| !a.is_null()) {
            if args.is_template() {
                let problem = args.error("template", "the arguments as a template");
                self.push(problem.help("write the arguments' names here; their values may be templates"));
            } else {
                for (k, v) in self.entries(args, "the module's arguments (a mapping)") {
                    self.argument(&mut reading, k, v);
                }
            }
        }
        if reading.kind == "set_fact" {
            let names = reading.args.keys().filter(|k| *k != "cacheable").map(|k| Arc::from(k.as_str()));
            self.set_facts.extend(names);
            self.gaps.names |= reading.args.keys().any(|k| templated(k));
        }
        if reading.kind == "package_facts" {
            self.set_facts.insert("packages".into());
        }
        let out = ModuleUse {
            module,
            args: reading.args,
            spans: reading.spans,
            uses: reading.uses,
            ..ModuleUse::plain(reading.kind, word(key), key.span)
        };
        match info {
            Some(info) => self.check_args(&out, &info, reading.wrong.as_deref()),
            None => self.check_meta(&out),
        }
        Some(out)
    }

    /// One argument, under its own name.
    fn argument(&mut self, reading: &mut Reading, key: &Node, value: &Node) {
        let written = word(key);
        let name = reading.canonical(written);
        let known = reading.names.contains(&name) || (reading.open && !written.is_empty());
        if !known {
            let problem = reading.unknown(written, key.span);
            self.push(problem);
            return;
        }
        if let Some((before, _)) = reading.spans.get(&name) {
            let message = format!("the argument `{name}` is given twice");
            let problem = Diagnostic::error("duplicate-argument", message).at(key.span, "the second time");
            self.push(problem.also(*before, "the first time"));
            return;
        }
        if reading.expressions.contains(name.as_str()) {
            self.expression_argument(value, &mut reading.uses);
        } else {
            self.templates(value, &mut reading.uses);
        }
        let arg = self.arg(value);
        reading.spans.insert(name.clone(), (key.span, value.span));
        reading.args.insert(name, arg);
    }

    fn expression_argument(&mut self, value: &Node, uses: &mut Vec<Use>) {
        let one = std::slice::from_ref(value);
        for item in value.as_seq().unwrap_or(one) {
            match item.as_str() {
                Some(text) if templated(text) => self.template(item, uses),
                Some(text) if !text.trim().is_empty() => {
                    let start = text.len() - text.trim_start().len();
                    self.expression(item, text.trim(), start, uses);
                }
                _ => {}
            }
        }
    }

    /// Free text: `key=value` words, and what is left is the free form.
    fn free_form(&mut self, reading: &mut Reading, key: &Node, value: &Node) {
        let Some(text) = value.as_str() else { return };
        let tokens = match split(text) {
            Ok(tokens) => tokens,
            Err(at) => {
                reading.wrong.get_or_insert_default().push("*".into());
                let span = value.inner_span(self.map, at..at + 1);
                self.push(Diagnostic::error("quotes", "a quote that is not closed").at(span, ""));
                return;
            }
        };
        self.template(value, &mut reading.uses);
        let mut left: Vec<&Token> = Vec::new();
        for token in &tokens {
            let Some((name, content)) = token.assignment() else {
                left.push(token);
                continue;
            };
            let canonical = reading.canonical(name);
            let known = reading.names.contains(&canonical) && reading.free_form != Some(canonical.as_str());
            if !known && reading.free_form.is_some() {
                left.push(token);
                continue;
            }
            let span = value.inner_span(self.map, token.start..token.end);
            if !known && !reading.open {
                let named = value.inner_span(self.map, token.start..token.start + name.len());
                let problem = reading.unknown(name, named);
                self.push(problem);
                continue;
            }
            reading.spans.insert(canonical.clone(), (span, span));
            reading.args.insert(canonical, text_arg(content));
        }
        let (Some(first), Some(last)) = (left.first(), left.last()) else { return };
        let Some(free) = reading.free_form else {
            let span = value.inner_span(self.map, first.start..first.end);
            reading.wrong.get_or_insert_default().push("*".into());
            let message = format!("`{}` takes no free text", word(key));
            let problem = Diagnostic::error("free-form", message).at(span, "expected `argument=value`");
            self.push(problem.help("write the arguments as a mapping below the module's word"));
            return;
        };
        // Words between that were arguments are cut out, the text around them counts as it was written.
        let mut rest = String::new();
        let mut from = first.start;
        for token in tokens.iter().filter(|t| !left.iter().any(|l| l.start == t.start)) {
            if token.start > from && token.start < last.end {
                rest.push_str(&text[from..token.start]);
                from = token.end;
            }
        }
        rest.push_str(&text[from.min(last.end)..last.end]);
        reading.spans.insert(free.to_owned(), (value.span, value.span));
        reading.args.insert(free.to_owned(), text_arg(rest.trim()));
    }

    fn check_meta(&mut self, meta: &ModuleUse) {
        let Some(Arg::Scalar(Scalar { text, .. })) = meta.args.get("cmd") else {
            let problem = Diagnostic::error("meta", "`meta` needs to say what to do");
            self.push(problem.at(meta.word_span, "").help(format!("one of {}", META.join(", "))));
            return;
        };
        if META.contains(&text.as_str()) {
            return;
        }
        let span = meta.spans.get("cmd").map_or(meta.word_span, |(_, value)| *value);
        let problem = Diagnostic::error("meta", format!("`meta: {text}` is not supported"));
        self.push(match did_you_mean(text, META.iter().copied()) {
            Some(meant) => problem.at(span, "").suggest(span, meant, format!("did you mean `{meant}`?")),
            None => problem.at(span, format!("expected one of {}", META.join(", "))),
        });
    }
}

struct Reading {
    /// Any name is an argument.
    open: bool,
    kind: &'static str,
    free_form: Option<&'static str>,
    aliases: &'static [(&'static str, &'static str)],
    names: Vec<String>,
    expressions: BTreeSet<&'static str>,
    args: IndexMap<String, Arg>,
    spans: HashMap<String, (Span, Span)>,
    uses: Vec<Use>,
    /// What was given under a wrong name and is not counted as missing: the names that were meant, `*` for any.
    wrong: Option<Vec<String>>,
}

impl Reading {
    fn canonical(&self, written: &str) -> String {
        self.aliases.iter().find(|(alias, _)| *alias == written).map_or(written, |(_, name)| name).to_owned()
    }

    fn unknown(&mut self, written: &str, span: Span) -> Diagnostic {
        let wrong = self.wrong.get_or_insert_default();
        let message = format!("`{}` has no argument `{written}`", self.kind);
        let problem = Diagnostic::error("unknown-argument", message);
        let candidates = self.names.iter().map(String::as_str).chain(self.aliases.iter().map(|(a, _)| *a));
        match did_you_mean(written, candidates) {
            Some(meant) => {
                let name = self.aliases.iter().find(|(a, _)| *a == meant).map_or(meant, |(_, name)| name);
                wrong.push(name.to_owned());
                problem.at(span, "").suggest(span, meant, format!("did you mean `{meant}`?"))
            }
            None => problem.at(span, "").help(format!("it has {}", list(&self.names))),
        }
    }
}

/// `a, b and c`, at most a dozen.
pub(crate) fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(12).map(|n| format!("`{n}`")).collect();
    let more = names.len().saturating_sub(shown.len());
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn text_arg(text: &str) -> Arg {
    if templated(text) { Arg::Template(text.to_owned()) } else { Arg::text(text) }
}
