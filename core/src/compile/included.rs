//! Templates that the template of a task includes travel with it.

use std::path::{Path, PathBuf};

use super::{
    cache::SourceFiles,
    job::Blob,
    resources::{Resolved, one_file},
};
use crate::{
    arg::Arg,
    diag::{Diagnostic, Span},
    playbook::{Playbook, TaskDef, Use, candidates, diagnostic, template_options},
    template::{TextKind, check_syntax, free_variables_of_file, included_templates},
    vault,
};

/// The most templates that one includes, directly or not.
const MAX_TEMPLATES: usize = 200;

/// Adds what the template `found` includes, imports and extends, and what that does in turn. Returns whether any of it was encrypted.
pub(super) fn templates(
    playbook: &Playbook,
    task: &TaskDef,
    found: &SourceFiles,
    span: Span,
    out: &mut Resolved,
) -> bool {
    let mut secret = false;
    let Arg::Map(args) = &task.proto.args else { return secret };
    let options = template_options(args);
    let Some((_, Blob { path: first, .. })) = found.blobs.first() else { return secret };
    let folder = first.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut open: Vec<PathBuf> = vec![first.clone()];
    while let Some(path) = open.pop() {
        let content = playbook.files.read(&path).ok().and_then(|c| vault::plain(playbook.files.keyring(), c).ok());
        let text = content.and_then(|(content, _)| String::from_utf8(content).ok());
        let Some(text) = text else { continue };
        if path != *first {
            for error in check_syntax(&text, &TextKind::File(options.clone()), &[]) {
                out.problems.push(diagnostic(&error, span).note(format!("in `{}`", path.display())));
            }
            // It sees what is defined around the place where it is included.
            let read = free_variables_of_file(&text, &options).unwrap_or_default();
            out.uses.extend(read.into_iter().map(|var| Use { name: var.name.into(), span, guarded: true }));
        }
        for one in included_templates(&text, &options).unwrap_or_default() {
            let problem = |code, message: String| {
                Diagnostic::error(code, message).at(span, "").note(format!("in `{}`", path.display()))
            };
            let Some(name) = one.name else {
                let why = "which template is included depends on the host".to_owned();
                out.problems
                    .push(problem("dynamic-source", why).help("write the name, within `{% if %}` where hosts differ"));
                continue;
            };
            if out.templates.contains_key(&name) || out.templates.len() >= MAX_TEMPLATES {
                continue;
            }
            let mut places = candidates(&task.search, "templates", &name);
            places.push(folder.join(&name));
            let there = places.into_iter().find_map(|p| playbook.files.info(&p).map(|info| (p, info)));
            match there.map(|(place, info)| one_file(playbook, &place, info.mode, String::new(), true)) {
                Some(Ok((entry, blob))) => {
                    secret |= entry.secret;
                    out.templates.insert(name, blob.0.clone());
                    open.push(blob.1.path.clone());
                    out.blobs.push(blob);
                }
                Some(Err(words)) => out.problems.push(problem("missing-file", words)),
                None if one.optional => {}
                None => {
                    let why = format!("the template `{name}`, which is included, does not exist on this machine");
                    out.problems.push(problem("missing-file", why));
                }
            }
        }
    }
    secret
}
