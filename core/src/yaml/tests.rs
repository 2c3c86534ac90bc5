use serde_json::json;

use super::*;
use crate::diag::{Diagnostics, SourceMap, render};

fn read(text: &str) -> (Parsed, Diagnostics, SourceMap) {
    let mut map = SourceMap::new();
    let mut found = Diagnostics::new();
    let file = map.add("f.yml", text);
    let parsed = parse(&map, file, &mut found);
    (parsed, found, map)
}

fn good(text: &str) -> Node {
    let (mut parsed, found, map) = read(text);
    assert!(found.is_empty(), "{}", render(&map, &found, false));
    assert!(parsed.whole);
    parsed.docs.remove(0)
}

fn places(text: &str) -> Vec<String> {
    let (_, found, map) = read(text);
    found
        .sorted()
        .iter()
        .map(|d| format!("{} {}", map.location(d.span().unwrap()).to_string().trim_start_matches("f.yml:"), d.message))
        .collect()
}

#[test]
fn scalars_resolve_as_pyyaml_resolves_them() {
    let node = good(
        "yes: yes\ny: y\nn: [n, N, Y]\noff: [On, off, TRUE]\nmode: 0644\nmode2: 0o644\ntime: 22:22\nbig: 1_000\nexp: 1e3\n\
         exp2: 1.0e+3\nexp3: 1.0e3\nnul: ~\nempty:\nnull2: Null\nver: 1.10\nbin: 0b101\nhex: 0xff\nneg: -12\nneghex: -0x10\n\
         plus: +1\nbad8: 089\ndot: .5\nnegdot: -.5\ndate: 2024-01-02\nsex: 1:30:00.5\nzero: 0\nz00: 00\ndash: --\n\
         quoted: \"yes\"\nsq: '1'\neq: =\nip: 10.0.0.1\nhuge: 123456789012345678901234567890\nmac: 00:11:22:33:44:55\n",
    );
    assert_eq!(
        node.to_json(),
        json!({
            "true": true, "y": "y", "n": ["n", "N", "Y"], "false": [true, false, true], "mode": 420, "mode2": "0o644",
            "time": 1342, "big": 1000, "exp": "1e3", "exp2": 1000.0, "exp3": "1.0e3", "nul": null, "empty": null,
            "null2": null, "ver": 1.1, "bin": 5, "hex": 255, "neg": -12, "neghex": -16, "plus": 1, "bad8": "089",
            "dot": 0.5, "negdot": "-.5", "date": "2024-01-02", "sex": 5400.5, "zero": 0, "z00": 0, "dash": "--",
            "quoted": "yes", "sq": "1", "eq": "=", "ip": "10.0.0.1", "huge": "123456789012345678901234567890",
            "mac": "00:11:22:33:44:55"
        })
    );
}

#[test]
fn text_stays_as_written_beside_the_value() {
    let node = good("version: 1.10\nmode: 0644\nflag: yes\nnothing:\ninf: -.inf\n");
    assert_eq!(node.get("version").unwrap().as_str(), Some("1.10"));
    assert_eq!(node.get("mode").unwrap().as_str(), Some("0644"));
    assert_eq!(node.get("mode").unwrap().as_int(), Some(420));
    assert_eq!(node.get("flag").unwrap().as_bool(), Some(true));
    assert_eq!(node.get("nothing").unwrap().as_str(), None);
    assert_eq!(node.get("inf").unwrap().as_f64(), Some(f64::NEG_INFINITY));
}

#[test]
fn spans_cover_what_was_written() {
    let mut map = SourceMap::new();
    let text = "a: \"x y\"\nb:\n  - one\n  - {k: v, l: [1, 2]}\nc: |\n  block\n  text\nd: end\n";
    let file = map.add("f.yml", text);
    let root = parse(&map, file, &mut Diagnostics::new()).docs.remove(0);
    let at = |n: &Node| map.slice(n.span).to_owned();
    assert_eq!(at(root.get("a").unwrap()), "\"x y\"");
    let list = root.get("b").unwrap().as_seq().unwrap();
    assert_eq!(at(&list[0]), "one");
    assert_eq!(at(&list[1]), "{k: v, l: [1, 2]}");
    assert_eq!(at(list[1].get("l").unwrap()), "[1, 2]");
    assert_eq!(at(&root.entry("d").unwrap().0.clone()), "d");
    assert_eq!(map.location(root.get("d").unwrap().span).to_string(), "f.yml:8:4");
    let block = root.get("c").unwrap();
    let inner = block.inner_span(&map, 6..10);
    assert_eq!(map.slice(inner), "text");
    assert_eq!(map.slice(root.get("a").unwrap().inner_span(&map, 2..3)), "y");
}

