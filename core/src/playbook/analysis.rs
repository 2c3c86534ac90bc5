//! Templates and expressions of the playbook: their syntax, and what they read.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;

use super::{
    files::below,
    loader::{Here, Loader},
    model::Use,
    module::ModuleUse,
};
use crate::{
    arg::Arg,
    diag::{Diagnostic, Span},
    template::{
        FreeVar, TemplateError, TemplateOptions, TextKind, check_syntax, free_variables, free_variables_of_expression,
        free_variables_of_file,
    },
    vault,
    yaml::Node,
};

impl Loader<'_> {
    /// Checks a text's template, if it is one, and notes what it reads.
    pub(crate) fn template(&mut self, node: &Node, uses: &mut Vec<Use>) {
        let (true, Some(scalar)) = (node.is_template(), node.as_scalar()) else { return };
        let text = scalar.text.clone();
        let free = free_variables(&text);
        self.analysed(node, 0, free, check_syntax(&text, &TextKind::Value, &[]), uses);
        if text.contains("varnames") || text.contains("lookup('vars'") || text.contains("lookup(\"vars\"") {
            uses.push(Use { name: Arc::from("vars"), span: node.span, guarded: true });
        }
    }

    /// Checks an expression, which stands at `start` in the node's text, and notes what it reads.
    pub(crate) fn expression(&mut self, node: &Node, text: &str, start: usize, uses: &mut Vec<Use>) {
        let free = free_variables_of_expression(text);
        self.analysed(node, start, free, check_syntax(text, &TextKind::Condition, &[]), uses);
    }

    /// Checks the template file that a task's `src` names, if the name is known already, and notes what it reads.
    pub(crate) fn template_file(&mut self, used: &ModuleUse, here: &Here, uses: &mut Vec<Use>) {
        let (Some(module), Some(Arg::Scalar(src))) = (used.module, used.args.get("src")) else { return };
        if !self.module_info(module).has("_content") {
            return;
        }
        let Some(path) = find(&here.search, "templates", &src.text, |p| self.is_file(p)) else { return };
        let Ok(content) = self.files.read(&path) else { return };
        let name = path.display().to_string();
        let files = self.files.clone();
        let file = match vault::register(files.keyring(), self.map, name, content) {
            Ok(file) => file,
            Err(problem) => {
                let span = used.spans.get("src").map_or(used.word_span, |(_, value)| *value);
                self.push(problem.also(span, "named here"));
                return;
            }
        };
        let text = self.map.shared_text(file);
        let options = template_options(&used.args);
        let at = |range: Range<usize>| Span::new(file, range.start, range.end.max(range.start + 1));
        for error in check_syntax(&text, &TextKind::File(options.clone()), &[]) {
            let span = at(error.span.clone().unwrap_or(0..0));
            self.push(diagnostic(&error, span));
        }
        for var in free_variables_of_file(&text, &options).unwrap_or_default() {
            uses.push(Use { name: Arc::from(var.name), span: at(var.span), guarded: var.guarded });
        }
    }

    fn analysed(
        &mut self,
        node: &Node,
        start: usize,
        free: Result<Vec<FreeVar>, TemplateError>,
        problems: Vec<TemplateError>,
        uses: &mut Vec<Use>,
    ) {
        for error in problems {
            let span = self.place(node, start, error.span.clone());
            self.push(diagnostic(&error, span));
        }
        for var in free.unwrap_or_default() {
            let span = self.place(node, start, Some(var.span));
            uses.push(Use { name: Arc::from(var.name), span, guarded: var.guarded });
        }
    }

    fn place(&self, node: &Node, start: usize, range: Option<Range<usize>>) -> Span {
        range.map_or(node.span, |r| node.inner_span(self.map, r.start + start..r.end.max(r.start + 1) + start))
    }
}

/// The first of the places where a task's file may be, below `folder` or not, that holds.
pub(crate) fn find(search: &[PathBuf], folder: &str, name: &str, holds: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    candidates(search, folder, name).into_iter().find(|p| holds(p))
}

/// Where Ansible looks for a file that a task names, in its order.
pub(crate) fn candidates(search: &[PathBuf], folder: &str, name: &str) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = Vec::new();
    for base in search {
        for path in [below(&base.join(folder), name), below(base, name)] {
            if !out.contains(&path) {
                out.push(path);
            }
        }
    }
    out
}

/// What a task's arguments say about the language of its template.
pub(crate) fn template_options(args: &IndexMap<String, Arg>) -> TemplateOptions {
    let mut options = TemplateOptions::default();
    for (name, slot) in [
        ("variable_start_string", &mut options.variable_start_string),
        ("variable_end_string", &mut options.variable_end_string),
        ("block_start_string", &mut options.block_start_string),
        ("block_end_string", &mut options.block_end_string),
        ("comment_start_string", &mut options.comment_start_string),
        ("comment_end_string", &mut options.comment_end_string),
    ] {
        if let Some(Arg::Scalar(given)) = args.get(name) {
            *slot = given.text.clone();
        }
    }
    options
}

/// A template's error as a problem of the playbook.
pub(crate) fn diagnostic(error: &TemplateError, span: Span) -> Diagnostic {
    use crate::template::ErrorKind;
    let code = match error.kind {
        ErrorKind::UnknownName => "unknown-filter",
        ErrorKind::Unsupported => "unsupported",
        _ => "template",
    };
    let problem = Diagnostic::error(code, error.message.clone()).at(span, "");
    match &error.help {
        Some(help) => problem.help(help.clone()),
        None => problem,
    }
}
