//! Names of which some parts are only known on a host.

/// Stands for a part that is not known, in a name that is otherwise literal.
pub(crate) const ANY: char = '\u{1}';

/// A part of a text with templates.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Segment<'t> {
    Text(&'t str),
    /// What is between `{{` and `}}`.
    Expr(&'t str),
}

/// The parts of a text; `None` if it has statements or comments, or does not end well.
pub(crate) fn segments(text: &str) -> Option<Vec<Segment<'_>>> {
    if text.contains("{%") || text.contains("{#") {
        return None;
    }
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        if open > 0 {
            out.push(Segment::Text(&rest[..open]));
        }
        let end = closing(&rest[open + 2..])? + open + 2;
        out.push(Segment::Expr(rest[open + 2..end].trim_matches('-').trim()));
        rest = &rest[end + 2..];
    }
    if !rest.is_empty() {
        out.push(Segment::Text(rest));
    }
    Some(out)
}

/// Where the `}}` of an expression is, outside of its quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

/// Whether one component of a path fits one of a pattern. Hidden names fit only what begins with a dot.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let mut parts = pattern.split(ANY);
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            let Some((_, after)) = rest.split_once(middle) else { return false };
            rest = after;
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

/// The pattern as a person reads it.
pub(crate) fn shown(pattern: &str) -> String {
    pattern.replace(ANY, "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_templates() {
        use Segment::{Expr, Text};
        assert_eq!(segments("a-{{ x['}}'] }}.{{- y -}}").unwrap(), [Text("a-"), Expr("x['}}']"), Text("."), Expr("y")]);
        assert_eq!(segments("{% if x %}a{% endif %}"), None);
        assert_eq!(segments("{{ x"), None);
    }

    #[test]
    fn unknown_parts_stand_for_anything_within_a_name() {
        for (pattern, name, fitting) in [
            ("setup-\u{1}.yml", "setup-Debian.yml", true),
            ("setup-\u{1}.yml", "setup-.yml", true),
            ("setup-\u{1}.yml", "setup-Debian.yaml", false),
            ("\u{1}-\u{1}.yml", "Debian-12.yml", true),
            ("\u{1}-\u{1}.yml", "Debian.yml", false),
            ("\u{1}", ".hidden", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("ab\u{1}b", "ab", false),
        ] {
            assert_eq!(fits(pattern, name), fitting, "{} {name}", shown(pattern));
        }
    }
}
