//! Jinja tests: what stands behind `is`.

use super::error::{R, fail};
use super::eval::{Args, Ev};
use super::ir::Cmp;
use super::pyregex::PyRegex;
use super::value::V;
use std::cmp::Ordering;

/// A test.
pub(crate) type TestFn = fn(&Ev<'_>, V, Args) -> R<bool>;

/// Every test, sorted by name.
const TESTS: &[(&str, TestFn)] = &[
    ("!=", ne),
    ("<", lt),
    ("<=", le),
    ("==", eq),
    (">", gt),
    (">=", ge),
    ("abs", is_abs),
    ("all", all),
    ("any", any),
    ("boolean", |_, v, a| type_is(a, matches!(v, V::Bool(_)))),
    ("callable", |_, v, a| type_is(a, matches!(v, V::Call(_)))),
    ("change", changed),
    ("changed", changed),
    ("contains", |ev, v, a| ev.contains(&v, &one(a)?)),
    ("defined", always),
    ("divisibleby", divisible),
    ("eq", eq),
    ("equalto", eq),
    ("even", |_, v, a| parity(&v, a, 0)),
    ("failed", failed),
    ("failure", failed),
    ("false", |_, v, a| type_is(a, matches!(v, V::Bool(false)))),
    ("falsy", |_, v, a| truthy(&v, a).map(|t| !t)),
    ("filter", |ev, v, a| type_is(a, super::filters::find(&ev.text(&v)?).is_some())),
    ("finished", |ev, v, a| result_flag(ev, &v, a, "finished")),
    ("float", |_, v, a| type_is(a, matches!(v, V::Float(_)))),
    ("ge", ge),
    ("greaterthan", gt),
    ("gt", gt),
    ("in", |ev, v, a| ev.contains(&one(a)?, &v)),
    ("integer", |_, v, a| type_is(a, matches!(v, V::Int(_)))),
    ("issubset", subset),
    ("issuperset", superset),
    ("iterable", |_, v, a| type_is(a, matches!(v, V::List(_) | V::Tuple(_) | V::Map(_) | V::Str(_)))),
    ("le", le),
    ("lessthan", lt),
    ("lower", |ev, v, a| case(ev, &v, a, false)),
    ("lt", lt),
    ("mapping", |_, v, a| type_is(a, matches!(v, V::Map(_)))),
    ("match", |ev, v, a| pattern(ev, &v, a, "match")),
    ("nan", |_, v, a| type_is(a, matches!(v, V::Float(f) if f.is_nan()))),
    ("ne", ne),
    ("none", |_, v, a| type_is(a, matches!(v, V::None))),
    ("number", |_, v, a| type_is(a, matches!(v, V::Int(_) | V::Float(_) | V::Bool(_)))),
    ("odd", |_, v, a| parity(&v, a, 1)),
    ("reachable", |ev, v, a| result_flag(ev, &v, a, "unreachable").map(|u| !u)),
    ("regex", |ev, v, a| pattern(ev, &v, a, "search")),
    ("sameas", |_, v, a| Ok(v.identical(&one(a)?))),
    ("search", |ev, v, a| pattern(ev, &v, a, "search")),
    ("sequence", |_, v, a| type_is(a, matches!(v, V::List(_) | V::Tuple(_) | V::Map(_) | V::Str(_)))),
    ("skip", skipped),
    ("skipped", skipped),
    ("started", |ev, v, a| result_flag(ev, &v, a, "started")),
    ("string", |_, v, a| type_is(a, matches!(v, V::Str(_)))),
    ("subset", subset),
    ("succeeded", succeeded),
    ("success", succeeded),
    ("successful", succeeded),
    ("superset", superset),
    ("test", |ev, v, a| type_is(a, find(&ev.text(&v)?).is_some())),
    ("timedout", |ev, v, a| result_flag(ev, &v, a, "timedout")),
    ("true", |_, v, a| type_is(a, matches!(v, V::Bool(true)))),
    ("truthy", |_, v, a| truthy(&v, a)),
    ("undefined", always),
    ("unreachable", |ev, v, a| result_flag(ev, &v, a, "unreachable")),
    ("upper", |ev, v, a| case(ev, &v, a, true)),
    ("uri", |ev, v, a| address(ev, &v, a, &["://"])),
    ("url", |ev, v, a| address(ev, &v, a, &["://"])),
    ("urn", |ev, v, a| address(ev, &v, a, &["urn:"])),
    ("vault_encrypted", |ev, v, a| type_is(a, ev.text(&v)?.starts_with("$ANSIBLE_VAULT;"))),
    ("version", version),
    ("version_compare", version),
];

/// The test of that name, with or without `ansible.builtin.`.
pub(crate) fn find(name: &str) -> Option<TestFn> {
    let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
    TESTS.binary_search_by(|(n, _)| (*n).cmp(short)).ok().map(|i| TESTS[i].1)
}

/// Every name.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TESTS.iter().map(|(n, _)| *n)
}

