//! Statements.

use super::callable::{Callable, LoopInfo, MacroFn};
use super::{Ev, Frame, Out};
use crate::template::error::{ErrorKind, R, Stop, fail, fail_as};
use crate::template::ir::{Expr, For, Macro, Stmt, Target};
use crate::template::value::{Key, V};
use indexmap::IndexMap;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Templates within templates.
const MAX_LOADS: u32 = 20;

impl Ev<'_> {
    pub(crate) fn body(&self, body: &[Stmt], frame: &mut Frame, out: &mut Out) -> R<()> {
        for stmt in body {
            self.spend(1)?;
            self.stmt(stmt, frame, out)?;
            if frame.parent.is_some() {
                frame.silent = true;
            }
        }
        Ok(())
    }

    fn stmt(&self, stmt: &Stmt, frame: &mut Frame, out: &mut Out) -> R<()> {
        match stmt {
            Stmt::Raw(text) => {
                if !frame.silent {
                    out.raw(self, text)?;
                }
                Ok(())
            }
            Stmt::Emit(expr, span) => {
                if frame.silent {
                    return Ok(());
                }
                self.emit(expr, frame, out).map_err(|stop| located(stop, span))
            }
            Stmt::For(f) => self.nested(|| self.for_loop(f, frame, out)),
            Stmt::If(test, yes, no) => {
                let branch = if self.test(test, frame)? { yes } else { no };
                self.nested(|| self.body(branch, frame, out))
            }
            Stmt::With(assignments, body) => {
                frame.push();
                let result = assignments
                    .iter()
                    .try_for_each(|(target, expr)| {
                        let value = self.eval(expr, frame)?;
                        self.assign(target, value, frame)
                    })
                    .and_then(|()| self.nested(|| self.body(body, frame, out)));
                frame.pop();
                result
            }
            Stmt::Set(target, expr) => {
                let value = self.eval(expr, frame)?;
                self.assign(target, value, frame)
            }
            Stmt::SetBlock(target, filter, body) => {
                let value = self.captured(body, frame)?;
                let value = self.through(filter.as_ref(), value, frame)?;
                self.assign(target, value, frame)
            }
            Stmt::FilterBlock(filter, body) => {
                frame.push();
                let result = self.captured(body, frame);
                frame.pop();
                let text = match result? {
                    unknown @ V::Unknown(_) => unknown,
                    value => V::str(self.text_of_output(&value)?),
                };
                let value = self.through(Some(filter), text, frame)?;
                self.print(value, out)
            }
            Stmt::Block(name, body) => {
                if frame.silent {
                    return Ok(());
                }
                let body = frame.blocks.get(name).and_then(|b| b.first()).unwrap_or(body).clone();
                frame.push();
                let result = self.nested(|| self.body(&body, frame, out));
                frame.pop();
                result
            }
            Stmt::Macro(decl) => {
                let value = self.macro_value(decl, frame);
                frame.set(decl.name.clone(), value);
                Ok(())
            }
            Stmt::CallBlock(call, decl) => {
                let caller = self.macro_value(decl, frame);
                let value = self.call_with_caller(call, caller, frame)?;
                self.print(value, out)
            }
            Stmt::Do(expr) => self.eval(expr, frame).map(drop),
            Stmt::Include(name, optional) => self.include(name, *optional, frame, out),
            Stmt::Extends(name) => {
                let code = self.load(name, frame)?;
                frame.loads += 1;
                frame.parent = code;
                Ok(())
            }
            Stmt::Import(name, target) => {
                let module = self.import(name, frame)?;
                self.assign(target, module, frame)
            }
            Stmt::FromImport(name, names) => {
                let V::Call(module) = self.import(name, frame)? else { return fail("not a template") };
                let Callable::Module(exports) = &*module else { return fail("not a template") };
                for (name, alias) in names {
                    let value = exports.get_str(name);
                    let value = value.unwrap_or_else(|| V::undef(format!("the template does not define `{name}`")));
                    frame.set(alias.clone(), value);
                }
                Ok(())
            }
            Stmt::Unsupported(what, span) => {
                let stop = fail_as::<()>(ErrorKind::Unsupported, format!("{what} is not supported"));
                stop.map_err(|s| located(s, span))
            }
        }
    }

    /// What a body prints, as a value.
    fn captured(&self, body: &[Stmt], frame: &mut Frame) -> R<V> {
        self.contained(|| {
            let mut out = Out::default();
            self.nested(|| self.body(body, frame, &mut out))?;
            Ok(out.finish())
        })
    }

    fn emit(&self, expr: &Expr, frame: &mut Frame, out: &mut Out) -> R<()> {
        match self.eval(expr, frame) {
            Ok(V::Call(c)) if matches!(*c, Callable::Module(_)) => fail("a template cannot be printed"),
            Ok(value) => self.print(value, out),
            // The rest of the text may depend on more tasks: go on and collect them.
            Err(Stop::Unknown(because)) => {
                self.note_unknown(&because);
                Ok(())
            }
            Err(stop) => Err(stop),
        }
    }

    fn print(&self, value: V, out: &mut Out) -> R<()> {
        let result = match &value {
            V::Unknown(u) => Err(u.stop()),
            _ => out.push(self, value),
        };
        match result {
            Err(Stop::Unknown(because)) => {
                self.note_unknown(&because);
                Ok(())
            }
            other => other,
        }
    }

    /// The truth of an expression.
    pub(crate) fn test(&self, expr: &Expr, frame: &mut Frame) -> R<bool> {
        let value = self.eval(expr, frame)?;
        self.force(value)?.truth().map_err(|stop| located(stop, &expr.span))
    }

    fn through(&self, filter: Option<&Expr>, value: V, frame: &mut Frame) -> R<V> {
        match filter {
            Some(filter) => self.filter_block_value(filter, value, frame),
            None => Ok(value),
        }
    }

    fn for_loop(&self, f: &For, frame: &mut Frame, out: &mut Out) -> R<()> {
        if f.recursive {
            return fail_as(ErrorKind::Unsupported, "recursive loops are not supported");
        }
        let value = self.eval(&f.iter, frame)?;
        let mut items = self.iter(&value).map_err(|stop| located(stop, &f.iter.span))?;
        if let Some(filter) = &f.filter {
            let mut kept = Vec::new();
            for item in items {
                frame.push();
                let keep = self.assign(&f.target, item.clone(), frame).and_then(|()| self.test(filter, frame));
                frame.pop();
                if keep? {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.body(&f.otherwise, frame, out);
        }
        let items = Rc::new(items);
        for (index, item) in items.iter().enumerate() {
            self.spend(1)?;
            frame.push();
            let info = LoopInfo { index, items: items.clone(), changed: RefCell::default() };
            frame.set("loop".into(), V::Call(Rc::new(Callable::Loop(info))));
            let result = self.assign(&f.target, item.clone(), frame).and_then(|()| self.body(&f.body, frame, out));
            frame.pop();
            result?;
        }
        Ok(())
    }

    pub(crate) fn assign(&self, target: &Target, value: V, frame: &mut Frame) -> R<()> {
        match target {
            Target::Name(name) => {
                frame.set(name.clone(), value);
                Ok(())
            }
            Target::Unpack(targets) => {
                let items = self.iter(&value)?;
                if items.len() != targets.len() {
                    let (wanted, got) = (targets.len(), items.len());
                    return fail(format!("cannot unpack {got} values into {wanted} names"));
                }
                targets.iter().zip(items).try_for_each(|(t, v)| self.assign(t, v, frame))
            }
            Target::Attr(object, name) => match self.eval(object, frame)? {
                V::Call(c) => match &*c {
                    Callable::Namespace(map) => {
                        map.own().insert(Key::Str(name.clone()), value);
                        Ok(())
                    }
                    _ => fail("only attributes of a `namespace()` can be set"),
                },
                V::Undef(u) => Err(u.stop()),
                V::Unknown(u) => Err(u.stop()),
                _ => fail("only attributes of a `namespace()` can be set"),
            },
        }
    }

    fn macro_value(&self, decl: &Arc<Macro>, frame: &Frame) -> V {
        let function = MacroFn { decl: decl.clone(), root: frame.root.clone(), scopes: frame.snapshot() };
        V::Call(Rc::new(Callable::Macro(function)))
    }

    fn load(&self, name: &Expr, frame: &mut Frame) -> R<Option<Arc<crate::template::ir::Code>>> {
        let value = self.eval(name, frame)?;
        let candidates = match &value {
            V::List(_) | V::Tuple(_) => self.iter(&value)?,
            _ => vec![self.known(value.clone())?],
        };
        let Some(load) = &self.engine.options.load else {
            let message = "including other templates is not supported here";
            return fail_as(ErrorKind::Unsupported, message).map_err(|s| located(s, &name.span));
        };
        if frame.loads >= MAX_LOADS {
            return fail_as(ErrorKind::Limit, "templates include each other too deeply");
        }
        for candidate in &candidates {
            let file = self.text(candidate)?;
            if let Some(text) = load(&file) {
                let mut syntax = (*self.engine.playbook).clone();
                syntax.keep_backslashes = false;
                return self.engine.code(&text, Some(&Arc::new(syntax))).map(Some).map_err(|stop| in_file(stop, &file));
            }
        }
        let names: Vec<String> = candidates.iter().map(|c| self.text(c)).collect::<R<_>>()?;
        fail(format!("there is no template `{}`", names.join("`, `"))).map_err(|s| located(s, &name.span))
    }

    fn include(&self, name: &Expr, optional: bool, frame: &mut Frame, out: &mut Out) -> R<()> {
        let code = match self.load(name, frame) {
            Ok(code) => code,
            Err(Stop::Error(e)) if optional && e.kind == ErrorKind::Value => return Ok(()),
            Err(stop) => return Err(stop),
        };
        let Some(code) = code else { return Ok(()) };
        let mut inner = Frame::over(frame.root.clone(), frame.snapshot());
        inner.push();
        inner.loads = frame.loads + 1;
        let value = self.nested(|| self.contained(|| self.run(&code, &mut inner)))?;
        self.print(value, out)
    }

    fn import(&self, name: &Expr, frame: &mut Frame) -> R<V> {
        let Some(code) = self.load(name, frame)? else { return fail("not a template") };
        let mut inner = Frame::new();
        inner.loads = frame.loads + 1;
        self.nested(|| self.run(&code, &mut inner))?;
        let names: IndexMap<Key, V> =
            inner.root.borrow().iter().map(|(k, v)| (Key::Str(k.clone()), v.clone())).collect();
        let V::Map(exports) = V::map(names) else { return fail("not a template") };
        Ok(V::Call(Rc::new(Callable::Module(exports))))
    }
}

/// Gives an error its place, unless it has a narrower one.
pub(crate) fn located(stop: Stop, span: &std::ops::Range<usize>) -> Stop {
    match stop {
        Stop::Error(mut e) => {
            if e.span.is_none() && e.via.is_empty() {
                e.span = Some(span.clone());
            }
            Stop::Error(e)
        }
        other => other,
    }
}

fn in_file(stop: Stop, file: &str) -> Stop {
    match stop {
        Stop::Error(mut e) => {
            e.span = None;
            e.via.insert(0, file.to_owned());
            Stop::Error(e)
        }
        other => other,
    }
}
