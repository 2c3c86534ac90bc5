//! Text.

use super::{flag, flag_or, int_or, need, text_or};
use crate::template::error::{R, fail};
use crate::template::eval::{Args, Ev};
use crate::template::value::V;
use crate::template::{methods, pyformat, pytime};

pub(crate) fn capitalize(s: &str) -> String {
    let mut chars = s.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars.flat_map(char::to_lowercase)).collect())
}

pub(crate) fn title(s: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(s.len());
    for c in s.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

pub(crate) fn capitalize_filter(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(V::str(capitalize(&ev.text(&v)?)))
}

/// Jinja's own `title` starts a word after blanks, dashes and brackets only.
pub(crate) fn title_filter(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text(&v)?;
    let mut start = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = c.is_whitespace() || "-([{<".contains(c);
    }
    Ok(V::str(out))
}

pub(crate) fn lower(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(V::str(ev.text(&v)?.to_lowercase()))
}

pub(crate) fn upper(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(V::str(ev.text(&v)?.to_uppercase()))
}

pub(crate) fn string(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(V::str(ev.text(&v)?))
}

pub(crate) fn pprint(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let mut out = String::new();
    ev.repr(&v, &mut out)?;
    Ok(V::str(out))
}

pub(crate) fn trim(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [chars] = args.bind(["chars"])?;
    let text = ev.text(&v)?;
    Ok(match chars.filter(|c| !matches!(c, V::None)) {
        Some(set) => {
            let set = ev.text(&set)?;
            V::str(text.trim_matches(|c| set.contains(c)))
        }
        None => V::str(text.trim()),
    })
}

pub(crate) fn replace(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [old, new, count] = args.bind(["old", "new", "count"])?;
    let (old, new) = (ev.text(&need(old, "old")?)?, ev.text(&need(new, "new")?)?);
    methods::replace(ev, &ev.text(&v)?, &old, &new, int_or(count, -1)?)
}

pub(crate) fn split(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [sep, max] = args.bind(["sep", "maxsplit"])?;
    match &v {
        V::Str(s) => methods::split(ev, s, sep, int_or(max, -1)?, false),
        other => fail(format!("needs text, not a {}", other.type_name())),
    }
}

pub(crate) fn center(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [width] = args.bind(["width"])?;
    methods::pad(ev, &ev.text(&v)?, "center", int_or(width, 80)?, " ")
}

pub(crate) fn format(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let text = ev.text(&v)?;
    if !args.named.is_empty() {
        let map = args.named.into_iter().map(|(k, v)| (crate::template::value::Key::Str(k), v)).collect();
        return pyformat::percent(ev, &text, &V::map(map));
    }
    pyformat::percent(ev, &text, &V::tuple(args.pos))
}

pub(crate) fn indent(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [width, first, blank] = args.bind(["width", "first", "blank"])?;
    let pad = match width {
        Some(V::Str(s)) => s.to_string(),
        other => " ".repeat(usize::try_from(int_or(other, 4)?.clamp(0, 10_000)).unwrap_or(0)),
    };
    let (first, blank) = (flag(first)?, flag(blank)?);
    let text = ev.text(&v)?;
    ev.room(text.len() + text.matches('\n').count() * pad.len())?;
    let mut out = String::with_capacity(text.len() * 2);
    let text = format!("{text}\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop();
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if (i > 0 && (blank || !line.is_empty())) || (i == 0 && first) {
            out.push_str(&pad);
        }
        out.push_str(line);
    }
    Ok(V::str(out))
}

pub(crate) fn wordcount(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text(&v)?;
    Ok(V::Int(text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).count() as i128))
}

pub(crate) fn wordwrap(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [width, break_long, newline] = args.bind(["width", "break_long_words", "wrapstring"])?;
    let width = usize::try_from(int_or(width, 79)?.max(1)).unwrap_or(79);
    let break_long = flag_or(break_long, true)?;
    let newline = text_or(ev, newline.filter(|n| !matches!(n, V::None)), "\n")?;
    let mut lines = Vec::new();
    for paragraph in ev.text(&v)?.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let mut word: Vec<char> = word.chars().collect();
            let used = line.chars().count();
            if used > 0 && used + 1 + word.len() > width {
                lines.push(std::mem::take(&mut line));
            }
            while break_long && word.len() > width {
                lines.push(word.drain(..width).collect());
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.extend(word);
        }
        lines.push(line);
    }
    Ok(V::str(lines.join(&newline)))
}

pub(crate) fn truncate(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [length, kill, end, leeway] = args.bind(["length", "killwords", "end", "leeway"])?;
    let text: Vec<char> = ev.text(&v)?.chars().collect();
    let length = usize::try_from(int_or(length, 255)?).unwrap_or(0);
    let leeway = usize::try_from(int_or(leeway, 5)?).unwrap_or(0);
    let end = text_or(ev, end, "...")?;
    if text.len() <= length.saturating_add(leeway) {
        return Ok(V::str(text.into_iter().collect::<String>()));
    }
    let kept: String = text[..length.saturating_sub(end.chars().count())].iter().collect();
    let kept = if flag(kill)? { &kept } else { kept.rsplit_once(' ').map_or(kept.as_str(), |(a, _)| a) };
    Ok(V::str(format!("{kept}{end}")))
}

