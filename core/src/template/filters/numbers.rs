//! Numbers and truth values.

use super::{flag, int_or, need, text_or};
use crate::template::error::{R, fail};
use crate::template::eval::{Args, Ev};
use crate::template::value::V;

/// The number in a value, as a float.
fn float_of(v: &V) -> R<f64> {
    match v {
        V::Int(i) => Ok(*i as f64),
        V::Float(f) => Ok(*f),
        V::Bool(b) => Ok(f64::from(u8::from(*b))),
        other => fail(format!("needs a number, not a {}", other.type_name())),
    }
}

/// Ansible's `bool`: the usual words and numbers; anything else is false, except what equals one.
pub(crate) fn to_bool(_: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(V::Bool(match &v {
        V::Bool(b) => *b,
        V::Int(i) => *i == 1,
        V::Float(f) => *f == 1.0,
        V::Str(s) => matches!(s.to_lowercase().as_str(), "yes" | "on" | "true" | "1"),
        _ => false,
    }))
}

pub(crate) fn int(_: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [default, base] = args.bind(["default", "base"])?;
    let base = u32::try_from(int_or(base, 10)?).unwrap_or(10);
    let number = match &v {
        V::Int(i) => Some(*i),
        V::Bool(b) => Some(i128::from(*b)),
        V::Float(f) if f.is_finite() => Some(f.trunc() as i128),
        V::Str(s) => {
            let text = s.trim().replace('_', "");
            let (negative, digits) = match text.strip_prefix('-') {
                Some(d) => (true, d),
                None => (false, text.strip_prefix('+').unwrap_or(&text)),
            };
            let digits = match base {
                16 => digits.trim_start_matches("0x").trim_start_matches("0X"),
                8 => digits.trim_start_matches("0o").trim_start_matches("0O"),
                2 => digits.trim_start_matches("0b").trim_start_matches("0B"),
                _ => digits,
            };
            let whole = if (2..=36).contains(&base) { i128::from_str_radix(digits, base).ok() } else { None };
            let whole = whole.filter(|_| digits.starts_with(|c: char| c.is_ascii_alphanumeric()));
            let float = || text.parse::<f64>().ok().filter(|f| f.is_finite()).map(|f| f.trunc() as i128);
            whole.map(|n| if negative { -n } else { n }).or_else(float)
        }
        _ => None,
    };
    Ok(number.map_or_else(|| default.unwrap_or(V::Int(0)), V::Int))
}

pub(crate) fn float(_: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [default] = args.bind(["default"])?;
    let number = match &v {
        V::Str(s) => s.trim().replace('_', "").parse::<f64>().ok(),
        other => float_of(other).ok(),
    };
    Ok(number.map_or_else(|| default.unwrap_or(V::Float(0.0)), V::Float))
}

pub(crate) fn abs(_: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    match v {
        V::Int(i) => Ok(V::Int(i.abs())),
        V::Bool(b) => Ok(V::Int(i128::from(b))),
        other => Ok(V::Float(float_of(&other)?.abs())),
    }
}

pub(crate) fn round(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [precision, method] = args.bind(["precision", "method"])?;
    let precision = i32::try_from(int_or(precision, 0)?.clamp(-300, 300)).unwrap_or(0);
    let x = float_of(&v)?;
    let scale = 10f64.powi(precision);
    Ok(V::Float(match text_or(ev, method, "common")?.as_str() {
        "ceil" => (x * scale).ceil() / scale,
        "floor" => (x * scale).floor() / scale,
        // The formatter rounds the exact binary value, half to even, as Python does.
        "common" if precision > 0 => format!("{x:.*}", precision as usize).parse().unwrap_or(x),
        "common" if precision < 0 => (x * scale).round_ties_even() / scale,
        "common" => x.round_ties_even(),
        other => return fail(format!("there is no rounding method `{other}`")),
    }))
}

pub(crate) fn log(_: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [base] = args.bind(["base"])?;
    let x = float_of(&v)?;
    if x <= 0.0 {
        return fail("the logarithm needs a positive number");
    }
    Ok(V::Float(match base.map(|b| float_of(&b)).transpose()? {
        None => x.ln(),
        Some(10.0) => x.log10(),
        Some(b) => x.ln() / b.ln(),
    }))
}

