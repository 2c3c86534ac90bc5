//! Python's `%` operator on text and `str.format`.

use super::error::{R, fail};
use super::eval::{Args, Ev};
use super::value::V;

/// How one value is to be written.
#[derive(Default)]
struct Spec {
    fill: char,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: char,
}

/// `format % values`.
pub(crate) fn percent(ev: &Ev<'_>, format: &str, values: &V) -> R<V> {
    let list = match values {
        V::Tuple(t) => t.to_vec(),
        other => vec![other.clone()],
    };
    let mut used = 0;
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            out.push('%');
            continue;
        }
        let mut named = None;
        if chars.peek() == Some(&'(') {
            chars.next();
            named = Some(chars.by_ref().take_while(|c| *c != ')').collect::<String>());
        }
        let mut spec = Spec { fill: ' ', align: Some('>'), ..Spec::default() };
        while let Some(&f) = chars.peek() {
            match f {
                '-' => spec.align = Some('<'),
                '0' => spec.fill = '0',
                '+' | ' ' => spec.sign = Some(f),
                '#' => spec.alternate = true,
                _ => break,
            }
            chars.next();
        }
        let mut number = String::new();
        while let Some(d) = chars.next_if(|c| c.is_ascii_digit() || *c == '.') {
            number.push(d);
        }
        let (width, precision) = number.split_once('.').map_or((number.as_str(), None), |(w, p)| (w, Some(p)));
        spec.width = width.parse().unwrap_or(0);
        spec.precision = precision.map(|p| p.parse().unwrap_or(0));
        let Some(kind) = chars.next() else { return fail("the format ends within a `%`") };
        let value = match named {
            Some(name) => match values {
                V::Map(m) => match m.get_str(&name) {
                    Some(v) => ev.known(v)?,
                    None => return fail(format!("the dictionary has no key `{name}`")),
                },
                _ => return fail("`%(name)s` needs a dictionary"),
            },
            None => match list.get(used) {
                Some(v) => {
                    used += 1;
                    ev.known(v.clone())?
                }
                None => return fail("there are fewer values than the format has places"),
            },
        };
        if spec.align == Some('<') {
            spec.fill = ' ';
        }
        spec.kind = match kind {
            'i' | 'u' => 'd',
            other => other,
        };
        let text = match kind {
            's' => V::str(ev.text(&value)?),
            'r' | 'a' => {
                let mut repr = String::new();
                ev.repr(&value, &mut repr)?;
                V::str(repr)
            }
            'd' | 'i' | 'u' => match &value {
                V::Int(_) => value,
                V::Bool(b) => V::Int(i128::from(*b)),
                V::Float(f) => V::Int(f.trunc() as i128),
                other => return fail(format!("`%{kind}` needs a number, not a {}", other.type_name())),
            },
            'x' | 'X' | 'o' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'c' => value,
            other => return fail(format!("the format has an unknown `%{other}`")),
        };
        if matches!(kind, 'r' | 'a') {
            spec.kind = 's';
        }
        out.push_str(&write(ev, &text, &spec)?);
        ev.room(out.len())?;
    }
    if used < list.len()
        && !matches!(values, V::Map(_))
        && matches!(values, V::Tuple(_) | V::Str(_) | V::Int(_) | V::Float(_))
    {
        return fail("there are more values than the format has places");
    }
    Ok(V::str(out))
}

/// `template.format(…)`.
pub(crate) fn format(ev: &Ev<'_>, template: &str, args: &Args) -> R<String> {
    let mut auto = 0;
    format_into(ev, template, args, &mut auto, 0)
}

fn format_into(ev: &Ev<'_>, template: &str, args: &Args, auto: &mut usize, depth: u32) -> R<String> {
    let mut out = String::new();
    let chars: Vec<char> = template.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            c @ ('{' | '}') if chars.get(at + 1) == Some(&c) => {
                out.push(c);
                at += 2;
            }
            '{' => {
                let mut level = 1;
                let start = at + 1;
                at = start;
                while at < chars.len() && level > 0 {
                    match chars[at] {
                        '{' => level += 1,
                        '}' => level -= 1,
                        _ => {}
                    }
                    at += 1;
                }
                if level > 0 || depth > 1 {
                    return fail("the format has a `{` that is not closed");
                }
                let field: String = chars[start..at - 1].iter().collect();
                let (field, spec) = field.split_once(':').map_or((field.as_str(), ""), |(f, s)| (f, s));
                let (path, conversion) = field.split_once('!').map_or((field, ""), |(p, c)| (p, c));
                let mut value = field_value(ev, path, args, auto)?;
                if conversion == "r" {
                    let mut repr = String::new();
                    ev.repr(&value, &mut repr)?;
                    value = V::str(repr);
                } else if conversion == "s" {
                    value = V::str(ev.text(&value)?);
                }
                let spec = format_into(ev, spec, args, auto, depth + 1)?;
                out.push_str(&write(ev, &value, &parse_spec(&spec)?)?);
            }
            '}' => return fail("the format has a `}` without `{`"),
            c => {
                out.push(c);
                at += 1;
            }
        }
        ev.room(out.len())?;
    }
    Ok(out)
}

