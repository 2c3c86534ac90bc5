//! JSON values as YAML that PyYAML and [`super::parse`] read back as the same values.

use serde_json::Value;

use super::{KEY_UNSAFE, KEY_VAULT, Resolved, resolve};

/// Writes a value in block style, with a line break at the end.
///
/// Strings that could be taken for something else are quoted; the objects that stand for `!vault` and `!unsafe` become tags again.
pub fn emit(value: &Value) -> String {
    let mut out = String::new();
    node(value, 0, &mut out);
    if out.starts_with('\n') {
        out.remove(0);
    }
    out
}

/// Writes a value behind a key or dash: on the same line, or on lines of its own.
fn node(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if map.len() == 1 && map.get(KEY_VAULT).is_some_and(Value::is_string) => {
            let text = map[KEY_VAULT].as_str().unwrap_or_default();
            out.push_str(" !vault |\n");
            for line in text.trim_end().lines() {
                pad(indent.max(1), out);
                out.push_str(line);
                out.push('\n');
            }
        }
        Value::Object(map) if map.len() == 1 && map.get(KEY_UNSAFE).is_some_and(Value::is_string) => {
            out.push_str(" !unsafe ");
            quote(map[KEY_UNSAFE].as_str().unwrap_or_default(), out);
            out.push('\n');
        }
        Value::Object(map) if map.is_empty() => out.push_str(" {}\n"),
        Value::Array(items) if items.is_empty() => out.push_str(" []\n"),
        Value::Object(map) => {
            out.push('\n');
            for (key, value) in map {
                pad(indent, out);
                string(key, out);
                out.push(':');
                node(value, indent + 1, out);
            }
        }
        Value::Array(items) => {
            out.push('\n');
            for item in items {
                pad(indent, out);
                out.push('-');
                node(item, indent + 1, out);
            }
        }
        Value::Null => out.push_str(" null\n"),
        Value::Bool(b) => out.push_str(if *b { " true\n" } else { " false\n" }),
        Value::Number(n) => {
            out.push(' ');
            // YAML 1.1 wants a dot and a sign in a float with an exponent.
            let text = n.to_string();
            match text.split_once('e') {
                Some((digits, exponent)) => {
                    let dot = if digits.contains('.') { "" } else { ".0" };
                    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
                    out.push_str(&format!("{digits}{dot}e{sign}{exponent}"));
                }
                None => out.push_str(&text),
            }
            out.push('\n');
        }
        Value::String(s) => {
            out.push(' ');
            string(s, out);
            out.push('\n');
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", indent));
}

fn string(text: &str, out: &mut String) {
    let word =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '+' | '=' | ' ' | '(' | ')' | ';');
    let plain = text.chars().all(word)
        && text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.'))
        && !text.ends_with(' ')
        && resolve::resolve(text) == Resolved::Str
        // YAML 1.1 has a type for dates, which we do not read but others do.
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && !matches!(text, "y" | "Y" | "n" | "N" | "...");
    if plain { out.push_str(text) } else { quote(text, out) }
}

/// A double-quoted string: JSON's escapes are YAML's.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
