//! The evaluator: one [`Ev`] per evaluation, with its bounds and what it found out on the way.

mod access;
pub(crate) mod callable;
mod expr;
mod frame;
mod ops;
mod stmt;
mod text;

pub(crate) use callable::Args;
pub(crate) use frame::{Frame, Out};

use super::check::file_syntax;
use super::error::{ErrorKind, R, Stop, TemplateError, fail, fail_as, nearest};
use super::ir::{Code, Stmt};
use super::value::{Key, Undef, V};
use super::vars::Vars;
use super::{Engine, TemplateOptions};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// The deepest recursion of expressions, through macros and variables: a bound on the stack.
const MAX_DEPTH: u32 = 220;

/// One evaluation.
pub(crate) struct Ev<'e> {
    pub(crate) engine: &'e Engine,
    pub(crate) vars: &'e Vars,
    fuel: Cell<u64>,
    depth: Cell<u32>,
    /// Texts of variables that are being evaluated, outermost first.
    reading: RefCell<Vec<(Arc<str>, String)>>,
    /// Why a part of the output that was left out is not known.
    unknown: RefCell<BTreeSet<u32>>,
    /// Conditions evaluate `{{ … }}` in their string literals, as Ansible still does.
    pub(crate) render_literals: bool,
}

impl<'e> Ev<'e> {
    pub(crate) fn new(engine: &'e Engine, vars: &'e Vars) -> Self {
        Ev {
            engine,
            vars,
            fuel: Cell::new(engine.options.fuel),
            depth: Cell::new(0),
            reading: RefCell::default(),
            unknown: RefCell::default(),
            render_literals: false,
        }
    }

    pub(crate) fn for_condition(engine: &'e Engine, vars: &'e Vars) -> Self {
        Ev { render_literals: true, ..Ev::new(engine, vars) }
    }

    pub(crate) fn taken_unknown(&self) -> BTreeSet<u32> {
        self.unknown.take()
    }

    pub(crate) fn note_unknown(&self, because: &[u32]) {
        self.unknown.borrow_mut().extend(because);
    }

    /// Runs a part whose output is a value: if a piece of it is not known, neither is the whole.
    pub(crate) fn contained(&self, part: impl FnOnce() -> R<V>) -> R<V> {
        let before = self.unknown.take();
        let result = part();
        let because = self.unknown.replace(before);
        if because.is_empty() { result } else { Ok(super::value::unknown(because.into_iter().collect())) }
    }

    /// Takes `steps` from the budget.
    pub(crate) fn spend(&self, steps: u64) -> R<()> {
        match self.fuel.get().checked_sub(steps) {
            Some(left) => {
                self.fuel.set(left);
                Ok(())
            }
            None => fail_as(ErrorKind::Limit, "the template takes too many steps (does it loop for ever?)"),
        }
    }

    /// Checks the size of a text about to be built, in bytes.
    pub(crate) fn room(&self, bytes: usize) -> R<()> {
        let max = self.engine.options.max_output;
        if bytes > max {
            return fail_as(ErrorKind::Limit, format!("the template builds a text longer than {} MiB", max >> 20));
        }
        self.spend(bytes as u64 / 256)
    }

    pub(crate) fn nested<T>(&self, f: impl FnOnce() -> R<T>) -> R<T> {
        let depth = self.depth.get() + 1;
        if depth > MAX_DEPTH {
            return fail_as(ErrorKind::Limit, "the evaluation is nested too deeply");
        }
        self.depth.set(depth);
        let result = f();
        self.depth.set(depth - 1);
        result
    }

    /// Renders a text of a playbook to a native value.
    pub(crate) fn template_text(&self, text: &str) -> R<V> {
        let code = self.engine.code(text, Some(&self.engine.playbook))?;
        let value = self.run(&code, &mut Frame::new())?;
        self.keep_newlines(text, value, "\n")
    }

    /// The value of a bare expression.
    pub(crate) fn expression_text(&self, text: &str) -> R<V> {
        let code = self.engine.code(text, None)?;
        let [Stmt::Emit(expr, _)] = code.body.as_slice() else {
            return fail("not an expression");
        };
        self.eval(expr, &mut Frame::new())
    }

