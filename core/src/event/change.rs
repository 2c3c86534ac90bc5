//! What changes, property by property.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lines::text_diff;

/// One property of one thing, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PropertyChange {
    /// The property, as a path of names joined by dots; empty for the thing as a whole.
    pub property: String,
    /// How it differs.
    pub diff: Diff,
}

/// How a property differs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Diff {
    /// A value: its text before and after; `None` is absence.
    Value {
        /// Before.
        before: Option<String>,
        /// After.
        after: Option<String>,
    },
    /// Text, as a unified diff without file names.
    Text {
        /// The hunks.
        unified: String,
        /// Lines added.
        added: u64,
        /// Lines removed.
        removed: u64,
    },
    /// Content that is not shown by its lines: binary, or too long.
    Opaque {
        /// Size in bytes and SHA-256 before; `None` is absence.
        before: Option<(u64, String)>,
        /// Size in bytes and SHA-256 after; `None` is absence.
        after: Option<(u64, String)>,
    },
    /// A change that may not be shown.
    Hidden,
}

/// Compares two states as data. Objects are compared field by field, `$content` by lines, everything else as values. With
/// `diff` false, contents are compared but not shown.
///
/// `differs` is the verdict on the states themselves: where it says that they differ and the data does not show it, one
/// hidden change is reported.
pub fn compare(before: &Value, after: &Value, differs: bool, diff: bool) -> Vec<PropertyChange> {
    let mut changes = Vec::new();
    each("", before, after, false, &mut |path, before, after| change(path, before, after, diff, &mut changes));
    if differs && changes.is_empty() {
        changes.push(PropertyChange { property: String::new(), diff: Diff::Hidden });
    }
    changes
}

/// Calls `see` with every property that differs, and with those that do not if `all`: its path, and both sides. What appears as a whole is seen as such
/// only if `all`, and then field by field; what goes is seen once, its fields are of no interest.
pub(super) fn each(path: &str, before: &Value, after: &Value, all: bool, see: &mut dyn FnMut(&str, &Value, &Value)) {
    if !all && before == after {
        return;
    }
    if content(before).is_some() && content(after).is_some() {
        return see(path, before, after);
    }
    let none = Map::new();
    let (old, new) = match (before, after) {
        (Value::Object(old), Value::Object(new)) => (old, new),
        (Value::Null, Value::Object(new)) => {
            if all {
                see(path, before, after);
            }
            (&none, new)
        }
        _ => return see(path, before, after),
    };
    for (key, value) in new {
        each(&join(path, key), old.get(key).unwrap_or(&Value::Null), value, all, see);
    }
    for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        each(&join(path, key), value, &Value::Null, all, see);
    }
}

fn change(path: &str, before: &Value, after: &Value, diff: bool, out: &mut Vec<PropertyChange>) {
    let mut put = |path: &str, diff| out.push(PropertyChange { property: path.to_owned(), diff });
    if let (Some(b), Some(a)) = (content(before), content(after)) {
        return put(path, contents(b, a, diff));
    }
    match (before, after) {
        (Value::Object(b), Value::Null) => {
            put(path, Diff::Value { before: Some("present".into()), after: None });
            if let Some(removed) = b.get("content").and_then(content).filter(|c| c.is_some()) {
                put(&join(path, "content"), contents(removed, None, diff));
            }
        }
        _ => put(path, Diff::Value { before: text(before), after: text(after) }),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The inside of a `$content`; `Some(None)` for an absent one, `None` for what is no content at all.
pub(super) fn content(value: &Value) -> Option<Option<&Map<String, Value>>> {
    match value {
        Value::Null => Some(None),
        Value::Object(map) => map.get("$content").and_then(Value::as_object).map(Some),
        _ => None,
    }
    .filter(|inner| inner.is_some() || value.is_null())
}

fn contents(before: Option<&Map<String, Value>>, after: Option<&Map<String, Value>>, diff: bool) -> Diff {
    let shown = |side: Option<&Map<String, Value>>| match side {
        None => Some(String::new()),
        Some(map) => map.get("text").and_then(Value::as_str).map(str::to_owned),
    };
    if let (true, Some(b), Some(a)) = (diff, shown(before), shown(after)) {
        return text_diff(&b, &a);
    }
    let opaque = |side: Option<&Map<String, Value>>| {
        side.map(|map| {
            let size = map.get("size").and_then(Value::as_u64).unwrap_or_default();
            (size, map.get("sha256").and_then(Value::as_str).unwrap_or_default().to_owned())
        })
    };
    Diff::Opaque { before: opaque(before), after: opaque(after) }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(s) => Some(s.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(property: &str, before: Option<&str>, after: Option<&str>) -> PropertyChange {
        let diff = Diff::Value { before: before.map(str::to_owned), after: after.map(str::to_owned) };
        PropertyChange { property: property.into(), diff }
    }

    #[test]
    fn every_property_that_differs_is_named_and_no_other() {
        let changes = compare(
            &json!({"mode": "0644", "owner": "root", "groups": ["a"]}),
            &json!({"mode": "0600", "owner": "root", "groups": ["a", "b"]}),
            true,
            true,
        );
        assert_eq!(
            changes,
            [value("mode", Some("0644"), Some("0600")), value("groups", Some(r#"["a"]"#), Some(r#"["a","b"]"#)),]
        );
    }

    #[test]
    fn content_is_compared_by_lines() {
        let side = |text: &str| json!({"content": crate::module::Content::new(text.as_bytes().to_vec())});
        let changes = compare(&side("a\nb\n"), &side("a\nc\n"), true, true);
        let Diff::Text { unified, added: 1, removed: 1 } = &changes[0].diff else { panic!("{changes:?}") };
        assert!(unified.contains("-b\n+c\n"), "{unified}");
        let hidden = compare(&side("a\n"), &side("b\n"), true, false);
        assert!(matches!(hidden[0].diff, Diff::Opaque { .. }), "{hidden:?}");
    }

    #[test]
    fn a_new_file_shows_all_its_lines_and_its_attributes() {
        let after = json!({"content": crate::module::Content::new(b"x\n".to_vec()), "mode": "0644"});
        let changes = compare(&Value::Null, &after, true, true);
        assert!(matches!(&changes[0].diff, Diff::Text { added: 1, removed: 0, .. }), "{changes:?}");
        assert_eq!(changes[1], value("mode", None, Some("0644")));
    }

    #[test]
    fn a_difference_that_the_data_masks_is_still_reported() {
        let state = json!({"password": "********"});
        assert_eq!(
            compare(&state, &state, true, true),
            [PropertyChange { property: String::new(), diff: Diff::Hidden }]
        );
        assert!(compare(&state, &state, false, true).is_empty());
    }
}
