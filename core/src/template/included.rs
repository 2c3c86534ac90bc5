//! The templates that a template file includes, imports or extends.

use super::TemplateOptions;
use super::check::{TextKind, compile};
use super::error::TemplateError;
use super::ir::{Const, Expr, Kind, Stmt};

/// A template that another one names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// Its name as it is written; `None` if only an evaluation tells.
    pub name: Option<String>,
    /// Whether it may be missing.
    pub optional: bool,
}

/// What a template file includes, imports or extends itself, in the order in which it is written.
///
/// # Errors
/// If the text does not parse; the error's span lies in `text`.
pub fn included_templates(text: &str, options: &TemplateOptions) -> Result<Vec<Included>, TemplateError> {
    let code = compile(text, &TextKind::File(options.clone()))?;
    let mut out = Vec::new();
    visit(&code.body, &mut out);
    code.blocks.iter().for_each(|(_, body)| visit(body, &mut out));
    let mut seen = Vec::new();
    out.retain(|one| {
        !seen.contains(one) && {
            seen.push(one.clone());
            true
        }
    });
    Ok(out)
}

fn visit(body: &[Stmt], out: &mut Vec<Included>) {
    for stmt in body {
        match stmt {
            Stmt::Include(name, optional) => named(name, *optional, out),
            Stmt::Extends(name) | Stmt::Import(name, _) | Stmt::FromImport(name, _) => named(name, false, out),
            Stmt::For(f) => {
                visit(&f.body, out);
                visit(&f.otherwise, out);
            }
            Stmt::If(_, yes, no) => {
                visit(yes, out);
                visit(no, out);
            }
            Stmt::With(_, body) | Stmt::SetBlock(_, _, body) | Stmt::FilterBlock(_, body) => visit(body, out),
            Stmt::Block(_, body) => visit(body, out),
            Stmt::Macro(m) | Stmt::CallBlock(_, m) => visit(&m.body, out),
            Stmt::Raw(_) | Stmt::Emit(..) | Stmt::Set(..) | Stmt::Do(_) | Stmt::Unsupported(..) => {}
        }
    }
}

fn named(name: &Expr, optional: bool, out: &mut Vec<Included>) {
    match &name.kind {
        Kind::Const(Const::Str(name)) => out.push(Included { name: Some(name.to_string()), optional }),
        // The first that there is: each of them may be missing.
        Kind::List(names) | Kind::Tuple(names) => names.iter().for_each(|name| named(name, true, out)),
        _ => out.push(Included { name: None, optional }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_that_is_named_is_found() {
        let text = "{% extends 'base.j2' %}{% block b %}{% if x %}{% include 'a.j2' ignore missing %}{% endif %}{% endblock %}\
            {% from 'macros.j2' import m %}{% for i in y %}{% include ['c.j2', 'd.j2'] %}{% include name %}{% endfor %}";
        let found = included_templates(text, &TemplateOptions::default()).unwrap();
        let mut told: Vec<(Option<&str>, bool)> = found.iter().map(|i| (i.name.as_deref(), i.optional)).collect();
        told.sort_unstable();
        let some = |name| Some(name);
        let wanted = [
            (None, false),
            (some("a.j2"), true),
            (some("base.j2"), false),
            (some("c.j2"), true),
            (some("d.j2"), true),
            (some("macros.j2"), false),
        ];
        assert_eq!(told, wanted);
    }
}