fn field_value(ev: &Ev<'_>, path: &str, args: &Args, auto: &mut usize) -> R<V> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (head, mut rest) = path.split_at(end);
    let found = if head.is_empty() {
        *auto += 1;
        args.pos.get(*auto - 1).cloned()
    } else if let Ok(n) = head.parse::<usize>() {
        args.pos.get(n).cloned()
    } else {
        args.named.iter().find(|(n, _)| &**n == head).map(|(_, v)| v.clone())
    };
    let Some(mut value) = found else {
        return fail(format!("the format names `{head}`, which was not given"));
    };
    while !rest.is_empty() {
        let (key, after) = match rest.strip_prefix('[') {
            Some(r) => r.split_once(']').unwrap_or((r, "")),
            None => {
                let r = &rest[1..];
                r.split_at(r.find(['.', '[']).unwrap_or(r.len()))
            }
        };
        let index = key.parse::<i128>().map_or_else(|_| V::str(key), V::Int);
        value = ev.item(&value, &index, None)?;
        rest = after;
    }
    match value {
        V::Undef(u) => Err(u.stop()),
        other => ev.known(other),
    }
}

fn parse_spec(spec: &str) -> R<Spec> {
    let mut out = Spec { fill: ' ', ..Spec::default() };
    let chars: Vec<char> = spec.chars().collect();
    let mut at = 0;
    let is_align = |c: Option<&char>| c.is_some_and(|c| "<>^=".contains(*c));
    if is_align(chars.get(1)) {
        (out.fill, out.align) = (chars[0], Some(chars[1]));
        at = 2;
    } else if is_align(chars.first()) {
        out.align = Some(chars[0]);
        at = 1;
    }
    if let Some(c) = chars.get(at).filter(|c| "+- ".contains(**c)) {
        out.sign = Some(*c);
        at += 1;
    }
    if chars.get(at) == Some(&'#') {
        out.alternate = true;
        at += 1;
    }
    if chars.get(at) == Some(&'0') {
        if out.align.is_none() {
            (out.fill, out.align) = ('0', Some('='));
        }
        at += 1;
    }
    let digits = |at: &mut usize| {
        let text: String = chars[*at..].iter().take_while(|c| c.is_ascii_digit()).collect();
        *at += text.len();
        text.parse::<usize>().ok()
    };
    out.width = digits(&mut at).unwrap_or(0);
    if let Some(c) = chars.get(at).filter(|c| ",_".contains(**c)) {
        out.grouping = Some(*c);
        at += 1;
    }
    if chars.get(at) == Some(&'.') {
        at += 1;
        out.precision = digits(&mut at);
    }
    if let Some(c) = chars.get(at) {
        out.kind = *c;
        at += 1;
    }
    if at < chars.len() {
        return fail(format!("the format `{spec}` is wrong"));
    }
    Ok(out)
}

