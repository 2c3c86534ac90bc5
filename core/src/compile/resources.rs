//! What is known of a task before its host is contacted: what it touches, and the files it places.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{
    cache::{Cache, SourceFiles, lock},
    included,
    includes::with_found,
    job::Blob,
    render::Static,
};
use crate::{
    arg::{Arg, from_arg},
    diag::{Diagnostic, Span},
    digest::sha256,
    module::{Entity, Instance, Relations},
    plan::{FileRef, Loop},
    playbook::{FileKind, Playbook, TaskDef, Use, candidates, diagnostic, template_options},
    template::{TextKind, check_syntax, free_variables_of_file},
    vault,
};

/// What is known of a task on the hosts that have the same values for what it reads.
#[derive(Default)]
pub(crate) struct Resolved {
    /// `None`: it depends on what only the host knows.
    pub(crate) relations: Option<Relations>,
    pub(crate) files: BTreeMap<String, Vec<FileRef>>,
    /// Templates that those of the files include, by name.
    pub(crate) templates: BTreeMap<String, String>,
    pub(crate) blobs: Vec<(String, Blob)>,
    pub(crate) problems: Vec<Diagnostic>,
    /// What template files read whose names were not known when the playbook was read.
    pub(crate) uses: Vec<Use>,
}

/// The most entries that one `src` folder may have.
const MAX_ENTRIES: usize = 10_000;
/// The most items of a loop that are looked at beforehand.
const MAX_ITEMS: usize = 2_000;

/// Resolves a task. `args` are the values of everything that its arguments and its loop read, or `None` if one of them is known on
/// the host only; `src` are those that `src` reads.
pub(crate) fn resolve(
    playbook: &Playbook,
    cache: &Cache,
    task: &TaskDef,
    args: Option<Map<String, Value>>,
    src: Option<Map<String, Value>>,
) -> Resolved {
    let mut out = Resolved::default();
    let (Some(module), Arg::Map(given)) = (task.module, &task.proto.args) else {
        out.relations = Some(Relations::default());
        return out;
    };
    if let Some(values) = args {
        out.relations = relations(playbook, task, given, &Static::new(values), &mut out.problems);
    }
    let info = playbook.modules.get(module.kind());
    if info.is_some_and(|i| i.places_files()) {
        files(playbook, cache, task, given, src, &mut out);
    }
    out
}

/// The loop's items, if they are known; one nameless item if there is no loop.
fn items(task: &TaskDef, known: &Static) -> Option<Vec<Map<String, Value>>> {
    let Some(looped) = &task.proto.r#loop else { return Some(vec![Map::new()]) };
    let over = known.arg(&looped.over)?.to_value();
    let list = unrolled(looped, over)?;
    let mut out = Vec::new();
    for (at, item) in list.into_iter().take(MAX_ITEMS).enumerate() {
        let mut vars = Map::new();
        vars.insert(looped.var.clone(), item);
        if let Some(index) = &looped.index_var {
            vars.insert(index.clone(), at.into());
        }
        out.push(vars);
    }
    Some(out)
}

/// The items of a loop over this value.
pub(crate) fn unrolled(looped: &Loop, over: Value) -> Option<Vec<Value>> {
    match over {
        Value::Object(map) if looped.dict => {
            Some(map.into_iter().map(|(key, value)| serde_json::json!({"key": key, "value": value})).collect())
        }
        Value::Array(items) if looped.flatten => Some(
            items
                .into_iter()
                .flat_map(|item| match item {
                    Value::Array(inner) => inner,
                    other => vec![other],
                })
                .collect(),
        ),
        Value::Array(items) => Some(items),
        _ => None,
    }
}

fn relations(
    playbook: &Playbook,
    task: &TaskDef,
    given: &IndexMap<String, Arg>,
    known: &Static,
    problems: &mut Vec<Diagnostic>,
) -> Option<Relations> {
    let module = task.module?;
    let mut all = Relations::default();
    // What a task touches does not depend on which of several files it takes.
    let known = &match &task.proto.found {
        Some(found) => with_found(found, known).unwrap_or_else(|| {
            let any = found.known.values().next().cloned().unwrap_or_default();
            known.with(&Map::from_iter([(found.var.clone(), any.into())]))
        }),
        None => known.clone(),
    };
    for item in items(task, known)? {
        let known = &known.with(&item);
        let mut args = IndexMap::new();
        for (name, arg) in given {
            if module.expressions().contains(&name.as_str()) {
                continue;
            }
            if let Some(arg) = known.rendered(arg)? {
                args.insert(name.clone(), arg);
            }
        }
        // What the module says of wrong arguments was reported when the playbook was read, if there is no template in them.
        let info = playbook.modules.get(module.kind())?;
        info.complete(&mut args, given, module);
        match module.instance(&Arg::Map(args)) {
            Ok(instance) => {
                if task.proto.args.has_template() {
                    check(task, &instance, problems);
                }
                let relations = instance.relations();
                all.writes.extend(relations.writes);
                all.needs.extend(relations.needs);
            }
            Err(error) => {
                if task.proto.args.has_template() {
                    let span = error.path.first().and_then(|n| task.arg_spans.get(n)).map_or(task.span, |(_, v)| *v);
                    let message = format!("`{}`: {error}", module.kind());
                    problems.push(
                        Diagnostic::error("wrong-argument", message).at(span, "after its templates are rendered"),
                    );
                }
                return None;
            }
        }
    }
    Some(all)
}

