//! The first of several files that is there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arg::{Arg, truth};

/// `with_first_found`, or `lookup('first_found', …)`: the first of some names for which the controller has a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The variable that gets the file's path.
    pub var: String,
    /// Names, and mappings with `files` and `paths`; may be templates.
    pub names: Vec<Arg>,
    /// The files that there are: a name as it is once rendered, and the path on the controller.
    pub known: BTreeMap<String, String>,
    /// Whether the task is skipped where there is none, rather than failing.
    pub skip: bool,
}

/// The names that terms of `first_found` stand for, in the order in which they are tried, and whether one of them says `skip`.
pub fn found_names(terms: &[Value]) -> (Vec<String>, bool) {
    let (mut names, mut skip) = (Vec::new(), false);
    terms.iter().for_each(|term| add(term, &mut names, &mut skip));
    (names, skip)
}

fn add(term: &Value, names: &mut Vec<String>, skip: &mut bool) {
    match term {
        Value::String(name) => names.push(name.clone()),
        Value::Array(items) => items.iter().for_each(|item| add(item, names, skip)),
        Value::Object(map) => {
            *skip |= map.get("skip").and_then(truth) == Some(true) || map.get("errors") == Some(&"ignore".into());
            let files = listed(map.get("files"), &[',', ';']);
            let paths = listed(map.get("paths"), &[',', ':', ';']);
            for path in &paths {
                names.extend(files.iter().map(|file| joined(path, file)));
            }
            if paths.is_empty() {
                names.extend(files);
            }
        }
        _ => {}
    }
}

/// A text that is split at separators outside of templates, or a list of them.
fn listed(value: Option<&Value>, separators: &[char]) -> Vec<String> {
    match value {
        Some(Value::String(text)) => {
            let (mut out, mut depth, mut from) = (Vec::new(), 0usize, 0);
            for (at, c) in text.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth = depth.saturating_sub(1),
                    c if depth == 0 && separators.contains(&c) => {
                        out.push(text[from..at].trim().to_owned());
                        from = at + c.len_utf8();
                    }
                    _ => {}
                }
            }
            out.push(text[from..].trim().to_owned());
            out.retain(|part| !part.is_empty());
            out
        }
        Some(Value::Array(items)) => items.iter().flat_map(|item| listed(Some(item), separators)).collect(),
        _ => Vec::new(),
    }
}

fn joined(folder: &str, name: &str) -> String {
    if name.starts_with('/') || folder.is_empty() {
        name.to_owned()
    } else {
        format!("{}/{name}", folder.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_tried_in_ansibles_order() {
        let terms = [
            json!("a.yml"),
            json!(["b.yml", {"files": ["c.yml", "d.yml"], "paths": "vars, /etc/x/"}]),
            json!({"files": "e.yml;{{ x | default('f,g') }}.yml", "skip": true}),
            json!({"files": ["/h.yml"], "paths": ["y"]}),
        ];
        let (names, skip) = found_names(&terms);
        let wanted = [
            "a.yml",
            "b.yml",
            "vars/c.yml",
            "vars/d.yml",
            "/etc/x/c.yml",
            "/etc/x/d.yml",
            "e.yml",
            "{{ x | default('f,g') }}.yml",
            "/h.yml",
        ];
        assert_eq!(names, wanted);
        assert!(skip && !found_names(&terms[..2]).1);
    }
}