fn write(ev: &Ev<'_>, value: &V, spec: &Spec) -> R<String> {
    ev.room(spec.width.max(spec.precision.unwrap_or(0)))?;
    let numeric =
        matches!(value, V::Int(_) | V::Float(_)) || (matches!(value, V::Bool(_)) && !matches!(spec.kind, '\0' | 's'));
    let mut body = match (value, spec.kind) {
        (V::Str(_), 's' | '\0')
        | (V::Bool(_) | V::None | V::List(_) | V::Map(_) | V::Tuple(_) | V::Time(_), '\0' | 's') => {
            let text = ev.text(value)?;
            match spec.precision {
                Some(n) => text.chars().take(n).collect(),
                None => text,
            }
        }
        (V::Int(i), kind) if "\0dnxXobc".contains(kind) => whole(*i, kind, spec)?,
        (V::Bool(b), kind) if "dnxXob".contains(kind) => whole(i128::from(*b), kind, spec)?,
        (V::Int(i), kind) if "eEfFgG%".contains(kind) => float(*i as f64, kind, spec.precision),
        (V::Float(f), kind) if "\0eEfFgG%n".contains(kind) => float(*f, kind, spec.precision),
        (V::Str(s), 'c') => s.to_string(),
        (V::Int(_) | V::Float(_), 's') => ev.text(value)?,
        (other, kind) => return fail(format!("the format `{kind}` does not fit a {}", other.type_name())),
    };
    if let Some(group) = spec.grouping {
        body = grouped(&body, group);
    }
    if numeric && !body.starts_with('-') && matches!(spec.sign, Some('+' | ' ')) {
        body.insert(0, spec.sign.unwrap_or('+'));
    }
    let missing = spec.width.saturating_sub(body.chars().count());
    let pad = |n: usize| spec.fill.to_string().repeat(n);
    let zeros = spec.fill == '0' && numeric && matches!(spec.align, Some('>' | '='));
    Ok(match spec.align.unwrap_or(if numeric { '>' } else { '<' }) {
        _ if zeros || spec.align == Some('=') => {
            let sign = usize::from(body.starts_with(['-', '+', ' ']));
            format!("{}{}{}", &body[..sign], pad(missing), &body[sign..])
        }
        '<' => format!("{body}{}", pad(missing)),
        '^' => format!("{}{body}{}", pad(missing / 2), pad(missing - missing / 2)),
        _ => format!("{}{body}", if numeric || spec.fill != '0' { pad(missing) } else { " ".repeat(missing) }),
    })
}

fn whole(i: i128, kind: char, spec: &Spec) -> R<String> {
    let (prefix, digits) = match kind {
        'x' => ("0x", format!("{:x}", i.unsigned_abs())),
        'X' => ("0X", format!("{:X}", i.unsigned_abs())),
        'o' => ("0o", format!("{:o}", i.unsigned_abs())),
        'b' => ("0b", format!("{:b}", i.unsigned_abs())),
        'c' => match u32::try_from(i).ok().and_then(char::from_u32) {
            Some(c) => return Ok(c.to_string()),
            None => return fail("not the number of a character"),
        },
        _ => ("", i.unsigned_abs().to_string()),
    };
    let zeros = "0".repeat(spec.precision.unwrap_or(0).saturating_sub(digits.len()));
    Ok(format!("{}{}{zeros}{digits}", if i < 0 { "-" } else { "" }, if spec.alternate { prefix } else { "" }))
}

fn float(f: f64, kind: char, precision: Option<usize>) -> String {
    let exponent = |text: String| {
        let (m, e) = text.split_once('e').map_or((text.clone(), "0".to_owned()), |(m, e)| (m.to_owned(), e.to_owned()));
        let (sign, digits) = e.strip_prefix('-').map_or(('+', e.as_str()), |d| ('-', d));
        format!("{m}e{sign}{digits:0>2}")
    };
    let p = precision.unwrap_or(6).min(300);
    match kind {
        'f' | 'F' => format!("{f:.p$}"),
        '%' => format!("{:.p$}%", f * 100.0),
        'e' => exponent(format!("{f:.p$e}")),
        'E' => exponent(format!("{f:.p$e}")).to_uppercase(),
        '\0' if precision.is_none() => super::value::float_repr(f),
        _ => {
            let p = p.max(1);
            let scientific = format!("{f:.*e}", p - 1);
            let e: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
            let trim =
                |s: String| if s.contains('.') { s.trim_end_matches('0').trim_end_matches('.').to_owned() } else { s };
            if e < -4 || e >= p as i32 {
                let (m, e) = scientific.split_once('e').unwrap_or((&scientific, "0"));
                exponent(format!("{}e{e}", trim(m.to_owned())))
            } else {
                trim(format!("{f:.*}", (p as i32 - 1 - e).max(0) as usize))
            }
        }
    }
}

fn grouped(body: &str, group: char) -> String {
    let (sign, rest) = if body.starts_with('-') { body.split_at(1) } else { ("", body) };
    let end = rest.find(['.', 'e']).unwrap_or(rest.len());
    let digits = &rest[..end];
    let mut out = String::from(sign);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(group);
        }
        out.push(c);
    }
    out.push_str(&rest[end..]);
    out
}