pub(crate) fn striptags(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text(&v)?;
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    Ok(V::str(out.split_whitespace().collect::<Vec<_>>().join(" ")))
}

pub(crate) fn escape(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text(&v)?;
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Ok(V::str(text.replace('\'', "&#39;").replace('"', "&#34;")))
}

/// Python's `shlex.quote`.
pub(crate) fn quote(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text_of_output(&v)?;
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c)) {
        return Ok(V::str(text));
    }
    Ok(V::str(format!("'{}'", text.replace('\'', "'\"'\"'"))))
}

pub(crate) fn default(_: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [value, boolean] = args.bind(["default_value", "boolean"])?;
    let value = value.unwrap_or(V::str(""));
    if let V::Unknown(u) = &v
        && !u.exists
    {
        return Ok(v);
    }
    if matches!(v, V::Undef(_)) || flag(boolean)? && !v.truth()? {
        return Ok(value);
    }
    Ok(v)
}

pub(crate) fn mandatory(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [message] = args.bind(["msg"])?;
    match (&v, message) {
        (V::Undef(_), Some(m)) => fail(ev.text(&m)?),
        (V::Undef(u), None) => Err(u.stop()),
        _ => Ok(v),
    }
}

pub(crate) fn type_debug(_: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    match v {
        V::Unknown(u) => Err(u.stop()),
        V::Undef(_) => Ok(V::str("UndefinedMarker")),
        other => Ok(V::str(other.type_name())),
    }
}

pub(crate) fn ternary(_: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [yes, no, none] = args.bind(["true_val", "false_val", "none_val"])?;
    let (yes, no) = (need(yes, "true_val")?, need(no, "false_val")?);
    if let (V::None, Some(none)) = (&v, none.filter(|n| !matches!(n, V::None))) {
        return Ok(none);
    }
    if let V::Undef(_) = v {
        return Ok(v);
    }
    Ok(if v.truth()? { yes } else { no })
}

pub(crate) fn strftime(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [second, utc] = args.bind(["second", "utc"])?;
    let seconds = match second.filter(|s| !matches!(s, V::None)) {
        Some(s) => match ev.text(&s)?.trim().parse::<f64>() {
            Ok(f) => Some(f),
            Err(_) => return fail("`second` must be a number of seconds"),
        },
        None => None,
    };
    let at = pytime::moment(seconds, flag(utc)?)?;
    Ok(V::str(pytime::strftime_zoned(&ev.text(&v)?, &at)?))
}

pub(crate) fn to_datetime(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [format] = args.bind(["format"])?;
    let format = text_or(ev, format, "%Y-%m-%d %H:%M:%S")?;
    Ok(V::Time(pytime::strptime(&ev.text(&v)?, &format)?))
}

/// Ansible's `comment`: text behind a decoration, with lines before and after.
pub(crate) fn comment(ev: &Ev<'_>, v: V, mut args: Args) -> R<V> {
    let style = match args.take_named("style") {
        Some(s) => ev.text(&s)?,
        None if !args.pos.is_empty() => ev.text(&args.pos.remove(0))?,
        None => "plain".to_owned(),
    };
    let (beginning, decoration, end) = match style.as_str() {
        "plain" => ("", "# ", ""),
        "erlang" => ("", "% ", ""),
        "c" => ("", "// ", ""),
        "cblock" => ("/*", " * ", " */"),
        "xml" => ("<!--", " - ", "-->"),
        other => return fail(format!("there is no style `{other}`: plain, erlang, c, cblock, xml")),
    };
    let [deco, prefix, prefix_n, postfix, postfix_n, begin, end_text, newline] =
        args.bind(["decoration", "prefix", "prefix_count", "postfix", "postfix_count", "beginning", "end", "newline"])?;
    let decoration = text_or(ev, deco, decoration)?;
    let newline = text_or(ev, newline, "\n")?;
    let prefix = text_or(ev, prefix, decoration.trim_end())?;
    let postfix = text_or(ev, postfix, decoration.trim_end())?;
    let beginning = text_or(ev, begin, beginning)?;
    let end = text_or(ev, end_text, end)?;
    let count = |n: Option<V>| int_or(n, 1).map(|n| usize::try_from(n.clamp(0, 1000)).unwrap_or(0));
    let (prefix_n, postfix_n) = (count(prefix_n)?, count(postfix_n)?);
    let mut out = String::new();
    if !beginning.is_empty() {
        out.push_str(&format!("{beginning}{newline}"));
    }
    if !prefix.is_empty() {
        let line = if prefix == newline { newline.clone() } else { format!("{prefix}{newline}") };
        out.push_str(&line.repeat(prefix_n));
    }
    let text = ev.text(&v)?;
    ev.room(text.len() + text.matches(&newline).count() * decoration.len())?;
    let body = format!("{decoration}{}", text.replace(&newline, &format!("{newline}{decoration}")));
    out.push_str(&body.replace(&format!("{decoration}{newline}"), &format!("{}{newline}", decoration.trim_end())));
    for _ in 0..postfix_n {
        out.push_str(&newline);
        out.push_str(&postfix);
    }
    if !end.is_empty() {
        out.push_str(&format!("{newline}{end}"));
    }
    Ok(V::str(out))
}
