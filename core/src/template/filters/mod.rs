//! Filters: one file per family, one table.

mod coding;
mod dicts;
mod lists;
mod numbers;
mod paths;
mod patterns;
mod random;
mod select;
mod strings;
mod yaml_out;

pub(crate) use coding::from_json_value;
pub(crate) use lists::{products, sorted};
pub(crate) use strings::{capitalize, title};

use super::error::{R, fail};
use super::eval::{Args, Ev};
use super::value::V;

/// A filter: the value, the arguments.
pub(crate) type FilterFn = fn(&Ev<'_>, V, Args) -> R<V>;

/// Every filter, sorted by name.
const FILTERS: &[(&str, FilterFn)] = &[
    ("abs", numbers::abs),
    ("attr", dicts::attr),
    ("b64decode", coding::b64decode),
    ("b64encode", coding::b64encode),
    ("basename", paths::basename),
    ("batch", lists::batch),
    ("bool", numbers::to_bool),
    ("capitalize", strings::capitalize_filter),
    ("center", strings::center),
    ("checksum", coding::checksum),
    ("combinations", lists::combinations),
    ("combine", dicts::combine),
    ("comment", strings::comment),
    ("commonpath", paths::commonpath),
    ("count", lists::length),
    ("d", strings::default),
    ("default", strings::default),
    ("dict2items", dicts::dict2items),
    ("dictsort", dicts::dictsort),
    ("difference", lists::difference),
    ("dirname", paths::dirname),
    ("e", strings::escape),
    ("escape", strings::escape),
    ("expanduser", paths::expanduser),
    ("extract", dicts::extract),
    ("filesizeformat", numbers::filesizeformat),
    ("first", lists::first),
    ("flatten", lists::flatten),
    ("float", numbers::float),
    ("forceescape", strings::escape),
    ("format", strings::format),
    ("from_json", coding::from_json),
    ("from_yaml", coding::from_yaml),
    ("from_yaml_all", coding::from_yaml_all),
    ("groupby", dicts::groupby),
    ("hash", coding::hash),
    ("human_readable", numbers::human_readable),
    ("human_to_bytes", numbers::human_to_bytes),
    ("indent", strings::indent),
    ("int", numbers::int),
    ("intersect", lists::intersect),
    ("items", dicts::items),
    ("items2dict", dicts::items2dict),
    ("join", lists::join),
    ("last", lists::last),
    ("length", lists::length),
    ("list", lists::list),
    ("log", numbers::log),
    ("lower", strings::lower),
    ("mandatory", strings::mandatory),
    ("map", select::map),
    ("max", lists::max),
    ("md5", coding::md5),
    ("min", lists::min),
    ("normpath", paths::normpath),
    ("password_hash", coding::password_hash),
    ("path_join", paths::path_join),
    ("permutations", lists::permutations),
    ("pow", numbers::pow),
    ("pprint", strings::pprint),
    ("product", lists::product),
    ("quote", strings::quote),
    ("random", random::random),
    ("regex_escape", patterns::regex_escape),
    ("regex_findall", patterns::regex_findall),
    ("regex_replace", patterns::regex_replace),
    ("regex_search", patterns::regex_search),
    ("reject", select::reject),
    ("rejectattr", select::rejectattr),
    ("rekey_on_member", dicts::rekey_on_member),
    ("relpath", paths::relpath),
    ("replace", strings::replace),
    ("reverse", lists::reverse),
    ("root", numbers::root),
    ("round", numbers::round),
    ("safe", strings::string),
    ("select", select::select),
    ("selectattr", select::selectattr),
    ("sha1", coding::sha1),
    ("shuffle", random::shuffle),
    ("slice", lists::slice),
    ("sort", lists::sort),
    ("split", strings::split),
    ("splitext", paths::splitext),
    ("strftime", strings::strftime),
    ("string", strings::string),
    ("striptags", strings::striptags),
    ("subelements", dicts::subelements),
    ("sum", lists::sum),
    ("symmetric_difference", lists::symmetric_difference),
    ("ternary", strings::ternary),
    ("title", strings::title_filter),
    ("to_datetime", strings::to_datetime),
    ("to_json", coding::to_json),
    ("to_nice_json", coding::to_nice_json),
    ("to_nice_yaml", coding::to_nice_yaml),
    ("to_uuid", coding::to_uuid),
    ("to_yaml", coding::to_yaml),
    ("tojson", coding::to_json),
    ("trim", strings::trim),
    ("truncate", strings::truncate),
    ("type_debug", strings::type_debug),
    ("union", lists::union),
    ("unique", lists::unique),
    ("upper", strings::upper),
    ("urldecode", coding::urldecode),
    ("urlencode", coding::urlencode),
    ("urlsplit", coding::urlsplit),
    ("win_basename", paths::win_basename),
    ("win_dirname", paths::win_dirname),
    ("wordcount", strings::wordcount),
    ("wordwrap", strings::wordwrap),
    ("zip", lists::zip),
    ("zip_longest", lists::zip_longest),
];

/// The filter of that name, with or without `ansible.builtin.`.
pub(crate) fn find(name: &str) -> Option<FilterFn> {
    let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
    FILTERS.binary_search_by(|(n, _)| (*n).cmp(short)).ok().map(|i| FILTERS[i].1)
}

/// Every name.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|(n, _)| *n)
}

/// Runs a filter by name, as `map('name')` does.
pub(crate) fn apply(ev: &Ev<'_>, name: &str, value: V, args: Args) -> R<V> {
    match find(name) {
        Some(f) => ev.apply_filter(name, f, value, args),
        None => Err(super::lower::unknown_name("filter", name, names()).into()),
    }
}

/// An argument that must be there.
fn need(v: Option<V>, name: &str) -> R<V> {
    v.map_or_else(|| fail(format!("the argument `{name}` is missing")), Ok)
}

/// An argument as text, or its default.
fn text_or(ev: &Ev<'_>, v: Option<V>, default: &str) -> R<String> {
    v.map_or_else(|| Ok(default.to_owned()), |v| ev.text(&v))
}

/// An argument as a truth value, or false.
fn flag(v: Option<V>) -> R<bool> {
    flag_or(v, false)
}

/// An argument as a truth value, or its default.
fn flag_or(v: Option<V>, default: bool) -> R<bool> {
    v.map_or(Ok(default), |v| v.truth())
}

/// An argument as a whole number, or its default.
fn int_or(v: Option<V>, default: i128) -> R<i128> {
    match v {
        None | Some(V::None) => Ok(default),
        Some(V::Int(i)) => Ok(i),
        Some(V::Bool(b)) => Ok(i128::from(b)),
        Some(V::Str(s)) if s.trim().parse::<i128>().is_ok() => Ok(s.trim().parse().unwrap_or(default)),
        Some(other) => fail(format!("needs a whole number, not a {}", other.type_name())),
    }
}

/// The elements of a list; anything else is an error.
fn elements(ev: &Ev<'_>, v: &V) -> R<Vec<V>> {
    match v {
        V::List(_) | V::Tuple(_) => ev.iter(v),
        other => fail(format!("needs a list, not a {}", other.type_name())),
    }
}
