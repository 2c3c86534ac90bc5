//! What every part of the reader shares: the files, the texts, the problems.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    files::{FileKind, Files, tidy},
    model::{BlockDef, Group, Inherited, Item, ScopeDef, TaskDef, VarSet},
    module::ModuleInfo,
};
use crate::{
    diag::{Diagnostic, Diagnostics, SourceMap, Span},
    module::Registry,
    plan::{Expr, Origin, Section},
    vault,
    yaml::{self, Node},
};

/// Imports within imports, roles within roles: more is a mistake.
pub(crate) const MAX_DEPTH: usize = 64;
/// The most blocks, imports and uses of roles in one play: imports that import each other twice double with each step.
const MAX_GROUPS: usize = 20_000;
/// The largest file of a playbook that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// The state of one reading.
pub(crate) struct Loader<'a> {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) registry: Registry,
    pub(crate) roles_path: Vec<PathBuf>,
    pub(crate) map: &'a mut SourceMap,
    pub(crate) found: &'a mut Diagnostics,
    pub(crate) modules: HashMap<&'static str, Arc<ModuleInfo>>,
    parsed: HashMap<PathBuf, Option<Arc<Node>>>,
    pub(crate) set_facts: BTreeSet<Arc<str>>,
    pub(crate) gaps: Gaps,
    /// How many includes were left open so far; each has a result of its own.
    pub(crate) includes: usize,
    pub(crate) play: Building,
}

/// What is missing because something could not be read: a complaint that it is absent would be about our reading.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gaps {
    /// Variables, handlers and ids may be anything: a file is missing or damaged.
    pub(crate) files: bool,
    /// Variables may be anything: a task sets some whose names only the host knows.
    pub(crate) names: bool,
    /// Handlers and ids may be more: a task is not understood.
    pub(crate) tasks: bool,
}

/// The play that is being read.
#[derive(Default)]
pub(crate) struct Building {
    pub(crate) dir: PathBuf,
    pub(crate) defaults: VarSet,
    pub(crate) vars: VarSet,
    pub(crate) role_vars: VarSet,
    pub(crate) scopes: Vec<ScopeDef>,
    pub(crate) groups: Vec<Group>,
    /// [`Loader::is_full`] was reported.
    pub(crate) overfull: bool,
    /// How many namespaces of ids there are, and the one around each.
    pub(crate) spaces: usize,
    pub(crate) space_parents: Vec<usize>,
    pub(crate) tasks: Vec<TaskDef>,
    pub(crate) handlers: Vec<TaskDef>,
    pub(crate) registered: BTreeSet<Arc<str>>,
    pub(crate) includes: Vec<super::include_one_of::Include>,
    pub(crate) blocks: Vec<BlockDef>,
    /// Roles that were read already, by what would make a second use the same: the conditions around each use, and its tasks.
    pub(crate) roles_done: HashMap<String, Vec<RoleDone>>,
    pub(crate) handlers_of: BTreeSet<PathBuf>,
}

/// A use of a role: the conditions around it, and its tasks.
pub(crate) type RoleDone = (BTreeSet<String>, Range<usize>);

/// Where the reader is: what holds for everything that is read from here on.
#[derive(Clone, Default)]
pub(crate) struct Here {
    /// The folder of the file that is being read.
    pub(crate) dir: PathBuf,
    pub(crate) role: Option<Arc<RoleHere>>,
    pub(crate) scope: Option<usize>,
    pub(crate) group: usize,
    pub(crate) space: usize,
    pub(crate) inherited: Inherited,
    /// Role parameters: nothing within overrides them.
    pub(crate) params: Arc<VarSet>,
    pub(crate) handlers: bool,
    /// The block with `rescue` or its like, and the part of it.
    pub(crate) place: Option<(usize, Section)>,
    /// The files that are being read, outermost first, and where each was asked for.
    pub(crate) trail: Arc<Vec<(PathBuf, Span)>>,
    pub(crate) search: Arc<Vec<PathBuf>>,
}

/// The role that is being read.
pub(crate) struct RoleHere {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// The role that asked for it.
    pub(crate) outer: Option<Arc<RoleHere>>,
    pub(crate) defaults: VarSet,
    pub(crate) vars: VarSet,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(
        files: Arc<dyn Files>,
        registry: Registry,
        roles_path: Vec<PathBuf>,
        map: &'a mut SourceMap,
        found: &'a mut Diagnostics,
    ) -> Self {
        Loader {
            files,
            registry,
            roles_path,
            map,
            found,
            modules: HashMap::new(),
            parsed: HashMap::new(),
            set_facts: BTreeSet::new(),
            gaps: Gaps::default(),
            includes: 0,
            play: Building::default(),
        }
    }

    pub(crate) fn push(&mut self, problem: Diagnostic) {
        self.found.push(problem);
    }

    pub(crate) fn origin(&self, span: Span) -> Origin {
        let at = self.map.location(span);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Origin { file: at.file, line: number(at.line), column: number(at.col) }
    }

