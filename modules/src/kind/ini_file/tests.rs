use serde_json::{Value, json};

use super::*;
use crate::{
    host::fake::Fake,
    kind::shared::twice::{converge, refused, text},
};

fn edited(content: &str, mut args: Value) -> String {
    let fake = Fake::from_yaml(&json!({"files": {"/f": content}}).to_string()).unwrap();
    args["path"] = "/f".into();
    let changed = converge::<IniFile>(args, &fake).unwrap();
    let now = text(&fake, "/f");
    assert_eq!(changed, now != content);
    now
}

const TEXT: &str = "top = 1\n[a]\nx = 1\n; note\n\n[b]\n#y = 0\nx=2\n";

#[test]
fn an_option_is_changed_in_its_section_only() {
    let set = |section: Value, option: &str, value: &str| {
        edited(TEXT, json!({"section": section, "option": option, "value": value}))
    };
    assert_eq!(set(json!("b"), "x", "3"), TEXT.replace("x=2", "x = 3"));
    assert_eq!(set(json!("a"), "z", "9"), TEXT.replace("x = 1\n", "x = 1\nz = 9\n"));
    assert_eq!(set(json!("b"), "y", "1"), TEXT.replace("#y = 0", "y = 1"), "what is commented out is turned on");
    assert_eq!(set(Value::Null, "top", "2"), TEXT.replace("top = 1", "top = 2"));
    assert_eq!(set(json!("c"), "n", "1"), format!("{TEXT}[c]\nn = 1\n"));
    assert_eq!(set(json!("a"), "x", "1"), TEXT);
}

#[test]
fn spaces_are_as_asked_for() {
    let b = |extra: Value| {
        let mut args = json!({"section": "b", "option": "x", "value": "2"});
        args.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        edited(TEXT, args)
    };
    assert_eq!(b(json!({})), TEXT.replace("x=2", "x = 2"));
    assert_eq!(b(json!({"no_extra_spaces": true})), TEXT);
    assert_eq!(b(json!({"ignore_spaces": true})), TEXT);
    assert_eq!(edited("", json!({"section": "s", "option": "o", "allow_no_value": true})), "[s]\no\n");
}

#[test]
fn several_values_are_exclusive_or_not() {
    let several = "[s]\no = 1\np = 1\no = 2\n";
    let put = |values: Value, exclusive: bool| {
        edited(several, json!({"section": "s", "option": "o", "values": values, "exclusive": exclusive}))
    };
    assert_eq!(put(json!(["2", "3"]), true), "[s]\no = 3\np = 1\no = 2\n");
    assert_eq!(put(json!(["2"]), true), "[s]\np = 1\no = 2\n");
    assert_eq!(put(json!(["3"]), false), "[s]\no = 1\np = 1\no = 2\no = 3\n");
}

#[test]
fn options_and_sections_go() {
    let gone = |args: Value| {
        let mut args = args;
        args["state"] = "absent".into();
        edited(TEXT, args)
    };
    assert_eq!(gone(json!({"section": "a", "option": "x"})), TEXT.replace("x = 1\n", ""));
    assert_eq!(gone(json!({"section": "a"})), "top = 1\n[b]\n#y = 0\nx=2\n");
    assert_eq!(gone(json!({"section": "c"})), TEXT);
    assert_eq!(gone(json!({"section": "b", "option": "x", "value": "7", "exclusive": false})), TEXT);
    assert_eq!(
        gone(json!({"section": "b", "option": "x", "value": "2", "exclusive": false})),
        TEXT.replace("x=2\n", "")
    );
}

#[test]
fn files_and_line_ends() {
    assert_eq!(
        edited("[a]\r\nx = 1", json!({"section": "a", "option": "y", "value": "2"})),
        "[a]\r\nx = 1\r\ny = 2\r\n"
    );
    let fake = Fake::debian();
    let args = json!({"path": "/etc/new.d/a.ini", "section": "s", "option": "o", "value": "yes", "mode": "0640"});
    assert!(converge::<IniFile>(args, &fake).unwrap());
    assert_eq!(text(&fake, "/etc/new.d/a.ini"), "[s]\no = yes\n");
    assert!(
        converge::<IniFile>(
            json!({"path": "/no", "section": "s", "option": "o", "value": "1", "create": false}),
            &fake
        )
        .is_err()
    );
}

#[test]
fn what_is_missing_is_said() {
    for (args, word) in [
        (json!({"path": "/f", "section": "s", "option": "o"}), "allow_no_value"),
        (json!({"path": "/f"}), "section"),
        (json!({"path": "/f", "section": "s", "value": "1"}), "option"),
        (json!({"path": "/f", "option": "o", "value": "a\nb"}), "line"),
    ] {
        let said = refused::<IniFile>(args);
        assert!(said.contains(word), "{said}");
    }
}
