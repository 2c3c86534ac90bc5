//! Global functions, and the lookups that need neither files nor programs.

use super::error::{ErrorKind, R, TemplateError, fail, fail_as, nearest};
use super::eval::callable::{Callable, Function};
use super::eval::{Args, Ev};
use super::filters;
use super::pyregex::PyRegex;
use super::value::{Key, V};
use indexmap::IndexMap;
use std::cell::Cell;
use std::rc::Rc;

const FUNCTIONS: &[(&str, Function)] = &[
    ("cycler", cycler),
    ("dict", dict),
    ("joiner", joiner),
    ("lookup", lookup),
    ("namespace", namespace),
    ("now", now),
    ("q", query),
    ("query", query),
    ("range", range),
    ("undef", undef),
];

/// Lookups of Ansible that the controller has to answer.
const CONTROLLER: &[&str] = &[
    "config",
    "csvfile",
    "dict",
    "file",
    "fileglob",
    "first_found",
    "flattened",
    "indexed_items",
    "ini",
    "inventory_hostnames",
    "items",
    "lines",
    "list",
    "nested",
    "password",
    "pipe",
    "random_choice",
    "sequence",
    "subelements",
    "template",
    "together",
    "unvault",
    "url",
];
const HERE: &[&str] = &["env", "vars", "varnames"];

/// The function of that name.
pub(crate) fn find(name: &str) -> Option<(&'static str, Function)> {
    FUNCTIONS.iter().find(|(n, _)| *n == name).copied()
}

/// Whether a name is defined without any variable.
pub(crate) fn is_global(name: &str) -> bool {
    find(name).is_some()
        || matches!(name, "omit" | "vars" | "self" | "loop" | "super" | "caller" | "varargs" | "kwargs")
}

/// What is wrong with a lookup's name, if it can never work without a hook.
pub(crate) fn lookup_problem(name: &str) -> Option<TemplateError> {
    let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
    if HERE.contains(&short) || PLAIN.contains(&short) {
        return None;
    }
    if CONTROLLER.contains(&short) {
        let e = TemplateError::new(
            ErrorKind::Unsupported,
            format!("the lookup `{short}` is not supported on the managed host"),
        );
        return Some(e.with_help("it reads the controller; set a variable from it before the play, or use a module"));
    }
    let e = TemplateError::new(ErrorKind::UnknownName, format!("there is no lookup `{name}`"));
    let near = nearest(short, CONTROLLER.iter().chain(HERE).copied());
    Some(match near {
        Some(n) => e.with_help(format!("did you mean `{n}`?")),
        None => e,
    })
}

/// Lookups that only rearrange their terms.
const PLAIN: &[&str] = &["dict", "flattened", "items", "list", "nested", "together", "indexed_items", "random_choice"];

fn range(ev: &Ev<'_>, args: Args) -> R<V> {
    let ints: Vec<i128> = args
        .pos
        .iter()
        .map(|v| match v {
            V::Int(i) => Ok(*i),
            V::Bool(b) => Ok(i128::from(*b)),
            other => fail(format!("`range` needs whole numbers, not a {}", other.type_name())),
        })
        .collect::<R<_>>()?;
    let (start, stop, step) = match ints.as_slice() {
        [stop] => (0, *stop, 1),
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] if *step != 0 => (*start, *stop, *step),
        _ => return fail("`range` needs one to three numbers, the third not zero"),
    };
    let span = if step > 0 { stop.saturating_sub(start) } else { start.saturating_sub(stop) };
    let count = if span <= 0 { 0 } else { (span - 1) / step.abs() + 1 };
    if count > 2_000_000 {
        return fail_as(ErrorKind::Limit, format!("`range` would have {count} elements"));
    }
    ev.spend(count as u64 * 4)?;
    Ok(V::list((0..count).map(|i| V::Int(start + i * step)).collect()))
}

