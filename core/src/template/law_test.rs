//! The law of unknown values: what would differ with the value must be unknown without it.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn leaf() -> impl Strategy<Value = String> {
    let leaves = [
        "u", "u", "u.a", "u['b']", "u[0]", "w.x", "n", "s", "lst", "dct", "dct.k", "lazy", "1", "0", "-2", "2.5",
        "'a'", "'a b'", "''", "true", "false", "none", "[]", "{}", "[1, u]", "{'k': u}", "nowhere", "mixed", "mixed.k",
    ];
    proptest::sample::select(leaves.to_vec()).prop_map(str::to_owned)
}

fn filter() -> impl Strategy<Value = String> {
    // `random`, `shuffle`, `password_hash` and the clock differ from run to run by themselves.
    let own = [
        "default('d')",
        "default('d', true)",
        "d(u)",
        "int",
        "float",
        "string",
        "bool",
        "length",
        "list",
        "first",
        "last",
        "sort",
        "unique",
        "flatten",
        "join(',')",
        "join(u)",
        "upper",
        "trim",
        "replace('a', 'b')",
        "to_json",
        "to_nice_yaml",
        "type_debug",
        "ternary(1, u)",
        "ternary('y', 'n')",
        "dict2items",
        "combine({'z': 1})",
        "combine(u)",
        "map('string') | list",
        "map(attribute='a') | list",
        "select('defined') | list",
        "selectattr('a', 'defined') | list",
        "regex_replace('a', 'b')",
        "regex_search('a')",
        "b64encode",
        "hash",
        "quote",
        "reverse | list",
        "min",
        "max",
        "sum",
        "abs",
        "round",
        "difference([1])",
        "union(u)",
        "zip([1, 2]) | list",
        "from_json",
        "extract(dct)",
        "split",
        "indent(2)",
        "comment",
        "mandatory",
        "format(1)",
        "in_no_table",
    ];
    proptest::sample::select(own.to_vec()).prop_map(str::to_owned)
}

fn test() -> impl Strategy<Value = String> {
    let own = [
        "defined",
        "undefined",
        "none",
        "string",
        "number",
        "mapping",
        "iterable",
        "sequence",
        "truthy",
        "falsy",
        "match('a')",
        "in [1, 'a']",
        "eq(1)",
        "eq(u)",
        "sameas none",
        "changed",
        "failed",
        "contains('a')",
        "subset([1])",
        "version('1', '>')",
        "true",
        "odd",
    ];
    proptest::sample::select(own.to_vec()).prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        let op = proptest::sample::select(vec![
            "+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or",
        ]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
            (inner.clone(), filter()).prop_map(|(a, f)| format!("({a} | {f})")),
            (inner.clone(), test()).prop_map(|(a, t)| format!("({a} is {t})")),
            (inner.clone(), test()).prop_map(|(a, t)| format!("({a} is not {t})")),
            inner.clone().prop_map(|a| format!("(not {a})")),
            inner.clone().prop_map(|a| format!("({a}).a")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{'k': {a}, 'l': {b}}}")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            inner.clone().prop_map(|a| format!("({a})[1:]")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}).get({b}, 1)")),
        ]
    })
}

fn template() -> impl Strategy<Value = String> {
    let one = || expression();
    prop_oneof![
        4 => one().prop_map(|a| format!("{{{{ {a} }}}}")),
        1 => (one(), one()).prop_map(|(a, b)| format!("{{{{ {a} }}}} {{{{ {b} }}}}")),
        1 => (one(), one(), one()).prop_map(|(a, b, c)| format!("{{% if {a} %}}{{{{ {b} }}}}{{% else %}}{{{{ {c} }}}}{{% endif %}}")),
        1 => (one(), one()).prop_map(|(a, b)| format!("{{% for i in {a} %}}{{{{ i }}}}{{% else %}}{{{{ {b} }}}}{{% endfor %}}")),
        1 => (one(), one()).prop_map(|(a, b)| format!("{{% set v = {a} %}}{{{{ [v, {b}] }}}}")),
        1 => (one(), one()).prop_map(|(a, b)| {
            format!("{{% set m = [] %}}{{% if {a} %}}{{% set _ = m.append({b}) %}}{{% endif %}}{{{{ m }}}}")
        }),
        1 => (one(), one()).prop_map(|(a, b)| format!("{{% macro f(p) %}}{{{{ p }}}}{{% endmacro %}}{{{{ f({a}) ~ {b} }}}}")),
        1 => (one(), one()).prop_map(|(a, b)| {
            format!("{{% set ns = namespace(v={a}) %}}{{% for i in [1, 2] %}}{{% set ns.v = [ns.v, {b}] %}}{{% endfor %}}{{{{ ns.v }}}}")
        }),
    ]
}

