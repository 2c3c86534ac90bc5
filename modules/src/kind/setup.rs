//! `setup`: gathers facts.

use std::path::PathBuf;

use rectify_core::module::{Action, ModuleError, Operate, Report};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::shared::paths;
use crate::facts::{self, Part};

/// Gathers facts about the host, or gathers them again. It changes nothing, and runs no program: local facts that are
/// programs are left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    /// Which facts: `all`, `min`, `hardware`, `network`, `virtual`, and with `!` before it, which not. Default: all.
    #[serde(default)]
    gather_subset: Vec<String>,
    /// Only facts whose name, with or without `ansible_`, matches one of these patterns (`*` and `?`). Default: all.
    #[serde(default)]
    filter: Vec<String>,
    /// Where local facts are: files `NAME.fact` with JSON or INI in them. Default: `/etc/ansible/facts.d`.
    fact_path: Option<PathBuf>,
}

impl Action for Setup {
    const KIND: &'static str = "setup";
    const OTHER_NAMES: &'static [&'static str] = &["gather_facts"];
    const PURE: bool = true;
    const EXAMPLE: &'static str = "setup:\n  gather_subset: [min, network]\n";

    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError> {
        let parts = Part::chosen(&self.gather_subset).map_err(ModuleError::Invalid)?;
        let local = self.fact_path.clone().unwrap_or_else(|| facts::LOCAL.into());
        let mut found = facts::gather_parts(host, &parts, &local)?;
        let patterns: Vec<&str> = self.filter.iter().map(|p| p.trim()).filter(|p| !p.is_empty()).collect();
        if !patterns.is_empty() {
            let full = |name: &str| format!("ansible_{name}");
            found.retain(|name, _| {
                patterns
                    .iter()
                    .any(|p| matches(p.as_bytes(), name.as_bytes()) || matches(p.as_bytes(), full(name).as_bytes()))
            });
        }
        let shown: Map<String, Value> = found.iter().map(|(name, v)| (format!("ansible_{name}"), v.clone())).collect();
        let data = Map::from_iter([("ansible_facts".to_owned(), Value::Object(shown))]);
        Ok(Report { host_facts: found, ..Report::looked(data) })
    }

    fn validate(&self) -> Result<(), String> {
        Part::chosen(&self.gather_subset)?;
        self.fact_path.as_deref().map_or(Ok(()), |path| paths::absolute("fact_path", path))
    }

    fn subject(&self) -> String {
        String::new()
    }
}

/// `*` and `?` as fnmatch(3) has them.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => matches(rest, name) || name.split_first().is_some_and(|(_, n)| matches(pattern, n)),
        (Some((b'?', rest)), Some((_, n))) => matches(rest, n),
        (Some((p, rest)), Some((c, n))) => p == c && matches(rest, n),
        _ => false,
    }
}

#[cfg(all(test, feature = "fake"))]
mod tests {
    use rectify_core::arg::{Arg, from_arg};
    use serde_json::json;

    use super::*;
    use crate::host::fake::Fake;

    #[test]
    fn facts_are_chosen_by_part_and_name() {
        let run = |args: Value| {
            let setup: Setup = from_arg(&Arg::from_value(&args)).unwrap();
            setup.run(&Fake::debian()).unwrap().host_facts
        };
        assert!(run(json!({})).contains_key("interfaces"));
        assert!(!run(json!({"gather_subset": "min"})).contains_key("interfaces"));
        let some = run(json!({"filter": ["ansible_distribution*", "os_family"]}));
        assert!(some.keys().all(|k| k.starts_with("distribution") || k == "os_family"), "{some:?}");
        assert_eq!(some["os_family"], "Debian");
    }
}
