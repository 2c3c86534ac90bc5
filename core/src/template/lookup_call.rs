//! A text that is nothing but one lookup: what it looks up, as data.

use serde_json::{Map, Value, json};

use super::ir::{Arg, Const, Expr, Kind, Op, Stmt};
use super::{lower, playbook_syntax};

/// A text such as `{{ lookup('first_found', names) }}`, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupCall {
    /// The lookup's name without its collection.
    pub name: String,
    /// Its terms; what is not a constant is a template again.
    pub terms: Vec<Value>,
    /// Its options, likewise.
    pub options: Map<String, Value>,
}

/// Takes apart a text that is one `lookup`, `query` or `q`, perhaps followed by `| first`; `None` if it is anything else.
pub fn lookup_call(text: &str) -> Option<LookupCall> {
    let text = text.trim();
    let code = lower::template(text, &playbook_syntax()).ok()?;
    let [Stmt::Emit(expr, _)] = code.body.as_slice() else { return None };
    let mut call = expr;
    while let Kind::Filter(name, _, Some(operand), args) = &call.kind
        && &**name == "first"
        && args.is_empty()
    {
        call = operand;
    }
    let Kind::Call(callee, args) = &call.kind else { return None };
    let Kind::Var(function) = &callee.kind else { return None };
    if !matches!(&**function, "lookup" | "query" | "q") {
        return None;
    }
    let Some((Arg::Pos(Expr { kind: Kind::Const(Const::Str(name)), .. }), rest)) = args.split_first() else {
        return None;
    };
    let name = name.strip_prefix("ansible.builtin.").unwrap_or(name).to_owned();
    let mut out = LookupCall { name, terms: Vec::new(), options: Map::new() };
    for arg in rest {
        match arg {
            Arg::Pos(term) => out.terms.push(data(text, term)),
            Arg::Named(key, value) => {
                out.options.insert(key.to_string(), data(text, value));
            }
            Arg::Star(_) | Arg::StarStar(_) => return None,
        }
    }
    Some(out)
}

/// An expression as data, and as a template where it is not constant.
fn data(text: &str, expr: &Expr) -> Value {
    match &expr.kind {
        Kind::Const(Const::None) => Value::Null,
        Kind::Const(Const::Bool(b)) => Value::Bool(*b),
        Kind::Const(Const::Str(s)) => Value::String(s.to_string()),
        Kind::List(items) | Kind::Tuple(items) => items.iter().map(|e| data(text, e)).collect(),
        Kind::Map(pairs) if pairs.iter().all(|(k, _)| matches!(k.kind, Kind::Const(Const::Str(_)))) => {
            let pairs = pairs.iter().map(|(k, v)| match &k.kind {
                Kind::Const(Const::Str(key)) => (key.to_string(), data(text, v)),
                _ => (String::new(), json!(null)),
            });
            Value::Object(pairs.collect())
        }
        Kind::Bin(Op::Concat | Op::Add, left, right) => match (data(text, left), data(text, right)) {
            (Value::String(left), Value::String(right)) => Value::String(left + &right),
            _ => template(text, expr),
        },
        _ => template(text, expr),
    }
}

fn template(text: &str, expr: &Expr) -> Value {
    let source = text.get(start(expr)..expr.span.end).unwrap_or_default();
    Value::String(format!("{{{{ {source} }}}}"))
}

/// Where an expression begins: the span of a filter or an operator is that of its sign and what follows.
fn start(expr: &Expr) -> usize {
    let first = match &expr.kind {
        Kind::Filter(_, _, Some(inner), _)
        | Kind::Test(_, _, inner, _)
        | Kind::Attr(inner, _)
        | Kind::Item(inner, _)
        | Kind::Slice(inner, _)
        | Kind::Bin(_, inner, _)
        | Kind::And(inner, _)
        | Kind::Or(inner, _)
        | Kind::If(_, inner, _)
        | Kind::Call(inner, _)
        | Kind::Compare(inner, _) => inner,
        _ => return expr.span.start,
    };
    start(first).min(expr.span.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookup_is_taken_apart_and_what_is_not_constant_stays_a_template() {
        let call = lookup_call("{{ lookup('ansible.builtin.first_found', params, skip=true) }}").unwrap();
        assert_eq!((call.name.as_str(), call.terms), ("first_found", vec![json!("{{ params }}")]));
        assert_eq!(call.options, *json!({"skip": true}).as_object().unwrap());
        let call = lookup_call(
            "{{ query('first_found', ['a-' ~ ansible_facts.os_family | lower ~ '.yml', {'files': f['x']}]) | first }}",
        )
        .unwrap();
        assert_eq!(call.terms, [json!(["a-{{ ansible_facts.os_family | lower }}.yml", {"files": "{{ f['x'] }}"}])]);
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["x", "{{ x }}", "a{{ lookup('file', 'x') }}", "{{ lookup(name, 'x') }}", "{{ lookup('x') | int }}"]
        {
            assert_eq!(lookup_call(text), None, "{text}");
        }
    }
}
