//! Values as Python prints them, for `--graph --vars`.

use std::fmt::Write;

use serde_json::Value;

use crate::yaml::{KEY_UNSAFE, KEY_VAULT};

/// `str(value)`: a string is itself, anything else its representation.
pub(super) fn text(value: &Value) -> String {
    match tagged(value).unwrap_or(value) {
        Value::String(s) => s.clone(),
        other => {
            let mut out = String::new();
            represent(other, &mut out);
            out
        }
    }
}

/// The string within the object that stands for a vaulted or unsafe one.
fn tagged(value: &Value) -> Option<&Value> {
    let map = value.as_object().filter(|m| m.len() == 1)?;
    map.get(KEY_UNSAFE).or_else(|| map.get(KEY_VAULT)).filter(|v| v.is_string())
}

fn represent(value: &Value, out: &mut String) {
    match tagged(value).unwrap_or(value) {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(n) => match n.as_f64().filter(|_| n.is_f64()) {
            Some(f) => out.push_str(&float(f)),
            None => out.push_str(&n.to_string()),
        },
        Value::String(s) => quote(s, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                represent(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (at, (key, item)) in map.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                quote(key, out);
                out.push_str(": ");
                represent(item, out);
            }
            out.push('}');
        }
    }
}

/// The shortest digits that mean this float; an exponent from 1e16 on and below 1e-4.
fn float(f: f64) -> String {
    let size = f.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{f:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{f:?}")
}

fn quote(text: &str, out: &mut String) {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(mark);
    for c in text.chars() {
        let written = match c {
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            c if c == mark => write!(out, "\\{c}"),
            c if c.is_control() => write!(out, "\\x{:02x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
        written.expect("invariant: writing to a string does not fail");
    }
    out.push(mark);
}

#[cfg(test)]
mod tests {
    use super::text;
    use serde_json::json;

    #[test]
    fn values_print_as_in_python() {
        assert_eq!(text(&json!("it's")), "it's");
        assert_eq!(text(&json!(["it's", "a\"b'", "\n\u{1}é"])), r#"["it's", 'a"b\'', '\n\x01é']"#);
        assert_eq!(text(&json!({"a": null, "b": [true, 1, 1.5]})), "{'a': None, 'b': [True, 1, 1.5]}");
        assert_eq!(text(&json!([1e16, 1e-5, 1000.0, -1.5e300])), "[1e+16, 1e-05, 1000.0, -1.5e+300]");
    }
}
