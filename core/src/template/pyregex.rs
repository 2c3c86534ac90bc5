//! Python's `re` on fancy-regex: patterns and replacements are translated, so that what content says means what Python
//! makes of it. Backtracking is bounded by the engine.

use super::error::{R, fail};
use fancy_regex::Regex;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The groups of one match.
pub(crate) type Captures<'t> = fancy_regex::Captures<'t, str>;

/// A compiled Python pattern.
pub(crate) struct PyRegex {
    regex: Regex,
    pattern: String,
}

/// What to put in place of a match.
enum Piece {
    Text(String),
    Group(usize),
    Named(String),
}

thread_local! {
    static CACHE: RefCell<HashMap<(String, bool, bool), Rc<PyRegex>>> = RefCell::default();
}

impl PyRegex {
    /// Compiles a pattern.
    pub(crate) fn new(pattern: &str, ignore_case: bool, multiline: bool) -> R<Rc<PyRegex>> {
        let key = (pattern.to_owned(), ignore_case, multiline);
        if let Some(found) = CACHE.with_borrow(|c| c.get(&key).cloned()) {
            return Ok(found);
        }
        let rust = match translate(pattern, ignore_case, multiline) {
            Ok(rust) => rust,
            Err(why) => return fail(format!("the regular expression `{pattern}` is wrong: {why}")),
        };
        let regex = match Regex::new(&rust) {
            Ok(regex) => regex,
            Err(e) => {
                let why = e.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                return fail(format!("the regular expression `{pattern}` is wrong: {why}"));
            }
        };
        let made = Rc::new(PyRegex { regex, pattern: pattern.to_owned() });
        CACHE.with_borrow_mut(|c| {
            if c.len() >= 256 {
                c.clear();
            }
            c.insert(key, made.clone());
        });
        Ok(made)
    }

    fn hit<T>(&self, result: Result<T, fancy_regex::Error>) -> R<T> {
        match result {
            Ok(v) => Ok(v),
            Err(_) => fail(format!("the regular expression `{}` takes too many steps on this text", self.pattern)),
        }
    }

    /// `re.search`.
    pub(crate) fn search<'t>(&self, text: &'t str) -> R<Option<Captures<'t>>> {
        self.hit(self.regex.captures(text))
    }

    /// `re.match`: only at the start.
    pub(crate) fn matches_at_start(&self, text: &str) -> R<bool> {
        Ok(self.hit(self.regex.find(text))?.is_some_and(|m| m.start() == 0))
    }

    /// The number of groups, the whole match left out.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len().saturating_sub(1)
    }

    /// Every match as Python's `findall` and `sub` go through them, at most `count` if that is not zero.
    pub(crate) fn all<'t>(&self, text: &'t str, count: usize) -> R<Vec<Captures<'t>>> {
        let mut found = Vec::new();
        let mut at = 0;
        while at <= text.len() && (count == 0 || found.len() < count) {
            let Some(caps) = self.hit(self.regex.captures_from_pos(text, at))? else { break };
            let Some(whole) = caps.get(0) else { break };
            at = if whole.end() > whole.start() {
                whole.end()
            } else {
                whole.end() + text[whole.end()..].chars().next().map_or(1, char::len_utf8)
            };
            found.push(caps);
        }
        Ok(found)
    }

    /// `match.expand`: a replacement with the groups of one match.
    pub(crate) fn expand(&self, caps: &Captures<'_>, replacement: &str) -> R<String> {
        let pieces = match pieces(replacement) {
            Ok(pieces) => pieces,
            Err(why) => return fail(format!("the replacement `{replacement}` is wrong: {why}")),
        };
        let mut out = String::new();
        self.expand_into(caps, &pieces, &mut out)?;
        Ok(out)
    }

    fn expand_into(&self, caps: &Captures<'_>, pieces: &[Piece], out: &mut String) -> R<()> {
        for piece in pieces {
            match piece {
                Piece::Text(t) => out.push_str(t),
                Piece::Group(n) if *n > self.groups() => {
                    return fail(format!("the replacement names group {n}, which the pattern does not have"));
                }
                Piece::Group(n) => out.push_str(caps.get(*n).map_or("", |m| m.as_str())),
                Piece::Named(n) => {
                    if !self.regex.capture_names().flatten().any(|name| name == n) {
                        return fail(format!("the replacement names group `{n}`, which the pattern does not have"));
                    }
                    out.push_str(caps.name(n).map_or("", |m| m.as_str()));
                }
            }
        }
        Ok(())
    }

    /// `re.subn`.
    pub(crate) fn replace(&self, text: &str, replacement: &str, count: usize, max: usize) -> R<(String, usize)> {
        let pieces = match pieces(replacement) {
            Ok(pieces) => pieces,
            Err(why) => return fail(format!("the replacement `{replacement}` is wrong: {why}")),
        };
        let mut out = String::with_capacity(text.len());
        let mut last = 0;
        let all = self.all(text, count)?;
        for caps in &all {
            let Some(whole) = caps.get(0) else { continue };
            out.push_str(&text[last..whole.start()]);
            self.expand_into(caps, &pieces, &mut out)?;
            if out.len() > max {
                return fail(format!("the replaced text is longer than {} MiB", max >> 20));
            }
            last = whole.end();
        }
        out.push_str(&text[last..]);
        Ok((out, all.len()))
    }
}

