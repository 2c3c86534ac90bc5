//! What a text reads without defining it, found without evaluating anything.

use super::check::{TextKind, compile};
use super::error::{ErrorKind, TemplateError};
use super::ir::{Arg, Cmp, Code, Const, Expr, Kind, Macro, Stmt, Target};
use super::lower::unknown_name;
use super::{TemplateOptions, calls, filters, predicates};
use crate::small::gather;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// A variable that a text reads and does not define itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeVar {
    /// Its name: the root of a path such as `a.b[0]`.
    pub name: String,
    /// Where it is read first without a guard, or else first; bytes of the text.
    pub span: Range<usize>,
    /// Whether every use copes with its absence: `x is defined`, `x | default(…)`, or a branch behind such a test.
    pub guarded: bool,
}

/// The variables that a template of a playbook reads, in order of appearance.
///
/// # Errors
/// If the text does not parse; the error's span lies in `text`.
pub fn free_variables(text: &str) -> Result<Vec<FreeVar>, TemplateError> {
    Ok(scan(&*compile(text, &TextKind::Value)?).free())
}

/// The variables that a bare expression reads, as in `when:`.
///
/// # Errors
/// If the text does not parse; the error's span lies in `text`.
pub fn free_variables_of_expression(text: &str) -> Result<Vec<FreeVar>, TemplateError> {
    Ok(scan(&*compile(text, &TextKind::Condition)?).free())
}

/// The variables that a template file reads, in order of appearance.
///
/// # Errors
/// If the text does not parse; the error's span lies in `text`.
pub fn free_variables_of_file(text: &str, options: &TemplateOptions) -> Result<Vec<FreeVar>, TemplateError> {
    Ok(scan(&*compile(text, &TextKind::File(options.clone()))?).free())
}

/// The variables that exist for certain where a condition holds: those that it tests with `is defined`.
///
/// # Errors
/// If the text does not parse; the error's span lies in `text`.
pub fn defined_when_true(condition: &str) -> Result<BTreeSet<String>, TemplateError> {
    let code = compile(condition, &TextKind::Condition)?;
    Ok(match code.body.as_slice() {
        [Stmt::Emit(expr, _)] => established(expr, true).into_iter().map(|n| n.to_string()).collect(),
        _ => BTreeSet::new(),
    })
}

/// Looks through a compiled text.
pub(crate) fn scan(code: &Code) -> Scan {
    let mut scan = Scan { scopes: vec![BTreeSet::new()], ..Scan::default() };
    scan.body(&code.body);
    scan
}

/// What was found in a text.
#[derive(Default)]
pub(crate) struct Scan {
    uses: Vec<FreeVar>,
    /// Lookups with a fixed name.
    pub(crate) lookups: Vec<(String, Range<usize>)>,
    /// Wrong names in `map('…')` and the like, unsupported statements.
    pub(crate) problems: Vec<TemplateError>,
    scopes: Vec<BTreeSet<Arc<str>>>,
    /// Names known to exist here.
    safe: Vec<BTreeSet<Arc<str>>>,
}

impl Scan {
    /// One entry per name.
    pub(crate) fn free(self) -> Vec<FreeVar> {
        let mut out: Vec<FreeVar> = Vec::new();
        let mut index: BTreeMap<String, usize> = BTreeMap::new();
        for found in self.uses {
            match index.get(&found.name) {
                Some(&i) if out[i].guarded && !found.guarded => out[i] = found,
                Some(_) => {}
                None => {
                    index.insert(found.name.clone(), out.len());
                    out.push(found);
                }
            }
        }
        out
    }

