//! The same texts in Ansible and here. `golden/golden.json` was recorded by `golden/record.py` from ansible-core itself.

use super::*;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    kind: char,
    text: String,
    value: Option<Json>,
    #[serde(default)]
    omit: bool,
    error: Option<String>,
}

/// Where we differ, and why that is so; the result is ours.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("f {{ x }}\n", r#""5\n""#, "a file ends as its template does, also where all of it is one number"),
    (
        "f {% set m = [] %}\n{% for i in l %}\n{% set _ = m.append(i) %}\n{% endfor %}\n{{ m }}\n",
        r#""[3, 1, 2]\n""#,
        "a file ends as its template does, also where all of it is one list",
    ),
    (
        "v {{ users | groupby('admin', default=false) | map('first') | list }}",
        "[false,true]",
        "Ansible loses the documented default of groupby; we keep it",
    ),
    ("v {{ {1: 'a', true: 'b'} }}", r#"{"1":"a","true":"b"}"#, "Python's 1 and True are one key"),
];

fn ours(engine: &Engine, vars: &Vars, case: &Case) -> Result<Rendered, TemplateError> {
    match case.kind {
        'c' => engine.eval_condition(&case.text, vars).map(|t| Rendered::Value(json!(t == Tri::True))),
        'f' => engine.render_text(&case.text, "case", vars, &TemplateOptions::default()),
        _ => engine.render_value(&case.text, vars),
    }
}

fn agrees(case: &Case, got: &Result<Rendered, TemplateError>) -> bool {
    match (&case.error, got) {
        (Some(error), Err(e)) => error != "undefined" || e.kind == ErrorKind::Undefined,
        (None, Ok(Rendered::Omit)) => case.omit,
        (None, Ok(Rendered::Value(v))) => !case.omit && v == case.value.as_ref().unwrap_or(&Json::Null),
        _ => false,
    }
}

#[test]
fn ansible_and_we_agree_on_every_recorded_text() {
    let golden: Golden = serde_json::from_str(include_str!("golden/golden.json")).unwrap();
    let vars: Json = serde_json::from_str(include_str!("golden/vars.json")).unwrap();
    let vars = Vars::new(vars.as_object().unwrap());
    let engine = Engine::new(EngineOptions::default());
    assert!(golden.cases.len() > 300);
    let mut wrong = Vec::new();
    let mut used = 0;
    for case in &golden.cases {
        let got = ours(&engine, &vars, case);
        let known = DIFFERENT.iter().find(|(text, _, _)| *text == format!("{} {}", case.kind, case.text));
        let shown = match &got {
            Ok(Rendered::Value(v)) => v.to_string(),
            Ok(other) => format!("{other:?}"),
            Err(e) => format!("error: {e}"),
        };
        match known {
            Some((_, expected, _)) => {
                used += 1;
                if agrees(case, &got) || !shown.contains(expected) {
                    wrong.push(format!("listed as different, but: {} {}\n  ours {shown}", case.kind, case.text));
                }
            }
            None if agrees(case, &got) => {}
            None => {
                let theirs = case
                    .error
                    .clone()
                    .map_or_else(|| case.value.clone().unwrap_or_default().to_string(), |e| format!("error: {e}"));
                wrong.push(format!("{} {}\n  theirs {theirs}\n  ours   {shown}", case.kind, case.text));
            }
        }
    }
    assert_eq!(used, DIFFERENT.len(), "a difference is listed for a text that is not recorded");
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), golden.cases.len(), wrong.join("\n"));
}