fn dict(ev: &Ev<'_>, args: Args) -> R<V> {
    let mut map = IndexMap::new();
    for term in &args.pos {
        match ev.known(term.clone())? {
            V::Map(m) => map.extend(m.entries()),
            pairs => {
                for pair in ev.iter(&pairs)? {
                    let pair = ev.iter(&pair)?;
                    let [k, v] = pair.as_slice() else { return fail("`dict` needs a dictionary or pairs") };
                    map.insert(k.key()?, v.clone());
                }
            }
        }
    }
    map.extend(args.named.into_iter().map(|(k, v)| (Key::Str(k), v)));
    ev.spend(map.len() as u64 * 4)?;
    Ok(V::map(map))
}

fn namespace(ev: &Ev<'_>, args: Args) -> R<V> {
    let V::Map(map) = dict(ev, args)? else { return fail("not a dictionary") };
    Ok(V::Call(Rc::new(Callable::Namespace(map))))
}

fn cycler(_: &Ev<'_>, args: Args) -> R<V> {
    Ok(V::Call(Rc::new(Callable::Cycler(args.pos, Cell::new(0)))))
}

fn joiner(_: &Ev<'_>, args: Args) -> R<V> {
    let [separator] = args.bind(["sep"])?;
    Ok(V::Call(Rc::new(Callable::Joiner(separator.unwrap_or(V::str(", ")), Cell::new(false)))))
}

fn undef(ev: &Ev<'_>, args: Args) -> R<V> {
    let [hint] = args.bind(["hint"])?;
    Ok(V::undef(match hint {
        Some(h) => ev.text(&h)?,
        None => "the variable must be overridden".to_owned(),
    }))
}

fn now(ev: &Ev<'_>, args: Args) -> R<V> {
    let [utc, format] = args.bind(["utc", "fmt"])?;
    let at = super::pytime::moment(None, utc.map(|u| u.truth()).transpose()?.unwrap_or(false))?;
    match format {
        Some(f) if !matches!(f, V::None) => Ok(V::str(super::pytime::strftime_zoned(&ev.text(&f)?, &at)?)),
        _ => Ok(V::Time(at.datetime())),
    }
}

fn query(ev: &Ev<'_>, mut args: Args) -> R<V> {
    args.named.push(("wantlist".into(), V::Bool(true)));
    lookup(ev, args)
}

/// `lookup(name, terms…, options…)`: one value, or text joined by commas, or with `wantlist` the list.
fn lookup(ev: &Ev<'_>, mut args: Args) -> R<V> {
    if args.pos.is_empty() {
        return fail("`lookup` needs the name of a lookup");
    }
    let name = ev.text(&args.pos.remove(0))?;
    let want_list = args.take_named("wantlist").map(|w| w.truth()).transpose()?.unwrap_or(false);
    let short = name.strip_prefix("ansible.builtin.").unwrap_or(&name).to_owned();
    if let Some(V::Undef(u)) = args.first_undefined(&V::None) {
        return Err(u.stop());
    }
    let values = match short.as_str() {
        "vars" => {
            let default = args.take_named("default");
            let mut out = Vec::new();
            for term in flat_terms(ev, &args.pos)? {
                let term = ev.text(&term)?;
                match (ev.variable(&term)?, &default) {
                    (Some(V::Undef(_)), Some(d)) | (None, Some(d)) => out.push(d.clone()),
                    (Some(v), _) => out.push(v),
                    (None, None) => out.push(ev.undefined(&term, &super::eval::Frame::new())),
                }
            }
            out
        }
        "varnames" => {
            let mut out = Vec::new();
            for term in flat_terms(ev, &args.pos)? {
                let regex = PyRegex::new(&ev.text(&term)?, false, false)?;
                for name in ev.vars.names() {
                    if regex.search(name)?.is_some() {
                        out.push(V::str(name));
                    }
                }
            }
            out
        }
        "env" => {
            let default = args.take_named("default");
            let Some(env) = ev.engine.options.env else {
                return fail_as(ErrorKind::Unsupported, "the lookup `env` is not supported here");
            };
            let mut out = Vec::new();
            for term in flat_terms(ev, &args.pos)? {
                out.push(match env(&ev.text(&term)?) {
                    Some(value) => V::str(value),
                    None => default.clone().unwrap_or(V::str("")),
                });
            }
            out
        }
        other => match answered(ev, other, &args)? {
            Some(values) => values,
            None if PLAIN.contains(&other) => plain(ev, other, &args.pos)?,
            None => {
                let problem = lookup_problem(&name);
                return Err(problem
                    .unwrap_or_else(|| TemplateError::new(ErrorKind::Unsupported, "no such lookup"))
                    .into());
            }
        },
    };
    if want_list {
        return Ok(V::list(values));
    }
    match values.as_slice() {
        [one] => Ok(one.clone()),
        many if many.iter().all(|v| matches!(v, V::Str(_))) => {
            let texts = many.iter().map(|v| ev.text(v)).collect::<R<Vec<_>>>()?;
            Ok(V::str(texts.join(",")))
        }
        _ => Ok(V::list(values)),
    }
}