/// Python's `re.escape`.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\x0b\x0c".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn literal(c: char, out: &mut String) {
    if c.is_ascii()
        && !c.is_ascii_alphanumeric()
        && c != '_'
        && c != ' '
        && !c.is_ascii_control()
        && "\\.+*?()|[]{}^$#&-~".contains(c)
    {
        out.push('\\');
    }
    out.push(c);
}

/// The pattern in the syntax of fancy-regex.
fn translate(pattern: &str, ignore_case: bool, multiline: bool) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut flags = String::new();
    if ignore_case {
        flags.push('i');
    }
    let mut at = 0;
    let mut multiline = multiline;
    // Global flags are allowed at the very start only.
    if chars.starts_with(&['(', '?']) {
        let end = chars.iter().position(|c| *c == ')').unwrap_or(0);
        let inside: String = chars.get(2..end.max(2)).unwrap_or_default().iter().collect();
        if !inside.is_empty() && inside.chars().all(|c| "aiLmsux".contains(c)) {
            multiline |= inside.contains('m');
            flags.extend(inside.chars().filter(|c| "isx".contains(*c)));
            at = end + 1;
        }
    }
    if multiline {
        flags.push('m');
    }
    let mut out = if flags.is_empty() { String::new() } else { format!("(?{flags})") };
    while at < chars.len() {
        let c = chars[at];
        match c {
            '\\' => at = escape_sequence(&chars, at, false, &mut out)?,
            '[' => at = class(&chars, at, &mut out)?,
            '$' if !multiline => {
                out.push_str(r"(?=\n?\z)");
                at += 1;
            }
            '{' => at = brace(&chars, at, &mut out),
            '(' if chars[at..].starts_with(&['(', '?', '#']) => {
                let end = chars[at..].iter().position(|c| *c == ')').ok_or("the comment is not closed")?;
                at += end + 1;
            }
            '(' if chars.get(at + 1) == Some(&'?') => {
                let inside: String = chars[at + 2..].iter().take_while(|c| c.is_ascii_alphabetic()).collect();
                let close = chars.get(at + 2 + inside.len());
                if !inside.is_empty() && close == Some(&')') && inside.chars().all(|c| "aiLmsux".contains(c)) {
                    return Err("global flags are not at the start of the expression".into());
                }
                out.push_str("(?");
                at += 2;
            }
            '*' | '+' | '?'
                if at == 0
                    || chars[at - 1] == '(' && (at < 2 || chars[at - 2] != '\\')
                    || chars[at - 1] == '|' && (at < 2 || chars[at - 2] != '\\') =>
            {
                return Err(format!("nothing to repeat at position {at}"));
            }
            other => {
                out.push(other);
                at += 1;
            }
        }
    }
    Ok(out)
}

/// `{` begins a repetition or is itself.
fn brace(chars: &[char], at: usize, out: &mut String) -> usize {
    let end = chars[at..].iter().position(|c| *c == '}').map(|e| at + e);
    if let Some(end) = end {
        let inside: String = chars[at + 1..end].iter().collect();
        let digits = |s: &str| s.chars().all(|c| c.is_ascii_digit());
        let repetition = match inside.split_once(',') {
            Some((a, b)) => digits(a) && digits(b) && !(a.is_empty() && b.is_empty()),
            None => !inside.is_empty() && digits(&inside),
        };
        if repetition && at > 0 {
            let inside = if inside.starts_with(',') { format!("0{inside}") } else { inside };
            out.push_str(&format!("{{{inside}}}"));
            return end + 1;
        }
    }
    out.push_str("\\{");
    at + 1
}