    fn define(&mut self, name: &Arc<str>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.clone());
        }
    }

    fn read(&mut self, name: &Arc<str>, span: &Range<usize>, guarded: bool) {
        if self.scopes.iter().any(|s| s.contains(name)) || calls::is_global(name) {
            return;
        }
        let guarded = guarded || self.safe.iter().any(|s| s.contains(name));
        self.uses.push(FreeVar { name: name.to_string(), span: span.clone(), guarded });
    }

    fn scoped(&mut self, f: impl FnOnce(&mut Self)) {
        self.scopes.push(BTreeSet::new());
        f(self);
        self.scopes.pop();
    }

    fn behind(&mut self, names: BTreeSet<Arc<str>>, f: impl FnOnce(&mut Self)) {
        self.safe.push(names);
        f(self);
        self.safe.pop();
    }

    fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Raw(_) => {}
            Stmt::Emit(e, _) | Stmt::Do(e) | Stmt::Include(e, _) | Stmt::Extends(e) => self.expr(e),
            Stmt::For(f) => {
                self.expr(&f.iter);
                self.scoped(|s| {
                    s.target(&f.target);
                    s.define(&"loop".into());
                    if let Some(filter) = &f.filter {
                        s.expr(filter);
                    }
                    s.body(&f.body);
                });
                self.body(&f.otherwise);
            }
            Stmt::If(test, yes, no) => {
                self.expr(test);
                self.behind(established(test, true), |s| s.body(yes));
                self.behind(established(test, false), |s| s.body(no));
            }
            Stmt::With(assignments, body) => self.scoped(|s| {
                for (target, e) in assignments {
                    s.expr(e);
                    s.target(target);
                }
                s.body(body);
            }),
            Stmt::Set(target, e) => {
                self.expr(e);
                self.target(target);
            }
            Stmt::SetBlock(target, filter, body) => {
                self.body(body);
                if let Some(f) = filter {
                    self.expr(f);
                }
                self.target(target);
            }
            Stmt::FilterBlock(filter, body) => {
                self.expr(filter);
                self.scoped(|s| s.body(body));
            }
            Stmt::Block(_, body) => self.scoped(|s| s.body(body)),
            Stmt::Macro(m) => {
                self.define(&m.name);
                self.macro_decl(m);
            }
            Stmt::CallBlock(call, m) => {
                self.expr(call);
                self.macro_decl(m);
            }
            Stmt::Import(e, target) => {
                self.expr(e);
                self.target(target);
            }
            Stmt::FromImport(e, names) => {
                self.expr(e);
                names.iter().for_each(|(_, alias)| self.define(alias));
            }
            Stmt::Unsupported(what, span) => {
                let mut e = TemplateError::new(ErrorKind::Unsupported, format!("{what} is not supported"));
                e.span = Some(span.clone());
                self.problems.push(e);
            }
        }
    }

    fn macro_decl(&mut self, m: &Macro) {
        self.scoped(|s| {
            m.defaults.iter().for_each(|d| s.expr(d));
            m.args.iter().for_each(|a| s.define(a));
            s.body(&m.body);
        });
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => self.define(name),
            Target::Unpack(targets) => targets.iter().for_each(|t| self.target(t)),
            Target::Attr(object, _) => self.expr(object),
        }
    }

    fn expr(&mut self, e: &Expr) {
        self.visit(e, false);
    }

    fn args(&mut self, args: &[Arg]) {
        for arg in args {
            match arg {
                Arg::Pos(e) | Arg::Named(_, e) | Arg::Star(e) | Arg::StarStar(e) => self.expr(e),
            }
        }
    }

    /// `guarded`: the value of `e` may be undefined.
    fn visit(&mut self, e: &Expr, guarded: bool) {
        match &e.kind {
            Kind::Const(_) => {}
            Kind::Var(name) => self.read(name, &e.span, guarded),
            Kind::Attr(object, _) => self.visit(object, guarded),
            Kind::Item(object, index) => {
                self.visit(object, guarded);
                self.visit(index, guarded);
            }
            Kind::Slice(object, bounds) => {
                self.visit(object, guarded);
                bounds.iter().flatten().for_each(|b| self.expr(b));
            }
            Kind::Not(e) | Kind::Neg(e) => self.expr(e),
            Kind::And(a, b) => {
                self.expr(a);
                self.behind(established(a, true), |s| s.expr(b));
            }
            Kind::Or(a, b) => {
                self.expr(a);
                self.behind(established(a, false), |s| s.expr(b));
            }
            Kind::Bin(_, a, b) => {
                self.expr(a);
                self.expr(b);
            }
            Kind::Compare(first, rest) => {
                self.expr(first);
                rest.iter().for_each(|(_, e)| self.expr(e));
            }
            Kind::If(test, yes, no) => {
                self.expr(test);
                self.behind(established(test, true), |s| s.visit(yes, guarded));
                if let Some(no) = no {
                    self.behind(established(test, false), |s| s.visit(no, guarded));
                }
            }
            Kind::Filter(name, _, operand, args) => {
                let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
                let copes = matches!(short, "default" | "d");
                if let Some(operand) = operand {
                    self.visit(operand, guarded || copes);
                }
                self.named_plugin(short, args);
                self.args(args);
            }
            Kind::Test(name, _, operand, args) => {
                let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
                self.visit(operand, matches!(short, "defined" | "undefined"));
                self.args(args);
            }
            Kind::Call(callee, args) => {
                if let Kind::Var(name) = &callee.kind
                    && matches!(&**name, "lookup" | "query" | "q")
                    && let Some(Arg::Pos(Expr { kind: Kind::Const(Const::Str(lookup)), span })) = args.first()
                {
                    self.lookups.push((lookup.to_string(), span.clone()));
                }
                self.visit(callee, guarded);
                self.args(args);
            }
            Kind::List(items) | Kind::Tuple(items) => items.iter().for_each(|e| self.expr(e)),
            Kind::Map(pairs) => {
                for (k, v) in pairs {
                    self.expr(k);
                    self.expr(v);
                }
            }
        }
    }

    /// The filter in `map('…')`, the test in `select('…')` and `selectattr(a, '…')`.
    fn named_plugin(&mut self, filter: &str, args: &[Arg]) {
        let at = match filter {
            "map" | "select" | "reject" => 0,
            "selectattr" | "rejectattr" => 1,
            _ => return,
        };
        let Some(Arg::Pos(Expr { kind: Kind::Const(Const::Str(name)), span })) = args.get(at) else { return };
        let mut problem = match filter {
            "map" if filters::find(name).is_none() => unknown_name("filter", name, filters::names()),
            "map" => return,
            _ if predicates::find(name).is_none() => unknown_name("test", name, predicates::names()),
            _ => return,
        };
        problem.span = Some(span.clone());
        self.problems.push(problem);
    }
}