/// Asks the caller's hook.
fn answered(ev: &Ev<'_>, name: &str, args: &Args) -> R<Option<Vec<V>>> {
    let Some(hook) = &ev.engine.options.lookup else { return Ok(None) };
    let terms = args.pos.iter().filter_map(|v| ev.finalize(v).transpose()).collect::<R<Vec<_>>>()?;
    let mut options = serde_json::Map::new();
    for (k, v) in &args.named {
        options.extend(ev.finalize(v)?.map(|v| (k.to_string(), v)));
    }
    match hook(name, &terms, &options) {
        Some(Ok(serde_json::Value::Array(values))) => Ok(Some(values.iter().map(filters::from_json_value).collect())),
        Some(Ok(value)) => Ok(Some(vec![filters::from_json_value(&value)])),
        Some(Err(why)) => fail(format!("the lookup `{name}` failed: {why}")),
        None => Ok(None),
    }
}

fn flat_terms(ev: &Ev<'_>, terms: &[V]) -> R<Vec<V>> {
    let mut out = Vec::new();
    for term in terms {
        match term {
            V::List(_) | V::Tuple(_) => out.extend(ev.iter(term)?),
            other => out.push(ev.known(other.clone())?),
        }
    }
    Ok(out)
}

fn plain(ev: &Ev<'_>, name: &str, terms: &[V]) -> R<Vec<V>> {
    let lists = || -> R<Vec<Vec<V>>> { terms.iter().map(|t| ev.iter(t)).collect() };
    Ok(match name {
        "dict" => {
            let mut out = Vec::new();
            for term in terms {
                let items = filters::apply(ev, "dict2items", term.clone(), Args::default())?;
                out.extend(ev.iter(&items)?);
            }
            out
        }
        "flattened" => {
            let all = V::list(terms.to_vec());
            ev.iter(&filters::apply(ev, "flatten", all, Args::default())?)?
        }
        "list" => terms.to_vec(),
        "items" => flat_terms(ev, terms)?,
        "indexed_items" => {
            let items = flat_terms(ev, terms)?;
            items.into_iter().enumerate().map(|(i, v)| V::tuple(vec![V::Int(i as i128), v])).collect()
        }
        "together" => {
            let lists = lists()?;
            let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
            (0..longest)
                .map(|i| V::list(lists.iter().map(|l| l.get(i).cloned().unwrap_or(V::None)).collect()))
                .collect()
        }
        "random_choice" => {
            let items = flat_terms(ev, terms)?;
            if items.is_empty() {
                Vec::new()
            } else {
                vec![filters::apply(ev, "random", V::list(items), Args::default())?]
            }
        }
        _ => filters::products(ev, &lists()?)?.into_iter().map(V::list).collect(),
    })
}

/// A dictionary from pairs.
pub(crate) fn map_of(pairs: Vec<(&str, V)>) -> V {
    V::map(pairs.into_iter().map(|(k, v)| (Key::from(k), v)).collect())
}
