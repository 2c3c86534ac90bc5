//! Local facts: files that an administrator put on the host (JSON or INI). A program is not run: gathering facts runs
//! nothing.

use std::path::Path;

use rectify_core::module::ModuleError;
use serde_json::{Map, Value};

use super::{Facts, Look, lenient};

pub(super) fn gather(look: Look<'_>, folder: &Path) -> Result<Facts, ModuleError> {
    let mut facts = Facts::new();
    for name in look.names(folder)? {
        let Some(key) = name.strip_suffix(".fact") else { continue };
        let path = folder.join(&name);
        let program = lenient(look.0.stat(&path))?.flatten().is_none_or(|meta| meta.mode & 0o111 != 0);
        if program {
            continue;
        }
        if let Some(text) = look.text(&path)? {
            facts.insert(key.to_owned(), read(&text));
        }
    }
    Ok(facts)
}

/// JSON, or else sections of an INI file with their options in lower case, as Python's configparser has them.
fn read(text: &str) -> Value {
    if let Ok(value) = serde_json::from_str(text) {
        return value;
    }
    let mut sections = Map::new();
    let mut section = None;
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            sections.entry(name).or_insert_with(|| Value::Object(Map::new()));
            section = Some(name.to_owned());
        } else if let Some(Value::Object(options)) = section.as_ref().and_then(|s| sections.get_mut(s))
            && let Some(at) = line.find(['=', ':'])
        {
            options.insert(line[..at].trim().to_lowercase(), line[at + 1..].trim().into());
        }
    }
    Value::Object(sections)
}
