//! From the parser's tree, which borrows the text, to ours, which is owned: names of filters and tests are resolved,
//! spans lead back to the original text, string escapes are decoded where Ansible decodes them.

use super::error::{ErrorKind, TemplateError, nearest};
use super::filters;
use super::ir::{Arg, Cmp, Code, Const, Expr, For, Kind, Macro, Op, Span, Stmt, Target};
use super::predicates;
use super::source::{Delimiters, Prepared, prepare, unescape};
use minijinja::machinery::{ast, parse, parse_expr};
use minijinja::syntax::SyntaxConfig;
use std::sync::Arc;

/// The deepest nesting of expressions and statements that is evaluated.
const MAX_DEPTH: u32 = 300;

/// How a text is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Syntax {
    pub(crate) delimiters: Delimiters,
    pub(crate) trim_blocks: bool,
    pub(crate) lstrip_blocks: bool,
    pub(crate) keep_trailing_newline: bool,
    /// Backslashes in the literals of `{{ … }}` are kept as written (playbooks), or decoded (template files).
    pub(crate) keep_backslashes: bool,
}

/// Compiles a template.
pub(crate) fn template(text: &str, syntax: &Syntax) -> Result<Code, TemplateError> {
    let prepared = prepare(text, &syntax.delimiters, false)?;
    let d = &syntax.delimiters;
    let config = SyntaxConfig::builder()
        .variable_delimiters(d.variable.0.clone(), d.variable.1.clone())
        .block_delimiters(d.block.0.clone(), d.block.1.clone())
        .comment_delimiters(d.comment.0.clone(), d.comment.1.clone())
        .trim_blocks(syntax.trim_blocks)
        .lstrip_blocks(syntax.lstrip_blocks)
        .keep_trailing_newline(syntax.keep_trailing_newline)
        .build()
        .map_err(|e| TemplateError::new(ErrorKind::Syntax, e.to_string()))?;
    let tree = parse(&prepared.text, "template", config).map_err(|e| syntax_error(&e, &prepared))?;
    let mut lower = Lower::new(&prepared, syntax.keep_backslashes);
    let body = lower.stmt_list(std::slice::from_ref(&tree))?;
    Ok(Code { body, blocks: lower.blocks, missing: lower.missing })
}

/// Compiles a bare expression, as in `when:`.
pub(crate) fn expression(text: &str) -> Result<Code, TemplateError> {
    let prepared = prepare(text, &Delimiters::default(), true)?;
    let tree = parse_expr(&prepared.text).map_err(|e| syntax_error(&e, &prepared))?;
    let mut lower = Lower::new(&prepared, false);
    let expr = lower.expr(&tree)?;
    let span = expr.span.clone();
    Ok(Code { body: vec![Stmt::Emit(expr, span)], blocks: Vec::new(), missing: lower.missing })
}

fn syntax_error(e: &minijinja::Error, prepared: &Prepared) -> TemplateError {
    let message = e.detail().map_or_else(|| e.kind().to_string(), str::to_owned);
    let mut error = TemplateError::new(ErrorKind::Syntax, message);
    let end = prepared.text.len();
    error.span = Some(match e.range() {
        Some(r) => prepared.original(r.start.min(end))..prepared.original(r.end.min(end)),
        None => prepared.original(end)..prepared.original(end),
    });
    error
}

struct Lower<'p> {
    prepared: &'p Prepared,
    keep_backslashes: bool,
    /// Whether the expression at hand stands in `{{ … }}`.
    in_output: bool,
    depth: u32,
    blocks: Vec<(Arc<str>, Arc<Vec<Stmt>>)>,
    missing: Vec<TemplateError>,
}

type L<T> = Result<T, TemplateError>;

impl<'p> Lower<'p> {
    fn new(prepared: &'p Prepared, keep_backslashes: bool) -> Self {
        Lower { prepared, keep_backslashes, in_output: false, depth: 0, blocks: Vec::new(), missing: Vec::new() }
    }

    fn span(&self, s: minijinja::machinery::Span) -> Span {
        self.prepared.original(s.start_offset as usize)..self.prepared.original(s.end_offset as usize)
    }

    fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> L<T>) -> L<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(TemplateError::new(ErrorKind::Limit, "the template is nested too deeply"));
        }
        let result = f(self);
        self.depth -= 1;
        result
    }

    fn stmt_list(&mut self, stmts: &[ast::Stmt<'_>]) -> L<Vec<Stmt>> {
        let mut out = Vec::with_capacity(stmts.len());
        self.deeper(|l| {
            for s in stmts {
                l.stmt(s, &mut out)?;
            }
            Ok(())
        })?;
        Ok(out)
    }

    fn stmt(&mut self, stmt: &ast::Stmt<'_>, out: &mut Vec<Stmt>) -> L<()> {
        let lowered = match stmt {
            ast::Stmt::Template(t) => {
                for s in &t.children {
                    self.stmt(s, out)?;
                }
                return Ok(());
            }
            ast::Stmt::EmitExpr(e) => {
                self.in_output = true;
                let expr = self.expr(&e.expr);
                self.in_output = false;
                Stmt::Emit(expr?, self.span(e.span()))
            }
            ast::Stmt::EmitRaw(r) => Stmt::Raw(r.raw.into()),
            ast::Stmt::ForLoop(f) => Stmt::For(Box::new(For {
                target: self.target(&f.target)?,
                iter: self.expr(&f.iter)?,
                filter: f.filter_expr.as_ref().map(|e| self.expr(e)).transpose()?,
                recursive: f.recursive,
                body: self.stmt_list(&f.body)?,
                otherwise: self.stmt_list(&f.else_body)?,
            })),
            ast::Stmt::IfCond(i) => {
                Stmt::If(self.expr(&i.expr)?, self.stmt_list(&i.true_body)?, self.stmt_list(&i.false_body)?)
            }
            ast::Stmt::WithBlock(w) => {
                let assignments =
                    w.assignments.iter().map(|(t, e)| Ok((self.target(t)?, self.expr(e)?))).collect::<L<Vec<_>>>()?;
                Stmt::With(assignments, self.stmt_list(&w.body)?)
            }
            ast::Stmt::Set(s) => Stmt::Set(self.target(&s.target)?, self.expr(&s.expr)?),
            ast::Stmt::SetBlock(s) => Stmt::SetBlock(
                self.target(&s.target)?,
                s.filter.as_ref().map(|f| self.expr(f)).transpose()?,
                self.stmt_list(&s.body)?,
            ),
            ast::Stmt::AutoEscape(a) => Stmt::Unsupported("`autoescape`", self.span(a.span())),
            ast::Stmt::FilterBlock(f) => Stmt::FilterBlock(self.expr(&f.filter)?, self.stmt_list(&f.body)?),
            ast::Stmt::Block(b) => {
                let body = Arc::new(self.stmt_list(&b.body)?);
                let name: Arc<str> = b.name.into();
                self.blocks.push((name.clone(), body.clone()));
                Stmt::Block(name, body)
            }
            ast::Stmt::Macro(m) => Stmt::Macro(self.macro_decl(m)?),
            ast::Stmt::CallBlock(c) => {
                let call = self.call(&c.call)?;
                Stmt::CallBlock(call, self.macro_decl(&c.macro_decl)?)
            }
            ast::Stmt::Do(d) => Stmt::Do(self.call(&d.call)?),
            ast::Stmt::Include(i) => Stmt::Include(self.expr(&i.name)?, i.ignore_missing),
            ast::Stmt::Extends(e) => Stmt::Extends(self.expr(&e.name)?),
            ast::Stmt::Import(i) => Stmt::Import(self.expr(&i.expr)?, self.target(&i.name)?),
            ast::Stmt::FromImport(f) => {
                let mut names = Vec::new();
                for (name, alias) in &f.names {
                    let name = self.name(name)?;
                    let alias = alias.as_ref().map(|a| self.name(a)).transpose()?;
                    names.push((name.clone(), alias.unwrap_or(name)));
                }
                Stmt::FromImport(self.expr(&f.expr)?, names)
            }
        };
        out.push(lowered);
        Ok(())
    }

    fn macro_decl(&mut self, m: &ast::Macro<'_>) -> L<Arc<Macro>> {
        Ok(Arc::new(Macro {
            name: m.name.into(),
            args: m.args.iter().map(|a| self.name(a)).collect::<L<_>>()?,
            defaults: self.exprs(&m.defaults)?,
            body: self.stmt_list(&m.body)?,
        }))
    }

    fn name(&mut self, e: &ast::Expr<'_>) -> L<Arc<str>> {
        match e {
            ast::Expr::Var(v) => Ok(v.id.into()),
            _ => Err(TemplateError::new(ErrorKind::Syntax, "expected a name")),
        }
    }

    fn target(&mut self, e: &ast::Expr<'_>) -> L<Target> {
        match e {
            ast::Expr::Var(v) => Ok(Target::Name(v.id.into())),
            ast::Expr::List(l) => Ok(Target::Unpack(l.items.iter().map(|t| self.target(t)).collect::<L<_>>()?)),
            ast::Expr::Tuple(l) => Ok(Target::Unpack(l.items.iter().map(|t| self.target(t)).collect::<L<_>>()?)),
            ast::Expr::GetAttr(a) => Ok(Target::Attr(self.expr(&a.expr)?, a.name.into())),
            _ => Err(TemplateError::new(ErrorKind::Syntax, "this cannot be assigned to")),
        }
    }

    fn exprs(&mut self, list: &[ast::Expr<'_>]) -> L<Vec<Expr>> {
        list.iter().map(|e| self.expr(e)).collect()
    }

    fn boxed(&mut self, e: &ast::Expr<'_>) -> L<Box<Expr>> {
        self.expr(e).map(Box::new)
    }

    fn maybe(&mut self, e: Option<&ast::Expr<'_>>) -> L<Option<Box<Expr>>> {
        e.map(|e| self.boxed(e)).transpose()
    }

    fn expr(&mut self, e: &ast::Expr<'_>) -> L<Expr> {
        self.deeper(|l| Ok(Expr { kind: l.kind(e)?, span: l.span(e.span()) }))
    }

    /// Each kind has its own function, so that this one, which recurses, needs little stack.
    fn kind(&mut self, e: &ast::Expr<'_>) -> L<Kind> {
        match e {
            ast::Expr::Var(v) => Ok(Kind::Var(v.id.into())),
            ast::Expr::Const(c) => self.constant(&c.value).map(Kind::Const),
            ast::Expr::Slice(s) => self.slice(s),
            ast::Expr::UnaryOp(u) => self.unary(u),
            ast::Expr::BinOp(b) => self.binary(b),
            ast::Expr::Compare(c) => self.compare(c),
            ast::Expr::IfExpr(i) => self.inline_if(i),
            ast::Expr::Filter(f) => self.filter(f),
            ast::Expr::Test(t) => self.test(t),
            ast::Expr::GetAttr(a) => Ok(Kind::Attr(self.boxed(&a.expr)?, a.name.into())),
            ast::Expr::GetItem(i) => self.item(i),
            ast::Expr::Call(c) => self.call(c).map(|e| e.kind),
            ast::Expr::List(l) => self.exprs(&l.items).map(Kind::List),
            ast::Expr::Tuple(t) => self.exprs(&t.items).map(Kind::Tuple),
            ast::Expr::Map(m) => self.map(m),
        }
    }

    fn slice(&mut self, s: &ast::Slice<'_>) -> L<Kind> {
        let object = self.boxed(&s.expr)?;
        let bounds = [self.maybe(s.start.as_ref())?, self.maybe(s.stop.as_ref())?, self.maybe(s.step.as_ref())?];
        Ok(Kind::Slice(object, bounds))
    }

    fn unary(&mut self, u: &ast::UnaryOp<'_>) -> L<Kind> {
        let operand = self.boxed(&u.expr)?;
        Ok(match u.op {
            ast::UnaryOpKind::Not => Kind::Not(operand),
            ast::UnaryOpKind::Neg => Kind::Neg(operand),
        })
    }

    fn compare(&mut self, c: &ast::Compare<'_>) -> L<Kind> {
        let first = self.boxed(&c.expr)?;
        let rest = c.ops.iter().map(|o| Ok((comparison(o.op), self.expr(&o.expr)?))).collect::<L<_>>()?;
        Ok(Kind::Compare(first, rest))
    }

    fn inline_if(&mut self, i: &ast::IfExpr<'_>) -> L<Kind> {
        let test = self.boxed(&i.test_expr)?;
        let yes = self.boxed(&i.true_expr)?;
        Ok(Kind::If(test, yes, self.maybe(i.false_expr.as_ref())?))
    }

    fn filter(&mut self, f: &ast::Spanned<ast::Filter<'_>>) -> L<Kind> {
        let found = filters::find(f.name);
        if found.is_none() {
            self.report("filter", f.name, f.span(), filters::names());
        }
        let operand = self.maybe(f.expr.as_ref())?;
        Ok(Kind::Filter(f.name.into(), found, operand, self.args(&f.args)?))
    }

    fn test(&mut self, t: &ast::Spanned<ast::Test<'_>>) -> L<Kind> {
        let found = predicates::find(t.name);
        if found.is_none() {
            self.report("test", t.name, t.span(), predicates::names());
        }
        let operand = self.boxed(&t.expr)?;
        Ok(Kind::Test(t.name.into(), found, operand, self.args(&t.args)?))
    }

    fn item(&mut self, i: &ast::GetItem<'_>) -> L<Kind> {
        let object = self.boxed(&i.expr)?;
        Ok(Kind::Item(object, self.boxed(&i.subscript_expr)?))
    }

    fn map(&mut self, m: &ast::Map<'_>) -> L<Kind> {
        let pairs = m.keys.iter().zip(&m.values);
        Ok(Kind::Map(pairs.map(|(k, v)| Ok((self.expr(k)?, self.expr(v)?))).collect::<L<_>>()?))
    }

    fn binary(&mut self, b: &ast::BinOp<'_>) -> L<Kind> {
        use ast::BinOpKind as B;
        let left = self.boxed(&b.left)?;
        let right = self.boxed(&b.right)?;
        Ok(match b.op {
            B::ScAnd => Kind::And(left, right),
            B::ScOr => Kind::Or(left, right),
            B::Add => Kind::Bin(Op::Add, left, right),
            B::Sub => Kind::Bin(Op::Sub, left, right),
            B::Mul => Kind::Bin(Op::Mul, left, right),
            B::Div => Kind::Bin(Op::Div, left, right),
            B::FloorDiv => Kind::Bin(Op::FloorDiv, left, right),
            B::Rem => Kind::Bin(Op::Rem, left, right),
            B::Pow => Kind::Bin(Op::Pow, left, right),
            B::Concat => Kind::Bin(Op::Concat, left, right),
            B::Eq => Kind::Compare(left, vec![(Cmp::Eq, *right)]),
            B::Ne => Kind::Compare(left, vec![(Cmp::Ne, *right)]),
            B::Lt => Kind::Compare(left, vec![(Cmp::Lt, *right)]),
            B::Lte => Kind::Compare(left, vec![(Cmp::Le, *right)]),
            B::Gt => Kind::Compare(left, vec![(Cmp::Gt, *right)]),
            B::Gte => Kind::Compare(left, vec![(Cmp::Ge, *right)]),
            B::In => Kind::Compare(left, vec![(Cmp::In, *right)]),
        })
    }

    fn call(&mut self, c: &ast::Spanned<ast::Call<'_>>) -> L<Expr> {
        let callee = self.boxed(&c.expr)?;
        Ok(Expr { kind: Kind::Call(callee, self.args(&c.args)?), span: self.span(c.span()) })
    }

    fn args(&mut self, args: &[ast::CallArg<'_>]) -> L<Vec<Arg>> {
        args.iter()
            .map(|a| {
                Ok(match a {
                    ast::CallArg::Pos(e) => Arg::Pos(self.expr(e)?),
                    ast::CallArg::Kwarg(name, e) => Arg::Named((*name).into(), self.expr(e)?),
                    ast::CallArg::PosSplat(e) => Arg::Star(self.expr(e)?),
                    ast::CallArg::KwargSplat(e) => Arg::StarStar(self.expr(e)?),
                })
            })
            .collect()
    }

    fn constant(&mut self, v: &minijinja::Value) -> L<Const> {
        use minijinja::value::ValueKind;
        Ok(match v.kind() {
            ValueKind::None => Const::None,
            ValueKind::Bool => Const::Bool(v.is_true()),
            ValueKind::Number => match i128::try_from(v.clone()) {
                Ok(i) if v.is_integer() => Const::Int(i),
                _ => Const::Float(f64::try_from(v.clone()).unwrap_or(f64::NAN)),
            },
            _ => {
                let raw = v.as_str().unwrap_or_default();
                let keep = self.keep_backslashes && self.in_output;
                Const::Str(if keep || !raw.contains('\\') { raw.into() } else { unescape(raw).into() })
            }
        })
    }

    fn report<'n>(
        &mut self,
        what: &str,
        name: &str,
        span: minijinja::machinery::Span,
        names: impl Iterator<Item = &'n str>,
    ) {
        let mut e = unknown_name(what, name, names);
        e.span = Some(self.span(span));
        self.missing.push(e);
    }
}

/// The error for a filter, test, function or lookup that does not exist.
pub(crate) fn unknown_name<'n>(what: &str, name: &str, names: impl Iterator<Item = &'n str>) -> TemplateError {
    let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
    let e = TemplateError::new(ErrorKind::UnknownName, format!("there is no {what} `{name}`"));
    match nearest(short, names) {
        Some(near) => e.with_help(format!("did you mean `{near}`?")),
        None => e,
    }
}

fn comparison(op: ast::CompareOpKind) -> Cmp {
    match op {
        ast::CompareOpKind::Eq => Cmp::Eq,
        ast::CompareOpKind::Ne => Cmp::Ne,
        ast::CompareOpKind::Lt => Cmp::Lt,
        ast::CompareOpKind::Lte => Cmp::Le,
        ast::CompareOpKind::Gt => Cmp::Gt,
        ast::CompareOpKind::Gte => Cmp::Ge,
        ast::CompareOpKind::In => Cmp::In,
        ast::CompareOpKind::NotIn => Cmp::NotIn,
    }
}
