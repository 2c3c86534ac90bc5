//! What an unquoted scalar means: the implicit resolvers of YAML 1.1 as PyYAML 6 has them.
//!
//! PyYAML differs from the YAML 1.1 type repository: `y` and `n` are strings, an exponent needs a sign and a dot.

/// What a leaf means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resolved {
    /// Empty, `~`, `null`.
    Null,
    /// `yes`, `no`, `true`, `false`, `on`, `off`.
    Bool(bool),
    /// An integer; one that does not fit is a string.
    Int(i128),
    /// A float, infinities and not-a-number included.
    Float(f64),
    /// Anything else: the text itself.
    Str,
}

/// Resolves the text of a plain scalar.
pub fn resolve(text: &str) -> Resolved {
    let Some(first) = text.bytes().next() else {
        return Resolved::Null;
    };
    match first {
        b'~' | b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => word(text),
        b'0'..=b'9' | b'-' | b'+' | b'.' => float(text).or_else(|| int(text)).unwrap_or(Resolved::Str),
        _ => Resolved::Str,
    }
}

fn word(text: &str) -> Resolved {
    match text {
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Resolved::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Resolved::Bool(false),
        _ => Resolved::Str,
    }
}

fn sign(text: &str) -> (i128, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    }
}

/// The text as an integer: binary, octal, decimal, hexadecimal or sexagesimal, with underscores.
pub fn int(text: &str) -> Option<Resolved> {
    let (sign, body) = sign(text);
    let radix = |digits: &str, radix: u32| {
        let all = !digits.is_empty() && digits.chars().all(|c| c == '_' || c.is_digit(radix));
        let clean = all.then(|| digits.replace('_', ""))?;
        i128::from_str_radix(&clean, radix).ok()
    };
    let value = if let Some(digits) = body.strip_prefix("0b") {
        radix(digits, 2)
    } else if let Some(digits) = body.strip_prefix("0x") {
        radix(digits, 16)
    } else if body == "0" {
        Some(0)
    } else if let Some(digits) = body.strip_prefix('0') {
        radix(digits, 8).or_else(|| digits.bytes().all(|b| b == b'_').then_some(0))
    } else if body.contains(':') {
        sexagesimal(body)
    } else if body.starts_with(|c: char| c.is_ascii_digit()) {
        radix(body, 10)
    } else {
        None
    };
    value.map(|v| Resolved::Int(sign * v))
}

fn sexagesimal(body: &str) -> Option<i128> {
    let mut parts = body.split(':');
    let head = parts.next().filter(|h| h.starts_with(|c: char| ('1'..='9').contains(&c)))?;
    let head = head.bytes().all(|b| b == b'_' || b.is_ascii_digit()).then(|| head.replace('_', ""))?;
    let mut total: i128 = head.parse().ok()?;
    for part in parts {
        total = total.checked_mul(60)?.checked_add(i128::from(sixty(part)?))?;
    }
    Some(total)
}

/// A digit of base sixty: `[0-5]?[0-9]`.
fn sixty(part: &str) -> Option<u8> {
    let fits = matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    if fits { part.parse().ok() } else { None }
}

/// The text as a float: with a dot, or an infinity, or not-a-number.
pub fn float(text: &str) -> Option<Resolved> {
    let (sign, body) = sign(text);
    let signed = body.len() != text.len();
    let minus = if sign < 0 { -1.0 } else { 1.0 };
    match body {
        ".inf" | ".Inf" | ".INF" => return Some(Resolved::Float(minus * f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if !signed => return Some(Resolved::Float(f64::NAN)),
        _ => {}
    }
    let (whole, rest) = body.split_once('.')?;
    if whole.contains(':') {
        return float_sexagesimal(whole, rest).map(|f| Resolved::Float(minus * f));
    }
    let whole_ok = whole.starts_with(|c: char| c.is_ascii_digit()) && digits(whole);
    // `.5` but not `-.5`, `._5` or `.`.
    let bare = whole.is_empty() && !signed && rest.starts_with(|c: char| c.is_ascii_digit());
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let exponent_ok = exponent.is_none_or(|e| {
        e.strip_prefix(['-', '+']).is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
    });
    if !(whole_ok || bare) || !digits(fraction) || !exponent_ok {
        return None;
    }
    body.replace('_', "").parse::<f64>().ok().map(|f| Resolved::Float(minus * f))
}

fn digits(text: &str) -> bool {
    text.bytes().all(|b| b == b'_' || b.is_ascii_digit())
}

fn float_sexagesimal(whole: &str, fraction: &str) -> Option<f64> {
    let mut parts = whole.split(':');
    let head = parts.next().filter(|h| h.starts_with(|c: char| c.is_ascii_digit()) && digits(h))?;
    let mut total: f64 = head.replace('_', "").parse().ok()?;
    for part in parts {
        total = total * 60.0 + f64::from(sixty(part)?);
    }
    if !digits(fraction) {
        return None;
    }
    let fraction = fraction.replace('_', "");
    Some(total + if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? })
}
