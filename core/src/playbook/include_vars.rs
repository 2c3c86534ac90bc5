//! `include_vars`: every file that may be meant is read now; the host takes the one whose name comes out.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{
    files::FileKind,
    loader::{Here, Loader},
    model::{Use, VarSet},
    module::ModuleUse,
    pattern::{ANY, shown},
    read::word,
    words::split,
};
use crate::{
    arg::Arg,
    diag::{Diagnostic, Span},
    plan::Found,
    template::Pattern,
    yaml::Node,
};

/// The variables of each file that may be meant, by its name once rendered.
pub(crate) type Choices = BTreeMap<String, Map<String, Value>>;

/// What `include_vars` is told.
struct Asked {
    /// The file or folder.
    source: Option<Node>,
    folder: bool,
    name: Option<String>,
    depth: usize,
    extensions: Vec<String>,
    matching: Option<Pattern>,
    ignored: Vec<Pattern>,
    lenient: bool,
}

impl Loader<'_> {
    /// Reads an `include_vars` with all files that it may mean.
    pub(crate) fn include_vars(
        &mut self,
        (key, value): (&Node, &Node),
        args: Option<&Node>,
        found: Option<&Found>,
        here: &Here,
        own: &VarSet,
        uses: &mut Vec<Use>,
    ) -> Option<ModuleUse> {
        let asked = self.asked_vars(value, args)?;
        let Some(source) = &asked.source else {
            let problem = Diagnostic::error("missing-argument", "`include_vars` needs the argument `file` or `dir`");
            self.push(problem.at(key.span, ""));
            return None;
        };
        let text = self.text(source, "the name of a file of variables")?;
        let files = self.vars_choices(&asked, &text, source.span, found, here, own)?;
        let mut choices = Choices::new();
        for (name, paths) in files {
            let set = self.choice(&asked, &paths, text.contains("{{"), source.span, uses);
            choices.extend(set.map(|set| (name, set)));
        }
        let names = choices.values().flat_map(|vars| vars.keys()).map(|name| Arc::from(name.as_str()));
        self.set_facts.extend(names);
        let mut out = ModuleUse::plain("include_vars", word(key), key.span);
        self.template(source, &mut out.uses);
        out.args.insert("file".into(), self.arg(source));
        out.spans.insert("file".into(), (source.span, source.span));
        out.choices = choices;
        Some(out)
    }

    fn asked_vars(&mut self, value: &Node, args: Option<&Node>) -> Option<Asked> {
        let mut asked = Asked {
            source: None,
            folder: false,
            name: None,
            depth: usize::MAX,
            extensions: ["yaml", "yml", "json"].map(str::to_owned).to_vec(),
            matching: None,
            ignored: Vec::new(),
            lenient: false,
        };
        let entries: Vec<(String, Node)> = match value.as_str() {
            Some(text) => free_form(text, value),
            None if value.is_null() => Vec::new(),
            None => self.entries(value, "the arguments of `include_vars`").iter().map(named).collect(),
        };
        let more = args.and_then(Node::as_map).unwrap_or_default().iter().map(named);
        for (name, node) in entries.into_iter().chain(more) {
            match name.as_str() {
                "file" | "_raw_params" => asked.source = Some(node),
                "dir" => (asked.source, asked.folder) = (Some(node), true),
                "name" => asked.name = self.fixed_text(&node, "a variable's name"),
                "depth" => asked.depth = self.count(&node).filter(|n| *n > 0).map_or(usize::MAX, |n| n as usize),
                "extensions" => {
                    asked.extensions = self.words(&node, "a file's ending", true).into_iter().map(|(e, _)| e).collect();
                }
                "files_matching" => asked.matching = self.patterns(&node).pop(),
                "ignore_files" => asked.ignored = self.patterns(&node),
                "ignore_unknown_extensions" => asked.lenient = self.boolean(&node)?,
                "hash_behaviour" if node.as_str() == Some("replace") => {}
                "hash_behaviour" => {
                    let problem = node.error("unsupported", "`hash_behaviour: merge` is not supported");
                    self.push(problem.help("use `set_fact` with the filter `combine`"));
                }
                other => {
                    let problem =
                        Diagnostic::error("unknown-argument", format!("`include_vars` has no argument `{other}`"));
                    let known = "`file`, `dir`, `name`, `depth`, `extensions`, `files_matching`, `ignore_files`";
                    self.push(problem.at(node.span, "").help(format!("it has {known}")));
                }
            }
        }
        Some(asked)
    }

    fn patterns(&mut self, node: &Node) -> Vec<Pattern> {
        let mut out = Vec::new();
        for (text, span) in self.words(node, "a regular expression", false) {
            match Pattern::new(&text, false) {
                Ok(pattern) => out.push(pattern),
                Err(why) => self.push(Diagnostic::error("pattern", why).at(span, "")),
            }
        }
        out
    }

    /// The files of each name that may come out.
    fn vars_choices(
        &mut self,
        asked: &Asked,
        text: &str,
        span: Span,
        found: Option<&Found>,
        here: &Here,
        own: &VarSet,
    ) -> Option<BTreeMap<String, Vec<PathBuf>>> {
        if let Some(found) = found.filter(|found| text.trim() == format!("{{{{ {} }}}}", found.var)) {
            return Some(found.known.values().map(|path| (path.clone(), vec![PathBuf::from(path)])).collect());
        }
        let Some(pattern) = self.pattern(text, here, own) else {
            let problem = Diagnostic::error("template", "the name of the file is a template with statements");
            let help = "write it with `{{ }}` only, so that it is known which files it can mean";
            self.push(problem.at(span, "").help(help));
            self.gaps.names = true;
            return None;
        };
        let kind = if asked.folder { FileKind::Folder } else { FileKind::File };
        let places = self.places("vars", &pattern, here);
        let choices = self.choices(&places, &pattern, kind, span);
        if choices.is_empty() {
            let message = if pattern.contains(ANY) {
                format!("no file of variables fits `{}`", shown(&pattern))
            } else {
                format!("`{pattern}` does not exist")
            };
            let looked: Vec<String> = places.iter().map(|p| format!("`{}`", p.display())).collect();
            let problem = Diagnostic::error("missing-file", message).at(span, "");
            self.push(problem.note(format!("looked in {}", looked.join(", "))));
            self.gaps.names = true;
            return None;
        }
        let main = here.role.as_ref().map(|role| role.path.join("vars").join("main.yml"));
        let files = choices.into_iter().map(|(name, path)| {
            if !asked.folder {
                return (name, vec![path]);
            }
            let mut files = Vec::new();
            self.below(asked, &path, 1, &mut files);
            // What a role has anyway is not included again.
            files.retain(|file| Some(file) != main.as_ref());
            (name, files)
        });
        Some(files.collect())
    }

    /// The files of a folder, those of a deeper one after its own.
    fn below(&self, asked: &Asked, folder: &Path, depth: usize, out: &mut Vec<PathBuf>) {
        let mut names = self.files.list(folder).unwrap_or_default();
        names.sort();
        let holds = |pattern: &Pattern, name: &str| pattern.is_in(name).unwrap_or(false);
        for name in &names {
            let path = folder.join(name);
            let taken = asked.matching.as_ref().is_none_or(|pattern| holds(pattern, name))
                && !asked.ignored.iter().any(|pattern| holds(pattern, name))
                && path.extension().is_some_and(|e| asked.extensions.iter().any(|known| known.as_str() == e));
            if taken && self.is_file(&path) {
                out.push(path);
            }
        }
        for name in names.iter().filter(|_| depth < asked.depth.min(super::loader::MAX_DEPTH)) {
            let path = folder.join(name);
            if self.is_folder(&path) {
                self.below(asked, &path, depth + 1, out);
            }
        }
    }

    /// The variables of one choice; `None` if its file is not one of variables, where only part of its name is known.
    fn choice(
        &mut self,
        asked: &Asked,
        paths: &[PathBuf],
        open: bool,
        span: Span,
        uses: &mut Vec<Use>,
    ) -> Option<Map<String, Value>> {
        let mut all = VarSet::default();
        for path in paths {
            let Some(node) = self.yaml(path, Some(span)) else { continue };
            if open && node.as_map().is_none() && !node.is_null() {
                return None;
            }
            let vars = self.vars(&node);
            all.extend(&vars);
        }
        // A value is read where it is used; by then what it reads may be there.
        let read = all.defs.values().flat_map(|def| def.uses.iter());
        uses.extend(read.map(|u| Use { guarded: true, ..u.clone() }));
        Some(match &asked.name {
            Some(name) => Map::from_iter([(name.clone(), Value::Object(all.values))]),
            None => all.values,
        })
    }
}

fn named((key, value): &(Node, Node)) -> (String, Node) {
    (word(key).to_owned(), value.clone())
}

/// `x.yml`, or `file=x.yml name=y`.
fn free_form(text: &str, node: &Node) -> Vec<(String, Node)> {
    let pairs: Option<Vec<(String, Node)>> = split(text).ok().and_then(|tokens| {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), super::lookups::with_text(node, value));
        tokens.iter().map(|token| token.assignment().map(pair)).collect()
    });
    pairs.filter(|pairs| !pairs.is_empty()).unwrap_or_else(|| vec![("file".into(), node.clone())])
}

impl ModuleUse {
    /// Of something that is not a module, without arguments yet.
    pub(crate) fn plain(kind: &'static str, word: &str, span: Span) -> ModuleUse {
        ModuleUse {
            word: word.to_owned(),
            word_span: span,
            kind,
            module: None,
            args: IndexMap::new(),
            spans: std::collections::HashMap::new(),
            uses: Vec::new(),
            choices: Choices::new(),
        }
    }

    /// With an argument that is a text.
    pub(crate) fn with(mut self, name: &str, value: Arg) -> ModuleUse {
        self.args.insert(name.to_owned(), value);
        self
    }
}
