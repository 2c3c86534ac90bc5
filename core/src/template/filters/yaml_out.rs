//! YAML as PyYAML writes it.

use crate::template::error::{R, fail};
use crate::template::eval::Ev;
use crate::template::value::{MAX_NESTING, V, float_repr};
use crate::yaml::resolve::{Resolved, resolve};

/// How it is laid out.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) indent: usize,
    pub(super) width: usize,
    pub(super) sort: bool,
    /// All in flow style, none, or only collections of scalars.
    pub(super) flow: Option<bool>,
}

/// Writes a document.
pub(super) fn dump(ev: &Ev<'_>, v: &V, style: Style) -> R<String> {
    let mut out = String::new();
    let v = ev.known(v.clone())?;
    if is_flow(ev, &v, style)? || scalar(ev, &v, 0, style)?.is_some() {
        inline(ev, &v, style, &mut out, 0, 0)?;
        out.push('\n');
        return Ok(out);
    }
    block(ev, &v, style, 0, false, &mut out, 0)?;
    Ok(out)
}

fn children(v: &V) -> Option<Vec<V>> {
    match v {
        V::List(_) | V::Tuple(_) => v.elements(),
        V::Map(m) => Some(m.entries().into_iter().map(|(_, v)| v).collect()),
        _ => None,
    }
}

