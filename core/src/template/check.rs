//! What can be said about a text before anything is evaluated.

use super::error::{ErrorKind, TemplateError};
use super::free::scan;
use super::ir::Code;
use super::lower::{self, Syntax};
use super::source::Delimiters;
use super::{TemplateOptions, calls, playbook_syntax};
use std::borrow::Cow;

/// What kind of text it is.
#[derive(Debug, Clone)]
pub enum TextKind {
    /// A value of a playbook, with `{{ … }}` in it.
    Value,
    /// A bare expression: `when:`, `changed_when:`, `until:`.
    Condition,
    /// A template file.
    File(TemplateOptions),
}

/// Compiles a text of that kind.
pub(crate) fn compile(text: &str, kind: &TextKind) -> Result<Box<Code>, TemplateError> {
    let trimmed = text.trim();
    Ok(Box::new(match kind {
        TextKind::Value => lower::template(text, &playbook_syntax())?,
        TextKind::Condition if trimmed.starts_with("{{") || trimmed.starts_with("{%") => {
            lower::template(text, &playbook_syntax())?
        }
        TextKind::Condition => lower::expression(text)?,
        TextKind::File(options) => {
            let (body, skipped, options) = header(text, options)?;
            let mut e = lower::template(body, &file_syntax(&options));
            if let Err(e) = &mut e {
                e.span = e.span.take().map(|s| s.start + skipped..s.end + skipped);
            }
            e?
        }
    }))
}

/// Every mistake that shows without values: syntax, names of filters, tests and lookups, what is not supported.
///
/// `resolved` names the lookups that the caller's hook answers. Spans are bytes of `text`.
pub fn check_syntax(text: &str, kind: &TextKind, resolved: &[&str]) -> Vec<TemplateError> {
    let code = match compile(text, kind) {
        Ok(code) => code,
        Err(e) => return vec![e],
    };
    let found = scan(&code);
    let mut problems = found.problems;
    problems.extend(found.lookups.into_iter().filter_map(|(name, span)| {
        let short = name.strip_prefix("ansible.builtin.").unwrap_or(&name);
        if resolved.contains(&short) {
            return None;
        }
        let mut e = calls::lookup_problem(&name)?;
        e.span = Some(span);
        Some(e)
    }));
    problems.extend(code.missing);
    problems.sort_by_key(|e| e.span.as_ref().map(|s| s.start));
    problems
}

pub(crate) fn file_syntax(options: &TemplateOptions) -> Syntax {
    let pair = |a: &String, b: &String| (a.clone(), b.clone());
    Syntax {
        delimiters: Delimiters {
            variable: pair(&options.variable_start_string, &options.variable_end_string),
            block: pair(&options.block_start_string, &options.block_end_string),
            comment: pair(&options.comment_start_string, &options.comment_end_string),
        },
        trim_blocks: options.trim_blocks,
        lstrip_blocks: options.lstrip_blocks,
        keep_trailing_newline: false,
        keep_backslashes: false,
    }
}

/// Reads the `#jinja2: name: value, …` line at the head of a template file: the rest, its offset, the options.
pub(crate) fn header<'t>(
    text: &'t str,
    options: &'t TemplateOptions,
) -> Result<(&'t str, usize, Cow<'t, TemplateOptions>), TemplateError> {
    let Some(rest) = text.strip_prefix("#jinja2:") else { return Ok((text, 0, Cow::Borrowed(options))) };
    let (line, body) = rest.split_once('\n').unwrap_or((rest, ""));
    let mut own = options.clone();
    for pair in line.split(',') {
        let wrong = |why: String| {
            let mut e = TemplateError::new(ErrorKind::Syntax, why);
            e.span = Some(0..text.len() - body.len());
            e
        };
        let Some((name, value)) = pair.split_once(':') else {
            return Err(wrong(format!("`{}` in the `#jinja2:` line is not `name: value`", pair.trim())));
        };
        let value = value.trim();
        let truth = match value {
            "True" | "true" | "yes" => Ok(true),
            "False" | "false" | "no" => Ok(false),
            _ => Err(wrong(format!("`{value}` in the `#jinja2:` line is neither True nor False"))),
        };
        let word = value.trim_matches(['\'', '"']).to_owned();
        match name.trim() {
            "trim_blocks" => own.trim_blocks = truth?,
            "lstrip_blocks" => own.lstrip_blocks = truth?,
            "keep_trailing_newline" => own.keep_trailing_newline = truth?,
            "newline_sequence" => own.newline_sequence = super::source::unescape(&word),
            "variable_start_string" => own.variable_start_string = word,
            "variable_end_string" => own.variable_end_string = word,
            "block_start_string" => own.block_start_string = word,
            "block_end_string" => own.block_end_string = word,
            "comment_start_string" => own.comment_start_string = word,
            "comment_end_string" => own.comment_end_string = word,
            other => return Err(wrong(format!("`{other}` in the `#jinja2:` line is not supported"))),
        }
    }
    Ok((body, text.len() - body.len(), Cow::Owned(own)))
}