fn type_is(args: Args, holds: bool) -> R<bool> {
    args.none()?;
    Ok(holds)
}

fn one(args: Args) -> R<V> {
    let [other] = args.bind(["other"])?;
    other.map_or_else(|| fail("needs something to compare with"), Ok)
}

/// `defined` and `undefined` are decided before a test runs.
fn always(_: &Ev<'_>, _: V, args: Args) -> R<bool> {
    args.none()?;
    Ok(true)
}

fn eq(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    ev.compare(Cmp::Eq, &v, &one(args)?)
}

fn ne(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    ev.compare(Cmp::Ne, &v, &one(args)?)
}

fn lt(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    ev.compare(Cmp::Lt, &v, &one(args)?)
}

fn le(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    ev.compare(Cmp::Le, &v, &one(args)?)
}

fn gt(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    ev.compare(Cmp::Gt, &v, &one(args)?)
}

fn ge(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    ev.compare(Cmp::Ge, &v, &one(args)?)
}

fn is_abs(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    type_is(args, ev.text(&v)?.starts_with('/'))
}

fn all(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    args.none()?;
    let mut holds = true;
    for item in ev.iter(&v)? {
        holds &= item.truth()?;
    }
    Ok(holds)
}

fn any(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    args.none()?;
    let mut holds = false;
    for item in ev.iter(&v)? {
        holds |= item.truth()?;
    }
    Ok(holds)
}

fn truthy(v: &V, args: Args) -> R<bool> {
    let [convert] = args.bind(["convert_bool"])?;
    if convert.map(|c| c.truth()).transpose()?.unwrap_or(false)
        && let V::Str(s) = v
    {
        match s.to_lowercase().as_str() {
            "yes" | "on" | "true" | "1" | "y" | "t" => return Ok(true),
            "no" | "off" | "false" | "0" | "n" | "f" => return Ok(false),
            _ => {}
        }
    }
    v.truth()
}

fn parity(v: &V, args: Args, wanted: i128) -> R<bool> {
    args.none()?;
    match v {
        V::Int(i) => Ok(i.rem_euclid(2) == wanted),
        other => fail(format!("needs a whole number, not a {}", other.type_name())),
    }
}

fn divisible(_: &Ev<'_>, v: V, args: Args) -> R<bool> {
    match (&v, one(args)?) {
        (V::Int(_), V::Int(0)) => fail("division by zero"),
        (V::Int(a), V::Int(b)) => Ok(a % b == 0),
        _ => fail("needs whole numbers"),
    }
}

fn case(ev: &Ev<'_>, v: &V, args: Args, upper: bool) -> R<bool> {
    args.none()?;
    let text = ev.text(v)?;
    let (has, has_other) = (text.chars().any(char::is_uppercase), text.chars().any(char::is_lowercase));
    Ok(if upper { has && !has_other } else { has_other && !has })
}

fn address(ev: &Ev<'_>, v: &V, args: Args, marks: &[&str]) -> R<bool> {
    let [schemes] = args.bind(["schemes"])?;
    let text = ev.text(v)?;
    let scheme = text.split(':').next().unwrap_or_default();
    if let Some(wanted) = schemes.filter(|s| !matches!(s, V::None))
        && !ev.contains(&wanted, &V::str(scheme))?
    {
        return Ok(false);
    }
    Ok(marks.iter().any(|m| text.contains(m)) && !scheme.is_empty())
}

fn pattern(ev: &Ev<'_>, v: &V, args: Args, how: &str) -> R<bool> {
    let [pattern, ignore, multiline, kind] = args.bind(["pattern", "ignorecase", "multiline", "match_type"])?;
    let flag = |v: Option<V>| v.map_or(Ok(false), |v| v.truth());
    let regex = PyRegex::new(&ev.text(&pattern.unwrap_or(V::str("")))?, flag(ignore)?, flag(multiline)?)?;
    let text = ev.text(v)?;
    ev.spend(text.len() as u64)?;
    let how = match kind {
        Some(k) => ev.text(&k)?,
        None => how.to_owned(),
    };
    match how.as_str() {
        "search" => Ok(regex.search(&text)?.is_some()),
        "match" => regex.matches_at_start(&text),
        "fullmatch" => {
            Ok(regex.search(&text)?.and_then(|c| c.get(0)).is_some_and(|m| m.start() == 0 && m.end() == text.len()))
        }
        other => fail(format!("there is no match type `{other}`")),
    }
}

/// The registered result of a task.
fn result_flag(ev: &Ev<'_>, v: &V, args: Args, key: &str) -> R<bool> {
    args.none()?;
    let V::Map(map) = v else { return fail(format!("needs the result of a task, not a {}", v.type_name())) };
    match map.get_str(key) {
        Some(value) => match ev.known(value)? {
            V::Int(i) => Ok(i != 0),
            other => other.truth(),
        },
        None => Ok(false),
    }
}

fn failed(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    result_flag(ev, &v, args, "failed")
}

fn succeeded(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    failed(ev, v, args).map(|f| !f)
}

fn skipped(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    result_flag(ev, &v, args, "skipped")
}