fn check(task: &TaskDef, instance: &Instance, problems: &mut Vec<Diagnostic>) {
    if let Err(words) = instance.validate() {
        problems.push(Diagnostic::error("arguments", words).at(task.span, "after its templates are rendered"));
    }
}

/// The files that `src` names, for every item of the loop.
fn files(
    playbook: &Playbook,
    cache: &Cache,
    task: &TaskDef,
    given: &IndexMap<String, Arg>,
    values: Option<Map<String, Value>>,
    out: &mut Resolved,
) {
    let Some(src) = given.get("src") else { return };
    let remote = given.get("remote_src").and_then(|arg| from_arg::<bool>(arg).ok()).unwrap_or(false);
    if remote {
        return;
    }
    let decrypt = given.get("decrypt").and_then(|arg| from_arg::<bool>(arg).ok()).unwrap_or(true);
    let span = task.arg_spans.get("src").map_or(task.span, |(_, value)| *value);
    let names = values.and_then(|values| {
        let known = Static::new(values);
        let items = if src.has_template() { items(task, &known)? } else { vec![Map::new()] };
        items.iter().map(|item| known.with(item).arg(src)).collect::<Option<Vec<Arg>>>()
    });
    // Which of several is taken only the host knows, and what the others read need not be there.
    let open = names.is_none();
    let names = names.or_else(|| {
        let found = task.proto.found.as_ref().map(|found| found.known.values().map(Arg::text).collect());
        found.or_else(|| (!task.src_choices.is_empty()).then(|| task.src_choices.iter().map(Arg::text).collect()))
    });
    let Some(names) = names else {
        let problem = Diagnostic::error("dynamic-source", "`src` depends on what only the host knows").at(span, "");
        out.problems.push(problem.help(
            "use variables of the playbook or the inventory, or one task for each file with a `when` that says for which hosts it is",
        ));
        return;
    };
    for name in names {
        let Arg::Scalar(name) = name else { continue };
        if out.files.contains_key(&name.text) || name.text.is_empty() {
            continue;
        }
        match source(playbook, cache, task, &name.text, decrypt) {
            Ok(found) => {
                let secret = is_template(playbook, task) && included::templates(playbook, task, &found, span, out);
                out.blobs.extend(found.blobs.iter().cloned());
                if src.has_template() && is_template(playbook, task) {
                    let from = out.uses.len();
                    rendered_name(playbook, task, &found, span, out);
                    out.uses[from..].iter_mut().for_each(|read| read.guarded |= open);
                }
                let mut entries = found.entries.clone();
                entries.iter_mut().for_each(|entry| entry.secret |= secret);
                out.files.insert(name.text, entries);
            }
            Err(words) => {
                let looked: Vec<String> =
                    places(playbook, task, &name.text).iter().map(|p| format!("`{}`", p.display())).collect();
                let problem = Diagnostic::error("missing-file", words.to_string()).at(span, "");
                out.problems.push(problem.note(format!("looked for {}", looked.join(", "))));
            }
        }
    }
}

fn places(playbook: &Playbook, task: &TaskDef, name: &str) -> Vec<PathBuf> {
    let folder = if is_template(playbook, task) { "templates" } else { "files" };
    candidates(&task.search, folder, name)
}

fn is_template(playbook: &Playbook, task: &TaskDef) -> bool {
    task.module.and_then(|m| playbook.modules.get(m.kind())).is_some_and(|i| i.has("_content"))
}

/// Checks a template that was not known when the playbook was read; what it reads is added to what the task reads.
fn rendered_name(playbook: &Playbook, task: &TaskDef, found: &SourceFiles, span: Span, out: &mut Resolved) {
    let Some((_, Blob { path, .. })) = found.blobs.first() else { return };
    let content = playbook.files.read(path).ok().and_then(|c| vault::plain(playbook.files.keyring(), c).ok());
    let Some(text) = content.and_then(|(c, _)| String::from_utf8(c).ok()) else {
        let problem = Diagnostic::error("encoding", format!("the template `{}` is not UTF-8 text", path.display()));
        out.problems.push(problem.at(span, ""));
        return;
    };
    let Arg::Map(args) = &task.proto.args else { return };
    let options = template_options(args);
    for error in check_syntax(&text, &TextKind::File(options.clone()), &[]) {
        let line = error.span.as_ref().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        out.problems.push(diagnostic(&error, span).note(format!("in `{}`, line {line}", path.display())));
    }
    for var in free_variables_of_file(&text, &options).unwrap_or_default() {
        out.uses.push(Use { name: Arc::from(var.name), span, guarded: var.guarded });
    }
}