    /// Renders a template file.
    pub(crate) fn file_text(&self, text: &str, options: &TemplateOptions) -> R<V> {
        let syntax = Arc::new(file_syntax(options));
        let unix;
        let text = if text.contains('\r') {
            unix = text.replace("\r\n", "\n").replace('\r', "\n");
            &unix
        } else {
            text
        };
        let code = self.engine.code(text, Some(&syntax))?;
        let value = self.run(&code, &mut Frame::new())?;
        let value = V::str(self.text_of_output(&value)?);
        let value = if options.keep_trailing_newline { self.keep_newlines(text, value, "\n")? } else { value };
        match value {
            V::Str(s) if options.newline_sequence != "\n" => {
                let s = s.replace('\n', &options.newline_sequence);
                self.room(s.len())?;
                Ok(V::str(s))
            }
            other => Ok(other),
        }
    }

    /// The parser drops a newline at the end of the text; Ansible puts it back.
    fn keep_newlines(&self, text: &str, value: V, newline: &str) -> R<V> {
        let V::Str(s) = &value else { return Ok(value) };
        let count = |t: &str| t.len() - t.trim_end_matches('\n').len();
        match count(text).checked_sub(count(s)) {
            Some(missing) if missing > 0 => Ok(V::str(format!("{s}{}", newline.repeat(missing)))),
            _ => Ok(value),
        }
    }

    /// Runs a template, following `extends`.
    pub(crate) fn run(&self, code: &Arc<Code>, frame: &mut Frame) -> R<V> {
        frame.add_blocks(code);
        let mut out = Out::default();
        self.nested(|| self.body(&code.body, frame, &mut out))?;
        while let Some(parent) = frame.parent.take() {
            self.spend(100)?;
            frame.add_blocks(&parent);
            out = Out::default();
            self.nested(|| self.body(&parent.body, frame, &mut out))?;
        }
        Ok(out.finish())
    }

    /// `when:` and its like.
    pub(crate) fn condition(&self, text: &str) -> R<bool> {
        let text = text.trim();
        if text.is_empty() {
            return fail_as(ErrorKind::NotBoolean, "the condition is empty");
        }
        let mut value =
            if text.starts_with("{{") && text.ends_with("}}") || text.starts_with("{%") && text.ends_with("%}") {
                // A condition that is a template: its text is a condition again.
                match self.template_text(text)? {
                    V::Str(s) => self.expression_text(&s)?,
                    other => other,
                }
            } else {
                self.expression_text(text)?
            };
        value = self.force(value)?;
        match &value {
            V::Bool(b) => Ok(*b),
            V::Undef(u) => Err(u.stop()),
            V::Unknown(u) => Err(u.stop()),
            other => {
                let help = match other {
                    V::Str(_) => "write `… | bool`, or compare it with what you expect",
                    V::List(_) | V::Tuple(_) | V::Map(_) => "write `… | length > 0`",
                    V::None => "write `… is not none`",
                    V::Int(_) | V::Float(_) => "write `… != 0`, or `… | bool`",
                    _ => "write an expression that is true or false",
                };
                let message = format!("the condition gives a {} instead of true or false", other.type_name());
                Err(TemplateError::new(ErrorKind::NotBoolean, message).with_help(help).into())
            }
        }
    }

    /// Evaluates the text of a variable if the value is one.
    pub(crate) fn force(&self, value: V) -> R<V> {
        match value {
            V::Thunk(text) => self.force_named(text, ""),
            other => Ok(other),
        }
    }

    fn force_named(&self, text: Arc<str>, name: &str) -> R<V> {
        if let Some(cycle) = self.cycle(&text, name) {
            return Err(cycle);
        }
        self.reading.borrow_mut().push((text.clone(), name.to_owned()));
        let result = self.nested(|| {
            self.contained(|| {
                let code = self.engine.code(&text, Some(&self.engine.playbook))?;
                let value = self.run(&code, &mut Frame::new())?;
                self.keep_newlines(&text, value, "\n")
            })
        });
        self.reading.borrow_mut().pop();
        if let (true, Ok(value)) = (self.engine.secrets().contains(&text), &result) {
            self.keep_secret(value, 0);
        }
        match result {
            Err(Stop::Error(mut e)) => {
                e.span = None;
                if !name.is_empty() && e.kind != ErrorKind::Cycle {
                    e.via.insert(0, name.to_owned());
                }
                if e.kind == ErrorKind::Undefined {
                    let TemplateError { message, help, via, .. } = *e;
                    return Ok(V::Undef(Rc::new(Undef { message, help, via, span: None, quiet: false })));
                }
                Err(Stop::Error(e))
            }
            Ok(V::Undef(u)) => {
                let mut via = u.via.clone();
                if !name.is_empty() {
                    via.insert(0, name.to_owned());
                }
                let (message, help) = (u.message.clone(), u.help.clone());
                Ok(V::Undef(Rc::new(Undef { message, help, via, span: None, quiet: false })))
            }
            other => other,
        }
    }

