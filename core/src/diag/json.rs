//! Problems for programs.

use serde_json::{Value, json};

use super::{Diagnostics, SourceMap, Span};

/// The problems as a JSON array, in the order of [`Diagnostics::sorted`].
///
/// Each has `severity`, `code`, `message`, `labels` (`file`, `line`, `col`, `start`, `end`, `text`, `primary`), `notes`, `help`, and
/// `suggestion` (the same place, `replacement`, `message`) or null. Lines and columns count from 1, `start` and `end` are byte offsets.
pub fn to_json(map: &SourceMap, found: &Diagnostics) -> Value {
    let one = |d: &super::Diagnostic| {
        let labels: Vec<Value> = d
            .labels
            .iter()
            .map(|l| {
                let mut out = place(map, l.span);
                out["text"] = json!(l.text);
                out["primary"] = json!(l.primary);
                out
            })
            .collect();
        let suggestion = d.suggestion.as_ref().map(|s| {
            let mut out = place(map, s.span);
            out["replacement"] = json!(s.replacement);
            out["message"] = json!(s.message);
            out
        });
        json!({
            "severity": d.severity, "code": d.code, "message": d.message, "labels": labels,
            "notes": d.notes, "help": d.help, "suggestion": suggestion,
        })
    };
    Value::Array(found.sorted().into_iter().map(one).collect())
}

fn place(map: &SourceMap, span: Span) -> Value {
    let at = map.location(span);
    json!({ "file": at.file, "line": at.line, "col": at.col, "start": span.start, "end": span.end })
}