fn is_flow(ev: &Ev<'_>, v: &V, style: Style) -> R<bool> {
    let Some(items) = children(v) else { return Ok(false) };
    if items.is_empty() {
        return Ok(true);
    }
    match style.flow {
        Some(flow) => Ok(flow),
        None => {
            for item in items {
                let item = ev.known(item)?;
                if children(&item).is_some() || matches!(&item, V::Str(s) if s.contains('\n')) {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }
}

fn entries(v: &V, sort: bool) -> Vec<(V, V)> {
    let V::Map(m) = v else { return Vec::new() };
    let mut entries = m.entries();
    if sort {
        crate::small::sort_by_key(&mut entries, |(k, _)| k.json());
    }
    entries.into_iter().map(|(k, v)| (k.to_v(), v)).collect()
}

fn block(ev: &Ev<'_>, v: &V, style: Style, column: usize, in_sequence: bool, out: &mut String, depth: u32) -> R<()> {
    if depth > MAX_NESTING {
        return fail("the value is nested too deeply");
    }
    ev.room_for(out.len(), 64)?;
    let pad = " ".repeat(column);
    let mut first = in_sequence;
    if let V::Map(_) = v {
        for (key, item) in entries(v, style.sort) {
            if !std::mem::take(&mut first) {
                out.push_str(&pad);
            }
            inline(ev, &key, style, out, column, depth)?;
            out.push(':');
            let item = ev.known(item)?;
            if matches!(item, V::List(_) | V::Tuple(_)) && !is_flow(ev, &item, style)? {
                out.push('\n');
                block(ev, &item, style, column, false, out, depth + 1)?;
            } else {
                after(ev, &item, style, column, out, depth)?;
            }
        }
        return Ok(());
    }
    for item in v.elements().unwrap_or_default() {
        if !std::mem::take(&mut first) {
            out.push_str(&pad);
        }
        out.push('-');
        let item = ev.known(item)?;
        if children(&item).is_some() && !is_flow(ev, &item, style)? {
            out.push_str(&" ".repeat(style.indent.saturating_sub(1)));
            block(ev, &item, style, column + style.indent, true, out, depth + 1)?;
        } else {
            after(ev, &item, style, column, out, depth)?;
        }
    }
    Ok(())
}

/// What follows a `:` or a `-` on the same line, or as a block below.
fn after(ev: &Ev<'_>, item: &V, style: Style, column: usize, out: &mut String, depth: u32) -> R<()> {
    if children(item).is_some() && !is_flow(ev, item, style)? {
        out.push('\n');
        return block(ev, item, style, column + style.indent, false, out, depth + 1);
    }
    out.push(' ');
    inline(ev, item, style, out, column + style.indent, depth)?;
    out.push('\n');
    Ok(())
}

fn inline(ev: &Ev<'_>, v: &V, style: Style, out: &mut String, column: usize, depth: u32) -> R<()> {
    if depth > MAX_NESTING {
        return fail("the value is nested too deeply");
    }
    let v = ev.known(v.clone())?;
    if let Some(text) = scalar(ev, &v, column, style)? {
        ev.room_for(out.len(), text.len())?;
        out.push_str(&text);
        return Ok(());
    }
    let line_length = |out: &str| out.len() - out.rfind('\n').map_or(0, |i| i + 1);
    let wrap = |out: &mut String| {
        if line_length(out) > style.width {
            out.push('\n');
            out.push_str(&" ".repeat(column.max(style.indent)));
        } else {
            out.push(' ');
        }
    };
    if let V::Map(_) = v {
        out.push('{');
        for (i, (key, item)) in entries(&v, style.sort).iter().enumerate() {
            if i > 0 {
                out.push(',');
                wrap(out);
            }
            inline(ev, key, style, out, column, depth + 1)?;
            out.push_str(": ");
            inline(ev, item, style, out, column, depth + 1)?;
        }
        out.push('}');
        return Ok(());
    }
    out.push('[');
    for (i, item) in v.elements().unwrap_or_default().iter().enumerate() {
        if i > 0 {
            out.push(',');
            wrap(out);
        }
        inline(ev, item, style, out, column, depth + 1)?;
    }
    out.push(']');
    Ok(())
}

fn scalar(ev: &Ev<'_>, v: &V, column: usize, style: Style) -> R<Option<String>> {
    Ok(Some(match v {
        V::None => "null".into(),
        V::Bool(b) => b.to_string(),
        V::Int(i) => i.to_string(),
        V::Float(f) if f.is_nan() => ".nan".into(),
        V::Float(f) if f.is_infinite() => if *f > 0.0 { ".inf" } else { "-.inf" }.into(),
        V::Float(f) => float_repr(*f),
        V::Time(t) => crate::template::pytime::isoformat(t, ' '),
        V::Str(s) => match scalar_style(s) {
            'p' => fold(s, column, style.width, false),
            '\'' => format!("'{}'", fold(&s.replace('\'', "''"), column, style.width, true)),
            _ => double_quoted(s),
        },
        V::Undef(u) => return Err(u.stop()),
        V::Unknown(u) => return Err(u.stop()),
        V::List(_) | V::Tuple(_) | V::Map(_) => return Ok(None),
        other => {
            ev.spend(1)?;
            return fail(format!("a {} cannot be written as YAML", other.type_name()));
        }
    }))
}

/// `p`lain, single-quoted, or double-quoted.
fn scalar_style(s: &str) -> char {
    let special = |c: char| {
        (c.is_control() && c != '\n') || c == '\u{feff}' || c == '\u{85}' || c == '\u{2028}' || c == '\u{2029}'
    };
    if s.chars().any(special) || (s.contains('\n') && (s.contains(" \n") || s.starts_with(' ') && s.contains('\n'))) {
        return '"';
    }
    let plain = !s.is_empty()
        && !s.contains('\n')
        && matches!(resolve(s), Resolved::Str)
        && !looks_like_date(s)
        && !s.starts_with([' ', '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`'])
        && !s.ends_with([' ', ':'])
        && !s.contains(": ")
        && !s.contains(" #")
        && !s.contains([',', '[', ']', '{', '}', '?']) // not allowed within a flow collection
        && !s.starts_with("---")
        && s != "="
        && s != "<<";
    let dash = s.starts_with('-') && s.len() > 1 && !s[1..].starts_with(' ') && !s.starts_with("---");
    let rest_plain = dash && matches!(resolve(s), Resolved::Str) && scalar_style(&s[1..]) == 'p';
    if plain || rest_plain {
        return 'p';
    }
    // In block context the flow indicators are allowed inside.
    let inner = !s.is_empty()
        && s.contains([',', '[', ']', '{', '}', '?'])
        && !s.starts_with([',', '[', ']', '{', '}', '?'])
        && scalar_style(&s.replace([',', '[', ']', '{', '}', '?'], "x")) == 'p';
    if inner { 'p' } else { '\'' }
}

fn looks_like_date(s: &str) -> bool {
    let b = s.as_bytes();
    b.len() >= 8
        && b[..4].iter().all(u8::is_ascii_digit)
        && b[4] == b'-'
        && b[5].is_ascii_digit()
        && s.bytes().all(|c| c.is_ascii_digit() || b"-:. TtZz+".contains(&c))
}

/// Breaks long text at single blanks; a run of newlines gets one more, as YAML folds one away.
fn fold(s: &str, column: usize, width: usize, newlines: bool) -> String {
    let pad = " ".repeat(column);
    let mut out = String::new();
    let mut length = column;
    let mut rest = s;
    while !rest.is_empty() {
        let end = if newlines { rest.find('\n').unwrap_or(rest.len()) } else { rest.len() };
        for (i, word) in rest[..end].split(' ').enumerate() {
            if i > 0 {
                if length > width && !word.is_empty() && !out.ends_with(' ') {
                    out.push('\n');
                    out.push_str(&pad);
                    length = column;
                } else {
                    out.push(' ');
                    length += 1;
                }
            }
            out.push_str(word);
            length += word.chars().count();
        }
        rest = &rest[end..];
        let breaks = rest.len() - rest.trim_start_matches('\n').len();
        if breaks > 0 {
            out.push_str(&"\n".repeat(breaks + 1));
            out.push_str(&pad);
            length = column;
            rest = &rest[breaks..];
        }
    }
    out
}

fn double_quoted(s: &str) -> String {
    let mut out = String::from("\"");
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\x1b' => out.push_str("\\e"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\u{85}' => out.push_str("\\N"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            c if c.is_control() => out.push_str(&format!("\\x{:02X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
