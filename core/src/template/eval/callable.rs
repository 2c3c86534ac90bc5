//! What can be called, and its arguments.

use super::frame::Locals;
use super::{Ev, Frame, Out};
use crate::template::error::{R, Stop, fail};
use crate::template::ir::Macro;
use crate::template::value::{MapRef, V};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// A global function.
pub(crate) type Function = fn(&Ev<'_>, Args) -> R<V>;

/// Things with behaviour: they have no text and no place in a result.
pub(crate) enum Callable {
    Function(&'static str, Function),
    Macro(MacroFn),
    Loop(LoopInfo),
    /// `loop.cycle`, `loop.changed`.
    LoopMethod(Rc<Callable>, &'static str),
    Namespace(MapRef),
    Module(MapRef),
    /// A method taken without being called.
    Method(V, Arc<str>),
    Cycler(Vec<V>, std::cell::Cell<usize>),
    Joiner(V, std::cell::Cell<bool>),
    /// `vars`: every variable of the play.
    AllVars,
}

pub(crate) struct MacroFn {
    pub(crate) decl: Arc<Macro>,
    pub(crate) root: Rc<RefCell<Locals>>,
    pub(crate) scopes: Vec<Locals>,
}

pub(crate) struct LoopInfo {
    pub(crate) index: usize,
    pub(crate) items: Rc<Vec<V>>,
    pub(crate) changed: RefCell<Option<V>>,
}

impl Callable {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Callable::Namespace(_) => "Namespace",
            Callable::Module(_) => "template",
            Callable::Loop(_) => "loop",
            Callable::AllVars => "dict",
            _ => "function",
        }
    }

    pub(crate) fn each_value(&self, each: &mut dyn FnMut(&V)) {
        match self {
            Callable::Namespace(map) => map.entries().iter().for_each(|(_, v)| each(v)),
            Callable::Method(v, _) | Callable::Joiner(v, _) => each(v),
            Callable::Cycler(items, _) => items.iter().for_each(each),
            _ => {}
        }
    }
}

/// The arguments of a call.
#[derive(Default, Clone)]
pub(crate) struct Args {
    pub(crate) pos: Vec<V>,
    pub(crate) named: Vec<(Arc<str>, V)>,
}

impl Args {
    /// Sorts the arguments to the parameters of those names; a name or a number too much is an error.
    pub(crate) fn bind<const N: usize>(self, names: [&str; N]) -> R<[Option<V>; N]> {
        let mut out = [const { None }; N];
        if self.pos.len() > N {
            return fail(format!("takes at most {N} arguments, not {}", self.pos.len()));
        }
        for (slot, value) in out.iter_mut().zip(self.pos) {
            *slot = Some(value);
        }
        for (name, value) in self.named {
            match names.iter().position(|n| **n == *name) {
                Some(i) if out[i].is_some() => return fail(format!("got the argument `{name}` twice")),
                Some(i) => out[i] = Some(value),
                None if N == 0 => return fail(format!("takes no argument `{name}`")),
                None => return fail(format!("takes no argument `{name}`, only {}", names.join(", "))),
            }
        }
        Ok(out)
    }

    /// Checks that there are none.
    pub(crate) fn none(self) -> R<()> {
        self.bind([]).map(|[]| ())
    }

    /// Takes one named argument out.
    pub(crate) fn take_named(&mut self, name: &str) -> Option<V> {
        let i = self.named.iter().position(|(n, _)| **n == *name)?;
        Some(self.named.remove(i).1)
    }

    fn all<'a>(&'a self, value: &'a V) -> impl Iterator<Item = &'a V> {
        std::iter::once(value).chain(&self.pos).chain(self.named.iter().map(|(_, v)| v))
    }

    /// The tasks because of which the value or an argument is not known.
    pub(crate) fn unknown_with(&self, value: &V) -> Option<Vec<u32>> {
        let found: BTreeSet<u32> = crate::small::gather(self.all(value).filter_map(V::unknown_inside).flatten());
        (!found.is_empty()).then(|| found.into_iter().collect())
    }

    /// The first value that does not exist.
    pub(crate) fn first_undefined(&self, value: &V) -> Option<V> {
        self.all(value).find(|v| matches!(v, V::Undef(_))).cloned()
    }
}

impl Ev<'_> {
    /// Calls a value.
    pub(crate) fn call(&self, function: &V, args: Args) -> R<V> {
        self.spend(5)?;
        let callable = match function {
            V::Call(c) => c,
            V::Undef(_) => return Ok(function.clone()),
            V::Unknown(u) => return Err(u.stop()),
            other => return fail(format!("a {} cannot be called", other.type_name())),
        };
        if let Callable::Macro(m) = &**callable {
            return self.nested(|| self.call_macro(m, args));
        }
        let holds_any = matches!(&**callable, Callable::Function("namespace" | "dict", _));
        if let (Some(because), false) = (args.unknown_with(&V::None), holds_any) {
            return Err(Stop::Unknown(because));
        }
        match &**callable {
            Callable::Function(name, f) => {
                if *name != "lookup"
                    && *name != "undef"
                    && let Some(undefined) = args.first_undefined(&V::None)
                {
                    return Ok(undefined);
                }
                f(self, args)
            }
            Callable::LoopMethod(info, method) => self.loop_method(info, method, args),
            Callable::Method(receiver, name) => {
                let result = crate::template::methods::call_value(self, receiver.clone(), name, args)?;
                self.derive_secret(receiver, &result);
                Ok(result)
            }
            Callable::Cycler(items, at) => {
                let i = at.get();
                at.set((i + 1) % items.len().max(1));
                items.get(i).cloned().map_or_else(|| fail("nothing to cycle through"), Ok)
            }
            Callable::Joiner(separator, used) => Ok(if used.replace(true) { separator.clone() } else { V::str("") }),
            other => fail(format!("a {} cannot be called", other.type_name())),
        }
    }

    fn loop_method(&self, info: &Callable, method: &str, args: Args) -> R<V> {
        let Callable::Loop(info) = info else { return fail("not a loop") };
        if method == "cycle" {
            return match args.pos.len() {
                0 => fail("`loop.cycle` needs values"),
                n => Ok(args.pos[info.index % n].clone()),
            };
        }
        let now = V::tuple(args.pos);
        let before = info.changed.replace(Some(now.clone()));
        Ok(V::Bool(match before {
            Some(before) => !self.equal(&before, &now)?,
            None => true,
        }))
    }

    fn call_macro(&self, m: &MacroFn, args: Args) -> R<V> {
        let decl = &m.decl;
        let mut frame = Frame::over(m.root.clone(), m.scopes.clone());
        frame.push();
        let mut named = args.named;
        let mut rest = Vec::new();
        let mut pos = args.pos.into_iter();
        let first_default = decl.args.len() - decl.defaults.len().min(decl.args.len());
        for (i, name) in decl.args.iter().enumerate() {
            let given = pos.next().or_else(|| {
                let at = named.iter().position(|(n, _)| n == name)?;
                Some(named.remove(at).1)
            });
            let value = match given {
                Some(value) => value,
                None if i >= first_default => self.eval(&decl.defaults[i - first_default], &mut frame)?,
                None => V::undef(format!("the macro `{}` was called without `{name}`", decl.name)),
            };
            frame.set(name.clone(), value);
        }
        rest.extend(pos);
        if let Some(at) = named.iter().position(|(n, _)| &**n == "caller") {
            frame.set("caller".into(), named.remove(at).1);
        }
        frame.set("varargs".into(), V::tuple(rest));
        let kwargs = named.into_iter().map(|(k, v)| (crate::template::value::Key::Str(k), v)).collect();
        frame.set("kwargs".into(), V::map(kwargs));
        let mut out = Out::default();
        self.contained(|| {
            self.body(&decl.body, &mut frame, &mut out)?;
            Ok(match out.finish() {
                V::None => V::str(""),
                other => other,
            })
        })
    }
}
