use super::*;
use serde_json::json;

fn vars() -> Vars {
    let base = json!({
        "x": 5, "name": "web", "yes_text": "yes", "users": [{"name": "ann", "uid": 1}, {"name": "bob", "uid": 2}],
        "a": "{{ b }}", "b": "{{ c }}", "c": 7,
        "loop1": "{{ loop2 }}", "loop2": "{{ loop1 }}",
        "self_ref": {"k": "{{ self_ref.k }}"},
        "lazy": {"bad": "{{ nowhere }}", "good": "{{ x + 1 }}"},
        "nothing": null, "l": [1, 2, 3], "d": {"k": "v"},
    });
    Vars::new(base.as_object().unwrap()).with_unknown("reg", &[3, 9]).with_unknown("other", &[4])
}

fn engine() -> Engine {
    Engine::new(EngineOptions::default())
}

fn value(text: &str) -> Json {
    match engine().render_value(text, &vars()) {
        Ok(Rendered::Value(v)) => v,
        other => panic!("{text}: {other:?}"),
    }
}

fn error(text: &str) -> TemplateError {
    match engine().render_value(text, &vars()) {
        Err(e) => e,
        other => panic!("{text}: {other:?}"),
    }
}

fn tri(text: &str) -> Tri {
    engine().eval_condition(text, &vars()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn file(text: &str) -> String {
    match engine().render_text(text, "t.j2", &vars(), &TemplateOptions::default()) {
        Ok(Rendered::Value(Json::String(s))) => s,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn one_expression_keeps_its_type_and_concatenation_is_text() {
    assert_eq!(value("{{ x }}"), json!(5));
    assert_eq!(value("{{ x }}{{ x }}"), json!("55"));
    assert_eq!(value("{% set y = l %}{{ y }}"), json!([1, 2, 3]));
    assert_eq!(value("no template"), json!("no template"));
    assert_eq!(value("a{{ none }}b"), json!("ab"));
}

#[test]
fn variables_are_rendered_recursively_and_lazily() {
    assert_eq!(value("{{ a }}"), json!(7));
    assert_eq!(value("{{ lazy.good }}"), json!(6));
    assert_eq!(value("{{ lazy.bad | default('d') }}"), json!("d"));
}

#[test]
fn a_cycle_is_named() {
    let e = error("{{ loop1 }}");
    assert_eq!(e.kind, ErrorKind::Cycle);
    assert_eq!(e.message, "the variable is defined by itself: `loop1` → `loop2` → `loop1`");
    assert_eq!(error("{{ self_ref.k }}").kind, ErrorKind::Cycle);
}

#[test]
fn undefined_survives_attributes_and_default_and_nothing_else() {
    assert_eq!(value("{{ p.q.r | default('d') }}"), json!("d"));
    assert_eq!(value("{{ users[9].name | default('d') }}"), json!("d"));
    assert_eq!(value("{{ p.q is defined }}"), json!(false));
    for text in [
        "{{ missing == 'x' }}",
        "{{ missing | int }}",
        "{{ not missing }}",
        "{{ missing | join(',') }}",
        "{{ [missing] }}",
    ] {
        assert_eq!(error(text).kind, ErrorKind::Undefined, "{text}");
    }
}

#[test]
fn errors_point_at_the_text_and_suggest() {
    let e = error("ab {{ nmae }}");
    assert_eq!((e.message.as_str(), e.span.clone()), ("`nmae` is not defined", Some(6..10)));
    assert_eq!(e.help.as_deref(), Some("did you mean `name`?"));
    let e = error("{{ users[0].nane.x }}");
    assert_eq!(e.message, "`users[0]` has no key `nane`");
    assert_eq!(e.help.as_deref(), Some("did you mean `name`?"));
    let e = error("{{ 'a\\'b\\\\' ~ nmae }}");
    assert_eq!(e.span, Some(14..18));
    assert_eq!(error("{{ lazy.bad }}").message, "`nowhere` is not defined");
    assert_eq!(error("{{ 1 + }}").kind, ErrorKind::Syntax);
}

#[test]
fn unknown_taints_what_depends_on_it() {
    let all = [
        "{{ reg }}",
        "{{ reg.stdout }}",
        "{{ reg.stdout == 'a' }}",
        "{{ reg | length }}",
        "{{ reg.rc + 1 }}",
        "x{{ reg.stdout }}y",
        "{% for i in reg.results %}{{ i }}{% endfor %}",
        "{% if reg.changed %}a{% endif %}",
        "{{ [reg] | first }}",
        "{{ {'a': reg.x}.a }}",
        "{{ reg is changed }}",
        "{{ not reg.failed }}",
        "{{ 1 if reg.rc == 0 else 2 }}",
        "{{ -reg.rc }}",
        "{{ reg.stdout.split(',') }}",
        "{{ 'a' in reg.stdout }}",
        "{{ reg.stdout is defined }}",
        "{{ l[reg.rc] }}",
        "{{ [1, reg.rc] | sort }}",
        "{{ reg.stdout | default('a') }}",
        "{{ 'a' | ternary(reg.a, 'b') }}",
        "{{ l | map('int', reg.a) | list }}",
        "{% set m = [] %}{% set _ = m.append(reg.rc) %}{{ m | length }}",
        "{{ '%s' % reg.rc }}",
        "{{ '{}'.format(reg.rc) }}",
        "{{ lookup('vars', reg.name) }}",
        "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(reg) }}",
        "{{ reg.rc | type_debug }}",
        "{% set ns = namespace(a=reg.rc) %}{{ ns.a }}",
        "{{ [3, reg.rc] == [4, 5] }}",
        "{{ range(reg.n) }}",
        "{{ reg.a ~ 'b' }}",
    ];
    for text in all {
        assert_eq!(engine().render_value(text, &vars()).unwrap(), Rendered::Unknown(vec![3, 9]), "{text}");
    }
    let both = engine().render_value("{{ reg.a }} {{ other.b }}", &vars()).unwrap();
    assert_eq!(both, Rendered::Unknown(vec![3, 4, 9]));
    assert_eq!(engine().render_value("{{ reg.a + other.b }}", &vars()).unwrap(), Rendered::Unknown(vec![3, 4, 9]));
}

#[test]
fn unknown_does_not_taint_what_does_not_depend_on_it() {
    assert_eq!(tri("reg is defined"), Tri::True);
    assert_eq!(tri("reg is undefined"), Tri::False);
    assert_eq!(tri("false and reg.changed"), Tri::False);
    assert_eq!(tri("true or reg.changed"), Tri::True);
    assert_eq!(value("{{ 'a' if true else reg.b }}"), json!("a"));
    assert_eq!(tri("reg.rc == 0"), Tri::Unknown(vec![3, 9]));
    assert_eq!(value("{% if false %}{{ reg }}{% else %}ok{% endif %}"), json!("ok"));
}

#[test]
fn conditions_must_be_boolean_and_say_how() {
    assert_eq!(tri("x > 3 and name == 'web'"), Tri::True);
    assert_eq!(tri("{{ x > 3 }}"), Tri::True);
    for (text, help) in [("l", "length"), ("name", "bool"), ("x", "!= 0"), ("nothing", "is not none"), ("d", "length")]
    {
        let e = engine().eval_condition(text, &vars()).unwrap_err();
        assert_eq!(e.kind, ErrorKind::NotBoolean, "{text}");
        assert!(e.help.unwrap().contains(help), "{text}");
    }
}

#[test]
fn what_loops_for_ever_is_stopped() {
    let endless = "{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}";
    for text in [
        endless,
        "{{ 'x' * 100000000 }}",
        "{{ range(1000000000) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s=[1,2]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{{ 'abc'.center(900000000) }}",
        "{{ 'a' | replace('', 'b' * 10000000) | replace('', 'c' * 1000) }}",
        "{{ '%0900000000d' % 1 }}",
    ] {
        // The default budget takes a debug build half a minute.
        let engine = Engine::new(EngineOptions { fuel: 500_000, ..EngineOptions::default() });
        let e = engine.render_value(text, &vars()).unwrap_err();
        assert_eq!(e.kind, ErrorKind::Limit, "{text}: {e}");
    }
}

#[test]
fn deep_and_hostile_texts_do_not_overflow() {
    let many = |s: &str, n: usize| s.repeat(n);
    for text in [
        format!("{{{{ {} 1 }}}}", many("not ", 100_000)),
        format!("{{{{ 1 {} }}}}", many("+ 1 ", 100_000)),
        format!("{{{{ {} }}}}", many("[", 100_000)),
        format!("{{{{ x{} }}}}", many(".a", 100_000)),
        format!("{{% if x %}}{}{{% endif %}}", many("{% elif x %}", 100_000)),
        format!("{{% if x %}}{}{{% endif %}}", many("{% elif x %}", 121)),
        many("{% if x %}", 50_000),
        many("{% if x %}", 140),
        format!("{{{{ {} 1 }}}}", many("not ", 190)) + "{{ nope }}",
        format!("{{{{ 1 {} }}}}", many("+ 1 ", 2900)),
        format!("{{{{ x{} }}}}", many(".a", 2900)),
        format!("{{{{ {} 1 }}}}", many("- ", 190)) + "{{ nope }}",
        format!("{{{{ 1 {} }}}}", many("if x else 1 ", 1400)),
        format!("{{{{ {}1{} }}}}", many("(", 140), many(")", 140)) + "{{ nope }}",
        format!("{{{{ {}1{} }}}}", many("[", 140), many("]", 140)),
        format!("{{{{ {} 1 }}}}", many("- ", 100_000)),
        "{% set a = [] %}{% set _ = a.append(a) %}{{ a }}".to_owned(),
        "{{ '".to_owned(),
        "{{ '\\".to_owned(),
    ] {
        assert!(engine().render_value(&text, &vars()).is_err(), "{}", &text[..40.min(text.len())]);
    }
}

#[test]
fn mutable_lists_and_dictionaries() {
    assert_eq!(
        value("{% set m = [] %}{% for i in l %}{% set _ = m.append(i * 2) %}{% endfor %}{{ m }}"),
        json!([2, 4, 6])
    );
    assert_eq!(value("{% set m = {} %}{% set _ = m.update({'a': 1}) %}{{ m }}"), json!({"a": 1}));
    assert_eq!(value("{{ [1].append(2) }}"), json!(null));
}

#[test]
fn plain_values_from_hosts_are_never_evaluated() {
    let v = vars().with_plain(json!({"fact": "{{ x }}"}).as_object().unwrap());
    assert_eq!(engine().render_value("{{ fact }}", &v).unwrap(), Rendered::Value(json!("{{ x }}")));
}

#[test]
fn omit_is_for_the_caller() {
    assert_eq!(engine().render_value("{{ missing | default(omit) }}", &vars()).unwrap(), Rendered::Omit);
    let args = json!({"a": "{{ missing | default(omit) }}", "b": ["{{ omit }}", "{{ x }}"], "{{ name }}": 1});
    assert_eq!(engine().render_json(&args, &vars()).unwrap(), Rendered::Value(json!({"b": [5], "web": 1})));
}

#[test]
fn what_is_made_of_a_secret_is_secret() {
    let vars = json!({"pw": "hunter2", "wrap": "{{ pw }}!", "made": "{{ name }}-t0ken", "x": "plain"});
    let v = vars.as_object().map(|vars| self::vars().with(vars)).unwrap();
    let kept = |text: &str| {
        let engine = engine();
        engine.secrets().keep("hunter2");
        engine.secrets().keep("{{ name }}-t0ken");
        engine.render_value(text, &v).unwrap();
        let known = ["hunter2", "{{ name }}-t0ken"];
        engine.secrets().texts().into_iter().filter(|t| !known.contains(&t.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(kept("{{ wrap | upper }}"), ["HUNTER2!"]);
    assert_eq!(kept("{{ wrap.upper() }}"), ["HUNTER2!"]);
    assert_eq!(kept("{{ made }}"), ["web-t0ken"]);
    assert_eq!(kept("{{ name }}-t0ken"), ["web-t0ken"]);
    assert_eq!(kept("{{ pw | hash('md5') }}"), ["2ab96390c7dbe3439de74d0c9b0b1767"]);
    assert_eq!(kept("{{ 'a-hunter2'.split('-') | map('reverse') | list }}"), ["2retnuh"]);
    assert!(kept("{{ x | upper }} {{ pw | length }} {{ pw | type_debug }} {{ wrap }}").is_empty());
}

#[test]
fn template_files_decode_escapes_and_keep_the_last_newline() {
    assert_eq!(file("a {{ 'x\\ty' }}\n"), "a x\ty\n");
    assert_eq!(value("{{ 'x\\ty' }}"), json!("x\\ty"));
    assert_eq!(file("{% for i in l %}\n{{ i }}\n{% endfor %}\n"), "1\n2\n3\n");
    assert_eq!(file("#jinja2: trim_blocks: False, lstrip_blocks: True\n  {% if true %}\nx{% endif %}"), "\nx");
    let e = engine()
        .render_text("#jinja2: trim_blocks:True\nab{{ nope }}", "t.j2", &vars(), &TemplateOptions::default())
        .unwrap_err();
    assert_eq!((e.message.as_str(), e.span), ("t.j2: `nope` is not defined", Some(31..35)));
}

#[test]
fn includes_go_through_the_hook() {
    let load = |name: &str| (name == "m.j2").then(|| "{% macro hi(n) %}hi {{ n }}{% endmacro %}[{{ x }}]".to_owned());
    let engine = Engine::new(EngineOptions { load: Some(Arc::new(load)), ..EngineOptions::default() });
    let run = |t: &str| engine.render_text(t, "t", &vars(), &TemplateOptions::default());
    let text = |s: &str| Rendered::Value(json!(s));
    assert_eq!(run("{% import 'm.j2' as m %}{{ m.hi('a') }}").unwrap(), text("hi a"));
    assert_eq!(run("{% from 'm.j2' import hi %}{{ hi('b') }}").unwrap(), text("hi b"));
    assert_eq!(run("{% include 'm.j2' %}{% include 'no' ignore missing %}").unwrap(), text("[5]"));
    assert!(run("{% include 'no' %}").unwrap_err().message.contains("there is no template `no`"));
}

#[test]
fn free_variables_know_scopes_and_guards() {
    let free = |t: &str| {
        free_variables(t)
            .unwrap()
            .into_iter()
            .map(|f| format!("{}{}", f.name, if f.guarded { "?" } else { "" }))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(free("{{ a.b | default(c) }}"), "a? c");
    assert_eq!(free("{% set q = w %}{{ q }}{% for i in z %}{{ i }}{{ loop.index }}{% endfor %}{{ i }}"), "w z i");
    assert_eq!(free("{{ a if a is defined else b }}"), "a? b");
    assert_eq!(free("{% if a is defined and a.x %}{{ a }}{% else %}{{ a }}{% endif %}"), "a");
    assert_eq!(free("{% if a is not defined %}x{% else %}{{ a }}{% endif %}"), "a?");
    assert_eq!(free("{% macro m(p, q=r) %}{{ p }}{{ s }}{{ varargs }}{% endmacro %}{{ m(t) }}"), "r s t");
    assert_eq!(free("{{ lookup('vars', n) }}{{ omit }}"), "n");
    let found = free_variables("{{ a | default('') }} {{ a }}").unwrap();
    assert_eq!((found[0].guarded, found[0].span.clone()), (false, 25..26));
    assert!(free_variables_of_expression("x is not defined or x").unwrap()[0].guarded);
    assert!(defined_when_true("x is defined and (y | default(false)) and z > 1").unwrap().iter().eq(["x", "y"]));
}

#[test]
fn wrong_names_are_found_before_anything_runs() {
    let check =
        |t: &str| check_syntax(t, &TextKind::Value, &["file"]).into_iter().map(|e| e.to_string()).collect::<Vec<_>>();
    assert_eq!(check("{{ a | defualt(1) }}"), ["there is no filter `defualt`; did you mean `default`?"]);
    assert_eq!(check("{{ a is matc('x') }}"), ["there is no test `matc`; did you mean `match`?"]);
    assert_eq!(check("{{ a | map('uper') | select('defned') }}").len(), 2);
    assert!(check("{{ lookup('pipe', 'date') }}")[0].contains("not supported on the managed host"));
    assert!(check("{{ lookup('file', 'x') }}").is_empty());
    assert!(check("{{ lookup('vars', 'x') }}").is_empty());
    let e = &check_syntax("x == 'a", &TextKind::Condition, &[])[0];
    assert_eq!(e.kind, ErrorKind::Syntax);
    assert!(e.span.is_some());
}

#[test]
fn tables_are_sorted_so_that_every_name_is_found() {
    assert!(filters::names().all(|n| filters::find(n).is_some()));
    assert!(predicates::names().all(|n| predicates::find(n).is_some()));
}