fn source(
    playbook: &Playbook,
    cache: &Cache,
    task: &TaskDef,
    name: &str,
    decrypt: bool,
) -> Result<Arc<SourceFiles>, Arc<str>> {
    let paths = places(playbook, task, name);
    let found = paths.into_iter().find_map(|p| playbook.files.info(&p).map(|info| (p, info)));
    let Some((path, info)) = found else {
        return Err(Arc::from(format!("the file `{name}` does not exist on this machine")));
    };
    let key = (path, decrypt);
    if let Some(known) = lock(&cache.sources).get(&key) {
        return known.clone();
    }
    let path = &key.0;
    let result = match info.kind {
        FileKind::File => one_file(playbook, path, info.mode, String::new(), decrypt)
            .map(|(entry, blob)| SourceFiles { entries: vec![entry], blobs: vec![blob] }),
        FileKind::Folder => folder(playbook, path, info.mode, decrypt),
        FileKind::Other => Err(format!("`{}` is neither a file nor a folder", path.display())),
    };
    let result = result.map(Arc::new).map_err(Arc::from);
    lock(&cache.sources).insert(key, result.clone());
    result
}

type Placed = (FileRef, (String, Blob));

pub(super) fn one_file(
    playbook: &Playbook,
    path: &std::path::Path,
    mode: u32,
    below: String,
    decrypt: bool,
) -> Result<Placed, String> {
    let files = &playbook.files;
    let unreadable = |e: std::io::Error| format!("cannot read `{}`: {e}", path.display());
    let sealed = decrypt && files.is_vaulted(path).map_err(unreadable)?;
    let (sha256, size) = if sealed {
        let content = files.read(path).map_err(unreadable)?;
        let (plain, _) =
            vault::plain(files.keyring(), content).map_err(|why| format!("cannot open `{}`: {why}", path.display()))?;
        if let Ok(text) = std::str::from_utf8(&plain) {
            files.keyring().keep(text);
        }
        (sha256(&plain), plain.len() as u64)
    } else {
        files.digest(path).map_err(unreadable)?
    };
    let entry = FileRef { below, sha256: Some(sha256.clone()), mode, secret: sealed };
    Ok((entry, (sha256, Blob { path: path.to_path_buf(), size, sealed })))
}

fn folder(playbook: &Playbook, root: &std::path::Path, mode: u32, decrypt: bool) -> Result<SourceFiles, String> {
    let root_entry = FileRef { below: String::new(), sha256: None, mode, secret: false };
    let mut out = SourceFiles { entries: vec![root_entry], blobs: Vec::new() };
    let mut todo = vec![String::new()];
    while let Some(at) = todo.pop() {
        let here = if at.is_empty() { root.to_path_buf() } else { root.join(&at) };
        let mut names =
            playbook.files.list(&here).map_err(|e| format!("cannot read the folder `{}`: {e}", here.display()))?;
        names.sort();
        for name in names {
            let path = here.join(&name);
            let below = if at.is_empty() { name } else { format!("{at}/{name}") };
            let Some(info) = playbook.files.info(&path) else {
                return Err(format!("`{}` is a link to nothing", path.display()));
            };
            match info.kind {
                FileKind::File => {
                    let (entry, blob) = one_file(playbook, &path, info.mode, below, decrypt)?;
                    out.entries.push(entry);
                    out.blobs.push(blob);
                }
                FileKind::Folder => {
                    out.entries.push(FileRef { below: below.clone(), sha256: None, mode: info.mode, secret: false });
                    todo.push(below);
                }
                FileKind::Other => return Err(format!("`{}` is neither a file nor a folder", path.display())),
            }
            if out.entries.len() > MAX_ENTRIES {
                return Err(format!("the folder `{}` has more than {MAX_ENTRIES} entries", root.display()));
            }
        }
    }
    out.entries.sort_by(|a, b| a.below.cmp(&b.below));
    Ok(out)
}

/// The account that a task runs as is one that it needs.
pub(crate) fn with_account(relations: &Relations, account: Option<&str>) -> Relations {
    let mut out = relations.clone();
    out.needs.extend(account.map(|name| Entity::User(name.to_owned())));
    out
}