fn escape_sequence(chars: &[char], at: usize, in_class: bool, out: &mut String) -> Result<usize, String> {
    let Some(&c) = chars.get(at + 1) else { return Err("it ends in a backslash".into()) };
    let hex = |n: usize| -> Result<char, String> {
        let digits: String = chars[at + 2..].iter().take(n).collect();
        let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == n);
        code.and_then(char::from_u32).ok_or_else(|| format!("bad escape \\{c}"))
    };
    match c {
        'd' | 'D' | 'w' | 'W' | 's' | 'S' => out.extend(['\\', c]),
        'b' if in_class => out.push_str("\\x08"),
        'b' | 'B' | 'A' if !in_class => out.extend(['\\', c]),
        'Z' if !in_class => out.push_str("\\z"),
        'n' | 't' | 'r' | 'f' | 'v' | 'a' => out.extend(['\\', c]),
        'x' | 'u' | 'U' => {
            let n = if c == 'x' {
                2
            } else if c == 'u' {
                4
            } else {
                8
            };
            literal(hex(n)?, out);
            return Ok(at + 2 + n);
        }
        '0' => {
            out.push_str("\\x00");
        }
        '1'..='9' if !in_class => {
            let digits: String = chars[at + 1..].iter().take_while(|c| c.is_ascii_digit()).take(2).collect();
            // A number after a back-reference must not become part of it.
            out.push_str(&format!("(?:\\{digits})"));
            return Ok(at + 1 + digits.len());
        }
        c if c.is_ascii_alphanumeric() => return Err(format!("bad escape \\{c}")),
        c => literal(c, out),
    }
    Ok(at + 2)
}

/// A set: what nests or combines in Rust's syntax is plain in Python's.
fn class(chars: &[char], start: usize, out: &mut String) -> Result<usize, String> {
    let mut at = start + 1;
    out.push('[');
    if chars.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    let first = at;
    while let Some(&c) = chars.get(at) {
        match c {
            ']' if at > first => {
                out.push(']');
                return Ok(at + 1);
            }
            '\\' => at = escape_sequence(chars, at, true, out)?,
            '[' | ']' | '&' | '~' => {
                out.extend(['\\', c]);
                at += 1;
            }
            '-' if at == first || chars.get(at + 1) == Some(&']') => {
                out.push_str("\\-");
                at += 1;
            }
            other => {
                out.push(other);
                at += 1;
            }
        }
    }
    Err("a set is not closed".into())
}

/// Reads a replacement.
fn pieces(replacement: &str) -> Result<Vec<Piece>, String> {
    let mut out = Vec::new();
    let mut text = String::new();
    let chars: Vec<char> = replacement.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        if chars[at] != '\\' {
            text.push(chars[at]);
            at += 1;
            continue;
        }
        let Some(&c) = chars.get(at + 1) else { return Err("it ends in a backslash".into()) };
        at += 2;
        match c {
            'g' => {
                let rest: String = chars[at..].iter().collect();
                let name = rest.strip_prefix('<').and_then(|r| r.split_once('>')).map(|(n, _)| n.to_owned());
                let Some(name) = name.filter(|n| !n.is_empty()) else { return Err("`\\g` needs a `<group>`".into()) };
                at += name.chars().count() + 2;
                out.push(Piece::Text(std::mem::take(&mut text)));
                out.push(name.parse().map_or_else(|_| Piece::Named(name.clone()), Piece::Group));
            }
            '0' => text.push('\0'),
            '1'..='9' => {
                let mut n = c as usize - '0' as usize;
                if let Some(d) = chars.get(at).and_then(|d| d.to_digit(10)) {
                    n = n * 10 + d as usize;
                    at += 1;
                }
                out.push(Piece::Text(std::mem::take(&mut text)));
                out.push(Piece::Group(n));
            }
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'a' => text.push('\x07'),
            'b' => text.push('\x08'),
            'f' => text.push('\x0c'),
            'v' => text.push('\x0b'),
            '\\' => text.push('\\'),
            c if c.is_ascii_alphabetic() => return Err(format!("bad escape \\{c}")),
            c => text.extend(['\\', c]),
        }
    }
    out.push(Piece::Text(text));
    Ok(out)
}