#[test]
fn merges_follow_pyyaml_in_order_and_precedence() {
    let node = good("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  own: 0\n  <<: [*a, *b]\n  x: 9\n");
    let c = node.get("c").unwrap().to_json();
    assert_eq!(c.to_string(), r#"{"y":2,"z":4,"x":9,"own":0}"#);
}

#[test]
fn duplicate_keys_show_both_places() {
    assert_eq!(places("a: 1\nb: 2\na: 3\n"), ["3:1 duplicate key `a`"]);
    let (_, found, map) = read("a: 1\nb: 2\na: 3\n");
    let text = render(&map, &found, false);
    assert!(text.contains("1 | a: 1") && text.contains("first here"), "{text}");
}

#[test]
fn tags_are_kept_obeyed_or_refused() {
    let node = good(
        "v: !vault |\n  $ANSIBLE_VAULT;1.1\n  61\nu: !unsafe '{{ x }}'\nl: !unsafe [a, 1]\ns: !!str 012\ni: !!int '7'\n",
    );
    assert!(node.get("v").unwrap().has_tag("!vault"));
    assert_eq!(
        node.to_json(),
        json!({"v": {"__ansible_vault": "$ANSIBLE_VAULT;1.1\n61\n"}, "u": {"__ansible_unsafe": "{{ x }}"},
               "l": [{"__ansible_unsafe": "a"}, 1], "s": "012", "i": 7})
    );
    assert_eq!(
        places("a: !vualt x\nb: !!int z\n"),
        ["1:4 unknown tag `!vualt`", "2:10 not a value of the type that its tag `!!int` asks for"]
    );
}

#[test]
fn alias_bombs_and_loops_are_errors() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for n in 1..12 {
        let refs = vec![format!("*a{}", n - 1); 9].join(",");
        bomb += &format!("a{n}: &a{n} [{refs}]\n");
    }
    let found = places(&bomb);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("aliases stand for more than"));
    assert_eq!(places("a: &a [1, *a]\n"), ["1:11 an alias cannot refer to the node that contains it"]);
    assert_eq!(places("a: &name 1\nb: *nmae\n"), ["2:4 no anchor `&nmae` above this alias"]);
}

#[test]
fn several_syntax_errors_are_found_in_one_go() {
    let text = "- name: one\n  msg: \"ok\" tail\n- name: two\n  list: [1, 2\n- name: three\n  ok: yes\n   bad: indent\n- name: four\n";
    let found = places(text);
    assert_eq!(found.len(), 3, "{found:#?}");
    let (parsed, _, _) = read(text);
    assert!(!parsed.whole);
    let names: Vec<_> = parsed.docs[0].as_seq().unwrap().iter().filter_map(|n| n.get("name")?.as_str()).collect();
    assert_eq!(names, ["one", "two", "three", "four"]);
}

#[test]
fn syntax_errors_point_at_their_place() {
    assert_eq!(places("a:\n\tb: 1\n"), ["2:1 tab in the indentation"]);
    assert_eq!(places("a: @x\n"), ["1:4 a plain value cannot begin with `@`"]);
    assert_eq!(places("a: 1\nb: \"open\nc: 2\n"), ["2:4 `\"` is never closed"]);
    assert_eq!(places("a: [1\nb: 2\n"), ["1:4 `[` is never closed"]);
    assert_eq!(places("a: b: c\n"), ["1:5 mapping values are not allowed in this context"]);
}

#[test]
fn unquoted_templates_get_a_patch() {
    let (_, found, map) = read("- debug:\n    msg: {{ x }}/y\n");
    let text = render(&map, &found, false);
    assert!(text.contains("+     msg: \"{{ x }}/y\""), "{text}");
    assert_eq!(places("msg: {{ x }}\n"), ["1:6 a value that begins with `{{` must be quoted"]);
}

#[test]
fn documents_come_in_order_and_an_empty_text_has_none() {
    let (parsed, found, _) = read("---\na: 1\n---\n---\n- 2\n...\n");
    assert!(found.is_empty());
    let docs: Vec<_> = parsed.docs.iter().map(Node::to_json).collect();
    assert_eq!(docs, [json!({"a": 1}), json!(null), json!([2])]);
    assert!(read("# only a comment\n").0.docs.is_empty());
}

#[test]
fn lax_truth_is_for_arguments_only() {
    let node = good("[\"yes\", 'False', 1, 0, maybe, on, 2]");
    let items = node.as_seq().unwrap();
    let lax: Vec<_> = items.iter().map(Node::to_bool).collect();
    assert_eq!(lax, [Some(true), Some(false), Some(true), Some(false), None, Some(true), None]);
    assert_eq!(items[0].as_bool(), None);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(cut in 0usize..400, flip in proptest::collection::vec((0usize..400, 0u8..128), 0..6)) {
        let seed = "a: &x [1, \"two\", 'three', !vault |\n    abc\n  ]\n<<: *x\n- {k: {{ v }}, <<: *x}\n? complex\n: é\n--- %TAG\n\tt: 1\n...\nz: !unsafe \"\\u12\"\n";
        let mut bytes = seed.as_bytes().to_vec();
        for (at, b) in flip { let n = bytes.len(); bytes[at % n] = b; }
        bytes.truncate(cut);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (parsed, found, map) = read(&text);
        for doc in &parsed.docs { doc.to_json(); }
        render(&map, &found, false);
    }

    #[test]
    fn arbitrary_text_is_read_or_refused(text in "[ \\-:{}\\[\\]&*!|>'\"%@`#,?a-c0-9\n\t]{0,80}") {
        let (_, found, map) = read(&text);
        render(&map, &found, false);
    }
}

fn values() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
    use proptest::prelude::*;
    let text = "[ -~\n\té\u{1}\u{85}\u{2028}]{0,12}";
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(|f| if f.is_finite() { f.into() } else { serde_json::Value::Null }),
        text.prop_map(Into::into),
        "yes|no|~|0[0-7]{0,3}|1_0|1:30|null|-|\\.5|1e3|<<|=|- a|a: b|#x|2024-01-02".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(text, inner, 0..4)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(value in values()) {
        let text = emit(&value);
        let (parsed, found, map) = read(&text);
        proptest::prop_assert!(found.is_empty(), "{}\n{}", text, render(&map, &found, false));
        proptest::prop_assert_eq!(parsed.docs[0].to_json(), value, "{}", text);
    }
}
