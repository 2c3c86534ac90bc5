//! Templates and expressions of the playbook: their syntax, and what they read.

use std::{ops::Range, sync::Arc};

use super::{loader::Loader, model::Use};
use crate::{
    diag::{Diagnostic, Span},
    template::{FreeVar, TemplateError, TextKind, check_syntax, free_variables, free_variables_of_expression},
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