pub(crate) fn pow(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [exponent] = args.bind(["y"])?;
    let (x, y) = (float_of(&v)?, float_of(&need(exponent, "y")?)?);
    ev.spend(1)?;
    Ok(V::Float(x.powf(y)))
}

pub(crate) fn root(_: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [base] = args.bind(["base"])?;
    let x = float_of(&v)?;
    let base = base.map(|b| float_of(&b)).transpose()?.unwrap_or(2.0);
    Ok(V::Float(if base == 2.0 { x.sqrt() } else { x.powf(1.0 / base) }))
}

const UNITS: &[(char, u64)] = &[
    ('Y', 0),
    ('Z', 0),
    ('E', 1 << 60),
    ('P', 1 << 50),
    ('T', 1 << 40),
    ('G', 1 << 30),
    ('M', 1 << 20),
    ('K', 1 << 10),
];

pub(crate) fn human_readable(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [bits, unit] = args.bind(["isbits", "unit"])?;
    let bits = flag(bits)?;
    let x = match &v {
        V::Str(s) => s.trim().parse::<f64>().map_or_else(|_| fail("needs a number"), Ok)?,
        other => float_of(other)?,
    };
    let unit = unit.filter(|u| !matches!(u, V::None)).map(|u| ev.text(&u)).transpose()?;
    let base = if bits { "bits" } else { "Bytes" };
    for (letter, size) in UNITS.iter().filter(|(_, s)| *s > 0) {
        let wanted = match &unit {
            Some(u) => u.to_uppercase().starts_with(*letter),
            None => x >= *size as f64,
        };
        if wanted {
            let suffix = if bits { "b" } else { "B" };
            return Ok(V::str(format!("{:.2} {letter}{suffix}", x / *size as f64)));
        }
    }
    Ok(V::str(format!("{x:.2} {base}")))
}

pub(crate) fn human_to_bytes(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [unit, bits] = args.bind(["default_unit", "isbits"])?;
    let bits = flag(bits)?;
    let text = ev.text(&v)?;
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let Ok(number) = text[..end].parse::<f64>() else { return fail(format!("`{text}` is not a size")) };
    let mut suffix = text[end..].trim().to_owned();
    if suffix.is_empty() {
        suffix = unit.filter(|u| !matches!(u, V::None)).map(|u| ev.text(&u)).transpose()?.unwrap_or_default();
    }
    let letter = suffix.chars().next().map(|c| c.to_ascii_uppercase());
    let rest = suffix.get(1..).unwrap_or_default();
    let wanted = if bits { 'b' } else { 'B' };
    let size = match letter {
        None => 1,
        Some('B') if rest.is_empty() || matches!(rest.to_lowercase().as_str(), "yte" | "ytes" | "it" | "its") => 1,
        Some(l) => match UNITS.iter().find(|(u, s)| *u == l && *s > 0) {
            Some((_, size)) if rest.is_empty() || rest.starts_with(wanted) || rest.len() > 1 => *size,
            Some(_) => return fail(format!("`{text}` has the unit of {}", if bits { "bytes" } else { "bits" })),
            None => return fail(format!("`{suffix}` is not a unit of size")),
        },
    };
    Ok(V::Int((number * size as f64).round_ties_even() as i128))
}

pub(crate) fn filesizeformat(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [binary] = args.bind(["binary"])?;
    let binary = flag(binary)?;
    let x = match &v {
        V::Str(s) => s.trim().parse::<f64>().map_or_else(|_| fail("needs a number"), Ok)?,
        other => float_of(other)?,
    };
    ev.spend(1)?;
    let base = if binary { 1024.0 } else { 1000.0 };
    if x == 1.0 {
        return Ok(V::str("1 Byte"));
    }
    if x < base {
        return Ok(V::str(format!("{} Bytes", x.trunc())));
    }
    let mut unit = base;
    let mut last = ("k", x / base);
    for prefix in ["k", "M", "G", "T", "P", "E", "Z", "Y"] {
        last = (prefix, x / unit);
        unit *= base;
        if x < unit {
            break;
        }
    }
    let prefix = if binary { last.0.to_uppercase() } else { last.0.to_owned() };
    Ok(V::str(format!("{:.1} {prefix}{}", last.1, if binary { "iB" } else { "B" })))
}
