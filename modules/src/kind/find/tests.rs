//! Searches on a fake host.

use rectify_core::arg::{Arg, from_arg};
use serde_json::json;

use super::*;
use crate::host::fake::Fake;

fn host() -> Fake {
    Fake::from_yaml(
        r#"{base: debian, files: {/srv/a.conf: {content: "one\nListen 80\n", mtime: 4102444800}, /srv/b.log: {size: 5000, mtime: 7}, /srv/.hid: x, /srv/sub/c.conf: {content: x, mode: "0600"}, /srv/sub/deep/d.conf: x, /srv/up: {link: sub}}}"#,
    )
    .unwrap()
}

fn find(args: Value) -> Value {
    let find: Find = from_arg(&Arg::from_value(&args)).unwrap();
    Action::validate(&find).unwrap();
    find.run(&host()).unwrap().data.into()
}

fn names(args: Value) -> Vec<String> {
    let found = find(args);
    found["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn names_kinds_and_depth() {
    assert_eq!(names(json!({"paths": "/srv"})), ["/srv/a.conf", "/srv/b.log"]);
    assert_eq!(names(json!({"paths": "/srv", "hidden": true, "patterns": ".*"})), ["/srv/.hid"]);
    assert_eq!(
        names(json!({"paths": "/srv", "patterns": "*.conf", "recurse": true, "excludes": "d*"})),
        ["/srv/a.conf", "/srv/sub/c.conf"]
    );
    assert_eq!(
        names(json!({"paths": "/srv", "recurse": true, "depth": 2, "patterns": ["^[a-d]\\.conf$"], "use_regex": true})),
        ["/srv/a.conf", "/srv/sub/c.conf"]
    );
    assert_eq!(
        names(json!({"paths": "/srv", "file_type": "directory", "recurse": true, "patterns": ["sub", "deep"]})),
        ["/srv/sub", "/srv/sub/deep"]
    );
    assert_eq!(names(json!({"paths": "/srv", "file_type": "link"})), ["/srv/up"]);
}

#[test]
fn age_size_bits_and_content() {
    assert_eq!(names(json!({"paths": "/srv", "age": "10w"})), ["/srv/b.log"]);
    assert_eq!(names(json!({"paths": "/srv", "size": "4k"})), ["/srv/b.log"]);
    assert_eq!(names(json!({"paths": "/srv", "size": "-1k"})), ["/srv/a.conf"]);
    assert_eq!(names(json!({"paths": "/srv/sub", "mode": "0600"})), ["/srv/sub/c.conf"]);
    assert_eq!(names(json!({"paths": "/srv", "contains": "Listen\\s+80"})), ["/srv/a.conf"]);
    assert!(names(json!({"paths": "/srv", "contains": "80"})).is_empty(), "a line matches from its beginning");
    assert_eq!(names(json!({"paths": "/srv", "contains": "80", "read_whole_file": true})), ["/srv/a.conf"]);
}

#[test]
fn links_are_entered_once_and_only_when_asked() {
    let args = json!({"paths": "/srv", "recurse": true, "follow": true, "patterns": "c.conf"});
    assert_eq!(names(args).len(), 1);
}

#[test]
fn results_count_and_carry_what_stat_says() {
    let found = find(json!({"paths": ["/srv/sub", "/none"], "get_checksum": true}));
    assert_eq!((&found["matched"], &found["examined"]), (&json!(1), &json!(2)));
    assert_eq!(found["skipped_paths"]["/none"], "does not exist");
    assert_eq!(found["files"][0]["checksum"], "11f6ad8ec52a2984abaafd7c3b516503785c2072");
    assert_eq!(find(json!({"paths": "/srv", "limit": 1}))["matched"], 1);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for args in [
        json!({"paths": "/s", "age": "3x"}),
        json!({"paths": "s"}),
        json!({"paths": "/s", "patterns": "(", "use_regex": true}),
    ] {
        let find: Find = from_arg(&Arg::from_value(&args)).unwrap();
        assert!(Action::validate(&find).is_err(), "{args}");
    }
}