    fn cycle(&self, text: &Arc<str>, name: &str) -> Option<Stop> {
        let reading = self.reading.borrow();
        let start = reading.iter().position(|(t, _)| Arc::ptr_eq(t, text))?;
        let mut names: Vec<&str> = reading[start..].iter().map(|(_, n)| n.as_str()).filter(|n| !n.is_empty()).collect();
        names.push(if name.is_empty() { names.first().copied().unwrap_or("") } else { name });
        let message = format!("the variable is defined by itself: `{}`", names.join("` → `"));
        Some(TemplateError::new(ErrorKind::Cycle, message).into())
    }

    /// The value of a variable of the play, evaluated.
    pub(crate) fn variable(&self, name: &str) -> R<Option<V>> {
        let Some(data) = self.vars.get(name) else { return Ok(None) };
        Ok(Some(match V::from_data(data) {
            V::Thunk(text) => self.force_named(text, name)?,
            other => other,
        }))
    }

    /// What becomes of a secret is secret too: its parts, and the text that a text with a secret in it is turned into.
    pub(crate) fn derive_secret(&self, before: &V, after: &V) {
        let secrets = self.engine.secrets();
        let V::Str(text) = before else { return };
        let whole = matches!(after, V::Str(_));
        if !secrets.is_empty() && (secrets.contains(text) || whole && secrets.is_within(text)) {
            self.keep_secret(after, 0);
        }
    }

    fn keep_secret(&self, value: &V, depth: u32) {
        let secrets = self.engine.secrets();
        match value {
            V::Str(text) if !secrets.is_within(text) => secrets.keep(text),
            V::Map(map) if depth < super::value::MAX_NESTING => {
                map.entries().iter().for_each(|(_, v)| self.keep_secret(v, depth + 1));
            }
            V::List(_) | V::Tuple(_) if depth < super::value::MAX_NESTING => {
                value.elements().unwrap_or_default().iter().for_each(|v| self.keep_secret(v, depth + 1));
            }
            _ => {}
        }
    }

    /// The error for a name that nothing defines.
    pub(crate) fn undefined(&self, name: &str, frame: &Frame) -> V {
        let mut names = self.vars.names();
        let locals = frame.names();
        names.extend(locals.iter().map(|l| &**l));
        let help = nearest(name, names.into_iter()).map(|n| format!("did you mean `{n}`?"));
        V::Undef(Rc::new(Undef {
            message: format!("`{name}` is not defined"),
            help,
            via: Vec::new(),
            span: None,
            quiet: false,
        }))
    }

    /// The elements that `for`, filters and tests go through, evaluated.
    pub(crate) fn iter(&self, value: &V) -> R<Vec<V>> {
        let items = match value {
            V::List(_) | V::Tuple(_) => value.elements().unwrap_or_default(),
            V::Map(m) => m.keys().iter().map(Key::to_v).collect(),
            V::Str(s) => s.chars().map(|c| V::str(c.encode_utf8(&mut [0; 4]))).collect(),
            V::Undef(u) => return Err(u.stop()),
            V::Unknown(u) => return Err(u.stop()),
            V::Thunk(_) => return self.iter(&self.force(value.clone())?),
            other => return fail(format!("a {} cannot be iterated over", other.type_name())),
        };
        self.spend(items.len() as u64)?;
        items.into_iter().map(|v| self.known(v)).collect()
    }

    /// The value, evaluated; stops if it is not known.
    pub(crate) fn known(&self, value: V) -> R<V> {
        let value = self.force(value)?;
        match &value {
            V::Unknown(u) => Err(u.stop()),
            _ => Ok(value),
        }
    }
}