fn changed(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    let V::Map(map) = &v else { return fail(format!("needs the result of a task, not a {}", v.type_name())) };
    if map.get_str("changed").is_none()
        && let Some(results) = map.get_str("results")
    {
        let mut any = false;
        for item in ev.iter(&ev.known(results)?)? {
            any |= result_flag(ev, &item, Args::default(), "changed")?;
        }
        return Ok(any);
    }
    result_flag(ev, &v, args, "changed")
}

fn covers(ev: &Ev<'_>, all: &V, some: &V) -> R<bool> {
    let mut holds = true;
    for item in ev.iter(some)? {
        holds &= ev.contains(all, &item)?;
    }
    Ok(holds)
}

fn subset(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    covers(ev, &one(args)?, &v)
}

fn superset(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    covers(ev, &v, &one(args)?)
}

fn version(ev: &Ev<'_>, v: V, args: Args) -> R<bool> {
    let [other, operator, strict, kind] = args.bind(["version", "operator", "strict", "version_type"])?;
    let operator = match operator {
        Some(o) => ev.text(&o)?,
        None => "eq".to_owned(),
    };
    let (left, right) = (ev.text(&v)?, ev.text(&other.unwrap_or(V::None))?);
    if left.is_empty() || right.is_empty() {
        return fail("a version is empty");
    }
    let strict = strict.map(|s| s.truth()).transpose()?.unwrap_or(false);
    let semantic = kind.map(|k| ev.text(&k)).transpose()?.is_some_and(|k| k == "semver" || k == "semantic");
    let order = if semantic { semver(&left, &right)? } else { loose(&left, &right, strict)? };
    Ok(match operator.as_str() {
        "==" | "=" | "eq" => order.is_eq(),
        "!=" | "<>" | "ne" => order.is_ne(),
        "<" | "lt" => order.is_lt(),
        "<=" | "le" => order.is_le(),
        ">" | "gt" => order.is_gt(),
        ">=" | "ge" => order.is_ge(),
        other => return fail(format!("there is no operator `{other}`")),
    })
}

#[derive(Debug)]
enum Part {
    Number(u64),
    Word(String),
}

/// The parts of a version: runs of digits and runs of letters; anything between them stands for itself.
fn parts(text: &str) -> Vec<Part> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut run = String::from(c);
        if c.is_ascii_digit() {
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                run.push(d);
            }
            out.push(Part::Number(run.parse().unwrap_or(u64::MAX)));
        } else if c.is_ascii_lowercase() {
            while let Some(d) = chars.next_if(char::is_ascii_lowercase) {
                run.push(d);
            }
            out.push(Part::Word(run));
        } else if c != '.' {
            while let Some(d) = chars.next_if(|d| !d.is_ascii_digit() && !d.is_ascii_lowercase() && *d != '.') {
                run.push(d);
            }
            out.push(Part::Word(run));
        }
    }
    out
}

fn loose(a: &str, b: &str, strict: bool) -> R<Ordering> {
    let (x, y) = (parts(a), parts(b));
    for (p, q) in x.iter().zip(&y) {
        let order = match (p, q) {
            (Part::Number(m), Part::Number(n)) => m.cmp(n),
            (Part::Word(v), Part::Word(w)) => v.cmp(w),
            _ if strict => return fail(format!("the versions `{a}` and `{b}` cannot be compared strictly")),
            _ => return fail(format!("the versions `{a}` and `{b}` have no order")),
        };
        if order.is_ne() {
            return Ok(order);
        }
    }
    Ok(x.len().cmp(&y.len()))
}

fn semver(a: &str, b: &str) -> R<Ordering> {
    let split = |text: &str| -> R<([u64; 3], Vec<String>)> {
        let core = text.split('+').next().unwrap_or_default();
        let (numbers, pre) = core.split_once('-').map_or((core, None), |(n, p)| (n, Some(p)));
        let numbers: Vec<u64> = numbers.split('.').filter_map(|n| n.parse().ok()).collect();
        match <[u64; 3]>::try_from(numbers) {
            Ok(n) => Ok((n, pre.map(|p| p.split('.').map(str::to_owned).collect()).unwrap_or_default())),
            Err(_) => fail(format!("`{text}` is not a semantic version")),
        }
    };
    let ((x, p), (y, q)) = (split(a)?, split(b)?);
    if x != y {
        return Ok(x.cmp(&y));
    }
    match (p.is_empty(), q.is_empty()) {
        (true, true) => return Ok(Ordering::Equal),
        (true, false) => return Ok(Ordering::Greater),
        (false, true) => return Ok(Ordering::Less),
        (false, false) => {}
    }
    for (v, w) in p.iter().zip(&q) {
        let order = match (v.parse::<u64>(), w.parse::<u64>()) {
            (Ok(m), Ok(n)) => m.cmp(&n),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => v.cmp(w),
        };
        if order.is_ne() {
            return Ok(order);
        }
    }
    Ok(p.len().cmp(&q.len()))
}
