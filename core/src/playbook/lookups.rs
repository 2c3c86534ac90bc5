//! Lookups of files in a task, which the engine carries out for it: `first_found` and `fileglob`.

use super::{
    files::FileKind,
    keys,
    loader::{Here, Loader},
    model::VarSet,
    pattern::ANY,
    read::word,
};
use crate::{
    arg::Arg,
    diag::Diagnostic,
    template::{LookupCall, lookup_call},
    yaml::{Kind, Node, Resolved, Scalar, Style},
};

/// The variable that takes the place of a lookup.
pub(crate) const FOUND: &str = "_first_found";

/// A task out of which a lookup was taken.
pub(crate) struct Lifted {
    pub(crate) task: Node,
    pub(crate) call: LookupCall,
    /// Where the lookup stood.
    pub(crate) at: Node,
    /// Whether it was the loop of the task.
    pub(crate) looped: bool,
}

/// Takes the lookup `first_found` out of a task's loop or arguments. Only a text that is nothing but the lookup is one.
pub(crate) fn lift(task: &Node, is_module: impl Fn(&str) -> bool) -> Option<Lifted> {
    let entries = task.as_map()?;
    for (at, (key, value)) in entries.iter().enumerate() {
        let name = keys::short(word(key));
        if name == "loop"
            && let Some(call) = first_found(value)
        {
            let mut rest = entries.to_vec();
            let (_, at) = rest.remove(at);
            return Some(Lifted { task: Node { kind: Kind::Map(rest), ..task.clone() }, call, at, looped: true });
        }
        if name != "args" && !is_module(word(key)) {
            continue;
        }
        let Some((value, call, node)) = within(value) else { continue };
        let mut rest = entries.to_vec();
        rest[at].1 = value;
        return Some(Lifted { task: Node { kind: Kind::Map(rest), ..task.clone() }, call, at: node, looped: false });
    }
    None
}

/// The arguments with the variable in the lookup's place, the lookup, and where it stood.
fn within(value: &Node) -> Option<(Node, LookupCall, Node)> {
    if let Some(call) = first_found(value) {
        return Some((variable(value), call, value.clone()));
    }
    let entries = value.as_map()?;
    let (at, call) = entries.iter().enumerate().find_map(|(at, (_, arg))| Some((at, first_found(arg)?)))?;
    let mut rest = entries.to_vec();
    let node = std::mem::replace(&mut rest[at].1, variable(&entries[at].1));
    Some((Node { kind: Kind::Map(rest), ..value.clone() }, call, node))
}

fn first_found(node: &Node) -> Option<LookupCall> {
    let text = node.as_str().filter(|text| text.contains("first_found"))?;
    lookup_call(text).filter(|call| call.name == "first_found")
}

fn variable(node: &Node) -> Node {
    with_text(node, &format!("{{{{ {FOUND} }}}}"))
}

/// The node with another text.
pub(crate) fn with_text(node: &Node, text: &str) -> Node {
    // Folded: a place within the text is none in the file.
    let scalar = Scalar { text: text.to_owned(), style: Style::Folded, value: Resolved::Str };
    Node { kind: Kind::Scalar(scalar), ..node.clone() }
}

/// The patterns of `query('fileglob', …)`, if a text is nothing but that.
pub(crate) fn fileglob(node: &Node) -> Option<Vec<Node>> {
    let text = node.as_str().filter(|text| text.contains("fileglob"))?;
    let call = lookup_call(text).filter(|call| call.name == "fileglob")?;
    call.terms.iter().map(|term| term.as_str().map(|term| with_text(node, term))).collect()
}

impl Loader<'_> {
    /// The files that `with_fileglob` names, as the items of a loop: absolute paths, sorted.
    pub(crate) fn globbed(&mut self, patterns: &[Node], here: &Here, own: &VarSet) -> Arg {
        let mut out = Vec::new();
        for node in patterns {
            let Some(text) = self.text(node, "a pattern of file names") else { continue };
            let pattern = self.pattern(&text, here, own).filter(|p| !p.contains(ANY) && !p.contains(['?', '[']));
            let Some(pattern) = pattern else {
                let problem = node.error("template", "which files this pattern names is not known beforehand");
                self.push(problem.help("use variables of the role or the task only, and no other wildcard than `*`"));
                continue;
            };
            let wild = pattern.replace('*', &ANY.to_string());
            // As Ansible does: the first place that has any.
            let places = here.search.iter().flat_map(|base| [base.join("files"), base.clone()]);
            let found = places.map(|p| self.matching(&p, &wild, FileKind::File)).find(|found| !found.is_empty());
            for (_, path) in found.into_iter().flatten() {
                out.push(Arg::text(self.files.absolute(&path).display().to_string()));
            }
        }
        if out.is_empty()
            && let Some(first) = patterns.first()
        {
            let problem = Diagnostic::warning("no-files", "no file fits").at(first.span, "");
            self.push(problem.note("the task has nothing to do"));
        }
        Arg::List(out)
    }
}
