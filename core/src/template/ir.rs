//! The compiled form of a template: owned, shared, names resolved.

use super::filters::FilterFn;
use super::predicates::TestFn;
use std::ops::Range;
use std::sync::Arc;

/// A compiled text.
pub(crate) struct Code {
    pub(crate) body: Vec<Stmt>,
    /// Blocks by name, for `extends`.
    pub(crate) blocks: Vec<(Arc<str>, Arc<Vec<Stmt>>)>,
    /// Filters and tests that do not exist: an error where they are reached, and in `check_syntax`.
    pub(crate) missing: Vec<super::error::TemplateError>,
}

/// Bytes of the original text.
pub(crate) type Span = Range<usize>;

pub(crate) enum Stmt {
    Raw(Arc<str>),
    Emit(Expr, Span),
    For(Box<For>),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    With(Vec<(Target, Expr)>, Vec<Stmt>),
    Set(Target, Expr),
    SetBlock(Target, Option<Expr>, Vec<Stmt>),
    FilterBlock(Expr, Vec<Stmt>),
    Block(Arc<str>, Arc<Vec<Stmt>>),
    Macro(Arc<Macro>),
    CallBlock(Expr, Arc<Macro>),
    Do(Expr),
    Include(Expr, bool),
    Extends(Expr),
    Import(Expr, Target),
    FromImport(Expr, Vec<(Arc<str>, Arc<str>)>),
    Unsupported(&'static str, Span),
}

pub(crate) struct For {
    pub(crate) target: Target,
    pub(crate) iter: Expr,
    pub(crate) filter: Option<Expr>,
    pub(crate) recursive: bool,
    pub(crate) body: Vec<Stmt>,
    pub(crate) otherwise: Vec<Stmt>,
}

/// What is assigned to.
pub(crate) enum Target {
    Name(Arc<str>),
    Unpack(Vec<Target>),
    /// An attribute of a `namespace()`.
    Attr(Expr, Arc<str>),
}

pub(crate) struct Macro {
    pub(crate) name: Arc<str>,
    pub(crate) args: Vec<Arc<str>>,
    /// Of the last arguments.
    pub(crate) defaults: Vec<Expr>,
    pub(crate) body: Vec<Stmt>,
}

pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

pub(crate) enum Kind {
    Const(Const),
    Var(Arc<str>),
    Attr(Box<Expr>, Arc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, [Option<Box<Expr>>; 3]),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Bin(Op, Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(Cmp, Expr)>),
    If(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    /// The operand is absent in a filter block.
    Filter(Arc<str>, Option<FilterFn>, Option<Box<Expr>>, Vec<Arg>),
    Test(Arc<str>, Option<TestFn>, Box<Expr>, Vec<Arg>),
    Call(Box<Expr>, Vec<Arg>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
}

#[derive(Clone)]
pub(crate) enum Const {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Arc<str>),
}

pub(crate) enum Arg {
    Pos(Expr),
    Named(Arc<str>, Expr),
    Star(Expr),
    StarStar(Expr),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
    Concat,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}
