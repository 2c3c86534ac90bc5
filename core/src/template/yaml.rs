//! YAML from text, for `from_yaml`.

use super::error::{R, fail};
use super::filters::from_json_value;
use super::value::V;
use crate::diag::{Diagnostics, SourceMap};

/// The documents of a text.
pub(crate) fn documents(text: &str) -> R<Vec<V>> {
    let mut map = SourceMap::new();
    let mut found = Diagnostics::new();
    let file = map.add("value", text);
    let parsed = crate::yaml::parse(&map, file, &mut found);
    if !parsed.whole {
        let why = found.iter().next().map_or_else(String::new, |d| d.message.clone());
        return fail(format!("not YAML: {why}"));
    }
    Ok(parsed.docs.iter().map(|d| from_json_value(&d.to_json())).collect())
}
