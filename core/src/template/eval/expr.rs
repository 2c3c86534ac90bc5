//! Expressions.

use super::callable::{Args, Callable};
use super::stmt::located;
use super::{Ev, Frame};
use crate::template::error::{R, Stop, fail};
use crate::template::filters::FilterFn;
use crate::template::ir::{Arg, Cmp, Const, Expr, Kind, Op};
use crate::template::lower::unknown_name;
use crate::template::value::{Key, Undef, V, unknown};
use crate::template::{filters, methods, predicates};
use indexmap::IndexMap;
use std::rc::Rc;

/// Filters that accept a value that does not exist.
const TAKES_UNDEFINED: &[&str] = &["default", "d", "mandatory", "type_debug"];

impl Ev<'_> {
    pub(crate) fn eval(&self, expr: &Expr, frame: &mut Frame) -> R<V> {
        self.spend(1)?;
        match self.nested(|| self.kind(expr, frame)) {
            Ok(V::Undef(u)) if u.span.is_none() && u.via.is_empty() => Ok(u.located(&expr.span)),
            Err(stop) => Err(located(stop, &expr.span)),
            value => value,
        }
    }

    /// The value of an operand: evaluated, but perhaps undefined or unknown.
    fn operand(&self, expr: &Expr, frame: &mut Frame) -> R<V> {
        let value = self.eval(expr, frame)?;
        self.force(value)
    }

    /// Each kind has its own function, so that this one, which recurses, needs little stack.
    fn kind(&self, expr: &Expr, frame: &mut Frame) -> R<V> {
        match &expr.kind {
            Kind::Const(c) => self.constant(c),
            Kind::Var(name) => self.name(name, frame),
            Kind::Attr(object, name) => self.attr_expr(object, name, frame),
            Kind::Item(object, index) => self.item_expr(object, index, frame),
            Kind::Slice(object, bounds) => self.slice(object, bounds, frame),
            Kind::Not(e) => self.not_expr(e, frame),
            Kind::Neg(e) => self.negate(&self.operand(e, frame)?),
            Kind::And(a, b) => self.short_circuit(a, b, true, frame),
            Kind::Or(a, b) => self.short_circuit(a, b, false, frame),
            Kind::Bin(op, a, b) => self.bin_expr(*op, a, b, frame),
            Kind::Compare(first, rest) => self.compare_expr(first, rest, frame),
            Kind::If(test, yes, no) => self.if_expr(test, yes, no.as_deref(), frame),
            Kind::Filter(name, function, operand, args) => {
                self.filter_expr(name, *function, operand.as_deref(), args, frame)
            }
            Kind::Test(name, function, operand, args) => self.test_expr(name, *function, operand, args, frame),
            Kind::Call(callee, args) => self.call_expr(callee, args, None, frame),
            Kind::List(items) => self.evals(items, frame).map(V::list),
            Kind::Tuple(items) => self.evals(items, frame).map(V::tuple),
            Kind::Map(pairs) => self.map_expr(pairs, frame),
        }
    }

    fn attr_expr(&self, object: &Expr, name: &str, frame: &mut Frame) -> R<V> {
        let value = self.operand(object, frame)?;
        self.attr(&value, name, object)
    }

    fn item_expr(&self, object: &Expr, index: &Expr, frame: &mut Frame) -> R<V> {
        let value = self.operand(object, frame)?;
        let index = self.operand(index, frame)?;
        self.item(&value, &index, Some(object))
    }

    fn not_expr(&self, e: &Expr, frame: &mut Frame) -> R<V> {
        Ok(V::Bool(!self.test(e, frame)?))
    }

    fn short_circuit(&self, a: &Expr, b: &Expr, and: bool, frame: &mut Frame) -> R<V> {
        let left = self.operand(a, frame)?;
        if left.truth().map_err(|s| located(s, &a.span))? == and { self.operand(b, frame) } else { Ok(left) }
    }

    fn bin_expr(&self, op: Op, a: &Expr, b: &Expr, frame: &mut Frame) -> R<V> {
        let left = unknown_as_value(self.operand(a, frame))?;
        let right = unknown_as_value(self.operand(b, frame))?;
        self.binary(op, &left, &right)
    }

    fn compare_expr(&self, first: &Expr, rest: &[(Cmp, Expr)], frame: &mut Frame) -> R<V> {
        let mut left = unknown_as_value(self.operand(first, frame))?;
        for (cmp, e) in rest {
            let right = unknown_as_value(self.operand(e, frame))?;
            if !self.compare(*cmp, &left, &right)? {
                return Ok(V::Bool(false));
            }
            left = right;
        }
        Ok(V::Bool(true))
    }

    fn if_expr(&self, test: &Expr, yes: &Expr, no: Option<&Expr>, frame: &mut Frame) -> R<V> {
        match (self.test(test, frame)?, no) {
            (true, _) => self.eval(yes, frame),
            (false, Some(no)) => self.eval(no, frame),
            (false, None) => {
                let message = "the inline `if` has no `else` and its condition does not hold".to_owned();
                Ok(V::Undef(Rc::new(Undef { message, help: None, via: Vec::new(), span: None, quiet: true })))
            }
        }
    }

    fn filter_expr(
        &self,
        name: &str,
        f: Option<FilterFn>,
        operand: Option<&Expr>,
        args: &[Arg],
        frame: &mut Frame,
    ) -> R<V> {
        let Some(operand) = operand else { return fail("a filter without a value") };
        let value = self.operand(operand, frame)?;
        self.filter(name, f, value, args, frame)
    }

    fn test_expr(
        &self,
        name: &str,
        f: Option<predicates::TestFn>,
        operand: &Expr,
        args: &[Arg],
        frame: &mut Frame,
    ) -> R<V> {
        let value = self.operand(operand, frame)?;
        let Some(f) = f else { return Err(unknown_name("test", name, predicates::names()).into()) };
        let args = self.args(args, frame)?;
        self.apply_test(name, f, value, args).map(V::Bool)
    }

    fn map_expr(&self, pairs: &[(Expr, Expr)], frame: &mut Frame) -> R<V> {
        let mut map = IndexMap::with_capacity(pairs.len());
        let mut reasons = Reasons::default();
        for (k, v) in pairs {
            let key = reasons.gather(self.operand(k, frame).and_then(|k| k.key().map(|_| k)));
            let key = if reasons.any() { Key::None } else { key?.key()? };
            match reasons.gather(self.eval(v, frame)) {
                Ok(value) => map.insert(key, value),
                Err(stop) => return reasons.end(Err(stop)),
            };
        }
        reasons.end(Ok(V::map(map)))
    }

    fn evals(&self, items: &[Expr], frame: &mut Frame) -> R<Vec<V>> {
        let mut reasons = Reasons::default();
        let values = items.iter().map(|e| reasons.gather(self.eval(e, frame))).collect::<R<Vec<_>>>();
        reasons.end(values)
    }

    fn constant(&self, c: &Const) -> R<V> {
        Ok(match c {
            Const::None => V::None,
            Const::Bool(b) => V::Bool(*b),
            Const::Int(i) => V::Int(*i),
            Const::Float(f) => V::Float(*f),
            Const::Str(s) if self.render_literals && crate::template::may_be_template(s) => {
                self.nested(|| self.template_text(s))?
            }
            Const::Str(s) => V::Str(s.clone()),
        })
    }

    fn name(&self, name: &str, frame: &Frame) -> R<V> {
        if let Some(value) = frame.get(name) {
            return Ok(value);
        }
        if let Some(value) = self.variable(name)? {
            return Ok(value);
        }
        match name {
            "omit" => Ok(V::Omit),
            "vars" => Ok(V::Call(Rc::new(Callable::AllVars))),
            _ => match crate::template::calls::find(name) {
                Some((name, f)) => Ok(V::Call(Rc::new(Callable::Function(name, f)))),
                None => Ok(self.undefined(name, frame)),
            },
        }
    }

    /// Evaluates the arguments of a call.
    pub(crate) fn args(&self, args: &[Arg], frame: &mut Frame) -> R<Args> {
        let mut out = Args::default();
        let mut reasons = Reasons::default();
        let result = args.iter().try_for_each(|arg| self.arg(arg, frame, &mut out, &mut reasons));
        reasons.end(result.map(|()| out))
    }

    fn arg(&self, arg: &Arg, frame: &mut Frame, out: &mut Args, reasons: &mut Reasons) -> R<()> {
        match arg {
            Arg::Pos(e) => out.pos.push(reasons.gather(self.operand(e, frame))?),
            Arg::Named(name, e) => out.named.push((name.clone(), reasons.gather(self.operand(e, frame))?)),
            Arg::Star(e) => {
                let value = self.operand(e, frame)?;
                out.pos.extend(self.iter(&value)?);
            }
            Arg::StarStar(e) => match self.known(self.eval(e, frame)?)? {
                V::Map(m) => {
                    for (k, v) in m.entries() {
                        let Key::Str(name) = k else { return fail("names of arguments must be text") };
                        out.named.push((name, self.force(v)?));
                    }
                }
                other => return fail(format!("`**` needs a dictionary, not a {}", other.type_name())),
            },
        }
        Ok(())
    }

    fn filter(&self, name: &str, f: Option<FilterFn>, value: V, args: &[Arg], frame: &mut Frame) -> R<V> {
        let Some(f) = f else { return Err(unknown_name("filter", name, filters::names()).into()) };
        let args = self.args(args, frame)?;
        self.apply_filter(name, f, value, args)
    }

    /// Runs a filter; unknown and undefined values pass through those that do not accept them.
    pub(crate) fn apply_filter(&self, name: &str, f: FilterFn, value: V, args: Args) -> R<V> {
        self.spend(2)?;
        let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
        if TAKES_UNDEFINED.contains(&short) || short == "ternary" {
            return f(self, value, args);
        }
        // With the value it might fail: so whatever the result is used for is not known either.
        if let Some(because) = args.unknown_with(&value) {
            return Err(Stop::Unknown(because));
        }
        if let Some(undefined) = args.first_undefined(&value) {
            return Ok(undefined);
        }
        let result = f(self, value.clone(), args).map_err(|stop| prefix(stop, short))?;
        if short != "type_debug" {
            self.derive_secret(&value, &result);
        }
        Ok(result)
    }

    pub(crate) fn apply_test(&self, name: &str, f: predicates::TestFn, value: V, args: Args) -> R<bool> {
        self.spend(2)?;
        let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
        if short == "defined" || short == "undefined" {
            let defined = match &value {
                V::Undef(_) => false,
                V::Unknown(u) if !u.exists => return Err(u.stop()),
                _ => true,
            };
            return Ok(defined == (short == "defined"));
        }
        if let Some(because) = args.unknown_with(&value) {
            return Err(Stop::Unknown(because));
        }
        if let Some(V::Undef(u)) = args.first_undefined(&value) {
            return Err(u.stop());
        }
        f(self, value, args).map_err(|stop| prefix(stop, short))
    }

    /// `{% filter … %}` and `{% set x | … %}`: the innermost filter of the chain has no operand.
    pub(crate) fn filter_block_value(&self, expr: &Expr, value: V, frame: &mut Frame) -> R<V> {
        let Kind::Filter(name, f, operand, args) = &expr.kind else { return fail("not a filter") };
        let value = match operand {
            Some(inner) => self.filter_block_value(inner, value, frame)?,
            None => value,
        };
        self.filter(name, *f, value, args, frame)
    }

    /// `{% call … %}`.
    pub(crate) fn call_with_caller(&self, call: &Expr, caller: V, frame: &mut Frame) -> R<V> {
        let Kind::Call(callee, args) = &call.kind else { return fail("not a call") };
        self.call_expr(callee, args, Some(caller), frame)
    }

    fn call_expr(&self, callee: &Expr, args: &[Arg], caller: Option<V>, frame: &mut Frame) -> R<V> {
        if let Kind::Attr(object, name) = &callee.kind {
            if let (Kind::Var(var), None) = (&object.kind, frame.get("self"))
                && &**var == "self"
            {
                return self.block_text(name, frame);
            }
            let receiver = self.operand(object, frame)?;
            let stored = match &receiver {
                // A key named like a method does not hide it, as in Jinja.
                V::Call(_) => true,
                V::Map(m) => m.get_str(name).is_some() && !methods::is_dict_method(name),
                _ => false,
            };
            if !stored {
                let args = self.args(args, frame)?;
                let result = methods::call(self, receiver.clone(), name, args, object)?;
                self.derive_secret(&receiver, &result);
                return Ok(result);
            }
        }
        if let Kind::Var(name) = &callee.kind
            && &**name == "super"
        {
            return fail("`super()` is not supported");
        }
        let function = self.operand(callee, frame)?;
        let mut args = self.args(args, frame)?;
        if let Some(caller) = caller {
            args.named.push(("caller".into(), caller));
        }
        self.call(&function, args)
    }

    fn block_text(&self, name: &str, frame: &mut Frame) -> R<V> {
        let Some(body) = frame.blocks.get(name).and_then(|b| b.first()).cloned() else {
            return fail(format!("there is no block `{name}`"));
        };
        self.contained(|| {
            let mut out = super::Out::default();
            self.body(&body, frame, &mut out)?;
            Ok(out.finish())
        })
    }
}