/// The names that exist for certain where the condition has that truth.
fn established(test: &Expr, truth: bool) -> BTreeSet<Arc<str>> {
    match &test.kind {
        Kind::Test(name, _, operand, _) => {
            let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
            let wanted = if truth { "defined" } else { "undefined" };
            match root(operand) {
                Some(name) if short == wanted => gather([name]),
                // Any other test on it would have failed.
                Some(name) if !matches!(short, "defined" | "undefined") && truth => gather([name]),
                _ => BTreeSet::new(),
            }
        }
        Kind::Not(inner) => established(inner, !truth),
        Kind::And(a, b) if truth => &established(a, true) | &established(b, true),
        Kind::Or(a, b) if !truth => &established(a, false) | &established(b, false),
        Kind::And(a, b) | Kind::Or(a, b) => &established(a, truth) & &established(b, truth),
        // `x | default(false)` holds only where x exists.
        Kind::Filter(name, _, Some(operand), args) if truth && matches!(&**name, "default" | "d") => {
            match (args.first(), root(operand)) {
                (Some(Arg::Pos(Expr { kind: Kind::Const(c), .. })), Some(name)) if is_false(c) => gather([name]),
                (None, Some(name)) => gather([name]),
                _ => BTreeSet::new(),
            }
        }
        Kind::Filter(name, _, Some(operand), _) if matches!(&**name, "bool" | "length" | "count") => {
            established(operand, truth)
        }
        Kind::Compare(first, rest) if truth => match rest.as_slice() {
            [(Cmp::Gt, Expr { kind: Kind::Const(Const::Int(0..)), .. })] => established(first, true),
            _ => BTreeSet::new(),
        },
        _ => BTreeSet::new(),
    }
}

fn is_false(c: &Const) -> bool {
    match c {
        Const::None => true,
        Const::Bool(b) => !b,
        Const::Int(i) => *i == 0,
        Const::Float(f) => *f == 0.0,
        Const::Str(s) => s.is_empty(),
    }
}

fn root(e: &Expr) -> Option<Arc<str>> {
    match &e.kind {
        Kind::Var(name) => Some(name.clone()),
        Kind::Attr(object, _) | Kind::Item(object, _) => root(object),
        _ => None,
    }
}