fn values() -> Vec<Json> {
    vec![
        json!({"a": 1, "b": "x", "changed": true}),
        json!({"a": "a", "b": [1], "failed": true}),
        json!(1),
        json!("a"),
        json!("b c"),
        json!([1, "a"]),
        json!([]),
        json!(null),
        json!(true),
        json!({}),
        json!(2.5),
        json!([{"a": 1}, {"b": 2}]),
    ]
}

fn vars(unknown: Option<&Json>) -> Vars {
    let base = json!({"n": 3, "s": "abc", "lst": [1, "a", 2], "dct": {"k": 1, "a": 2}, "lazy": "{{ u }}", "w": {"x": "{{ u.a }}"}});
    let base = Vars::new(base.as_object().unwrap());
    let u = unknown.map_or_else(|| Data::unknown(&[1]), |v| Data::from_json(v, Trust::Plain));
    let mixed = Data::map([(Arc::from("k"), Data::Int(1)), (Arc::from("a"), u.clone())].into_iter().collect());
    base.with_data("u", u).with_data("mixed", mixed)
}

/// Errors are one result: what they say may name the value.
fn outcome(result: Result<Rendered, TemplateError>) -> Option<Rendered> {
    result.ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(3000), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_would_differ_is_unknown(text in template(), i in 0usize..12, j in 0usize..12) {
        let engine = Engine::new(EngineOptions { fuel: 100_000, ..EngineOptions::default() });
        let all = values();
        let first = outcome(engine.render_value(&text, &vars(Some(&all[i]))));
        let second = outcome(engine.render_value(&text, &vars(Some(&all[j]))));
        let without = engine.render_value(&text, &vars(None));
        let unknown = matches!(without, Ok(Rendered::Unknown(_)));
        if first != second {
            prop_assert!(unknown, "{text}: {first:?} and {second:?}, but without the value {without:?}");
        } else if let Ok(Rendered::Value(v)) = &without {
            // What is said without the value holds with it.
            prop_assert_eq!(first, Some(Rendered::Value(v.clone())), "{}", text);
        }
    }

    #[test]
    fn a_condition_that_would_differ_is_unknown(text in expression(), i in 0usize..12, j in 0usize..12) {
        let engine = Engine::new(EngineOptions { fuel: 100_000, ..EngineOptions::default() });
        let all = values();
        let first = engine.eval_condition(&text, &vars(Some(&all[i]))).ok();
        let second = engine.eval_condition(&text, &vars(Some(&all[j]))).ok();
        let without = engine.eval_condition(&text, &vars(None));
        if first != second {
            prop_assert!(matches!(without, Ok(Tri::Unknown(_))), "{text}: {first:?} and {second:?}, but {without:?}");
        }
    }

    #[test]
    fn any_text_is_an_answer_or_an_error(text in "[{}%#a-c'\"\\\\ |.()\\[\\]0-9,:=~+*-]{0,60}") {
        let engine = Engine::new(EngineOptions { fuel: 20_000, ..EngineOptions::default() });
        let wrapped = format!("{{{{ {text} }}}}");
        for t in [&text, &wrapped] {
            let _ = engine.render_value(t, &vars(None));
            let _ = engine.eval_condition(t, &vars(None));
            for e in check_syntax(t, &TextKind::Value, &[]) {
                if let Some(span) = e.span {
                    prop_assert!(span.start <= span.end && t.get(span.clone()).is_some(), "{t}: {span:?}");
                }
            }
        }
    }
}