/// Lets the rest of a list be evaluated after an element that is not known, so that every reason is found.
#[derive(Default)]
struct Reasons(std::collections::BTreeSet<u32>);

impl Reasons {
    fn gather(&mut self, result: R<V>) -> R<V> {
        match result {
            Err(Stop::Unknown(because)) => {
                self.0.extend(because);
                Ok(V::None)
            }
            other => other,
        }
    }

    fn any(&self) -> bool {
        !self.0.is_empty()
    }

    fn end<T>(self, result: R<T>) -> R<T> {
        match result {
            Err(Stop::Unknown(more)) => Err(Stop::Unknown(self.0.into_iter().chain(more).collect())),
            _ if self.any() => Err(Stop::Unknown(self.0.into_iter().collect())),
            other => other,
        }
    }
}

/// Lets both operands be evaluated, so that the reasons of both are known.
fn unknown_as_value(result: R<V>) -> R<V> {
    match result {
        Err(Stop::Unknown(because)) => Ok(unknown(because)),
        other => other,
    }
}

/// Says which filter or test failed.
fn prefix(stop: Stop, name: &str) -> Stop {
    match stop {
        Stop::Error(mut e) if e.kind == crate::template::ErrorKind::Value && e.via.is_empty() => {
            if !e.message.starts_with('`') {
                e.message = format!("`{name}`: {}", e.message);
            }
            Stop::Error(e)
        }
        other => other,
    }
}