    pub(crate) fn expr(&self, text: &str, span: Span) -> Expr {
        Expr { text: text.to_owned(), origin: self.origin(span) }
    }

    /// Reads a YAML file of one document; `None` if there was a problem (which is reported) or if it is empty. `asked` is where it was named.
    pub(crate) fn yaml(&mut self, path: &Path, asked: Option<Span>) -> Option<Arc<Node>> {
        let path = tidy(path);
        if let Some(known) = self.parsed.get(&path) {
            return known.clone();
        }
        let node = self.read_yaml(&path, asked).map(Arc::new);
        self.parsed.insert(path, node.clone());
        node
    }

    /// As [`Loader::yaml`], but a file that is damaged is none.
    pub(crate) fn yaml_if_sound(&mut self, path: &Path) -> Option<Arc<Node>> {
        let (found, gaps) = (std::mem::take(self.found), self.gaps);
        let node = self.yaml(path, None);
        let problems = std::mem::replace(self.found, found);
        if !problems.has_errors() {
            self.found.extend(problems);
            return node;
        }
        // Whoever means it is told what is wrong with it.
        self.parsed.remove(&tidy(path));
        self.gaps = gaps;
        None
    }

    fn read_yaml(&mut self, path: &Path, asked: Option<Span>) -> Option<Node> {
        let content = self.content(path, asked)?;
        let name = path.display().to_string();
        let files = self.files.clone();
        let file = match vault::register(files.keyring(), self.map, name.clone(), content) {
            Ok(file) => file,
            Err(problem) => {
                self.push(match asked {
                    Some(span) => problem.also(span, "named here"),
                    None => *problem,
                });
                self.gaps.files = true;
                return None;
            }
        };
        let parsed = yaml::parse(self.map, file, self.found);
        vault::note(files.keyring(), self.map, file, &parsed.docs);
        self.gaps.files |= !parsed.whole;
        let mut docs = parsed.docs;
        if docs.len() > 1 {
            let second = docs[1].span.head();
            let problem = Diagnostic::error("documents", format!("`{name}` holds more than one YAML document"));
            self.push(problem.at(second, "the second starts here"));
        }
        if docs.is_empty() { None } else { Some(docs.swap_remove(0)) }
    }

    /// Reads a file whole, reporting what keeps it from being read.
    pub(crate) fn content(&mut self, path: &Path, asked: Option<Span>) -> Option<Vec<u8>> {
        let name = path.display();
        let problem = match self.files.info(path) {
            None => Diagnostic::error("missing-file", format!("`{name}` does not exist")),
            Some(info) if info.kind != FileKind::File => {
                Diagnostic::error("missing-file", format!("`{name}` is not a file"))
            }
            Some(info) if info.size > MAX_BYTES => {
                Diagnostic::error("file-size", format!("`{name}` is larger than {} MiB", MAX_BYTES >> 20))
            }
            Some(_) => match self.files.read(path) {
                Ok(content) => return Some(content),
                Err(e) => Diagnostic::error("unreadable-file", format!("cannot read `{name}`: {e}")),
            },
        };
        self.push(located(problem, asked, "named here"));
        self.gaps.files = true;
        None
    }

    pub(crate) fn is_file(&self, path: &Path) -> bool {
        self.files.info(path).is_some_and(|i| i.kind == FileKind::File)
    }

    pub(crate) fn is_folder(&self, path: &Path) -> bool {
        self.files.info(path).is_some_and(|i| i.kind == FileKind::Folder)
    }

    /// Whether a play has grown beyond reason; reported, and nothing more is read into it.
    pub(crate) fn is_full(&mut self, asked: Span) -> bool {
        if self.play.groups.len() < MAX_GROUPS {
            return false;
        }
        if !std::mem::replace(&mut self.play.overfull, true) {
            let message = format!("more than {MAX_GROUPS} imports, blocks and roles in one play");
            self.push(Diagnostic::error("play-size", message).at(asked, "the next would be this one"));
            self.gaps.files = true;
        }
        true
    }

    /// Adds a sequence within the one at `here`, and returns `here` within it.
    pub(crate) fn enter(&mut self, here: &Here, group: Group) -> Here {
        let index = self.play.groups.len();
        self.play.groups.push(group);
        if !here.handlers {
            self.play.groups[here.group].items.push(Item::Group(index));
        }
        Here { group: index, space: self.play.groups[index].space, ..here.clone() }
    }

    /// Adds a scope within the one at `here`, without the names that role parameters hold.
    pub(crate) fn scope(&mut self, here: &Here, mut vars: VarSet) -> usize {
        for name in here.params.values.keys() {
            vars.values.shift_remove(name);
            vars.defs.remove(name.as_str());
        }
        self.play.scopes.push(ScopeDef { parent: here.scope, vars, ..ScopeDef::default() });
        self.play.scopes.len() - 1
    }
}

/// The problem with the place where its file was named, if any.
pub(crate) fn located(problem: Diagnostic, asked: Option<Span>, words: &str) -> Diagnostic {
    match asked {
        Some(span) => problem.at(span, words),
        None => problem,
    }
}
